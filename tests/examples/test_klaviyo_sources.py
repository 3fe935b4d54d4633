"""What is declared for Klaviyo brings in who is suppressed, and what became of messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from goldenlake.transforms.golden_consents import statements_of
from goldenlake.transforms.golden_interactions import interactions_of
from support.pulling import Nights, columns_read, example, in_silver
from support.vendors import published
from support.vendors.klaviyo_records import KlaviyoRecords

AUTH = {"kind": "header", "prefix": "Klaviyo-API-Key ", "value": {"env": "GOLDENLAKE_TEST_TOKEN"}}
MEANINGS = {
    "UNSUBSCRIBE": "withdrawn", "SPAM_COMPLAINT": "suppressed", "HARD_BOUNCE": "suppressed",
    "INVALID_EMAIL": "suppressed", "USER_SUPPRESSED": "withdrawn",
}  # fmt: skip


def on(day: int) -> str:
    return f"2026-02-{day:02}T08:00:00+00:00"


def nights_of(name: str, vendor: KlaviyoRecords, folder: Path) -> Nights:
    return Nights(example(name), vendor, folder, "klaviyo", AUTH)


@pytest.fixture
def account() -> KlaviyoRecords:
    vendor = KlaviyoRecords()
    for number, reason in enumerate(MEANINGS):
        vendor.emails[f"P{number}"] = f"p{number}@example.com"
        vendor.suppressions[f"P{number}"] = [{"reason": reason, "timestamp": on(1 + number)}]
    return vendor


def test_suppressions_come_page_by_page_and_the_next_night_those_since(
    account: KlaviyoRecords, tmp_path: Path
) -> None:
    nights = nights_of("klaviyo_suppressions", account, tmp_path)
    first = nights.night()
    assert [(each["email"], each["reason"]) for each in first] == [
        (f"p{number}@example.com", reason) for number, reason in enumerate(MEANINGS)
    ]
    assert columns_read(nights.source) <= set(first[0])
    account.emails["P9"] = None
    account.suppressions["P9"] = [{"reason": "HARD_BOUNCE", "timestamp": on(7)}]
    assert [each["id"] for each in nights.night()] == ["P3", "P4", "P9"], "a day of overlap"


def test_a_profile_that_unsubscribed_and_bounced_later_is_told_of_with_both(
    account: KlaviyoRecords, tmp_path: Path
) -> None:
    nights = nights_of("klaviyo_suppressions", account, tmp_path)
    nights.night()
    account.suppressions["P0"].insert(0, {"reason": "HARD_BOUNCE", "timestamp": on(9)})
    found = [each for each in nights.night() if each["id"] == "P0"]
    assert {(each["reason"], each["suppressed_at"]) for each in found} == {
        ("UNSUBSCRIBE", on(1)), ("HARD_BOUNCE", on(9)),
    }  # fmt: skip


def test_every_reason_of_the_specification_is_known_and_only_our_own_states_nothing() -> None:
    source = example("klaviyo_suppressions")
    (known,) = reasons(published("klaviyo/profiles.json"))
    (rule,) = source.rules
    assert known == set(MEANINGS) == set(rule.values)
    (consent,) = source.consents
    assert consent.statuses == {word: ours for word, ours in MEANINGS.items() if ours}


def reasons(told: Any) -> Iterator[set[str]]:
    """The words for reasons of suppression, where a specification lists them; each once."""
    found = {frozenset(each) for each in _enums(told) if "SPAM_COMPLAINT" in each}
    yield from map(set, found)


def _enums(told: Any) -> Iterator[list[str]]:
    if isinstance(told, list):
        for each in told:
            yield from _enums(each)
    elif isinstance(told, dict):
        if isinstance(told.get("enum"), list):
            yield told["enum"]
        for each in told.values():
            yield from _enums(each)


def test_reasons_withdraw_or_suppress(
    account: KlaviyoRecords, tmp_path: Path, spark: SparkSession
) -> None:
    source = example("klaviyo_suppressions")
    found = nights_of("klaviyo_suppressions", account, tmp_path).night()
    said = statements_of(in_silver(spark, source, found), source).collect()
    assert {each.record_id: (each.channel, each.status) for each in said} == {
        f"r{number}": ("email", ours) for number, ours in enumerate(MEANINGS.values()) if ours
    }


def test_events_come_with_the_metric_and_the_address_that_stand_beside_them(
    account: KlaviyoRecords, tmp_path: Path
) -> None:
    for day in range(1, 6):
        account.events[f"E{day}"] = (on(day), "Opened Email", f"P{day % 2}")
    nights = nights_of("klaviyo_events", account, tmp_path)
    first = nights.night()
    assert [(each["id"], each["email"], each["metric"], each["message"]) for each in first] == [
        (f"E{day}", f"p{day % 2}@example.com", "Opened Email", "01SPRING") for day in range(1, 6)
    ]
    assert columns_read(nights.source) <= set(first[0])
    account.events["E6"] = (on(6), "Clicked Email", "P1")
    assert [each["id"] for each in nights.night()] == ["E4", "E5", "E6"], "a day of overlap"


def test_events_of_mail_are_told_in_our_words_and_those_of_the_shop_are_left_out(
    account: KlaviyoRecords, tmp_path: Path, spark: SparkSession
) -> None:
    ours = {
        "Received Email": "delivered", "Opened Email": "open", "Clicked Email": "click",
        "Bounced Email": "bounce", "Marked Email as Spam": "complaint",
        "Unsubscribed from Email Marketing": "unsubscribe",
    }  # fmt: skip
    for number, metric in enumerate([*ours, "Placed Order"]):
        account.events[f"E{number}"] = (on(1 + number), metric, "P0")
    source = example("klaviyo_events")
    silver = in_silver(spark, source, nights_of("klaviyo_events", account, tmp_path).night())
    told = interactions_of(silver, source).orderBy("at").collect()
    assert [each.kind for each in told] == list(ours.values())
    assert {(each.channel, each.item) for each in told} == {("email", "01SPRING")}
