"""Take out events whose time is over: of sources that say how long, or whose personal class does.

Silver goes first and the ledger last, so that what a kill leaves undone is found and done by the
next upkeep. The next build leaves out of the golden tables what is no longer in silver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from goldenlake.declarations.base import parse_duration
from goldenlake.declarations.environment import Retention
from goldenlake.declarations.source import Source
from goldenlake.ports import Landing, Progress, StepResult, Tables
from goldenlake.schemas import EXPIRED, INGESTED, LANDED
from goldenlake.steps.files import read_files, record_files
from goldenlake.steps.ties import keep_ties

_LAYERS = ("silver", "quarantine", "bronze")
_WAITING = (LANDED, INGESTED)


def kept_for(source: Source, retention: Retention) -> str | None:
    """How long a source's records are kept, a duration; None is for good.

    As the source says, else the shortest that its columns' classes are kept for. Profiles are kept
    as long as their source has them, and statements of consent for good: without an old withdrawal
    somebody would be written to who did not want it.
    """
    if source.keep is not None or source.load != "append" or source.consents:
        return source.keep
    classes = {column.personal for column in source.columns}
    found = [retention.classes[name] for name in classes if name in retention.classes]
    return min(found, key=parse_duration, default=None)


@dataclass(frozen=True, kw_only=True)
class Expire:
    """Remove what landed longer ago than it is kept for, from every layer and the landing area.

    Of those who said no to something, the names that stood together stay (``keep_ties``). A file
    that comes again afterwards is known by its content and not read.
    """

    sources: Sequence[Source]
    retention: Retention
    as_of: date
    run_id: str

    def run(self, tables: Tables, landing: Landing, progress: Progress) -> StepResult:
        """Counts the files that went, by source. Files that wait to be read stay."""
        files = read_files(tables)
        counts: dict[str, int] = {}
        for source in self.sources:
            kept = kept_for(source, self.retention)
            if kept is None:
                continue
            oldest = self.as_of - parse_duration(kept)
            own = [row for row in files if row.source == source.source]
            # A day goes whole: one on which a file landed that still waits is left for later.
            waiting = {row.landed_on for row in own if row.status in _WAITING}
            over = [
                row
                for row in own
                if row.landed_on < oldest and row.status != EXPIRED and row.landed_on not in waiting
            ]
            if not over:
                continue
            days = sorted({row.landed_on for row in over})
            keep_ties(tables, source, days)
            for layer in _LAYERS:
                if tables.exists(table := f"{layer}.{source.source}"):
                    tables.delete_slice(table, where={"_landed_on": days})
            gone = {row.key for row in over}
            needed = {row.landed_path for row in own if row.key not in gone}
            for path in {row.landed_path for row in over} - needed - {""}:
                landing.remove(path)
            done = [
                replace(row, status=EXPIRED, landed_path="", run_id=self.run_id) for row in over
            ]
            record_files(tables, done)
            counts[source.source] = len(done)
            progress(f"{source.source}: {len(done)} files were kept for {kept}, and went")
        return StepResult(step="expire", counts=counts)
