"""Matches at extremes: a key that nearly everybody has costs nothing, and is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from goldenlake.identity.matching.keys import rule_names
from goldenlake.identity.matching.training import train
from goldenlake.identity.trained import TrainedModel
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import Progress
from goldenlake.schemas import EDGES
from goldenlake.steps.matching import Matched, MatchEdges
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


def by(spark: SparkSession, model: TrainedModel, progress: Progress) -> MatchEdges:
    """Edges by a model, without decisions."""
    return MatchEdges(
        trained=model,
        decisions=(),
        tables=DeltaTables(spark, "nowhere"),
        progress=progress,
        keep=lambda rows: rows.localCheckpoint(eager=False),
    )


def matched(
    spark: SparkSession, model: TrainedModel, records: DataFrame, *, at_once: bool = True
) -> tuple[list[tuple[str, str]], dict[str, int], list[str]]:
    """Pairs, counts, and what was told."""
    told: list[str] = []
    edges = by(spark, model, told.append)
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


@pytest.mark.parametrize("at_once", [True, False])
def test_a_night_that_changes_nobody_who_is_compared_looks_at_none(
    spark: SparkSession, model: TrainedModel, at_once: bool
) -> None:
    untouched = bearers(spark, 3, "raise_error('somebody looked')")
    changed = bearers(spark, 2, "CAST(array() AS array<bigint>)").withColumn(
        "_old_keys", F.col("keys")
    )
    edges = by(spark, model, pytest.fail)
    nothing = spark.createDataFrame([], EDGES.ddl)
    linked = nothing.drop("linked_on")
    found = edges.changes(
        changed, untouched, linked, nothing, is_incremental=True, at_once=at_once, largest=200
    )
    assert found.edges.isEmpty()
    assert found.replaced.isEmpty()
    assert edges.counts == {"keys_left_out": 0}


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("cap", [2, 3, 5])
def test_a_night_of_changes_leaves_the_pairs_that_all_anew_would(
    spark: SparkSession,
    model: TrainedModel,
    monkeypatch: pytest.MonkeyPatch,
    at_once: bool,
    cap: int,
) -> None:
    monkeypatch.setattr(MatchEdges, "_cap", cap)
    chance, worlds = Random(cap), 40
    rows = [row for world in range(worlds) for row in night_of(chance, world)]
    schema = (
        "record_id string, keys array<bigint>, _old_keys array<bigint>, "
        "profile map<string,string>, _old_profile map<string,string>, is_active boolean, "
        "is_changed boolean"
    )
    after = spark.createDataFrame(rows, schema).localCheckpoint()
    before = after.select(
        "record_id",
        F.col("_old_keys").alias("keys"),
        F.col("_old_profile").alias("profile"),
        (F.size("_old_keys") > 0).alias("is_active"),
    )
    nothing = spark.createDataFrame([], EDGES.ddl)

    def edges(records: DataFrame, changed: DataFrame, existing: DataFrame, **how: bool) -> Matched:
        linked = nothing.drop("linked_on")
        return by(spark, model, lambda _: None).changes(
            changed, records, linked, existing, largest=200, **how
        )

    def told(rows: DataFrame) -> Counter[tuple[object, ...]]:
        names = ("left_record", "right_record", "strength", "rule", "weight")
        return Counter(tuple(row) for row in rows.select(*names).collect())

    anew = {"is_incremental": False, "at_once": False}
    existing = edges(before, before, nothing, **anew).edges
    wanted = told(edges(after, after, nothing, **anew).edges)
    existing = existing.withColumn("linked_on", F.current_date()).localCheckpoint()
    changed = after.where("is_changed")
    found = edges(after, changed, existing, is_incremental=True, at_once=at_once)
    assert told(existing) - told(found.replaced) + told(found.edges) == wanted
    assert len(wanted) > 50
    assert told(existing) != wanted


def night_of(chance: Random, world: int) -> Iterator[tuple[object, ...]]:
    """Some twelve records, of whom some change their keys or their look, come or go."""
    pool = [(1 + number % 3 << 56) | (10 * world + number) for number in range(8)]

    def drawn() -> tuple[list[int], dict[str, str]]:
        keys = sorted(chance.sample(pool, chance.randint(0, 4)))
        return keys, ANNA | {"given": chance.choice(["anna", "bert"])}

    for number in range(chance.randint(2, 12)):
        old, is_changed = drawn(), chance.random() < 0.3
        new = drawn() if is_changed and chance.random() < 0.8 else ([], {})
        now = new if is_changed else old
        yield (
            f"w{world:02}-{number:02}", now[0], old[0], now[1], old[1], bool(now[0]), is_changed
        )  # fmt: skip
