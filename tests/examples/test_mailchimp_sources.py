"""What is declared for Mailchimp brings in who left it, and counts of its campaigns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from goldenlake.transforms.golden_consents import statements_of
from goldenlake.transforms.golden_interactions import interactions_of
from support.pulling import Nights, columns_read, example, in_silver
from support.vendors import published
from support.vendors.mailchimp_records import MailchimpRecords

AUTH = {"kind": "basic", "user": "goldenlake", "password": {"env": "GOLDENLAKE_TEST_TOKEN"}}
STATUS = {"mailchimp_unsubscribes": "unsubscribed", "mailchimp_cleaned": "cleaned"}


def on(day: int) -> str:
    return f"2026-02-{day:02}T08:00:00+00:00"


def nights_of(name: str, vendor: MailchimpRecords, folder: Path) -> Nights:
    return Nights(example(name), vendor, folder, "mailchimp", AUTH)


def emails(found: list[dict[str, Any]]) -> list[str]:
    return [each["email_address"] for each in found]


@pytest.fixture
def audience() -> MailchimpRecords:
    vendor = MailchimpRecords()
    for status in ("unsubscribed", "cleaned", "subscribed"):
        for day in range(1, 6):
            vendor.people[f"{status}{day}@example.com"] = (status, on(day), on(day))
    return vendor


@pytest.mark.parametrize("name", STATUS)
def test_who_left_comes_page_by_page_and_the_next_night_who_left_since(
    name: str, audience: MailchimpRecords, tmp_path: Path
) -> None:
    status, nights = STATUS[name], nights_of(name, audience, tmp_path)
    first = nights.night()
    assert emails(first) == [f"{status}{day}@example.com" for day in range(1, 6)]
    assert columns_read(nights.source) <= set(first[0])
    assert set(first[0]) == {"email_address", "status", "last_changed"}, "nothing else is asked for"
    audience.people["new@example.com"] = (status, on(6), on(6))
    second = emails(nights.night())
    assert second == [f"{status}5@example.com", "new@example.com"], (
        "what is newer than a day before"
    )


def test_an_old_refusal_is_not_stated_again_when_another_field_of_its_member_changes(
    audience: MailchimpRecords, tmp_path: Path
) -> None:
    nights = nights_of("mailchimp_unsubscribes", audience, tmp_path)
    nights.night()
    audience.people["unsubscribed1@example.com"] = ("unsubscribed", on(1), on(9))
    assert "unsubscribed1@example.com" not in emails(nights.night())


def test_a_campaign_comes_again_with_its_newer_counts_for_thirty_days(tmp_path: Path) -> None:
    vendor = MailchimpRecords()
    for name, sent in [("old", "2026-01-01"), ("recent", "2026-02-10"), ("last", "2026-02-20")]:
        vendor.reports[name] = report(name, f"{sent}T08:00:00+00:00", opens=1)
    nights = nights_of("mailchimp_reports", vendor, tmp_path)
    first = nights.night()
    assert [each["id"] for each in first] == ["old", "recent", "last"]
    assert columns_read(nights.source) <= set(first[0])
    counts = ("unique_opens", "unique_clicks", "clicked_by", "hard_bounces", "soft_bounces")
    assert [first[0][name] for name in counts] == [1, 7, 5, 2, 3]
    vendor.reports["recent"]["opens"]["unique_opens"] = 9
    second = nights.night()
    assert [(each["id"], each["unique_opens"]) for each in second] == [("recent", 9), ("last", 1)]


def report(name: str, sent: str, *, opens: int) -> dict[str, Any]:
    return {
        "id": name, "campaign_title": f"The {name} one", "type": "regular", "list_id": "a1b2c3d4e5",
        "list_name": "Readers", "subject_line": "News", "send_time": sent, "emails_sent": 100,
        "unsubscribed": 4, "abuse_reports": 1,
        "opens": {"opens_total": 80, "unique_opens": opens, "open_rate": 0.1},
        "clicks": {"clicks_total": 20, "unique_clicks": 7, "unique_subscriber_clicks": 5},
        "bounces": {"hard_bounces": 2, "soft_bounces": 3, "syntax_errors": 0},
    }  # fmt: skip


def test_reports_name_no_person() -> None:
    source = example("mailchimp_reports")
    assert not source.identifiers
    assert {each.personal for each in source.columns} == {"none"}


@pytest.mark.parametrize("name", STATUS)
def test_statuses_are_words_of_the_specification(name: str) -> None:
    members = published("mailchimp/lists_3.0.json")["paths"]["/lists/{list_id}/members"]["get"]
    (known,) = (
        each["schema"]["enum"] for each in members["parameters"] if each["name"] == "status"
    )
    (consent,) = example(name).consents
    assert set(consent.statuses) == {STATUS[name]} <= set(known)


def test_who_unsubscribed_withdraws_and_an_address_that_was_given_up_is_suppressed(
    audience: MailchimpRecords, tmp_path: Path, spark: SparkSession
) -> None:
    told = set()
    for name in STATUS:
        source = example(name)
        silver = in_silver(spark, source, nights_of(name, audience, tmp_path / name).night())
        said, did = statements_of(silver, source), interactions_of(silver, source)
        told |= {(name, each.channel, each.status) for each in said.collect()}
        told |= {(name, each.channel, each.kind) for each in did.collect()}
        assert said.count() == did.count() == 5
    assert told == {
        ("mailchimp_unsubscribes", "email", "withdrawn"),
        ("mailchimp_unsubscribes", "email", "unsubscribe"),
        ("mailchimp_cleaned", "email", "suppressed"),
        ("mailchimp_cleaned", "email", "bounce"),
    }
