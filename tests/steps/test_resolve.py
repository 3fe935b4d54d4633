"""Nights of resolve on a small lake: what changes, what stays, and what a crash may not do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import StepResult
from goldenlake.schemas import SILVER_COLUMNS
from goldenlake.steps import generations
from goldenlake.steps.resolve import Resolve

RULES = IdentityRules.model_validate(
    {
        "identifiers": {
            "account": {"description": "Customer number.", "strength": "unique"},
            "email": {
                "description": "E-mail address.",
                "strength": "strong",
                "most_records": 4,
                "block": ["none@example.com"],
            },
            "phone": {
                "description": "Phone.",
                "strength": "weak",
                "most_records": 4,
                "unless_differ": ["given_name"],
            },
            "cookie": {
                "description": "Browser.",
                "strength": "weak",
                "unless_differ": ["account"],
                "block_patterns": ["^0+$"],
            },
        },
        "largest_cluster": 6,
    }
)
CRM = Source.model_validate(
    {
        "source": "crm",
        "description": "Contacts.",
        "system": "crm",
        "owner": "sales",
        "origin": {"place": "crm", "files": "*.csv"},
        "format": {"kind": "csv"},
        "load": "increment",
        "key": ["contact"],
        "columns": [
            {"name": name}
            for name in ("contact", "account", "email", "phone", "given_name", "family_name")
        ],
        "identifiers": {"account": "account", "email": "email", "phone": "phone"},
        "attributes": {"given_name": "given_name", "family_name": "family_name"},
    }
)
WEB = Source.model_validate(
    {
        "source": "web",
        "description": "Hits.",
        "system": "web",
        "owner": "web",
        "origin": {"place": "web", "files": "*.log"},
        "format": {"kind": "access_log"},
        "load": "append",
        "columns": [{"name": name} for name in ("cookie", "account", "path")],
        "identifiers": {"cookie": "cookie", "account": "account"},
    }
)
SOURCES = {"crm": CRM, "web": WEB}
FIRST, SECOND, THIRD = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)


def silver(
    tables: DeltaTables, source: Source, rows: Iterable[Mapping[str, Any]], day: date
) -> None:
    """Upsert rows of a profile source, or append rows of an event source, as conform does."""
    own = ", ".join(f"{name} STRING" for name in source.column_names)
    full = []
    for row in rows:
        values = {name: row.get(name) for name in source.column_names}
        named = "|".join(f"{k}={row[k]}" for k in sorted(source.identifiers) if row.get(k))
        key = row["contact"] if source.is_profile else named
        values["record_id"] = f"{source.source}:{key}" if key else None
        values |= {"_file_on": day, "_landed_on": day, "_file_id": row.get("file", day.isoformat())}
        values["_is_deleted"] = row.get("deleted", False)
        full.append(values)
    frame = tables.spark.createDataFrame(full, f"{SILVER_COLUMNS}, {own}")
    table = f"silver.{source.source}"
    if source.is_profile:
        tables.merge(table, frame, on=["record_id"])
    else:
        tables.append(table, frame)


def resolve(
    tables: DeltaTables, day: date, rules: IdentityRules = RULES, sources: Any = SOURCES
) -> StepResult:
    step = Resolve(sources=sources, rules=rules, as_of=day, run_id=f"run-{day}")
    return step.run(tables, lambda _: None)


def publish(tables: DeltaTables, day: date) -> None:
    staged = generations.staged(tables, "resolve")
    assert staged is not None
    at = datetime(day.year, day.month, day.day, 3, tzinfo=UTC)
    generations.publish(tables, [staged], run_id=staged.run_id, as_of=day, published_at=at)


def customer_of(tables: DeltaTables) -> dict[str, str]:
    rows = tables.read("identity.customers").collect()
    assert len({row["record_id"] for row in rows}) == len(rows)
    return {row["record_id"]: row["customer_id"] for row in rows}


def history(tables: DeltaTables, generation: int) -> set[tuple[str, str, str | None]]:
    rows = tables.read("identity.history").where(f"generation = {generation}").collect()
    return {(row["event"], row["customer_id"], row["other_customer_id"]) for row in rows}


def touched(tables: DeltaTables) -> dict[str, str]:
    return {row["customer_id"]: row["change"] for row in tables.read("identity.touched").collect()}


@pytest.fixture(scope="module")
def _lakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lakes")


def test_nights_merge_split_retire_and_survive_crashes(spark: SparkSession, _lakes: Path) -> None:
    tables = DeltaTables(spark, str(_lakes / "nights"))
    silver(
        tables,
        CRM,
        [
            {"contact": "1", "account": "A", "email": "ann@example.com", "given_name": "Ann"},
            {"contact": "2", "email": "bob@example.com", "phone": "+441", "given_name": "Bob"},
            {"contact": "3", "phone": "+441", "given_name": "Cleo"},
            {"contact": "4", "email": "none@example.com", "given_name": "Dan"},
            {"contact": "5", "email": "none@example.com", "given_name": "Eve"},
            {"contact": "6", "account": "F", "given_name": "Fay"},
            {"contact": "7", "account": "F", "given_name": "Fay"},
            {"contact": "8", "account": "F", "given_name": "Fay"},
        ],
        FIRST,
    )
    silver(tables, WEB, [{"cookie": "k1"}, {"cookie": "k1", "account": "A"}, {"path": "/"}], FIRST)
    result = resolve(tables, FIRST)
    first = customer_of(tables)

    assert result.counts["records_changed"] == 10
    assert first["crm:1"] == first["web:account=A|cookie=k1"] == first["web:cookie=k1"]
    assert first["crm:2"] != first["crm:3"], "a family phone with two given names"
    assert first["crm:4"] != first["crm:5"], "a placeholder e-mail"
    assert first["crm:6"] == first["crm:7"] == first["crm:8"]
    assert {event for event, *_ in history(tables, 1)} == {"assigned"}
    assert set(touched(tables).values()) == {"membership"}

    assert resolve(tables, FIRST).details["reason"] == "was staged"
    tables.spark.sql("SELECT 1")
    publish(tables, FIRST)
    assert resolve(tables, SECOND).status == "skipped"
