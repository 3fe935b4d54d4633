"""A sample and its files, read as a stranger would read them: by the formats' own libraries."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest

from goldenlake.sample import SampleOptions, SampleSummary, generate

LOG_LINE = re.compile(
    r'(?P<host>\S+) (\S+) (\S+) \[(?P<at>[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d{3}) '
    r'(?P<size>\d+|-) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)" "(?P<cookie>[^"]*)" '
    r'"(?P<account>[^"]*)"'
)
ENCODINGS = {"berlin": "latin-1", "london": "cp1252", "lyon": "cp1252"}
Row = dict[str, str | None]


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def make(out: Path, seed: int = 7, customers: int = 120, days: int = 2) -> SampleSummary:
    """A small sample in a new folder."""
    return generate(SampleOptions(customers=customers, days=days, seed=seed, out=out))


def text_of(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file, unpacked."""
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode(encoding)


def csv_rows(world: SampleSummary, pattern: str, encoding: str = "utf-8") -> Iterator[Row]:
    """Rows of comma-separated files with a header, which must be of one width."""
    for path in sorted((world.out / "drops").glob(pattern)):
        reader = csv.DictReader(io.StringIO(text_of(path, encoding), newline=""))
        for row in reader:
            assert None not in row, f"{path.name}: a row has more fields than the header"
            assert None not in row.values(), f"{path.name}: a row has too few fields"
            yield row


def json_rows(world: SampleSummary, pattern: str) -> Iterator[Row]:
    """Rows of JSON lines; a last line without its end must be none."""
    for path in sorted((world.out / "drops").glob(pattern)):
        text = text_of(path)
        lines = text.split("\n")
        for line in lines[:-1]:
            yield json.loads(line)
        if lines[-1]:
            with pytest.raises(json.JSONDecodeError):
                json.loads(lines[-1])


def log_rows(world: SampleSummary) -> tuple[list[dict[str, str]], int]:
    """Hits of the access logs, and how many lines are none."""
    rows, malformed = [], 0
    for path in sorted((world.out / "drops/web").glob("access_*.log.gz")):
        for line in gzip.decompress(path.read_bytes()).split(b"\n")[:-1]:
            match = LOG_LINE.fullmatch(line.decode("utf-8", "replace"))
            if match:
                rows.append(match.groupdict())
            else:
                malformed += 1
    return rows, malformed


def till_rows(world: SampleSummary) -> Iterator[Row]:
    """Lines of receipts, each shop's in its own encoding."""
    for path in sorted((world.out / "drops/shops").glob("*/*.csv")):
        text = text_of(path, ENCODINGS[path.parent.name])
        yield from csv.DictReader(io.StringIO(text, newline=""), delimiter=";")


def workbook_rows(world: SampleSummary) -> Iterator[dict[str, object]]:
    """Lines of receipts of the shops that send workbooks."""
    for path in sorted((world.out / "drops/shops").glob("*/*.xlsx")):
        workbook = openpyxl.load_workbook(path)
        header, *rows = workbook.active.iter_rows(values_only=True)
        for row in rows:
            yield dict(zip(header, row, strict=True))


def parquet_rows(world: SampleSummary, pattern: str) -> list[dict[str, object]]:
    """Rows of the ERP."""
    return [
        row
        for path in sorted((world.out / "drops/erp").glob(pattern))
        for row in pq.read_table(path).to_pylist()
    ]


def truth_of(world: SampleSummary, source: str) -> list[dict[str, object]]:
    """Whose record each one of a source is."""
    table = pq.read_table(world.out / "truth/records.parquet")
    return [row for row in table.to_pylist() if row["source"] == source]


def planted(world: SampleSummary) -> dict[str, dict[str, object]]:
    """How often each trait and each mess was planted."""
    return json.loads((world.out / "truth/planted.json").read_text(encoding="utf-8"))


def persons(world: SampleSummary) -> list[dict[str, object]]:
    """Everybody who lives in the world."""
    return pq.read_table(world.out / "truth/persons.parquet").to_pylist()
