"""Builds the audiences of a day from the published generation, and says who came and who went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from goldenlake.columns.content import content_of
from goldenlake.declarations.segment import Segment
from goldenlake.errors import TableMissing
from goldenlake.ports import Progress, StepResult, Tables
from goldenlake.schemas import HISTORY, MEMBERS, SIZES
from goldenlake.steps.generations import Generation, fingerprint, latest_generation, read
from goldenlake.transforms.segments import follow_merges, memberships, movements

_EVENTS = ("gold.interactions", "gold.purchases")


@dataclass(frozen=True, kw_only=True)
class BuildSegments:
    """Members, changes and sizes of all segments for one day.

    Events after the day are not looked at; attributes and metrics are those of the newest
    generation. Static segments are judged the first time that they are built and carried forward
    from then on. The same generation, declarations and day before give the same rows: then
    nothing is written and the result is ``skipped``.
    """

    segments: Sequence[Segment]
    as_of: date
    run_id: str

    def run(self, tables: Tables, progress: Progress) -> StepResult:
        """Build what is not built yet. Raises TableMissing before the first publication."""
        generation = latest_generation(tables)
        if generation is None:
            raise TableMissing("gold.customers", mend="No generation is published: run the night.")
        sizes = tables.rows("segments.sizes", SIZES.ddl)
        before = self._before(sizes)
        print_now = fingerprint(
            {"generation": generation.generation},
            [each.model_dump(mode="json", by_alias=True) for each in self._ordered()],
            {name: [str(row["as_of"]), row["fingerprint"]] for name, row in before.items()},
        )
        done = {r["segment"]: r["fingerprint"] for r in sizes if r["as_of"] == self.as_of}
        if done == {each.segment: print_now for each in self.segments}:
            return StepResult(step="segments", status="skipped", details=self._details(print_now))

        progress(f"{len(self.segments)} segments over generation {generation.generation}")
        previous = self._previous_members(tables, generation, before)
        self._write_members(tables, generation, previous, before)
        rows = self._write_changes(tables, generation, previous, print_now)
        counts = {name: sum(row[name] for row in rows) for name in _COUNTS}
        by_segment = {row["segment"]: {n: row[n] for n in _COUNTS} for row in rows}
        return StepResult(
            step="segments",
            counts={"segments": len(self.segments), **counts},
            details=self._details(print_now) | {"sizes": by_segment},
        )

    def _ordered(self) -> list[Segment]:
        return sorted(self.segments, key=lambda each: each.segment)

    def _details(self, print_now: str) -> dict[str, object]:
        return {"fingerprint": print_now}

    def _before(self, sizes: Sequence[Row]) -> dict[str, Row]:
        """For each segment its row of the latest earlier day on which it was built."""
        before: dict[str, Row] = {}
        known = {each.segment for each in self.segments}
        for row in sorted(sizes, key=lambda row: row["as_of"]):
            if row["as_of"] < self.as_of and row["segment"] in known:
                before[row["segment"]] = row
        return before

    def _previous_members(
        self, tables: Tables, generation: Generation, before: Mapping[str, Row]
    ) -> DataFrame:
        """``segment, customer_id`` of those days, by today's ids."""
        members = tables.read_or_empty("segments.members", MEMBERS.ddl)
        if not before:
            return members.where(F.lit(False)).select("segment", "customer_id")
        days: dict[date, list[str]] = {}
        for name, row in before.items():
            days.setdefault(row["as_of"], []).append(name)
        slices = [
            (F.col("as_of") == F.lit(day)) & F.col("segment").isin(names)
            for day, names in days.items()
        ]
        members = members.where(reduce(Column.__or__, slices)).select("segment", "customer_id")
        oldest = min(row["generation"] for row in before.values())
        return follow_merges(
            members, history_of(tables, generation), after=oldest, to=generation.generation
        ).distinct()

    def _write_members(
        self,
        tables: Tables,
        generation: Generation,
        previous: DataFrame,
        before: Mapping[str, Row],
    ) -> None:
        settled = {
            each.segment
            for each in self.segments
            if each.kind == "static" and each.segment in before
        }
        found = memberships(
            self._ordered(),
            as_of=self.as_of,
            customers=read(tables, generation, "gold.customers"),
            metrics=read(tables, generation, "gold.metrics"),
            events={
                name: read(tables, generation, name)
                for name in _EVENTS
                if name in generation.tables
            },
            kept=previous,
            settled=settled,
        )
        rows = found.select(
            F.lit(self.as_of).alias("as_of"),
            "segment",
            "customer_id",
            F.lit(generation.generation).cast("bigint").alias("generation"),
        )
        tables.replace_slice("segments.members", rows, where={"as_of": self.as_of})

    def _write_changes(
        self, tables: Tables, generation: Generation, previous: DataFrame, print_now: str
    ) -> list[Row]:
        """Changes from the members as written, then sizes from the changes as written."""
        today = F.col("as_of") == F.lit(self.as_of)
        now = tables.read("segments.members").where(today).select("segment", "customer_id")
        changes = movements(now, previous).select(
            F.lit(self.as_of).alias("as_of"), "segment", "customer_id", "change"
        )
        tables.replace_slice("segments.changes", changes, where={"as_of": self.as_of})
        counted = (
            tables.read("segments.changes")
            .where(today)
            .groupBy("segment")
            .agg(
                *(F.count_if(F.col("change") == each).alias(each) for each in _COUNTS[1:]),
                content_of(F.col("customer_id"), only=F.col("change") != "exited").alias("content"),
            )
        )
        found = {row["segment"]: row for row in counted.collect()}
        rows = [
            _size(
                each.segment, self.as_of, found.get(each.segment), generation.generation, print_now
            )
            for each in self._ordered()
        ]
        frame = tables.frame(rows, SIZES.ddl)
        tables.replace_slice("segments.sizes", frame, where={"as_of": self.as_of})
        return rows


_COUNTS = ("members", "entered", "exited", "stayed")


def _size(
    segment: str,
    as_of: date,
    found: Row | None,
    generation: int,
    print_now: str,
) -> Row:
    entered, exited, stayed = (found[change] if found else 0 for change in _COUNTS[1:])
    return Row(
        as_of=as_of,
        segment=segment,
        members=entered + stayed,
        entered=entered,
        exited=exited,
        stayed=stayed,
        generation=generation,
        fingerprint=print_now,
        content=found["content"] if found else "",
    )


def history_of(tables: Tables, generation: Generation) -> DataFrame:
    """identity.history as the generation pins it, or no rows where it has none."""
    if "identity.history" in generation.tables:
        return read(tables, generation, "identity.history")
    return tables.frame([], HISTORY.ddl)
