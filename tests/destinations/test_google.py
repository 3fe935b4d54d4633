"""Google's audiences hold exactly the members that were acknowledged."""

import hashlib
import json
from dataclasses import dataclass, replace

import pytest

from goldenlake.destinations import open_destination
from goldenlake.errors import CallUnfit, SetupError
from goldenlake.ports import Batch
from support.activation import destination
from support.destinations import delivery, removal, unnoted, upsert
from support.vendors import Fault, Outside, serving
from support.vendors.contract import VendorContract, brought
from support.vendors.google import Google

NAMES = [
    *("ann", "bob", "cyd", "dan", "eve", "fay", "gus", "theirs", "ours"),
    *(f"{name}{at}" for name in ("ann", "bob", "p") for at in range(10)),
]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def email(name):
    return {"emailAddress": digest(f"{name}@example.com")}


OLD = "+4930123456"


def phone(number):
    return {"phoneNumber": digest(number)}


KEYS = {json.dumps(email(name)): f"{name}@example.com" for name in NAMES}


@dataclass
class Account:
    vendor: Google
    base_url: str

    def open(self, fields=(), **target):
        declared = destination(
            fields=dict.fromkeys(fields, "email"),
            target={
                "kind": "google", "connection": "google", "account": "123",
                "audiences": {"readers": "777"}, "identifiers": {name: name for name in fields},
                **target,
            },
        )  # fmt: skip
        return open_destination(declared, Outside(self.base_url, "google"))

    def members(self):
        return [[json.loads(each) for each in known] for known in self.vendor.audiences["777"]]

    def state(self, delivery):
        return {
            KEYS.get(each, each): {}
            for known in self.vendor.audiences["777"]
            for each in known
            if "emailAddress" in each
        }

    def people(self):
        return len(self.vendor.audiences["777"])

    def refuse(self, key):
        self.vendor.malformed.add(digest(key))


@pytest.fixture
def world():
    vendor = Google()
    with serving(vendor) as base_url:
        yield Account(vendor, base_url)


class TestGoogle(VendorContract):
    calls_in_the_longest_way = 3

    @pytest.fixture
    def world(self, world):
        return world

    def test_a_missing_value_overwrites_nothing_and_a_cleared_one_does(self, world):
        """An audience has no values: identifiers that were sent once stay until the removal."""
        kind = world.open(["phone"])
        kind.send(
            delivery(), Batch(number=1, records=[upsert("ann", phone="+4930123456")]), unnoted
        )
        kind.send(delivery(), Batch(number=1, records=[upsert("ann", phone=None)]), unnoted)
        [member] = world.members()
        assert phone("+4930123456") in member


def ask(world, name, kind, **fields):
    batch = Batch(number=1, records=[upsert(name, **fields)])
    [answer] = kind.send(delivery(), batch, unnoted)
    return answer


def test_only_declared_identifiers_leave_hashed_and_an_address_only_whole(world):
    address = {
        "given_name": "Анна", "family_name": "O'Neil", "region": "de", "postal_code": "10115",
    }  # fmt: skip
    kind = world.open(list(address))
    ask(world, "ann", kind, **address)
    ask(world, "bob", kind, **{**address, "family_name": None})
    whole = {
        "address": {
            "givenName": digest("анна"), "familyName": digest("oneil"), "regionCode": "DE",
            "postalCode": "10115",
        }
    }  # fmt: skip
    ann, bob = world.members()
    assert sorted(ann, key=str) == sorted([email("ann"), whole], key=str)
    assert bob == [email("bob")]
    for clear in ("@", "ann", "Анна", "orders"):
        assert clear not in "".join(world.vendor.bodies)


def test_who_leaves_leaves_by_every_identifier_that_was_ever_sent(world):
    kind = world.open(["phone"])
    first = ask(world, "ann", kind, phone="+4930123456")
    changed = replace(upsert("ann", phone="+4930999999"), remote_id=first.remote_id)
    [second] = kind.send(delivery(), Batch(number=1, records=[changed]), unnoted)
    leaving = replace(removal("ann"), remote_id=second.remote_id)
    [last] = kind.send(delivery(), Batch(number=2, records=[leaving]), unnoted)
    sent = json.loads(world.vendor.bodies[-2])["audienceMembers"][0]["userData"]["userIdentifiers"]
    assert sent == [email("ann"), phone("+4930999999"), phone("+4930123456")]
    again = replace(upsert("ann"), remote_id=last.remote_id)
    [back] = kind.send(delivery(), Batch(number=3, records=[again]), unnoted)
    assert json.loads(back.remote_id) == [email("ann")]


def test_a_phone_that_changed_together_with_the_key_leaves_as_well(world):
    kind = world.open(["phone"])
    first = ask(world, "ann", kind, phone=OLD)
    leaving = replace(removal("ann"), remote_id=first.remote_id, reason="key_changed")
    kind.send(delivery(), Batch(number=2, records=[leaving]), unnoted)
    sent = json.loads(world.vendor.bodies[-2])["audienceMembers"][0]["userData"]["userIdentifiers"]
    assert sent == [email("ann"), phone(OLD)]


def test_who_was_sent_under_a_key_of_another_kind_leaves_by_what_was_sent(world):
    first = ask(world, "ann", world.open(["phone"]), phone=OLD)
    leaving = replace(removal("ann"), remote_id=first.remote_id)
    kind = world.open(key_is="phone")
    [answer] = kind.send(delivery(), Batch(number=2, records=[leaving]), unnoted)
    assert (answer.outcome, answer.remote_id) == ("acknowledged", "[]")
    assert world.members() == []


def test_what_may_have_been_sent_of_somebody_is_remembered_until_a_removal_is_answered(world):
    kind = world.open(["phone"])
    record = replace(upsert("ann", phone=OLD), remote_id=json.dumps([phone("+4930999999")]))
    known = kind.perhaps_sent(record)
    assert json.loads(known) == [email("ann"), phone(OLD), phone("+4930999999")]
    leaving = replace(removal("ann"), remote_id=known)
    assert kind.perhaps_sent(leaving) == known


def test_a_request_that_is_processed_is_waited_for_and_not_made_again(world):
    world.vendor.slow = 3
    found, slept, noted = brought(world, Batch(number=1, records=[upsert("ann")]))
    assert set(found.values()) == {"acknowledged"}
    assert slept == [300.0, 300.0, 300.0]
    assert len(noted) == len(world.vendor.requests) == 1


def test_a_later_process_asks_about_the_request_of_the_one_that_died(world):
    noted = []
    records = [upsert("ann"), upsert("bob")]
    world.open().send(delivery(), Batch(number=1, records=records), noted.append)
    found, _, _ = brought(world, Batch(number=1, records=records, job=noted[-1]))
    assert set(found.values()) == {"acknowledged"}
    assert len(world.vendor.requests) == 1


def test_a_request_for_others_settles_nobody(world):
    noted = []
    world.open().send(delivery(), Batch(number=1, records=[upsert("ann")]), noted.append)
    both = Batch(number=1, records=[upsert("ann"), upsert("bob")], job=noted[-1])
    assert world.open().look_up(delivery(), both) is None
    found, _, _ = brought(world, both)
    assert set(found.values()) == {"acknowledged"}
    assert set(world.state(delivery())) == {"ann@example.com", "bob@example.com"}


def test_a_status_that_does_not_answer_makes_no_second_request(world):
    world.vendor.faults = [Fault(at="requestStatus", status=429, headers={"Retry-After": "1"})]
    found, _, _ = brought(world, Batch(number=1, records=[upsert("ann")]))
    assert found == {"ann@example.com": "acknowledged"}
    assert len(world.vendor.requests) == 1


def test_a_request_that_failed_is_made_again(world):
    world.vendor.outcomes = ["FAILED"]
    found, _, noted = brought(world, Batch(number=1, records=[upsert("ann")]))
    assert found == {"ann@example.com": "acknowledged"}
    assert len(noted) == 2


def test_a_request_that_succeeded_for_some_acknowledges_nobody(world):
    world.vendor.outcomes = ["PARTIAL_SUCCESS"] * 9
    found, _, _ = brought(world, Batch(number=1, records=[upsert("ann"), upsert("bob")]))
    assert set(found.values()) == {"unknown"}


def test_an_audience_that_does_not_exist_stops_the_export_instead_of_refusing_people(world):
    kind = world.open(audiences={"readers": "778"})
    with pytest.raises(CallUnfit, match="INVALID_DESTINATION"):
        brought(world, Batch(number=1, records=[upsert("ann"), upsert("bob")]), kind)
    assert len(world.vendor.calls) == 1


def test_a_segment_without_an_audience_is_named(world):
    with pytest.raises(SetupError, match="segment 'others' has no audience"):
        world.open().send(
            delivery(segment="others"), Batch(number=1, records=[upsert("ann")]), unnoted
        )


def test_a_key_that_is_no_address_is_refused_here_and_its_removal_is_done(world):
    strange = [replace(upsert("ann"), key="no address"), upsert("bob")]
    found, _, _ = brought(world, Batch(number=1, records=strange))
    assert found == {"no address": "rejected", "bob@example.com": "acknowledged"}
    gone = [replace(removal("ann"), key="no address")]
    found, _, _ = brought(world, Batch(number=2, records=gone))
    assert found == {"no address": "acknowledged"}


def test_consent_and_terms_are_told_as_they_are_declared(world):
    declared = {
        "ad_user_data": "granted", "ad_personalization": "denied",
        "accepts_customer_match_terms": True, "login_account": "9",
    }  # fmt: skip
    ask(world, "ann", world.open(**declared))
    told = json.loads(world.vendor.bodies[0])
    assert told["consent"] == {
        "adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_DENIED",
    }  # fmt: skip
    assert told["termsOfService"] == {"customerMatchTermsOfServiceStatus": "ACCEPTED"}
    assert told["destinations"][0]["loginAccount"]["accountId"] == "9"
