"""Parquet: files without an end, types that changed, and values that no type allows."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from support.hostile import ADDRESS, CANARY, Entry
from support.hostile.forged_parquets import FORGED

NO_PARQUET = "this is no Parquet file, or it is damaged"
NOON = datetime(2026, 2, 28, 12, tzinfo=UTC)
FAR = 20_000 * 365 * 86_400 * 10**6
"""Microseconds to the year 21957, which Python does not know."""


def parquet(columns: Mapping[str, Any], **settings: Any) -> bytes:
    """A file of these columns, beside an address."""
    rows = len(next(iter(columns.values())))
    return written(pa.table({**columns, "email": pa.array([ADDRESS] * rows)}), **settings)


def written(table: pa.Table, **settings: Any) -> bytes:
    """The table as a file."""
    out = io.BytesIO()
    pq.write_table(table, out, **settings)
    return out.getvalue()


def _text(value: bytes) -> pa.Array:
    """Text of any bytes, which Arrow takes on trust."""
    offsets = pa.py_buffer(b"".join(at.to_bytes(4, "little") for at in (0, 2, 2 + len(value))))
    return pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"ok" + value)])


def _bad(name: str, content: bytes, broken: str = NO_PARQUET) -> Entry:
    return Entry(name=name, content=content, broken=broken)


ID = pa.array(["C1"])
IDS = pa.array(["C1", "C2"])
GOOD = parquet({"id": ID})
ENTRIES = [
    _bad("no footer", GOOD[:-8]),
    _bad("cut in the middle", GOOD[: len(GOOD) // 2]),
    _bad("encrypted footer", b"PARE" + GOOD[4:-4] + b"PARE"),
    _bad("a CSV named .parquet", f"id,email\nC1,{ADDRESS}\n".encode()),
    _bad("empty", b""),
    _bad("renamed key", parquet({"customer": ID}), "missing: id"),
    Entry(name="no rows", content=parquet({"id": pa.array([], pa.string())})),
    Entry(name="INT96 dates, which know no offset", accepted=2, content=parquet({"id": IDS,
        "seen_at": pa.array([NOON, datetime(1066, 10, 14, tzinfo=UTC)], pa.timestamp("us", "UTC"))},
        use_deprecated_int96_timestamps=True),
        landed=[{"seen_at": datetime(2026, 2, 28, 11, tzinfo=UTC)},
                {"seen_at": datetime(1066, 10, 13, 23, 6, 32, tzinfo=UTC)}]),
    Entry(name="INT96 beyond what nanoseconds hold", content=parquet({"id": ID, "seen_at": pa.array(
        [datetime(9999, 12, 31, tzinfo=UTC)], pa.timestamp("us"))},
        use_deprecated_int96_timestamps=True), rules={"future_seen_at": 1}),
    Entry(name="a year beyond 9999", accepted=1, rules={"castable_seen_at": 1}, content=parquet(
        {"id": IDS, "seen_at": pa.array([FAR, None], pa.timestamp("us", "UTC"))})),
    Entry(name="mixed schemas: whole numbers", accepted=1, content=parquet({"id": pa.array([17]),
        "paid": pa.array([3]), "seen_on": pa.array([date(2026, 1, 2)])}),
        landed=[{"id": "17", "paid": Decimal(3), "seen_on": date(2026, 1, 2)}]),
    Entry(name="mixed schemas: floating point", accepted=1, content=parquet({
        "id": pa.array([17850.0]), "paid": pa.array([2.5]), "seen_on": pa.array(["2026-01-02"])}),
        landed=[{"id": "17850", "paid": Decimal("2.5"), "seen_on": date(2026, 1, 2)}]),
    Entry(name="mixed schemas: nested", accepted=1, content=parquet({"id": ID, "note": pa.array(
        [{"a": [1, None], "at": NOON}])}),
        landed=[{"note": '{"a":[1,null],"at":"2026-02-28T12:00:00+00:00"}'}]),
    Entry(name="wrong decimal scale", accepted=1, content=parquet({"id": ID, "paid": pa.array(
        [Decimal("2.5500000003")], pa.decimal128(38, 10))}), landed=[{"paid": Decimal("2.5500")}]),
    Entry(name="whole numbers as decimals", accepted=1, content=parquet({"id": pa.array(
        [Decimal(17850)], pa.decimal128(38, 10)), "paid": pa.array([Decimal(0)],
        pa.decimal128(38, 10))}), landed=[{"id": "17850", "paid": Decimal(0)}]),
    Entry(name="a decimal too large", rules={"castable_paid": 1}, content=parquet(
        {"id": ID, "paid": pa.array([Decimal(10) ** 30], pa.decimal128(38, 0))})),
    Entry(name="NaN", rules={"castable_paid": 1}, content=parquet(
        {"id": ID, "paid": pa.array([float("nan")])})),
    Entry(name="text that is no UTF-8", accepted=1, rules={"encoding": 1}, content=parquet(
        {"id": IDS, "note": _text(CANARY.encode() + b"\xff")}), landed=[{"note": "ok"}]),
    Entry(name="nested text that is no UTF-8", accepted=1, rules={"encoding": 1}, content=parquet(
        {"id": IDS, "note": pa.StructArray.from_arrays([_text(b"\xc3")], ["a"])})),
    Entry(name="NUL", accepted=1, rules={"nul": 1}, content=parquet(
        {"id": IDS, "note": _text(CANARY.encode() + b"\0")})),
    Entry(name="bytes", accepted=1, content=parquet({"id": ID, "note": pa.array([b"\xff\0"])}),
          landed=[{"note": "/wA="}]),
    Entry(name="doubled column", broken="stand there twice: id", content=written(
        pa.Table.from_arrays([ID, ID], ["id", "id"]))),
    *(_bad(name, FORGED[name][0](), FORGED[name][1]) for name in (
        "values of 1 MB, all null", "texts that are 1 MB of the one before")),
]  # fmt: skip
