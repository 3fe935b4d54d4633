"""Plain, gzip and zip files, opened alike and within limits; nothing is unpacked to a disk."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from goldenlake.io.readers.contract import FileBroken
from goldenlake.io.readers.lines import western

MOST_MEMBERS = 1_000
MOST_BYTES = 64 * 2**30
#: Text compresses some tenfold, logs up to a hundredfold; bombs start beyond a thousandfold.
MOST_RATIO = 250
#: Below this size a ratio means nothing.
SMALL = 32 * 2**20

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_EXTRA, _NAME, _COMMENT = 4, 8, 16
_LONGEST_HEADER = 8 * 2**10
_EMPTY_ZIP = b"PK\x05\x06"
#: Python unpacks these piece by piece; of bzip2 and LZMA, all that a piece holds at once.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CLUTTER = ("__MACOSX/", ".DS_Store")


def members(
    stream: BinaryIO, *, is_itself_a_zip: bool = False, labels: list[str] | None = None
) -> Iterator[BinaryIO]:
    """The file's contents: itself, what a gzip holds, or every file in a zip, in order of name.

    Args:
        is_itself_a_zip: the format is a zip by nature (XLSX), so a zip is not unpacked.
        labels: takes the names and comments in the archive, those of folders too.

    Raises:
        FileBroken: damaged, encrypted, nested or beyond the limits, or with names, links or
            doubles that an honest archive does not have. Damage may show only at the end.
    """
    start, stream = _peeked(stream)
    with damage_named():
        if start.startswith(_GZIP):
            if labels is not None:
                labels.extend(_of_gzip(cast(Any, stream).peek(_LONGEST_HEADER)))
            size = _Counted(stream)
            with gzip.GzipFile(fileobj=cast(BinaryIO, size)) as unpacked:
                yield _unnested(_Limited(cast(BinaryIO, unpacked), size.so_far), is_itself_a_zip)
        elif start.startswith((_ZIP, _EMPTY_ZIP)) and not is_itself_a_zip:
            stream = seekable(stream)
            with zipfile.ZipFile(stream) as archive:
                if labels is not None:
                    labels.extend(_of_zip(archive))
                for member in _judged(archive, stream.seek(0, io.SEEK_END)):
                    with archive.open(member) as unpacked:
                        packed = member.compress_size
                        limited = _Limited(cast(BinaryIO, unpacked), lambda packed=packed: packed)
                        yield _unnested(limited, is_itself_a_zip)
        else:
            yield stream


def _of_gzip(start: bytes) -> Iterator[str]:
    """The name and the comment that its header may have (RFC 1952)."""
    flags, at = (start[3], 10) if len(start) > 10 else (0, 0)
    if flags & _EXTRA:
        at += 2 + int.from_bytes(start[at : at + 2], "little")
    for flag in (_NAME, _COMMENT):
        if flags & flag:
            label, _, rest = start[at:].partition(b"\0")
            at = len(start) - len(rest)
            yield label.decode(errors=western())


def _of_zip(archive: zipfile.ZipFile) -> Iterator[str]:
    yield archive.comment.decode(errors=western())
    for info in archive.infolist():
        yield info.filename
        yield info.comment.decode(errors=western())


def unpacked(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Every file in a zip, in order of name; archives among them stay what they are.

    Raises:
        FileBroken: as ``members`` does. Damage that shows later is for ``damage_named``.
    """
    with damage_named(), zipfile.ZipFile(stream) as archive:
        for member in _judged(archive, stream.seek(0, io.SEEK_END)):
            with archive.open(member) as opened:
                yield cast(BinaryIO, opened)


def _judged(archive: zipfile.ZipFile, size_packed: int) -> list[zipfile.ZipInfo]:
    found = [info for info in archive.infolist() if not info.filename.endswith("/")]
    found = [info for info in found if not info.filename.startswith(_CLUTTER)]
    names = [info.filename for info in found]
    if len(found) > MOST_MEMBERS:
        raise FileBroken(f"the archive has more than {MOST_MEMBERS} members.", "Split it.")
    if len(set(names)) != len(names):
        raise FileBroken("the archive has two members of one name.", "Ask which one counts.")
    for info in found:
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in info.filename:
            raise FileBroken("a member's name leads out of the archive.", "Do not trust it.")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise FileBroken("a member is a symbolic link.", "Do not trust it.")
        if info.flag_bits & 0x1:
            raise FileBroken("the archive is encrypted.", "Ask for it without a password.")
        if info.compress_type not in _METHODS:
            raise FileBroken(
                "a member is packed by another method than deflate.",
                "Ask for an ordinary zip, or gzip.",
            )
    # Members may share a piece of the file; together they are not larger than it.
    packed = min(sum(info.compress_size for info in found), size_packed)
    size = sum(info.file_size for info in found)
    if size > MOST_BYTES or (size > SMALL and size > MOST_RATIO * packed):
        raise _bomb()
    return sorted(found, key=lambda info: info.filename)


def _peeked(stream: BinaryIO) -> tuple[bytes, BinaryIO]:
    if not hasattr(stream, "peek"):
        stream = cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, stream)))
    return cast(Any, stream).peek(4)[:4], stream


def seekable(stream: BinaryIO) -> BinaryIO:
    """The stream, or where one cannot go back in it a copy of what it holds."""
    if stream.seekable():
        return stream
    kept = tempfile.SpooledTemporaryFile(max_size=SMALL)  # noqa: SIM115 - closed with its reader
    while piece := stream.read(2**20):
        kept.write(piece)
    kept.seek(0)
    return cast(BinaryIO, kept)


def _unnested(limited: _Limited, is_itself_a_zip: bool) -> BinaryIO:
    start, stream = _peeked(cast(BinaryIO, limited))
    if start.startswith(_GZIP) or (start.startswith(_ZIP) and not is_itself_a_zip):
        raise FileBroken("an archive stands within the archive.", "Send it packed once.")
    return stream


def _bomb() -> FileBroken:
    return FileBroken(
        "the archive unpacks to far more than its size lets expect.",
        "If it is genuine, send it unpacked.",
    )


class _Counted(io.RawIOBase):
    """A stream that knows how many bytes were taken from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._count = stream, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self._count += len(piece)
        return piece

    def so_far(self) -> int:
        return self._count


class _Limited(io.RawIOBase):
    """An unpacked stream that stops a bomb while it goes off."""

    def __init__(self, stream: BinaryIO, packed: Any) -> None:
        self._stream, self._packed, self._count = stream, packed, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with damage_named():
            piece = self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        self._count += len(piece)
        too_much = self._count > SMALL and self._count > MOST_RATIO * max(self._packed(), 1)
        if too_much or self._count > MOST_BYTES:
            raise _bomb()
        return len(piece)


@contextmanager
def damage_named() -> Iterator[None]:
    """What goes wrong while an archive is read, as FileBroken; faults of the disk stay theirs."""
    try:
        yield
    except (
        EOFError,
        OSError,
        OverflowError,
        NotImplementedError,
        ValueError,
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        if getattr(error, "errno", None) is not None:
            raise  # of the disk or the network, not of the archive
        raise FileBroken(
            f"the archive is damaged or cut off ({type(error).__name__}).", "Ask for it again."
        ) from error
