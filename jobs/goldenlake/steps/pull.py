"""Take over what a system with an API has that is new, as one file of the landing area a night."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO, cast

from goldenlake.declarations.pulls import ApiOrigin
from goldenlake.declarations.source import Source
from goldenlake.errors import ListMoved
from goldenlake.io.pulls import Newest, instant, later, pulled
from goldenlake.patience import Sleep
from goldenlake.ports import Api, Clock, Landing
from goldenlake.schemas import BROKEN
from goldenlake.steps.files import FileRow
from goldenlake.steps.known_files import KnownFiles
from goldenlake.steps.land import Landed, landed_lines

_IN_MEMORY = 8 * 2**20
_PREFIX = "pulled"
_TRIES = 5
"""To read a list that moves while it is read."""


@dataclass(frozen=True, kw_only=True)
class Pull:
    """Ask for the records of one source from the newest one on that was landed before.

    How far the source has come stands in the names of its files in ``ops.files``, so a run that
    dies before it noted its file asks for the same again; the source's key makes one of both.
    """

    source: Source
    origin: ApiOrigin
    as_of: date
    run_id: str
    sleep: Sleep = time.sleep

    def run(self, api: Api, landing: Landing, known: Iterable[FileRow], clock: Clock) -> Landed:
        """Raises TransientError, CallRefused, ContractBroken; nothing is landed then."""
        rows = list(known)
        before = KnownFiles(self.source, rows)
        since = max((mark for row in rows if (mark := _mark(row))), key=instant, default=None)
        name = self.source.source
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as kept:
            for attempt in range(1, _TRIES + 1):
                # What changes from now on may not be in the pages any more.
                began = clock.now()
                try:
                    newest = self._asked(api, since, cast(BinaryIO, kept))
                    break
                except ListMoved:
                    if attempt == _TRIES:
                        raise
                    kept.seek(0)
                    kept.truncate()
            if not kept.tell() and not self._is_news_that_none_is_there(rows):
                return Landed()
            kept.seek(0)
            row = landed_lines(
                landing,
                name,
                f"{_PREFIX}/{self.as_of}/{newest or ''}.jsonl",
                cast(BinaryIO, kept),
                at=began,
                as_of=self.as_of,
                run_id=self.run_id,
                unless=before.is_gone,
            )
        # As the overlap alone does, word for word.
        return Landed(known=1) if before.repeats(row) else Landed(files=[before.identified(row)])

    def _is_news_that_none_is_there(self, rows: Iterable[FileRow]) -> bool:
        """Of snapshots, which ``least_share`` judges, once there were records."""
        return self.source.load == "snapshot" and any(row.records_accepted for row in rows)

    def _asked(self, api: Api, since: str | None, kept: BinaryIO) -> str | None:
        """Keep every record as a line; gives how new the newest is."""
        newest = Newest(self.source.source, self.origin)
        asked = pulled(
            api, self.origin, since=since, newest=newest, as_of=self.as_of, sleep=self.sleep
        )
        for record in asked:
            # Half a pair of surrogates is no text: the reader quarantines that record alone.
            line = json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")
            kept.write(line + b"\n")
        return later(since, newest.told)


def _mark(row: FileRow) -> str:
    """How new the newest record of a file is; no newer than the file, which is as old as the first
    call for it: a record from a clock that is ahead, or of what changed while pages were read, does
    not hide what came after that.
    """
    parts = row.path.removesuffix(".jsonl").split("/", 2)
    is_ours = parts[0] == _PREFIX and len(parts) == 3 and row.status != BROKEN
    if not is_ours or not parts[2]:
        return ""
    return min(parts[2], row.modified_at.isoformat(), key=instant)
