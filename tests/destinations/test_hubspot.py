"""HubSpot holds exactly the members that were acknowledged."""

from dataclasses import dataclass, replace

import pytest

from goldenlake.destinations import open_destination
from goldenlake.errors import CallRefused
from goldenlake.ports import Batch, nobody
from support.activation import destination
from support.destinations import delivery, removal, unnoted, upsert
from support.vendors import Fault, Outside, serving
from support.vendors.contract import OneBadAddress, VendorContract, brought
from support.vendors.hubspot import Hubspot


@dataclass
class Account:
    vendor: Hubspot
    base_url: str

    def open(self, **target):
        declared = destination(
            fields={"given_name": "given_name", "orders": "orders"},
            target={"kind": "hubspot", "connection": "hubspot", **target},
        )
        return open_destination(declared, Outside(self.base_url, "hubspot"))

    def state(self, delivery):
        for list_id, found in self.vendor.lists.items():
            if found["name"] == delivery.segment:
                contacts = [self.vendor.contacts[c] for c in self.vendor.members[list_id]]
                return {contact["email"]: contact for contact in contacts}
        return {}

    def people(self):
        return len(self.vendor.contacts)

    def refuse(self, key):
        self.vendor.refused.add(key)


@pytest.fixture
def world():
    vendor = Hubspot()
    with serving(vendor) as base_url:
        yield Account(vendor, base_url)


class TestHubspot(OneBadAddress, VendorContract):
    @pytest.fixture
    def world(self, world):
        return world


def test_a_property_that_is_not_there_stops_the_export_instead_of_refusing_everybody(world):
    world.vendor.properties.discard("orders")
    batch = Batch(number=1, records=[upsert(f"p{at}") for at in range(40)])
    with pytest.raises(CallRefused):
        brought(world, batch)
    assert len(world.vendor.calls) < 20


def test_properties_of_the_mapping_are_made_where_they_are_declared_to_be(world):
    world.vendor.properties.discard("orders")
    kind = world.open(create_properties=True)
    found, _, _ = brought(world, Batch(number=1, records=[upsert("ann")]), kind)
    assert found == {"ann@example.com": "acknowledged"}
    assert "orders" in world.vendor.properties


def test_the_contact_of_a_customer_who_is_gone_is_archived_where_it_is_declared(world):
    brought(world, Batch(number=1, records=[upsert("ann"), upsert("bob")]))
    gone = type(removal("ann"))(**{**vars(removal("ann")), "reason": "gone"})
    left = removal("bob")
    world.open(gone="archive").send(delivery(), Batch(number=1, records=[gone, left]), unnoted)
    assert [each["email"] for each in world.vendor.contacts.values()] == ["bob@example.com"]


@pytest.mark.parametrize("kept", ["ann", "bob"])
def test_who_was_merged_into_another_contact_there_leaves_the_list_with_it(world, kept):
    brought(world, Batch(number=1, records=[upsert("ann"), upsert("eve")]))
    ann = world.vendor.contact("ann@example.com")
    world.vendor.contacts["7"] = {"email": "bob@example.com"}
    world.vendor.merge(*((ann, "7") if kept == "ann" else ("7", ann)))

    leaves = replace(removal("ann"), remote_id=ann, reason="gone")
    answers = world.open(gone="archive").send(
        delivery(), Batch(number=2, records=[leaves]), unnoted
    )

    assert [answer.outcome for answer in answers] == ["acknowledged"]
    assert list(world.state(delivery())) == ["eve@example.com"]
    assert len(world.vendor.archived) == (1 if kept == "ann" else 0), "bob is kept there"


def test_a_removal_is_not_taken_for_done_while_what_somebody_was_merged_into_is_in_the_list(world):
    brought(world, Batch(number=1, records=[upsert("ann")]))
    ann = world.vendor.contact("ann@example.com")
    world.vendor.contacts["7"] = {"email": "bob@example.com"}
    merged = world.vendor.merge("7", ann)
    leaves = Batch(number=2, records=[replace(removal("ann"), remote_id=ann)])

    assert [a.outcome for a in world.open().look_up(delivery(), leaves)] == ["retry"]
    world.vendor.members["1"].discard(merged)
    assert [a.outcome for a in world.open().look_up(delivery(), leaves)] == ["acknowledged"]


@pytest.mark.parametrize("stays", [True, False])
@pytest.mark.parametrize("how", ["renamed", "merged"])
def test_a_contact_that_bears_another_key_by_now_leaves_unless_that_one_stays_and_is_never_archived(
    world, how, stays
):
    brought(world, Batch(number=1, records=[upsert("ann")]))
    ann = world.vendor.contact("ann@example.com")
    if how == "merged":
        world.vendor.contacts["7"] = {"email": "bob@example.com"}
        world.vendor.merge("7", ann)
    else:
        world.vendor.contacts[ann]["email"] = "bob@example.com"
    leaves = Batch(
        number=2, records=[replace(removal("ann"), remote_id=ann, reason="gone")],
        who_stays=frozenset if stays else nobody,
    )  # fmt: skip
    before = [a.outcome for a in world.open().look_up(delivery(), leaves)]
    assert before == ["acknowledged" if stays else "retry"]

    found, _, _ = brought(world, leaves, world.open(gone="archive"))

    assert found == {"ann@example.com": "acknowledged"}
    assert list(world.state(delivery())) == (["bob@example.com"] if stays else [])
    assert world.vendor.archived == []


@pytest.mark.parametrize("reason", ["gone", "key_changed"])
def test_a_contact_of_somebody_who_stays_in_another_segment_is_never_archived(world, reason):
    brought(world, Batch(number=1, records=[upsert("ann"), upsert("bob")]))
    ids = {name: world.vendor.contact(f"{name}@example.com") for name in ("ann", "bob")}
    leaving = [replace(removal(n), remote_id=of, reason=reason) for n, of in ids.items()]
    leaves = Batch(
        number=2, records=leaving, who_stays_anywhere=lambda keys: {"ann@example.com"} & {*keys}
    )

    found, _, _ = brought(world, leaves, world.open(gone="archive"))

    assert set(found.values()) == {"acknowledged"}
    assert world.state(delivery()) == {}
    assert world.vendor.archived == [ids["bob"]]
    looked_up = world.open(gone="archive").look_up(delivery(), leaves)
    assert {each.outcome for each in looked_up} == {"acknowledged"}


@pytest.mark.fault("500 after applying")
@pytest.mark.parametrize("status", [500, 0])
def test_a_contact_is_archived_though_it_had_left_the_list_when_that_failed(world, status):
    brought(world, Batch(number=1, records=[upsert("ann"), upsert("bob")]))
    ann = world.vendor.contact("ann@example.com")
    leaving = [replace(removal("ann"), remote_id=ann, reason="gone"), removal("bob")]
    world.vendor.faults = [Fault(at="/archive", status=status)]

    found, _, _ = brought(
        world, Batch(number=2, records=leaving), world.open(gone="archive")
    )  # fmt: skip

    assert set(found.values()) == {"acknowledged"}
    assert world.vendor.archived == [ann]


def test_a_list_that_hubspot_fills_itself_is_refused(world):
    world.vendor.lists["7"] = {
        "name": "readers", "listId": "7", "listVersion": 1, "processingStatus": "COMPLETE",
        "objectTypeId": "0-1", "processingType": "DYNAMIC",
    }  # fmt: skip
    world.vendor.members["7"] = set()
    with pytest.raises(CallRefused, match="filled by HubSpot"):
        brought(world, Batch(number=1, records=[upsert("ann")]))
