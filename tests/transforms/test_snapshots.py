"""Snapshots in any order of arrival, against a model in plain Python."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from goldenlake.transforms.newest import TIES, first_of_equals, newest_per_key
from goldenlake.transforms.snapshots import SnapshotState, changed_by_snapshot

DDL = (
    "key STRING, value STRING, _observed_at TIMESTAMP, _file_on DATE, _file_id STRING, "
    "_record BIGINT, _landed_on DATE, _is_deleted BOOLEAN, _run STRING"
)
ORDER = ["_observed_at", *TIES]
START = date(2026, 3, 1)
Snapshot = dict[str, tuple[str, int] | None]


def file_of(day: int) -> tuple[date, str]:
    """Two snapshots tell of each day, and the later one's id is the smaller."""
    return START + timedelta(days=day // 2), f"f{9 - day}"


PLACES = {file_of(day)[1]: day % 2 for day in range(4)}


def rows_of(day: int, content: Snapshot) -> list[tuple]:
    """One snapshot: from keys to (value, day on which it was last edited), None if set aside."""
    on, file_id = file_of(day)
    return [
        (key, of and of[0], at(of[1] if of else 9), on, file_id, n, on, False, "r", of is None)
        for n, (key, of) in enumerate(sorted(content.items()))
    ]


def at(day: int) -> datetime:
    return datetime(2026, 3, 1 + day, tzinfo=UTC)


def in_the_end(drops: list[Snapshot]) -> dict[str, tuple[str, bool]]:
    """Of each key the value of its newest row, and whether the last snapshot lacks it."""
    newest: dict[str, tuple[tuple[int, int], str]] = {}
    for day, content in enumerate(drops):
        for key, of in content.items():
            if of:
                newest[key] = max(newest.get(key, ((-1, -1), "")), ((of[1], day), of[0]))
    return {key: (value, key not in drops[-1]) for key, (_, value) in newest.items()}


def world(seed: int) -> list[Snapshot]:
    """Four snapshots of a table whose records come, change, go and come back."""
    dice = random.Random(seed)
    drops: list[Snapshot] = []
    held: dict[str, tuple[str, int]] = {}
    for day in range(4):
        for key in "abcdefgh":
            lot = dice.random()
            if lot < 0.25:
                held.pop(key, None)
            elif lot < 0.6 or key not in held:
                held[key] = (f"{key}{day}", day // 2)
        drops.append(dict(held))
    return drops


@pytest.mark.parametrize("seed", range(4))
def test_order_of_arrival_does_not_matter(spark: SparkSession, seed: int) -> None:
    drops = world(seed)
    order = list(itertools.permutations(range(4)))[(seed * 7 + 9) % 24]
    assert applied(spark, drops, order) == in_the_end(drops)


@pytest.mark.parametrize("seed", range(2))
def test_a_record_whose_row_is_set_aside_has_not_left(spark: SparkSession, seed: int) -> None:
    dice = random.Random(f"set aside {seed}")
    drops = [
        {key: None if dice.random() < 0.4 else of for key, of in content.items()}
        for content in world(seed)
    ]
    ends = in_the_end(drops)
    assert any(of is None and key in ends for key, of in drops[-1].items())
    assert applied(spark, drops, range(4)) == ends


def applied(
    spark: SparkSession, drops: Sequence[Snapshot], order: Iterable[int]
) -> dict[str, tuple[str, bool]]:
    """What silver has after snapshots arrived one by one, in this order."""
    silver: dict[str, tuple] = {}
    seen: int | None = None
    for day in order:
        is_newest = seen is None or day > seen
        state = SnapshotState(
            seen=None if seen is None else file_of(seen),
            newest=file_of(day)[1] if is_newest else None,
            keeps_missing=False,
            places=PLACES,
        )
        changed = changed_by_snapshot(
            spark.createDataFrame(list(silver.values()), DDL),
            spark.createDataFrame(rows_of(day, drops[day]), f"{DDL}, _is_set_aside BOOLEAN"),
            key=["key"],
            order=ORDER,
            state=state,
        ).where("_is_changed")
        rows = changed.drop("_is_changed", "_overtaken").collect()
        silver |= {row["key"]: tuple(row) for row in rows}
        seen = day if is_newest else seen
    return {key: (row[1], row[7]) for key, row in silver.items()}


def test_the_newest_row_of_a_key_is_found_by_a_total_order(spark: SparkSession) -> None:
    rows = [("a", 1, "f1", 1), ("a", 2, "f1", 2), ("a", None, "f9", 9), ("b", None, "f1", 3)]
    frame = spark.createDataFrame([*rows, ("a", 2, "f0", 7)], "k STRING, v INT, f STRING, r INT")
    found = newest_per_key(frame, ["k"], ["v", "f", "r"])
    assert sorted(map(tuple, found.collect())) == [("a", 2, "f1", 2), ("b", None, "f1", 3)]


def test_of_equal_rows_the_first_is_kept_and_nulls_are_equal(spark: SparkSession) -> None:
    ddl = "k STRING, _file_on DATE, _file_id STRING, _record INT"
    rows = [(None, START, "f2", 1), (None, START, "f1", 2), ("a", START, "f3", 1)]
    found = first_of_equals(spark.createDataFrame(rows, ddl), ["k"]).collect()
    assert {row["_file_id"] for row in found} == {"f1", "f3"}
