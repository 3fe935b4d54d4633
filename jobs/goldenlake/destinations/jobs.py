"""What a system's job tells of the records that it was given, once it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from goldenlake.destinations.sending import refused
from goldenlake.errors import CallRefused
from goldenlake.ports import Acknowledgement, Found, OutboundRecord, Outcome

FoundT = TypeVar("FoundT")


@dataclass(frozen=True, kw_only=True)
class Work:
    """A job, as far as its system tells. One of which nothing is known vouches for nobody."""

    is_running: bool = False
    is_ours: bool = False
    """Sent by this process, so that it is known to be about the records that are asked for."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """What it says of those whom it refused, by name."""
    errored: int = 0
    """How many it refused."""

    def refused(self, records: Sequence[OutboundRecord]) -> list[Acknowledgement]:
        """Answers for those whom it names among its errors."""
        return [
            refused(record, self.errors[name(record)], silent="named among the errors of the job")
            for record in records
            if name(record) in self.errors
        ]

    def vouches(self, refused: Sequence[Acknowledgement]) -> bool:
        """Whether everybody but these was applied, as far as the job can know."""
        return self.is_ours and len(refused) >= self.errored


def name(record: OutboundRecord) -> str:
    """A key as it is compared with what a system calls somebody."""
    return record.key.casefold()


def keys_of(records: Sequence[OutboundRecord]) -> list[str]:
    """Their keys, in their order."""
    return [record.key for record in records]


def all_are(records: Sequence[OutboundRecord], outcome: Outcome) -> list[Acknowledgement]:
    """One answer for all of them."""
    return [Acknowledgement(key=record.key, outcome=outcome) for record in records]


def found(
    keys: Sequence[str],
    size: int,
    ask: Callable[[list[str]], Iterable[FoundT]],
    known: Found,
) -> list[FoundT]:
    """What a search for keys gives, so many at a time; ``known`` keeps its parts that are through
    until all of them are. A search that is refused with 400 for one of them is made in halves: what
    it is refused for alone is nobody's.
    """
    parts = [tuple(keys[at : at + size]) for at in range(0, len(keys), size)]
    for part in parts:
        if part not in known:
            known[part] = _searched(list(part), ask)
    return [each for part in parts for each in known.pop(part)]


def _searched(keys: list[str], ask: Callable[[list[str]], Iterable[FoundT]]) -> list[FoundT]:
    try:
        return list(ask(keys))
    except CallRefused as refusal:
        if refusal.status != 400:
            raise
    half = len(keys) // 2
    return [*_searched(keys[:half], ask), *_searched(keys[half:], ask)] if half else []
