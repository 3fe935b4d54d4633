"""An export brings a destination to what is desired, harms nobody, and says why."""

from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from time import sleep
from types import SimpleNamespace

import pytest
from pyspark.sql import functions as F

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.destination import Guards
from goldenlake.destinations import open_destination
from goldenlake.errors import (
    CallRefused,
    CallUnfit,
    DeliveryElsewhere,
    ExportHeld,
    NotAuthorised,
    PlaceUnreachable,
    PlanUnknown,
    SegmentNotBuilt,
    TransientError,
)
from goldenlake.ports import Acknowledgement
from goldenlake.schemas import LEDGER
from goldenlake.steps import outbox
from goldenlake.steps.plan import PlanExport, approve
from goldenlake.steps.planned import SegmentPlan, judge
from goldenlake.steps.story import activation_story
from support.activation import (
    DAY,
    POLICY,
    Killed,
    Mortal,
    destination,
    members_are,
    night,
    silent,
    step,
)
from support.destinations import Remembering
from support.gold import at, customer, grant, publish
from support.vendors import Outside, serving
from support.vendors.hubspot import Hubspot

DAY_AND_TIME = at("2024-06-01 09:00")

pytestmark = pytest.mark.usefixtures("no_waiting")


def test_a_first_export_sends_whom_it_may_and_a_rerun_sends_nothing(tables):
    people = [customer(name, given_name=name.title()) for name in ("ann", "bob", "cyd", "dan")]
    people += [customer("eve", email=None), customer("twin", email="ann@example.com")]
    consents = [grant(name) for name in ("ann", "bob", "eve", "twin")] + [grant("dan", "withdrawn")]
    names = [each["customer_id"] for each in people]
    night(tables, DAY, people, consents, {"readers": names})
    kind = Remembering(batch_records=1)

    planned = PlanExport(destination=destination(), consent=POLICY, as_of=DAY).run(tables)
    result = step().run(tables, kind, silent)

    assert kind.people == {
        ("readers", "ann@example.com"): {"FNAME": "Ann", "country": None},
        ("readers", "bob@example.com"): {"FNAME": "Bob", "country": None},
    }
    assert [batch.number for _, batch in kind.sent] == [1, 2]
    (plan,) = planned.segments
    assert (plan.members, plan.wanted, plan.added, planned.changes) == (6, 2, 2, 2)
    assert plan.held_back == {"duplicate_key": 1, "no_consent": 1, "no_key": 1, "withdrawn": 1}
    assert plan.samples["add"] == ["ann", "bob"]
    assert result.counts["sent"] == 2
    held = {(r["customer_id"], r["reason"]) for r in tables.read("activation.held_back").collect()}
    assert ("twin", "duplicate_key") in held

    again = step().run(tables, kind, silent)
    assert len(kind.sent) == 2
    assert set(again.counts) == set(result.counts)
    found = {name: number for name, number in again.counts.items() if number}
    assert found == {"unchanged": 2, "held_back": 4}


def test_a_no_under_an_address_holds_for_all_who_bear_it_though_it_tied_them_to_nobody(tables):
    people = [customer("ann", email="shared@example.com", customer_number="1")]
    people += [customer("bob", email="shared@example.com", customer_number="2")]
    people += [customer("cyd", customer_number="3")]
    # What an e-mail service complains about knows an address alone: a customer of its own.
    consents = [grant(name) for name in ("ann", "bob", "cyd")] + [grant("esp", "suppressed")]
    known = {"customer_id": "esp", "identifier": "email", "value": "shared@example.com"}
    night(
        tables,
        DAY,
        people,
        consents,
        {"readers": ["ann", "bob", "cyd"]},
        **{"gold.identifiers": [known]},
    )
    for key in ("email", "customer_number"):
        kind = Remembering()
        given = destination(destination=f"crm_{key}", key=key, fields={"EMAIL": "email"})
        result = step(destination=given).run(tables, kind, silent)
        assert [record.customer_id for _, batch in kind.sent for record in batch.records] == ["cyd"]
        assert result.details["segments"]["readers"]["held_back"] == {"key_opted_out": 2}


def test_an_address_is_the_same_by_whatever_name_it_was_refused(tables):
    addresses = {"addresses": ["email", "login"]}
    policy = ConsentPolicy.model_validate(
        {"purposes": {"marketing": {"description": "x"}}, "channels": {"email": addresses}}
    )
    people = [customer("ann", customer_number="1"), customer("cyd", customer_number="3")]
    known = {"customer_id": "bob", "identifier": "login", "value": "ann@example.com"}
    night(
        tables,
        DAY,
        people,
        [grant("ann"), grant("bob", "withdrawn"), grant("cyd")],
        {"readers": ["ann", "cyd"]},
        **{"gold.identifiers": [known]},
    )
    for key in ("email", "customer_number"):
        kind = Remembering()
        given = destination(destination=f"crm_{key}", key=key, fields={"EMAIL": "email"})
        result = step(destination=given, consent=policy).run(tables, kind, silent)
        assert [record.customer_id for _, batch in kind.sent for record in batch.records] == ["cyd"]
        assert result.details["segments"]["readers"]["held_back"] == {"key_opted_out": 1}


def test_a_cap_counts_by_the_address_that_is_sent_to_and_by_no_other_that_is_known(tables):
    people = [customer("ann", email="home@example.com"), customer("bob", email="home@example.com")]
    people += [customer("cyd"), customer("dan")]
    # What many records have in common, as a placeholder, is kept among what people are known by.
    shared = [
        {"customer_id": name, "identifier": "email", "value": "none@example.com"}
        for name in ("bob", "cyd", "dan")
    ]
    reached = [
        {"customer_id": name, "at": at("2024-05-30 09:00"), "channel": "email", "kind": "delivered"}
        for name in ("bob", "bob", "dan")
    ]
    names = [person["customer_id"] for person in people]
    night(
        tables,
        DAY,
        people,
        [grant(name) for name in names],
        {"readers": names},
        **{"gold.identifiers": shared, "gold.interactions": reached},
    )
    kind = Remembering()
    given = destination(cap={"most": 2, "within": "7d", "kinds": ["delivered"]})
    result = step(destination=given).run(tables, kind, silent)
    assert {key for _, key in kind.people} == {"cyd@example.com", "dan@example.com"}
    assert result.details["segments"]["readers"]["held_back"] == {"capped": 2}


def test_an_older_day_turns_nothing_back_unless_a_person_approves(tables):
    later = DAY + timedelta(days=1)
    night(tables, DAY, [customer("ann"), customer("fay")], [grant("ann"), grant("fay")], {})
    members_are(tables, DAY, {"readers": ["ann"]}, 1)
    members_are(tables, later, {"readers": ["ann", "fay"]}, 1)
    kind = Remembering()
    step(DAY).run(tables, kind, silent)
    step(later).run(tables, kind, silent)
    assert {key for _, key in kind.people} == {"ann@example.com", "fay@example.com"}

    with pytest.raises(ExportHeld, match="a later day") as held:
        step(DAY).run(tables, kind, silent)
    assert {key for _, key in kind.people} == {"ann@example.com", "fay@example.com"}

    plan = PlanExport(destination=destination(), consent=POLICY, as_of=DAY).run(tables)
    approve(tables, plan, held.value.plan, by="a person", reason="wanted", at=DAY_AND_TIME)
    step(DAY).run(tables, kind, silent)
    assert {key for _, key in kind.people} == {"ann@example.com"}


@pytest.mark.slow
def test_a_plan_tells_which_fields_its_updates_change(tables):
    def plan(as_of):
        (found,) = (
            PlanExport(destination=destination(), consent=POLICY, as_of=as_of).run(tables).segments
        )
        return found

    names = ["ann", "bob", "cyd"]
    consents = [grant(name) for name in names]
    night(tables, DAY, [customer(name) for name in names], consents, {"readers": names})
    assert plan(DAY).changed_fields == {}, "who is added is no change"
    kind = Remembering()
    step().run(tables, kind, silent)
    later = DAY + timedelta(days=1)
    people = [
        customer("ann", given_name="Anna", country="FR"),
        customer("bob", country="FR"),
        customer("cyd"),
    ]
    night(tables, later, people, consents, {"readers": names})

    found = plan(later)
    assert found.updated == 2
    assert found.changed_fields == {"FNAME": 1, "country": 2}
    tables.overwrite(
        "activation.ledger", tables.read("activation.ledger").drop("acknowledged_marks")
    )
    assert plan(later).changed_fields == {}, "a ledger of before that was kept"
    step(later).run(tables, kind, silent)
    assert kind.people["readers", "ann@example.com"]["FNAME"] == "Anna"
    assert tables.read("activation.ledger").where("acknowledged_marks IS NULL").count() == 1
    assert plan(later).updated == 0


def test_a_plan_is_drawn_again_when_anything_that_it_depends_on_has_changed(tables):
    ann, bob = customer("ann"), customer("bob")
    until = at("2024-06-20 00:00")
    night(
        tables,
        DAY,
        [ann, bob],
        [grant("ann"), grant("bob", expires_at=until)],
        {"readers": ["ann"]},
    )
    kind = Remembering()

    def ran(as_of=DAY, **others):
        return step(as_of, **others).run(tables, kind, silent).status

    def members(as_of, *names):
        members_are(tables, as_of, {"readers": names}, 1)

    assert [ran(), ran()] == ["done", "skipped"]
    later = DAY + timedelta(days=1)
    members(later, "ann", "bob")
    assert ran(later) == "done"
    assert ran(later, now=until - timedelta(microseconds=1)) == "skipped"
    assert ran(later, now=until) == "done"
    assert set(kind.people) == {("readers", "ann@example.com")}
    assert ran(later) == "done", "of a time when that grant still counted"
    gone = tables.read("activation.ledger").withColumn("state", F.lit("absent"))
    tables.overwrite("activation.ledger", gone)
    assert ran(later) == "done"
    assert ran(later, destination=destination(channel="email", fields={})) == "done"
    publish(tables, DAY, {"gold.consents": [grant("ann", "withdrawn"), grant("bob")]})
    assert ran(later) == "done"
    assert set(kind.people) == {("readers", "bob@example.com")}


def test_a_delivery_that_was_sent_is_closed_though_a_later_one_fails(tables):
    members = {"buyers": ["ann"], "readers": ["ann"]}
    night(tables, DAY, [customer("ann")], [grant("ann")], members)

    def fails(delivery, _):
        if delivery.segment == "readers":
            raise TransientError("down")

    kind = Remembering(before=fails)
    both = destination(segments=["buyers", "readers"])
    with pytest.raises(TransientError):
        step(destination=both).run(tables, kind, silent)
    assert kind.finished == [kind.sent[0][0].delivery_id]

    kind.before = lambda *_: None
    step(destination=both).run(tables, kind, silent)
    assert [delivery.segment for delivery, _ in kind.sent] == ["buyers", "readers"]
    assert len(kind.finished) == 2


def test_an_export_of_which_something_was_not_acknowledged_is_not_settled(tables):
    night(tables, DAY, [customer("ann")], [grant("ann")], {"readers": ["ann"]})
    refusing = Remembering(refuses=lambda _: True)
    assert step().run(tables, refusing, silent).counts["rejected"] == 1
    assert step().run(tables, refusing, silent).status == "done"


def acknowledged(tables, names, **others):
    """People whom an earlier night has sent."""
    rows = [
        {
            "destination": "crm",
            "segment": "readers",
            "customer_id": name,
            "key": f"{name}@example.com",
            "state": "present",
            "acknowledged_hash": "old",
            "desired_hash": "old",
            "outcome": "acknowledged",
            "attempt": 0,
            "delivery": "d_old",
        }
        | others
        for name in names
    ]
    tables.append("activation.ledger", tables.frame(rows, LEDGER.ddl))


def test_a_held_export_writes_nothing_until_a_person_approves_this_very_plan(tables):
    names = [f"p{n:03}" for n in range(100)]
    acknowledged(tables, names)
    stay = names[:40]
    night(tables, DAY, [customer(n) for n in names], [grant(n) for n in names], {"readers": stay})
    kind = Remembering(batch_records=50)
    with pytest.raises(ExportHeld, match="60% of 100") as held:
        step().run(tables, kind, silent)
    assert kind.sent == []
    assert tables.version("activation.ledger") == 0
    assert not tables.exists("activation.outbox")
    assert not tables.exists("activation.held_back")

    approval = {"by": "ann", "reason": "spring cleaning", "at": DAY_AND_TIME}
    plan = PlanExport(destination=destination(), consent=POLICY, as_of=DAY).run(tables)
    with pytest.raises(PlanUnknown, match=f"is {held.value.plan}, not another plan"):
        approve(tables, plan, "another plan", **approval)
    with pytest.raises(ExportHeld):
        step().run(tables, kind, silent)
    approve(tables, plan, held.value.plan, **approval)
    result = step().run(tables, kind, silent)
    assert (result.counts["removed"], result.counts["sent"]) == (60, 40)


def planned(**others):
    counts = dict.fromkeys(
        ("members", "wanted", "acknowledged", "added", "updated", "removed", "unchanged"), 0
    )
    rest = {"reowned": 0, "held_back": {}, "removed_for": {}, "batches": 1, "capacity": 1}
    return SegmentPlan(
        turned_back=0,
        segment="s",
        delivery_id="d",
        calls=1,
        minutes=None,
        **{**counts, **rest, **others},
    )


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({"acknowledged": 1, "removed": 1}, "would become empty"),
        ({"acknowledged": 10, "removed": 10, "members": 10}, "would become empty"),
        ({"acknowledged": 100, "wanted": 40, "removed": 60}, "60% of 100"),
        ({"acknowledged": 100, "wanted": 200, "added": 100}, "100% of 100"),
        ({"acknowledged": 100, "wanted": 100, "added": 16, "removed": 16}, "32% of 100"),
        ({"acknowledged": 5000, "wanted": 4499, "removed": 501}, "501 of 5000"),
        ({"acknowledged": 20000, "wanted": 18999, "removed": 1001}, "the limit is 1000"),
    ],
)
def test_guards_object_to_mass_damage(counts, says):
    assert any(says in verdict for verdict in judge(planned(**counts), Guards()))


def test_a_sudden_drop_of_the_match_rate_is_objected_to():
    plan = planned(members=1000, held_back={"no_key": 400})
    assert judge(plan, Guards(), 0.9)
    assert judge(plan, Guards(), 0.7) == []
    assert judge(plan, Guards(), None) == []


@pytest.mark.parametrize(
    "counts",
    [
        {"wanted": 10**6, "added": 10**6},
        {},
        {"acknowledged": 49, "wanted": 1, "removed": 48},
        {"acknowledged": 100, "wanted": 130, "added": 30},
        {"acknowledged": 100, "wanted": 100, "updated": 100},
        {"acknowledged": 20000, "wanted": 19000, "removed": 1000},
    ],
)
def test_guards_let_an_ordinary_night_pass(counts):
    assert judge(planned(**counts), Guards()) == []


@pytest.mark.slow
def test_people_in_a_list_that_is_named_no_more_are_not_forgotten(tables):
    def export(kind, **target):
        given = {"kind": "mailchimp", "connection": "x", "audience": "a1", **target}
        return step(destination=destination(target=given)).run(tables, kind, silent)

    night(tables, DAY, [customer("ann")], [grant("ann")], {"readers": ["ann"]})
    assert export(Remembering()).counts["sent"] == 1
    assert export(Remembering(), segment="readers", create_fields=True).counts["unchanged"] == 1

    new = Remembering()
    with pytest.raises(ExportHeld, match="1 records are where target said before") as held:
        export(new, segment="readers of 2024")
    changed = destination(
        target={
            "kind": "mailchimp", "connection": "x", "audience": "a1", "segment": "readers of 2024",
        }
    )  # fmt: skip
    plan = PlanExport(destination=changed, consent=POLICY, as_of=DAY).run(tables)
    approve(tables, plan, held.value.plan, by="x", reason="it was renamed there", at=DAY_AND_TIME)
    export(new, segment="readers of 2024")
    assert export(new, segment="readers of 2024").counts["unchanged"] == 1
    assert new.sent == []


def refuses_the_second_call(_, batch):
    if batch.number == 2:
        raise CallRefused(system="x", call="put", status=404, mend="Correct fields.")


@pytest.mark.parametrize(
    "kind",
    [
        Remembering(batch_records=1, refuses=lambda record: record.key == "bob@example.com"),
        Remembering(batch_records=1, before=refuses_the_second_call),
    ],
    ids=["a record", "a call"],
)
def test_whoever_was_sent_somewhere_is_not_forgotten_there_though_something_was_refused(
    tables, kind
):
    names = ["ann", "bob"]
    target = {"kind": "mailchimp", "connection": "x", "audience": "a1", "segment": "mistaken"}
    night(tables, DAY, [*map(customer, names)], [*map(grant, names)], {"readers": names})
    with suppress(CallRefused):
        step(destination=destination(target=target)).run(tables, kind, silent)
    assert len(kind.people) == 1

    corrected = destination(target=target | {"segment": "readers"})
    with pytest.raises(ExportHeld, match=r"\d records are where target said before"):
        step(destination=corrected).run(tables, Remembering(), silent)


@pytest.mark.slow
def test_the_share_with_a_key_is_compared_with_an_export_of_which_something_was_refused(tables):
    names = ["ann", "bob", "cyd"]
    consents = [*map(grant, names)]
    given = destination(guards={"least_members": 1, "largest_change": 100})
    night(tables, DAY, [*map(customer, names)], consents, {"readers": names})
    kind = Remembering(refuses=lambda record: record.key == "bob@example.com")
    assert step(destination=given).run(tables, kind, silent).counts["rejected"] == 1

    nameless = [customer("ann"), customer("bob", email=None), customer("cyd", email=None)]
    night(tables, DAY, nameless, consents, {"readers": names})
    with pytest.raises(ExportHeld, match="33% of the members have a key, 100% had one before"):
        step(destination=given).run(tables, kind, silent)


def test_an_export_that_was_killed_is_finished_where_it_was_begun_and_nowhere_else(tables):
    kind, mortal = Remembering(), Mortal(tables)

    def export(tables, segment):
        target = {"kind": "mailchimp", "connection": "x", "audience": "a1", "segment": segment}
        return step(destination=destination(target=target)).run(tables, kind, silent)

    def kill(*_):
        mortal.is_dead = True
        raise Killed

    night(tables, DAY, [customer("ann")], [grant("ann")], {"readers": ["ann"]})
    kind.after = kill
    with pytest.raises(Killed):
        export(mortal, "readers")
    kind.after = lambda *_: None
    with pytest.raises(DeliveryElsewhere, match="until that export is finished"):
        export(tables, "friends")
    assert len(kind.sent) == 1
    assert export(tables, "readers").counts["sent"] == 1


@pytest.mark.slow
def test_a_destination_without_segments_takes_out_all_whom_it_added(tables):
    kind = Remembering()
    night(tables, DAY, [customer("ann")], [grant("ann")], {"readers": ["ann"]})
    step().run(tables, kind, silent)
    emptied = destination(segments=[])

    with pytest.raises(ExportHeld, match="would become empty") as held:
        step(destination=emptied).run(tables, kind, silent)
    plan = PlanExport(destination=emptied, consent=POLICY, as_of=DAY).run(tables)
    approve(tables, plan, held.value.plan, by="x", reason="the agency left", at=DAY_AND_TIME)

    assert step(destination=emptied).run(tables, kind, silent).counts["removed"] == 1
    assert kind.people == {}
    assert step(destination=emptied).run(tables, kind, silent).status == "skipped"


def test_a_segment_that_was_not_built_is_no_empty_audience(tables):
    night(tables, DAY - timedelta(days=1), [customer("ann")], [grant("ann")], {"readers": ["ann"]})
    with pytest.raises(SegmentNotBuilt, match="2024-05-31"):
        step().run(tables, Remembering(), silent)


class SideBySide(Remembering):
    """Takes several batches at a time, and is slow with removals."""

    @property
    def capabilities(self):
        return replace(super().capabilities, concurrency=4)

    def send(self, delivery, batch, note):
        if batch.records[0].operation == "remove":
            sleep(0.3)
        return super().send(delivery, batch, note)


def test_nobody_is_added_while_a_removal_is_under_way(tables):
    names = ["ann", "bob", "cyd", "dan"]
    night(tables, DAY, [*map(customer, names)], [*map(grant, names)], {"readers": names[:2]})
    kind = SideBySide(batch_records=1)
    step().run(tables, kind, silent)
    members_are(tables, DAY, {"readers": names[2:]}, 0)
    step().run(tables, kind, silent)
    operations = [operation for _, operation, _ in kind.payload]
    assert operations == ["upsert"] * 2 + ["remove"] * 2 + ["upsert"] * 2


@pytest.mark.slow
def test_a_contact_that_became_another_persons_there_is_left_to_them_if_they_stay(tables):
    names = ["ann", "bob", "cyd", "dan", "eve"]
    people = [*map(customer, names)]
    night(tables, DAY, people, [*map(grant, names)], {"readers": names[:4]})
    vendor = Hubspot()
    target = {"kind": "hubspot", "connection": "hubspot", "gone": "archive"}
    declared = destination(fields={"given_name": "given_name"}, target=target)
    with serving(vendor) as base_url:

        def export():
            kind = open_destination(declared, Outside(base_url, "hubspot"))
            return step(destination=declared).run(tables, kind, silent)

        export()
        ann, bob, cyd, dan = (vendor.contact(f"{name}@example.com") for name in names[:4])
        vendor.merge(bob, ann)
        vendor.contacts[cyd]["email"] = "unknown@example.com"
        vendor.contacts[dan]["email"] = "eve@example.com"
        no = {"ann", "cyd"}
        said = [grant(name, "withdrawn" if name in no else "granted") for name in names]
        night(tables, DAY, people, said, {"readers": [*names[:3], "eve"]})
        counts = export().counts
    there = {vendor.contacts[contact]["email"] for contact in vendor.members["1"]}
    assert there == {"bob@example.com", "eve@example.com"}
    assert (counts["removed"], counts["sent"], vendor.archived) == (3, 1, [])


def at_hubspot(tables, base_url, **declared):
    target = {"kind": "hubspot", "connection": "hubspot", "list": "Newsletter"}
    given = destination(target=target, guards={"allow_empty": True}, **declared)
    kind = open_destination(given, Outside(base_url, "hubspot"))
    return step(destination=given).run(tables, kind, silent)


def test_a_segment_that_is_renamed_keeps_its_people_in_their_list(tables):
    names, vendor = ["ann", "bob"], Hubspot()
    night(tables, DAY, [*map(customer, names)], [*map(grant, names)], {"readers": names})
    with serving(vendor) as base_url:
        at_hubspot(tables, base_url, fields={"given_name": "given_name"})
        members_are(tables, DAY, {"active": names}, 0)
        given = {"fields": {"given_name": "given_name"}, "segments": ["active"]}
        counts = at_hubspot(tables, base_url, **given).counts
        assert (counts["removed"], counts["sent"]) == (2, 2)
        assert len(vendor.members["1"]) == 2
        assert at_hubspot(tables, base_url, **given).counts["unchanged"] == 2


def refuses_additions(_, batch):
    if batch.records[0].operation == "upsert":
        raise CallRefused(system="x", call="put", status=404, mend="Correct fields.")


def accepts(*_):
    pass


def test_what_a_system_refuses_does_not_stand_in_the_way_of_who_withdraws(tables):
    names, kind = ["ann", "bob", "cyd"], Remembering()
    people = [*map(customer, names)]
    night(tables, DAY, people, [*map(grant, names)], {"readers": names[:2]})
    step().run(tables, kind, silent)
    members_are(tables, DAY, {"readers": names}, 0)
    kind.before = refuses_additions
    with pytest.raises(CallRefused):
        step().run(tables, kind, silent)

    publish(tables, DAY, {"gold.consents": [grant("ann", "withdrawn"), *map(grant, names[1:])]})
    with pytest.raises(CallRefused):
        step().run(tables, kind, silent)
    assert {key for _, key in kind.people} == {"bob@example.com"}

    kind.before = accepts
    mended = destination(fields={"FNAME": "given_name"})
    counts = step(destination=mended).run(tables, kind, silent).counts
    assert (counts["added"] + counts["updated"], counts["sent"]) == (2, 2)
    assert {key for _, key in kind.people} == {"bob@example.com", "cyd@example.com"}


def test_who_may_have_been_added_before_a_refusal_is_taken_out_once_they_withdraw(tables):
    night(tables, DAY, [customer("ann")], [grant("ann")], {"readers": ["ann"]})
    kind, given = Remembering(after=refuses_additions), destination(guards={"allow_empty": True})
    with pytest.raises(CallRefused):
        step(destination=given).run(tables, kind, silent)
    publish(tables, DAY, {"gold.consents": [grant("ann", "withdrawn")]})
    assert step(destination=given).run(tables, kind, silent).counts["removed"] == 1
    assert kind.people == {}


MAILMAN = {"kind": "mailman", "connection": "x", "list": "{segment}"}
REST = {
    "kind": "rest", "connection": "x",
    "upsert": [{
        "method": "PUT", "path": "/{segment}/{key}", "body": {"name": "{fields.display_name}"},
    }],
    "remove": [{"method": "DELETE", "path": "/{segment}/{key}"}],
}  # fmt: skip


def in_lists(segments, target=MAILMAN):
    """A destination of which every segment has a place of its own."""
    return destination(target=target, segments=segments, fields={"display_name": "given_name"})


@pytest.mark.slow
@pytest.mark.parametrize("target", [MAILMAN, REST], ids=["mailman", "rest"])
def test_a_place_that_refuses_a_call_keeps_no_other_from_being_brought_up_to_date(tables, target):
    names, kind = ["ann", "bob", "cyd"], Remembering()
    people, all_said = [*map(customer, names)], [*map(grant, names)]
    given = in_lists(["alumni", "news", "promo"], target)
    night(tables, DAY, people, all_said, {"alumni": names, "news": ["ann"], "promo": names[:2]})
    step(destination=given).run(tables, kind, silent)

    def gone(delivery, _):
        if delivery.segment == "alumni":
            raise CallRefused(system="x", call="get", status=404, mend="Make it.")

    kind.before, kind.sent = gone, []
    said = [grant("ann", "withdrawn"), *all_said[1:]]
    night(tables, DAY, people, said, {"alumni": names, "news": names, "promo": names})
    with pytest.raises(CallRefused, match="404"):
        step(destination=given).run(tables, kind, silent)
    assert {key for segment, key in kind.people if segment != "alumni"} == {
        "bob@example.com", "cyd@example.com",
    }  # fmt: skip
    assert tables.read("activation.outbox").isEmpty()


def test_who_may_have_been_added_is_taken_out_though_they_withdrew_before_the_export_ended(tables):
    names = ["ann", "bob"]
    members = {"alumni": names, "news": ["bob"], "promo": ["bob"]}
    night(tables, DAY, [*map(customer, names)], [*map(grant, names)], members)

    def refuses_afterwards(delivery, _):
        if delivery.segment == "alumni":
            raise CallRefused(system="x", call="put", status=404, mend="Make it.")

    def withdrawn_meanwhile(delivery, _):
        if delivery.segment == "news":
            publish(tables, DAY, {"gold.consents": [grant("ann", "withdrawn"), grant("bob")]})

    kind, given = Remembering(), in_lists(["alumni", "news", "promo"])
    kind.before, kind.after = withdrawn_meanwhile, refuses_afterwards
    with pytest.raises(CallRefused):
        step(destination=given).run(tables, kind, silent)
    kind.before = kind.after = accepts
    step(destination=given).run(tables, kind, silent)
    assert {key for _, key in kind.people} == {"bob@example.com"}


@pytest.mark.slow
def test_whom_a_refused_call_may_have_added_is_no_measure_of_what_changes(tables):
    names = ["ann", "bob", "cyd", "dan"]
    night(tables, DAY, [*map(customer, names)], [*map(grant, names)], {"readers": names})
    kind = Remembering(batch_records=1, after=refuses_each)
    given = destination(guards={"least_members": 1})
    with pytest.raises(CallRefused):
        step(destination=given).run(tables, kind, silent)
    kind.after = accepts
    assert step(destination=given).run(tables, kind, silent).counts["sent"] == 4


def test_a_call_that_is_refused_for_no_record_is_let_go_and_one_without_leave_is_not(tables):
    night(tables, DAY, [customer("ann")], [grant("ann")], {"readers": ["ann"]})
    for kind_of_error, is_left in ((NotAuthorised, 1), (CallUnfit, 0)):

        def refuses(*_, error=kind_of_error):
            raise error(system="x", call="put", status=400)

        with pytest.raises(kind_of_error):
            step().run(tables, Remembering(before=refuses), silent)
        assert tables.read("activation.outbox").count() == is_left


@pytest.mark.slow
def test_what_a_refused_batch_may_have_changed_is_said_again(tables):
    """An update back to what it was, and somebody who comes back."""
    kind, given = Remembering(), destination(fields={"FNAME": "given_name"})
    names = ["ann", "bob", "cyd"]
    said = [*map(grant, names)]

    def export(members, **named):
        people = [customer(name, given_name=named.get(name, name)) for name in names]
        night(tables, DAY, people, said, {"readers": members})
        return step(destination=given).run(tables, kind, silent)

    export(names)
    kind.after = refuses_each
    with pytest.raises(CallRefused):
        export(["ann", "bob"], bob="Robert")
    kind.after = accepts
    export(names)
    assert {key: fields["FNAME"] for (_, key), fields in kind.people.items()} == {
        f"{name}@example.com": name for name in names
    }


def refuses_each(*_):
    raise CallRefused(system="x", call="put", status=404, mend="Correct fields.")


def test_who_was_stopped_before_a_batch_was_refused_was_never_added(tables, monkeypatch):
    night(tables, DAY, [customer("ann")], [grant("ann")], {"readers": ["ann"]})
    put = outbox.put

    def withdrawn_meanwhile(*arguments):
        found = put(*arguments)
        publish(tables, DAY, {"gold.consents": [grant("ann", "withdrawn")]})
        return found

    monkeypatch.setattr(outbox, "put", withdrawn_meanwhile)
    with pytest.raises(CallRefused):
        step().run(tables, Remembering(before=refuses_each), silent)
    assert tables.read_or_empty("activation.ledger", LEDGER.ddl).isEmpty()


@pytest.mark.slow
def test_a_contact_is_archived_when_nobody_stays_with_its_key_in_any_segment(tables):
    people = [customer("ann"), customer("bob", email="ann@example.com"), customer("cyd")]
    said = [grant(name) for name in ("ann", "bob", "cyd")]
    vendor = Hubspot()
    target = {"kind": "hubspot", "connection": "hubspot", "gone": "archive"}
    declared = destination(
        segments=["buyers", "readers"], fields={"given_name": "given_name"}, target=target
    )
    with serving(vendor) as base_url:

        def exported(known, **members):
            night(tables, DAY, known, said, members)
            kind = open_destination(declared, Outside(base_url, "hubspot"))
            return step(destination=declared).run(tables, kind, silent).counts["removed"]

        exported(people, buyers=["ann", "cyd"], readers=["bob", "cyd"])
        shared = vendor.contact("ann@example.com")
        lists = {each["name"]: list_id for list_id, each in vendor.lists.items()}

        assert exported(people[1:], buyers=["cyd"], readers=["bob", "cyd"]) == 1
        assert shared not in vendor.members[lists["buyers"]]
        assert shared in vendor.members[lists["readers"]]
        assert vendor.archived == []

        assert exported(people[2:], buyers=["cyd"], readers=["cyd"]) == 1
        assert vendor.archived == [shared]


@pytest.mark.slow
def test_a_contact_that_another_destination_of_the_account_holds_is_not_archived(tables):
    names, vendor = ["ann", "bob", "cyd"], Hubspot()
    target = {"kind": "hubspot", "connection": "hubspot", "gone": "archive"}
    declared = destination(fields={"given_name": "given_name"}, target=target)
    theirs = [
        {"destination": of, "segment": "vips", "key": f"{name}@example.com", "state": "present"}
        for of, name in (("sales", "ann"), ("ads", "bob"))
    ]
    tables.append("activation.ledger", tables.frame(theirs, LEDGER.ddl))
    with serving(vendor) as base_url:
        for known in (names, ["cyd"]):
            people, said = [customer(each) for each in known], [grant(each) for each in known]
            night(tables, DAY, people, said, {"readers": known})
            kind = open_destination(declared, Outside(base_url, "hubspot"))
            step(destination=declared, elsewhere=["ads"]).run(tables, kind, silent)
    left = {contact["email"] for contact in vendor.contacts.values()}
    assert left == {"ann@example.com", "cyd@example.com"}


def test_whoever_calls_by_another_connection_or_none_is_in_another_account():
    targets = {
        "crm": {"kind": "hubspot", "connection": "hubspot"},
        "sales": {"kind": "hubspot", "connection": "hubspot", "list": "sales"},
        "letters": {"kind": "klaviyo", "connection": "klaviyo"},
        "drop": {"kind": "files", "place": "out"},
    }
    declared = SimpleNamespace(
        destinations={name: destination(target=target) for name, target in targets.items()},
        segments={"readers": None}, sources={}, consent=POLICY,
    )  # fmt: skip
    assert PlanExport.of(declared, "crm", as_of=DAY).elsewhere == ["letters", "drop"]


class Mute(Remembering):
    """Applies what it is sent and answers nothing."""

    def send(self, delivery, batch, note):
        super().send(delivery, batch, note)
        return []


@pytest.mark.slow
def test_what_was_never_answered_is_not_noted_as_sent_and_goes_out_again(tables):
    night(tables, DAY, [customer("ann")], [grant("ann")], {"readers": ["ann"]})
    result = step().run(tables, Mute(), silent)
    assert (result.status, result.counts["sent"], result.counts["unsettled"]) == ("degraded", 0, 1)
    (row,) = tables.read("activation.ledger").collect()
    assert (row["state"], row["acknowledged_hash"]) == ("unknown", None)
    kind = Remembering()
    assert step().run(tables, kind, silent).counts["sent"] == 1
    assert kind.payload == [("readers", "upsert", "ann@example.com")]


@pytest.mark.parametrize(
    "answer", [{"outcome": "retry"}, {"outcome": "rejected", "is_permanent": True}]
)
def test_who_may_be_there_by_a_try_whose_reply_was_lost_is_taken_out_once_they_withdraw(
    tables, answer
):
    class Busy(Remembering):
        """Applies the first batch, loses its reply, and takes no other."""

        def send(self, delivery, batch, note):
            if self.sent:
                return [Acknowledgement(key=each.key, **answer) for each in batch.records]
            super().send(delivery, batch, note)
            raise PlaceUnreachable(place="x", what="reset")

    night(tables, DAY, [customer("ann")], [grant("ann")], {"readers": ["ann"]})
    busy, given = Busy(), destination(guards={"allow_empty": True})
    assert step(destination=given).run(tables, busy, silent).counts["sent"] == 0
    publish(tables, DAY, {"gold.consents": [grant("ann", "withdrawn")]})
    kind = Remembering(people=busy.people)
    assert step(destination=given).run(tables, kind, silent).counts["removed"] == 1
    assert kind.people == {}


def test_a_killed_export_goes_on_without_those_who_withdrew_and_takes_them_back(tables):
    names = ["ann", "bob", "cyd", "dan"]
    people = [customer(name) for name in names]
    night(tables, DAY, people, [grant(name) for name in names], {"readers": names})
    kind = Remembering(batch_records=1)
    mortal = Mortal(tables)

    def kill(_, batch):
        if batch.number == 2:
            mortal.is_dead = True
            raise Killed

    kind.after = kill
    with pytest.raises(Killed):
        step().run(mortal, kind, silent)
    planned_for = {batch.number: batch.records[0].key for _, batch in kind.sent}
    (first, before), already = kind.sent, len(kind.sent)
    applied_but_unanswered = before[1].records[0].customer_id

    later = [grant(n, "withdrawn" if n == applied_but_unanswered else "granted") for n in names]
    publish(tables, DAY, {"gold.consents": later})
    kind.after = lambda _, __: None
    step(run_id="again").run(tables, kind, silent)

    sent = kind.sent[already:]
    resumed = [batch for delivery, batch in sent if delivery == first[0]]
    assert [batch.number for batch in resumed] == [1, 2, 3, 4]
    assert resumed[0].records[0].key == planned_for[1]
    assert resumed[1].records == []
    removed = [r.key for _, batch in sent for r in batch.records if r.operation == "remove"]
    assert removed == [planned_for[2]]
    assert len(kind.people) == 3
    assert kind.finished[0] == first[0].delivery_id
    story = activation_story(tables, applied_but_unanswered)
    assert [row["reason"] for row in story["held_back"]] == ["withdrawn"]
    assert [row["state"] for row in story["ledger"]] == ["absent"]


def test_whoever_withdraws_while_the_plan_is_drawn_is_sent_nothing(tables, monkeypatch):
    names = ["ann", "bob"]
    night(tables, DAY, [*map(customer, names)], [*map(grant, names)], {"readers": names})
    draw = PlanExport.drawn

    @contextmanager
    def drawn(planner, *given):
        with draw(planner, *given) as found:
            publish(tables, DAY, {"gold.consents": [grant("ann", "withdrawn"), grant("bob")]})
            yield found

    monkeypatch.setattr(PlanExport, "drawn", drawn)
    kind = Remembering()
    result = step().run(tables, kind, silent)
    assert kind.payload == [("readers", "upsert", "bob@example.com")]
    assert result.counts["withheld"] == 1


def test_whoever_withdraws_while_the_export_runs_is_sent_nothing_under_any_name(tables):
    names = ["ann", "bob", "cyd"]
    twins = [customer(f"twin_of_{name}", email=f"{name}@example.com") for name in names]
    people = [*map(customer, names), *twins]
    night(tables, DAY, people, [grant(name) for name in names], {"readers": names})
    kind = Remembering(batch_records=1)

    def withdraw(_, batch):
        if batch.number == 1:
            one, other = sorted({*names} - {record.customer_id for record in batch.records})
            no = [grant(one, "withdrawn"), grant(f"twin_of_{other}", "withdrawn")]
            publish(tables, DAY, {"gold.consents": [grant(other), *no]})

    kind.after = withdraw
    result = step().run(tables, kind, silent)
    assert len(kind.payload) == 1
    assert (result.counts["sent"], result.counts["withheld"]) == (1, 2)
