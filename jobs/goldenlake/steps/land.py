"""Take over a source's new files into the landing area, each content once."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import BinaryIO, cast

from goldenlake.declarations.source import Origin, Source
from goldenlake.errors import ContractBroken, FileRefused
from goldenlake.ports import Clock, FilePlace, Landing, RemoteFile
from goldenlake.schemas import BROKEN, DUPLICATE, LANDED
from goldenlake.steps.files import FileRow
from goldenlake.steps.known_files import KnownFiles
from goldenlake.steps.tombstones import Erased


@dataclass(frozen=True, kw_only=True)
class Landed:
    """What a look at the source's place brought."""

    files: list[FileRow] = field(default_factory=list)
    """Rows for the ledger: landed, duplicate, broken without a day, or known but touched since."""
    growing: list[str] = field(default_factory=list)
    """Paths left alone because they may not be whole yet."""
    refused: list[FileRefused] = field(default_factory=list)
    """Of files that the place does not give."""
    later: int = 0
    """Files about a day after the one that is run."""
    ahead: int = 0
    """Of these, files about a day that has not come yet by the clock."""
    known: int = 0
    """Files that are as the ledger knows them; they were not read."""


def came_on(as_of: date, now: datetime) -> date:
    """The day on which something came whose name tells none: that of the clock, where a run for an
    older day is late. What was said until then is not said in the future.
    """
    return max(as_of, now.date())


def landed_lines(
    landing: Landing,
    source: str,
    path: str,
    content: BinaryIO,
    *,
    at: datetime,
    as_of: date,
    run_id: str,
    unless: Callable[[FileRow], bool] = lambda _: False,
) -> FileRow:
    """JSON lines that we wrote down ourselves, as a file of the day; ``path`` names them, and
    ``unless`` says of its row whether what was landed before is not to be landed again.
    """
    row = FileRow(
        source=source,
        path=path,
        size_bytes=0,
        sha256="",
        modified_at=at,
        file_id="",
        file_on=as_of,
        landed_path="",
        landed_on=came_on(as_of, at),
        run_id=run_id,
    )
    sha256, landed_path, size = landing.put(
        source, f"{as_of}.jsonl", content, unless=lambda found: unless(replace(row, sha256=found))
    )
    return replace(row, size_bytes=size, sha256=sha256, file_id=sha256, landed_path=landed_path)


@dataclass(frozen=True, kw_only=True)
class Land:
    """Land the files of one source that belong to a day or to one before it.

    Args:
        settle: a file that changed less than this before the clock's time may still be written.
        until: land files about days up to this one; ``as_of`` where left out.
    """

    source: Source
    origin: Origin
    as_of: date
    run_id: str
    settle: timedelta
    until: date | None = None
    erased: Erased | None = None
    """Those who were forgotten, of whom names of files may have told."""

    def run(
        self, place: FilePlace, landing: Landing, known: Iterable[FileRow], clock: Clock
    ) -> Landed:
        """Copy what is new; nothing is written to the ledger here.

        Args:
            known: the ledger's rows of this source.

        Raises:
            PlaceUnreachable: the place does not answer. What had been copied is found again by
                its content, so another try costs only the reading.
        """
        before = KnownFiles(self.source, key=self.erased.key if self.erased else b"")
        for row in known:
            # What got its day since, by a mended pattern, is a file like any other.
            is_waiting = row.has_no_day and row.sha256 and self.day_of(row.path)
            before.add(row, is_seen=not is_waiting)
        landed = Landed()
        growing, refused, files = landed.growing, landed.refused, landed.files
        now, unchanged, later, ahead = clock.now(), 0, 0, 0
        landed_on = self.as_of if self.origin.file_date else came_on(self.as_of, now)
        found = place.list(self.origin.files)
        listed = [(self.day_of(f.path) or self.as_of, f) for f in found]
        for file_on, file in sorted(listed, key=lambda pair: (pair[0], pair[1].path)):
            if file_on > (self.until or self.as_of):
                later += 1
                ahead += file_on > now.date()
            elif before.knows(file):
                unchanged += 1
            # A clock may be some seconds ahead of ours; for one that is far ahead no file waits.
            elif abs(now - file.modified_at) < self.settle:
                growing.append(file.path)
            else:
                try:
                    row = self._take(place, landing, before, file, file_on, landed_on)
                except (_Grew, FileNotFoundError):
                    growing.append(file.path)
                    continue
                except FileRefused as refusal:
                    refused.append(refusal)
                    continue
                for found_out in (row, *before.outgrown(row)):
                    before.add(found_out)
                    files.append(found_out)
        files += before.revived(run_id=self.run_id)
        return replace(landed, later=later, ahead=ahead, known=unchanged)

    def day_of(self, path: str) -> date | None:
        """The day that the file is about: as its path says, or that of the run where the source
        says nothing of days. None where the path should say it and does not.
        """
        pattern = self.origin.file_date
        if pattern is None:
            return self.as_of
        found = re.search(pattern, path)
        if not found:
            return None
        try:
            year, month, day = (int(found[part]) for part in ("year", "month", "day"))
            return date(year + 2000 if year < 100 else year, month, day)
        except (ValueError, TypeError):
            return None

    def _take(
        self,
        place: FilePlace,
        landing: Landing,
        before: KnownFiles,
        file: RemoteFile,
        file_on: date,
        landed_on: date,
    ) -> FileRow:
        if file.unfit:
            return self._left_out(self._row(file.path, file, file_on, landed_on), file.unfit)

        def is_still_the_same(size: int) -> bool:
            now = place.stat(file.path)
            return (
                now is not None
                and size == now.size_bytes == file.size_bytes
                and now.modified_at == file.modified_at
            )

        path = before.name_of(file.path)
        name = path.rsplit("/", 1)[-1]
        known = self._row(path, file, file_on, landed_on)
        with place.open(file.path) as opened:
            watched = _Watched(opened, is_still_the_same)
            sha256, landed_path, size = landing.put(
                self.source.source,
                name,
                cast(BinaryIO, watched),
                unless=lambda found: before.is_gone(replace(known, sha256=found)),
            )
        row = replace(known, sha256=sha256, landed_path=landed_path, size_bytes=size)
        is_copy = before.repeats(row)
        if is_copy and (alike := before.newest_alike(row)):
            return replace(alike, modified_at=file.modified_at)
        if self.day_of(file.path) is None:
            row = before.identified(row, has_day=False)
            return replace(row, status=BROKEN, error=self._no_day(path))
        return replace(before.identified(row), status=DUPLICATE if is_copy else LANDED)

    def _row(self, path: str, file: RemoteFile, file_on: date, landed_on: date) -> FileRow:
        """What is known before anybody looks inside."""
        return FileRow(
            source=self.source.source,
            path=path,
            size_bytes=file.size_bytes,
            sha256="",
            modified_at=file.modified_at,
            file_id="",
            file_on=file_on,
            landed_path="",
            landed_on=landed_on,
            run_id=self.run_id,
        )

    def _left_out(self, row: FileRow, unfit: str) -> FileRow:
        broken = ContractBroken(
            source=self.source.source,
            file=row.path,
            what=unfit,
            mend="Have it sent under another name.",
        )
        file_id = hashlib.sha256(row.path.encode()).hexdigest()
        return replace(row, file_id=file_id, status=BROKEN, error=str(broken))

    def _no_day(self, path: str) -> str:
        broken = ContractBroken(
            source=self.source.source,
            file=path,
            what=f"origin.file_date ({self.origin.file_date}) finds no day in its name.",
            mend="Have it sent under a name with its day, or mend origin.file_date: it is then "
            "taken by the next run.",
        )
        return str(broken)


class _Grew(Exception):
    """The file changed while it was copied; raised before the copy is kept."""


class _Watched(io.RawIOBase):
    """A stream that, at its end, makes sure that the file is still the one that was listed."""

    def __init__(self, stream: BinaryIO, is_still_the_same: Callable[[int], bool]) -> None:
        self._stream, self._is_still_the_same, self._size = stream, is_still_the_same, 0

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self._size += len(piece)
        if not piece and not self._is_still_the_same(self._size):
            raise _Grew
        return piece
