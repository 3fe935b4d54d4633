"""Brings a destination to what its segments, the mapping and the consents ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.destination import Destination
from goldenlake.destinations import deliver, finish
from goldenlake.errors import DeliveryIncomplete, ExportHeld, TableMissing
from goldenlake.ports import (
    Batch,
    Capabilities,
    Delivery,
    DestinationKind,
    OutboundRecord,
    Progress,
    StepResult,
    Tables,
)
from goldenlake.steps import ledger, outbox
from goldenlake.steps.generations import latest_generation
from goldenlake.steps.people import newest_publication
from goldenlake.steps.plan import Plan, PlanExport

_HELD_COLUMNS = ("destination", "segment", "customer_id", "reason", "as_of")


@dataclass(frozen=True, kw_only=True)
class Activate:
    """One export of one day.

    An interrupted delivery is finished first, with the same batches. Then what is desired is
    compared with what the ledger says was acknowledged, and only the difference is sent; a rerun
    finds none. Consent is judged when the plan is drawn, and again before every batch if a
    generation was published in between.

    ``now`` is the instant of sending; see ``PlanExport`` for the grants that count.
    """

    destination: Destination
    consent: ConsentPolicy
    as_of: date
    run_id: str
    now: datetime | None = None
    flush_records: int = 20_000
    """Acknowledgements that are gathered before they are committed."""
    sleep: Callable[[float], None] = time.sleep

    def run(self, tables: Tables, kind: DestinationKind, progress: Progress) -> StepResult:
        """Plan, judge, send.

        Raises ExportHeld before anything was sent or written; SegmentNotBuilt; TransientError when
        the destination does not answer any more: what it acknowledged is kept, and running again
        goes on from there.
        """
        counts = self._send_all(tables, kind, progress, planned_on=None)
        with self._planner.drawn(tables, kind.capabilities) as drawn:
            plan = drawn.plan
            self._guard(plan, kind.capabilities)
            seen = newest_publication(tables)
            self._write_held_back(tables, drawn.rows)
            if any(each.reowned for each in plan.segments):
                ledger.hand_over(tables, self.destination.destination, drawn.rows)
            if plan.changes:
                outbox.put(tables, drawn)
        if plan.changes:
            progress(f"{plan.destination}: {plan.changes} records to send")
            sent = self._send_all(tables, kind, progress, planned_on=seen)
            counts = {name: counts.get(name, 0) + sent.get(name, 0) for name in counts | sent}
        return self._result(plan, counts)

    @property
    def _planner(self) -> PlanExport:
        return PlanExport(
            destination=self.destination, consent=self.consent, as_of=self.as_of, now=self.now
        )

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

    def _send_all(
        self, tables: Tables, kind: DestinationKind, progress: Progress, planned_on: int | None
    ) -> dict[str, int]:
        """Send what is in the outbox; ``planned_on`` None: it was left by an earlier run."""
        counts: dict[str, int] = {}
        found = outbox.open_deliveries(tables, self.destination.destination)
        for each in found:
            sent = self._send(tables, kind, progress, each, planned_on)
            for name, number in sent.items():
                counts[name] = counts.get(name, 0) + number
            outbox.forget(tables, each, is_last=each is found[-1])
        return counts

    def _send(
        self,
        tables: Tables,
        kind: DestinationKind,
        progress: Progress,
        found: outbox.OpenDelivery,
        planned_on: int | None,
    ) -> Mapping[str, int]:
        is_resumed = planned_on is None
        delivery = found.delivery
        settled: set[int] = set()
        if is_resumed:
            progress(f"{delivery.destination}: going on with delivery {delivery.delivery_id}")
            settled = ledger.settled_batches(tables, delivery, outbox.batch_sizes(tables, found))
        gate = _Gate(self, tables, found, planned_on)
        writer = ledger.LedgerWriter(
            tables=tables, delivery=delivery, run_id=self.run_id, on=self.as_of
        )

        def send(without: set[int]) -> None:
            batches = outbox.outgoing(tables, found, without)
            self._send_batches(kind, delivery, batches, gate, writer, is_resumed=is_resumed)
            finish(kind, delivery, retries=self.destination.retries)

        try:
            send(settled)
        except DeliveryIncomplete:
            if not settled:
                raise
            progress(f"{delivery.destination}: what an earlier run sent is gone; it is sent again")
            send(set(range(1, delivery.batches + 1)) - settled)
        return writer.counts | {"withheld": gate.stopped}

    def _send_batches(
        self,
        kind: DestinationKind,
        delivery: Delivery,
        batches: Iterable[outbox.Outgoing],
        gate: _Gate,
        writer: ledger.LedgerWriter,
        *,
        is_resumed: bool,
    ) -> None:
        try:
            for outgoing in batches:
                gate.look_again()
                batch = gate.pass_through(outgoing.batch)
                for record in outgoing.batch.records if is_resumed else ():
                    state = outgoing.before[record.key]["state"]
                    if gate.stops(record) and state != "present":
                        writer.doubt(record, outgoing)
                answers = deliver(
                    kind, delivery, batch, retries=self.destination.retries, sleep=self.sleep
                )
                writer.take(outgoing, answers)
                if len(writer) >= self.flush_records:
                    writer.flush()
        finally:
            writer.flush()

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
                **{
                    name: counts.get(name, 0)
                    for name in ("sent", "removed", "rejected", "unsettled", "withheld")
                },
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


class _Gate:
    """The consent gate at sending: it closes for people who said no since the plan was drawn."""

    def __init__(
        self, step: Activate, tables: Tables, found: outbox.OpenDelivery, seen: int | None
    ) -> None:
        self._step, self._tables, self._found, self._seen = step, tables, found, seen
        self._keys: frozenset[str] = frozenset()
        self.stopped = 0

    def look_again(self) -> None:
        """Judge the whole delivery by the newest consents, if there are newer ones."""
        newest = newest_publication(self._tables)
        if newest == self._seen:
            return
        generation = latest_generation(self._tables)
        if generation is None:
            raise TableMissing("gold.consents", mend="No generation is published: run the night.")
        people = self._step._planner.newest(self._tables, generation)
        sent = outbox.upserts(self._tables, self._found)
        rows = people.no_longer(sent, after=self._found.generation).collect()
        self._keys = frozenset(row["key"] for row in rows)
        self._seen = newest

    def stops(self, record: OutboundRecord) -> bool:
        """Whether a record must not be sent any more; removals always may."""
        return record.operation == "upsert" and record.key in self._keys

    def pass_through(self, batch: Batch) -> Batch:
        """The batch without those who are stopped."""
        records = [record for record in batch.records if not self.stops(record)]
        self.stopped += len(batch.records) - len(records)
        return Batch(number=batch.number, records=records)
