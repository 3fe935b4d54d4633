"""Answers are written beside the sending, none is lost, and none is vouched for too soon."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from goldenlake.ports import Acknowledgement, Batch, OutboundRecord, Tables
from goldenlake.schemas import LEDGER, OUTBOX
from goldenlake.steps import ledger
from goldenlake.steps.outbox import Outgoing
from support.activation import DAY, Killed, Mortal, night, silent, step
from support.destinations import Remembering, delivery, upsert
from support.gold import customer, grant, publish

NAMES = ["ann", "bob", "cyd", "dan"]

pytestmark = pytest.mark.usefixtures("no_waiting")


class Watched:
    """Tables that call somebody before each commit to the ledger."""

    def __init__(self, tables: Tables, before: Callable[[], None]) -> None:
        self._tables, self._before = tables, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    def merge(self, table: str, *rows: Any, **others: Any) -> int:
        if table == "activation.ledger":
            self._before()
        return self._tables.merge(table, *rows, **others)


class Written:
    """Tables that keep what is written to the ledger as it was given."""

    def frame(self, rows: list[dict[str, Any]], _: str) -> list[dict[str, Any]]:
        return rows

    def merge(self, _: str, rows: list[dict[str, Any]], **__: Any) -> None:
        self.rows = rows


class Audience(Remembering):
    """One that knows people by what was sent of them."""

    def perhaps_sent(self, record: OutboundRecord) -> str:
        return f"{record.remote_id} {sorted(record.fields)}"


def noted(
    record: OutboundRecord, answer: Acknowledgement | None, *, mode: str, state: str | None
) -> dict[str, Any]:
    """What the ledger says of a record in that state after an answer, or none that will come."""
    known = {"acknowledged_hash": None, "acknowledged_marks": None, "attempt": 0}
    outgoing = Outgoing(
        delivery=delivery(mode=mode),
        batch=Batch(number=1, records=[record]),
        before={record.key: known | {"state": state, "remote_id": record.remote_id}},
    )
    tables = Written()
    writer = ledger.LedgerWriter(tables=tables, kind=Audience(), run_id="r", on=DAY)
    if answer is None:
        writer.doubt(record, outgoing)
    else:
        writer.take(outgoing, {record.key: answer})
    writer.flush()
    writer.settle()
    [row] = tables.rows
    return row


def everybody(tables: Tables) -> Remembering:
    """A destination to which nobody was sent yet, a batch for each person."""
    people, consents = [customer(name) for name in NAMES], [grant(name) for name in NAMES]
    night(tables, DAY, people, consents, {"readers": NAMES})
    return Remembering(batch_records=1)


def acknowledged(tables: Tables) -> set[str]:
    rows = tables.read("activation.ledger").where("outcome = 'acknowledged'").collect()
    return {row["customer_id"] for row in rows}


def test_the_next_batch_is_sent_while_answers_are_written(tables: Tables) -> None:
    kind, second = everybody(tables), threading.Event()
    kind.after = lambda *_: second.set() if len(kind.sent) > 1 else None

    def wait() -> None:
        assert second.wait(60), "the second batch waits for the answers to the first"

    step(flush_records=1).run(Watched(tables, wait), kind, silent)

    assert len(kind.sent) == 4
    assert acknowledged(tables) == set(NAMES)


def test_answers_that_could_not_be_written_are_written_with_the_next(tables: Tables) -> None:
    kind, failures = everybody(tables), [RuntimeError("the store is away")]

    def fail_once() -> None:
        if failures:
            raise failures.pop()

    with pytest.raises(RuntimeError, match="the store is away"):
        step(flush_records=2).run(Watched(tables, fail_once), kind, silent)

    sent = {record.customer_id for _, batch in kind.sent for record in batch.records}
    assert acknowledged(tables) == sent
    step().run(tables, kind, silent)
    assert len(kind.sent) == 4, "nobody was sent twice"
    assert acknowledged(tables) == set(NAMES)


def test_a_delivery_whose_answers_were_never_written_is_not_closed(tables: Tables) -> None:
    kind = everybody(tables)

    def fail() -> None:
        raise RuntimeError("the store is away")

    with pytest.raises(RuntimeError):
        step(flush_records=2).run(Watched(tables, fail), kind, silent)

    assert kind.finished == []
    step().run(tables, kind, silent)
    assert len(kind.finished) == 1
    assert acknowledged(tables) == set(NAMES)


def test_who_stays_is_asked_of_one_segment_or_of_all_in_the_same_account(tables: Tables) -> None:
    def row(of: str, segment: str, key: str, **others: str) -> dict[str, str]:
        return {"destination": of, "segment": segment, "key": key, **others}

    there = [
        row("crm", "buyers", "ann", state="present"),
        row("crm", "readers", "Bob", state="unknown"),
        row("crm", "readers", "cyd", state="absent"),
        row("crm", "readers", "dan", state="present"),
        row("ads", "readers", "dan", state="present"),
        row("letters", "readers", "fay", state="present"),
        row("letters", "readers", "gus", state="present"),
    ]
    open_ = [
        row("crm", "readers", "dan", operation="remove"),
        row("crm", "readers", "eve", operation="upsert"),
        row("letters", "readers", "gus", operation="remove"),
    ]
    tables.append(ledger.TABLE, tables.frame(there, LEDGER.ddl))
    tables.append("activation.outbox", tables.frame(open_, OUTBOX.ddl))
    keys = ["ann", "bob", "cyd", "dan", "eve", "fay", "gus"]

    leaving = delivery(segment="buyers")
    assert ledger.staying(tables, leaving, keys) == {"ann"}
    stay = ledger.staying(tables, leaving, keys, anywhere_but=["ads"])
    assert stay == {"ann", "bob", "eve", "fay"}


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, "suppressed"), ("absent", "suppressed"), ("present", "unknown"), ("unknown",) * 2],
)
def test_who_was_told_of_without_an_answer_may_have_been_told_of(
    before: str | None, after: str
) -> None:
    """So no certificate says that they are not there."""
    record = upsert("bob")
    answer = Acknowledgement(key=record.key, outcome="unknown")
    row = noted(record, answer, mode="suppress", state=before)
    assert (row["state"], row["outcome"]) == (after, "unknown")


@pytest.mark.parametrize(
    ("answered", "outcome"),
    [
        ({"outcome": "unknown"}, "unknown"),
        ({"outcome": "rejected", "is_permanent": True, "is_doubtful": True}, "rejected"),
        (None, "withheld"),
    ],
)
def test_what_may_have_been_sent_of_somebody_is_known_to_a_later_removal(
    answered: dict[str, Any] | None, outcome: str
) -> None:
    record = replace(upsert("ann"), remote_id="1")
    answer = Acknowledgement(key=record.key, **answered) if answered else None
    row = noted(record, answer, mode="mirror", state="present")
    assert (row["state"], row["outcome"]) == ("unknown", outcome)
    assert row["remote_id"] == "1 ['given_name', 'orders']"


def test_whoever_withdraws_while_a_change_is_in_doubt_leaves_by_what_was_sent(
    tables: Tables,
) -> None:
    people, members = [customer("ann"), customer("bob")], {"readers": ["ann", "bob"]}
    night(tables, DAY, people, [grant("ann"), grant("bob")], members)
    kind, mortal = Audience(), Mortal(tables)
    step().run(tables, kind, silent)
    people[0] = customer("ann", given_name="Anna")
    night(tables, DAY, people, [grant("ann"), grant("bob")], members)

    def kill(*_: object) -> None:
        mortal.is_dead = True
        raise Killed

    kind.after = kill
    with pytest.raises(Killed):
        step().run(mortal, kind, silent)
    [change] = kind.sent[-1][1].records
    publish(tables, DAY, {"gold.consents": [grant("ann", "withdrawn"), grant("bob")]})
    kind.after = lambda *_: None
    step(run_id="again").run(tables, kind, silent)

    [leaving] = kind.sent[-1][1].records
    assert (leaving.operation, leaving.remote_id) == ("remove", kind.perhaps_sent(change))


@pytest.mark.parametrize("outcome", ["retry", "rejected"])
def test_what_was_not_applied_is_not_remembered(outcome: Any) -> None:
    record = replace(upsert("ann"), remote_id="1")
    answer = Acknowledgement(key=record.key, outcome=outcome, is_permanent=True)
    row = noted(record, answer, mode="mirror", state="present")
    assert (row["state"], row["remote_id"]) == ("present", "1")


def test_of_many_destinations_each_is_hashed_by_itself(tables: Tables) -> None:
    rows = [{"destination": of, "segment": "s", "key": key} for of in "abc" for key in NAMES]
    tables.append(ledger.TABLE, tables.frame(rows, LEDGER.ddl))
    hashed: list[int] = []

    class Counted(Watched):
        def rows(self, table: str, ddl: str, query: Any) -> Any:
            found = self._tables.rows(table, ddl, query)
            hashed.append(len(found))
            return found

    marks = {of: ledger.mark(Counted(tables, lambda: None), of) for of in "abcd"}
    changed = tables.frame([{**rows[0], "state": "present"}], LEDGER.ddl)
    tables.merge(ledger.TABLE, changed, on=ledger.KEY)

    assert hashed == [1, 1, 1, 0]
    assert {of for of in "abcd" if ledger.mark(tables, of) != marks[of]} == {"a"}
    assert marks["d"] == ""
