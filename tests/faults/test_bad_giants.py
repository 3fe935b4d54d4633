"""Files that are larger than anything honest end at a limit, in little memory and little time."""

from __future__ import annotations

import gzip
import io
import time
import tracemalloc
from collections.abc import Callable

import pytest

from goldenlake.io.readers.contract import Contract, Reading
from goldenlake.io.readers.delimited import read_delimited
from support.hostile import ADDRESS, CANARY
from support.hostile.access_logs import GOOD as REQUEST
from support.hostile.archives import zipped
from support.hostile.json_lines import GOOD as LINE
from support.hostile.reading import Endless, read
from support.hostile.sources import SOURCES

CSV = SOURCES["csv"]
MIB = 2**20
X = b"x" * MIB
HEADER, ROW = b"id,name,email,note\n", f"C1,Ann,{ADDRESS},\n".encode()
ZEROS = gzip.compress(b"0" * 16 * MIB)
Giant = tuple[bytes, bytes, int, bytes]
GIANTS: dict[str, tuple[str, Giant, int, dict[str, int]]] = {
    "a field of 100 MB": (
        "csv", (HEADER + ROW + b"C2,", X, 100, b",,\n" + ROW), 2, {"too_long": 1}
    ),
    "a field of 100 MB at the end": (
        "csv", (HEADER + ROW + b"C2,", X, 100, b""), 1, {"too_long": 1}
    ),
    "a field of 100 MB in quotes, over lines": (
        "csv", (HEADER + ROW + b'C2,"', X + b"\n", 100, b'",,\n' + ROW), 2,
        {"quote": 2, "field_count": 99},
    ),
    "a record of 60 MB, of fields over lines": (
        "csv", (HEADER + ROW + b'C2,"', X * 3 + b'","\n', 20, b'"\n' + ROW), 2,
        {"quote": 18, "field_count": 1},
    ),
    "a quote that is never closed before 10,000 lines": (
        "csv", (HEADER + b'C2,"Bo,,\n', b"C3,Cy,,\n" * 1000, 10, b""), 10_000, {"quote": 1},
    ),
    "a JSON line of 100 MB": (
        "jsonl", (LINE.encode() + b'{"id": "', X, 100, b'"}\n' + LINE.encode()), 2, {"too_long": 1},
    ),
    "100 MB of brackets": ("jsonl", (LINE.encode(), b"[" * MIB, 100, b""), 1, {"too_long": 1}),
    "a request of 100 MB": (
        "logs", (REQUEST.encode(), X, 100, b"\n" + REQUEST.encode()), 2, {"too_long": 1}
    ),
}  # fmt: skip
"""Source, content, good records, and the rules that the others break."""
REFUSED: dict[str, tuple[str, Giant | bytes, str]] = {
    "a header of 100 MB": ("csv", (b"id,", X, 100, b"\n" + ROW), "columns that are missing: id"),
    "a gzip of 1 GB": ("csv", (gzip.compress(HEADER + ROW), ZEROS, 64, b""), "far more"),
    "a zip of 3 GB": (
        "csv", zipped({f"{at}.csv": b"0" * 16 * MIB for at in range(4)}), "far more"
    ),
    "100 MB that are no workbook": ("xlsx", (CANARY.encode(), X, 100, b""), "no .xlsx workbook"),
    "100 MB that are no Parquet": ("parquet", (CANARY.encode(), X, 100, b""), "no Parquet file"),
}  # fmt: skip
MOST_MIB = 96
"""Of memory that Python takes."""


class Effort:
    """What a test costs in memory and in time of its own."""

    def __init__(self, most_mib: int = MOST_MIB) -> None:
        self.most_mib = most_mib

    def __enter__(self) -> Effort:
        tracemalloc.start()
        self.began = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < self.most_mib * MIB, f"{peak // MIB} MiB"
        assert time.process_time() - self.began < 30


@pytest.mark.parametrize("name", GIANTS)
def test_a_giant_costs_its_own_record_and_no_other(
    name: str, outcome: Callable[[str, str, str], None]
) -> None:
    source, content, accepted, rules = GIANTS[name]
    told = ", ".join(f"{count:,} {rule}" for rule, count in rules.items())
    outcome("giants", name, f"{accepted:,} accepted; {told}")
    with Effort():
        found = read(SOURCES[source], content)
    assert found.summary.broken == ""
    assert (len(found.good), found.summary.bad) == (accepted, rules)
    assert all(len(row["_raw"]) <= 8192 for row in found.bad), "little is kept of it"


def test_large_records_are_handed_on_few_at_a_time() -> None:
    stream = io.BufferedReader(Endless(HEADER, b"C1,,," + X + b"\n", 200, b""))
    with Effort(2 * MOST_MIB):
        counts = [found.count for found in read_delimited(stream, Contract.of(CSV), Reading())]
    assert (sum(counts), max(counts)) == (200, 64)


@pytest.mark.parametrize("name", REFUSED)
def test_a_giant_that_is_no_file_of_its_kind_is_refused(
    name: str, outcome: Callable[[str, str, str], None]
) -> None:
    source, content, says = REFUSED[name]
    outcome("giants", name, f"broken: {says}")
    with Effort():
        found = read(SOURCES[source], content)
    assert says in found.summary.broken
    assert CANARY not in found.summary.broken
    assert found.good == []
