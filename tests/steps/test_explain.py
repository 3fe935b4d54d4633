"""One customer explained: from an old id or a record id, to all that was decided about them."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.table import TableColumn
from goldenlake.errors import CustomerUnknown, TableMissing
from goldenlake.reporting.explanations import explanation_text
from goldenlake.schemas import SILVER_COLUMNS
from goldenlake.steps.explain import Explain
from support.frames import Frames
from support.landed import source

DAY, BEFORE = date(2026, 1, 3), date(2026, 1, 2)
NOON = datetime(2026, 1, 3, 12, tzinfo=UTC)
WON = "MAP<STRING, STRUCT<record_id: STRING, source: STRING, observed_at: TIMESTAMP>>"
GOLD = {
    "gold.customers": f"customer_id STRING, email STRING, phone STRING, provenance {WON}",
    "gold.sources": "customer_id STRING, record_id STRING, source STRING, assigned_on DATE",
    "gold.identifiers": "customer_id STRING, identifier STRING, value STRING, is_linking BOOLEAN",
    "gold.consents": (
        "customer_id STRING, purpose STRING, channel STRING, status STRING, stated_at TIMESTAMP"
    ),
    "gold.metrics": "customer_id STRING, orders BIGINT, revenue DOUBLE",
}
PINNED = ["identity.customers", "identity.history", "identity.edges", *GOLD]
ROWS: dict[str, list[dict[str, Any]]] = {
    "ops.publications": [
        {"generation": 7, "as_of": DAY, "tables": dict.fromkeys(PINNED, 1), "inputs": {}}
    ],
    "identity.customers": [
        {"record_id": "crm:1", "customer_id": "c_ann"},
        {"record_id": "shop:9", "customer_id": "c_ann"},
        {"record_id": "crm:2", "customer_id": "c_bob"},
    ],
    "identity.edges": [
        {"left_record": "crm:1", "right_record": "shop:9", "identifier": "email",
         "strength": "strong", "rule": "same email", "linked_on": DAY},
    ],
    "identity.history": [
        {"customer_id": "c_old", "event": "merged", "other_customer_id": "c_mid", "as_of": BEFORE,
         "generation": 6},
        {"customer_id": "c_mid", "event": "merged", "other_customer_id": "c_ann", "as_of": DAY,
         "generation": 7},
        {"customer_id": "c_bob", "event": "assigned", "record_id": "crm:2", "as_of": DAY,
         "generation": 7},
    ],
    "gold.customers": [
        {"customer_id": "c_ann", "email": "ann@example.com",
         "provenance": {"email": ("shop:9", "shop", NOON), "phone": ("crm:1", "crm", NOON)}},
    ],
    "gold.sources": [
        {"customer_id": "c_ann", "record_id": "shop:9", "source": "shop", "assigned_on": DAY},
        {"customer_id": "c_ann", "record_id": "crm:1", "source": "crm", "assigned_on": BEFORE},
    ],
    "gold.identifiers": [
        {"customer_id": "c_ann", "identifier": "email", "value": "ann@example.com",
         "is_linking": True},
        {"customer_id": "c_ann", "identifier": "phone", "value": "[/b]0000", "is_linking": False},
    ],
    "gold.consents": [
        {"customer_id": "c_ann", "purpose": "marketing", "channel": "email",
         "status": "withdrawn", "stated_at": NOON},
    ],
    "gold.metrics": [{"customer_id": "c_ann", "orders": 4}],
    "segments.sizes": [
        {"segment": "readers", "as_of": DAY}, {"segment": "buyers", "as_of": DAY},
        {"segment": "sleepers", "as_of": DAY},
    ],
    "segments.changes": [
        {"segment": "readers", "as_of": DAY, "customer_id": "c_ann", "change": "entered"},
        {"segment": "buyers", "as_of": BEFORE, "customer_id": "c_ann", "change": "stayed"},
        {"segment": "buyers", "as_of": DAY, "customer_id": "c_ann", "change": "exited"},
        {"segment": "sleepers", "as_of": DAY, "customer_id": "c_bob", "change": "entered"},
    ],
    "activation.ledger": [
        {"destination": "letters", "segment": "buyers", "customer_id": "c_ann", "key": "k",
         "state": "absent", "outcome": "acknowledged", "delivery": "d_1",
         "acknowledged_on": DAY},
        {"destination": "calls", "segment": "buyers", "customer_id": "c_mid", "key": "k",
         "state": "present", "outcome": "acknowledged", "delivery": "d_0",
         "acknowledged_on": BEFORE},
    ],
    "activation.held_back": [
        {"destination": "letters", "segment": "readers", "customer_id": "c_ann",
         "reason": "withdrawn", "as_of": DAY},
    ],
    "activation.rejects": [
        {"destination": "ads", "segment": "readers", "customer_id": "c_ann",
         "reason": "address refused", "rejected_on": DAY},
        {"destination": "ads", "segment": "buyers", "customer_id": "c_old",
         "reason": "unknown there", "rejected_on": BEFORE},
        {"destination": "ads", "segment": "buyers", "customer_id": "c_bob",
         "reason": "of somebody else", "rejected_on": BEFORE},
    ],
}  # fmt: skip


@pytest.fixture
def frames(spark: SparkSession) -> Any:
    return Frames(spark, ROWS, GOLD)


def told(found: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=200, no_color=True).print(explanation_text(found))
    return out.getvalue()


def test_who_share_a_value_are_tied_by_it_though_its_first_bearer_is_another_customer(
    spark: SparkSession,
) -> None:
    star = {"identifier": "email", "link_key": "k", "strength": "strong", "rule": "same email"}
    rows = ROWS | {
        "identity.customers": [
            *ROWS["identity.customers"],
            *[{"record_id": f"crm:{at}", "customer_id": "c_cleo"} for at in (3, 4)],
        ],
        "identity.edges": [
            {"left_record": "crm:2", "right_record": "crm:3", **star},
            {"left_record": "crm:2", "right_record": "crm:4", **star},
            {"left_record": "crm:2", "right_record": "crm:4", "identifier": "steward",
             "link_key": "", "strength": "cannot", "rule": "two sisters"},
        ],
    }  # fmt: skip
    (link,) = Explain(who="crm:4").run(Frames(spark, rows, GOLD)).links
    assert (link.left, link.right, link.identifier) == ("crm:3", "crm:4", "email")


def test_an_id_that_was_merged_twice_leads_to_all_that_is_known_today(frames: Any) -> None:
    found = Explain(who="c_old").run(frames)
    assert (found.customer_id, found.generation) == ("c_ann", 7)
    text = told(found)
    for line in [
        "c_ann in generation 7, asked for as c_old",
        "crm:1 (crm, since 2026-01-02)",
        "shop:9 (shop, since 2026-01-03)",
        "crm:1 — shop:9: email (strong), the only tie between two parts; rule: same email",
        "email = ann@example.com  ← shop:9 of 2026-01-03 12:00:00",
        "phone [/b]0000  (not allowed to link)",
        "marketing by email: withdrawn on 2026-01-03 12:00:00",
        "orders = 4",
        "in readers on 2026-01-03, new on that day",
        "not in buyers on 2026-01-03, left on that day",
        "letters / buyers: absent (acknowledged) on 2026-01-03, delivery d_1",
        "letters / readers: withdrawn on 2026-01-03",
        "calls / buyers: present (acknowledged) on 2026-01-02, delivery d_0",
        "ads / readers: address refused on 2026-01-03",
        "ads / buyers: unknown there on 2026-01-02",
        "2026-01-03 c_mid merged into c_ann",
    ]:
        assert line in text
    assert "sleepers" not in text
    assert "c_bob" not in text
    assert "of somebody else" not in text
    assert "revenue" not in text
    assert "phone =" not in text


def test_how_a_customer_came_together_is_told_merge_by_merge(spark: SparkSession) -> None:
    rules = IdentityRules.model_validate(
        {"identifiers": {"email": {"description": "", "strength": "strong"}}}
    )
    (published,) = ROWS["ops.publications"]
    pinned = {**published["tables"], "identity.records": 1}
    people = [("crm:1", "c_ann"), ("shop:9", "c_ann"), ("web:5", "c_ann"), ("crm:2", "c_bob")]

    def edge(left: str, right: str, strength: str) -> dict[str, Any]:
        return {"left_record": left, "right_record": right, "identifier": strength,
                "strength": strength, "rule": f"by {strength}", "linked_on": DAY}  # fmt: skip

    rows = {
        **ROWS,
        "ops.publications": [published | {"tables": pinned}],
        "identity.customers": [
            {"record_id": record, "customer_id": who, "component": "crm:1"}
            for record, who in people
        ],
        "identity.records": [{"record_id": record} for record, _ in people],
        "identity.edges": [
            edge("crm:1", "web:5", "weak"),
            edge("shop:9", "web:5", "strong"),
            edge("crm:2", "web:5", "weak"),
            edge("crm:1", "crm:2", "cannot"),
        ],
    }
    tables: Any = Frames(spark, rows, GOLD)
    text = told(Explain(who="c_ann", rules=rules).run(tables))
    first = text.index("shop:9 and web:5 by strong")
    assert first < text.index("crm:1 and the 2 of shop:9 by weak")
    assert "bridge: crm:1 — web:5: weak (weak); rule: by weak" in text
    assert "crm:2" not in text


def test_a_record_id_leads_to_its_customer_and_what_is_unknown_is_told_as_none(
    frames: Any,
) -> None:
    found = Explain(who="crm:2").run(frames)
    assert found.customer_id == "c_bob"
    text = told(found)
    assert "in sleepers" in text
    assert "exports: none" in text
    assert "held back: none" in text


def test_somebody_who_is_unknown_is_a_named_error(frames: Any) -> None:
    with pytest.raises(CustomerUnknown, match="'c_nobody' is no customer id and no record id"):
        Explain(who="c_nobody").run(frames)


def test_before_the_first_publication_there_is_nobody_to_explain(spark: SparkSession) -> None:
    empty: Any = Frames(spark, {}, {})
    with pytest.raises(TableMissing, match=r"ops\.publications"):
        Explain(who="c_ann").run(empty)


def test_a_value_is_told_with_its_rule_and_with_those_that_it_won_over(spark: SparkSession) -> None:
    fields = {"identifiers": {"email": "email"}, "attributes": {"email": "email"}}
    crm, shop = (
        source("id", "email", source=name, load="increment", key=["id"], **fields)
        for name in ("crm", "shop")
    )
    email = TableColumn.model_validate(
        {"name": "email", "type": "STRING", "doc": "", "survivorship":
            {"rule": "most_recent", "sources": ["crm", "shop"]}}
    )  # fmt: skip

    def said(record_id: str, address: str | None) -> dict[str, Any]:
        return {"record_id": record_id, "email": address, "_observed_at": NOON}

    silver = {
        "silver.crm": [said("crm:1", "old@example.com"), said("crm:2", "bob@example.com")],
        "silver.shop": [said("shop:9", "ann@example.com")],
    }
    (published,) = ROWS["ops.publications"]
    rows = ROWS | silver | {"ops.publications": [published | {"inputs": dict.fromkeys(silver, 1)}]}
    shape = f"id STRING, email STRING, {SILVER_COLUMNS}"
    tables: Any = Frames(spark, rows, GOLD | dict.fromkeys(silver, shape))
    text = told(Explain(who="c_ann", attributes=[email], sources=[crm, shop]).run(tables))
    assert (
        "email = ann@example.com  ← shop:9 of 2026-01-03 12:00:00  "
        "(most recent; sources: crm, shop, then others)"
    ) in text
    assert "over old@example.com  ← crm:1 of 2026-01-03 12:00:00" in text
    assert "over ann@example.com" not in text
    assert "bob@example.com" not in text
