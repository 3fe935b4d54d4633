"""Brings one batch to an end at a destination, whatever its replies; the same for every kind."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from unicodedata import normalize

import stamina

from goldenlake.columns.readings import in_plain
from goldenlake.declarations.destination import Retries
from goldenlake.errors import CallRefused, CallUnfit, NotAuthorised, TransientError
from goldenlake.patience import LONGEST_WAIT, Result, Sleep, patiently
from goldenlake.ports import (
    Acknowledgement,
    Batch,
    Delivery,
    DestinationKind,
    NoteJob,
    OutboundRecord,
    Outcome,
)

#: Of two answers for one key the worse one counts, the first in this list being the worst.
_WORST_FIRST: tuple[Outcome, ...] = ("unknown", "pending", "retry", "rejected", "acknowledged")
_IN_DOUBT: tuple[Outcome, ...] = ("unknown", "pending")
_LONGEST_ERROR = 300
_ABOUT_CONTENT = (400, 409, 413, 422)
"""Statuses of a call that is refused for something in it; others are about the call itself."""
_MOST_REFUSED_ALONE = 5


class _Unsettled(TransientError):
    """Some records of a batch are to be tried again."""


def deliver(
    kind: DestinationKind,
    delivery: Delivery,
    batch: Batch,
    *,
    retries: Retries,
    note: NoteJob = lambda _: None,
    sleep: Sleep = time.sleep,
) -> Mapping[str, Acknowledgement]:
    """Send a batch until every record is settled or the attempts are used up; answers by key.

    A record without an answer counts as unknown, an answer for a stranger is ignored. Where a
    reply was lost, the destination is asked before anything is sent again, if it can be asked; so
    it is where the batch bears the job of an earlier process. Only unsettled records are sent
    again. A batch that is refused as a whole is sent in halves, until what it was refused for
    stands alone. Waiting for a throttle or for a job that goes on is no attempt. What is still
    unsettled at the end is unknown if it was ever sent without an answer, be the last one retry;
    what is refused after such a try is doubtful.

    Raises TransientError when the last attempt ended without any reply; CallRefused where the
    call itself is refused, or one record after the other.
    """
    course = _Course(
        kind=kind, delivery=delivery, batch=batch, retries=retries, note=note, sleep=sleep
    )
    try:
        for attempt in _attempts(retries):
            with attempt:
                course.go_on()
    except _Unsettled:
        pass
    return course.verdicts


@dataclass(kw_only=True)
class _Course:
    """How far one batch has come."""

    kind: DestinationKind
    delivery: Delivery
    batch: Batch
    retries: Retries
    note: NoteJob
    sleep: Sleep
    answers: dict[str, Acknowledgement] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    """The job that works on a record, by key: halves of a batch have jobs of their own."""
    is_doubtful: bool = False
    """Something was sent whose answer is not known."""
    doubted: set[str] = field(default_factory=set)
    """Keys of records of which something may have been applied without an answer that says so."""

    def __post_init__(self) -> None:
        if self.batch.job is not None:
            self.jobs = dict.fromkeys((r.key for r in self.batch.records), self.batch.job)
            self.is_doubtful = True
        if self.batch.job is not None or self.batch.is_resumed:
            self.doubted.update(record.key for record in self.batch.records)

    @property
    def verdicts(self) -> Mapping[str, Acknowledgement]:
        """The answers, where what may have been applied is never told to be not applied: a system
        may show late what it took, and a later try be refused though an earlier one was not.
        """
        return {
            key: _doubted(answer) if key in self.doubted else answer
            for key, answer in self.answers.items()
        }

    @property
    def open_records(self) -> Sequence[OutboundRecord]:
        return [r for r in self.batch.records if _is_open(self.answers.get(r.key))]

    def go_on(self) -> None:
        """One attempt. Raises TransientError unless all is settled."""
        if self.is_doubtful and self.kind.capabilities.can_look_up:
            self._ask(self.open_records)
            self._wait_for_jobs()
        if self.open_records or not self.batch.records:
            self.is_doubtful = True
            self._send(self.open_records)
            self._wait_for_jobs()
        left = self.open_records
        self.is_doubtful = any(self.answers[r.key].outcome == "unknown" for r in left)
        if left:
            raise _Unsettled

    def _send(self, records: Sequence[OutboundRecord]) -> None:
        for record in records:
            self.jobs.pop(record.key, None)
        part = self._part(records)

        def note(job: str) -> None:
            self.jobs.update(dict.fromkeys((record.key for record in records), job))
            self.note(job)

        try:
            found = self._patiently(lambda: self.kind.send(self.delivery, part, note))
            self._take(found, records)
            self.doubted.update(r.key for r in records if self.answers[r.key].outcome in _IN_DOUBT)
        except TransientError:
            self.doubted.update(record.key for record in records)
            raise
        except CallRefused as refusal:
            self.doubted |= refusal.in_doubt
            is_about_content = refusal.status in _ABOUT_CONTENT
            is_none_of_a_record = isinstance(refusal, NotAuthorised | CallUnfit)
            if is_none_of_a_record or not is_about_content or not records:
                raise
            if len(records) == 1:
                told = f"{refusal.status} {refusal.code} {refusal.told}"
                self._take([refused(records[0], told)], records)
                self._give_up_if_nothing_passes(refusal)
                return
            half = len(records) // 2
            self._send(records[:half])
            self._send(records[half:])

    def _give_up_if_nothing_passes(self, refusal: CallRefused) -> None:
        """A mapping that the system refuses is no fault of a record: do not try each of them."""
        settled = [answer.outcome for answer in self.answers.values()]
        is_hopeless = not {"acknowledged", "pending"} & set(settled)
        if settled.count("rejected") >= _MOST_REFUSED_ALONE and is_hopeless:
            raise refusal

    def _patiently(self, call: Callable[[], Result]) -> Result:
        longest = max(LONGEST_WAIT, self.retries.longest_wait_seconds)
        return patiently(call, sleep=self.sleep, longest=longest)

    def _wait_for_jobs(self) -> None:
        """Ask about pending records until none is left, soon at first; when they have taken too
        long, what remains is unknown.
        """
        can = self.kind.capabilities
        waited, wait = 0.0, min(can.first_poll_seconds, can.poll_seconds)
        while (waiting := self._pending()) and waited < can.longest_job_seconds:
            self.sleep(wait)
            waited += wait
            self._ask(waiting)
            wait = min(2 * wait, can.poll_seconds)
        self._take((), self._pending())

    def _ask(self, records: Sequence[OutboundRecord]) -> None:
        """Look up records, job by job."""
        by_job: dict[str | None, list[OutboundRecord]] = {}
        for record in records:
            by_job.setdefault(self.jobs.get(record.key), []).append(record)
        for job, asked in by_job.items():
            part = self._part(asked, job)
            found = self._patiently(partial(self.kind.look_up, self.delivery, part))
            self._take(found or (), asked)

    def _pending(self) -> list[OutboundRecord]:
        return [
            r
            for r in self.batch.records
            if r.key in self.answers and self.answers[r.key].outcome == "pending"
        ]

    def _take(self, found: Sequence[Acknowledgement], asked: Sequence[OutboundRecord]) -> None:
        self.answers.update(_by_key(found, asked))
        self.doubted.update(answer.key for answer in found if answer.is_doubtful)

    def _part(self, records: Sequence[OutboundRecord], job: str | None = None) -> Batch:
        return Batch(
            number=self.batch.number,
            records=records,
            job=job,
            who_stays=self.batch.who_stays,
            who_stays_anywhere=self.batch.who_stays_anywhere,
        )


def rejected(record: OutboundRecord, error: str) -> Acknowledgement:
    """A refusal for good, in words of ours."""
    return Acknowledgement(key=record.key, outcome="rejected", error=error, is_permanent=True)


def refused(
    record: OutboundRecord, told: str, *, is_passing: bool = False, silent: str = ""
) -> Acknowledgement:
    """A refusal in the system's words, or in ``silent`` where it has none; for good, unless it is
    passing.
    """
    answer = rejected(record, without_values(told, record) or silent)
    return replace(answer, outcome="retry", is_permanent=False) if is_passing else answer


def without_values(text: str, record: OutboundRecord) -> str:
    """A system's own words about a record, without what they may tell of the person: its values,
    however they are written down, and whatever looks like an address or a number.
    """
    given = [str(value) for value in (record.key, *record.fields.values()) if value]
    values = {normalize("NFC", each) for value in given for each in (value, in_plain(value))}
    longest_first = sorted((value for value in values if len(value) > 2), key=len, reverse=True)
    # As it stands as well: what a value holds may look like writing that is to be undone.
    for undone in (str, in_plain):
        text = normalize("NFC", undone(text))
        for value in longest_first:
            text = re.sub(re.escape(value), "…", text, flags=re.IGNORECASE)
    text = re.sub(r"[^\s@\"'<>(),;:]+@[^\s@\"'<>(),;:]+", "…", text)
    return " ".join(re.sub(r"\+?\d[\d ()./-]{5,}\d", "…", text).split())[:_LONGEST_ERROR]


def never_lifted(records: Sequence[OutboundRecord]) -> list[Acknowledgement]:
    """What a removal is answered in mode ``suppress``: who said no is not written to again."""
    why = "a suppression is lifted by nobody but the person"
    return [rejected(record, why) for record in records]


def finish(kind: DestinationKind, delivery: Delivery, *, retries: Retries) -> None:
    """Close a delivery, trying again after passing faults."""
    for attempt in _attempts(retries):
        with attempt:
            kind.finish(delivery)


def _attempts(retries: Retries) -> Iterable[stamina.Attempt]:
    return stamina.retry_context(
        on=TransientError,
        attempts=retries.attempts,
        timeout=None,
        wait_initial=min(1.0, retries.longest_wait_seconds),
        wait_max=retries.longest_wait_seconds,
    )


def _doubted(answer: Acknowledgement) -> Acknowledgement:
    match answer.outcome:
        case "retry":
            return replace(answer, outcome="unknown")
        case "rejected":
            return replace(answer, is_doubtful=True)
        case _:
            return answer


def _is_open(answer: Acknowledgement | None) -> bool:
    return answer is None or answer.outcome in ("retry", "pending", "unknown")


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
