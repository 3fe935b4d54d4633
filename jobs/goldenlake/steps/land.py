"""Take over a source's new files into the landing area, each content once."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import BinaryIO, cast

from goldenlake.declarations.pulls import ApiOrigin
from goldenlake.declarations.source import Origin, Source
from goldenlake.errors import ContractBroken
from goldenlake.ports import Clock, FilePlace, Landing, RemoteFile
from goldenlake.schemas import BROKEN, DUPLICATE, LANDED
from goldenlake.steps.files import FileRow, file_order, file_version, token_in, token_of
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
        landed_on=as_of,
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
        ledger = Ledger(self.source, key=self.erased.key if self.erased else b"")
        for row in known:
            # What got its day since, by a mended pattern, is a file like any other.
            is_waiting = row.has_no_day and row.sha256 and self.day_of(row.path)
            ledger.add(row, is_seen=not is_waiting)
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
                for found_out in (row, *ledger.outgrown(row)):
                    ledger.add(found_out)
                    files.append(found_out)
        files += ledger.revived(run_id=self.run_id)
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
        name = path.rsplit("/", 1)[-1]
        known = FileRow(
            source=self.source.source,
            path=path,
            size_bytes=file.size_bytes,
            sha256="",
            modified_at=file.modified_at,
            file_id="",
            file_on=file_on,
            landed_path="",
            landed_on=self.as_of,
            run_id=self.run_id,
        )

        with place.open(file.path) as opened:
            watched = _Watched(opened, is_still_the_same)
            sha256, landed_path, size = landing.put(
                self.source.source,
                name,
                cast(BinaryIO, watched),
                unless=lambda found: ledger.is_gone(replace(known, sha256=found)),
            )
        row = replace(known, sha256=sha256, landed_path=landed_path, size_bytes=size)
        is_copy = ledger.repeats(row)
        if is_copy and (before := ledger.newest_alike(row)):
            return replace(before, modified_at=file.modified_at)
        if self.day_of(file.path) is None:
            row = ledger.identified(row, has_day=False)
            return replace(row, status=BROKEN, error=self._no_day(path))
        return replace(ledger.identified(row), status=DUPLICATE if is_copy else LANDED)

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


_Key = tuple[str, str, int, str, str]


class Ledger:
    """What is known of one source's files while they are landed."""

    def __init__(self, source: Source, known: Iterable[FileRow] = (), key: bytes = b"") -> None:
        self._source, self._key = source, key
        self._renamed: dict[str, str] = {}
        self._contents: set[str] = set()
        self._kept: set[str] = set()
        self._rows: dict[_Key, FileRow] = {}
        self._paths: dict[str, dict[_Key, FileRow]] = {}
        self._without_day: dict[tuple[str, str], FileRow] = {}
        self._seen: set[tuple[str, int, object]] = set()
        for row in known:
            self.add(row)

    def add(self, row: FileRow, *, is_seen: bool = True) -> None:
        """Know a row; its file is taken anew if it was not seen as it is."""
        # What has no day said nothing yet: its content is news when it comes again with one.
        if row.has_no_day:
            self._without_day[row.path, row.sha256] = row
        else:
            self._contents.add(row.sha256)
            if row.landed_path:
                self._kept.add(row.sha256)
            self._rows[row.key] = self._paths.setdefault(row.path, {})[row.key] = row
        if token := token_in(row.path):
            self._renamed[token] = row.path
        if is_seen:
            self._seen.add((row.path, row.size_bytes, row.modified_at))

    def knows(self, file: RemoteFile) -> bool:
        return (self.name_of(file.path), file.size_bytes, file.modified_at) in self._seen

    def name_of(self, path: str) -> str:
        """The path as the ledger has it, where it told of somebody who was forgotten."""
        return self._renamed.get(token_of(self._key, path), path) if self._renamed else path

    def is_gone(self, row: FileRow) -> bool:
        """Whether a file says nothing new and its content is kept no longer, since it told of
        somebody who was forgotten, or its time was over: then it is not landed again.
        """
        is_withdrawn = row.sha256 in self._contents and row.sha256 not in self._kept
        return is_withdrawn and self.repeats(row)

    def newest_alike(self, row: FileRow) -> FileRow | None:
        """The row of the same file with the same content: the newest, where it had another in
        between.
        """
        own = self._paths.get(row.path, {}).values()
        alike = [each for each in own if each.sha256 == row.sha256]
        return max(alike, key=self._order, default=None)

    def identified(self, row: FileRow, *, has_day: bool = True) -> FileRow:
        """The row with its ``file_id``: the SHA-256 of its content or, where the same content may
        be news again, of what makes it another file. Of sources whose files order the rows it
        begins with when the file was written, so that ids order them in silver; with its number
        among those of the day where it was pulled, as another try would have it.
        """
        told = [row.sha256]
        if not has_day:
            told += [row.path]
        elif self._source.is_ordered_by_files:
            # The same whichever of several copies comes first.
            told += [row.file_on.isoformat(), str(file_version(self._source, row.path))]
        elif self._source.load == "snapshot" and row.sha256 in self._contents:
            told += [row.path, row.file_on.isoformat(), row.modified_at.isoformat()]
        file_id = row.sha256
        if told[1:]:
            file_id = hashlib.sha256(" ".join(told).encode()).hexdigest()
        if self._source.is_ordered_by_files:
            file_id = f"t{self._written(row)}-{file_id}"
        # It keeps its row in the ledger when it gets its day.
        before = self._without_day.get((row.path, row.sha256))
        if before and (_has_own_id(before) or not has_day):
            file_id = before.file_id
        return replace(row, file_id=file_id)

    def outgrown(self, row: FileRow) -> list[FileRow]:
        """The row that a file had as long as it had no day, if it has another by now: a copy."""
        before = self._without_day.get((row.path, row.sha256))
        if before is None or before.key == row.key or row.has_no_day:
            return []
        return [replace(row, file_id=before.file_id, status=DUPLICATE)]

    def repeats(self, row: FileRow) -> bool:
        """Whether a file says nothing new; its row needs no ``file_id`` and no ``size_bytes``.

        What returns to what an older file said is news if another came in between: skipping it
        would keep that other one as the truth. Not so events, and rows that tell their order.
        """
        if row.sha256 not in self._contents or not self._is_ordered:
            return row.sha256 in self._contents
        if self._source.is_ordered_by_files:
            own = self._paths.get(row.path, {}).values()
            last = max(own, key=self._order, default=None)
            # One that was only touched says nothing, whatever other files have said since.
            if last is not None and last.sha256 == row.sha256:
                return True
        order = self._order(self.identified(row))
        scope = self._scope(row)
        before = [
            each
            for each in self._rows.values()
            if self._scope(each) == scope and self._order(each) <= order
        ]
        newest = max(before, key=self._order, default=None)
        # What a late snapshot said is what the first one after it says.
        return newest.sha256 == row.sha256 if newest else scope is None

    def revived(self, *, run_id: str) -> list[FileRow]:
        """Files that were taken for copies of the one before, and that another one has come in
        between since, as one that was late: they are news after all. They landed when they did:
        what came under their names since is newer.
        """
        if not self._is_ordered or all(row.status != DUPLICATE for row in self._rows.values()):
            return []
        ordered = sorted(
            self._rows.values(), key=lambda row: (*self._order(row), row.status == DUPLICATE)
        )
        last: dict[Hashable, FileRow] = {}
        found = []
        for row in ordered:
            before = last.get(scope := self._scope(row))
            last[scope] = row
            is_news = row.status == DUPLICATE and before and before.sha256 != row.sha256
            if is_news and row.landed_path and (apart := self._apart(row)):
                found.append(replace(apart, status=LANDED, run_id=run_id))
        return found

    def _apart(self, copy: FileRow) -> FileRow | None:
        """A copy as a file of its own; None where it is read already, and where nobody knows which
        of its day's files is newer, since their ids are of an earlier version.
        """
        if _has_own_id(copy):
            return copy
        apart = self.identified(copy)
        return None if self._source.is_ordered_by_files or apart.key in self._rows else apart

    @property
    def _is_ordered(self) -> bool:
        """Whether one file takes the place of another."""
        return self._source.load == "snapshot" or self._source.is_ordered_by_files

    def _order(self, row: FileRow) -> tuple[date, int, datetime, str]:
        return file_order(self._source, row)

    def _written(self, row: FileRow) -> str:
        if isinstance(self._source.origin, ApiOrigin):
            return f"{sum(each.file_on == row.file_on for each in self._rows.values()):06}"
        return f"{row.modified_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}"

    def _scope(self, row: FileRow) -> Hashable:
        """Among which files it may be a copy: what increments say of two days are two statements,
        in whatever order they come.
        """
        if self._source.load == "snapshot" or self._source.origin.file_date is None:
            return None
        return row.file_on, file_version(self._source, row.path)


def _has_own_id(row: FileRow) -> bool:
    """Whether no other file has its id. Earlier versions gave copies, and files without a day, the
    id of whatever has their content.
    """
    return row.file_id != row.sha256


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
