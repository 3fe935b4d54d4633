"""What an export would do, before anything is sent: sizes, reasons, guards, and the plan's hash."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F

from goldenlake.declarations.catalogue import Catalogue
from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.destination import Destination, Guards
from goldenlake.declarations.segment import HoldOut, Segment
from goldenlake.destinations import capabilities_of
from goldenlake.errors import PlanUnknown, SegmentNotBuilt, TableMissing
from goldenlake.ports import Capabilities, Tables
from goldenlake.schemas import APPROVALS, LEDGER, MEMBERS, OUTBOX, SETTLED, SIZES
from goldenlake.steps.generations import Generation, fingerprint, latest_generation, read
from goldenlake.steps.people import Newest
from goldenlake.transforms.planning import numbered, plan_rows, summary
from goldenlake.transforms.segments import follow_merges
from goldenlake.transforms.withholding import at_cap, with_withheld

#: Raise it when the code plans differently from the same state: every plan is drawn anew then.
LOGIC = 3
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SAMPLES = 5
_ACTIONS = ("add", "update", "remove")


@dataclass(frozen=True, kw_only=True)
class SegmentPlan:
    """What would become of one segment at a destination; ids are customer ids only."""

    segment: str
    delivery_id: str
    members: int
    wanted: int
    """Members who may be sent and have a key."""
    acknowledged: int
    """Records that are there because of us, as far as we know."""
    added: int
    updated: int
    removed: int
    unchanged: int
    reowned: int
    """Unchanged records that now belong to another customer id, after a merge."""
    turned_back: int
    """Changes to what was acknowledged for a later day."""
    held_back: Mapping[str, int]
    """How many members are held back, by reason."""
    removed_for: Mapping[str, int]
    batches: int
    capacity: int
    """Records in a batch."""
    calls: int
    minutes: float | None
    """None where the destination publishes no rate."""
    verdicts: Sequence[str] = ()
    """What the guards object to."""
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    overlap: Mapping[str, int] = field(default_factory=dict)
    """Members of other segments of the destination among its own, by segment."""
    entered: int = 0
    """Members of the day who were none the day before."""
    exited: int = 0

    @property
    def unmatched(self) -> int:
        """Members without a key."""
        return self.held_back.get("no_key", 0)

    @property
    def changes(self) -> int:
        """Records that would be sent."""
        return self.added + self.updated + self.removed


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one export would do; the same state of the lake gives the same hash."""

    destination: str
    as_of: date
    generation: int
    plan_hash: str
    segments: Sequence[SegmentPlan]
    in_flight: int = 0
    """Records of an interrupted delivery that will be finished first."""
    is_approved: bool = False
    good_until: datetime | None = None
    """The first instant at which time alone may change a verdict; None: never."""

    @property
    def changes(self) -> int:
        """Records that would be sent."""
        return sum(each.changes for each in self.segments)

    @property
    def objections(self) -> list[str]:
        """What the guards object to, in all segments."""
        return [f"{s.segment}: {verdict}" for s in self.segments for verdict in s.verdicts]


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
        )

    @property
    def hold_outs(self) -> dict[str, HoldOut]:
        """Control groups by segment, of those that have one."""
        return {name: of.hold_out for name, of in self.segments.items() if of.hold_out}

    def run(self, tables: Tables) -> Plan:
        """Raises SegmentNotBuilt; TableMissing before the first publication."""
        with self.drawn(tables, capabilities_of(self.destination)) as drawn:
            samples, overlap = _samples(drawn.rows), _overlap(drawn.rows)
            segments = [
                replace(
                    each,
                    samples={a: samples.get((each.segment, a), []) for a in _ACTIONS},
                    overlap=overlap.get(each.segment, {}),
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
        mark = fingerprint({"generation": generation.generation}, *declared)
        return mark, self._judged_at(generation)

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
        then = min(sizes[segment]["generation"] for segment in self.destination.segments)
        members = (
            tables.read_or_empty("segments.members", MEMBERS.ddl)
            .where(F.col("as_of") == F.lit(self.as_of))
            .where(F.col("segment").isin(list(self.destination.segments)))
            .select("segment", "customer_id")
        )
        todays = follow_merges(
            members, newest.history, after=then, to=newest.generation.generation
        ).distinct()
        return with_withheld(
            todays,
            hold_outs=self.hold_outs,
            priority=self.destination.priority,
            capped=self._capped(tables, newest.generation),
        )

    def _capped(self, tables: Tables, generation: Generation) -> DataFrame | None:
        cap = self.destination.cap
        if cap is None or "gold.interactions" not in generation.tables:
            return None
        interactions = read(tables, generation, "gold.interactions")
        return at_cap(interactions, cap, channel=self.destination.channel, as_of=self.as_of)

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
        before = self._matched_before(tables)
        segments = [
            _segment_plan(
                self.destination,
                name,
                [row for row in found if row["segment"] == name],
                sizes[name] if name in self.destination.segments else None,
                can,
                self.as_of,
                before.get(name),
            )
            for name in names
        ]
        turns = [row["until_micros"] for row in found if row["until_micros"] is not None]
        plan_hash = _hash(*(each.delivery_id for each in segments))
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

    def _matched_before(self, tables: Tables) -> Mapping[str, float]:
        """Share of the members with a key at the last whole export, by segment."""
        rows = tables.rows("activation.settled", SETTLED.ddl, _details)
        told = [
            row["details"] for row in rows if row["destination"] == self.destination.destination
        ]
        segments = json.loads(told[0])["segments"] if told else {}
        return {
            name: 1 - of["held_back"].get("no_key", 0) / of["members"]
            for name, of in segments.items()
            if of["members"] >= self.destination.guards.least_members
        }

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


def judge(plan: SegmentPlan, guards: Guards, matched_before: float | None = None) -> list[str]:
    """What speaks against sending a plan; empty: nothing. Counts only, free of personal data.

    ``matched_before`` is the share of the members that had a key at the last export.
    """
    verdicts = []
    matched = 1 - plan.unmatched / plan.members if plan.members else 1.0
    if matched_before and 1 - matched / matched_before > guards.largest_match_drop:
        verdicts.append(
            f"{matched:.0%} of the members have a key, {matched_before:.0%} had one before; "
            f"the limit is a drop by {guards.largest_match_drop:.0%}."
        )
    known = plan.acknowledged
    if known and plan.removed and not plan.wanted and not guards.allow_empty:
        verdicts.append(
            f"the audience would become empty ({plan.members} members, none may be sent; "
            f"{known} are there)."
        )
    change = (plan.added + plan.removed) / known if known else 0.0
    if known >= guards.least_members and change > guards.largest_change:
        verdicts.append(
            f"{change:.0%} of {known} acknowledged members would change; "
            f"the limit is {guards.largest_change:.0%}."
        )
    limit = max(guards.most_removals, math.floor(guards.most_removals_share * known))
    if plan.removed > limit:
        verdicts.append(f"{plan.removed} of {known} would be removed; the limit is {limit}.")
    if plan.turned_back:
        verdicts.append(
            f"{plan.turned_back} records are there as a later day wanted them; this day would turn "
            "them back. Export the newest day instead."
        )
    return verdicts


def _segment_plan(
    destination: Destination,
    segment: str,
    found: Sequence[Row],
    size: Row | None,
    can: Capabilities,
    as_of: date,
    matched_before: float | None,
) -> SegmentPlan:
    def count(action: str, column: str = "records") -> int:
        return sum(row[column] for row in found if row["action"] == action)

    def by_reason(action: str) -> dict[str, int]:
        return {r["reason"]: r["records"] for r in sorted(found, key=str) if r["action"] == action}

    longest = max((row["longest"] or 0 for row in found), default=0)
    capacity = max(1, min(can.batch_records, can.batch_bytes // max(longest, 1)))
    added, updated, removed = (count(action) for action in _ACTIONS)
    batches = math.ceil(removed / capacity) + math.ceil((added + updated) / capacity)
    calls = math.ceil(batches * can.calls_per_batch)
    content = sorted(
        f"{r['action']} {r['reason']} {r['content']}" for r in found if r["action"] in _ACTIONS
    )
    plan = SegmentPlan(
        segment=segment,
        delivery_id="d_" + _hash(destination.destination, segment, str(as_of), *content),
        members=size["members"] if size else 0,
        entered=(size["entered"] or 0) if size else 0,
        exited=(size["exited"] or 0) if size else 0,
        wanted=sum(row["wanted"] for row in found),
        acknowledged=sum(row["there"] for row in found),
        added=added,
        updated=updated,
        removed=removed,
        unchanged=count("unchanged"),
        reowned=count("unchanged", "reowned"),
        turned_back=sum(row["turned_back"] for row in found),
        held_back=by_reason("held"),
        removed_for=by_reason("remove"),
        batches=batches,
        capacity=capacity,
        calls=calls,
        minutes=calls / can.calls_per_second / 60 if can.calls_per_second else None,
    )
    return replace(plan, verdicts=judge(plan, destination.guards, matched_before))


def _details(settled: DataFrame) -> DataFrame:
    return settled.select("destination", "details")


def _overlap(rows: DataFrame) -> dict[str, dict[str, int]]:
    """How many members two segments share, in both directions."""
    members = rows.where(F.col("is_wanted") | (F.col("action") == "held"))
    one, other = (members.select("customer_id", F.col("segment").alias(n)) for n in ("one", "two"))
    shared = one.join(other, "customer_id", how="inner").where("one <> two")
    found: dict[str, dict[str, int]] = {}
    for row in shared.groupBy("one", "two").count().collect():
        found.setdefault(row["one"], {})[row["two"]] = row["count"]
    return found


def _samples(rows: DataFrame) -> dict[tuple[str, str], list[str]]:
    smallest = Window.partitionBy("segment", "action").orderBy("customer_id", "key")
    found = (
        rows.where(F.col("action").isin(*_ACTIONS))
        .withColumn("_rank", F.row_number().over(smallest))
        .where(F.col("_rank") <= _SAMPLES)
        .select("segment", "action", "customer_id")
        .collect()
    )
    samples: dict[tuple[str, str], list[str]] = {}
    for row in sorted(found):
        samples.setdefault((row["segment"], row["action"]), []).append(row["customer_id"])
    return samples


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]
