"""Who is meant when a person is asked for."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from goldenlake.declarations.identity import Identifier, IdentityRules
from goldenlake.errors import CustomerUnknown, PersonAmbiguous, SetupError
from goldenlake.io.tables import DeltaTables
from goldenlake.steps.subjects import FindSubject, Subject
from support import gold

DAY = date(2026, 3, 1)
RULES = IdentityRules(
    identifiers={
        name: Identifier(description=name, strength="strong", personal=personal)
        for name, personal in (("email", "contact"), ("phone", "contact"), ("card", "pseudonym"))
    }
)


def record(record_id: str, **identifiers: str) -> dict[str, Any]:
    pairs = [{"name": name, "value": value} for name, value in identifiers.items()]
    return {"record_id": record_id, "source": "crm", "identifiers": pairs, "is_active": True}


@pytest.fixture
def lake(tables: DeltaTables) -> DeltaTables:
    """Ann, who was two customers once, and Bob share a phone."""
    gold.publish(
        tables,
        DAY,
        {
            "identity.records": [
                record("crm:1", email="ann@example.com", phone="+442071838750"),
                record("shop:1", card="9911", email="ann@example.com"),
                record("crm:2", email="bob@example.com", phone="+442071838750"),
            ],
            "identity.customers": [
                {"record_id": "crm:1", "customer_id": "c_ann"},
                {"record_id": "shop:1", "customer_id": "c_ann"},
                {"record_id": "crm:2", "customer_id": "c_bob"},
            ],
            "identity.history": [
                {"customer_id": "c_anna", "event": "merged", "other_customer_id": "c_ann"}
            ],
        },
    )
    return tables


def find(lake: DeltaTables, *whom: str) -> Subject:
    return FindSubject(rules=RULES, regions=["GB"]).run(lake, whom)


def test_a_person_is_all_records_all_ids_and_what_nobody_else_has(lake: DeltaTables) -> None:
    ways = ["c_ann", "c_anna", "shop:1", "email= Ann@Example.com", "card=9911"]

    for found in (find(lake, way) for way in ways):
        assert found.people == 1
        assert found.customer_ids == ("c_ann", "c_anna")
        assert found.record_ids == ("crm:1", "shop:1")
        # The phone is Bob's, too.
        assert found.identifiers == (("card", "9911"), ("email", "ann@example.com"))
        assert found.contacts == ("ann@example.com",)
        assert Subject.from_json(found.to_json()) == found


def test_who_is_asked_for_with_everybody_who_shares_it_has_it_alone(lake: DeltaTables) -> None:
    found = find(lake, "c_ann", "c_bob")

    assert found.people == 2
    assert ("phone", "+442071838750") in found.identifiers


def test_a_value_of_several_customers_names_nobody_and_is_not_told(lake: DeltaTables) -> None:
    with pytest.raises(PersonAmbiguous, match="c_ann, c_bob") as raised:
        find(lake, "phone=020 7183 8750")

    assert "7183" not in str(raised.value)


def test_an_address_that_nobody_has_stands_for_itself(lake: DeltaTables) -> None:
    found = find(lake, "email=Eve@example.com", "email=flo@example.com")

    assert (found.people, found.record_ids) == (2, ())
    assert "eve@example.com" in found.contacts


def test_what_names_nobody_is_an_error(lake: DeltaTables) -> None:
    with pytest.raises(CustomerUnknown):
        find(lake, "c_nobody")
    with pytest.raises(SetupError, match="card, email, phone"):
        find(lake, "mail=ann@example.com")
