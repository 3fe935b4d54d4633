"""Plain, gzip and zip files, opened alike and within limits; nothing is unpacked to a disk."""

from __future__ import annotations

import gzip
import io
import lzma
import re
import stat
import struct
import tempfile
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from goldenlake.io.readers.contract import LONGEST, FileBroken

MOST_MEMBERS = 1_000
MOST_BYTES = 64 * 2**30
#: Text compresses some tenfold, logs up to a hundredfold; bombs start beyond a thousandfold.
MOST_RATIO = 250
#: Below this size a ratio means nothing.
SMALL = 32 * 2**20
#: Places of a sheet, from its first to the last that holds something; a cell at the far end of an
#: otherwise empty sheet makes 17 billion of them, and each takes memory.
MOST_CELLS = 20_000_000
#: Bytes of shared strings that all cells show, each as often as it is shown: a string of 30 kB in a
#: workbook of 1 MB can be shown by every cell, and each gets a copy of its own.
MOST_TEXT = 512 * 2**20

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_CLUTTER = ("__MACOSX/", ".DS_Store")
#: Of a cell or of a row: A1, XFD1048576, 17. Without groups or a blank in front, which is dear.
_PLACE = re.compile(rb"""r\s*=\s*["']([A-Za-z]{0,3}[0-9]{1,7})["']""")
_LONGEST_PLACE = 64
_DATA = re.compile(rb"<(?:[\w.-]+:)?(?:sheetData|sst)[\s>/]")
_DATA_ENDS = re.compile(rb"</(?:[\w.-]+:)?(?:sheetData|sst)\s*>")
_CELL = re.compile(rb"<(?:[\w.-]+:)?(?:c|si|row)[\s>/]")
_STRING = re.compile(rb"<(?:[\w.-]+:)?si[\s>/]")
#: The number of the shared string that a cell shows.
_SHOWN = re.compile(
    rb"""t\s{0,9}=\s{0,9}["']s["'][^>]{0,200}>\s{0,9}"""
    rb"""<(?:[\w.-]{1,20}:)?v[^>]{0,99}>\s{0,9}([0-9]{1,9})\s{0,9}<"""
)
_LONGEST_SHOWN = 512
_DIGITS = b"0123456789"


def members(stream: BinaryIO, *, is_itself_a_zip: bool = False) -> Iterator[BinaryIO]:
    """The file's contents: itself, what a gzip holds, or every file in a zip, in order of name.

    Args:
        is_itself_a_zip: the format is a zip by nature (XLSX), so a zip is not unpacked.

    Raises:
        FileBroken: damaged, encrypted, nested or beyond the limits, or with names, links or
            doubles that an honest archive does not have. Damage may show only at the end.
    """
    start, stream = _peeked(stream)
    with _damage_named():
        if start.startswith(_GZIP):
            size = _Counted(stream)
            with gzip.GzipFile(fileobj=cast(BinaryIO, size)) as unpacked:
                yield _unnested(_Limited(cast(BinaryIO, unpacked), size.so_far), is_itself_a_zip)
        elif start.startswith((_ZIP, _EMPTY_ZIP)) and not is_itself_a_zip:
            stream = _seekable(stream)
            with zipfile.ZipFile(stream) as archive:
                for member in _judged(archive, stream.seek(0, io.SEEK_END)):
                    with archive.open(member) as unpacked:
                        packed = member.compress_size
                        limited = _Limited(cast(BinaryIO, unpacked), lambda packed=packed: packed)
                        yield _unnested(limited, is_itself_a_zip)
        else:
            yield stream


def judge_workbook(stream: BinaryIO) -> None:
    """Refuse a workbook that would unpack, or spread its cells and their text, beyond the limits.

    Raises FileBroken.
    """
    sizes = array("Q")
    with _damage_named(), zipfile.ZipFile(stream) as archive:
        # In order of name, shared strings come before the worksheets of an honest workbook.
        for member in _judged(archive, stream.seek(0, io.SEEK_END)):
            with archive.open(member) as unpacked:
                found = _extent(cast(BinaryIO, unpacked), sizes)
            if found.rows * found.columns > MOST_CELLS:
                raise FileBroken(
                    f"its cells span {found.rows:,} rows and {found.columns:,} columns.",
                    f"Send it with no more than {MOST_CELLS:,} places, or as CSV.",
                )
            if found.shown > MOST_TEXT:
                raise FileBroken(
                    f"its cells show {found.shown // 2**20:,} MiB of text.", "Send it as CSV."
                )


@dataclass
class _Extent:
    """What reading a member of a workbook would make."""

    rows: int = 0
    """The last that is named, as of columns."""
    columns: int = 0
    shown: int = 0
    """Bytes of the shared strings that its cells show."""


def _extent(sheet: BinaryIO, sizes: array[int]) -> _Extent:
    """Measure a member; to ``sizes`` those of the shared strings are added that it holds."""
    found, longest = _Extent(), _Longest()
    rest, begun, string = b"", 0, -1
    while block := sheet.read(2**20):
        longest.see(block)
        text = rest + block
        for place in _PLACE.findall(text):
            letters = place.rstrip(_DIGITS)
            found.rows = max(found.rows, int(place[len(letters) :]))
            found.columns = max(found.columns, _column(letters))
        kept = 0
        for shown in _SHOWN.finditer(text):
            at, kept = int(shown[1]), shown.end()
            found.shown += sizes[at] if at < len(sizes) else 0
        for start in _STRING.finditer(text):
            if start.end() > len(rest):
                at = begun - len(rest) + start.start()
                if string >= 0:
                    sizes.append(at - string)
                string = at
        begun += len(block)
        rest = text[max(kept, len(text) - _LONGEST_SHOWN) :]
    if string >= 0:
        sizes.append(begun - string)
    return found


class _Longest:
    """Refuses a cell, or a shared string, that is longer than a record may be; to a block."""

    def __init__(self) -> None:
        self._is_inside, self._since = False, 0

    def see(self, block: bytes) -> None:
        """The next piece of the member."""
        if not self._is_inside:
            self._is_inside = _DATA.search(block) is not None
            self._since = 0
        if start := _CELL.search(block):
            self._judge(start.start())
            self._since = 0
        else:
            self._judge(len(block))
        if _DATA_ENDS.search(block):
            self._is_inside = False

    def _judge(self, more: int) -> None:
        self._since += more
        if self._is_inside and self._since > LONGEST:
            raise FileBroken(
                f"a cell holds more than {LONGEST // 2**20} MiB, which no spreadsheet can.",
                "Do not trust it; if it is genuine, send it as CSV.",
            )


@cache
def _column(letters: bytes) -> int:
    """The number of a column: A is 1, XFD is 16,384."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


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


def _seekable(stream: BinaryIO) -> BinaryIO:
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
        with _damage_named():
            piece = self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        self._count += len(piece)
        too_much = self._count > SMALL and self._count > MOST_RATIO * max(self._packed(), 1)
        if too_much or self._count > MOST_BYTES:
            raise _bomb()
        return len(piece)


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except (
        EOFError,
        OSError,
        OverflowError,
        NotImplementedError,
        ValueError,
        lzma.LZMAError,
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        if getattr(error, "errno", None) is not None:
            raise  # of the disk or the network, not of the archive
        raise FileBroken(
            f"the archive is damaged or cut off ({type(error).__name__}).", "Ask for it again."
        ) from error
