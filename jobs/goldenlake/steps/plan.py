"""Draws the plan of an export, before anything is sent; and lets a person approve it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F

from goldenlake.declarations.catalogue import Catalogue
from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.destination import Destination
from goldenlake.declarations.segment import HoldOut, Segment
from goldenlake.declarations.source import Source
from goldenlake.declarations.targets import account_of
from goldenlake.destinations import capabilities_of
from goldenlake.errors import PlanUnknown, SegmentNotBuilt, TableMissing
from goldenlake.ports import Capabilities, Tables
from goldenlake.schemas import APPROVALS, LEDGER, MEMBERS, OUTBOX, SETTLED, SIZES
from goldenlake.steps.doubts import unread_files
from goldenlake.steps.generations import (
    Generation,
    data_mark,
    fingerprint,
    latest_generation,
    read,
)
from goldenlake.steps.people import Newest
from goldenlake.steps.planned import ACTIONS, Plan, digest, segment_plan
from goldenlake.transforms.planning import changed_fields, numbered, plan_rows, summary
from goldenlake.transforms.segments import follow_merges
from goldenlake.transforms.withholding import at_cap, with_withheld

#: Raise it when the code plans differently from the same state: every plan is drawn anew then.
LOGIC = 14
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A plan with its rows; ``rows`` is kept in memory until the plan is let go."""

    plan: Plan
    rows: DataFrame
    newest: Newest

    def changes(self) -> DataFrame:
        """The rows to send, with ``operation`` and ``batch``."""
        capacity = {each.segment: each.capacity for each in self.plan.segments}
        removals = {each.segment: each.removed for each in self.plan.segments}
        return numbered(self.rows, capacity, removals)


@dataclass(frozen=True, kw_only=True)
class PlanExport:
    """The plan of an export; nothing is written.

    Grants must not have expired by the end of the day, by that of the newest generation's day, nor
    by ``now``, so that a past day that is exported late sends nothing that has ended since.
    """

    destination: Destination
    consent: ConsentPolicy
    as_of: date
    now: datetime | None = None
    segments: Mapping[str, Segment] = field(default_factory=dict)
    """Those of the destination, by name: for their control groups."""
    sources: Sequence[Source] = ()
    """Those that state consent: what was set aside of them may be a no."""
    elsewhere: Sequence[str] = ()
    """Destinations in other accounts, whose people are none of this one's."""

    @classmethod
    def of(
        cls, catalogue: Catalogue, name: str, *, as_of: date, now: datetime | None = None
    ) -> PlanExport:
        """The plan of a declared destination."""
        destination = catalogue.destinations[name]
        return cls(
            destination=destination,
            consent=catalogue.consent,
            as_of=as_of,
            now=now,
            segments={name: catalogue.segments[name] for name in destination.segments},
            sources=[source for source in catalogue.sources.values() if source.consents],
            elsewhere=[
                name
                for name, other in catalogue.destinations.items()
                if account_of(other.target) != account_of(destination.target)
            ],
        )

    @property
    def hold_outs(self) -> dict[str, HoldOut]:
        """Control groups by segment, of those that have one."""
        return {name: of.hold_out for name, of in self.segments.items() if of.hold_out}

    def run(self, tables: Tables) -> Plan:
        """Raises SegmentNotBuilt; TableMissing before the first publication."""
        with self.drawn(tables, capabilities_of(self.destination)) as drawn:
            samples, overlap = _samples(drawn.rows), _overlap(drawn.rows)
            changed = _by_segment(changed_fields(drawn.rows))
            segments = [
                replace(
                    each,
                    samples={a: samples.get((each.segment, a), []) for a in ACTIONS},
                    overlap=overlap.get(each.segment, {}),
                    changed_fields=changed.get(each.segment, {}),
                )
                for each in drawn.plan.segments
            ]
            return replace(drawn.plan, segments=segments, in_flight=self._in_flight(tables))

    @contextmanager
    def drawn(self, tables: Tables, can: Capabilities) -> Iterator[Drawn]:
        """The plan and its rows, which are computed once and let go at the end."""
        generation = _published(tables)
        newest = self.newest(tables, generation)
        newest.types  # noqa: B018 - fields that the tables do not have are named before any work
        sizes = self._sizes(tables)
        members = self._members(tables, newest, sizes)
        ledger = newest.with_todays_owner(self._ledger(tables))
        either = members.select("customer_id").unionByName(ledger.select("customer_id"))
        rows = plan_rows(
            members=members,
            people=newest.people(either),
            ledger=ledger,
            opted_out=newest.opted_out,
            mode=self.destination.mode,
            adds_nobody=self.adds_nobody(tables),
            removes_all_sent=can.removes_all_sent,
        ).persist()
        try:
            found = summary(rows, self.as_of).collect()
            yield Drawn(
                plan=self._plan(tables, generation, found, sizes, can), rows=rows, newest=newest
            )
        finally:
            rows.unpersist()

    def newest(self, tables: Tables, generation: Generation) -> Newest:
        """Everybody as a generation knows them, judged by the consent gate."""
        return Newest(
            tables=tables,
            generation=generation,
            destination=self.destination,
            consent=self.consent,
            at=self._judged_at(generation),
            sources=self.sources,
        )

    def _judged_at(self, generation: Generation) -> datetime:
        last = max(self.as_of, generation.as_of)
        end = datetime.combine(last + timedelta(days=1), time(), UTC)
        return max(end, self.now or end)

    def basis(self, tables: Tables) -> tuple[str, datetime]:
        """A hash over all that a plan depends on but the ledger and the time, and that time.

        Empty where it is not known who the members are. Raises as ``run``.
        """
        generation = _published(tables)
        sizes = self._sizes(tables)
        members = {name: _content(sizes[name]) for name in self.destination.segments}
        if None in members.values():
            return "", self._judged_at(generation)
        # What counts for a cap moves with the day.
        day = self.as_of.isoformat() if self.destination.cap else ""
        declared = (LOGIC, self.destination, self.consent, members, self.hold_outs, day)
        aside = (f"quarantine.{source.source}" for source in self.sources)
        versions = {name: at for name in aside if (at := tables.version(name)) is not None}
        read_anew = data_mark(tables, versions, *self.sources) if versions else ""
        unread = self.adds_nobody(tables)
        mark = fingerprint({"generation": generation.generation}, *declared, read_anew, unread)
        return mark, self._judged_at(generation)

    def adds_nobody(self, tables: Tables) -> bool:
        """Whether a file is broken in which somebody may have said no."""
        if self.destination.guards.add_despite_unread_consents:
            return False
        where = self.destination.purpose, self.destination.channel
        return any(
            unread_files(tables, source)
            for source in self.sources
            if any(mapping.may_be_about(*where) for mapping in source.consents)
        )

    def _sizes(self, tables: Tables) -> Mapping[str, Row]:
        """The row of the day of each segment. Raises SegmentNotBuilt."""
        rows = tables.rows("segments.sizes", SIZES.ddl)
        sizes = {row["segment"]: row for row in rows if row["as_of"] == self.as_of}
        for segment in self.destination.segments:
            if segment not in sizes:
                raise SegmentNotBuilt(
                    destination=self.destination.destination,
                    segment=segment,
                    as_of=self.as_of.isoformat(),
                )
        return sizes

    def _members(self, tables: Tables, newest: Newest, sizes: Mapping[str, Row]) -> DataFrame:
        """``segment, customer_id`` of the day, by today's ids."""
        today = newest.generation.generation
        then = min((sizes[name]["generation"] for name in self.destination.segments), default=today)
        members = (
            tables.read_or_empty("segments.members", MEMBERS.ddl)
            .where(F.col("as_of") == F.lit(self.as_of))
            .where(F.col("segment").isin(list(self.destination.segments)))
            .select("segment", "customer_id")
        )
        todays = follow_merges(members, newest.history, after=then, to=today).distinct()
        return with_withheld(
            todays,
            hold_outs=self.hold_outs,
            priority=self.destination.priority,
            capped=self._capped(tables, newest),
        )

    def _capped(self, tables: Tables, newest: Newest) -> DataFrame | None:
        cap, generation = self.destination.cap, newest.generation
        if cap is None or "gold.interactions" not in generation.tables:
            return None
        return at_cap(
            read(tables, generation, "gold.interactions"),
            cap,
            keys=newest.keys,
            bearers=newest.bearers,
            channel=self.destination.channel,
            as_of=self.as_of,
        )

    def _ledger(self, tables: Tables) -> DataFrame:
        """All of the destination's records: those of a segment that it is no longer sent count as
        having left.
        """
        ledger = tables.read_or_empty("activation.ledger", LEDGER.ddl)
        return ledger.where(F.col("destination") == self.destination.destination)

    def _plan(
        self,
        tables: Tables,
        generation: Generation,
        found: Sequence[Row],
        sizes: Mapping[str, Row],
        can: Capabilities,
    ) -> Plan:
        names = sorted({*self.destination.segments, *(row["segment"] for row in found)})
        before = self._last_export(tables)
        segments = [
            segment_plan(
                self.destination,
                name,
                [row for row in found if row["segment"] == name],
                sizes[name] if name in self.destination.segments else None,
                can,
                self.as_of,
                before.get(name, {}),
            )
            for name in names
        ]
        turns = [row["until_micros"] for row in found if row["until_micros"] is not None]
        plan_hash = digest(*(each.delivery_id for each in segments))
        is_held = any(each.verdicts for each in segments)
        return Plan(
            destination=self.destination.destination,
            as_of=self.as_of,
            generation=generation.generation,
            plan_hash=plan_hash,
            segments=segments,
            is_approved=is_held and self._is_approved(tables, plan_hash),
            good_until=EPOCH + timedelta(microseconds=min(turns)) if turns else None,
        )

    def _last_export(self, tables: Tables) -> Mapping[str, Mapping[str, Any]]:
        """What the last export told of each segment, whole or not."""
        rows = tables.rows("activation.settled", SETTLED.ddl, _details)
        told = [
            row["details"] for row in rows if row["destination"] == self.destination.destination
        ]
        segments: Mapping[str, Mapping[str, Any]] = json.loads(told[0])["segments"] if told else {}
        return segments

    def _is_approved(self, tables: Tables, plan_hash: str) -> bool:
        approvals = tables.read_or_empty("activation.approvals", APPROVALS.ddl)
        ours = approvals.where(
            (F.col("destination") == self.destination.destination) & (F.col("plan") == plan_hash)
        )
        return not ours.isEmpty()

    def _in_flight(self, tables: Tables) -> int:
        outbox = tables.read_or_empty("activation.outbox", OUTBOX.ddl)
        return outbox.where(F.col("destination") == self.destination.destination).count()


def _published(tables: Tables) -> Generation:
    generation = latest_generation(tables)
    if generation is None:
        raise TableMissing("gold.customers", mend="No generation is published: run the night.")
    return generation


def _content(size: Row) -> str | None:
    """What tells a segment's members; None of a size that was written before it was kept."""
    return size["content"] if "content" in size else None  # noqa: SIM401 - a Row has no get


def approve(
    tables: Tables, plan: Plan, plan_hash: str, *, by: str, reason: str, at: datetime
) -> None:
    """Let a plan pass its guards; any other plan of the destination stays held.

    Raises PlanUnknown where ``plan_hash``, which the person has looked at, is not its hash.
    """
    if plan_hash != plan.plan_hash:
        raise PlanUnknown(
            destination=plan.destination,
            as_of=plan.as_of.isoformat(),
            given=plan_hash,
            current=plan.plan_hash,
        )
    row = (plan.destination, plan_hash, by, reason, at)
    tables.append("activation.approvals", tables.frame([row], APPROVALS.ddl))


def _details(settled: DataFrame) -> DataFrame:
    return settled.select("destination", "details")


def _overlap(rows: DataFrame) -> dict[str, dict[str, int]]:
    """How many members two segments share, in both directions."""
    members = rows.where(F.col("is_wanted") | (F.col("action") == "held"))
    one, other = (members.select("customer_id", F.col("segment").alias(n)) for n in ("one", "two"))
    shared = one.join(other, "customer_id", how="inner").where("one <> two")
    return _by_segment(shared.groupBy("one", "two").count())


def _by_segment(counts: DataFrame) -> dict[str, dict[str, int]]:
    """From rows of a segment, what is counted in it, and how many."""
    found: dict[str, dict[str, int]] = {}
    for segment, what, count in sorted(counts.collect()):
        found.setdefault(segment, {})[what] = count
    return found


def _samples(rows: DataFrame) -> dict[tuple[str, str], list[str]]:
    smallest = Window.partitionBy("segment", "action").orderBy("customer_id", "key")
    found = (
        rows.where(F.col("action").isin(*ACTIONS))
        .withColumn("_rank", F.row_number().over(smallest))
        .where(F.col("_rank") <= _SAMPLES)
        .select("segment", "action", "customer_id")
        .collect()
    )
    samples: dict[tuple[str, str], list[str]] = {}
    for row in sorted(found):
        samples.setdefault((row["segment"], row["action"]), []).append(row["customer_id"])
    return samples
