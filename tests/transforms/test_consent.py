"""Consent fails closed, and a no is never overheard."""

from datetime import timedelta
from functools import reduce

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.io.tables import local_frame
from goldenlake.steps.plan import EPOCH
from goldenlake.transforms.consent import (
    opted_out_values,
    statements,
    told_values,
    with_consent,
)
from support.gold import CONSENTS, CUSTOMERS, at, customer, grant

NOW = at("2024-06-01 00:00")
POLICY = ConsentPolicy.model_validate(
    {
        "purposes": {
            "marketing": {"description": "x", "expires_after": "365d"},
            "service": {"description": "x"},
        },
        "channels": {"email": {}},
        "jurisdictions": {"US": "granted", "DE": "denied"},
    }
)

early, late = at("2024-01-01 00:00"), at("2024-02-01 00:00")

CASES = {
    "said_nothing": ([], {}, "no_consent"),
    "granted": ([{}], {}, "granted"),
    "granted_any_channel": ([{"channel": "any"}], {}, "granted"),
    "another_purpose": ([{"purpose": "service"}], {}, "no_consent"),
    "another_channel": ([{"channel": "sms"}], {}, "no_consent"),
    "withdrew_later": (
        [{}, {"channel": "any", "status": "withdrawn", "stated_at": late}],
        {},
        "withdrawn",
    ),
    "granted_later": (
        [{"status": "withdrawn"}, {"channel": "any", "stated_at": late}],
        {},
        "granted",
    ),
    "both_at_once": ([{"channel": "any"}, {"status": "withdrawn"}], {}, "withdrawn"),
    "no_without_a_date": (
        [{}, {"channel": "any", "status": "withdrawn", "stated_at": None}],
        {},
        "withdrawn",
    ),
    "yes_without_a_date": ([{"stated_at": None}], {}, "expired"),
    "suppressed_then_granted": (
        [{"status": "suppressed"}, {"channel": "any", "stated_at": late}],
        {},
        "suppressed",
    ),
    "suppressed_for_all": (
        [{}, {"purpose": "any", "channel": "any", "status": "suppressed"}],
        {},
        "suppressed",
    ),
    "expired": ([{"expires_at": NOW}], {}, "expired"),
    "not_yet_expired": ([{"expires_at": NOW + timedelta(seconds=1)}], {}, "granted"),
    "granted_long_ago": ([{"stated_at": NOW - timedelta(days=365)}], {}, "expired"),
    "granted_not_so_long_ago": ([{"stated_at": NOW - timedelta(days=364)}], {}, "granted"),
    "granted_in_the_future": (
        [{"stated_at": at("2099-01-01 00:00")}],
        {"country": "US"},
        "no_consent",
    ),
    "unintelligible": ([{"status": "perhaps"}], {"country": "US"}, "no_consent"),
    "perhaps_a_no": ([{}, {"status": "unclear", "stated_at": late}], {}, "no_consent"),
    "a_yes_after_what_may_be_a_no": ([{"status": "unclear"}, {"stated_at": late}], {}, "granted"),
    "silent_where_that_is_a_yes": ([], {"country": "us "}, "granted"),
    "silent_where_that_is_a_no": ([], {"country": "DE"}, "no_consent"),
    "silent_elsewhere": ([], {"country": "FR"}, "no_consent"),
    "silent_in_two_places": (
        [{"purpose": "service", "jurisdiction": "DE"}],
        {"country": "US"},
        "no_consent",
    ),
    "a_no_where_silence_is_a_yes": ([{"status": "withdrawn"}], {"country": "US"}, "withdrawn"),
}


@pytest.fixture(scope="module")
def people(spark):
    known = [customer(name, **more) for name, (_, more, _) in CASES.items()]
    return local_frame(spark, known, CUSTOMERS)


def told_at(spark, instant):
    said = [grant(name, **one) for name, (stated, _, _) in CASES.items() for one in stated]
    consents = local_frame(spark, said, CONSENTS)
    return statements(consents, POLICY, purpose="marketing", channel="email", at=instant)


def test_each_statement_counts_as_the_policy_says(spark, people):
    told = told_at(spark, NOW)
    found = {r["customer_id"]: r["consent"] for r in with_consent(people, told, POLICY).collect()}
    assert found == {name: wanted for name, (_, _, wanted) in CASES.items()}
    values = opted_out_values(told_values(people, ["email", "phone"]), told).collect()
    assert {tuple(row) for row in values} == {
        ("email", f"{name}@example.com")
        for name, (_, _, wanted) in CASES.items()
        if wanted in ("withdrawn", "suppressed") or name == "perhaps_a_no"
    }


def test_a_verdict_changes_by_time_alone_at_its_until_and_not_before(spark):
    turns = [
        NOW + timedelta(seconds=1),
        NOW + timedelta(days=1),
        early + timedelta(days=365),
        late + timedelta(days=365),
        at("2099-01-01 00:00"),
    ]
    instants = [
        NOW,
        *(turn + nudge for turn in turns for nudge in (-timedelta(microseconds=1), timedelta())),
    ]
    rows = reduce(
        DataFrame.union,
        (
            told_at(spark, t).select("customer_id", "stated", F.lit(n).alias("n"))
            for n, t in enumerate(instants)
        ),
    ).collect()
    stated = {(row["customer_id"], row["n"]): row["stated"] for row in rows}
    untils = (
        told_at(spark, NOW).select("customer_id", F.unix_micros("until").alias("until")).collect()
    )
    assert {row["customer_id"] for row in untils if row["until"]} >= {"granted", "not_yet_expired"}
    for name, until in untils:
        changed = [t for n, t in enumerate(instants) if stated[name, n] != stated[name, 0]]
        first = (min(changed) - EPOCH) // timedelta(microseconds=1) if changed else None
        if stated[name, 0] == "granted":
            assert until == first
        elif first is not None:
            assert until is not None
            assert until <= first
