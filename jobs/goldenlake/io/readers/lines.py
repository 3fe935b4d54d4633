"""Files of one record a line, cut into blocks of lines without touching the lines themselves."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa

from goldenlake.io.readers.contract import LONGEST, Bad, cut

_BLOCK = 4 * 2**20
_BOMS = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}


@dataclass(frozen=True)
class Lines:
    """Lines that follow each other. ``text`` holds no blank ones, none that is no text, none with
    a zero byte, none too long; those in ``bad`` were told apart. ``count`` is both together.
    """

    numbers: pa.Array
    text: pa.Array
    bad: list[Bad]

    @property
    def count(self) -> int:
        """Records taken from the file."""
        return len(self.text) + len(self.bad)


def read_lines(stream: BinaryIO, *, number: int = 1, size: int | None = None) -> Iterator[Lines]:
    """UTF-8 lines with their numbers, ended by LF or CR LF; a BOM is left out.

    Args:
        number: of the first line.
        size: read the lines that begin within so many bytes; all of them by default.
    """
    carried, is_first = b"", number == 1
    for block in _blocks(stream, size):
        if is_first and len(carried) + len(block) >= 3:
            block, carried, is_first = (carried + block).removeprefix(codecs.BOM_UTF8), b"", False
        end = block.rfind(b"\n") + 1
        if not end:
            # Of a line that is too long anyway, only as much is kept as shows that.
            carried = (carried + block)[: LONGEST + 1]
            continue
        yield _cut_up(carried + block[:end], number)
        number += block.count(b"\n")
        carried = block[end:]
    if carried:
        yield _cut_up(carried.removeprefix(codecs.BOM_UTF8) if is_first else carried, number)


def _blocks(stream: BinaryIO, size: int | None) -> Iterator[bytes]:
    left = size
    while left is None or left > 0:
        block = stream.read(_BLOCK if left is None else min(_BLOCK, left))
        if not block:
            return
        left = None if left is None else left - len(block)
        if left == 0 and not block.endswith(b"\n"):
            yield block
            while block and not block.endswith(b"\n"):
                block = stream.readline(_BLOCK)
                yield block
            return
        yield block


def _cut_up(block: bytes, number: int) -> Lines:
    ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 10).astype(np.int32) + 1
    if len(ends) == 0 or ends[-1] != len(block):
        ends = np.append(ends, np.int32(len(block)))
    offsets = np.concatenate([np.zeros(1, np.int32), ends])
    numbers = np.arange(number, number + len(ends), dtype=np.int64)
    text = pa.Array.from_buffers(
        pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(block)]
    )
    lengths = np.diff(offsets)
    bad: list[Bad] = []
    doubtful = np.flatnonzero((lengths <= 2) | (lengths > LONGEST))
    drop = [int(at) for at in doubtful if not block[offsets[at] : offsets[at + 1]].strip()]
    long = [int(at) for at in doubtful if lengths[at] > LONGEST and at not in drop]
    bad += [Bad(int(numbers[at]), "too_long", _raw(block, offsets, at)) for at in long]
    zeros = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 0) if b"\0" in block else ()
    with_zero = set(np.searchsorted(ends, zeros, side="right").tolist()) - set(drop) - set(long)
    bad += [Bad(int(numbers[at]), "nul", _raw(block, offsets, at)) for at in with_zero]
    drop += [*long, *with_zero]
    try:
        if drop:
            raise UnicodeError
        return Lines(pa.array(numbers), text.cast(pa.string()), [])
    except (pa.ArrowInvalid, UnicodeError):
        keep = np.ones(len(ends), dtype=bool)
        keep[drop] = False
        for at in np.flatnonzero(keep):
            line = block[offsets[at] : offsets[at + 1]]
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                keep[at] = False
                bad.append(Bad(int(numbers[at]), "encoding", _raw(block, offsets, int(at))))
            else:
                # A blank line is no record, however many blanks it has.
                keep[at] = bool(line.strip())
        mask = pa.array(keep)
        kept = text.filter(mask).cast(pa.string())
        return Lines(pa.array(numbers[keep]), kept, sorted(bad, key=lambda found: found.record))


def _raw(block: bytes, offsets: np.ndarray, at: int) -> str:
    line = block[offsets[at] : offsets[at + 1]][: LONGEST + 1]
    return cut(line.decode("utf-8", "surrogateescape").rstrip("\r\n"))


def as_utf8(stream: BinaryIO, encoding: str) -> BinaryIO:
    """The stream's text as UTF-8; what is no text in its encoding is no text in UTF-8 either."""
    if codecs.lookup(encoding).name == "utf-8":
        return stream
    start = cast(Any, stream).peek(4) if hasattr(stream, "peek") else b""
    found = with_its_end(encoding, start)
    return cast(BinaryIO, io.BufferedReader(_Recoded(stream, found), _BLOCK))


def with_its_end(encoding: str, start: bytes) -> str:
    """The encoding's name with the order of its bytes, where it needs one and no BOM tells it.

    Nearly everybody who leaves out the BOM writes the small end first.
    """
    name = codecs.lookup(encoding).name
    boms = _BOMS.get(name)
    return f"{name}-le" if boms and not start.startswith(boms) else name


def by_its_start(start: bytes) -> str | None:
    """The encoding that a BOM tells, or the zeros without one, of which mostly Western text has one
    in two bytes in UTF-16 and three in four in UTF-32. None where neither does.
    """
    return by_its_bom(start) or _by_zeros(start)


def by_its_bom(start: bytes) -> str | None:
    """The encoding that a BOM tells; None without one."""
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    # The BOM of UTF-32 begins with that of UTF-16.
    return next((name for name in reversed(_BOMS) if start.startswith(_BOMS[name])), None)


def _by_zeros(start: bytes) -> str | None:
    for width, name in ((4, "utf-32"), (2, "utf-16")):
        letters = len(start) // width
        for order, high in (("le", range(1, width)), ("be", range(width - 1))):
            zeros = (start[at::width].count(0) for at in high)
            if letters and all(count > 0.4 * letters for count in zeros):
                return f"{name}-{order}"
    return None


class _Recoded(io.RawIOBase):
    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._text = io.TextIOWrapper(stream, encoding=encoding, errors=mark_bytes(), newline="")
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = self._text.read(2**18).encode("utf-8", "surrogatepass")
        piece, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def mark_bytes() -> str:
    """The name of a decoding rule by which bytes that are no text become lone surrogates.

    Like ``surrogateescape``, but for every encoding: that one gives up in UTF-16.
    """
    codecs.register_error("goldenlake-mark", _marked)
    return "goldenlake-mark"


def _marked(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


def western() -> str:
    """The name of a decoding rule by which bytes that are no text are those of Western Europe."""
    codecs.register_error("goldenlake-western", _as_western)
    return "goldenlake-western"


def _as_western(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end
