"""Who is meant when a person is asked for."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import pytest

from goldenlake.declarations.identity import Identifier, IdentityRules
from goldenlake.errors import CustomerUnknown, PersonAmbiguous, SetupError
from goldenlake.io.tables import DeltaTables
from goldenlake.steps.subjects import FindSubject, Subject
from support import gold
from support.bronze import ingested, source_of
from support.conforming import conform

DAY = date(2026, 3, 1)
RULES = IdentityRules(
    identifiers={
        "email": Identifier(description="email", strength="strong", unless_differ=["given_name"]),
        "phone": Identifier(description="phone", strength="weak", unless_differ=["given_name"]),
        "card": Identifier(description="card", strength="strong", personal="pseudonym"),
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


CRM = source_of(
    load="snapshot",
    key=["id"],
    columns=[
        {"name": "id", "required": True},
        {"name": "name", "normalise": "person_name", "personal": "contact"},
        {"name": "email", "normalise": "email", "personal": "contact"},
        {"name": "phone", "normalise": "phone", "personal": "contact"},
    ],
    identifiers={"email": "email", "phone": "phone"},
    attributes={"given_name": "name"},
)


def landed(lake: DeltaTables, day: date, *rows: tuple[str, str, str, str]) -> None:
    """What the CRM said of contacts on a day: id, name, address, number."""
    fields = ("id", "name", "email", "phone")
    ingested(
        lake, CRM, f"{day}.csv", [dict(zip(fields, row, strict=True)) for row in rows], file_on=day
    )


def find(lake: DeltaTables, *whom: str) -> Subject:
    return FindSubject(rules=RULES, sources=[CRM], regions=["GB"]).run(lake, whom)


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


def test_a_placeholder_is_nobodys_though_one_record_alone_bears_it(lake: DeltaTables) -> None:
    email = RULES.identifiers["email"].model_copy(
        update={"block": ["Ann@example.com"], "block_patterns": [r"bob@"]}
    )
    rules = RULES.model_copy(update={"identifiers": {**RULES.identifiers, "email": email}})
    step = FindSubject(rules=rules, sources=[], regions=[])
    found = step.run(lake, ["crm:1", "crm:2"])
    assert (found.people, found.contacts) == (2, ("+442071838750",))
    assert found.identifiers == (("card", "9911"), ("phone", "+442071838750"))


def test_an_address_that_nobody_has_stands_for_itself(lake: DeltaTables) -> None:
    found = find(lake, "email=Eve@example.com", "email=flo@example.com")

    assert (found.people, found.record_ids) == (2, ())
    assert "eve@example.com" in found.contacts


def test_what_names_nobody_is_an_error(lake: DeltaTables) -> None:
    with pytest.raises(CustomerUnknown):
        find(lake, "c_nobody")
    with pytest.raises(SetupError, match="card, email, phone"):
        find(lake, "mail=ann@example.com")


def test_names_that_were_kept_of_events_that_are_over_are_theirs(lake: DeltaTables) -> None:
    columns = [{"name": "email"}, {"name": "card"}]
    identifiers = {"email": "email", "card": "card"}
    calls = source_of(source="calls", load="append", columns=columns, identifiers=identifiers)
    rows = [{"email": "ann@example.com", "card": "7"}, {"email": "eve@example.com", "card": "8"}]
    conform(lake, calls, ingested(lake, calls, "calls.csv", rows))
    lake.overwrite("superseded.calls", lake.read("silver.calls"))
    for layer in ("bronze", "silver"):
        lake.overwrite(f"{layer}.calls", lake.read(f"{layer}.calls").limit(0))
    step = FindSubject(rules=RULES, sources=[CRM, calls], regions=["GB"])
    for way in ("c_ann", "card=7"):
        found = step.run(lake, [way])
        assert found.customer_ids == ("c_ann", "c_anna")
        assert ("card", "7") in found.identifiers
        assert ("card", "8") not in found.identifiers
        assert [each for each in found.record_ids if each.startswith("calls:")]


FLO = ("17", "Flo", "flo.old@example.com", "+442071838751")
LATER = date(2026, 3, 2)


def test_who_vanished_from_a_source_is_found_by_record_and_by_each_value_ever_borne(
    lake: DeltaTables,
) -> None:
    landed(lake, DAY, FLO)
    landed(lake, LATER, ("17", "Flo", "flo@example.com", "+442071838751"))

    for way in ("crm:17", "email=flo@example.com", "email=flo.old@example.com"):
        found = find(lake, way)

        assert (found.people, found.customer_ids, found.record_ids) == (1, (), ("crm:17",))
        assert found.contacts == ("+442071838751", "flo.old@example.com", "flo@example.com")
    with pytest.raises(CustomerUnknown):
        find(lake, "crm:18")


def test_who_vanished_is_found_by_the_customer_id_that_is_no_more(lake: DeltaTables) -> None:
    landed(lake, DAY, FLO)
    events = [("assigned", "crm:17", None), ("retired", None, None)]
    rows = [
        {"customer_id": "c_flo", "event": event, "record_id": of, "other_customer_id": other}
        for event, of, other in (*events, ("moved", "crm:2", "c_bob"), ("assigned", "crm:2", None))
    ]
    merged = {"customer_id": "c_flora", "event": "merged", "other_customer_id": "c_flo"}
    gold.publish(lake, LATER, {"identity.history": [*rows, merged]})

    for way in ("c_flo", "c_flora", "crm:17"):
        found = find(lake, way)

        assert (found.customer_ids, found.record_ids) == (("c_flo", "c_flora"), ("crm:17",))


def test_what_a_record_of_today_once_bore_is_theirs_where_nobody_else_ever_bore_it(
    lake: DeltaTables,
) -> None:
    landed(
        lake,
        DAY,
        ("1", "Ann", "ann.old@example.com", "+442071838752"),
        # Somebody typed Bob's address into her record, and her number into his.
        ("2", "Bob", "bob@example.com", "+442071838752"),
    )
    landed(lake, LATER, ("1", "Ann", "bob@example.com", "+442071838750"))

    found = find(lake, "email=ann.old@example.com")

    assert found.customer_ids == ("c_ann", "c_anna")
    assert found.contacts == ("ann.old@example.com", "ann@example.com")
    assert found.passed_on == ("c_bob",)
    with pytest.raises(PersonAmbiguous, match="c_ann, c_bob"):
        find(lake, "phone=+442071838752")


def test_a_record_that_vanished_belongs_to_whom_it_would_if_it_stood(lake: DeltaTables) -> None:
    landed(
        lake,
        DAY,
        ("9", "Ann", "ann@example.com", "+442071838759"),
        ("8", "Tom", "tom@example.com", "+442071838759"),
        ("7", "Tim", "ann@example.com", "+442071838757"),
    )
    landed(lake, LATER, ("7", "Tim", "tim@example.com", "+442071838757"))

    for way in ("crm:9", "c_ann"):
        found = find(lake, way)

        assert found.record_ids == ("crm:1", "crm:9", "shop:1")
        # The number was that of two who are gone.
        assert found.contacts == ("ann@example.com",)
    assert find(lake, "crm:8").contacts == ("tom@example.com",)
    assert find(lake, "crm:7").contacts == ("+442071838757", "tim@example.com")
    with pytest.raises(PersonAmbiguous, match="2 records that vanished") as raised:
        find(lake, "phone=+442071838759")
    assert "crm:" not in str(raised.value)


@pytest.mark.parametrize(("strength", "is_hers"), [("weak", False), ("strong", True)])
def test_a_record_that_would_be_somebody_elses_as_well_is_nobodys_to_take_along(
    lake: DeltaTables, strength: Literal["weak", "strong"], is_hers: bool
) -> None:
    number = "+442071838753"
    people = [record("crm:1", email="ann@example.com", phone=number)]
    people.append(record("crm:2", email="bob@example.com"))
    gold.publish(lake, LATER, {"identity.records": people})
    # What Bob said, under her number, was set aside; and so was what somebody said under it alone.
    landed(lake, DAY, ("17", "", "bob@example.com", number), ("18", "", "", number))
    phone = RULES.identifiers["phone"].model_copy(update={"strength": strength})
    rules = RULES.model_copy(update={"identifiers": {**RULES.identifiers, "phone": phone}})

    found = FindSubject(rules=rules, sources=[CRM], regions=["GB"]).run(lake, ["c_ann"])

    assert found.record_ids == ("crm:1", "crm:18", "shop:1")
    assert (number in found.contacts) is is_hers


def test_a_number_that_people_often_share_makes_nobody_of_today_out_of_who_vanished(
    lake: DeltaTables,
) -> None:
    landed(lake, DAY, ("17", "", "flo@example.com", "+442071838750"))

    found = find(lake, "crm:17")

    assert (found.customer_ids, found.contacts) == ((), ("flo@example.com",))
