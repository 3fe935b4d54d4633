"""Facts of made-up nights, for tests of the nightly page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from goldenlake.reporting.facts import (
    CampaignFacts,
    ExportFacts,
    GenerationFacts,
    NightFacts,
    SegmentFacts,
    SourceFacts,
    StepFacts,
)

DAY = date(2026, 1, 3)


def source(name: str, **others: Any) -> SourceFacts:
    """A source that brought a file without fault."""
    standard: dict[str, Any] = {
        "name": name,
        "system": "shops",
        "status": "done",
        "files": 1,
        "read": 1200,
        "accepted": 1200,
        "quarantined": 0,
        "reasons": {},
        "last_file_on": DAY,
        "is_overdue": False,
    }
    return SourceFacts(**(standard | others))


def step(name: str, subject: str = "", status: str = "done", **others: Any) -> StepFacts:
    """A step that took seven seconds."""
    return StepFacts(
        **({"step": name, "subject": subject, "status": status, "seconds": 7.0} | others)
    )


def campaign(
    segment: str,
    name: str,
    *,
    held_out: int = 0,
    lift: float | None = None,
    low: float | None = None,
    high: float | None = None,
    revenue: float | None = 40112.5,
) -> CampaignFacts:
    """Results of some four thousand people."""
    return CampaignFacts(
        segment=segment,
        campaign=name,
        until=date(2026, 1, 17),
        sent=3704,
        held_out=held_out,
        delivered=3650,
        opened=1204,
        clicked=311,
        converted=402,
        converted_held_out=29,
        revenue=revenue,
        lift=lift,
        lift_low=low,
        lift_high=high,
    )


def good_night() -> NightFacts:
    """A night on which all went well."""
    return NightFacts(
        as_of=DAY,
        written_at=datetime(2026, 1, 4, 2, 30, tzinfo=UTC),
        run_id="20260103-ab12cd34",
        generation=3,
        generation_as_of=DAY,
        sources=[
            source(
                "crm_contacts",
                system="crm",
                quarantined=17,
                accepted=1183,
                reasons={"email_is_valid": 12, "birth_on_not_in_future": 5},
            ),
            source("web_events", system="web", read=1234567, accepted=1234567, files=24),
        ],
        campaigns=[
            campaign("win_back", "spring_2026", held_out=412, lift=0.031, low=0.004, high=0.058),
            campaign("lapsing_buyers", "spring_2026", held_out=40, lift=0.01, low=-0.05, high=0.07),
            campaign("newsletter_readers", ""),
        ],
        published=GenerationFacts(
            identity={
                "records": 48210,
                "links": 51877,
                "customers": 21411,
                "known customers": 9876,
                "anonymous visitors": 11535,
                "links by email": 30210,
                "links by loyalty_card": 21667,
            },
            cluster_sizes=[
                ("1", 9120),
                ("2", 6000),
                ("3", 3311),
                ("4–5", 1800),
                ("6–10", 980),
                ("11–25", 190),
                ("26+", 10),
            ],
            events={"assigned": 212, "merged": 31, "split": 2},
            review={"too_many_records": 4, "traits_conflict": 19},
            stewards={
                "pairs that cannot be one person": 3,
                "uncertain pairs that wait for a decision": 41,
            },
            completeness=[
                ("email", 0.9961),
                ("given_name", 0.87),
                ("phone", 0.41),
                ("birth_on", 0.002),
            ],
        ),
        segments=[
            SegmentFacts(
                name="newsletter_readers",
                description="Those who opened a letter within 90 days.",
                members=4210,
                entered=112,
                exited=35,
                stayed=4098,
            ),
            SegmentFacts(
                name="lapsed_buyers",
                description="Bought once, and not for half a year.",
                members=1870,
                entered=0,
                exited=12,
                stayed=1870,
            ),
            SegmentFacts(
                name="abandoned_carts",
                description="Left a cart within three days.",
                members=312,
                entered=80,
                exited=64,
                stayed=232,
            ),
        ],
        overlaps={
            ("newsletter_readers", "lapsed_buyers"): 640,
            ("abandoned_carts", "newsletter_readers"): 204,
        },
        exports=[
            ExportFacts(
                name="letters",
                status="done",
                there=3980,
                counts={"sent": 140, "removed": 22, "rejected": 3, "unchanged": 3837},
                held_back={"no_consent": 188, "suppressed": 40},
            ),
        ],
        expectations=[
            {
                "table": "gold.customers",
                "rule": "unique_customer_id",
                "severity": "critical",
                "passed": True,
                "broken": 0,
                "reason": "One row a customer.",
            },
        ],
        data_docs="data_docs/2026-01-03/index.html",
        steps=[
            step("collect", "crm_contacts"),
            step("collect", "web_events", seconds=95.4),
            step("resolve"),
            step("golden"),
            step("publish"),
            step("segments"),
            step("activate", "letters"),
        ],
    )


def degraded_night() -> NightFacts:
    """One source is broken, one is late, and a rule warns."""
    night = good_night()
    error = (
        "erp_orders: orders/2026-01-03.csv: columns order_id, customer_no are missing. "
        "Mend the file or the contract in conf/sources/erp_orders.yml."
    )
    return replace(
        night,
        sources=[
            *night.sources,
            source(
                "erp_orders",
                system="erp",
                status="degraded",
                files=1,
                read=0,
                accepted=0,
                error=error,
            ),
            source(
                "loyalty_members",
                status="skipped",
                files=0,
                read=0,
                accepted=0,
                last_file_on=date(2025, 12, 28),
                is_overdue=True,
            ),
        ],
        expectations=[
            *night.expectations,
            {
                "table": "gold.purchases",
                "rule": "in_set_currency",
                "severity": "warning",
                "passed": False,
                "broken": 12,
                "reason": "Sums over unknown currencies mislead.",
            },
        ],
        warnings=["gold.purchases: in_set_currency: 12 rows break it. Sums mislead."],
        steps=[*night.steps, step("collect", "erp_orders", "degraded", error=error)],
    )


def held_night() -> NightFacts:
    """The audit refused the generation: no segments, no exports, yesterday's data."""
    return replace(
        good_night(),
        generation=2,
        generation_as_of=date(2026, 1, 2),
        segments=[],
        overlaps={},
        exports=[],
        expectations=[],
        steps=[
            step("resolve"),
            step(
                "publish",
                status="held",
                error="generation of 2026-01-03 is not published; "
                "readers keep the one before. 931 of 9876 customers (9.4%) would be merged "
                "into others; the limit is 5.0% (blast_radius.merged in conf/env). Most of it: "
                "c_a of 811 records.",
            ),
        ],
    )


def failed_night(error: str = "unexpected Py4JJavaError at tables.py:120") -> NightFacts:
    """A step failed with this text."""
    night = good_night()
    return replace(night, steps=[*night.steps[:2], step("resolve", status="failed", error=error)])


def empty_night() -> NightFacts:
    """Nothing was ever run."""
    return NightFacts(
        as_of=DAY,
        written_at=datetime(2026, 1, 4, 2, 30, tzinfo=UTC),
        run_id="r",
        generation=None,
        generation_as_of=None,
        sources=[],
        segments=[],
        exports=[],
        expectations=[],
        data_docs="",
        steps=[],
    )
