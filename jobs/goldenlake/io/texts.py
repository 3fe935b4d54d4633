"""All that a file says, as text: unpacked, and decoded where it is Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from goldenlake.io.readers.archives import members
from goldenlake.io.readers.contract import FileBroken

_PIECE = 4 * 2**20
_OVERLAP = 2**10
_PARQUET = b"PAR1"


def texts(content: BinaryIO) -> Iterator[str]:
    """What a file says, piece by piece. Pieces end at a line's end where lines are short, so that
    no word is cut. Raises FileBroken where it cannot be unpacked.
    """
    for member in members(content):
        stream = io.BufferedReader(cast(io.RawIOBase, member), _PIECE)
        if stream.peek(4)[:4] == _PARQUET:
            yield from _of_parquet(stream.read())
        else:
            yield from raw_texts(stream)


def _of_parquet(data: bytes) -> Iterator[str]:
    try:
        for batch in pq.ParquetFile(io.BytesIO(data)).iter_batches():
            yield "\n".join(str(value) for column in batch.columns for value in column.to_pylist())
    except (pa.ArrowException, OSError) as error:
        raise FileBroken("it is no readable Parquet.", "Ask for it again.") from error


def raw_texts(stream: BinaryIO) -> Iterator[str]:
    """The bytes of a file as they stand, as text."""
    coding, rest = "", ""
    while piece := stream.read(_PIECE):
        coding = coding or ("utf-16" if piece[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
        text = rest + piece.decode(coding, errors="replace")
        yield text
        rest = text[max(text.rfind("\n") + 1, len(text) - _OVERLAP) :]
