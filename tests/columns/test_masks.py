"""What analysts see of personal values."""

from __future__ import annotations

from datetime import date

from pyspark.sql import SparkSession

from goldenlake.columns.masks import masked
from goldenlake.columns.traces import pseudonym

KEY = b"a key of pseudonyms in tests"
CLASSES = {"email": "contact", "card": "pseudonym", "born_on": "contact", "ill": "sensitive"}


def test_personal_values_are_pseudonyms_or_nothing_and_all_others_stay(spark: SparkSession) -> None:
    frame = spark.createDataFrame(
        [("ann@example.com", "9911", date(1980, 2, 1), "yes", 3, "odd")],
        "email STRING, card STRING, born_on DATE, ill STRING, orders INT, unnamed STRING",
    )

    seen = masked(frame, {**CLASSES, "orders": "none"}, KEY)

    assert seen.schema == frame.schema
    [row] = seen.collect()
    assert row.asDict() == {
        "email": pseudonym(KEY, "value", "ann@example.com"),
        "card": pseudonym(KEY, "value", "9911"),
        "born_on": None,
        "ill": None,
        "orders": 3,
        "unnamed": None,
    }


def test_equal_values_stay_equal_over_columns_and_nulls_stay_null(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("x", "x"), (None, "y")], "email STRING, card STRING")

    first, second = masked(frame, CLASSES, KEY).collect()

    assert first["email"] == first["card"] != second["card"]
    assert second["email"] is None
