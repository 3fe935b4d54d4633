"""Parquet files, their own types written as text."""

from __future__ import annotations

import base64
import datetime
import json
import tempfile
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from goldenlake.io.readers.contract import (
    TOGETHER,
    Contract,
    FileBroken,
    Header,
    Reading,
    Records,
    extra_map,
    text_array,
)


def read_parquet(stream: BinaryIO, contract: Contract, reading: Reading) -> Iterator[Records]:
    """Records in the file's order, numbered from 1.

    Whole numbers are written without a point, also those stored as floating point (identifiers
    often are); instants in ISO form and UTC, nested values as JSON, bytes as text or base64.

    Raises:
        FileBroken: no Parquet file, damaged, or not the contract's columns.
    """
    try:
        if not stream.seekable():
            kept = tempfile.SpooledTemporaryFile(max_size=2**26)  # noqa: SIM115 - read below
            while piece := stream.read(2**20):
                kept.write(piece)
            kept.seek(0)
            stream = cast(BinaryIO, kept)
        file = pq.ParquetFile(stream)
        header = Header.match(file.schema_arrow.names, contract, reading)
        for batch in file.iter_batches(batch_size=TOGETHER):
            yield _records(batch, header, contract, reading)
    except (pa.ArrowException, OSError) as error:
        raise FileBroken(
            f"this is no Parquet file, or it is damaged ({type(error).__name__}).",
            "Ask for it again.",
        ) from error


def _records(
    batch: pa.RecordBatch, header: Header, contract: Contract, reading: Reading
) -> Records:
    rows = batch.num_rows
    first, reading.next_record = reading.next_record, reading.next_record + rows

    def values() -> tuple[Mapping[str, pa.Array], pa.Array | None]:
        columns = {
            column.name: as_text(batch.column(header.at[column.name]))
            if column.name in header.at
            else pa.nulls(rows, pa.string())
            for column in contract.columns
        }
        extra = {name: as_text(batch.column(at)) for name, at in header.extra.items()}
        return columns, extra_map(extra, rows)

    return Records(rows, range(first, first + rows), values)


def as_text(values: pa.Array) -> pa.Array:
    """Any Arrow values as text; nulls stay null."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return as_text(values.dictionary_decode())
    if (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_date32(kind)
    ):
        return pc.cast(values, pa.string())
    if pa.types.is_timestamp(kind):
        # Finer than microseconds is nothing that silver could hold.
        whole = pc.cast(values, pa.timestamp("us", kind.tz), safe=False)
        values = pc.cast(whole, pa.timestamp("us")) if kind.tz else whole
        zone = "Z" if kind.tz else ""
        return text_array([v.isoformat() + zone if v else None for v in values.to_pylist()])
    return text_array([None if value is None else _text(value) for value in values.to_pylist()])


def number_text(value: float) -> str:
    """A number as a person writes it: 17850.0 is 17850; never with an exponent below 1e16."""
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e16):
        return str(int(value))
    return format(Decimal(repr(value)), "f") if value == value and abs(value) < 1e16 else str(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_text)
    return str(value)
