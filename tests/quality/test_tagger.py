"""Row rules: which are broken, by name; null counts as broken where a rule asks for truth."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from pydantic import TypeAdapter
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from goldenlake.declarations.rules import RowRule
from goldenlake.errors import ExpressionRefused
from goldenlake.quality.tagger import tag, tagged

RULE: TypeAdapter[RowRule] = TypeAdapter(RowRule)
DDL = "id STRING, age BIGINT, mail STRING, price DECIMAL(18,4), share DOUBLE, on DATE, old STRING"
ROWS = [
    ("good", 40, "a@example.com", "1.00", 0.5, datetime.date(2026, 3, 1), "7"),
    ("bad", 140, "a@example.com\nb", "-1", float("nan"), datetime.date(1899, 1, 1), "seven"),
    ("none", None, None, None, None, None, None),
]


def rule(**declared: Any) -> RowRule:
    return RULE.validate_python({"reason": "test", **declared})


RULES = [
    rule(rule="not_null", column="age"),
    rule(rule="between", column="age", least=0, most=120),
    rule(rule="matches", column="mail", pattern=r"\S+@\S+|nobody"),
    rule(rule="in_set", column="price", values=[1, 2]),
    rule(rule="in_set", name="known", column="id", values=["good", "none"]),
    rule(rule="between", column="share", least=0, most=1),
    rule(rule="between", column="on", least="1900-01-01"),
    rule(rule="holds", expression="age > 18"),
    rule(rule="holds", name="adult_price", expression="price / 0 is null", severity="warning"),
    rule(rule="holds", name="number", expression="cast(old as int) = 7", severity="warning"),
    rule(
        rule="holds",
        name="none_is_a_day",
        expression="coalesce(to_date(old, 'dd.MM.yyyy'), date_add(old, 1)) is null",
        severity="warning",
    ),
]


def tags(spark: SparkSession, rules: list[RowRule], severity: Any = "critical") -> dict[str, list]:
    rows = [(*row[:3], row[3] and __import__("decimal").Decimal(row[3]), *row[4:]) for row in ROWS]
    frame = spark.createDataFrame(rows, DDL).coalesce(1)
    return dict(frame.select("id", tag(rules, severity)).collect())


def test_a_row_carries_the_names_of_the_rules_that_it_breaks(spark: SparkSession) -> None:
    assert tags(spark, RULES) == {
        "good": [],
        "bad": [
            "between_age", "matches_mail", "in_set_price", "known", "between_share", "between_on",
        ],
        "none": ["not_null_age", "holds"],
    }  # fmt: skip


def test_warnings_are_told_apart_and_odd_values_stop_nothing(spark: SparkSession) -> None:
    assert tags(spark, RULES, "warning") == {"good": [], "bad": ["number"], "none": ["number"]}


def test_rules_of_one_name_are_all_judged(spark: SparkSession) -> None:
    alike = [rule(rule="holds", expression=each) for each in ("age < 100", "price > 0", "true")]
    assert tags(spark, alike) == {"good": [], "bad": ["holds"], "none": ["holds"]}


def test_no_rules_break_nothing(spark: SparkSession) -> None:
    assert tags(spark, []) == {"good": [], "bad": [], "none": []}
    assert spark.range(1).select(tagged({}).alias("t")).schema["t"].dataType.simpleString() == (
        "array<string>"
    )


def test_rules_are_one_projection_without_a_shuffle(spark: SparkSession) -> None:
    frame = spark.createDataFrame([], DDL).select(tag(RULES))
    plan = frame._jdf.queryExecution().executedPlan().toString()
    assert "Exchange" not in plan
    assert "Python" not in plan


def test_an_expression_that_reaches_outside_is_refused() -> None:
    with pytest.raises(ExpressionRefused):
        tag([RULES[7].model_copy(update={"expression": "java_method('a', 'b') = 1"})])


def test_true_conditions_are_named_in_their_order(spark: SparkSession) -> None:
    conditions = {"b": F.lit(True), "c": F.lit(None).cast("boolean"), "a": F.lit(True)}
    assert spark.range(1).select(tagged(conditions)).first()[0] == ["b", "a"]
