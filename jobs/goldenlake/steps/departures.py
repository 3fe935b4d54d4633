"""Take over who left a destination by themselves: acknowledged there, and there no longer."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from time import sleep

from pyspark.sql import functions as F

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.pulls import DepartureOrigin
from goldenlake.declarations.source import Source
from goldenlake.errors import CannotBeAsked, ContractBroken
from goldenlake.patience import Sleep
from goldenlake.ports import Clock, DestinationKind, Landing, ListsMembers, Tables
from goldenlake.steps import ledger
from goldenlake.steps.land import Landed, landed_lines
from goldenlake.steps.outbox import left_open
from goldenlake.steps.reconcile import listed

_FEW = 10
"""So many may leave at once, whatever share of the members they are."""


@dataclass(frozen=True, kw_only=True)
class Departures:
    """One file of JSON lines a night: ``key``, ``segment`` and ``noticed_at``.

    The ledger tells whom we took out ourselves, and that is nobody's word about anything. As long
    as an export is open it does not know that of everybody, and nobody is told of; nor where one
    was made while members were listed. Who is told of is told of again until an export has settled
    their record.
    """

    source: Source
    origin: DepartureOrigin
    destination: Destination
    as_of: date
    run_id: str
    sleep: Sleep = sleep

    def run(self, tables: Tables, kind: DestinationKind, landing: Landing, clock: Clock) -> Landed:
        """Raises CannotBeAsked, TransientError, CallRefused; ContractBroken where so many are gone
        that the list rather than its members must have changed. Nothing is landed then.
        """
        if not isinstance(kind, ListsMembers):
            raise CannotBeAsked(self.destination.destination)
        version = tables.version(ledger.TABLE)
        if self._is_exported_to(tables):
            return Landed()
        now = clock.now()
        # A run that is late must not speak of a time that its day has not come to.
        noticed_at = min(now, datetime.combine(self.as_of + timedelta(days=1), time.max, UTC))
        found = list(self._departed(tables, kind))
        if not found or self._is_exported_to(tables) or tables.version(ledger.TABLE) != version:
            return Landed()
        lines = [
            json.dumps({**each, "noticed_at": noticed_at.isoformat()}) + "\n" for each in found
        ]
        content = io.BytesIO("".join(lines).encode())
        row = landed_lines(
            landing,
            self.source.source,
            f"left/{self.as_of}/{now.isoformat()}.jsonl",
            content,
            at=now,
            as_of=self.as_of,
            run_id=self.run_id,
        )
        return Landed(files=[row])

    def _is_exported_to(self, tables: Tables) -> bool:
        return left_open(tables, self.destination.destination) is not None

    def _departed(self, tables: Tables, kind: ListsMembers) -> Iterator[Mapping[str, str]]:
        acknowledged = self._acknowledged(tables)
        for segment in self.destination.segments:
            ours = acknowledged.get(segment, [])
            there = listed(kind, segment, ours, sleep=self.sleep) if ours else set()
            gone = [key for key in ours if key.casefold() not in there]
            if len(gone) > max(_FEW, self.origin.most_share * len(ours)):
                raise ContractBroken(
                    source=self.source.source,
                    file=self.destination.destination,
                    what=f"{len(gone)} of {len(ours)} members of {segment} are gone at once, more "
                    f"than most_share ({self.origin.most_share:.0%}).",
                    mend="See whether its list is still there; `goldenlake reconcile --repair` "
                    "where somebody else emptied it, a larger origin.most_share where they left.",
                )
            yield from ({"key": key, "segment": segment} for key in sorted(gone))

    def _acknowledged(self, tables: Tables) -> dict[str, list[str]]:
        """Keys that are there by the ledger, by segment."""
        ours = ledger.records_of(tables, self.destination.destination)
        rows = ours.where(F.col("state") == "present")
        found: dict[str, list[str]] = {}
        for row in rows.select("segment", "key").collect():
            found.setdefault(row["segment"], []).append(row["key"])
        return found
