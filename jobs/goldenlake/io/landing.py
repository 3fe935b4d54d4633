"""The landing area: source files as they came, named by their content, never changed."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from goldenlake.errors import LandingDamaged
from goldenlake.io.places.folder import replace_file
from goldenlake.io.places.paths import safe
from goldenlake.io.places.s3 import S3, store_at
from goldenlake.io.tables import local_folder
from goldenlake.ports import Landing

_PIECE = 2**20
_IN_MEMORY = 8 * 2**20
_UNFIT = re.compile(r"[\x00-\x1f\x7f/\\\ud800-\udfff]")


def open_landing(uri: str) -> Landing:
    """The landing area at a path, a ``file:`` URI or an ``s3://`` (or ``s3a://``) URI.

    The store's keys, region and endpoint are those of the process: ``AWS_ACCESS_KEY_ID``,
    ``AWS_ENDPOINT_URL_S3`` and so on, or the machine's role. So workers need no secrets from us.
    """
    folder = local_folder(uri)
    return LocalLanding(folder) if folder is not None else S3Landing(store_at("landing", uri))


@dataclass(frozen=True)
class LocalLanding:
    """``ports.Landing`` in a folder. Landed paths are relative to it, so a lake can be moved."""

    root: Path

    def put(
        self,
        source: str,
        name: str,
        content: BinaryIO,
        *,
        unless: Callable[[str], bool] | None = None,
    ) -> tuple[str, str, int]:
        """Store the content once; gives (sha256, path in the landing area, bytes)."""
        incoming = self.root / ".incoming"
        incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=incoming) as kept:
            sha256, size = _copied(content, cast(BinaryIO, kept))
            if unless is not None and unless(sha256):
                return sha256, "", size
            folder = self.root / source / sha256[:2] / sha256
            target = self._present(folder, sha256) or folder / _fit(name)
            if not target.exists():
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                kept.seek(0)
                replace_file(target, _pieces(cast(BinaryIO, kept)), mode=0o600)
                with target.open("rb") as stored:
                    if _hash(stored) != sha256:
                        target.unlink()
                        raise LandingDamaged(self._relative(target))
        return sha256, self._relative(target), size

    def _present(self, folder: Path, sha256: str) -> Path | None:
        """The same content if it is here and whole; what is damaged is removed to be put anew."""
        for found in sorted(folder.glob("[!.]*")) if folder.is_dir() else []:
            with found.open("rb") as stored:
                if _hash(stored) == sha256:
                    return found
            found.unlink()
        return None

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def open(self, landed_path: str) -> BinaryIO:
        """The landed bytes, seekable. Raises FileNotFoundError."""
        return (self.root / safe("landing", landed_path)).open("rb")

    def remove(self, landed_path: str) -> None:
        """Remove the file; its content may land again, if it comes again."""
        (self.root / safe("landing", landed_path)).unlink(missing_ok=True)


@dataclass(frozen=True)
class S3Landing:
    """``ports.Landing`` under a prefix of a bucket; an object is created by one conditional put."""

    store: S3

    def put(
        self,
        source: str,
        name: str,
        content: BinaryIO,
        *,
        unless: Callable[[str], bool] | None = None,
    ) -> tuple[str, str, int]:
        """Store the content once; gives (sha256, path in the landing area, bytes)."""
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as kept:
            sha256, size = _copied(content, cast(BinaryIO, kept))
            if unless is not None and unless(sha256):
                return sha256, "", size
            folder = f"{source}/{sha256[:2]}/{sha256}"
            present = [file.path for file in self.store.list(f"{folder}/*")]
            target = present[0] if present else f"{folder}/{_fit(name)}"
            if not present or not self._is_whole(target, sha256):
                kept.seek(0)
                self.store.put(target, cast(BinaryIO, kept), only_new=not present)
                if not self._is_whole(target, sha256):
                    self.store.remove(target)
                    raise LandingDamaged(target)
        return sha256, target, size

    def _is_whole(self, path: str, sha256: str) -> bool:
        with self.store.open(path) as stored:
            return _hash(stored) == sha256

    def open(self, landed_path: str) -> BinaryIO:
        """The landed bytes as a stream. Raises FileNotFoundError, PlaceUnreachable."""
        return self.store.open(landed_path)

    def remove(self, landed_path: str) -> None:
        """Remove the object. A bucket with versions keeps the old one: its own rules end that."""
        self.store.remove(landed_path)


def _copied(content: BinaryIO, kept: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for piece in _pieces(content):
        digest.update(piece)
        kept.write(piece)
        size += len(piece)
    kept.flush()
    return digest.hexdigest(), size


def _pieces(content: BinaryIO) -> Iterator[bytes]:
    while piece := content.read(_PIECE):
        yield piece


def _hash(content: BinaryIO) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(content):
        digest.update(piece)
    return digest.hexdigest()


def _fit(name: str) -> str:
    """A file name that every store takes, close to the one it came under."""
    kept = _UNFIT.sub("_", name.rsplit("/", 1)[-1]).lstrip(".")
    while len(kept.encode()) > 200:
        kept = kept[1:]
    return kept or "unnamed"
