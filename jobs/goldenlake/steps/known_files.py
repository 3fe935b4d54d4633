"""Which of a source's files say something new, by what the ledger knows of those before."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime

from goldenlake.declarations.pulls import ApiOrigin
from goldenlake.declarations.source import Source
from goldenlake.ports import RemoteFile
from goldenlake.schemas import BROKEN, DUPLICATE, LANDED
from goldenlake.steps.files import FileRow, file_order, file_version, token_in, token_of

_Key = tuple[str, str, int, str, str]


class KnownFiles:
    """What the ledger of files knows of one source's while others are landed."""

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
            # Nor was anything read of what broke, and was removed since.
            if row.status != BROKEN or row.landed_path:
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
        be news again, of what makes it another file. Of increments it begins with when the file was
        written, so that ids order rows in silver that nothing else does; with its number among
        those of the day where it was pulled, as another try would have it.
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
        if self._source.load == "increment":
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
