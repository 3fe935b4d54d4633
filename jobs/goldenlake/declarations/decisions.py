"""``conf/identity/decisions.yml``: what stewards decided about records, replayed in every run."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, model_validator

from goldenlake.declarations.base import Declaration

RecordId = Annotated[str, Field(min_length=3, pattern=r"^[a-z][a-z0-9_]*:.+$")]
Pair = Annotated[list[RecordId], Field(min_length=2, max_length=2)]


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
        seen: set[tuple[str, str]] = set()
        person: dict[str, str] = {}

        def whose(record: str) -> str:
            while person.get(record, record) != record:
                record = person[record]
            return record

        for decision in self.decisions:
            if decision.records in seen:
                raise ValueError(f"{' and '.join(decision.records)} are decided twice; keep one")
            seen.add(decision.records)
            if decision.is_must:
                one, other = (whose(record) for record in decision.records)
                person[one] = other
        for decision in self.decisions:
            one, other = decision.records
            if not decision.is_must and whose(one) == whose(other):
                raise ValueError(
                    f"{one} and {other} cannot be one person, and must be by other decisions; "
                    "withdraw one of them"
                )
        return self
