"""What is declared for Salesforce brings in what changed there, and says what it means."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from goldenlake.declarations.pulls import ApiOrigin
from goldenlake.errors import CallRefused
from goldenlake.io.pulls import Newest, pulled
from goldenlake.transforms.golden_consents import statements_of
from goldenlake.transforms.golden_interactions import interactions_of
from support.pulling import Nights, columns_read, example, in_silver
from support.vendors import Fault, Outside, serving
from support.vendors.salesforce_records import FIELDS, SalesforceRecords

KINDS = {
    "salesforce_contacts": "Contact", "salesforce_accounts": "Account",
    "salesforce_opportunities": "Opportunity", "salesforce_cases": "Case",
}  # fmt: skip
REQUIRED = {
    "Contact": {"HasOptedOutOfEmail": False, "DoNotCall": False},
    "Account": {},
    "Opportunity": {"IsClosed": False, "IsWon": False},
    "Case": {"IsClosed": False, "CreatedDate": "2026-01-01T00:00:00.000+0000"},
}


@pytest.fixture
def org() -> SalesforceRecords:
    return SalesforceRecords()


def at(hour: int) -> str:
    return f"2026-02-01T{hour:02}:30:00.000+0000"


@pytest.mark.parametrize("name", KINDS)
def test_records_come_page_by_page_and_the_next_night_from_the_newest_on(
    name: str, org: SalesforceRecords, tmp_path: Path
) -> None:
    kind, source = KINDS[name], example(name)
    made = [org.add(kind, number, at(number), **REQUIRED[kind]) for number in range(5)]
    nights = Nights(source, org, tmp_path, "salesforce")
    first = nights.night()
    assert [each["Id"] for each in first] == made
    assert columns_read(source) <= set(first[0])
    org.add(kind, 1, at(9), **REQUIRED[kind])
    second = nights.night()
    assert [each["Id"] for each in second] == [made[3], made[4], made[1]], "the overlap of an hour"
    assert [each["Id"] for each in nights.night()] == [made[1]], "asked from the new one on"


def test_a_field_that_the_org_does_not_have_stops_the_source_with_its_name(
    org: SalesforceRecords, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(FIELDS["Contact"], "DoNotCall")
    with pytest.raises(CallRefused, match="400"):
        Nights(example("salesforce_contacts"), org, tmp_path, "salesforce").night()


def test_an_org_that_wants_no_more_calls_for_now_is_waited_for_though_it_says_so_in_its_own_words(
    org: SalesforceRecords,
) -> None:
    source, slept = example("salesforce_contacts"), []
    assert isinstance(source.origin, ApiOrigin)
    made = org.add("Contact", 1, at(1), **REQUIRED["Contact"])
    told = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    org.faults = [Fault(status=403, body=told)]
    with serving(org) as base_url:
        api = Outside(base_url, "salesforce").api("crm")
        found = pulled(
            api,
            source.origin,
            since=None,
            newest=Newest("x", source.origin),
            as_of=date(2026, 3, 1),
            sleep=slept.append,
        )
        assert [each["Id"] for each in found] == [made]
    assert slept == [10.0]


def test_the_primary_contact_of_an_opportunity_is_found_among_its_roles(
    org: SalesforceRecords, tmp_path: Path
) -> None:
    ann, bob = org.add("Contact", 8, at(1)), org.add("Contact", 9, at(1))
    with_two = org.add("Opportunity", 1, at(1), **REQUIRED["Opportunity"])
    org.add("Opportunity", 2, at(2), **REQUIRED["Opportunity"])
    org.contacts_of[with_two] = [(ann, False), (bob, True)]
    found = Nights(example("salesforce_opportunities"), org, tmp_path, "salesforce").night()
    assert [each["contact_id"] for each in found] == [bob, None]


def test_a_box_that_refuses_is_a_truth_and_the_one_that_is_ticked_withdraws() -> None:
    consents = example("salesforce_contacts").consents
    assert [each.statuses for each in consents] == [{"true": "withdrawn"}] * 2
    source = example("salesforce_contacts")
    for each in consents:
        column = source.column(str(each.status))
        assert FIELDS["Contact"][str(column.source)] == {"type": "boolean"}


def test_contacts_who_opted_out_withdraw_and_the_others_state_nothing(
    org: SalesforceRecords, tmp_path: Path, spark: SparkSession
) -> None:
    for number, (email, call) in enumerate([(True, False), (False, False), (True, True)]):
        person = {"Email": f"p{number}@example.com", "LastName": "Q", "MailingCountry": "Germany"}
        org.add("Contact", number, at(number), **person, HasOptedOutOfEmail=email, DoNotCall=call)
    source = example("salesforce_contacts")
    silver = in_silver(spark, source, Nights(source, org, tmp_path, "salesforce").night())
    said = statements_of(silver, source).select("record_id", "purpose", "channel", "status")
    assert sorted(map(tuple, said.collect())) == [
        ("r0", "marketing", "email", "withdrawn"),
        ("r2", "marketing", "email", "withdrawn"),
        ("r2", "marketing", "phone", "withdrawn"),
    ]
    assert {each.country for each in silver.select("country").collect()} == {"DE"}


def test_opportunities_are_deals_that_are_open_won_or_lost_and_cases_are_tickets(
    org: SalesforceRecords, tmp_path: Path, spark: SparkSession
) -> None:
    for number, (closed, won) in enumerate([(False, False), (True, True), (True, False)]):
        deal = {"Name": "Lamps", "StageName": "Some", "Amount": 30.1}
        org.add("Opportunity", number, at(number), **deal, IsClosed=closed, IsWon=won)
    opened = "2026-01-02T03:04:05.000+0000"
    org.add("Case", 1, at(1), Priority="High", Status="Done", IsClosed=True, CreatedDate=opened)
    told = {}
    for name in ("salesforce_opportunities", "salesforce_cases"):
        source = example(name)
        nights = Nights(source, org, tmp_path / name, "salesforce")
        silver = in_silver(spark, source, nights.night())
        told[name] = interactions_of(silver, source).orderBy("record_id").collect()
    deals, (ticket,) = told["salesforce_opportunities"], told["salesforce_cases"]
    assert [(each.kind, each.properties["stage"], each.value) for each in deals] == [
        ("deal", "open", 30.1), ("deal", "won", 30.1), ("deal", "lost", 30.1),
    ]  # fmt: skip
    assert (ticket.kind, ticket.item, ticket.properties["status"]) == ("ticket", "High", "solved")
    assert ticket["at"].isoformat() == "2026-01-02T03:04:05"
