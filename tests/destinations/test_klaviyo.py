"""Klaviyo's lists hold exactly the members that were acknowledged."""

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from goldenlake.destinations import open_destination
from goldenlake.ports import Batch, nobody
from support.activation import destination
from support.destinations import delivery, removal, settled, unnoted, upsert
from support.vendors import Fault, Outside, serving
from support.vendors.contract import OneBadAddress, VendorContract, WorksInJobs, brought
from support.vendors.klaviyo import Klaviyo

SUPPRESSING = delivery(mode="suppress", schema={})
AUTH = {
    "kind": "header", "value": {"env": "GOLDENLAKE_TEST_TOKEN"}, "prefix": "Klaviyo-API-Key ",
}  # fmt: skip


@dataclass
class Account:
    vendor: Klaviyo
    base_url: str

    def open(self, **target):
        declared = destination(
            fields={"given_name": "given_name", "orders": "orders"},
            target={"kind": "klaviyo", "connection": "klaviyo", **target},
        )
        return open_destination(declared, Outside(self.base_url, "klaviyo", {"auth": AUTH}))

    def state(self, delivery):
        self.vendor.work()
        for list_id, name in self.vendor.lists.items():
            if name == delivery.segment:
                held = [self.vendor.profiles[each] for each in self.vendor.members[list_id]]
                return {each["email"]: each | each["properties"] for each in held}
        return {}

    def people(self):
        return len(self.vendor.profiles)

    def refuse(self, key):
        self.vendor.refused.add(key)


@pytest.fixture
def world():
    vendor = Klaviyo()
    with serving(vendor) as base_url:
        yield Account(vendor, base_url)


def _batch(*records, job=None):
    return Batch(number=1, records=records, job=job)


def _calls(world):
    return [f"{method} {path}" for method, path, _ in world.vendor.calls]


class TestKlaviyo(OneBadAddress, WorksInJobs, VendorContract):
    @pytest.fixture
    def world(self, world):
        return world

    def begun(self, world):
        return _calls(world).count("POST /api/profile-bulk-import-jobs")


def test_where_a_job_does_not_tell_of_its_errors_it_vouches_for_nobody(world):
    brought(world, _batch(upsert("bob", orders=1)))
    world.vendor.tells_of_errors = False
    world.refuse("bob@example.com")
    found, _, _ = brought(world, _batch(upsert("ann"), upsert("bob", orders=2)))
    assert found == {"ann@example.com": "acknowledged", "bob@example.com": "unknown"}


def test_errors_on_every_page_of_a_job_are_read(world):
    noted = []
    batch = _batch(upsert("ann"), upsert("bob"), upsert("cyd"))
    for refused in ("ann@example.com", "cyd@example.com"):
        world.refuse(refused)
    kind = world.open()
    kind.send(delivery(), batch, noted.append)
    world.vendor.work()
    answers = kind.look_up(delivery(), replace(batch, job=noted[-1]))
    assert {a.key: a.outcome for a in answers} == {
        "ann@example.com": "rejected",
        "bob@example.com": "acknowledged",
        "cyd@example.com": "rejected",
    }


def test_a_profile_that_a_job_left_out_of_the_list_is_sent_again(world):
    noted = []
    kind = world.open()
    kind.send(delivery(), _batch(upsert("ann")), noted.append)
    world.vendor.work()
    world.vendor.members["L0"].clear()
    answers = kind.look_up(delivery(), _batch(upsert("ann"), job=noted[-1]))
    assert [a.outcome for a in answers] == ["retry"]


def test_attributes_the_place_and_properties_go_where_they_belong(world):
    fields = {
        "first_name": "Ann", "location.city": "Kyiv", "location.country": "Ukraine",
        "spent": Decimal("12.50"), "vip": True,
    }  # fmt: skip
    record = replace(upsert("ann"), fields=fields)
    answers = settled(world.open(), delivery(), _batch(record))
    assert [a.outcome for a in answers] == ["acknowledged"]
    held = world.state(delivery())["ann@example.com"]
    assert held["first_name"] == "Ann"
    assert held["location"] == {"city": "Kyiv", "country": "Ukraine"}
    assert held["properties"] == {"spent": 12.5, "vip": True}
    answers = world.open().look_up(delivery(), _batch(record))
    assert [a.outcome for a in answers] == ["acknowledged"]
    other = replace(record, fields=fields | {"location.city": "Lviv"})
    assert [a.outcome for a in world.open().look_up(delivery(), _batch(other))] == ["retry"]


def test_more_people_than_a_filter_names_are_all_found(world):
    records = [upsert(f"p{at}") for at in range(120)]
    found, _, _ = brought(world, _batch(*records))
    assert set(found.values()) == {"acknowledged"}
    found, _, _ = brought(world, _batch(*(removal(f"p{at}") for at in range(120))))
    assert set(found.values()) == {"acknowledged"}
    assert world.state(delivery()) == {}
    assert world.people() == 120


@pytest.mark.parametrize(
    ("address", "stays"), [("bob@example.com", False), ("bob@example.com", True), (None, False)]
)
def test_a_profile_that_bears_another_address_by_now_leaves_unless_that_one_stays(
    world, address, stays
):
    brought(world, _batch(upsert("ann")))
    world.vendor.profiles["P0"]["email"] = address
    leaves = replace(
        _batch(replace(removal("ann"), remote_id="P0")),
        who_stays=frozenset if stays else nobody,
    )
    before = [a.outcome for a in world.open().look_up(delivery(), leaves)]
    assert before == ["acknowledged" if stays else "retry"]
    found, _, _ = brought(world, leaves)
    assert found == {"ann@example.com": "acknowledged"}
    assert world.vendor.members["L0"] == ({"P0"} if stays else set())


@pytest.mark.fault("500 after applying")
def test_a_removal_whose_reply_was_lost_is_not_made_again(world):
    brought(world, _batch(upsert("ann")))
    world.vendor.faults = [Fault(at="/relationships/profiles", is_applied=True)]
    found, _, _ = brought(world, _batch(replace(removal("ann"), remote_id="P0")))
    assert found == {"ann@example.com": "acknowledged"}
    assert sum(call.startswith("DELETE") for call in _calls(world)) == 1


def test_of_lists_of_one_name_the_same_is_used_by_every_process(world):
    world.vendor.lists |= {"L7": "readers", "L3": "readers"}
    world.vendor.members |= {"L7": set(), "L3": set()}
    brought(world, _batch(upsert("ann")))
    assert world.vendor.members == {"L7": set(), "L3": {"P0"}}


def test_suppressing_suppresses_and_touches_no_list(world):
    kind = world.open()
    batch = _batch(*(replace(upsert(f"p{at}"), fields={}) for at in range(120)))
    answers = settled(kind, SUPPRESSING, batch)
    assert {a.outcome for a in answers} == {"acknowledged"}
    assert world.vendor.suppressed == {record.key for record in batch.records}
    assert world.vendor.lists == {}


def test_a_suppression_for_one_list_alone_is_none(world):
    brought(world, _batch(upsert("ann")))
    answers = world.open().look_up(SUPPRESSING, _batch(replace(upsert("ann"), fields={})))
    assert [a.outcome for a in answers] == ["retry"]


def test_a_suppression_is_never_lifted(world):
    world.vendor.suppressed.add("ann@example.com")
    answers = world.open().send(SUPPRESSING, _batch(removal("ann")), unnoted)
    assert [(a.outcome, a.is_permanent) for a in answers] == [("rejected", True)]
    assert world.vendor.suppressed == {"ann@example.com"}
    assert world.vendor.calls == []


def test_by_telephone_there_is_no_suppressing(world):
    assert "suppress" in world.open().capabilities.modes
    assert "suppress" not in world.open(identifier="phone_number").capabilities.modes
