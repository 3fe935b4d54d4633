"""The ledger: what each destination acknowledged of each record, and nothing that it did not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.columns.content import content_of
from goldenlake.ports import (
    Acknowledgement,
    Delivery,
    DestinationKind,
    OutboundRecord,
    Query,
    RemembersSent,
    Tables,
)
from goldenlake.schemas import LEDGER, OUTBOX, REJECTS
from goldenlake.steps.outbox import TABLE as OUTBOX_TABLE
from goldenlake.steps.outbox import Outgoing
from goldenlake.transforms.planning import SUPPRESS, THERE

TABLE = "activation.ledger"
KEY = ("destination", "segment", "key")
_REJECT_KEY = ("destination", "segment", "customer_id", "desired_hash", "delivery")
_SETTLED = ("acknowledged", "rejected")


_Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class _Commit:
    """A commit in a thread of its own, and what it writes."""

    end: Future[None]
    rows: _Rows
    rejects: _Rows

    @classmethod
    def begun(cls, write: Callable[[_Rows, _Rows], None], rows: _Rows, rejects: _Rows) -> _Commit:
        alone = ThreadPoolExecutor(max_workers=1)
        end = alone.submit(write, rows, rejects)
        alone.shutdown(wait=False)
        return cls(end, rows, rejects)


@dataclass(kw_only=True)
class LedgerWriter:
    """Gathers answers of whole batches, of any deliveries, and merges them in one commit, beside
    which sending goes on.

    A kill in between loses answers but doubles nothing: those batches are sent again, which is
    harmless, and acknowledged again.
    """

    tables: Tables
    kind: DestinationKind
    run_id: str
    on: date
    counts: dict[str, int] = field(default_factory=dict)
    _rows: _Rows = field(default_factory=list)
    _rejects: _Rows = field(default_factory=list)
    _committing: _Commit | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, outgoing: Outgoing, answers: Mapping[str, Acknowledgement]) -> None:
        """Note what became of a batch; records without an answer were not sent."""
        for record in outgoing.batch.records:
            if record.key in answers:
                self._answered(record, outgoing, answers[record.key])

    def doubt(self, record: OutboundRecord, outgoing: Outgoing) -> None:
        """Note that a record may have been sent, and no answer will ever be known: it counts as
        perhaps there, so that the next plan says again what is wanted of it.
        """
        self._note_doubt(record, outgoing, outcome="withheld")

    def flush(self) -> None:
        """Begin to write what was gathered, once the commit before has ended. Raises as it did."""
        self.settle()
        if self._rows or self._rejects:
            self._committing = _Commit.begun(self._write, self._rows, self._rejects)
            self._rows, self._rejects = [], []

    def settle(self) -> None:
        """Wait until what was flushed is written; what could not be is gathered again, and the
        reason raised.
        """
        commit, self._committing = self._committing, None
        if commit is None:
            return
        try:
            commit.end.result()
        except BaseException:
            self._rows = commit.rows + self._rows
            self._rejects = commit.rejects + self._rejects
            raise

    def _write(self, rows: _Rows, rejects: _Rows) -> None:
        """Refusals first, since the ledger says that they are done."""
        if rejects:
            frame = self.tables.frame(rejects, REJECTS.ddl)
            self.tables.merge("activation.rejects", frame, on=_REJECT_KEY)
        if rows:
            self.tables.merge(TABLE, self.tables.frame(rows, LEDGER.ddl), on=KEY)

    def _answered(
        self, record: OutboundRecord, outgoing: Outgoing, answer: Acknowledgement
    ) -> None:
        before = outgoing.before[record.key]
        match answer.outcome:
            case "acknowledged":
                is_removal = record.operation == "remove"
                is_telling = outgoing.delivery.mode == SUPPRESS
                there = _after_telling(before["state"]) if is_telling else "present"
                self._note(
                    record,
                    outgoing,
                    state="absent" if is_removal else there,
                    outcome="acknowledged",
                    acknowledged_hash=None if is_removal else record.desired_hash,
                    acknowledged_marks=None if is_removal else before["marks"],
                    remote_id=answer.remote_id or record.remote_id,
                    attempt=0,
                )
                self._count("removed" if is_removal else "sent")
            case "rejected":
                outcome = "rejected" if answer.is_permanent else "retry"
                note = self._note_doubt if answer.is_doubtful else self._note
                note(record, outgoing, outcome=outcome, error=answer.error)
                self._rejects.append(self._reject(record, outgoing.delivery, answer))
                self._count("rejected")
            case "retry":
                self._note(record, outgoing, outcome="retry", error=answer.error)
                self._count("unsettled")
            case _:
                self._note_doubt(record, outgoing, outcome="unknown", error=answer.error)
                self._count("unsettled")

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def _note_doubt(self, record: OutboundRecord, outgoing: Outgoing, **others: Any) -> None:
        """A record that may have been applied all the same, and what is to be remembered of it."""
        is_telling = outgoing.delivery.mode == SUPPRESS
        before = outgoing.before[record.key]
        state = _after_telling(before["state"]) if is_telling else "unknown"
        if isinstance(self.kind, RemembersSent):
            others["remote_id"] = self.kind.perhaps_sent(record)
        self._note(record, outgoing, state=state, **others)

    def _note(self, record: OutboundRecord, outgoing: Outgoing, **others: Any) -> None:
        before = outgoing.before[record.key]
        row = {
            "destination": outgoing.delivery.destination,
            "segment": outgoing.delivery.segment,
            "customer_id": record.customer_id,
            "key": record.key,
            "state": before["state"] or "absent",
            "desired_hash": record.desired_hash,
            "acknowledged_hash": before["acknowledged_hash"],
            "acknowledged_marks": before["acknowledged_marks"],
            "remote_id": before["remote_id"],
            "attempt": before["attempt"] + 1,
            "outcome": None,
            "error": None,
            "delivery": outgoing.delivery.delivery_id,
            "batch": outgoing.batch.number,
            "run_id": self.run_id,
            "acknowledged_on": self.on,
        }
        self._rows.append(row | others)

    def _reject(
        self, record: OutboundRecord, delivery: Delivery, answer: Acknowledgement
    ) -> dict[str, Any]:
        return {
            "destination": delivery.destination,
            "segment": delivery.segment,
            "customer_id": record.customer_id,
            "reason": answer.error,
            "is_permanent": answer.is_permanent,
            "desired_hash": record.desired_hash,
            "delivery": delivery.delivery_id,
            "run_id": self.run_id,
            "rejected_on": self.on,
        }


def _after_telling(before: str | None) -> str:
    """Where somebody stands who was told of, or perhaps, as one who said no. Whom we added stays
    ours, but whether they are still there is for the destination to say.
    """
    return "unknown" if before in THERE else "suppressed"


def records_of(tables: Tables, destination: str) -> DataFrame:
    """All that the ledger holds of a destination."""
    return tables.read_or_empty(TABLE, LEDGER.ddl).where(F.col("destination") == destination)


def staying(
    tables: Tables,
    delivery: Delivery,
    keys: Collection[str],
    *,
    anywhere_but: Collection[str] | None = None,
) -> frozenset[str]:
    """Those of the keys, in whatever case, that are there or perhaps there in the segment of a
    delivery, and that no delivery which is open takes out. With ``anywhere_but``, in any segment of
    all destinations but these, those included whom an open delivery brings into one.
    """
    if anywhere_but is None:
        of = (F.col("destination") == delivery.destination) & (F.col("segment") == delivery.segment)
    else:
        of = ~F.col("destination").isin(*anywhere_but)

    def asked(rows: DataFrame) -> DataFrame:
        named = F.lower("key").isin([key.lower() for key in keys])
        return rows.where(of & named).select("destination", "segment", "key")

    there = tables.read_or_empty(TABLE, LEDGER.ddl).where(F.col("state").isin(*THERE))
    under_way = tables.read_or_empty(OUTBOX_TABLE, OUTBOX.ddl)
    stay = asked(there).exceptAll(asked(under_way.where("operation = 'remove'")))
    if anywhere_but is not None:
        stay = stay.unionByName(asked(under_way.where("operation = 'upsert'")))
    found = {row["key"].lower() for row in stay.collect()}
    return frozenset(key for key in keys if key.lower() in found)


def mark(tables: Tables, destination: str) -> str:
    """A hash over what the ledger holds of a destination; equal ones mean the same records."""
    marks = tables.rows(TABLE, LEDGER.ddl, _marks_of(destination))
    return next((row["mark"] for row in marks), "")


@cache
def _marks_of(destination: str) -> Query:
    """One for each destination, so that the answer is known for as long as the ledger is the same.
    Hashed is the destination alone: each export changes the ledger of all.
    """

    def marks(ledger: DataFrame) -> DataFrame:
        own = ledger.where(F.col("destination") == destination)
        columns = [F.coalesce(F.col(name).cast("string"), F.lit("\u0000")) for name in own.columns]
        return own.groupBy("destination").agg(content_of(*columns).alias("mark"))

    return marks


def settled_batches(
    tables: Tables, deliveries: Sequence[Delivery], sizes: Mapping[tuple[str, int], int]
) -> dict[str, set[int]]:
    """Batches of which the ledger has an answer for every record, by delivery id."""
    settled: dict[str, set[int]] = {each.delivery_id: set() for each in deliveries}
    rows = (
        tables.read_or_empty(TABLE, LEDGER.ddl)
        .where(F.col("destination").isin(*{each.destination for each in deliveries}))
        .where(F.col("delivery").isin(*settled))
        .where(F.col("outcome").isin(*_SETTLED))
        .groupBy("delivery", "batch")
        .count()
        .collect()
    )
    for row in rows:
        if row["count"] >= sizes.get((row["delivery"], row["batch"]), 0):
            settled[row["delivery"]].add(row["batch"])
    return settled


def hand_over(tables: Tables, destination: str, rows: DataFrame) -> None:
    """Put unchanged records under the customer id that they belong to now, after merges."""
    moved = rows.where(
        (F.col("action") == "unchanged") & (F.col("owner_then") != F.col("customer_id"))
    ).select("segment", "key", F.col("customer_id").alias("_now"))
    ledger = tables.read(TABLE).where(F.col("destination") == destination)
    owned = ledger.join(moved, ["segment", "key"], how="inner").withColumn(
        "customer_id", F.col("_now")
    )
    tables.merge(TABLE, owned.drop("_now").select(*ledger.columns), on=KEY)
