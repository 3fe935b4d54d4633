"""Suites are what is declared, and every expectation in them can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from goldenlake.declarations.rules import TableRule, rule_name
from goldenlake.declarations.table import Table
from goldenlake.quality.audit import Verdict, audit
from goldenlake.quality.suites import suite_of, suite_path, suite_text, write_suites
from support.golden_world import ROOT, declared_tables, silent

TABLES = declared_tables()
SECRET = "mrs.canary@@broken"


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_suite_in_the_repository_is_the_one_that_the_declaration_gives(name: str) -> None:
    path = suite_path(ROOT / "expectations", name)
    assert path.read_text(encoding="utf-8") == suite_text(TABLES[name]), (
        "run: python -m goldenlake.quality.suites"
    )


def test_every_suite_in_the_repository_belongs_to_a_table() -> None:
    found = set((ROOT / "expectations" / "gold").glob("*.json"))
    assert found == {suite_path(ROOT / "expectations", name) for name in TABLES}


def test_every_expectation_carries_its_severity_and_its_reason() -> None:
    for table in TABLES.values():
        for expectation in suite_of(table)["expectations"]:
            assert expectation["severity"] in ("critical", "warning")
            assert expectation["meta"]["reason"]


def test_suites_of_tables_that_are_no_more_are_removed(tmp_path: Path) -> None:
    write_suites(TABLES.values(), tmp_path)
    write_suites([TABLES["gold.sources"]], tmp_path)
    assert [path.name for path in tmp_path.glob("*/*.json")] == ["sources.json"]
    assert json.loads((tmp_path / "gold" / "sources.json").read_text())["name"] == "gold.sources"


def breaking(frame: DataFrame, rule: TableRule) -> DataFrame:
    """The frame with every row of it breaking the rule."""

    def value(column: str, text: Any) -> DataFrame:
        return frame.withColumn(column, F.lit(text).cast(frame.schema[column].dataType))

    by_kind: dict[str, Callable[[], DataFrame]] = {
        "not_null": lambda: value(rule.column, None),  # type: ignore[union-attr]
        "complete": lambda: value(rule.column, None),  # type: ignore[union-attr]
        "in_set": lambda: value(rule.column, "something else"),  # type: ignore[union-attr]
        "matches": lambda: value(rule.column, SECRET),  # type: ignore[union-attr]
        "between": lambda: value(
            rule.column,  # type: ignore[union-attr]
            "1900-01-01" if rule.column.endswith("_on") else -1,  # type: ignore[union-attr]
        ),
        "unique": lambda: frame.unionByName(frame),
        "row_count": lambda: frame.where(F.lit(False)),
    }
    return by_kind[rule.rule]()


#: For rules that are expressions: column values with which they do not hold.
NOT_HOLDING: dict[str, dict[str, Any]] = {
    "first_seen_before_update": {"first_seen_on": "2024-03-05", "updated_on": "2024-03-04"},
    "known_have_sources": {"sources": "array()"},
    "ends_after_it_begins": {"valid_from": "2024-03-05", "valid_to": "2024-03-05"},
    "machines_are_nobody": {"is_bot": True, "customer_id": "c_1"},
    "amount_is_quantity_times_price": {"amount": 3, "quantity": 1, "unit_price": 1},
    "revenue_needs_orders": {"revenue": 1, "orders": 0},
    "not_too_large": {"size": 31},
    "tied_by_a_rule": {"rules": "array()"},
    "seen_in_order": {"first_seen_at": "2024-03-05", "last_seen_at": "2024-03-04"},
}
SOUND: dict[str, Any] = {
    "customer_id": "c_1", "email": "a@example.com", "phone": "+441632960001", "country": "GB",
    "family_name": "Hill", "birth_on": "1980-01-02", "is_known": True, "records": 1,
    "first_seen_on": "2024-03-04", "updated_on": "2024-03-05", "customer_since": "2024-03-04",
    "valid_from": "2024-03-04", "identifier": "email", "value": "1", "record_id": "crm:1",
    "source": "crm", "interaction_id": "i", "at": "2024-03-04", "channel": "web", "kind": "view",
    "is_bot": False, "purchase_line_id": "p", "order_id": "o", "quantity": 2, "unit_price": 2,
    "amount": 4, "currency": "EUR", "is_cancellation": False, "purpose": "marketing",
    "status": "granted", "stated_at": "2024-03-04", "interactions": 1, "orders": 1, "items": 1,
    "sessions": 1, "emails_opened": 0, "emails_clicked": 0, "revenue": 1, "cancelled_revenue": 0,
    "household_id": "h_1", "household_since": "2024-03-04", "size": 2, "segment": "s", "sent": 1,
}  # fmt: skip


def sound(spark: SparkSession, table: Table) -> DataFrame:
    """One row that honours every rule."""
    overrides = {"channel": "email"} if table.table == "gold.consents" else {}
    columns = []
    for column in table.columns:
        given = (SOUND | overrides).get(column.name)
        text = F.array(F.lit("crm")) if column.type.startswith("ARRAY") else F.lit(given)
        columns.append(text.cast(column.type).alias(column.name))
    return spark.range(1).select(*columns)


def with_values(frame: DataFrame, values: dict[str, Any]) -> DataFrame:
    for name, of in values.items():
        literal = F.array() if of == "array()" else F.lit(of)
        frame = frame.withColumn(name, literal.cast(frame.schema[name].dataType))
    return frame


def judge(pairs: list[tuple[Table, DataFrame]], docs: Path | None = None) -> list[Verdict]:
    return audit(pairs, docs=docs, progress=silent)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_expectation_fails_on_a_frame_that_breaks_it(
    spark: SparkSession, name: str, tmp_path: Path
) -> None:
    table = TABLES[name]
    good = sound(spark, table)
    assert [str(each) for each in judge([(table, good)]) if not each.passed] == []
    pairs = []
    for place, rule in enumerate(table.rules):
        bad = (
            with_values(good, NOT_HOLDING[rule_name(rule)])
            if rule.rule == "holds"
            else breaking(good, rule)
        )
        alone = table.model_copy(update={"table": f"gold.rule_{place}", "rules": [rule]})
        pairs.append((alone, bad))
    verdicts = judge(pairs, docs=tmp_path / "docs")
    assert [each.rule for each in verdicts if each.passed] == []
    assert all(not each.error for each in verdicts)
    pages = [path.read_text("utf-8") for path in (tmp_path / "docs").rglob("*.html")]
    assert len(pages) > len(table.rules)
    assert not any(SECRET in page for page in pages), "no value ends in the Data Docs"
    assert not any(SECRET in str(each) for each in verdicts)


def test_a_broken_rule_is_counted_and_a_warning_stops_nothing(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = TABLES["gold.customers"]
    kept = [rule for rule in table.rules if rule_name(rule) in CHECKED]
    table = table.model_copy(update={"rules": kept})
    good = sound(spark, table)
    bad = with_values(good, {"customer_id": "c_2", "email": SECRET, "country": "Wonderland"})
    verdicts = {each.rule: each for each in judge([(table, good.unionByName(bad))], tmp_path / "d")}
    assert verdicts["matches_email"].broken == 1
    assert verdicts["matches_email"].stops
    assert not verdicts["matches_country"].passed
    assert not verdicts["matches_country"].stops
    assert verdicts["unique_customer_id"].passed
    assert verdicts["known_have_sources"].passed
    assert (tmp_path / "d" / "index.html").is_file()
    pages = [path.read_text("utf-8") for path in (tmp_path / "d").rglob("*.html")]
    assert not any(SECRET in page or "Wonderland" in page for page in pages)


CHECKED = {"matches_email", "matches_country", "unique_customer_id", "known_have_sources"}


def test_an_odd_value_is_judged_as_it_is_in_rows_on_their_way(spark: SparkSession) -> None:
    table = TABLES["gold.customers"]
    (holds,) = (rule for rule in table.rules if rule_name(rule) == "known_have_sources")
    number = "cast(customer_number AS BIGINT)"
    rules = [
        holds.model_copy(update={"name": value, "expression": f"{value} >= 0"})
        for value in (f"coalesce({number}, 0)", number)
    ]
    odd = with_values(sound(spark, table), {"customer_number": "X12"})
    passes, fails = judge([(table.model_copy(update={"rules": rules}), odd)])
    assert passes.passed
    assert (fails.broken, fails.error) == (1, "")


def test_a_rule_that_cannot_be_judged_counts_as_broken(spark: SparkSession) -> None:
    table = TABLES["gold.sources"]
    table = table.model_copy(update={"rules": [table.rules[0]]})
    frame = sound(spark, table).drop(table.rules[0].column)  # type: ignore[union-attr]
    (verdict,) = judge([(table, frame)])
    assert not verdict.passed
    assert verdict.error
    assert verdict.stops
