"""What is a placeholder, and what merely has one in it."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from goldenlake.cli.installation import PROJECT
from goldenlake.columns.placeholders import is_placeholder
from goldenlake.declarations.identity import Placeholders
from goldenlake.declarations.loader import load_catalogue


def blocked(spark: SparkSession, declared: Placeholders, values: list[str]) -> set[str]:
    rows = spark.createDataFrame([[value] for value in values], "value STRING")
    return {row["value"] for row in rows.where(is_placeholder(F.col("value"), declared)).collect()}


@pytest.mark.parametrize("pattern", ["(info|sales)@.+", "^(info|sales)@", "info@.*|sales@"])
def test_a_pattern_looks_at_the_beginning_of_a_value(spark: SparkSession, pattern: str) -> None:
    values = ["info@example.com", "sales@example.com", "juan.gonsales@example.com"]
    found = blocked(spark, Placeholders(block_patterns=[pattern]), values)
    assert found == {"info@example.com", "sales@example.com"}


def test_our_own_placeholders_are_nobodys_values_and_no_others_are(spark: SparkSession) -> None:
    rules = load_catalogue(PROJECT / "conf").identity.identifiers
    nobodys = {
        "email": ["Test@example.com", "no-reply@shop.example", "info@shop.example"],
        "phone": ["+4911111111", "+44201111111112", "00000000"],
    }
    somebodys = {
        "email": ["juan.gonsales@example.com", "ann.office@example.com", "dina.info@example.com"],
        "phone": ["+4915123456789", "+441111112222"],
    }
    for name, values in nobodys.items():
        assert blocked(spark, rules[name], values + somebodys[name]) == set(values)
