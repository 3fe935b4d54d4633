"""Mailchimp's segments hold exactly the members that were acknowledged; nobody's status moves."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pytest
import stamina

from goldenlake.declarations.destination import Retries
from goldenlake.destinations import deliver, open_destination
from goldenlake.errors import CallRefused, NotAuthorised
from goldenlake.ports import Batch
from support.activation import destination
from support.destinations import delivery, removal, unnoted, upsert
from support.vendors import Fault, Outside, serving
from support.vendors.contract import VendorContract, brought
from support.vendors.mailchimp import AUDIENCE, Mailchimp, Member, member_id

SUPPRESSING = delivery(mode="suppress", schema={})
AUTH = {"kind": "basic", "user": "goldenlake", "password": {"env": "GOLDENLAKE_TEST_TOKEN"}}


@dataclass
class Account:
    vendor: Mailchimp
    base_url: str

    def open(self, **target):
        declared = destination(
            fields={"given_name": "given_name", "orders": "orders"},
            target={
                "kind": "mailchimp", "connection": "mailchimp", "audience": AUDIENCE, **target,
            },
        )  # fmt: skip
        return open_destination(declared, Outside(self.base_url, "mailchimp", {"auth": AUTH}))

    def state(self, delivery):
        members = self.vendor.members
        return {
            members[name].email: members[name].fields
            for segment, names in self.vendor.tagged.items()
            if self.vendor.segments[segment] == (delivery.segment, "static")
            for name in names
        }

    def people(self):
        return len(self.vendor.members)

    def refuse(self, key):
        self.vendor.refused.add(key)

    def has(self, name, status, **fields):
        email = f"{name}@example.com"
        self.vendor.members[member_id(email)] = Member(email, status, fields)

    def statuses(self):
        return {each.email: each.status for each in self.vendor.members.values()}


@pytest.fixture
def world():
    vendor = Mailchimp()
    with serving(vendor) as base_url:
        yield Account(vendor, base_url)


def _batch(*records):
    return Batch(number=1, records=records)


def _answers(world, *records):
    with stamina.set_testing(True, attempts=4):
        return deliver(
            world.open(), delivery(), _batch(*records), retries=Retries(attempts=4),
            sleep=lambda _: None,
        )  # fmt: skip


def _suppressed(world, *names):
    records = [replace(upsert(each), fields={}) for each in names]
    answers = world.open().send(SUPPRESSING, _batch(*records), unnoted)
    return {a.key: a.outcome for a in answers}


class TestMailchimp(VendorContract):
    calls_in_the_longest_way = 7

    @pytest.fixture
    def world(self, world):
        return world


@pytest.mark.parametrize("status", ["unsubscribed", "cleaned", "archived"])
def test_who_left_stays_as_they_are_and_is_rejected_with_the_reason(world, status):
    world.has("ann", status)
    answers = _answers(world, upsert("ann"), upsert("bob"))
    ann = answers["ann@example.com"]
    assert (ann.outcome, ann.is_permanent, ann.error) == ("rejected", True, f"is {status} there")
    assert answers["bob@example.com"].outcome == "acknowledged"
    assert world.statuses() == {"ann@example.com": status, "bob@example.com": "subscribed"}
    assert set(world.state(delivery())) == {"bob@example.com"}


@pytest.mark.parametrize("status", ["subscribed", "pending", "transactional"])
def test_a_member_is_changed_and_keeps_the_status(world, status):
    world.has("ann", status, given_name="Old")
    found, _, _ = brought(world, _batch(upsert("ann")))
    assert found == {"ann@example.com": "acknowledged"}
    assert world.statuses() == {"ann@example.com": status}
    assert world.state(delivery()) == {"ann@example.com": {"given_name": "Ann", "orders": 1}}


def test_who_unsubscribes_between_being_read_and_being_added_stays_unsubscribed(world):
    world.vendor.slips_in = {"ann@example.com"}
    answers = _answers(world, upsert("ann"))
    assert answers["ann@example.com"].error == "is unsubscribed there"
    assert world.statuses() == {"ann@example.com": "unsubscribed"}
    assert world.vendor.status_changes == []


def test_who_unsubscribes_between_being_read_and_being_changed_stays_unsubscribed(world):
    world.has("ann", "subscribed")
    world.vendor.slips_in = {"ann@example.com"}
    answers = _answers(world, upsert("ann"))
    assert answers["ann@example.com"].error == "is unsubscribed there"
    assert world.statuses() == {"ann@example.com": "unsubscribed"}
    assert world.state(delivery()) == {}


def test_new_people_get_the_status_that_is_declared(world):
    kind = world.open(status_if_new="pending")
    brought(world, _batch(upsert("ann")), kind)
    assert world.statuses() == {"ann@example.com": "pending"}


def test_an_address_that_is_none_is_rejected_alone(world):
    batch = [upsert(each) for each in ("ann", "bob")]
    batch.insert(1, replace(batch[0], key="no address"))
    found, _, _ = brought(world, _batch(*batch))
    assert found.pop("no address") == "rejected"
    assert list(found.values()) == ["acknowledged"] * 2


def test_a_member_whom_the_segment_does_not_name_as_added_is_not_acknowledged(world):
    world.has("ann", "subscribed", given_name="Ann", orders=1)
    answers = world.open().look_up(delivery(), _batch(upsert("ann")))
    assert [a.outcome for a in answers] == ["retry"]
    brought(world, _batch(upsert("ann")))
    answers = world.open().look_up(delivery(), _batch(upsert("ann"), upsert("bob")))
    assert [a.outcome for a in answers] == ["acknowledged", "retry"]
    answers = world.open().look_up(delivery(), _batch(upsert("ann", orders=7)))
    assert [a.outcome for a in answers] == ["retry"]


def test_strangers_about_whom_a_segment_is_silent_are_tried_again(world):
    world.vendor.forgets = {"bob@example.com"}
    answers = world.open().send(delivery(), _batch(upsert("bob"), upsert("cyd")), unnoted)
    assert {a.key: a.outcome for a in answers} == {
        "bob@example.com": "retry", "cyd@example.com": "acknowledged",
    }  # fmt: skip
    assert set(world.state(delivery())) == {"cyd@example.com"}


@pytest.fixture
def crowded(world, monkeypatch):
    """Ann has more tags than are told with her, and than a page holds."""
    monkeypatch.setattr("goldenlake.destinations.mailchimp._PAGE", 40)
    world.has("ann", "subscribed")
    for at in range(2, 70):
        world.vendor.segments[at] = (f"tag {at}", "static")
        world.vendor.tagged[at] = {member_id("ann@example.com")}
    return world


def test_an_update_of_a_member_of_many_segments_is_known_to_be_done(crowded):
    for given_name in ("Ann", "Anna"):
        record = upsert("ann", given_name=given_name)
        assert brought(crowded, _batch(record))[0] == {"ann@example.com": "acknowledged"}
        found = crowded.open().look_up(delivery(), _batch(record))
        assert [each.outcome for each in found] == ["acknowledged"]


@pytest.mark.fault("500 after applying")
def test_a_member_of_many_segments_whose_removal_failed_is_removed(crowded):
    brought(crowded, _batch(upsert("ann")))
    crowded.vendor.faults = [Fault(at="/segments/", status=500)]
    found, _, _ = brought(crowded, _batch(removal("ann")))
    assert found == {"ann@example.com": "acknowledged"}
    assert crowded.state(delivery()) == {}
    assert sum(map(len, crowded.vendor.tagged.values())) == 68


def test_a_segment_of_that_name_that_mailchimp_fills_itself_is_not_used(world):
    brought(world, _batch(upsert("ann")))
    assert world.vendor.segments == {1: ("readers", "saved"), 2: ("readers", "static")}
    assert world.vendor.tagged[1] == set()
    brought(world, _batch(upsert("bob")))
    assert len(world.vendor.segments) == 2


def test_members_of_a_segment_who_left_are_told_too(world):
    brought(world, _batch(upsert("ann"), upsert("bob")))
    world.has("bob", "unsubscribed")
    found = set(world.open().members("readers"))
    assert found == {"ann@example.com", "bob@example.com"}


def test_values_go_as_merge_fields_take_them(world):
    world.vendor.fields |= {"SPENT": "number", "BORN": "date", "VIP": "text"}
    fields = {"SPENT": Decimal("12.50"), "BORN": date(1990, 5, 31), "VIP": True}
    record = replace(upsert("ann"), fields=fields)
    there = delivery(schema=dict.fromkeys(fields, "string"))
    kind = world.open()
    assert [a.outcome for a in kind.send(there, _batch(record), unnoted)] == ["acknowledged"]
    assert world.state(there)["ann@example.com"] == {
        "SPENT": 12.5, "BORN": "1990-05-31", "VIP": "true",
    }  # fmt: skip
    assert [a.outcome for a in kind.look_up(there, _batch(record))] == ["acknowledged"]


def test_a_field_that_is_not_there_stops_the_export_before_anything_is_sent(world):
    del world.vendor.fields["orders"]
    with pytest.raises(CallRefused, match="'orders'"):
        brought(world, _batch(upsert("ann")))
    assert world.people() == 0


def test_fields_of_the_mapping_are_made_where_they_are_declared_to_be(world):
    del world.vendor.fields["orders"]
    found, _, _ = brought(world, _batch(upsert("ann")), world.open(create_fields=True))
    assert found == {"ann@example.com": "acknowledged"}
    assert world.vendor.fields["orders"] == "number"


def test_a_403_without_a_problem_is_waited_for(world):
    world.vendor.faults = [Fault(status=403, body=b"Forbidden")]
    found, slept, _ = brought(world, _batch(upsert("ann")))
    assert found == {"ann@example.com": "acknowledged"}
    assert slept == [10.0]


def test_a_403_with_a_problem_is_a_refusal(world):
    world.vendor.faults = [Fault(status=403, body={"title": "User Disabled"})]
    with pytest.raises(NotAuthorised):
        brought(world, _batch(upsert("ann")))


def test_suppressing_unsubscribes_and_touches_no_segment(world):
    for name, status in [
        ("ann", "subscribed"), ("bob", "pending"), ("cyd", "cleaned"), ("dan", "unsubscribed"),
        ("eve", "archived"),
    ]:  # fmt: skip
        world.has(name, status)
    brought(world, _batch(upsert("ann")))
    found = _suppressed(world, "ann", "bob", "cyd", "dan", "eve", "new")
    assert set(found.values()) == {"acknowledged"}
    assert world.statuses() == {
        "ann@example.com": "unsubscribed", "bob@example.com": "unsubscribed",
        "cyd@example.com": "cleaned", "dan@example.com": "unsubscribed",
        "eve@example.com": "unsubscribed", "new@example.com": "unsubscribed",
    }  # fmt: skip
    assert set(world.state(delivery())) == {"ann@example.com"}


def test_a_field_that_the_audience_requires_stops_no_suppression(world):
    world.vendor.required = {"FNAME"}
    assert _suppressed(world, "ann") == {"ann@example.com": "acknowledged"}
    found, _, _ = brought(world, _batch(upsert("bob")))
    assert found == {"bob@example.com": "rejected"}


def test_who_cannot_be_unsubscribed_is_told(world):
    world.refuse("bob@example.com")
    assert _suppressed(world, "ann", "bob") == {
        "ann@example.com": "acknowledged", "bob@example.com": "rejected",
    }  # fmt: skip


def test_a_suppression_whose_reply_was_lost_is_looked_up(world):
    world.has("ann", "unsubscribed")
    world.has("bob", "archived")
    batch = _batch(*(replace(upsert(each), fields={}) for each in ("ann", "bob", "cyd")))
    answers = world.open().look_up(SUPPRESSING, batch)
    assert [a.outcome for a in answers] == ["acknowledged", "retry", "retry"]


def test_a_suppression_is_never_lifted(world):
    world.has("ann", "unsubscribed")
    answers = world.open().send(SUPPRESSING, _batch(removal("ann")), unnoted)
    assert [(a.outcome, a.is_permanent) for a in answers] == [("rejected", True)]
    assert world.vendor.calls == []
