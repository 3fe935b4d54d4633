"""Meta's audiences hold exactly the people that were acknowledged."""

import hashlib
import json
from dataclasses import dataclass, replace

import pytest

from goldenlake.destinations import open_destination
from goldenlake.errors import CallUnfit, NotAuthorised
from goldenlake.ports import Batch
from support.activation import destination
from support.destinations import delivery, removal, unnoted, upsert
from support.vendors import TOKEN, Fault, Outside, serving
from support.vendors.contract import VendorContract, brought
from support.vendors.meta import Meta

NAMES = [
    *("ann", "bob", "cyd", "dan", "eve", "fay", "gus", "theirs", "ours"),
    *(f"{name}{at}" for name in ("ann", "bob", "p") for at in range(40)),
]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


KEYS = {digest(f"{name}@example.com"): f"{name}@example.com" for name in NAMES}
GIVEN = {digest(name): name.title() for name in NAMES}


@dataclass
class Account:
    vendor: Meta
    base_url: str

    def open(self, identifiers=None, **target):
        named = identifiers or {"given_name": "given_name"}
        declared = destination(
            fields=dict.fromkeys(named.values(), "email"),
            target={
                "kind": "meta", "connection": "meta", "audiences": {"readers": "555"},
                "identifiers": named, **target,
            },
        )  # fmt: skip
        return open_destination(declared, Outside(self.base_url, "meta"))

    def rows(self):
        return self.vendor.audiences["555"]

    def state(self, delivery):
        return {
            KEYS.get(row["EMAIL"], row["EMAIL"]): {"given_name": GIVEN.get(row.get("FN"))}
            for row in self.rows()
        }

    def people(self):
        return len(self.rows())

    def refuse(self, key):
        self.vendor.invalid.add(digest(key))


@pytest.fixture
def world():
    vendor = Meta()
    with serving(vendor) as base_url:
        yield Account(vendor, base_url)


class TestMeta(VendorContract):
    calls_in_the_longest_way = 2

    @pytest.fixture
    def world(self, world):
        return world


def test_columns_are_those_that_are_declared_hashed_by_metas_rules(world):
    named = {
        "phone": "phone", "given_name": "given_name", "family_name": "last", "city": "town",
        "postal_code": "zip", "country": "land",
    }  # fmt: skip
    record = upsert(
        "ann", phone="+49 30 123456", given_name="Анна-Мария", last="O'Neil", town="Bad Homburg",
        zip="94045-1234", land="DE",
    )  # fmt: skip
    world.open(named).send(delivery(), Batch(number=1, records=[record]), unnoted)
    assert world.rows() == [
        {
            "EMAIL": digest("ann@example.com"), "PHONE": digest("4930123456"),
            "FN": digest("аннамария"), "LN": digest("oneil"), "CT": digest("badhomburg"),
            "ZIP": digest("94045"), "COUNTRY": digest("de"),
        }
    ]  # fmt: skip
    for clear in ("@", "Анна", "Homburg", "orders", TOKEN):
        assert clear not in "".join(world.vendor.bodies)
    assert all("?" not in path for _, path, _ in world.vendor.calls)


def test_invalid_rows_are_found_by_halves_and_everybody_else_is_there(world):
    names = [f"p{at}" for at in range(33)]
    for name in ("p0", "p17", "p32"):
        world.refuse(f"{name}@example.com")
    found, _, _ = brought(world, Batch(number=1, records=list(map(upsert, names))))
    refused = {key for key, outcome in found.items() if outcome == "rejected"}
    assert refused == {"p0@example.com", "p17@example.com", "p32@example.com"}
    assert len(world.state(delivery())) == 30
    assert len(world.vendor.calls) < 40


def test_more_invalid_rows_than_can_be_searched_for_are_unknown_and_nobody_is_refused_wrongly(
    world, monkeypatch
):
    monkeypatch.setattr("goldenlake.destinations.meta._MOST_CALLS", 4)
    world.refuse("p7@example.com")
    batch = Batch(number=1, records=[upsert(f"p{at}") for at in range(16)])
    outcomes = {a.key: a.outcome for a in world.open().send(delivery(), batch, unnoted)}
    assert "rejected" not in outcomes.values()
    assert outcomes["p7@example.com"] == "unknown"
    assert set(outcomes.values()) == {"unknown", "acknowledged"}


def test_rows_that_were_not_received_are_not_acknowledged(world):
    world.vendor.lost = 1
    batch = Batch(number=1, records=[upsert("ann"), upsert("bob")])
    assert {a.outcome for a in world.open().send(delivery(), batch, unnoted)} == {"unknown"}


@pytest.mark.parametrize("code", [4, 17, 32, 613, 80003])
def test_a_throttle_in_metas_own_words_is_waited_for(world, code):
    body = {"error": {"message": "Too many calls", "code": code}}
    world.vendor.faults = [Fault(status=400, body=body)]
    found, slept, _ = brought(world, Batch(number=1, records=[upsert("ann")]))
    assert found == {"ann@example.com": "acknowledged"}
    assert len(slept) == 1


@pytest.mark.parametrize(
    ("code", "error"), [(100, CallUnfit), (190, NotAuthorised), (200, NotAuthorised)]
)
def test_a_refused_call_stops_the_export_instead_of_refusing_people(world, code, error):
    body = {"error": {"message": "ann@example.com", "code": code}}
    world.vendor.faults = [Fault(status=400, body=body, times=99)]
    with pytest.raises(error, match=str(code)) as raised:
        brought(world, Batch(number=1, records=[upsert("ann"), upsert("bob")]))
    assert len(world.vendor.calls) == 1
    assert "ann" not in str(raised.value)


def test_who_leaves_leaves_as_he_was_sent_before_too(world):
    kind = world.open({"phone": "phone"})
    [first] = kind.send(
        delivery(), Batch(number=1, records=[upsert("ann", phone="+4930123456")]), unnoted
    )
    leaving = replace(removal("ann"), remote_id=first.remote_id)
    kind.send(delivery(), Batch(number=2, records=[leaving]), unnoted)
    assert json.loads(world.vendor.bodies[-1])["payload"] == {
        "schema": ["EMAIL", "PHONE"],
        "data": [
            [digest("ann@example.com"), ""],
            [digest("ann@example.com"), digest("4930123456")],
        ],
    }


def test_who_leaves_after_a_phone_changed_leaves_by_the_old_one_too(world):
    kind = world.open({"phone": "phone"})
    remote_id, sent = None, ["+4930999999", "+4930123456"]
    for number in reversed(sent):
        record = replace(upsert("ann", phone=number), remote_id=remote_id)
        [answer] = kind.send(delivery(), Batch(number=1, records=[record]), unnoted)
        remote_id = answer.remote_id
    leaving = replace(removal("ann"), remote_id=remote_id)
    kind.send(delivery(), Batch(number=2, records=[leaving]), unnoted)
    told = json.loads(world.vendor.bodies[-1])["payload"]
    phones = ["", *(digest(number.removeprefix("+")) for number in sent)]
    assert told["data"] == [[digest("ann@example.com"), phone] for phone in phones]


def test_who_was_sent_under_a_key_of_another_kind_leaves_by_what_was_sent(world):
    kind = world.open({"phone": "phone"})
    [first] = kind.send(
        delivery(), Batch(number=1, records=[upsert("ann", phone="+4930123456")]), unnoted
    )
    leaving = replace(removal("ann"), remote_id=first.remote_id)
    kind = world.open(key_is="phone")
    [answer] = kind.send(delivery(), Batch(number=2, records=[leaving]), unnoted)
    assert (answer.outcome, answer.remote_id) == ("acknowledged", "[]")
    assert world.rows() == []


def test_what_may_have_been_sent_of_somebody_is_remembered_until_a_removal_is_answered(world):
    kind = world.open({"phone": "phone"})
    rows = [
        {"EMAIL": digest("ann@example.com"), "PHONE": digest(number)}
        for number in ("4930999999", "4930123456")
    ]
    record = replace(upsert("ann", phone="+4930999999"), remote_id=json.dumps(rows[1:]))
    known = kind.perhaps_sent(record)
    assert json.loads(known) == rows
    assert kind.perhaps_sent(replace(removal("ann"), remote_id=known)) == known


def test_a_batch_of_removals_has_no_more_rows_than_a_call_takes(world):
    kind = world.open({"phone": "phone"})
    rows = [{"PHONE": digest(number)} for number in ("4930999999", "4930123456")]
    names = [f"p{at}" for at in range(kind.capabilities.batch_records)]
    leaving = [replace(removal(name), remote_id=json.dumps(rows)) for name in names]
    kind.send(delivery(), Batch(number=1, records=leaving), unnoted)
    told = json.loads(world.vendor.bodies[-1])["payload"]
    assert len(told["data"]) == 3 * len(names)


def test_an_external_id_is_sent_as_it_is(world):
    record = replace(upsert("ann"), key="card-17")
    world.open(key_is="external_id").send(delivery(), Batch(number=1, records=[record]), unnoted)
    assert world.rows() == [{"EXTERN_ID": "card-17", "FN": digest("ann")}]


def test_no_two_calls_are_of_one_session(world):
    kind = world.open()
    for _ in range(2):
        kind.send(delivery(), Batch(number=1, records=[upsert("ann")]), unnoted)
    sessions = [json.loads(body)["session"]["session_id"] for body in world.vendor.bodies]
    assert len(set(sessions)) == 2
