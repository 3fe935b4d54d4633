"""A category of a real Tryton holds exactly the parties that were acknowledged."""

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

import pytest
from pydantic import ValidationError

from goldenlake.destinations import open_destination
from goldenlake.destinations.tryton import _literally, _typed
from goldenlake.errors import CallRefused
from goldenlake.ports import Batch, nobody
from support.activation import destination
from support.destinations import delivery, removal, unnoted, upsert
from support.live import Tryton
from support.relay import Relay, Renamed, relaying
from support.vendors import Answer, Outside
from support.vendors.contract import VendorContract, brought

pytestmark = pytest.mark.live
NAMES = {"given_name": "name", "orders": "other"}


@dataclass
class Database:
    tryton: Tryton
    vendor: Relay
    base_url: str
    refused: set = field(default_factory=set)

    def open(self, names=NAMES, **target):
        declared = destination(
            fields={"name": "given_name"},
            target={"kind": "tryton", "connection": "tryton", **target},
        )
        return Renamed(open_destination(declared, Outside(f"{self.base_url}/crm", "tryton")), names)

    def state(self, delivery):
        found = self.tryton.members(delivery.segment)
        return {email: {"given_name": party["name"]} for email, party in found.items()}

    def people(self):
        return len(self.tryton.parties())

    def refuse(self, key):
        self.refused.add(key.encode())

    def judge(self, request):
        """Tryton itself takes whatever looks like text for an address."""
        content = request.get_data()
        is_about = any(key in content for key in self.refused)
        if is_about and not request.path.endswith("/search_read"):
            return Answer({"status": 400, "message": "is not valid", "description": ""}, 400)
        return None


@pytest.fixture
def world(tryton: Tryton):
    with relaying(tryton.base_url.removesuffix("/crm")) as (relay, base_url):
        found = Database(tryton, relay, base_url)
        relay.refuses = found.judge
        yield found


class TestTryton(VendorContract):
    calls_in_the_longest_way = 8

    @pytest.fixture
    def world(self, world):
        return world


def sent(world, *records, kind=None):
    kind = kind or world.open()
    answers = kind.send(delivery(), Batch(number=1, records=list(records)), unnoted)
    return {answer.key.partition("@")[0]: answer for answer in answers}


def contacts(party):
    return sorted((c["type"], c["value"], c["name"]) for c in party["contact_mechanisms"])


def test_a_field_that_a_party_has_not_is_named_before_anything_is_sent(world):
    kind = world.open({"given_name": "name", "orders": "orders"})
    with pytest.raises(CallRefused, match=r"Field 'orders' of party\.party is not there"):
        brought(world, Batch(number=1, records=[upsert("ann")]), kind)
    assert world.people() == 0


def test_a_field_that_is_no_plain_value_is_named(world):
    with pytest.raises(CallRefused, match=r"Field 'lang' of party\.party is a many2one"):
        sent(world, upsert("ann"), kind=world.open({"given_name": "lang"}))


def test_a_party_is_known_by_its_address_in_whatever_case_and_by_nothing_like_it(world):
    for value in ("A_B@Example.com", "axb@example.com"):
        made = {"type": "email", "value": value}
        world.tryton.call(
            "POST", "party.party", {"name": "x", "contact_mechanisms": [["create", [made]]]}
        )
    sent(world, upsert("a_b"))
    assert set(world.state(delivery())) == {"A_B@Example.com"}
    assert world.people() == 2


def test_the_party_that_we_know_by_its_id_stays_the_same_when_its_address_is_corrected(world):
    added = sent(world, upsert("ann"))["ann"]
    (party,) = world.tryton.parties()
    mechanism = next(c for c in party["contact_mechanisms"] if c["type"] == "email")
    world.tryton.call("PUT", f"party.contact_mechanism/{mechanism['id']}", {"value": "new@x.org"})
    sent(world, replace(upsert("ann", given_name="Anna"), remote_id=added.remote_id))
    (party,) = world.tryton.parties()
    assert party["name"] == "Anna"


@pytest.mark.parametrize("stays", [True, False])
def test_a_party_that_bears_another_address_by_now_leaves_unless_that_one_stays(world, stays):
    added = sent(world, upsert("ann"), upsert("eve"))["ann"]
    party = next(p for p in world.tryton.parties() if str(p["id"]) == added.remote_id)
    mechanism = next(c for c in party["contact_mechanisms"] if c["type"] == "email")
    corrected = {"value": "bob@example.com"}
    world.tryton.call("PUT", f"party.contact_mechanism/{mechanism['id']}", corrected)
    leaving = Batch(
        number=2, records=[replace(removal("ann"), remote_id=added.remote_id)],
        who_stays=frozenset if stays else nobody,
    )  # fmt: skip
    before = [a.outcome for a in world.open().look_up(delivery(), leaving)]
    assert before == ["acknowledged" if stays else "retry"]

    world.open().send(delivery(), leaving, unnoted)

    assert set(world.state(delivery())) == {
        "eve@example.com", *(["bob@example.com"] if stays else [])
    }  # fmt: skip


def test_whoever_bears_the_key_leaves_as_well_as_the_party_that_we_put_there(world):
    added = sent(world, upsert("ann"))["ann"]
    (party,) = world.tryton.parties()
    mechanism = next(c for c in party["contact_mechanisms"] if c["type"] == "email")
    world.tryton.call("PUT", f"party.contact_mechanism/{mechanism['id']}", {"value": "new@x.org"})
    sent(world, upsert("ann"))
    sent(world, replace(removal("ann"), remote_id=added.remote_id))
    assert world.state(delivery()) == {}


def test_contact_mechanisms_that_are_not_ours_stay(world):
    sent(world, upsert("ann", orders=1))
    (party,) = world.tryton.parties()
    theirs = {"type": "other", "value": "theirs"}
    world.tryton.call(
        "PUT", f"party.party/{party['id']}", {"contact_mechanisms": [["create", [theirs]]]}
    )
    for orders in (2, None):
        sent(world, upsert("ann", orders=orders))
        (party,) = world.tryton.parties()
        ours = [("other", "2", "goldenlake")] if orders else []
        key = ("email", "ann@example.com", "goldenlake")
        assert contacts(party) == [key, *ours, ("other", "theirs", None)]


def test_other_categories_stay(world):
    sent(world, upsert("ann"))
    (party,) = world.tryton.parties()
    world.tryton.call("POST", "party.category", {"name": "friends"})
    friends = next(
        each["id"] for each in world.tryton.call("GET", "party.category")
        if each["rec_name"] == "friends"
    )  # fmt: skip
    world.tryton.call("PUT", f"party.party/{party['id']}", {"categories": [["add", [friends]]]})
    sent(world, removal("ann"))
    (party,) = world.tryton.parties()
    assert [each["name"] for each in party["categories"]] == ["friends"]


def test_a_party_that_is_there_and_not_in_the_category_counts_as_not_sent(world):
    sent(world, upsert("ann"))
    kind = world.open()
    again = Batch(number=1, records=[upsert("ann")])
    leaving = Batch(number=2, records=[removal("ann")])
    assert [each.outcome for each in kind.look_up(delivery(), leaving)] == ["retry"]
    sent(world, removal("ann"))
    assert [each.outcome for each in kind.look_up(delivery(), again)] == ["retry"]
    assert [each.outcome for each in kind.look_up(delivery(), leaving)] == ["acknowledged"]


def test_parties_are_known_by_their_codes_where_it_is_declared(world):
    kind = world.open(key="code")
    sent(world, upsert("ann"), upsert("bob"), kind=kind)
    sent(world, upsert("ann", given_name="Anna"), kind=kind)
    found = {party["code"]: party["name"] for party in world.tryton.parties()}
    assert found == {"ann@example.com": "Anna", "bob@example.com": "Bob"}
    assert sorted(kind.members("readers")) == ["ann@example.com", "bob@example.com"]


def test_a_code_that_an_inactive_party_has_is_refused_in_trytons_words(world):
    kind = world.open(key="code")
    sent(world, upsert("ivy"), kind=kind)
    (party,) = world.tryton.parties()
    world.tryton.call("PUT", f"party.party/{party['id']}", {"active": False})
    found, _, _ = brought(world, Batch(number=1, records=[upsert("ivy"), upsert("bob")]), kind)
    assert found == {"ivy@example.com": "rejected", "bob@example.com": "acknowledged"}


def test_members_come_page_by_page(world, monkeypatch):
    monkeypatch.setattr("goldenlake.destinations.tryton._PAGE", 2)
    names = ["ann", "bob", "cyd", "dan"]
    sent(world, *map(upsert, names))
    assert list(world.open().members("readers")) == [f"{name}@example.com" for name in names]


def test_values_are_written_as_trytons_json_has_them():
    day = {"__class__": "date", "year": 2026, "month": 1, "day": 2}
    assert _typed("date", date(2026, 1, 2)) == day
    assert _typed("numeric", Decimal("1.50")) == {"__class__": "Decimal", "decimal": "1.50"}
    assert _typed("char", 7) == "7"
    assert _typed("integer", 7) == 7
    assert _literally("a_b%c") == r"a\_b\%c"


def test_the_key_is_no_field():
    with pytest.raises(ValidationError, match="fields names 'email', which is the key already"):
        destination(fields={"email": "email"}, target={"kind": "tryton", "connection": "tryton"})
