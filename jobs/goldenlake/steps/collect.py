"""Files to silver for many sources at once, each isolated from the others."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Literal

from goldenlake.declarations.base import SecretReference
from goldenlake.declarations.destination import Destination
from goldenlake.declarations.pulls import ApiOrigin, DepartureOrigin
from goldenlake.declarations.source import Source
from goldenlake.destinations import open_destination
from goldenlake.errors import (
    ExitCode,
    FileRefused,
    MostlyQuarantined,
    TransientError,
    described,
)
from goldenlake.ports import (
    Clock,
    Landing,
    Maintenance,
    Outside,
    Progress,
    StepResult,
    Tables,
)
from goldenlake.schemas import BROKEN, CONFORMED, INGESTED, LANDED
from goldenlake.steps.conform import Conform
from goldenlake.steps.departures import Departures
from goldenlake.steps.files import FileRow, read_files, record_drift, record_files
from goldenlake.steps.forget import forget_again
from goldenlake.steps.ingest import Ingest
from goldenlake.steps.land import Land, Landed
from goldenlake.steps.pull import Pull
from goldenlake.steps.tombstones import CUT, Erased, erased

log = logging.getLogger(__name__)

_MOST_TOLD = 3

Status = Literal["done", "skipped", "degraded"]


@dataclass(frozen=True, kw_only=True)
class Collect:
    """Land, ingest and conform what is new in some sources.

    Whatever goes wrong with a source is reported in its own result and stops nothing else; its
    table in silver stays as it was, so the night goes on with yesterday's slice of it. The ledger
    is written twice for all sources together: once after landing, once at the end. A kill in
    between repeats work that is idempotent.
    """

    sources: Sequence[Source]
    as_of: date
    run_id: str
    settle: timedelta
    parallel: int = 2
    destinations: Mapping[str, Destination] = field(default_factory=dict)
    """Those whose departures are a source."""
    privacy_key: SecretReference | None = None
    """By which those who were forgotten are known again."""

    def run(
        self,
        *,
        tables: Tables,
        maintenance: Maintenance,
        landing: Landing,
        outside: Outside,
        clock: Clock,
        progress: Progress,
    ) -> list[StepResult]:
        """One result a source, in the order of ``sources``. Raises PrivacyKeyUnfit."""
        known = _by_source(read_files(tables))
        forgotten = erased(tables, self.privacy_key)

        def land(source: Source) -> Landed | Exception:
            files = known.get(source.source, [])
            origin = source.origin
            try:
                if isinstance(origin, ApiOrigin):
                    pull = Pull(source=source, origin=origin, as_of=self.as_of, run_id=self.run_id)
                    api = outside.api(origin.connection)
                    return pull.run(api, landing, files, clock)
                if isinstance(origin, DepartureOrigin):
                    left = Departures(
                        source=source,
                        origin=origin,
                        destination=self.destinations[origin.destination],
                        as_of=self.as_of,
                        run_id=self.run_id,
                    )
                    kind = open_destination(left.destination, outside)
                    return left.run(tables, kind, landing, clock)
                step = Land(
                    source=source,
                    origin=origin,
                    as_of=self.as_of,
                    run_id=self.run_id,
                    settle=self.settle,
                    erased=forgotten,
                )
                return step.run(outside.place(origin.place), landing, files, clock)
            except Exception as error:  # noqa: BLE001 - one source must not stop the others
                return error

        def refine(source: Source, landed: Landed | Exception) -> tuple[list[FileRow], StepResult]:
            begun = time.monotonic()
            rows = _without_day(landed)
            error = landed if isinstance(landed, Exception) else None
            try:
                pending = _pending(known.get(source.source, []), landed)
                if pending:
                    rows += self._to_silver(source, pending, forgotten, tables, landing, progress)
            except Exception as raised:  # noqa: BLE001 - one source must not stop the others
                error = raised
            seconds = time.monotonic() - begun
            return rows, _result(source, landed, rows, error, seconds)

        with ThreadPoolExecutor(max_workers=self.parallel) as pool:
            landings = list(pool.map(land, self.sources))
            found = [landed for landed in landings if isinstance(landed, Landed)]
            record_files(tables, [row for landed in found for row in landed.files])
            refined = list(pool.map(refine, self.sources, landings))
        rows = [row for more, _ in refined for row in more]
        record_files(tables, rows)
        record_drift(tables, rows)
        if forgotten:
            forget_again(
                tables,
                maintenance,
                landing,
                sources=self.sources,
                erased=forgotten,
                run_id=self.run_id,
            )
        return [result for _, result in refined]

    def _to_silver(
        self,
        source: Source,
        pending: Sequence[FileRow],
        forgotten: Erased | None,
        tables: Tables,
        landing: Landing,
        progress: Progress,
    ) -> list[FileRow]:
        to_read = [row for row in pending if row.status == LANDED]
        rows = [row for row in pending if row.status == INGESTED]
        if to_read:
            ingest = Ingest(source=source, as_of=self.as_of, run_id=self.run_id)
            rows += ingest.run(tables, landing, to_read)
        readable = [row for row in rows if row.status == INGESTED]
        done = [row for row in rows if row.status != INGESTED]
        if readable:
            conform = Conform(source=source, as_of=self.as_of, run_id=self.run_id, erased=forgotten)
            done += conform.run(tables, readable, progress)
        return done


def replay(tables: Tables, source: str, *, run_id: str, everything: bool = False) -> list[FileRow]:
    """Set a source's files that have quarantined rows, or that broke, back to ``landed``.

    With ``everything`` those that were good, too: so a source's tables are made anew that were
    removed because they were damaged.

    The next ``collect`` reads them again under today's contract; slices are replaced, so nothing
    doubles. Files without a day stay as they are: landing takes them as soon as they have one. So
    do those that broke before anything was read, and were removed, since they told of somebody who
    was forgotten.
    """
    rows = [
        replace(row, status=LANDED, error=None, run_id=run_id)
        for row in read_files(tables, source, (CONFORMED, BROKEN))
        if (row.status == BROKEN and not row.has_no_day and (row.landed_path or row.records_read))
        or row.records_quarantined
        or (everything and row.status == CONFORMED)
    ]
    record_files(tables, rows)
    return rows


def _by_source(rows: Iterable[FileRow]) -> dict[str, list[FileRow]]:
    found: dict[str, list[FileRow]] = {}
    for row in rows:
        found.setdefault(row.source, []).append(row)
    return found


def _without_day(landed: Landed | Exception) -> list[FileRow]:
    return [row for row in landed.files if row.has_no_day] if isinstance(landed, Landed) else []


def _pending(known: Sequence[FileRow], landed: Landed | Exception) -> list[FileRow]:
    """Files that wait for ingest or conform: those just landed, and what an earlier run left."""
    rows = {row.key: row for row in known}
    if isinstance(landed, Landed):
        rows |= {row.key: row for row in landed.files}
    waiting = [row for row in rows.values() if row.status in (LANDED, INGESTED)]
    return sorted(waiting, key=lambda row: (row.file_on, row.path, row.sha256))


def _result(
    source: Source,
    landed: Landed | Exception,
    rows: Sequence[FileRow],
    error: Exception | None,
    seconds: float,
) -> StepResult:
    broken = [row for row in rows if row.status == BROKEN]
    judged = _mostly_quarantined(source, rows)
    found = landed if isinstance(landed, Landed) else Landed()
    counts = {
        "files": len(rows),
        "files_broken": len(broken),
        "files_growing": len(found.growing),
        "files_refused": len(found.refused),
        "files_later": found.later,
        "files_ahead": found.ahead,
        "records_read": sum(row.records_read or 0 for row in rows),
        "records_accepted": sum(row.records_accepted or 0 for row in rows),
        "records_quarantined": sum(row.records_quarantined or 0 for row in rows),
    }
    details: dict[str, object] = {"seconds": round(seconds, 1)}
    withheld = _told(found.refused)
    message = " ".join([*(row.error or "" for row in broken), withheld, str(judged or "")]).strip()
    if error is not None:
        log.debug("collect %s", source.source, exc_info=error)
        message = described(error)
        transient = isinstance(error, TransientError)
        details["exit_code"] = int(ExitCode.TRANSIENT if transient else ExitCode.DEGRADED)
    if broken or judged:
        # Until the files are mended or replayed: finding nothing new is no remedy.
        details["lasts"] = True
    at_fault = error or broken or judged or found.refused
    status: Status = "degraded" if at_fault else "done" if rows else "skipped"
    return StepResult(
        step="collect",
        subject=source.source,
        status=status,
        counts=counts,
        details=details,
        error=message,
    )


def _told(refused: Sequence[FileRefused]) -> str:
    """The first ones; where nothing may be read there is one for each file."""
    told = [str(each) for each in refused[:_MOST_TOLD]]
    if len(refused) > _MOST_TOLD:
        told.append(f"So it is with {len(refused) - _MOST_TOLD} files more.")
    return " ".join(told)


def _mostly_quarantined(source: Source, rows: Iterable[FileRow]) -> MostlyQuarantined | None:
    """What is to be said of the files together; a small one of its own may be all bad."""
    rows = [row for row in rows if row.status == CONFORMED]
    read = sum(row.records_read or 0 for row in rows)
    quarantined = sum(row.records_quarantined or 0 for row in rows)
    if quarantined <= source.quarantine_limit * read:
        return None
    rules: Counter[str] = Counter()
    for row in rows:
        rules.update({rule: count for rule, count in row.reasons.items() if rule != CUT})
    return MostlyQuarantined(
        source=source.source,
        quarantined=quarantined,
        read=read,
        limit=source.quarantine_limit,
        rules=rules,
    )
