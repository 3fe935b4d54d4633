"""Brings a destination to what its segments, the mapping and the consents ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.targets import is_another_place, whereabouts
from goldenlake.errors import DeliveryElsewhere, ExportHeld
from goldenlake.ports import Capabilities, DestinationKind, Progress, StepResult, Tables
from goldenlake.steps import assignments, ledger, outbox
from goldenlake.steps.deliveries import Gate, Sending
from goldenlake.steps.generations import refuse_a_return
from goldenlake.steps.people import newest_publication
from goldenlake.steps.plan import PlanExport
from goldenlake.steps.planned import Plan
from goldenlake.steps.settled import (
    Settled,
    changed_since,
    note_places,
    settle,
    still_settled,
)

_SENT = ("sent", "removed", "rejected", "unsettled", "withheld")
_COUNTS = ("added", "updated", "removals", "unchanged", "held_back", *_SENT)
_HELD_COLUMNS = ("destination", "segment", "customer_id", "reason", "as_of")


@dataclass(frozen=True, kw_only=True)
class Activate:
    """One export of one day.

    An interrupted delivery is finished first, with the same batches. Then what is desired is
    compared with what the ledger says was acknowledged, and only the difference is sent; a rerun
    finds none, and where nothing that a plan depends on has changed since the last export none is
    drawn: the result is ``skipped``. Consent is judged when the plan is drawn, and again before
    every batch if a generation was published in between.

    The planner's ``now`` is the instant of sending.
    """

    planner: PlanExport
    run_id: str
    flush_records: int = 20_000
    """Acknowledgements that are gathered before they are committed."""
    sleep: Callable[[float], None] = time.sleep

    def run(self, tables: Tables, kind: DestinationKind, progress: Progress) -> StepResult:
        """Plan, judge, send.

        Raises ExportHeld before anything was sent or written; GenerationIsOld; DeliveryElsewhere
        where what was interrupted was for another place; SegmentNotBuilt;
        TransientError when the destination does not answer any more: what it acknowledged is kept,
        and running again goes on from there.
        """
        refuse_a_return(tables)
        counts: dict[str, int] = {}
        left = outbox.left_open(tables, self.destination.destination)
        if left is not None:
            self._refuse_another_place(left)
            counts = self._send(tables, kind, progress, left, seen=None)
        basis, at = self.planner.basis(tables)
        name = self.destination.destination
        settled = None if left else still_settled(tables, name, basis=basis, at=at)
        if settled is not None:
            return self._skipped(settled)
        # Before the plan reads it: what is published meanwhile is looked at before each batch.
        seen = newest_publication(tables)
        with self.planner.drawn(tables, kind.capabilities) as drawn:
            plan = drawn.plan
            self._guard(plan, kind.capabilities)
            self._write_held_back(tables, drawn.rows)
            assignments.note_held_out(tables, self.planner, drawn.rows)
            assignments.note_there(tables, self.planner, drawn.rows)
            if any(each.reowned for each in plan.segments):
                ledger.hand_over(tables, name, drawn.rows)
            found = outbox.put(tables, drawn) if plan.changes else None
        settled_now = 0
        if found is not None:
            progress(f"{plan.destination}: {plan.changes} records to send")
            sent = self._send(tables, kind, progress, found, seen=seen)
            counts = {what: counts.get(what, 0) + sent.get(what, 0) for what in counts | sent}
            settled_now = sent.get("sent", 0) + sent.get("removed", 0)
        if (since := changed_since(tables, name)) is not None:
            assignments.note_sent(tables, self.planner, since=since)
        if settled_now < plan.changes or basis != self.planner.basis(tables)[0]:
            basis = ""
        settle(tables, self._settled(plan), basis=basis, at=at, good_until=plan.good_until)
        return self._result(plan, counts)

    @property
    def destination(self) -> Destination:
        """Where it goes."""
        return self.planner.destination

    @property
    def as_of(self) -> date:
        """The day that it is for."""
        return self.planner.as_of

    def _refuse_another_place(self, left: outbox.Open) -> None:
        name, target = self.destination.destination, self.destination.target
        for segment, place in left.places.items():
            now = whereabouts(target, destination=name, segment=segment)
            if place is not None and is_another_place(place, now):
                raise DeliveryElsewhere(destination=name, segment=segment, place=place, now=now)

    def _guard(self, plan: Plan, can: Capabilities) -> None:
        reasons = plan.objections
        if self.destination.mode not in can.modes:
            reasons.append(f"mode {self.destination.mode} is not possible there.")
        elif plan.is_approved:
            return
        if reasons:
            raise ExportHeld(
                destination=plan.destination,
                as_of=self.as_of.isoformat(),
                plan=plan.plan_hash,
                reasons=reasons,
            )

    def _write_held_back(self, tables: Tables, rows: DataFrame) -> None:
        constants = {
            "destination": F.lit(self.destination.destination),
            "as_of": F.lit(self.as_of),
        }
        held = rows.where(F.col("action") == "held").select(
            *(constants.get(name, F.col(name)).alias(name) for name in _HELD_COLUMNS)
        )
        where: dict[str, str | date] = {
            "destination": self.destination.destination,
            "as_of": self.as_of,
        }
        tables.replace_slice("activation.held_back", held, where=where)

    def _send(
        self,
        tables: Tables,
        kind: DestinationKind,
        progress: Progress,
        found: outbox.Open,
        *,
        seen: int | None,
    ) -> dict[str, int]:
        note_places(tables, found.destination, found.places)
        sending = Sending(
            tables=tables,
            kind=kind,
            progress=progress,
            found=found,
            gate=Gate(tables=tables, planner=self.planner, found=found, seen=seen),
            writer=ledger.LedgerWriter(tables=tables, kind=kind, run_id=self.run_id, on=self.as_of),
            retries=self.destination.retries,
            flush_records=self.flush_records,
            sleep=self.sleep,
            is_resumed=seen is None,
        )
        return sending.run()

    def _settled(self, plan: Plan) -> Settled:
        """What the same plan, drawn again, would find now that it is carried out."""
        segments = {
            each.segment: {
                "members": each.members,
                "unchanged": each.unchanged + each.added + each.updated,
                "held_back": dict(each.held_back),
                "where": whereabouts(
                    self.destination.target, destination=plan.destination, segment=each.segment
                ),
            }
            for each in plan.segments
        }
        return Settled(
            destination=plan.destination,
            as_of=self.as_of,
            counts={
                "unchanged": sum(s.unchanged + s.added + s.updated for s in plan.segments),
                "held_back": sum(sum(s.held_back.values()) for s in plan.segments),
            },
            details={"generation": plan.generation, "segments": segments},
        )

    def _skipped(self, settled: Settled) -> StepResult:
        since = settled.as_of.isoformat()
        return StepResult(
            step="activate",
            subject=settled.destination,
            status="skipped",
            counts=dict.fromkeys(_COUNTS, 0) | dict(settled.counts),
            details={"why": f"nothing changed since {since}", **settled.details},
        )

    def _result(self, plan: Plan, counts: Mapping[str, int]) -> StepResult:
        held = sum(sum(each.held_back.values()) for each in plan.segments)
        return StepResult(
            step="activate",
            subject=plan.destination,
            status="degraded" if counts.get("unsettled") else "done",
            counts={
                "added": sum(each.added for each in plan.segments),
                "updated": sum(each.updated for each in plan.segments),
                "removals": sum(each.removed for each in plan.segments),
                "unchanged": sum(each.unchanged for each in plan.segments),
                "held_back": held,
                **{name: counts.get(name, 0) for name in _SENT},
            },
            details={
                "plan": plan.plan_hash,
                "generation": plan.generation,
                "deliveries": {s.segment: s.delivery_id for s in plan.segments if s.changes},
                "segments": {
                    s.segment: {
                        "members": s.members,
                        "added": s.added,
                        "updated": s.updated,
                        "removed": s.removed,
                        "unchanged": s.unchanged,
                        "held_back": dict(s.held_back),
                        "removed_for": dict(s.removed_for),
                    }
                    for s in plan.segments
                },
            },
        )
