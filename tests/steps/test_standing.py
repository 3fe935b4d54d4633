"""An export to a CRM, from the plan to what it holds, and what people are told of it."""

from datetime import timedelta

import pytest

from goldenlake.declarations.segment import Segment
from goldenlake.destinations import open_destination
from goldenlake.errors import CannotBeAsked
from goldenlake.steps.plan import PlanExport
from goldenlake.steps.reconcile import Reconcile
from goldenlake.steps.standing import ledger_counts, person_standing
from support.activation import DAY, POLICY, destination, members_are, night, silent, step
from support.destinations import Remembering
from support.gold import customer, grant, publish
from support.vendors import Fault, Outside, serving
from support.vendors.hubspot import Hubspot

NAMES = ["ann", "bob", "cyd", "dan", "eve"]
TO_HUBSPOT = {
    "fields": {"given_name": "given_name"},
    "target": {"kind": "hubspot", "connection": "hubspot"},
}


@pytest.fixture
def vendor():
    return Hubspot()


@pytest.fixture
def outside(vendor):
    with serving(vendor) as base_url:
        yield Outside(base_url)
    assert not vendor.violations, vendor.violations[:3]


def segment(name, **others):
    told = {"segment": name, "description": "x", "owner": "x", "who": {"sql": "TRUE"}}
    return Segment.model_validate({**told, **others})


def members_there(vendor):
    return {
        vendor.contacts[contact]["email"].split("@")[0]
        for members in vendor.members.values()
        for contact in members
    }


def export(tables, outside, as_of=DAY, **others):
    declared = destination(**TO_HUBSPOT, **others)
    return step(as_of, destination=declared).run(
        tables, open_destination(declared, outside), silent
    )


def reconciled(tables, outside, repair=False, **others):
    declared = destination(**TO_HUBSPOT)
    found = Reconcile(destination=declared, as_of=DAY, run_id="r", repair=repair, **others)
    return found.run(tables, open_destination(declared, outside), silent)


def test_drift_is_told_and_the_next_export_mends_it_without_touching_others(
    tables, vendor, outside
):
    night(tables, DAY, [*map(customer, NAMES)], [*map(grant, NAMES)], {"readers": NAMES})
    assert export(tables, outside).counts["sent"] == 5
    assert reconciled(tables, outside).counts == {
        "agreeing": 5, "missing": 0, "lingering": 0, "foreign": 0
    }  # fmt: skip
    members_are(tables, DAY, {"readers": NAMES[1:]}, publish(tables, DAY, {}))
    export(tables, outside)
    assert members_there(vendor) == {"bob", "cyd", "dan", "eve"}

    list_id = next(iter(vendor.lists))
    ids = {of["email"].split("@")[0]: contact for contact, of in vendor.contacts.items()}
    vendor.members[list_id] -= {ids["bob"]}
    vendor.members[list_id] |= {ids["ann"], "777"}
    vendor.contacts["777"] = {"email": "stranger@example.com"}
    found = reconciled(tables, outside)
    assert found.status == "degraded"
    assert found.counts == {"agreeing": 3, "missing": 1, "lingering": 1, "foreign": 1}

    assert reconciled(tables, outside, repair=True).status == "done"
    export(tables, outside)
    assert members_there(vendor) == {"bob", "cyd", "dan", "eve", "stranger"}


@pytest.mark.fault("429 with Retry-After")
def test_a_wait_that_is_asked_for_is_waited(tables, vendor, outside):
    night(tables, DAY, [*map(customer, NAMES)], [*map(grant, NAMES)], {"readers": NAMES})
    export(tables, outside)
    slept = []
    vendor.faults = [Fault(at="/memberships", status=429, headers={"Retry-After": "300"})]
    assert reconciled(tables, outside, sleep=slept.append).counts["agreeing"] == 5
    assert slept == [300.0]


def test_who_was_refused_and_came_by_themselves_is_never_ours_to_take_out(tables, vendor, outside):
    vendor.refused.add("ann@example.com")
    night(tables, DAY, [*map(customer, NAMES)], [*map(grant, NAMES)], {"readers": NAMES})
    assert export(tables, outside).counts["rejected"] == 1
    vendor.contacts["777"] = {"email": "ann@example.com"}
    vendor.members[next(iter(vendor.lists))].add("777")

    found = reconciled(tables, outside, repair=True)

    assert found.counts == {"agreeing": 4, "missing": 0, "lingering": 0, "foreign": 1}
    members_are(tables, DAY, {"readers": NAMES[1:]}, publish(tables, DAY, {}))
    export(tables, outside)
    assert members_there(vendor) == set(NAMES)


def test_whom_somebody_took_out_and_who_came_back_is_never_ours_to_take_out(
    tables, vendor, outside
):
    night(tables, DAY, [*map(customer, NAMES)], [*map(grant, NAMES)], {"readers": NAMES})
    export(tables, outside)
    ann = vendor.contact("ann@example.com")
    [members] = vendor.members.values()
    members.discard(ann)
    assert reconciled(tables, outside, repair=True).counts["missing"] == 1
    members.add(ann)

    assert reconciled(tables, outside, repair=True).counts["foreign"] == 1
    members_are(tables, DAY, {"readers": NAMES[1:]}, publish(tables, DAY, {}))
    export(tables, outside)
    assert members_there(vendor) == set(NAMES)


def test_a_kind_that_cannot_be_asked_says_so(tables):
    step_ = Reconcile(destination=destination(), as_of=DAY, run_id="r")
    with pytest.raises(CannotBeAsked, match="goldenlake ledger crm"):
        step_.run(tables, Remembering(), silent)


def test_every_decision_about_a_person_is_told(tables, vendor, outside):
    who = ["ann", "bob", "cyd"]
    records = [{"record_id": f"crm:{name}", "customer_id": name} for name in NAMES]
    publish(tables, DAY, {"identity.customers": records, "identity.history": []})
    night(
        tables, DAY, [*map(customer, NAMES)], [*map(grant, who)],
        {"readers": ["ann", "bob", "dan"], "buyers": ["ann"]},
    )  # fmt: skip
    vendor.refused.add("bob@example.com")
    both = {"segments": ["readers", "buyers"], "priority": ["buyers", "readers"]}
    export(tables, outside, **both)
    declared = destination(**TO_HUBSPOT, **both)
    planner = PlanExport(destination=declared, consent=POLICY, as_of=DAY)

    def told(name):
        return person_standing(tables, planner, f"crm:{name}")

    ann = told("ann")
    assert [(d["segment"], d["action"], d["reason"]) for d in ann.decisions] == [
        ("buyers", "unchanged", None),
        ("readers", "held", "priority"),
    ]
    assert [(row["segment"], row["state"]) for row in ann.ledger] == [("buyers", "present")]
    bob = told("bob")
    assert [(d["action"], d["reason"]) for d in bob.decisions] == [("held", "rejected_before")]
    assert bob.rejects[0]["is_permanent"]
    assert bob.absent_from == ["buyers"]
    assert [(d["action"], d["reason"]) for d in told("dan").decisions] == [("held", "no_consent")]
    assert told("cyd").absent_from == ["readers", "buyers"]
    counts = ledger_counts(tables, "crm")
    assert {(row["segment"], row["state"], row["records"]) for row in counts} == {
        ("buyers", "present", 1),
        ("readers", "absent", 1),
    }
    assert "@" not in str(ann) + str(bob) + str(counts)


def test_what_happened_before_a_merge_is_told_of_who_came_of_it(tables, vendor, outside):
    vendor.refused.add("bob@example.com")
    who = ["ann", "bob", "cyd"]
    night(tables, DAY, [*map(customer, who)], [*map(grant, who)], {"readers": ["bob", "cyd"]})
    export(tables, outside)
    records = [{"record_id": f"crm:{name}", "customer_id": "ann"} for name in who]
    merges = [
        {"event": "merged", "customer_id": name, "other_customer_id": "ann", "generation": 2}
        for name in who[1:]
    ]
    publish(tables, DAY, {"identity.customers": records, "identity.history": merges})

    planner = PlanExport(destination=destination(**TO_HUBSPOT), consent=POLICY, as_of=DAY)
    ann = person_standing(tables, planner, "bob")

    assert ann.customer_id == "ann"
    assert {row["state"] for row in ann.ledger} == {"present", "absent"}
    assert [row["is_permanent"] for row in ann.rejects] == [True]


def test_who_is_held_out_is_noted_and_taken_out_where_they_were_sent_before(
    tables, vendor, outside
):
    night(tables, DAY, [*map(customer, NAMES)], [*map(grant, NAMES)], {"readers": NAMES})
    export(tables, outside)
    later = DAY + timedelta(days=1)
    hold_out = {"share": 0.99999, "salt": "spring"}
    segments = {"readers": segment("readers", hold_out=hold_out, attribution="7d")}
    members_are(tables, later, {"readers": NAMES}, publish(tables, later, {}))
    declared = destination(**TO_HUBSPOT, guards={"allow_empty": True})
    result = step(later, destination=declared, segments=segments).run(
        tables, open_destination(declared, outside), silent
    )
    assert members_there(vendor) == set()
    assert result.details["segments"]["readers"]["held_back"] == {"hold_out": 5}
    held = tables.read("activation.held_back").where("as_of = '2024-06-01'").collect()
    assert {row["reason"] for row in held} == {"hold_out"}
    drawn = tables.read("activation.assignments").collect()
    assert {(row["campaign"], row["arm"], row["until"] - row["assigned_on"]) for row in drawn} == {
        ("spring", "held_out", timedelta(days=7))
    }
    assert len(drawn) == 5


def test_who_was_first_sent_to_is_noted_once_for_a_campaign(tables, vendor, outside):
    night(tables, DAY, [*map(customer, NAMES)], [*map(grant, NAMES)], {"readers": NAMES[:3]})
    segments = {"readers": segment("readers")}
    declared = destination(**TO_HUBSPOT)
    for as_of, members in ((DAY, NAMES[:3]), (DAY + timedelta(days=1), NAMES[:4])):
        members_are(tables, as_of, {"readers": members}, publish(tables, as_of, {}))
        kind = open_destination(declared, outside)
        step(as_of, destination=declared, segments=segments).run(tables, kind, silent)
    rows = tables.read("activation.assignments").collect()
    assert {(row["customer_id"], row["arm"], row["assigned_on"]) for row in rows} == {
        *((name, "sent", DAY) for name in NAMES[:3]),
        ("dan", "sent", DAY + timedelta(days=1)),
    }
