"""Sends what is in the outbox of a destination, past the consent gate, and notes the answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from pyspark.sql import Row

from goldenlake.declarations.destination import Retries
from goldenlake.declarations.rest import RestTarget
from goldenlake.destinations import deliver, finish
from goldenlake.errors import CallRefused, DeliveryIncomplete, NotAuthorised, TableMissing
from goldenlake.ports import (
    Acknowledgement,
    Batch,
    Delivery,
    DestinationKind,
    OutboundRecord,
    Progress,
    Tables,
)
from goldenlake.steps import ledger, outbox
from goldenlake.steps.generations import latest_generation
from goldenlake.steps.people import newest_publication
from goldenlake.steps.plan import PlanExport
from goldenlake.transforms.planning import SUPPRESS


@dataclass(kw_only=True)
class Gate:
    """The consent gate at sending: it closes for people who said no since the plan was drawn, and
    for new ones while a file is broken in which they may have.
    """

    tables: Tables
    planner: PlanExport
    found: outbox.Open
    seen: int | None
    """The publication that the plan was drawn on; None: not known."""
    stopped: int = 0
    _keys: frozenset[str] = frozenset()
    _adds_nobody: bool = False

    def look_again(self) -> None:
        """Judge the whole outbox by the newest consents, if there are newer ones."""
        newest = newest_publication(self.tables)
        # A no is what a suppression tells: it stops none.
        if newest == self.seen or self.found.mode == SUPPRESS:
            return
        generation = latest_generation(self.tables)
        if generation is None:
            raise TableMissing("gold.consents", mend="No generation is published: run the night.")
        people = self.planner.newest(self.tables, generation)
        sent = outbox.upserts(self.tables, self.found)
        rows = people.no_longer(sent, after=self.found.generation).collect()
        self._keys = frozenset(row["key"] for row in rows)
        self._adds_nobody = self.planner.adds_nobody(self.tables)
        self.seen = newest

    @property
    def stops_somebody(self) -> bool:
        """Whether there may be anybody whom it stops."""
        return self._adds_nobody or bool(self._keys)

    def stops(self, record: OutboundRecord, before: Row) -> bool:
        """Whether a record must not be sent any more; removals always may. ``before`` is what the
        ledger knew of it when it was planned.
        """
        if record.operation == "remove":
            return False
        return record.key in self._keys or (self._adds_nobody and not _was_there(before))

    def pass_through(self, outgoing: outbox.Outgoing) -> Batch:
        """The batch without those who are stopped."""
        batch, before = outgoing.batch, outgoing.before
        records = [each for each in batch.records if not self.stops(each, before[each.key])]
        self.stopped += len(batch.records) - len(records)
        return Batch(number=batch.number, records=records)


def _was_there(before: Row) -> bool:
    """Whether the destination ever said so; as ``planning`` has it."""
    state = before["state"]
    return state == "present" or (state == "unknown" and before["acknowledged_hash"] is not None)


@dataclass(frozen=True, kw_only=True)
class Sending:
    """One going through the outbox of a destination.

    Its deliveries share the commits to the ledger. A delivery is closed only after all that was
    acknowledged of it is in the ledger; those that were sent are closed even if a later one fails.
    """

    tables: Tables
    kind: DestinationKind
    progress: Progress
    found: outbox.Open
    gate: Gate
    writer: ledger.LedgerWriter
    retries: Retries
    flush_records: int
    sleep: Callable[[float], None]
    is_resumed: bool
    """An earlier run left these deliveries and may have sent some of them."""
    _sent: dict[str, set[int]] = field(default_factory=dict)
    """Batches whose answers are in the ledger, by delivery id."""
    _begun: dict[tuple[str, int], Collection[str]] = field(default_factory=dict)
    """Batches that were sent, with or without an answer, by delivery id and number: the keys of
    whom the gate stopped then.
    """
    _refused: dict[str | None, CallRefused] = field(default_factory=dict)
    """Places to which nothing more is sent, each with the refusal of a call for it."""

    def run(self) -> dict[str, int]:
        """Send, note, close, forget; gives counts of what became of the records.

        Raises TransientError when the destination does not answer any more, NotAuthorised where it
        does not let us in, DeliveryIncomplete where something that it acknowledged just now is
        gone; CallRefused where it refuses what goes to a place, once all is sent that goes to
        others. Nothing is left in the outbox then: another mapping may be what mends it.
        """
        self._sent.update({name: set(numbers) for name, numbers in self._settled.items()})
        if self.is_resumed:
            named = ", ".join(each.delivery_id for each in self.found.deliveries)
            self.progress(f"{self.found.destination}: going on with {named}")
        try:
            self._send(self._left)
        finally:
            self._close_what_is_sent()
        for refusal in self._refused.values():
            self._let_go()
            raise refusal
        return self.writer.counts | {"withheld": self.gate.stopped}

    @cached_property
    def _settled(self) -> Mapping[str, set[int]]:
        """Batches that an earlier run brought to an end; of those that nobody has read, the ones
        without anybody who is stopped by now: the others are to be sent without them.
        """
        if not self.is_resumed:
            return {each.delivery_id: set() for each in self.found.deliveries}
        sizes = outbox.batch_sizes(self.tables, self.found)
        settled = ledger.settled_batches(self.tables, self.found.deliveries, sizes)
        if not self.kind.capabilities.is_read_when_finished:
            return settled
        self.gate.look_again()
        if not self.gate.stops_somebody:
            return settled
        for outgoing in outbox.outgoing(self.tables, self.found, settled):
            before = outgoing.before
            if any(self.gate.stops(each, before[each.key]) for each in outgoing.batch.records):
                settled[outgoing.delivery.delivery_id].discard(outgoing.batch.number)
        return settled

    @property
    def _left(self) -> dict[str, set[int]]:
        """Batches whose answers are not in the ledger, by delivery id."""
        return {
            each.delivery_id: set(range(1, each.batches + 1)) - self._sent[each.delivery_id]
            for each in self.found.deliveries
        }

    def _send(self, wanted: Mapping[str, Collection[int]]) -> None:
        """Send batches side by side, as many as the destination takes; answers are noted here, in
        the order in which batches were begun. What goes to a place that refused a call is left out.
        """
        jobs = outbox.jobs(self.tables, self.found) if self.is_resumed else {}
        under_way: deque[tuple[outbox.Outgoing, Future[Mapping[str, Acknowledgement]]]] = deque()
        at_once = self.kind.capabilities.concurrency
        done: list[tuple[str, int]] = []

        def settle_first() -> None:
            outgoing, answers = under_way.popleft()
            try:
                self.writer.take(outgoing, answers.result())
            except NotAuthorised:
                raise
            except CallRefused as refusal:
                self._refused.setdefault(self._place_of(outgoing.delivery), refusal)
                return
            done.append((outgoing.delivery.delivery_id, outgoing.batch.number))
            if len(self.writer) >= self.flush_records:
                self.writer.flush()

        with ThreadPoolExecutor(max_workers=at_once) as pool:
            try:
                was_removal = False
                for outgoing in outbox.outgoing(self.tables, self.found, wanted):
                    is_removal = outgoing.batch.records[0].operation == "remove"
                    # Else a removal could take out again what an addition has just put there.
                    while was_removal and not is_removal and under_way:
                        settle_first()
                    was_removal = is_removal
                    if self._place_of(outgoing.delivery) in self._refused:
                        continue
                    batch = self._judged(outgoing, jobs)
                    begun = outgoing.delivery.delivery_id, outgoing.batch.number
                    self._begun[begun] = outgoing.before.keys() - {r.key for r in batch.records}
                    under_way.append((outgoing, pool.submit(self._deliver, outgoing, batch)))
                    if len(under_way) >= at_once:
                        settle_first()
                while under_way:
                    settle_first()
            finally:
                for outgoing, answers in under_way:
                    # What is on its way when another batch fails may still come to a good end.
                    if not answers.cancel() and answers.exception() is None:
                        self.writer.take(outgoing, answers.result())
                        done.append((outgoing.delivery.delivery_id, outgoing.batch.number))
                self.writer.flush()
                self.writer.settle()
                for name, number in done:
                    self._sent[name].add(number)

    def _place_of(self, delivery: Delivery) -> str | None:
        """Of a system whose calls are declared nobody knows whether its segments share a place."""
        if isinstance(self.gate.planner.destination.target, RestTarget):
            return delivery.segment
        return self.found.places[delivery.segment]

    def _judged(self, outgoing: outbox.Outgoing, jobs: Mapping[tuple[str, int], str]) -> Batch:
        """The batch as it may be sent now."""
        self.gate.look_again()
        batch = self.gate.pass_through(outgoing)
        for record in outgoing.batch.records if self.is_resumed else ():
            if self.gate.stops(record, outgoing.before[record.key]):
                self.writer.doubt(record, outgoing)
        job = jobs.get((outgoing.delivery.delivery_id, batch.number))
        who_stays = partial(ledger.staying, self.tables, outgoing.delivery)
        return replace(
            batch,
            job=job,
            is_resumed=self.is_resumed,
            who_stays=who_stays,
            who_stays_anywhere=partial(who_stays, anywhere_but=self.gate.planner.elsewhere),
        )

    def _deliver(self, outgoing: outbox.Outgoing, batch: Batch) -> Mapping[str, Acknowledgement]:
        def note(job: str) -> None:
            outbox.note_job(
                self.tables, outgoing, job, run_id=self.writer.run_id, on=self.writer.on
            )

        return deliver(
            self.kind,
            outgoing.delivery,
            batch,
            retries=self.retries,
            note=note,
            sleep=self.sleep,
        )

    def _close_what_is_sent(self) -> None:
        closed: list[Delivery] = []
        try:
            left = self._left
            for each in self.found.deliveries:
                if not left[each.delivery_id]:
                    self._close(each)
                    closed.append(each)
        finally:
            outbox.forget(self.tables, self.found, closed)

    def _let_go(self) -> None:
        """Forget what was not sent. Whoever may have been added or taken out all the same counts as
        perhaps there; where a job of an earlier run works on a batch that nobody asked about, its
        delivery stays for whoever asks for its end.
        """
        noted = outbox.jobs(self.tables, self.found)
        unasked = noted.keys() - self._begun.keys()
        at_work = {name for name, number in unasked if number in self._left[name]}
        left = {name: numbers for name, numbers in self._left.items() if name not in at_work}
        for outgoing in outbox.outgoing(self.tables, self.found, left):
            place = outgoing.delivery.delivery_id, outgoing.batch.number
            # A suppression adds nobody; what was sent of it is told again.
            if self.found.mode != SUPPRESS and (self.is_resumed or place in self._begun):
                self._doubt(outgoing, self._begun.get(place, ()))
            if len(self.writer) >= self.flush_records:
                self.writer.flush()
        self.writer.flush()
        self.writer.settle()
        unsent = [each for each in self.found.deliveries if left.get(each.delivery_id)]
        outbox.forget(self.tables, self.found, unsent)

    def _doubt(self, outgoing: outbox.Outgoing, stopped: Collection[str]) -> None:
        """All of a batch but who was stopped before it was sent, unless an earlier run sent it."""
        for record in outgoing.batch.records:
            if self.is_resumed or record.key not in stopped:
                self.writer.doubt(record, outgoing)

    def _close(self, delivery: Delivery) -> None:
        before = self._settled[delivery.delivery_id]
        try:
            finish(self.kind, delivery, retries=self.retries)
        except DeliveryIncomplete:
            if not before:
                raise
            where = self.found.destination
            self.progress(f"{where}: what an earlier run sent is gone; it is sent again")
            self._send({delivery.delivery_id: before})
            if refusal := self._refused.get(self._place_of(delivery)):
                raise refusal from None
            finish(self.kind, delivery, retries=self.retries)
