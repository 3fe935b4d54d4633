"""The maintain step: compact small files, remove what nothing needs any longer, shorten logs.

Readers see the same before and after. Compacting a table of the published generation makes a new
version of it, and a build would restore the old one; so the compacted versions are published as
one further generation with the same content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pyspark.sql import Row
from pyspark.sql import functions as F

from goldenlake.declarations.base import parse_duration
from goldenlake.declarations.environment import Retention
from goldenlake.ports import Clock, Maintenance, Progress, StepResult, Tables
from goldenlake.schemas import SETTLED, SIZES
from goldenlake.steps.generations import (
    generation_tables,
    lake_tables,
    latest_generation,
    publications,
    repin,
    staged,
)
from goldenlake.steps.reading import write_pointer

#: Delta refuses to vacuum below its own default, one week, which protects long-running readers.
LEAST_KEPT = timedelta(days=7)
#: How long before it was first published a pinned version may have been overtaken. Tables of a
#: generation stand still from building to publishing. Its inputs do not: they are pinned when
#: resolve starts, and a generation that was held may be published days later.
MARGIN = timedelta(days=2)
INPUT_MARGIN = timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class Maintain:
    """Upkeep of all tables of the lake."""

    sources: Sequence[str]
    retention: Retention
    as_of: date
    run_id: str
    many_files: int = 16
    """A table with fewer files is left as it is."""

    def run(
        self, tables: Tables, maintenance: Maintenance, clock: Clock, progress: Progress
    ) -> StepResult:
        """Shorten, compact, re-pin, vacuum: in this order, and idempotent at every point.

        Rows go first, so that their files age until the next time. A crash between compacting and
        re-pinning is harmless: the next build restores the pinned versions, which are kept.
        """
        now = clock.now()
        removed = self._shorten(tables)
        compacted = self._compact(tables, maintenance, progress)
        repinned = self._repin(tables, compacted, now)
        vacuumed = self._vacuum(tables, maintenance, now, progress)
        return StepResult(
            step="maintain",
            counts={
                "tables_compacted": len(compacted),
                "tables_repinned": repinned,
                "tables_vacuumed": len(vacuumed),
                "days_removed": removed,
            },
            details={"kept_hours": {name: round(hours) for name, hours in vacuumed.items()}},
        )

    def _shorten(self, tables: Tables) -> int:
        """Remove days that are past their retention; gives how many, counted by table."""
        old_runs = self.as_of - parse_duration(self.retention.runs)
        removed = _remove_days(tables, "ops.runs", _days_before(tables, "ops.runs", old_runs))
        # Of an export that found nothing new since, that day is what is known of it.
        judged = {row["as_of"] for row in tables.rows("activation.settled", SETTLED.ddl)}
        days = _days_before(tables, "activation.held_back", old_runs)
        removed += _remove_days(tables, "activation.held_back", set(days) - judged)
        old_members = self.as_of - parse_duration(self.retention.table_history)
        kept = _days_still_needed(tables)
        # Sizes say that a day's segments are built. They go first: a day without members that
        # counted as built would look like an empty audience, and an export would remove everybody.
        names = ("segments.sizes", "segments.changes", "segments.members")
        past = {day for name in names for day in _days_before(tables, name, old_members)}
        for name in names:
            removed += _remove_days(tables, name, past - kept)
        return removed

    def _compact(
        self, tables: Tables, maintenance: Maintenance, progress: Progress
    ) -> dict[str, int]:
        """Compact tables of many files; gives the new versions of those that changed.

        A generation table whose newest version is not the published one holds a build that is
        not published yet: it is left alone, for compacting and pinning it would publish it. So are
        all where something is staged: one further generation would overtake it.
        """
        base = latest_generation(tables)
        is_built_on = any(staged(tables, step) for step in ("resolve", "golden"))
        pinned = dict(base.tables) if base and not is_built_on else {}
        compacted: dict[str, int] = {}
        of_generations = generation_tables(tables)
        for name in lake_tables(tables, self.sources):
            before = tables.version(name)
            is_pinned = name in of_generations
            if before is None or (is_pinned and pinned.get(name) != before):
                continue
            if len(tables.read(name).inputFiles()) < self.many_files:
                continue
            progress(f"compacting {name}")
            maintenance.optimize(name)
            after = tables.version(name)
            # Another writer's commit in between is not ours to publish.
            if after is not None and after == before + 1:
                compacted[name] = after
        return compacted

    def _repin(self, tables: Tables, compacted: Mapping[str, int], now: datetime) -> int:
        """Publish compacted tables of the generation; gives how many."""
        published = publications(tables)
        if not published:
            return 0
        row = published[-1]
        # Published by another process meanwhile: then that one's versions stand.
        versions = {
            name: version
            for name, version in compacted.items()
            if row["tables"].get(name) == version - 1
        }
        if not versions:
            return 0
        if not repin(tables, row, versions, run_id=self.run_id, published_at=now):
            return 0
        latest = latest_generation(tables)
        if latest is not None:
            write_pointer(tables, latest)
        return len(versions)

    def _vacuum(
        self, tables: Tables, maintenance: Maintenance, now: datetime, progress: Progress
    ) -> dict[str, float]:
        """Vacuum every table; gives the hours that were kept of each."""
        published = publications(tables)
        since = _first_published(published)
        least = max(parse_duration(self.retention.table_history), LEAST_KEPT)
        hours: dict[str, float] = {}
        for name in lake_tables(tables, self.sources):
            needed = [least]
            for row in published[-self.retention.generations :]:
                pins, inputs = row["tables"], row["inputs"] or {}
                if name in pins:
                    needed.append(now - since[name, pins[name]] + MARGIN)
                elif name in inputs:
                    needed.append(now - since[name, inputs[name]] + INPUT_MARGIN)
            hours[name] = max(needed) / timedelta(hours=1)
            progress(f"vacuuming {name}, keeping {hours[name]:.0f} h")
            maintenance.vacuum(name, keep_hours=hours[name])
        return hours


def _first_published(published: Sequence[Row]) -> dict[tuple[str, int], datetime]:
    """When each version of a table was first pinned. It may have been overtaken from then on: a
    return, and what upkeep publishes once more, pin it again long afterwards.
    """
    first: dict[tuple[str, int], datetime] = {}
    for row in published:
        for pin in [*row["tables"].items(), *(row["inputs"] or {}).items()]:
            first.setdefault(pin, _utc(row["published_at"]))
    return first


def _utc(instant: datetime) -> datetime:
    """Spark gives instants in the process's zone, without saying so."""
    return instant if instant.tzinfo else instant.astimezone(UTC)


def _days_before(tables: Tables, name: str, first_kept: date) -> list[date]:
    if not tables.exists(name):
        return []
    days = tables.read(name).where(F.col("as_of") < F.lit(first_kept)).select("as_of").distinct()
    return sorted(row["as_of"] for row in days.collect())


def _days_still_needed(tables: Tables) -> set[date]:
    """Days that the next build of segments, or a repetition of the last one, goes on from."""
    sizes = tables.rows("segments.sizes", SIZES.ddl)
    newest: dict[str, date] = {}
    for row in sizes:
        newest[row["segment"]] = max(row["as_of"], newest.get(row["segment"], date.min))
    return {*newest.values(), *sorted({row["as_of"] for row in sizes})[-2:]}


def _remove_days(tables: Tables, name: str, days: Iterable[date]) -> int:
    listed = sorted(days)
    if not listed or not tables.exists(name):
        return 0
    tables.delete_slice(name, where={"as_of": listed})
    return len(listed)
