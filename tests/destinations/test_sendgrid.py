"""SendGrid's lists hold exactly the members that were acknowledged."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pytest

from goldenlake.destinations import open_destination
from goldenlake.errors import CallRefused, HostRefused
from goldenlake.ports import Batch
from support.activation import destination
from support.destinations import delivery, removal, settled, unnoted, upsert
from support.vendors import Fault, Outside, serving
from support.vendors.contract import OneBadAddress, VendorContract, WorksInJobs, brought
from support.vendors.sendgrid import ErrorFiles, Sendgrid

SUPPRESSING = delivery(mode="suppress", schema={})


@dataclass
class Account:
    vendor: Sendgrid
    base_url: str
    hosts: list

    def open(self, **target):
        declared = destination(
            fields={"given_name": "given_name", "orders": "orders"},
            target={"kind": "sendgrid", "connection": "sendgrid", **target},
        )
        return open_destination(declared, Outside(self.base_url, "sendgrid", {"hosts": self.hosts}))

    def state(self, delivery):
        self.vendor.work()
        list_id = self.vendor.lists.get(delivery.segment)
        return {
            contact["email"]: contact | contact["custom_fields"]
            for contact in self.vendor.contacts.values()
            if list_id in contact["list_ids"]
        }

    def people(self):
        return len(self.vendor.contacts)

    def refuse(self, key):
        self.vendor.refused.add(key)


@pytest.fixture
def world():
    files = ErrorFiles()
    with serving(files) as files_url:
        vendor = Sendgrid(files, files_url)
        with serving(vendor) as base_url:
            yield Account(vendor, base_url, [files_url.removeprefix("http://")])
    assert not files.violations


def _batch(*records, job=None):
    return Batch(number=1, records=records, job=job)


class TestSendgrid(OneBadAddress, WorksInJobs, VendorContract):
    @pytest.fixture
    def world(self, world):
        return world

    def begun(self, world):
        return [method for method, _, _ in world.vendor.calls].count("PUT")

    def test_each_half_of_a_refused_batch_has_a_job_of_its_own(self, world):
        wrong = replace(upsert("ann"), key="no address")
        _, _, noted = brought(world, _batch(wrong, *map(upsert, ("ann", "bob", "cyd", "dan"))))
        assert len(noted) > 1


def test_an_address_that_is_none_is_in_no_list_and_its_neighbours_are_found(world):
    brought(world, _batch(upsert("ann")))
    wrong = replace(removal("bob"), key="no address")
    found, _, _ = brought(world, _batch(removal("ann"), wrong))
    assert set(found.values()) == {"acknowledged"}
    assert world.state(delivery()) == {}


def test_a_contact_that_a_job_left_out_of_the_list_is_sent_again(world):
    noted = []
    kind = world.open()
    kind.send(delivery(), _batch(upsert("ann")), noted.append)
    world.vendor.work()
    for contact in world.vendor.contacts.values():
        contact["list_ids"] = []
    answers = kind.look_up(delivery(), _batch(upsert("ann"), job=noted[-1]))
    assert [a.outcome for a in answers] == ["retry"]


def test_a_removal_is_not_acknowledged_before_it_is_done(world):
    kind = world.open()
    settled(kind, delivery(), _batch(upsert("ann")))
    noted = []
    answers = kind.send(delivery(), _batch(removal("ann"), removal("bob")), noted.append)
    assert {a.key: a.outcome for a in answers} == {
        "ann@example.com": "pending", "bob@example.com": "acknowledged",
    }  # fmt: skip
    answers = kind.look_up(delivery(), _batch(removal("ann"), job=noted[-1]))
    assert [a.outcome for a in answers] == ["pending"]


@pytest.mark.fault("429 with Retry-After")
def test_a_throttle_in_the_middle_of_a_search_does_not_begin_it_anew(world, monkeypatch):
    monkeypatch.setattr("goldenlake.destinations.sendgrid._MOST_ASKED", 1)
    world.vendor.faults = [
        Fault(at="/search/", status=429, headers={"Retry-After": "7"}, skip=at) for at in (2, 2)
    ]
    found, slept, _ = brought(world, _batch(*map(upsert, ("ann", "bob", "cyd", "dan"))))
    assert set(found.values()) == {"acknowledged"}
    assert slept.count(7.0) == 2
    searches = [path for _, path, _ in world.vendor.calls if "/search/" in path]
    assert len(searches) == 4 + 2


def test_what_was_found_is_looked_for_again_by_the_next_look_up(world):
    batch = _batch(upsert("ann"))
    assert [a.outcome for a in world.open().look_up(delivery(), batch)] == ["retry"]
    brought(world, batch)
    assert [a.outcome for a in world.open().look_up(delivery(), batch)] == ["acknowledged"]


def test_a_job_that_is_forgotten_tells_nothing_and_values_are_compared(world):
    world.vendor.forgets_jobs = True
    found, _, _ = brought(world, _batch(upsert("ann")))
    assert found == {"ann@example.com": "unknown"}
    world.vendor.work()
    found, _, _ = brought(world, _batch(upsert("ann"), job="another"))
    assert found == {"ann@example.com": "acknowledged"}


def test_a_file_of_errors_on_a_host_that_is_not_declared_is_not_fetched(world):
    world.hosts = []
    world.refuse("bob@example.com")
    with pytest.raises(HostRefused):
        brought(world, _batch(upsert("ann"), upsert("bob")))
    assert world.vendor.files.calls == []


def test_where_the_file_of_errors_is_gone_nobody_is_vouched_for(world):
    brought(world, _batch(upsert("bob", orders=1)))
    world.vendor.files.is_gone = True
    world.refuse("bob@example.com")
    found, _, _ = brought(world, _batch(upsert("ann"), upsert("bob", orders=2)))
    assert found == {"ann@example.com": "acknowledged", "bob@example.com": "unknown"}


def test_values_go_as_their_fields_take_them(world):
    world.vendor.fields |= {"spent": ("e3_N", "Number"), "born": ("e4_D", "Date")}
    fields = {"first_name": "Ann", "spent": Decimal("12.50"), "born": date(1990, 5, 31)}
    there = delivery(schema=dict.fromkeys(fields, "string"))
    record = replace(upsert("ann"), fields=fields)
    kind = world.open()
    assert [a.outcome for a in settled(kind, there, _batch(record))] == ["acknowledged"]
    held = world.state(there)["ann@example.com"]
    assert {name: held[name] for name in fields} == {
        "first_name": "Ann", "spent": 12.5, "born": "1990-05-31T00:00:00Z",
    }  # fmt: skip
    answers = world.open().look_up(there, _batch(record))
    assert [a.outcome for a in answers] == ["acknowledged"]


def test_a_field_that_is_not_there_stops_the_export_before_anything_is_sent(world):
    del world.vendor.fields["orders"]
    with pytest.raises(CallRefused, match="'orders'"):
        brought(world, _batch(upsert("ann")))
    assert world.people() == 0


def test_a_field_that_sendgrid_alone_writes_stops_the_export_before_anything_is_sent(world):
    kind = world.open(create_fields=True)
    there = delivery(schema={"last_clicked": "date"})
    for _ in range(2):
        with pytest.raises(CallRefused, match="'last_clicked' is written by SendGrid alone"):
            settled(kind, there, _batch(upsert("ann")))
    assert world.people() == 0


def test_fields_of_the_mapping_are_made_where_they_are_declared_to_be(world):
    del world.vendor.fields["orders"]
    kind = world.open(create_fields=True)
    found, _, _ = brought(world, _batch(upsert("ann")), kind)
    assert found == {"ann@example.com": "acknowledged"}
    assert world.vendor.fields["orders"][1] == "Number"


def test_a_list_on_a_later_page_is_found_and_not_made_again(world):
    world.vendor.lists = {f"list {at}": f"{at:036}" for at in range(5)} | {"readers": "r" * 36}
    world.vendor.lists["readers"] = "00000000-0000-0000-0000-0000000000ff"
    brought(world, _batch(upsert("ann")))
    assert world.state(delivery())
    assert not any(call[:2] == ("POST", "/v3/marketing/lists") for call in world.vendor.calls)


def test_suppressing_adds_to_the_group_alone(world):
    kind = world.open(unsubscribe_group=7)
    brought(world, _batch(upsert("ann")))
    answers = kind.send(SUPPRESSING, _batch(replace(upsert("ann"), fields={})), unnoted)
    assert [a.outcome for a in answers] == ["acknowledged"]
    assert world.vendor.groups == {"7": {"ann@example.com"}}
    assert world.vendor.suppressed_everywhere == set()
    assert set(world.state(delivery())) == {"ann@example.com"}


def test_a_suppression_whose_reply_was_lost_is_looked_up(world):
    kind = world.open(unsubscribe_group=7)
    batch = _batch(replace(upsert("ann"), fields={}), replace(upsert("bob"), fields={}))
    world.vendor.groups["7"].add("bob@example.com")
    answers = kind.look_up(SUPPRESSING, batch)
    assert [a.outcome for a in answers] == ["retry", "acknowledged"]


def test_a_group_that_is_gone_suppresses_nobody_for_all_mail(world):
    world.vendor.groups.clear()
    kind = world.open(unsubscribe_group=7)
    with pytest.raises(CallRefused, match="all mail"):
        kind.send(SUPPRESSING, _batch(replace(upsert("ann"), fields={})), unnoted)
    assert world.vendor.suppressed_everywhere == set()


def test_a_suppression_is_never_lifted(world):
    world.vendor.groups["7"].add("ann@example.com")
    kind = world.open(unsubscribe_group=7)
    answers = kind.send(SUPPRESSING, _batch(removal("ann")), unnoted)
    assert [(a.outcome, a.is_permanent) for a in answers] == [("rejected", True)]
    assert world.vendor.groups == {"7": {"ann@example.com"}}
    assert world.vendor.calls == []


def test_without_a_group_there_is_no_suppressing(world):
    assert "suppress" not in world.open().capabilities.modes
    assert "suppress" in world.open(unsubscribe_group=7).capabilities.modes
