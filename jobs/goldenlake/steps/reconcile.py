"""What a destination really holds, beside what the ledger says of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

from pyspark.sql import Row
from pyspark.sql import functions as F

from goldenlake.declarations.destination import Destination
from goldenlake.errors import CannotBeAsked
from goldenlake.patience import Sleep, patiently
from goldenlake.ports import (
    DestinationKind,
    FindsMembers,
    ListsMembers,
    Progress,
    StepResult,
    Tables,
)
from goldenlake.schemas import LEDGER
from goldenlake.steps import ledger
from goldenlake.transforms.planning import THERE


@dataclass(frozen=True, kw_only=True)
class SegmentDrift:
    """One segment's audience, by counts."""

    segment: str
    agreeing: int
    """There, and acknowledged."""
    missing: int
    """Acknowledged, and there no longer: somebody else took them out."""
    lingering: int
    """There, though they were taken out for us."""
    foreign: int | None
    """There, and not by us: they are not ours to touch. None of a system that does not tell
    who is there, but only whether somebody is."""

    @property
    def drift(self) -> int:
        """Records that the ledger is wrong about."""
        return self.missing + self.lingering


@dataclass(frozen=True, kw_only=True)
class Reconcile:
    """Compare a destination's audiences with the ledger.

    With ``repair``, the ledger learns what is there, so that the next export adds who is missing
    and takes out who lingers. Nothing is sent, and what is not ours is not touched.
    """

    destination: Destination
    as_of: date
    run_id: str
    repair: bool = False
    sleep: Sleep = time.sleep
    _drifted: list[dict[str, Any]] = field(default_factory=list)

    def run(self, tables: Tables, kind: DestinationKind, progress: Progress) -> StepResult:
        """Raises CannotBeAsked; TransientError when the destination does not answer."""
        if not isinstance(kind, ListsMembers | FindsMembers):
            raise CannotBeAsked(self.destination.destination)
        found = []
        for segment in self.destination.segments:
            known = self._known(tables, segment)
            tells_all = isinstance(kind, ListsMembers)
            whose = "members" if tells_all else "of our records"
            there = self._told(kind, segment, known)
            found.append(self._compared(segment, known, there, tells_all=tells_all))
            progress(f"{self.destination.destination}: {segment}: {len(there)} {whose} are there")
        drift = sum(each.drift for each in found)
        if self.repair and self._drifted:
            rows = tables.frame(self._drifted, LEDGER.ddl)
            tables.merge(ledger.TABLE, rows, on=ledger.KEY)
        return StepResult(
            step="reconcile",
            subject=self.destination.destination,
            status="degraded" if drift and not self.repair else "done",
            counts={
                name: sum(getattr(each, name) or 0 for each in found)
                for name in ("agreeing", "missing", "lingering", "foreign")
            },
            details={
                "segments": {each.segment: vars(each) for each in found},
                "repaired": drift if self.repair else 0,
            },
        )

    def _told(
        self, kind: ListsMembers | FindsMembers, segment: str, known: Sequence[Row]
    ) -> set[str]:
        if isinstance(kind, ListsMembers):
            ours = [row["key"] for row in known if row["state"] == "present"]
            return listed(kind, segment, ours, sleep=self.sleep)
        keys = [row["key"] for row in known]
        found = patiently(partial(kind.among, segment, keys), sleep=self.sleep)
        return {key.casefold() for key in found}

    def _compared(
        self, segment: str, known: Sequence[Row], there: set[str], *, tells_all: bool
    ) -> SegmentDrift:
        ours = {row["key"].casefold(): row for row in known if _is_ours(row)}
        missing = [r for k, r in ours.items() if r["state"] == "present" and k not in there]
        lingering = [r for k, r in ours.items() if r["state"] not in THERE and k in there]
        for row in missing:
            self._note(row, state="absent", acknowledged_hash=None)
        for row in lingering:
            self._note(row, state="unknown")
        return SegmentDrift(
            segment=segment,
            agreeing=sum(1 for k, r in ours.items() if r["state"] in THERE and k in there),
            missing=len(missing),
            lingering=len(lingering),
            foreign=len(there - set(ours)) if tells_all else None,
        )

    def _known(self, tables: Tables, segment: str) -> Sequence[Row]:
        ours = ledger.records_of(tables, self.destination.destination)
        return ours.where(F.col("segment") == segment).collect()

    def _note(self, row: Row, **others: Any) -> None:
        told = {"outcome": "reconciled", "run_id": self.run_id, "acknowledged_on": self.as_of}
        self._drifted.append(row.asDict() | told | others)


def listed(kind: ListsMembers, segment: str, expected: Sequence[str], *, sleep: Sleep) -> set[str]:
    """Keys of everybody in an audience, in one case. It is listed once more where somebody who is
    expected is not seen: when a member leaves while pages are read, the others move up, and one of
    them from a page that is still to come to one that was read.
    """

    def asked() -> set[str]:
        return {key.casefold() for key in kind.members(segment)}

    seen = patiently(asked, sleep=sleep)
    if all(key.casefold() in seen for key in expected):
        return seen
    return seen | patiently(asked, sleep=sleep)


def _is_ours(row: Row) -> bool:
    """Whether we put somebody there, or took them out. Whom the system refused, or somebody else
    took out, is there for another reason if at all.
    """
    is_taken_out = row["state"] == "absent" and row["outcome"] == "acknowledged"
    return row["state"] in THERE or is_taken_out
