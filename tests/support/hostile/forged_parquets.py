"""Parquet files byte by byte, whose footers and pages say of themselves what they like.

Numbers are those of parquet.thrift (https://github.com/apache/parquet-format), in Thrift's compact
protocol.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from support.hostile import ADDRESS

INT64, BYTES, FIXED = 2, 6, 7
PLAIN, LENGTHS, PREFIXES, NUMBERS = 0, 6, 7, 8
MIB = 2**20


@dataclass(frozen=True)
class Long:
    """A number of 64 bits; others have 32."""

    value: int


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of one row group. ``says`` are the bytes that its footer says it unpacks to."""

    name: str
    pages: Sequence[bytes]
    values: int
    kind: int = BYTES
    length: int = 0
    is_optional: bool = False
    is_list: bool = False
    has_dictionary: bool = True
    says: int = 100

    @property
    def path(self) -> list[bytes]:
        return [self.name.encode(), *([b"list", b"element"] if self.is_list else [])]

    @property
    def schema(self) -> list[dict[int, Any]]:
        leaf: dict[int, Any] = {1: self.kind, 3: int(self.is_optional), 4: self.path[-1]}
        if self.length:
            leaf[2] = self.length
        elif self.kind == BYTES:
            leaf[6] = 0
        if not self.is_list:
            return [leaf]
        outer = {3: 1, 4: self.path[0], 5: 1, 6: 3}
        return [outer, {3: 2, 4: b"list", 5: 1}, leaf]


def number(value: int) -> bytes:
    """A number without a sign, seven bits a byte."""
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def signed(value: int) -> bytes:
    """A number with a sign, which stands last."""
    return number(value << 1 if value >= 0 else (-value << 1) - 1)


def thrift(value: Any) -> tuple[int, bytes]:
    """A value's type, and the value."""
    if isinstance(value, Long):
        return 6, signed(value.value)
    if isinstance(value, int):
        return 5, signed(value)
    if isinstance(value, bytes):
        return 8, number(len(value)) + value
    if isinstance(value, list):
        parts = [thrift(each) for each in value]
        size = bytes([min(len(value), 15) << 4 | parts[0][0]])
        more = number(len(value)) if len(value) >= 15 else b""
        return 9, size + more + b"".join(part for _, part in parts)
    out, last = b"", 0
    for key in sorted(value):
        kind, part = thrift(value[key])
        out, last = out + bytes([(key - last) << 4 | kind]) + part, key
    return 12, out + b"\0"


def forged(rows: int, columns: Sequence[Column]) -> bytes:
    """A file of one row group."""
    out, chunks = b"PAR1", []
    for each in columns:
        start, body = len(out), b"".join(each.pages)
        told = {1: each.kind, 2: [PLAIN], 3: each.path, 4: 6, 5: Long(each.values)}
        told |= {6: Long(each.says), 7: Long(len(body)), 9: Long(start)}
        if each.has_dictionary:
            told |= {9: Long(start + len(each.pages[0])), 11: Long(start)}
        chunks.append({2: Long(0), 3: told})
        out += body
    schema = [{4: b"schema", 5: len(columns)}, *(part for each in columns for part in each.schema)]
    group = {1: chunks, 2: Long(100), 3: Long(rows)}
    footer = thrift({1: 1, 2: schema, 3: Long(rows), 4: [group]})[1]
    return out + footer + struct.pack("<I", len(footer)) + b"PAR1"


def _page(kind: int, told: dict[int, Any], content: bytes) -> bytes:
    packed = pa.compress(content, codec="zstd", asbytes=True)
    return thrift({1: kind, 2: len(content), 3: len(packed), **told})[1] + packed


def page(values: int, coding: int, content: bytes) -> bytes:
    """A page of data."""
    return _page(0, {5: {1: values, 2: coding, 3: 3, 4: 3}}, content)


def dictionary(content: bytes, values: int = 1) -> bytes:
    """A page of what others number."""
    return _page(2, {7: {1: values, 2: PLAIN}}, content)


def text(value: bytes) -> bytes:
    """A plain text."""
    return struct.pack("<I", len(value)) + value


def run(count: int, value: int) -> bytes:
    """One value many times."""
    return number(count << 1) + bytes([value])


def levels(*runs: tuple[int, int]) -> bytes:
    """Which values there are, and where lists begin."""
    coded = b"".join(run(*each) for each in runs)
    return struct.pack("<I", len(coded)) + coded


def steps(first: int, second: int, count: int) -> bytes:
    """Whole numbers by their differences: the first, then the second again and again."""
    change = second - first
    least = min(change, 0)
    block = signed(least) + bytes([32, 32 if least else 0, 32 if least else 0, 32 if least else 0])
    block += b"".join(
        struct.pack("<I", (change if at == 0 else 0) - least) for at in range(128 if least else 32)
    )
    more = (signed(0) + bytes(4)) * -(-max(count - 129, 0) // 128)
    return number(128) + number(4) + number(count) + signed(first) + block + more


def _same(value: bytes, rows: int) -> list[bytes]:
    """Pages of rows that share one value."""
    return [dictionary(value), page(rows, NUMBERS, b"\1" + run(rows, 0))]


def people(rows: int, *others: Column) -> bytes:
    """A file of one person many times, and what else is said of each."""
    ids = Column(name="id", pages=_same(text(b"C1"), rows), values=rows)
    emails = Column(name="email", pages=_same(text(ADDRESS.encode()), rows), values=rows)
    return forged(rows, [ids, emails, *others])


def note(*pages: bytes, values: int, **told: Any) -> Column:
    """The column that lies."""
    return Column(name="note", pages=pages, values=values, **told)


TAKES = "it takes more than"
HOLDS = "its rows hold far more"
FORGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a page of 1.1 GB that the footer does not tell": (
        lambda: people(1, note(page(1, PLAIN, text(bytes(1100 * MIB))), values=1,
                               has_dictionary=False)), TAKES,
    ),
    "a dictionary of 1.1 GB that the footer does not tell": (
        lambda: people(1, note(*_same(text(bytes(1100 * MIB)), 1), values=1)), TAKES,
    ),
    "a dictionary that the footer does not tell at all": (
        lambda: people(9000, note(*_same(text(bytes(MIB)), 9000), values=9000,
                                  has_dictionary=False)), TAKES,
    ),
    "40 columns of 100 MB each": (
        lambda: people(1, *(Column(name=f"n{at}", pages=[big], values=1, has_dictionary=False)
                            for big in [page(1, PLAIN, text(bytes(100 * MIB)))]
                            for at in range(40))), TAKES,
    ),
    "values of 1 MB, all null": (
        lambda: people(9000, note(page(9000, PLAIN, levels((9000, 0))), values=9000, kind=FIXED,
                                  length=MIB, is_optional=True, has_dictionary=False)), TAKES,
    ),
    "bytes of 1 MB that all rows share": (
        lambda: people(9000, note(*_same(bytes(MIB), 9000), values=9000, kind=FIXED, length=MIB)),
        TAKES,
    ),
    "texts that are 1 MB of the one before": (
        lambda: people(9000, note(page(9000, PREFIXES, steps(0, MIB, 9000) + steps(MIB, 0, 9000)
                                       + bytes(MIB)), values=9000, has_dictionary=False)), TAKES,
    ),
    "more lengths of texts than there are texts": (
        lambda: people(1, note(page(1, LENGTHS, number(2**30) + number(1) + number(2**30)
                                    + signed(0) + signed(0) + b"\0"),
                               values=1, has_dictionary=False)), TAKES,
    ),
    "a list of 200 million numbers": (
        lambda: people(1, note(dictionary(bytes(8)), page(2 * 10**8, NUMBERS, levels((1, 0), (2
                * 10**8 - 1, 1)) + levels((2 * 10**8, 2)) + b"\1" + run(2 * 10**8, 0)),
                               values=2 * 10**8, kind=INT64, is_list=True)), TAKES,
    ),
    "a list of one text of 1 MB, 9,000 times": (
        lambda: people(1, note(dictionary(text(bytes(MIB))), page(9000, NUMBERS, levels((1, 0), (
            8999, 1)) + levels((9000, 2)) + b"\1" + run(9000, 0)), values=9000, is_list=True)),
        TAKES,
    ),
    "a text of 1 MB that 16,000 rows share": (
        lambda: people(16_000, note(*_same(text(b"x" * MIB), 16_000), values=16_000)), HOLDS,
    ),
    "two thousand million rows": (lambda: people(2 * 10**9), HOLDS),
}  # fmt: skip
"""What Arrow believes, and why the file is refused."""
