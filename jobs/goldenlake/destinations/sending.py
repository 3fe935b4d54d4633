"""Brings one batch to an end at a destination, whatever its replies; the same for every kind."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

import stamina

from goldenlake.declarations.destination import Retries
from goldenlake.errors import Throttled, TransientError
from goldenlake.ports import (
    Acknowledgement,
    Batch,
    Delivery,
    DestinationKind,
    OutboundRecord,
    Outcome,
)

#: Of two answers for one key the worse one counts, the first in this list being the worst.
_WORST_FIRST: tuple[Outcome, ...] = ("unknown", "pending", "retry", "rejected", "acknowledged")
_MOST_THROTTLES = 1000

Sleep = Callable[[float], None]


class _Unsettled(TransientError):
    """Some records of a batch are to be tried again."""


def deliver(
    kind: DestinationKind,
    delivery: Delivery,
    batch: Batch,
    *,
    retries: Retries,
    sleep: Sleep = time.sleep,
) -> Mapping[str, Acknowledgement]:
    """Send a batch until every record is settled or the attempts are used up; answers by key.

    A record without an answer counts as unknown, an answer for a stranger is ignored. Where a
    reply was lost, the destination is asked before anything is sent again, if it can be asked.
    Only unsettled records are sent again. Waiting for a throttle or for a job that goes on is no
    attempt. What is still unsettled at the end keeps its last outcome: retry or unknown.
    Raises TransientError when the last attempt ended without any reply.
    """
    answers: dict[str, Acknowledgement] = {}
    open_records: Sequence[OutboundRecord] = batch.records
    doubtful = False

    def take(found: Sequence[Acknowledgement], asked: Sequence[OutboundRecord]) -> None:
        nonlocal open_records
        answers.update(_by_key(found, asked))
        open_records = [r for r in batch.records if _is_open(answers.get(r.key))]

    try:
        for attempt in stamina.retry_context(
            on=TransientError,
            attempts=retries.attempts,
            timeout=None,
            wait_initial=min(1.0, retries.longest_wait_seconds),
            wait_max=retries.longest_wait_seconds,
        ):
            with attempt:
                if doubtful and kind.capabilities.can_look_up:
                    asked = _part(batch, open_records)
                    take(kind.look_up(delivery, asked) or (), asked.records)
                if open_records or not batch.records:
                    sent = _part(batch, open_records)
                    doubtful = True
                    take(_patiently(kind, delivery, sent, retries, sleep), sent.records)
                    _wait_for_jobs(kind, delivery, batch, answers, take, sleep)
                doubtful = any(answers[r.key].outcome == "unknown" for r in open_records)
                if open_records:
                    raise _Unsettled
    except _Unsettled:
        pass
    return answers


def finish(kind: DestinationKind, delivery: Delivery, *, retries: Retries) -> None:
    """Close a delivery, trying again after passing faults."""
    for attempt in stamina.retry_context(
        on=TransientError,
        attempts=retries.attempts,
        timeout=None,
        wait_initial=min(1.0, retries.longest_wait_seconds),
        wait_max=retries.longest_wait_seconds,
    ):
        with attempt:
            kind.finish(delivery)


def _is_open(answer: Acknowledgement | None) -> bool:
    return answer is None or answer.outcome in ("retry", "pending", "unknown")


def _part(batch: Batch, records: Sequence[OutboundRecord]) -> Batch:
    return Batch(number=batch.number, records=records)


def _by_key(
    found: Sequence[Acknowledgement], asked: Sequence[OutboundRecord]
) -> dict[str, Acknowledgement]:
    """One answer for each record that was asked for."""
    answers = {
        record.key: Acknowledgement(key=record.key, outcome="unknown", error="no answer for it")
        for record in asked
    }
    seen: set[str] = set()
    for each in found:
        if each.key not in answers:
            continue
        known = answers[each.key]
        is_better = _WORST_FIRST.index(each.outcome) > _WORST_FIRST.index(known.outcome)
        if each.key not in seen or not is_better:
            answers[each.key] = each
        seen.add(each.key)
    return answers


def _patiently(
    kind: DestinationKind, delivery: Delivery, batch: Batch, retries: Retries, sleep: Sleep
) -> Sequence[Acknowledgement]:
    for _ in range(_MOST_THROTTLES):
        try:
            return kind.send(delivery, batch)
        except Throttled as wait:
            sleep(min(max(wait.seconds, 0.0), retries.longest_wait_seconds))
    return kind.send(delivery, batch)


def _wait_for_jobs(
    kind: DestinationKind,
    delivery: Delivery,
    batch: Batch,
    answers: dict[str, Acknowledgement],
    take: Callable[[Sequence[Acknowledgement], Sequence[OutboundRecord]], None],
    sleep: Sleep,
) -> None:
    """Ask about pending records until none is left; then what remains is unknown."""
    can = kind.capabilities

    def pending() -> list[OutboundRecord]:
        return [
            r for r in batch.records if r.key in answers and answers[r.key].outcome == "pending"
        ]

    for _ in range(math.ceil(can.longest_job_seconds / can.poll_seconds)):
        waiting = pending()
        if not waiting:
            return
        sleep(can.poll_seconds)
        found = kind.look_up(delivery, _part(batch, waiting))
        if found is None:
            break
        take(found, waiting)
    take((), pending())
