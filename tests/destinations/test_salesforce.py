"""Salesforce holds exactly the members that were acknowledged."""

import json
from dataclasses import dataclass, replace

import pytest

from goldenlake.destinations import open_destination
from goldenlake.errors import CallUnfit
from goldenlake.ports import Batch, nobody
from support.activation import destination
from support.destinations import delivery, removal, unnoted, upsert
from support.vendors import Fault, Outside, serving
from support.vendors.contract import FAULTS, VendorContract, brought
from support.vendors.salesforce import DATA, Salesforce


@dataclass
class Account:
    vendor: Salesforce
    base_url: str
    bulk_from: int

    def open(self, **target):
        declared = destination(
            fields={"given_name": "given_name", "orders": "orders"},
            target={
                "kind": "salesforce", "connection": "crm", "external_id": "Golden_Key__c",
                "bulk_from": self.bulk_from, **target,
            },
        )  # fmt: skip
        return open_destination(declared, Outside(self.base_url, "salesforce"))

    def state(self, delivery):
        contacts = [self.vendor.contacts[m["ContactId"]] for m in self.vendor.members.values()]
        return {contact["Golden_Key__c"]: contact for contact in contacts}

    def people(self):
        return len(self.vendor.contacts)

    def refuse(self, key):
        self.vendor.refused[key] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"

    @property
    def campaign(self):
        [campaign] = self.vendor.campaigns
        return campaign


def account(bulk_from):
    vendor = Salesforce()
    with serving(vendor) as base_url:
        yield Account(vendor, base_url, bulk_from)


@pytest.fixture
def at_once():
    yield from account(1000)


@pytest.fixture
def by_job():
    yield from account(1)


class SalesforceContract(VendorContract):
    calls_in_the_longest_way = 2

    @pytest.mark.slow
    @pytest.mark.parametrize("fault", FAULTS)
    def test_whatever_goes_wrong_at_any_call_the_end_is_the_same(self, world, fault, monkeypatch):
        monkeypatch.setattr(self, "calls_in_the_longest_way", 13)
        self.test_whatever_goes_wrong_once_the_end_is_the_same(world, fault)


class TestAtOnce(SalesforceContract):
    @pytest.fixture
    def world(self, at_once, monkeypatch):
        monkeypatch.setattr("goldenlake.destinations.salesforce_org._PAGE", 3)
        return at_once


class TestByJob(SalesforceContract):
    @pytest.fixture
    def world(self, by_job):
        return by_job


def people(*names):
    return Batch(number=1, records=[upsert(name) for name in names])


def paths(world):
    return [path.removeprefix(DATA) for _, path, _ in world.vendor.calls]


def test_a_job_that_was_left_open_is_given_up_and_made_anew(by_job):
    by_job.vendor.faults = [Fault(at="/batches", status=0, is_applied=True)]
    found, _, noted = brought(by_job, people("ann", "bob"))
    assert set(found.values()) == {"acknowledged"}
    assert [job.state for job in by_job.vendor.jobs.values()] == ["Aborted", "JobComplete"]
    assert noted == list(by_job.vendor.jobs)


@pytest.mark.parametrize("slow", [0, 2])
def test_a_job_that_was_closed_before_a_crash_is_only_asked(by_job, slow):
    noted = []
    by_job.vendor.faults = [Fault(at="/jobs/ingest/7", status=500, skip=2, times=9)]
    found = by_job.open().send(delivery(), people("ann", "bob"), noted.append)
    assert {answer.outcome for answer in found} == {"pending"}
    by_job.vendor.faults, by_job.vendor.slow = [], slow
    found, slept, _ = brought(by_job, replace(people("ann", "bob"), job=noted[-1]))
    assert set(found.values()) == {"acknowledged"}
    assert len(slept) == slow
    assert len(by_job.vendor.jobs) == 1


def test_a_job_that_is_throttled_while_it_is_handed_in_is_given_up(by_job):
    by_job.vendor.faults = [Fault(at="/batches", status=429)]
    found, _, _ = brought(by_job, people("ann"))
    assert found == {"ann@example.com": "acknowledged"}
    assert [job.state for job in by_job.vendor.jobs.values()] == ["Aborted", "JobComplete"]


def test_a_job_that_failed_has_applied_some_and_the_others_are_sent_again(by_job):
    by_job.vendor.breaks_after = 1
    noted = []
    answers = by_job.open().send(delivery(), people("ann", "bob"), noted.append)
    outcomes = {answer.key: answer.outcome for answer in answers}
    assert outcomes == {"ann@example.com": "acknowledged", "bob@example.com": "retry"}
    by_job.vendor.breaks_after = None
    found, _, _ = brought(by_job, replace(people("ann", "bob"), job=noted[-1]))
    assert set(found.values()) == {"acknowledged"}
    again = list(by_job.vendor.jobs.values())[-1]
    assert [row["Golden_Key__c"] for row in again.done] == ["bob@example.com"]


def test_a_job_says_nothing_of_records_that_were_not_in_it(by_job):
    brought(by_job, people("bob"))
    noted = []
    by_job.open().send(delivery(), people("ann"), noted.append)
    found = by_job.open().look_up(delivery(), replace(people("ann", "bob"), job=noted[-1]))
    assert {answer.key for answer in found} == {"ann@example.com"}


@pytest.mark.parametrize("world", ["at_once", "by_job"])
def test_a_locked_row_is_tried_again(world, request):
    world = request.getfixturevalue(world)
    world.vendor.refused["ann@example.com"] = "UNABLE_TO_LOCK_ROW"
    answers = world.open().send(delivery(), people("ann", "bob"), unnoted)
    outcomes = {answer.key: (answer.outcome, answer.is_permanent) for answer in answers}
    assert outcomes["ann@example.com"] == ("retry", False)
    assert outcomes["bob@example.com"][0] == "acknowledged"


def test_a_table_leaves_alone_clears_and_quotes(by_job):
    strange = upsert("bob", given_name='O"Neil, jr\nПётр', orders=None)
    half = replace(upsert("ann"), fields={"orders": 2})
    by_job.open().send(delivery(), Batch(number=1, records=[half, strange]), unnoted)
    [job] = by_job.vendor.jobs.values()
    assert job.table == (
        "Golden_Key__c,orders,given_name\n"
        "ann@example.com,2,\n"
        'bob@example.com,#N/A,"O""Neil, jr\nПётр"\n'
    )


@pytest.mark.parametrize("world", ["at_once", "by_job"])
def test_a_contact_that_cannot_be_a_member_is_not_acknowledged(world, request):
    world = request.getfixturevalue(world)
    world.vendor.barred.add("ann@example.com")
    found, _, _ = brought(world, people("ann", "bob"))
    assert found == {"ann@example.com": "rejected", "bob@example.com": "acknowledged"}


def test_a_member_whom_somebody_else_added_stays(at_once):
    at_once.vendor._upserted({"Golden_Key__c": "ann@example.com"})
    [contact] = at_once.vendor.contacts
    at_once.vendor.join(at_once.campaign, contact, by="005000000000009AAA")
    found, _, _ = brought(at_once, people("ann"))
    assert found == {"ann@example.com": "acknowledged"}
    found, _, _ = brought(at_once, Batch(number=2, records=[removal("ann")]))
    assert found == {"ann@example.com": "acknowledged"}
    assert set(at_once.state(delivery())) == {"ann@example.com"}


def test_who_was_merged_into_another_contact_there_leaves_the_campaign_with_it(at_once):
    [answer] = at_once.open().send(delivery(), people("ann"), unnoted)
    for other in ("bob", "eve"):
        at_once.vendor._upserted({"Golden_Key__c": f"{other}@example.com"})
    ann, bob, eve = at_once.vendor.contacts
    at_once.vendor.merge(bob, ann)
    at_once.vendor.merge(eve, bob)
    assert set(at_once.state(delivery())) == {"eve@example.com"}
    leaving = Batch(number=2, records=[replace(removal("ann"), remote_id=answer.remote_id)])

    assert [a.outcome for a in at_once.open().look_up(delivery(), leaving)] == ["retry"]
    [answer] = at_once.open().send(delivery(), leaving, unnoted)

    assert answer.outcome == "acknowledged"
    assert at_once.state(delivery()) == {}


@pytest.mark.parametrize("stays", [True, False])
@pytest.mark.parametrize("how", ["renamed", "merged"])
def test_a_contact_that_bears_another_key_by_now_leaves_unless_that_one_stays(at_once, how, stays):
    [answer] = at_once.open().send(delivery(), people("ann"), unnoted)
    if how == "merged":
        at_once.vendor._upserted({"Golden_Key__c": "bob@example.com"})
        at_once.vendor.merge(list(at_once.vendor.contacts)[1], answer.remote_id)
    else:
        at_once.vendor.contacts[answer.remote_id]["Golden_Key__c"] = "bob@example.com"
    leaving = Batch(
        number=2, records=[replace(removal("ann"), remote_id=answer.remote_id)],
        who_stays=frozenset if stays else nobody,
    )  # fmt: skip
    before = [a.outcome for a in at_once.open().look_up(delivery(), leaving)]
    assert before == ["acknowledged" if stays else "retry"]

    found, _, _ = brought(at_once, leaving)

    assert found == {"ann@example.com": "acknowledged"}
    assert list(at_once.state(delivery())) == (["bob@example.com"] if stays else [])


def test_whoever_bears_the_key_leaves_even_where_the_contact_that_we_made_is_gone(at_once):
    [answer] = at_once.open().send(delivery(), people("ann"), unnoted)
    leaving = replace(removal("ann"), remote_id="003000000000999AAA")
    [answer] = at_once.open().send(delivery(), Batch(number=2, records=[leaving]), unnoted)
    assert answer.outcome == "acknowledged"
    assert at_once.state(delivery()) == {}


def test_a_deletion_that_did_not_happen_is_not_acknowledged(at_once, monkeypatch):
    [answer] = at_once.open().send(delivery(), people("ann"), unnoted)
    monkeypatch.setattr("goldenlake.destinations.salesforce_org.Org.delete", lambda *_: None)
    leaving = replace(removal("ann"), remote_id=answer.remote_id)
    [answer] = at_once.open().send(delivery(), Batch(number=2, records=[leaving]), unnoted)
    assert answer.outcome == "retry"


def test_keys_never_stand_in_an_address(at_once):
    name = "o'hara\\"
    brought(at_once, people(name, "bob"))
    brought(at_once, Batch(number=2, records=[removal(name)]))
    assert set(at_once.state(delivery())) == {"bob@example.com"}
    assert all("hara" not in path for _, path, _ in at_once.vendor.calls)


def test_more_than_two_hundred_go_in_parts(at_once):
    batch = people(*(f"p{at}" for at in range(450)))
    found, _, _ = brought(at_once, batch)
    assert set(found.values()) == {"acknowledged"}
    assert len(at_once.state(delivery())) == 450
    assert paths(at_once).count("/composite/sobjects/Contact/Golden_Key__c") == 3
    assert paths(at_once).count("/composite/batch") == 4


def test_a_quota_that_is_used_up_is_waited_for(at_once):
    body = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    at_once.vendor.faults = [Fault(status=403, body=body)]
    found, slept, _ = brought(at_once, people("ann"))
    assert (found, slept) == ({"ann@example.com": "acknowledged"}, [10.0])


def test_a_text_where_a_number_is_due_refuses_that_record_alone(at_once):
    batch = Batch(number=1, records=[upsert("ann", orders="many"), upsert("bob")])
    found, _, _ = brought(at_once, batch)
    assert found == {"ann@example.com": "rejected", "bob@example.com": "acknowledged"}


def test_a_field_that_the_org_does_not_have_stops_the_export(at_once):
    at_once.vendor.columns.discard("orders")
    with pytest.raises(CallUnfit, match="INVALID_FIELD"):
        brought(at_once, people("ann", "bob"))
    assert len(paths(at_once)) == 2


@pytest.mark.parametrize("names", [[], ["readers", "readers"]])
def test_a_campaign_that_is_not_there_or_not_alone_is_named(at_once, names):
    at_once.vendor.campaigns = {f"70100000000000{at}AAA": n for at, n in enumerate(names)}
    with pytest.raises(CallUnfit, match="called 'readers': make one"):
        brought(at_once, people("ann"))
    assert at_once.people() == 0


def test_a_campaign_is_made_where_it_is_declared(at_once):
    at_once.vendor.campaigns = {}
    kind = at_once.open(create_campaign=True, campaign="gl {segment}", member_status="Sent")
    found, _, _ = brought(at_once, people("ann"), kind)
    assert found == {"ann@example.com": "acknowledged"}
    assert list(at_once.vendor.campaigns.values()) == ["gl readers"]
    made = [json.loads(body) for body in at_once.vendor.bodies if 'CampaignMember"' in body]
    assert made[0]["records"][0]["Status"] == "Sent"
