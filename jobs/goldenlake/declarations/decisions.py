"""``conf/identity/decisions.yml``: what stewards decided about records, replayed in every run."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated

from pydantic import Field, model_validator

from goldenlake.declarations.base import Declaration

RecordId = Annotated[str, Field(min_length=3, pattern=r"^[a-z][a-z0-9_]*:.+$")]
Pair = Annotated[list[RecordId], Field(min_length=2, max_length=2)]
Finding = tuple[tuple[str | int, ...], str]
"""Where something is wrong, and what."""


class Decision(Declaration):
    """Two records that are one person, or two: it wins over identifiers and over the model."""

    must: Pair | None = Field(default=None, description="Record ids of one person.")
    cannot: Pair | None = Field(default=None, description="Record ids of two people.")
    reason: str = Field(min_length=3, description="Why; without personal values.")
    by: str = Field(min_length=1, description="Who decided.")
    on: date

    @model_validator(mode="after")
    def _says_one_thing(self) -> Decision:
        if (self.must is None) == (self.cannot is None):
            raise ValueError("write either must or cannot, with two record ids")
        if self.records[0] == self.records[1]:
            raise ValueError("names one record twice; name two")
        return self

    @property
    def records(self) -> tuple[str, str]:
        """The two records, smaller first."""
        one, other = sorted(self.must or self.cannot or ())
        return one, other

    @property
    def is_must(self) -> bool:
        """Whether they are one person."""
        return self.must is not None

    @property
    def rule(self) -> str:
        """The decision in words, for evidence."""
        return f"decided by {self.by} on {self.on}: {self.reason}"


class Decisions(Declaration):
    """All decisions; none contradicts the others."""

    decisions: tuple[Decision, ...] = ()

    @model_validator(mode="after")
    def _agree(self) -> Decisions:
        findings = [*self._repeated(), *self._contradictory()]
        if findings:
            raise Disagreement(findings)
        return self

    def _repeated(self) -> Iterator[Finding]:
        first: dict[tuple[str, str], int] = {}
        for at, decision in enumerate(self.decisions):
            before = first.setdefault(decision.records, at)
            if before != at:
                same = decision.is_must == self.decisions[before].is_must
                message = (
                    f"decides {' and '.join(decision.records)}, which decisions[{before}] decides "
                    f"in the {'same' if same else 'other'} way. Keep one of the two."
                )
                yield ("decisions", at), message

    def _contradictory(self) -> Iterator[Finding]:
        """Records that cannot be one person, though other decisions say that they must."""
        around: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for at, decision in enumerate(self.decisions):
            if decision.is_must:
                one, other = decision.records
                around[one].append((other, at))
                around[other].append((one, at))
        for at, decision in enumerate(self.decisions):
            one, other = decision.records
            chain = () if decision.is_must else _chain(around, one, other)
            # Two decisions about one pair are told as that.
            if len(chain) > 1:
                by = ", ".join(f"decisions[{each}]" for each in chain)
                message = (
                    f"{one} and {other} cannot be one person, but by {by} together they must. "
                    "Withdraw one of them."
                )
                yield ("decisions", at, "cannot"), message


class Disagreement(ValueError):
    """Decisions contradict each other; carries where, and what to say."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(" ".join(message for _, message in self.findings))


def _chain(
    around: Mapping[str, Sequence[tuple[str, int]]], start: str, end: str
) -> tuple[int, ...]:
    """The decisions by which two records must be one person; empty where they need not."""
    came: dict[str, tuple[int, ...]] = {start: ()}
    queue = deque([start])
    while queue:
        at = queue.popleft()
        for other, decision in around.get(at, ()):
            if other not in came:
                came[other] = (*came[at], decision)
                queue.append(other)
    return came.get(end, ())
