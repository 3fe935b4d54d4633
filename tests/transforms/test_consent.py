"""Consent fails closed, and a no is never overheard."""

from datetime import timedelta

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.io.tables import local_frame
from goldenlake.transforms.consent import opted_out_keys, statements, with_consent
from support.gold import CONSENTS, CUSTOMERS, at, customer, grant

NOW = at("2024-06-01 00:00")
POLICY = ConsentPolicy.model_validate(
    {
        "purposes": {
            "marketing": {"description": "x", "expires_after": "365d"},
            "service": {"description": "x"},
        },
        "channels": ["email"],
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


def test_each_statement_counts_as_the_policy_says(spark):
    people = local_frame(
        spark, [customer(n, **more) for n, (_, more, _) in CASES.items()], CUSTOMERS
    )
    said = [grant(name, **one) for name, (stated, _, _) in CASES.items() for one in stated]
    told = statements(
        local_frame(spark, said, CONSENTS), POLICY, purpose="marketing", channel="email", at=NOW
    )
    found = {r["customer_id"]: r["consent"] for r in with_consent(people, told, POLICY).collect()}
    assert found == {name: wanted for name, (_, _, wanted) in CASES.items()}
    keys = {row["key"] for row in opted_out_keys(people, told, "email").collect()}
    assert keys == {
        f"{name}@example.com"
        for name, (_, _, wanted) in CASES.items()
        if wanted in ("withdrawn", "suppressed")
    }
