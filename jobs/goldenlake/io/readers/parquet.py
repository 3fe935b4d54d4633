"""Parquet files, their own types written as text."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc

from goldenlake.io.readers.contract import (
    KEPT,
    LONGEST,
    Bad,
    Contract,
    Header,
    Reading,
    Records,
    cut,
    extra_map,
    text_array,
)
from goldenlake.io.readers.parquet_rows import ParquetRows, sizes_of


def read_parquet(stream: BinaryIO, contract: Contract, reading: Reading) -> Iterator[Records]:
    """Records in the file's order, numbered from 1.

    Whole numbers are written without a point, also those stored as floating point (identifiers
    often are); instants in ISO form and UTC, nested values as JSON, bytes as text or base64.

    Rules that a record can break: ``encoding`` (text that is no UTF-8), ``nul``, ``too_long``.

    Raises:
        FileBroken: no Parquet file, damaged, a bomb, or not the contract's columns.
    """
    rows = ParquetRows(stream)
    header = Header.match(rows.schema.names, contract, reading)
    for few in rows.batches():
        yield _records(few, header, contract, reading)


def _records(
    batch: pa.RecordBatch, header: Header, contract: Contract, reading: Reading
) -> Records:
    count = batch.num_rows
    first, reading.next_record = reading.next_record, reading.next_record + count
    numbers = pa.array(range(first, first + count), pa.int64())
    is_long = pc.greater(sizes_of(batch), LONGEST)
    long = pc.indices_nonzero(is_long).to_pylist()
    bad = [Bad(first + at, "too_long", _raw(batch.slice(at, 1))) for at in long]
    if long:
        batch, numbers = (of.filter(pc.invert(is_long)) for of in (batch, numbers))
    batch = _unshared(batch)
    unfit = _unfit(batch)
    bad += [Bad(numbers[at].as_py(), rule, _raw(batch.slice(at, 1))) for at, rule in unfit.items()]
    if unfit:
        fit = pc.invert(pc.is_in(numbers, pa.array([one.record for one in bad], pa.int64())))
        batch, numbers = batch.filter(fit), numbers.filter(fit)
    rows = batch.num_rows

    def values() -> tuple[Mapping[str, pa.Array], pa.Array | None]:
        columns = {
            column.name: as_text(batch.column(header.at[column.name]))
            if column.name in header.at
            else pa.nulls(rows, pa.string())
            for column in contract.columns
        }
        extra = {name: as_text(batch.column(at)) for name, at in header.extra.items()}
        return columns, extra_map(extra, rows)

    return Records(count, numbers, values, bad)


def _unshared(batch: pa.RecordBatch) -> pa.RecordBatch:
    """With text of its own for each row."""
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _unfit(batch: pa.RecordBatch) -> dict[int, str]:
    """Rows with text that is none, and the rule that each breaks. Arrow takes text on trust."""
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        # A slice of nested values would be judged with all that its neighbours hold.
        rows = range(batch.num_rows)
        unfit = {at: "encoding" for at in rows if not _is_sound(batch.take(pa.array([at])))}
    else:
        unfit = {}
    for column in batch.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            zeros = pc.fill_null(pc.match_substring(column, "\0"), False)
            unfit |= {at: "nul" for at in pc.indices_nonzero(zeros).to_pylist() if at not in unfit}
    return dict(sorted(unfit.items()))


def _is_sound(row: pa.RecordBatch) -> bool:
    try:
        row.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _raw(row: pa.RecordBatch) -> str:
    """A row as far as it is text, and is kept."""
    texts = (
        _beginning(column) if pa.types.is_string(column.type) else b""
        for column in (
            each.dictionary.take(each.indices) if pa.types.is_dictionary(each.type) else each
            for each in row.columns
        )
    )
    return cut(",".join(text.decode("utf-8", "surrogateescape") for text in texts))


def _beginning(column: pa.Array) -> bytes:
    """Of the one value of a column of text."""
    return pc.binary_slice(column.cast(pa.binary()), 0, KEPT)[0].as_py() or b""


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
    zone = ""
    if pa.types.is_timestamp(kind):
        # Finer than microseconds is nothing that silver could hold.
        whole = pc.cast(values, pa.timestamp("us", kind.tz), safe=False)
        values = pc.cast(whole, pa.timestamp("us")) if kind.tz else whole
        zone = "Z" if kind.tz else ""
    return text_array([None if value is None else _text(value) + zone for value in _plain(values)])


def _plain(values: pa.Array) -> list[Any]:
    """Python's values; of what it does not know, such as the year 10000, number and type."""
    try:
        return cast(list[Any], values.to_pylist())
    except (ValueError, OverflowError):
        return [_one(value) for value in values]


def _one(value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        return f"{getattr(value, 'value', '')} {value.type}".strip()


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
    if isinstance(value, Decimal):
        return str(int(value)) if value == value.to_integral_value() else format(value, "f")
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
