"""Take over a source's new files into the landing area, each content once."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, BinaryIO, cast

from goldenlake.declarations.source import Origin, Source
from goldenlake.errors import ContractBroken
from goldenlake.ports import Clock, FilePlace, Landing, RemoteFile
from goldenlake.schemas import BROKEN, DUPLICATE
from goldenlake.steps.files import FileRow, token_in, token_of
from goldenlake.steps.silver import file_version
from goldenlake.steps.tombstones import Erased


@dataclass(frozen=True, kw_only=True)
class Landed:
    """What a look at the source's place brought."""

    files: list[FileRow] = field(default_factory=list)
    """Rows for the ledger: landed, duplicate, broken without a day, or known but touched since."""
    growing: list[str] = field(default_factory=list)
    """Paths left alone because they may not be whole yet."""
    later: int = 0
    """Files about a day after the one that is run."""
    ahead: int = 0
    """Of these, files about a day that has not come yet by the clock."""
    known: int = 0
    """Files that are as the ledger knows them; they were not read."""


def landed_lines(
    landing: Landing,
    source: str,
    path: str,
    content: BinaryIO,
    *,
    at: datetime,
    as_of: date,
    run_id: str,
    unless: Callable[[str], bool] | None = None,
) -> FileRow:
    """JSON lines that we wrote down ourselves, as a file of the day; ``path`` names them, and
    ``unless`` is as ``ports.Landing.put`` has it.
    """
    sha256, landed_path, size = landing.put(source, f"{as_of}.jsonl", content, unless=unless)
    return FileRow(
        source=source,
        path=path,
        size_bytes=size,
        sha256=sha256,
        modified_at=at,
        file_id=sha256,
        file_on=as_of,
        landed_path=landed_path,
        landed_on=as_of,
        run_id=run_id,
    )


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
        # What got its day since, by a mended pattern, is a file like any other.
        waiting = (
            row for row in known if not (row.has_no_day and row.sha256 and self.day_of(row.path))
        )
        ledger = Ledger(waiting, self.erased.key if self.erased else b"")
        landed = Landed()
        growing, files = landed.growing, landed.files
        now, unchanged, later, ahead = clock.now(), 0, 0, 0
        found = place.list(self.origin.files)
        listed = [(self.day_of(f.path) or self.as_of, f) for f in found]
        for file_on, file in sorted(listed, key=lambda pair: (pair[0], pair[1].path)):
            if file_on > (self.until or self.as_of):
                later += 1
                ahead += file_on > now.date()
            elif ledger.knows(file):
                unchanged += 1
            # A file from a clock that is ahead of ours must not wait until ours gets there.
            elif timedelta(0) <= now - file.modified_at < self.settle:
                growing.append(file.path)
            else:
                try:
                    row = self._take(place, landing, ledger, file, file_on)
                except (_Grew, FileNotFoundError):
                    growing.append(file.path)
                    continue
                ledger.add(row)
                files.append(row)
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
        self, place: FilePlace, landing: Landing, ledger: Ledger, file: RemoteFile, file_on: date
    ) -> FileRow:
        if file.unfit:
            return self._left_out(file, file_on)

        def is_still_the_same(size: int) -> bool:
            now = place.stat(file.path)
            return (
                now is not None
                and size == now.size_bytes == file.size_bytes
                and now.modified_at == file.modified_at
            )

        path = ledger.name_of(file.path)

        def repeats(sha256: str) -> bool:
            return ledger.repeats(self.source, path, sha256, file_on)

        name = path.rsplit("/", 1)[-1]
        with place.open(file.path) as opened:
            watched = _Watched(opened, is_still_the_same)
            sha256, landed_path, size = landing.put(
                self.source.source,
                name,
                cast(BinaryIO, watched),
                unless=lambda sha256: ledger.is_withdrawn(sha256) and repeats(sha256),
            )
        before = ledger.row(self.source.source, path, size, sha256)
        says_nothing_new = repeats(sha256)
        if before and says_nothing_new:
            return replace(before, modified_at=file.modified_at)
        row = FileRow(
            source=self.source.source,
            path=path,
            size_bytes=size,
            sha256=sha256,
            modified_at=file.modified_at,
            file_id=sha256,
            file_on=file_on,
            landed_path=landed_path,
            landed_on=self.as_of,
            run_id=self.run_id,
        )
        if self.day_of(file.path) is None:
            return replace(row, status=BROKEN, error=self._no_day(path))
        if says_nothing_new:
            return replace(row, status=DUPLICATE)
        if _is_true_on_its_day(self.source):
            # The same whichever of several days comes first: ids break ties in silver.
            about = f"{sha256} {file_on.isoformat()} {file_version(self.source, path)}"
            return replace(row, file_id=hashlib.sha256(about.encode()).hexdigest())
        if sha256 in ledger.contents:
            again = f"{sha256} {path} {file_on.isoformat()}"
            return replace(row, file_id=hashlib.sha256(again.encode()).hexdigest())
        return row

    def _left_out(self, file: RemoteFile, file_on: date) -> FileRow:
        broken = ContractBroken(
            source=self.source.source,
            file=file.path,
            what=file.unfit,
            mend="Have it sent under another name.",
        )
        return FileRow(
            source=self.source.source,
            path=file.path,
            size_bytes=file.size_bytes,
            sha256="",
            modified_at=file.modified_at,
            file_id=hashlib.sha256(file.path.encode()).hexdigest(),
            file_on=file_on,
            landed_path="",
            landed_on=self.as_of,
            status=BROKEN,
            error=str(broken),
            run_id=self.run_id,
        )

    def _no_day(self, path: str) -> str:
        broken = ContractBroken(
            source=self.source.source,
            file=path,
            what=f"origin.file_date ({self.origin.file_date}) finds no day in its name.",
            mend="Have it sent under a name with its day, or mend origin.file_date: it is then "
            "taken by the next run.",
        )
        return str(broken)


class Ledger:
    """What is known of one source's files while they are landed."""

    def __init__(self, known: Iterable[FileRow], key: bytes = b"") -> None:
        self._key = key
        self._renamed: dict[str, str] = {}
        self.contents: set[str] = set()
        self._kept: set[str] = set()
        self._rows: dict[tuple[str, str, int, str], FileRow] = {}
        self._seen: set[tuple[str, int, object]] = set()
        for row in known:
            self.add(row)

    def add(self, row: FileRow) -> None:
        # What has no day said nothing yet: its content is news when it comes again with one.
        if not row.has_no_day:
            self.contents.add(row.sha256)
            if row.landed_path:
                self._kept.add(row.sha256)
            self._rows[row.key] = row
        if token := token_in(row.path):
            self._renamed[token] = row.path
        self._seen.add((row.path, row.size_bytes, row.modified_at))

    def knows(self, file: RemoteFile) -> bool:
        return (self.name_of(file.path), file.size_bytes, file.modified_at) in self._seen

    def name_of(self, path: str) -> str:
        """The path as the ledger has it, where it told of somebody who was forgotten."""
        return self._renamed.get(token_of(self._key, path), path) if self._renamed else path

    def is_withdrawn(self, sha256: str) -> bool:
        """Whether the content was landed and is kept no longer, since it told of somebody who was
        forgotten, or its time was over. Where it comes again and says nothing new, nor is it then.
        """
        return sha256 in self.contents and sha256 not in self._kept

    def row(self, *key: Any) -> FileRow | None:
        return self._rows.get(cast(tuple[str, str, int, str], key))

    def repeats(self, source: Source, path: str, sha256: str, file_on: date) -> bool:
        """Whether this content says nothing new.

        What returns to what an older file said is news if another came in between: skipping it
        would keep that other one as the truth. Not so events, and rows that tell their order.
        """
        is_known, is_snapshot = sha256 in self.contents, source.load == "snapshot"
        if not is_known or source.load == "append":
            return is_known
        if not is_snapshot and source.rows_tell_their_order:
            return True
        if _is_true_on_its_day(source):
            about = (sha256, file_on, file_version(source, path))
            return any(about == _about(source, row) for row in self._rows.values())
        earlier = [row for row in self._rows.values() if row.file_on <= file_on]
        own = [row for row in earlier if row.path == path]
        if is_snapshot:
            newest = max(earlier, key=lambda r: (r.file_on, r.modified_at, r.path), default=None)
        elif own:
            # One that was only touched says nothing, whatever other files have said since.
            newest = max(own, key=lambda r: (r.file_on, r.modified_at, r.sha256 == sha256))
        else:
            read = [row for row in earlier if row.status != DUPLICATE]
            newest = max(read, key=lambda r: (r.file_on, r.file_id), default=None)
        return newest is None or newest.sha256 == sha256


def _is_true_on_its_day(source: Source) -> bool:
    """Whether the day in a file's name is all that orders its rows: what it says of two days are
    two statements, in whatever order they come.
    """
    is_dated = source.origin.file_date is not None
    return source.load == "increment" and is_dated and not source.rows_tell_their_order


def _about(source: Source, row: FileRow) -> tuple[str, date, int]:
    return row.sha256, row.file_on, file_version(source, row.path)


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
