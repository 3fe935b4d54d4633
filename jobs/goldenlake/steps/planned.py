"""What a plan says: sizes and reasons of each segment, what the guards object to, its hash."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from pyspark.sql import Row

from goldenlake.declarations.destination import Destination, Guards
from goldenlake.declarations.targets import is_another_place, whereabouts
from goldenlake.ports import Capabilities

ACTIONS = ("add", "update", "remove")


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
    perhaps: int = 0
    """Of those that are there, whom a try without an answer may have added: the destination never
    said so."""
    verdicts: Sequence[str] = ()
    """What the guards object to."""
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    overlap: Mapping[str, int] = field(default_factory=dict)
    """Members of other segments of the destination among its own, by segment."""
    changed_fields: Mapping[str, int] = field(default_factory=dict)
    """In how many of the updates a field is another; of records that were first acknowledged
    before that was kept, nothing is told."""
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


def judge(
    plan: SegmentPlan,
    guards: Guards,
    matched_before: float | None = None,
    *,
    is_elsewhere: bool = False,
) -> list[str]:
    """What speaks against sending a plan; empty: nothing. Counts only, free of personal data.

    ``matched_before`` is the share of the members that had a key at the last export;
    ``is_elsewhere`` says that it was sent to another place of the destination's system.
    """
    verdicts = []
    if is_elsewhere and plan.acknowledged:
        verdicts.append(
            f"{plan.acknowledged} records are where target said before, and would stay there. Give "
            "the destination another name; approve if it is the same place by another name."
        )
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
    sure = known - plan.perhaps
    change = (plan.added + plan.removed) / sure if sure else 0.0
    if sure >= guards.least_members and change > guards.largest_change:
        verdicts.append(
            f"{change:.0%} of {sure} acknowledged members would change; "
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


def segment_plan(
    destination: Destination,
    segment: str,
    found: Sequence[Row],
    size: Row | None,
    can: Capabilities,
    as_of: date,
    before: Mapping[str, Any],
) -> SegmentPlan:
    """The plan of one segment, judged by the guards.

    Args:
        found: rows of ``planning.summary`` of the segment.
        size: its row of segments.sizes; None where the destination is no longer sent it.
        before: what the last export told of it.
    """

    def count(action: str, column: str = "records") -> int:
        return sum(row[column] for row in found if row["action"] == action)

    def by_reason(action: str) -> dict[str, int]:
        return {r["reason"]: r["records"] for r in sorted(found, key=str) if r["action"] == action}

    longest = max((row["longest"] or 0 for row in found), default=0)
    capacity = max(1, min(can.batch_records, can.batch_bytes // max(longest, 1)))
    added, updated, removed = (count(action) for action in ACTIONS)
    batches = math.ceil(removed / capacity) + math.ceil((added + updated) / capacity)
    calls = math.ceil(batches * can.calls_per_batch)
    content = sorted(
        f"{r['action']} {r['reason']} {r['content']}" for r in found if r["action"] in ACTIONS
    )
    plan = SegmentPlan(
        segment=segment,
        delivery_id="d_" + digest(destination.destination, segment, str(as_of), *content),
        members=size["members"] if size else 0,
        entered=(size["entered"] or 0) if size else 0,
        exited=(size["exited"] or 0) if size else 0,
        wanted=sum(row["wanted"] for row in found),
        acknowledged=sum(row["there"] for row in found),
        perhaps=sum(row["perhaps"] for row in found),
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
    name = destination.destination
    where = whereabouts(destination.target, destination=name, segment=segment)
    verdicts = judge(
        plan,
        destination.guards,
        _matched(before, destination.guards),
        is_elsewhere=is_another_place(before.get("where", where), where),
    )
    return replace(plan, verdicts=verdicts)


def _matched(before: Mapping[str, Any], guards: Guards) -> float | None:
    """The share of the members with a key; None where they were too few, or none are known."""
    members = before.get("members", 0)
    if not members or members < guards.least_members:
        return None
    return float(1 - before["held_back"].get("no_key", 0) / members)


def digest(*parts: str) -> str:
    """A short hash over the parts, in their order."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]
