"""Files that are larger than anything honest end at a limit, in little memory and little time."""

from __future__ import annotations

import gzip
import io
import os
import random
import re
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest

from goldenlake.io.readers.contract import Contract, Reading
from goldenlake.io.readers.delimited import read_delimited
from support.growth import HANG
from support.hostile import ADDRESS, CANARY
from support.hostile.access_logs import GOOD as REQUEST
from support.hostile.archives import zipped
from support.hostile.forged_parquets import FORGED
from support.hostile.json_lines import GOOD as LINE
from support.hostile.parquets import parquet
from support.hostile.reading import Endless, read
from support.hostile.sources import SOURCES
from support.hostile.workbooks import head, person, rows, workbook

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
MOST_OF_ALL = 1024
"""MiB by which the process may grow, with what Arrow and the reader of workbooks take."""
MOST_OF_A_LIE = 2048
"""MiB where a file lies until Arrow has no more: with 1 GiB that its allocator keeps ready."""


def shared(string: str, cells: int) -> bytes:
    """A workbook with one string that cells of its third column show."""
    listed = [
        f'<row r="{at}"><c r="A{at}" t="inlineStr"><is><t>C{at}</t></is></c>'
        f'<c r="C{at}" t="s"><v>0</v></c></row>'
        for at in range(2, cells + 2)
    ]
    sheet = rows(head("id", "email", "note")).replace(
        "</sheetData>", f"{''.join(listed)}</sheetData>"
    )
    return workbook(sheet, strings=f"<si><t>{string}</t></si>")


@cache
def honest(size: int) -> str:
    """Text that is packed a hundredfold at most, as an honest file's is."""
    piece = random.Random(1).randbytes(10_000).hex()
    return piece * (size // len(piece))


def texts(size: int, count: int, **settings: object) -> bytes:
    """A Parquet file of two short notes, and others of one text that is that long."""
    notes = ["short", *[honest(size)] * count, "short"]
    ids = pa.array([f"C{at}" for at in range(len(notes))])
    return parquet({"id": ids, "note": pa.array(notes, pa.large_string()).cast(pa.string())},
                   compression="zstd", **settings)  # fmt: skip


WIDE = {"use_dictionary": ["note"], "dictionary_pagesize_limit": 2**30, "store_schema": False}
PACKED: dict[str, tuple[str, Callable[[], bytes], str, int, dict[str, int]]] = {
    "a workbook of 300 MB": (
        "xlsx", lambda: b"PK\x03\x04" + bytes(300 * 10**6), "over 256 MiB", 0, {}
    ),
    "a shared string of 200 MB, all one letter": (
        "xlsx", lambda: shared("x" * 200 * 10**6, 1), "far more", 0, {}
    ),
    "a shared string of 200 MB": (
        "xlsx", lambda: shared(honest(200 * 10**6), 1), "a cell holds more than 4 MiB", 0, {}
    ),
    "a cell of 200 MB": (
        "xlsx",
        lambda: workbook(rows(head("id", "email"), person(
            f'<c r="C2" t="inlineStr"><is><t>{honest(200 * 10**6)}</t></is></c>'))),
        "a cell holds more than 4 MiB", 0, {},
    ),
    "a shared string of 1 MB that 2,000 cells show": (
        "xlsx", lambda: shared(honest(10**6), 2_000), "its cells show", 0, {}
    ),
    "a shared string of 1 MB that 50 cells show": (
        "xlsx", lambda: shared(honest(10**6), 50), "", 50, {}
    ),
    "a text of 300 MB in Parquet": (
        "parquet", lambda: texts(300 * 10**6, 1, use_dictionary=False), "far more", 0, {}
    ),
    "a text of 300 MB in the dictionary of a Parquet file": (
        "parquet", lambda: texts(300 * 10**6, 1, **WIDE), "far more", 0, {}
    ),
    "a text of 150 MB in Parquet": (
        "parquet", lambda: texts(150 * 10**6, 1, use_dictionary=False), "", 2, {"too_long": 1}
    ),
    "a text of 150 MB in the dictionary of a Parquet file": (
        "parquet", lambda: texts(150 * 10**6, 1, **WIDE), "", 2, {"too_long": 1}
    ),
    "a text of 5 MB that 200 rows of a Parquet file share": (
        "parquet", lambda: texts(5 * 10**6, 200, **WIDE), "", 2, {"too_long": 200}
    ),
}  # fmt: skip
"""Source, content, why it is broken, good records, and the rules that the others break."""


class Effort:
    """What a test costs in memory and in time of its own."""

    def __init__(self, most_mib: int = MOST_MIB) -> None:
        self.most_mib = most_mib

    def __enter__(self) -> Effort:
        pa.default_memory_pool().release_unused()
        Path("/proc/self/clear_refs").write_text("5")
        self.held = resident("VmRSS")
        tracemalloc.start()
        self.began = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < self.most_mib * MIB, f"{peak // MIB} MiB"
        grown = resident("VmHWM") - self.held
        assert grown < MOST_OF_ALL, f"{grown} MiB in all"
        assert time.process_time() - self.began < HANG


def resident(what: str) -> int:
    """MiB of this process in memory: now (VmRSS), or at most since the peak was reset (VmHWM)."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) // 1024


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


@pytest.mark.parametrize("name", PACKED)
def test_a_giant_that_is_packed_into_little_is_stopped_in_bounded_memory(
    name: str, outcome: Callable[[str, str, str], None]
) -> None:
    source, make, broken, accepted, rules = PACKED[name]
    content = make()
    honest.cache_clear()
    told = ", ".join(f"{count:,} {rule}" for rule, count in rules.items())
    outcome("giants", name, f"broken: {broken}" if broken else f"{accepted:,} accepted; {told}")
    with Effort(MOST_OF_ALL):
        found = read(SOURCES[source], content)
    assert broken in found.summary.broken
    assert bool(found.summary.broken) is bool(broken)
    assert (len(found.good), found.summary.bad) == (accepted, rules)
    assert all(len(row["_raw"]) <= 8192 for row in found.bad), "little is kept of it"


READ = """
import io, sys
from pathlib import Path
from goldenlake.io.readers.contract import Contract, FileBroken, Reading
from goldenlake.io.readers.parquet import read_parquet
from goldenlake.io.texts import texts
from support.hostile.sources import SOURCES
from faults.test_bad_giants import resident

held = resident("VmRSS")
for path in sys.argv[1:]:
    for read in (lambda of: read_parquet(of, Contract.of(SOURCES["parquet"]), Reading()), texts):
        try:
            with open(path, "rb") as stream:
                for _ in read(stream):
                    pass
            print("read")
        except FileBroken as error:
            print(error)
print(resident("VmHWM") - held)
"""


def test_parquet_files_that_lie_are_stopped_in_bounded_memory(
    tmp_path: Path, outcome: Callable[[str, str, str], None]
) -> None:
    """One after another in one process, whose allocator has nothing ready from other tests."""
    files = [tmp_path / f"{at}.parquet" for at in range(len(FORGED))]
    for file, (name, (make, broken)) in zip(files, FORGED.items(), strict=True):
        outcome("giants", name, f"broken: {broken}")
        assert file.write_bytes(make()) < MIB
    done = subprocess.run(
        [sys.executable, "-c", READ, *map(str, files)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    *told, grown = done.stdout.splitlines()
    wanted = [broken for _, broken in FORGED.values() for _ in ("records", "texts")]
    assert [says for says in zip(wanted, told, strict=True) if says[0] not in says[1]] == []
    assert int(grown) < MOST_OF_A_LIE, f"{grown} MiB"


def test_a_process_has_all_its_memory_again_once_a_file_is_read() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    read(SOURCES["parquet"], FORGED["values of 1 MB, all null"][0]())
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
