"""The rows of a Parquet file in bounded memory, whatever the file says of its own sizes.

Its footer and the headers of its pages may lie, and few bytes may stand for very many values: of
a dictionary, of runs, of prefixes. Arrow believes them all, so what it takes is bounded instead.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from goldenlake.io.readers.archives import MOST_RATIO, seekable
from goldenlake.io.readers.bounded_memory import BoundedMemory
from goldenlake.io.readers.contract import KEPT, LONGEST, TOGETHER, TOGETHER_BYTES, FileBroken

#: A column of a row group may be larger than this only if it is packed no better than
#: ``MOST_RATIO``: one value can be all of it, and Arrow takes up to five times its size to read it.
MOST_UNPACKED = 256 * 2**20
#: Bytes that Arrow may take for one file, beside what its allocator keeps ready: a row group of 300
#: columns takes as much, one of 850 MB in 14 columns a seventh of it.
MOST_MEMORY = 768 * 2**20
#: Bytes that all rows may show, each with its text to itself, unless the file is not smaller by
#: more than ``MOST_SHOWN_RATIO``: a page of 30 bytes can hold two thousand million rows.
MOST_SHOWN = 512 * 2**20
MOST_SHOWN_RATIO = 1_000
#: Of a row, whatever it shows: its number and its file stand beside it.
_LEAST_SHOWN = 64
#: Arrow's pieces; else it holds all that a row group has packed.
_PIECE = 2**18
#: Bytes at most of a place in a dictionary, as pages have it.
_NUMBER = 4
#: Of a text, beyond which rows that share it do not each get it at once.
_LONG = 2**10


class ParquetRows:
    """A Parquet file that is open for reading.

    Attributes:
        schema: the columns, as Arrow has them.
        metadata: what the file says of itself.

    Raises:
        FileBroken: no Parquet file, damaged, or a bomb; also while rows are read.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._memory = BoundedMemory(MOST_MEMORY)
        with self._bounded():
            self._stream = seekable(stream)
            self._size = self._stream.seek(0, io.SEEK_END)
            file = self._opened()
        self.schema: pa.Schema = file.schema_arrow
        self.metadata: pq.FileMetaData = file.metadata

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Rows in the file's order, few where they are large. Text that the file has once for many
        rows may stay so, as a dictionary.
        """
        with self._bounded():
            batches = self._batches()
        shown = 0
        while batch := self._next(batches):
            sizes = sizes_of(batch)
            shown += (pc.sum(_lasting(sizes)).as_py() or 0) + batch.num_rows * _LEAST_SHOWN
            if shown > MOST_SHOWN and shown > MOST_SHOWN_RATIO * self._size:
                raise FileBroken(
                    "its rows hold far more than its size lets expect.",
                    "If it is genuine, send it as CSV.",
                )
            yield from _few_at_a_time(batch, sizes)

    def _next(self, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
        with self._bounded():
            return next(batches, None)

    def _opened(self, **settings: object) -> pq.ParquetFile:
        self._stream.seek(0)
        return pq.ParquetFile(
            self._stream,
            pre_buffer=False,
            buffer_size=_PIECE,
            # Instants of old kind reach years that nanoseconds do not.
            coerce_int96_timestamp_unit="us",
            **settings,
        )

    def _batches(self) -> Iterator[pa.RecordBatch]:
        metadata = self.metadata
        groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
        chunks = [group.column(at) for group in groups for at in range(metadata.num_columns)]
        for chunk in chunks:
            size = chunk.total_uncompressed_size
            if size > MOST_UNPACKED and size > MOST_RATIO * max(chunk.total_compressed_size, 1):
                raise FileBroken(
                    "a column unpacks to far more than its size lets expect.",
                    "If it is genuine, send it with smaller row groups.",
                )
        shared, longest = self._dictionaries(groups)
        average = max((each.total_byte_size // max(each.num_rows, 1) for each in groups), default=0)
        again = self._opened(metadata=metadata, read_dictionary=shared)
        rows = max(1, min(TOGETHER, TOGETHER_BYTES // max(average + longest, 1)))
        batches: Iterator[pa.RecordBatch] = again.iter_batches(rows)
        return batches

    def _dictionaries(self, groups: Sequence[pq.RowGroupMetaData]) -> tuple[list[str], int]:
        """Columns whose text stays in their dictionaries, since it is long; and how long that of
        all the others may be in one row. A column that goes on as plain text does not: it would be
        gathered in a dictionary as large as itself.
        """
        texts = {field.name for field in self.schema if is_bytes(field.type)}
        largest: dict[str, tuple[int, int, int]] = {}
        for at, group in enumerate(groups):
            for chunk in (group.column(each) for each in range(group.num_columns)):
                name = chunk.path_in_schema
                if name in texts and chunk.has_dictionary_page:
                    told = (chunk.total_uncompressed_size, chunk.num_values, at)
                    largest[name] = max(told, largest.get(name, told))
        shared, others = [], 0
        for name, (size, values, at) in largest.items():
            dictionary = self._dictionary(name, at)
            longest = pc.max(pc.binary_length(dictionary)).as_py() or 0
            if longest > _LONG and size <= dictionary.nbytes + _NUMBER * values + _PIECE:
                shared.append(name)
            else:
                others += longest
        return shared, others

    def _dictionary(self, column: str, group: int) -> pa.Array:
        file = self._opened(metadata=self.metadata, read_dictionary=[column])
        rows = next(file.iter_batches(1, row_groups=[group], columns=[column]), None)
        return rows.column(0).dictionary if rows and rows.num_columns else pa.array([], pa.string())

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        try:
            with self._memory.held():
                yield
        except MemoryError as error:
            raise FileBroken(
                f"it takes more than {MOST_MEMORY // 2**20} MiB of memory to unpack.",
                "Do not trust it; if it is genuine, send it with smaller row groups.",
            ) from error
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if getattr(error, "errno", None) is not None:
                raise  # of the disk or the network, not of the file
            raise FileBroken(
                f"this is no Parquet file, or it is damaged ({type(error).__name__}).",
                "Ask for it again.",
            ) from error


def is_bytes(kind: pa.DataType) -> bool:
    """Whether values are text or bytes, with offsets of 32 bits."""
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def sizes_of(batch: pa.RecordBatch) -> pa.Array:
    """Of each row, the bytes of its texts and of its nested values."""
    sizes = pa.array([0] * batch.num_rows, pa.int64())
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and is_bytes(column.type.value_type):
            lengths = pc.binary_length(column.dictionary).take(column.indices)
        elif is_bytes(column.type) or pa.types.is_large_string(column.type):
            lengths = pc.binary_length(column)
        elif pa.types.is_nested(column.type) and column.nbytes > LONGEST:
            lengths = pa.array([column.slice(at, 1).nbytes for at in range(len(column))])
        else:
            continue
        sizes = pc.add(sizes, pc.fill_null(pc.cast(lengths, pa.int64()), 0))
    return sizes


def _lasting(sizes: pa.Array) -> pa.Array:
    """What of each row is kept: little of one that is too long."""
    return pc.if_else(pc.greater(sizes, LONGEST), KEPT, sizes)


def _few_at_a_time(batch: pa.RecordBatch, sizes: pa.Array) -> Iterator[pa.RecordBatch]:
    """The batch in pieces that are not large once each row has its text to itself. A row that is
    too long never gets it, and counts as the longest that does.
    """
    begun = size = 0
    if (pc.sum(sizes).as_py() or 0) <= TOGETHER_BYTES:
        yield batch
        return
    for at, more in enumerate(sizes.to_pylist()):
        counted = min(more, LONGEST)
        if at > begun and size + counted > TOGETHER_BYTES:
            yield batch.slice(begun, at - begun)
            begun, size = at, 0
        size += counted
    yield batch.slice(begun)
