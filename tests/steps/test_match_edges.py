"""Matches at extremes: a key that nearly everybody has costs nothing, and is told."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from goldenlake.identity.matching.keys import rule_names
from goldenlake.identity.matching.training import train
from goldenlake.identity.trained import TrainedModel
from goldenlake.io.tables import DeltaTables
from goldenlake.schemas import EDGES
from goldenlake.steps.matching import MatchEdges
from support.matching import matching, population

HOT, COMMON, RARE = 1 << 56, 2 << 56, 3 << 56
ANNA = {"given": "anna", "family": "walkerson", "born": "1980-05-17", "postcode": "A11 1XY"}


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return TrainedModel(train(population(150)[0], matching()).model.to_json())


def bearers(spark: SparkSession, count: int, keys: str) -> DataFrame:
    """Records of one look, with an SQL expression of their keys."""
    profile = [F.lit(text) for pair in ANNA.items() for text in pair]
    return spark.range(count).select(
        F.format_string("crm:%06d", "id").alias("record_id"),
        F.expr(keys).alias("keys"),
        F.create_map(*profile).alias("profile"),
        F.lit(True).alias("is_active"),
    )


def matched(
    spark: SparkSession, model: TrainedModel, records: DataFrame, *, at_once: bool = True
) -> tuple[list[tuple[str, str]], dict[str, int], list[str]]:
    """Pairs, counts, and what was told."""
    told: list[str] = []
    edges = MatchEdges(
        trained=model,
        decisions=(),
        tables=DeltaTables(spark, "nowhere"),
        progress=told.append,
        keep=lambda rows: rows.localCheckpoint(eager=False),
    )
    nothing = spark.createDataFrame([], EDGES.ddl)
    linked = nothing.drop("linked_on")
    found = edges.changes(
        records, records, linked, nothing, is_incremental=False, at_once=at_once, largest=200
    ).edges
    rows = found.select("left_record", "right_record").collect()
    return sorted((row[0], row[1]) for row in rows), edges.counts, told


@pytest.mark.parametrize("at_once", [True, False])
def test_a_key_that_50_000_records_have_makes_no_pairs_and_is_told(
    spark: SparkSession, model: TrainedModel, at_once: bool
) -> None:
    keys = f"""
        CASE WHEN id < 2 THEN array({HOT}L, {COMMON}L, {RARE}L)
             WHEN id < 200 THEN array({HOT}L, {COMMON}L) ELSE array({HOT}L) END
    """
    pairs, counts, told = matched(spark, model, bearers(spark, 50_000, keys), at_once=at_once)
    assert pairs == [("crm:000000", "crm:000001")]
    assert counts == {"keys_left_out": 2}
    names = rule_names(model.matching)
    assert told == [
        (
            "matching: 2 keys are on more than 120 records each and make no pairs: "
            f"1 by {names[1]} (up to 50,000 records), 1 by {names[2]} (up to 200 records)"
        )
    ]


def test_a_night_without_a_hot_key_has_nothing_to_tell(
    spark: SparkSession, model: TrainedModel
) -> None:
    pairs, counts, told = matched(spark, model, bearers(spark, 3, f"array({RARE}L)"))
    assert len(pairs) == 3
    assert counts == {"keys_left_out": 0}
    assert told == []
