"""Maintenance: readers see the same, pinned versions stay, what is past its retention goes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from goldenlake.declarations.environment import Retention
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import StepResult
from goldenlake.schemas import CHANGES, HELD_BACK, MEMBERS, RUNS, SETTLED, SIZES
from goldenlake.steps.generations import (
    Stage,
    generations,
    latest_generation,
    publications,
    publish,
    repin,
    roll_back,
    stage,
)
from goldenlake.steps.maintain import Maintain
from support.lake import forget_logs

NOW = datetime(2026, 6, 30, 6, tzinfo=UTC)
TODAY = NOW.date()


class Fixed:
    def now(self) -> datetime:
        return NOW


class Watched:
    """The real upkeep but for vacuuming, of which it notes the hours."""

    def __init__(self, tables: DeltaTables) -> None:
        self.tables = tables
        self.optimized: list[str] = []
        self.hours: dict[str, float] = {}

    def optimize(self, table: str) -> Mapping[str, int]:
        self.optimized.append(table)
        return self.tables.optimize(table)

    def vacuum(self, table: str, *, keep_hours: float) -> Mapping[str, int]:
        self.hours[table] = keep_hours
        return {}


def generation(
    tables: DeltaTables, versions: dict[str, int], inputs: dict[str, int], *, days_ago: int
) -> None:
    base = latest_generation(tables)
    built = Stage(
        step="golden",
        as_of=TODAY,
        run_id="night",
        base=base.generation if base else 0,
        tables=versions,
        inputs=inputs,
        fingerprint="f",
        counts={"customers": 2},
    )
    publish(
        tables,
        [built],
        run_id="night",
        as_of=TODAY - timedelta(days=days_ago),
        published_at=NOW - timedelta(days=days_ago),
    )


def maintain(
    tables: DeltaTables, watched: Watched, *, generations: int = 2, many_files: int = 2
) -> StepResult:
    step = Maintain(
        sources=["crm"],
        retention=Retention(generations=generations, table_history="14d", runs="100d"),
        as_of=TODAY,
        run_id="upkeep",
        many_files=many_files,
    )
    return step.run(tables, watched, Fixed(), lambda _: None)


def rows(tables: DeltaTables, *ids: str) -> int:
    frame = tables.spark.createDataFrame([(each,) for each in ids], "customer_id STRING")
    return tables.append("gold.customers", frame.coalesce(1))


def test_compacted_tables_are_published_again_with_the_same_content(tables: DeltaTables) -> None:
    rows(tables, "a")
    pinned = rows(tables, "b")
    generation(tables, {"gold.customers": pinned}, {"silver.crm": 3}, days_ago=1)
    watched = Watched(tables)

    result = maintain(tables, watched)

    assert watched.optimized == ["gold.customers"]
    assert result.counts["tables_repinned"] == 1
    first, second = (
        row.asDict() for row in tables.read("ops.publications").orderBy("generation").collect()
    )
    assert second["tables"] == {"gold.customers": pinned + 1}
    same = ("as_of", "inputs", "fingerprint", "counts")
    assert {name: second[name] for name in same} == {name: first[name] for name in same}
    assert second["generation"] == first["generation"] + 1
    seen = tables.read("gold.customers", version=pinned + 1)
    assert sorted(row["customer_id"] for row in seen.collect()) == ["a", "b"]
    assert len(seen.inputFiles()) == 1
    assert maintain(tables, watched).counts["tables_repinned"] == 0


def test_a_build_that_is_not_published_is_left_alone(tables: DeltaTables) -> None:
    pinned = rows(tables, "a")
    generation(tables, {"gold.customers": pinned}, {}, days_ago=1)
    staged = rows(tables, "b")
    watched = Watched(tables)
    maintain(tables, watched)
    assert watched.optimized == []
    assert tables.version("gold.customers") == staged
    latest = latest_generation(tables)
    assert latest is not None
    assert latest.tables == {"gold.customers": pinned}


def test_a_generation_that_a_build_stands_on_is_not_overtaken(tables: DeltaTables) -> None:
    """Resolve has staged its tables, and golden has not begun: it would have to begin again."""
    rows(tables, "a")
    generation(tables, {"gold.customers": rows(tables, "b")}, {}, days_ago=1)
    base = latest_generation(tables)
    stage(
        tables, "resolve", names=(), as_of=TODAY, run_id="night", base=base, inputs={},
        fingerprint="another", counts={},
    )  # fmt: skip
    watched = Watched(tables)

    assert maintain(tables, watched).counts["tables_repinned"] == 0

    assert watched.optimized == []
    assert latest_generation(tables) == base


def test_vacuum_never_goes_below_what_kept_generations_pin(tables: DeltaTables) -> None:
    for days_ago in (60, 40, 5):
        version = rows(tables, "a")
        silver = tables.append("silver.crm", tables.read("gold.customers"))
        pins = {"gold.customers": version}
        generation(tables, pins, {"silver.crm": silver}, days_ago=days_ago)
    landed = tables.read("gold.customers").withColumn("_landed_on", F.lit(TODAY))
    tables.append("bronze.crm", landed)
    watched = Watched(tables)
    maintain(tables, watched, generations=2, many_files=100)
    days = {name: hours / 24 for name, hours in watched.hours.items()}
    # The one of 60 days ago is not kept; the one of 40 days ago is, with its inputs.
    assert days["gold.customers"] == 42
    assert days["silver.crm"] == 54
    assert days["bronze.crm"] == 14


def test_what_is_published_again_is_kept_for_as_long_as_since_it_first_was(
    tables: DeltaTables,
) -> None:
    """A return pins what was overtaken long ago, and so may what upkeep publishes on top of it."""
    for days_ago in (30, 17, 10):
        version = rows(tables, str(days_ago))
        silver = tables.append("silver.crm", tables.read("gold.customers"))
        pins = {"gold.customers": version}
        generation(tables, pins, {"silver.crm": silver}, days_ago=days_ago)
    _, first, _ = generations(tables)
    roll_back(tables, first, run_id="r", published_at=NOW - timedelta(days=5))
    [*_, last] = publications(tables)
    assert repin(tables, last, {}, run_id="upkeep", published_at=NOW - timedelta(days=1))

    watched = Watched(tables)
    maintain(tables, watched, generations=1, many_files=100)

    days = {name: hours / 24 for name, hours in watched.hours.items()}
    assert (days["gold.customers"], days["silver.crm"]) == (17 + 2, 17 + 14)


def test_days_past_their_retention_go_but_the_last_ones_of_each_segment_stay(
    tables: DeltaTables,
) -> None:
    old, older = TODAY - timedelta(days=20), TODAY - timedelta(days=30)
    days = [("a", TODAY), ("a", old), ("a", older), ("paused", older - timedelta(days=1))]
    days += [("a", older - timedelta(days=2))]

    def of(*tail: object) -> list[tuple[object, ...]]:
        return [(day, segment, *tail) for segment, day in days]

    spark = tables.spark
    members = of("c_1", 1)
    # The oldest day had none.
    tables.append("segments.members", spark.createDataFrame(members[:-1], MEMBERS.ddl))
    changes = of("c_1", "stayed")
    tables.append("segments.changes", spark.createDataFrame(changes, CHANGES.ddl))
    sizes = of(1, 0, 0, 1, 1, "f", "x")
    tables.append("segments.sizes", spark.createDataFrame(sizes, SIZES.ddl))
    runs = [
        (f"run {ago}", TODAY - timedelta(days=ago), "collect", "", "done", NOW, 1.0, {}, "", "")
        for ago in (99, 101)
    ]
    tables.append("ops.runs", spark.createDataFrame(runs, RUNS.ddl))
    ago = [TODAY - timedelta(days=days) for days in (99, 101, 103)]
    held = [("crm", "a", "c_1", "no_consent", day) for day in ago]
    tables.append("activation.held_back", tables.frame(held, HELD_BACK.ddl))
    tables.append(
        "activation.settled",
        tables.frame([{"destination": "crm", "as_of": ago[-1]}], SETTLED.ddl),
    )

    maintain(tables, Watched(tables), many_files=100)

    # Today and the day before it in time; the paused segment's only day; nothing else.
    kept = {TODAY, old, older - timedelta(days=1)}
    for name in ("segments.members", "segments.changes", "segments.sizes"):
        assert {row["as_of"] for row in tables.read(name).collect()} == kept, name
    assert [row["run_id"] for row in tables.read("ops.runs").collect()] == ["run 99"]
    # Of an export that found nothing new since, its last plan tells who is held back.
    left = {row["as_of"] for row in tables.read("activation.held_back").collect()}
    assert left == {ago[0], ago[2]}


def aged(tables: DeltaTables, table: str, *, days: int) -> None:
    """Make every commit of a table look as if made so many days ago, to Delta too."""
    then = datetime.now(UTC) - timedelta(days=days)
    folder = Path(tables.location(table))
    for commit in sorted((folder / "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in commit.read_text().splitlines()]
        for action in actions:
            if "remove" in action:
                action["remove"]["deletionTimestamp"] = int(then.timestamp() * 1000)
        commit.write_text("\n".join(json.dumps(action) for action in actions))
    for path in folder.rglob("*"):
        if path.suffix == ".crc":
            path.unlink()
        elif path.is_file():
            os.utime(path, (then.timestamp(), then.timestamp()))
    forget_logs(tables.spark)


@pytest.mark.slow
def test_versions_older_than_a_week_are_read_and_vacuumed_by_the_hours_given(
    tables: DeltaTables,
) -> None:
    for customer in ("a", "b"):
        frame = tables.spark.createDataFrame([(customer,)], "customer_id STRING")
        tables.overwrite("gold.customers", frame)
    aged(tables, "gold.customers", days=20)

    def first_version() -> list[str]:
        tables.spark.catalog.clearCache()
        return [r["customer_id"] for r in tables.read("gold.customers", version=0).collect()]

    assert first_version() == ["a"]
    tables.vacuum("gold.customers", keep_hours=30 * 24)
    assert first_version() == ["a"]
    tables.vacuum("gold.customers", keep_hours=10 * 24)
    with pytest.raises(Exception, match=r"FILE_NOT_EXIST|does not exist|FILE_NOT_FOUND"):
        first_version()
    assert [r["customer_id"] for r in tables.read("gold.customers").collect()] == ["b"]


@pytest.mark.slow
def test_an_empty_lake_is_no_fault(tables: DeltaTables) -> None:
    assert maintain(tables, Watched(tables)).counts["tables_vacuumed"] == 0
