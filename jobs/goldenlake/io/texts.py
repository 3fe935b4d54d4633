"""All that a file says, as text: unpacked, and decoded where it is Parquet."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO, cast

import pyarrow as pa

from goldenlake.io.readers.archives import members
from goldenlake.io.readers.contract import TOGETHER
from goldenlake.io.readers.lines import by_its_start, western
from goldenlake.io.readers.parquet_rows import ParquetRows

_PIECE = 4 * 2**20
_OVERLAP = 2**13
_SAMPLE = 2**16
_PARQUET = b"PAR1"


def texts(content: BinaryIO) -> Iterator[str]:
    """What a file says, piece by piece, with the names and comments in an archive, and those of
    columns and of the file in Parquet. Raises FileBroken where it cannot be unpacked.
    """
    labels: list[str] = []
    for member in members(content, labels=labels):
        stream = io.BufferedReader(cast(io.RawIOBase, member), _PIECE)
        if stream.peek(4)[:4] == _PARQUET:
            yield from _of_parquet(stream)
        else:
            yield from raw_texts(stream)
    yield "\n".join(labels)


def _of_parquet(stream: BinaryIO) -> Iterator[str]:
    rows = ParquetRows(stream)
    yield "\n".join(_told_of(rows.schema, rows.metadata.metadata))
    for batch in rows.batches():
        for column in batch.columns:
            yield from _of_column(column)


def _of_column(column: pa.Array) -> Iterator[str]:
    """What its values are and hold, each on a line; what many rows share is told once."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _of_column(column.unique().dictionary_decode())
    elif pa.types.is_struct(kind):
        for each in column.flatten():
            yield from _of_column(each)
    elif pa.types.is_map(kind):
        for each in (column.keys, column.items):
            yield from _of_column(each)
    elif pa.types.is_nested(kind):
        yield from _of_column(column.flatten())
    else:
        for start in range(0, len(column), TOGETHER):
            yield "\n".join(str(value) for value in column.slice(start, TOGETHER).to_pylist())


def _told_of(schema: pa.Schema, metadata: dict[bytes, bytes] | None) -> Iterator[str]:
    for told in (metadata, *(field.metadata for field in schema)):
        for pair in (told or {}).items():
            yield from (each.decode(errors=western()) for each in pair)
    yield from schema.names


def raw_texts(stream: BinaryIO) -> Iterator[str]:
    """The bytes of a file as they stand, as text.

    Pieces end at a line's end, or between words of a long line, and those then overlap: no word is
    cut, and none is looked at in part.
    """
    piece, rest = stream.read(_PIECE), ""
    coding = by_its_start(piece[:_SAMPLE]) or "utf-8"
    decoder = codecs.getincrementaldecoder(coding)(western())
    while piece:
        text = rest + decoder.decode(piece)
        end = _edge(text, len(text))
        yield text[:end]
        rest = text[end if text[:end].endswith("\n") else _edge(text, end - _OVERLAP) :]
        piece = stream.read(_PIECE)
    yield rest + decoder.decode(b"", final=True)


def _edge(text: str, end: int) -> int:
    """The last place up to ``end`` after a line or a word, or ``end`` where none is near."""
    start, end = max(0, end - _OVERLAP), max(0, end)
    return next((at + 1 for mark in '\n ",' if (at := text.rfind(mark, start, end)) >= 0), end)
