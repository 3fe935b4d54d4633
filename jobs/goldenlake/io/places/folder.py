"""A folder that this machine sees, a network share included."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from goldenlake.errors import FileRefused, PlaceUnreachable, UnsafePath
from goldenlake.io.places.paths import UNFINISHED, Glob, listed, safe, unfinished, unfit, walk
from goldenlake.ports import RemoteFile


class Folder:
    """``ports.FilePlace`` over a folder. Symbolic links that lead out of it are refused."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self._root = root

    def list(self, pattern: str) -> Iterator[RemoteFile]:
        """Files that match, in order of their path; links are not followed into folders."""
        glob = Glob(pattern)
        with self._answers():
            root = self._existing_root()
            if glob.folder:
                safe(self.name, glob.folder)
            walked = walk(glob, lambda folder: _entries(root / folder))
            found = sorted(path for path, entry in walked if path.endswith("/") or _is_file(entry))
        for path in found:
            with suppress(UnsafePath):
                if file := self._unfit(path) if unfit(path) else self.stat(path):
                    yield file

    def _unfit(self, path: str) -> RemoteFile | None:
        with self._answers():
            try:
                found = (self._root / path).lstat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return _listed(path, found)

    def open(self, path: str) -> BinaryIO:
        """The file's bytes. Raises FileNotFoundError, FileRefused, UnsafePath, PlaceUnreachable."""
        with self._answers():
            try:
                return self._inside(path).open("rb")
            except PermissionError as error:
                what = error.strerror or "it is not permitted"
                raise FileRefused(place=self.name, path=path, what=what) from error

    def write(self, path: str, content: Iterable[bytes]) -> RemoteFile:
        """Create or replace the file whole, on the disk before it is seen."""
        with self._answers():
            self._existing_root()
            target = self._inside(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_file(target, content)
        written = self.stat(path)
        if written is None:
            raise PlaceUnreachable(place=self.name, what=f"{path} vanished after it was written")
        return written

    def stat(self, path: str) -> RemoteFile | None:
        """The file, or None."""
        with self._answers():
            self._existing_root()
            try:
                found = self._inside(path).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return _listed(path, found)

    def remove(self, path: str) -> None:
        """Remove the file; absent is fine."""
        with self._answers():
            self._existing_root()
            self._inside(path).unlink(missing_ok=True)

    def clear_unfinished(self, folder: str) -> None:
        """Remove what writings that were cut off left in a folder."""
        for rest in self.list(f"{folder}/{UNFINISHED}"):
            if not rest.unfit:
                self.remove(rest.path)

    def _existing_root(self) -> Path:
        """A share that is not mounted must not look like a place without files."""
        if not self._root.is_dir():
            raise PlaceUnreachable(
                place=self.name, what="its folder does not exist or is no folder"
            )
        return self._root

    def _inside(self, path: str) -> Path:
        inside = self._root / safe(self.name, path)
        if not inside.resolve().is_relative_to(self._root.resolve()):
            raise UnsafePath(place=self.name, path=path)
        return inside

    @contextmanager
    def _answers(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError as error:
            what = error.strerror or type(error).__name__
            raise PlaceUnreachable(place=self.name, what=what) from error


def _entries(folder: Path) -> Iterator[tuple[str, bool, os.DirEntry[str]]]:
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            yield entry.name, entry.is_dir(follow_symlinks=False), entry


def _is_file(entry: os.DirEntry[str]) -> bool:
    """A link that leads in a circle is none."""
    try:
        return entry.is_file()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise


def _listed(path: str, found: os.stat_result) -> RemoteFile:
    modified_at = datetime.fromtimestamp(found.st_mtime, UTC)
    return listed(path, size_bytes=found.st_size, modified_at=modified_at)


def replace_file(target: Path, content: Iterable[bytes], *, mode: int = 0o640) -> None:
    """Write a local file so that after any crash the old one or the new one stands there whole."""
    temporary = target.with_name(unfinished(target.name))
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            for piece in content:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        sync_folder(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
