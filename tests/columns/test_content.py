"""What tells two sets of rows apart."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from goldenlake.columns.content import content_of


def _content(spark: SparkSession, values: list[tuple[str, int]], only: str = "true") -> str:
    rows = spark.createDataFrame(values or [("", 0)], "name STRING, size INT")
    rows = rows if values else rows.where(F.lit(False))
    found = rows.agg(content_of(F.col("name"), F.col("size"), only=F.expr(only))).first()
    assert found is not None
    return str(found[0])


def test_the_order_of_rows_does_not_matter_but_each_of_them_does(spark: SparkSession) -> None:
    rows = [("a", 1), ("b", 2), ("b", 3)]
    assert _content(spark, rows) == _content(spark, rows[::-1])
    assert _content(spark, rows) != _content(spark, rows[:2])
    assert _content(spark, rows) != _content(spark, [*rows, ("b", 3)])
    # What hashes cancel out in a sum alone, or in an exclusive or alone, is told apart.
    assert _content(spark, [("a", 1), ("a", 1)]) != _content(spark, [("b", 2), ("b", 2)])


def test_only_the_rows_that_are_asked_for_count_and_none_gives_nothing(spark: SparkSession) -> None:
    rows = [("a", 1), ("b", 2)]
    assert _content(spark, rows, only="size = 1") == _content(spark, rows[:1])
    assert _content(spark, rows, only="false") == _content(spark, []) == ""
