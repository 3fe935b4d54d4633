"""Readers on Spark's workers: many landed files in one job, big ones of single lines in parts."""

from __future__ import annotations

import heapq
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import BinaryIO, cast

import pyarrow as pa
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from goldenlake.io.readers.archives import members
from goldenlake.io.readers.contract import Bad, Contract, FileBroken, Reading, Records
from goldenlake.ports import Landing

#: Bytes of one part of a big file whose records are lines.
PART = 48 * 2**20
#: Bytes below which another Spark task costs more than it saves.
_LEAST = 2 * 2**20
_MARKS = "marks"

Reader = Callable[[BinaryIO, Contract, Reading], Iterator[Records]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A landed file, or the lines of it that begin within ``size`` bytes from ``start`` on."""

    file_id: str
    landed_path: str
    landed_on: date
    file_on: date
    size_bytes: int
    start: int = 0
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What one reading of a file found; ``broken`` says why the file as a whole is refused."""

    file_id: str
    read: int = 0
    bad: dict[str, int] = field(default_factory=dict)
    drift: list[list[str]] = field(default_factory=list)
    broken: str = ""


def read_records(
    spark: SparkSession, landing: Landing, contract: Contract, parts: Sequence[Part]
) -> tuple[DataFrame, Summaries]:
    """Records of the files as one lazy frame; what was found of each file once it is written.

    Columns: ``_file_id``, ``_record``, ``_landed_on``, ``_file_on``, the contract's columns as
    text and ``_extra``. The records of a file that is broken as a whole end where it broke.
    """
    observation = Observation()
    marks = F.collect_list("_raw").alias(_MARKS)
    rows = _frame(spark, landing, contract, parts, _read_good).observe(observation, marks)
    return rows.where(F.col("_raw").isNull()).drop("_rule", "_raw"), Summaries(observation)


def read_refused(
    spark: SparkSession, landing: Landing, contract: Contract, parts: Sequence[Part]
) -> DataFrame:
    """What could not be read as a record, in a second look at the files.

    Columns: ``_file_id``, ``_record``, ``_landed_on``, ``_rule`` (what it broke), ``_raw`` (how it
    came). Few files have any; to look again costs less than to carry them beside all the others.
    """
    rows = _frame(spark, landing, contract, parts, _read_bad)
    return rows.select("_file_id", "_record", "_landed_on", "_rule", "_raw")


def _frame(
    spark: SparkSession,
    landing: Landing,
    contract: Contract,
    parts: Sequence[Part],
    read: Callable[[Part, Landing, Contract], Iterator[pa.RecordBatch]],
) -> DataFrame:
    """One job over all files, in as many tasks as their size is worth."""
    sized = [(min(part.size or part.size_bytes, part.size_bytes), part) for part in parts]
    cores = spark.sparkContext.defaultParallelism
    tasks = max(1, min(len(parts), max(sum(size for size, _ in sized) // PART, cores)))
    if sum(size for size, _ in sized) < _LEAST:
        tasks = 1
    shares: list[list[Part]] = [[] for _ in range(tasks)]
    loads = [(0, at) for at in range(tasks)]
    for size, part in sorted(sized, key=lambda pair: -pair[0]):
        load, at = heapq.heappop(loads)
        shares[at].append(part)
        heapq.heappush(loads, (load + size, at))
    own = ", ".join(f"`{name}` STRING" for name in contract.names)
    ddl = (
        f"_file_id STRING, _record BIGINT, _landed_on DATE, _file_on DATE, {own}, "
        "_extra MAP<STRING, STRING>, _rule STRING, _raw STRING"
    )
    rows = spark.range(0, tasks, 1, tasks)
    return rows.mapInArrow(partial(_read_shares, shares, landing, contract, read), ddl)


def in_parts(part: Part, landing: Landing, contract: Contract) -> list[Part]:
    """A big plain file of lines as several parts, so that one file occupies all cores."""
    is_lines = contract.format.kind in ("access_log", "jsonl")
    if not is_lines or part.size_bytes < 2 * PART:
        return [part]
    with landing.open(part.landed_path) as stream:
        start = stream.read(4)
        is_packed = start.startswith((b"\x1f\x8b", b"PK\x03\x04"))
        if (
            is_packed
            or not stream.seekable()
            or getattr(contract.format, "encoding", "utf-8") != "utf-8"
        ):
            return [part]
    fields = {name: getattr(part, name) for name in Part.__dataclass_fields__}
    starts = range(0, part.size_bytes, PART)
    return [Part(**{**fields, "start": start, "size": PART}) for start in starts]


class Summaries:
    """What one reading found of each file; known when its frame has been written."""

    def __init__(self, observation: Observation) -> None:
        self._observation = observation

    def get(self) -> dict[str, Summary]:
        """By file. Waits for a writing that is under way; without one, for ever."""
        return _summed_up(self._observation.get[_MARKS])


def _summed_up(marks: Iterable[str]) -> dict[str, Summary]:
    """What the marks of all parts tell, by file; a task that ran twice tells twice."""
    found: dict[str, Summary] = {}
    for mark in sorted(set(marks)):
        part = Summary(**json.loads(mark)["summary"])
        before = found.get(part.file_id)
        found[part.file_id] = _both(before, part) if before else part
    return found


def _both(one: Summary, other: Summary) -> Summary:
    # A key that one part lacks may stand in the other.
    drift = {
        tuple(entry)
        for entry in [*one.drift, *other.drift]
        if entry[0] != "missing" or (entry in one.drift and entry in other.drift)
    }
    rules = one.bad.keys() | other.bad.keys()
    return Summary(
        file_id=one.file_id,
        read=one.read + other.read,
        bad={rule: one.bad.get(rule, 0) + other.bad.get(rule, 0) for rule in rules},
        drift=[list(entry) for entry in sorted(drift)],
        broken=one.broken or other.broken,
    )


def _read_shares(
    shares: Sequence[Sequence[Part]],
    landing: Landing,
    contract: Contract,
    read: Callable[[Part, Landing, Contract], Iterator[pa.RecordBatch]],
    ids: Iterable[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    for batch in ids:
        for at in batch.column(0).to_pylist():
            for part in shares[at]:
                yield from read(part, landing, contract)


def _read_good(part: Part, landing: Landing, contract: Contract) -> Iterator[pa.RecordBatch]:
    """The records, then a row whose ``_raw`` sums up the part."""
    reading, read, broken = Reading(), 0, ""
    bad: dict[str, int] = {}
    try:
        with landing.open(part.landed_path) as stream:
            for records in _records(stream, part, contract, reading):
                read += records.count
                for one in records.bad:
                    bad[one.rule] = bad.get(one.rule, 0) + 1
                if len(records.numbers):
                    yield _good(records, part, contract)
    except FileBroken as error:
        broken = str(error)
    drift = [[kind, column, detail] for (kind, column), detail in reading.drift.items()]
    summary = Summary(file_id=part.file_id, read=read, bad=bad, drift=drift, broken=broken)
    mark = json.dumps({"start": part.start, "summary": summary.__dict__})
    yield _bad([Bad(0, "", mark)], part, contract)


def _read_bad(part: Part, landing: Landing, contract: Contract) -> Iterator[pa.RecordBatch]:
    with suppress(FileBroken), landing.open(part.landed_path) as stream:
        for records in _records(stream, part, contract, Reading()):
            if records.bad:
                yield _bad(records.bad, part, contract)


def _records(
    stream: BinaryIO, part: Part, contract: Contract, reading: Reading
) -> Iterator[Records]:
    kind = contract.format.kind
    if kind in ("access_log", "jsonl"):
        lines = _line_reader(kind)
        if part.size is not None:
            number, stream, size = _at_line(stream, part)
            yield from lines(stream, contract, reading, number=number, size=size)
            return
        first = 1
        for member in members(stream):
            counted = _Newlines(member)
            buffered = cast(BinaryIO, io.BufferedReader(counted, 2**20))
            yield from lines(buffered, contract, reading, number=first)
            first += counted.found + 1
        return
    is_zip = kind == "xlsx"
    for member in members(stream, is_itself_a_zip=is_zip):
        yield from _reader(kind)(member, contract, reading)


def _line_reader(kind: str) -> Callable[..., Iterator[Records]]:
    if kind == "jsonl":
        from goldenlake.io.readers.json_lines import read_json_lines

        return read_json_lines
    from goldenlake.io.readers.access_log import read_access_log

    return read_access_log


def _reader(kind: str) -> Reader:
    # A worker loads only what its files need.
    if kind == "csv":
        from goldenlake.io.readers.delimited import read_delimited

        return read_delimited
    if kind == "xlsx":
        from goldenlake.io.readers.worksheet import read_worksheet

        return read_worksheet
    if kind == "mail_reports":
        from goldenlake.io.readers.mail_reports import read_mail_reports

        return read_mail_reports
    from goldenlake.io.readers.parquet import read_parquet

    return read_parquet


def _at_line(stream: BinaryIO, part: Part) -> tuple[int, BinaryIO, int]:
    """The stream at the first line that begins within the part: (its number, stream, bytes left).

    Lines before are counted anew in each part: at some 3 GB a second that is cheap.
    """
    number, left = 1, part.start
    last = b"\n"
    while left and (block := stream.read(min(left, 2**22))):
        number += block.count(b"\n")
        left -= len(block)
        last = block[-1:]
    end = part.start + (part.size or 0)
    at = part.start
    while last != b"\n" and at < end and (rest := stream.readline(2**22)):
        at += len(rest)
        last = rest[-1:]
        number += last == b"\n"
    return number, stream, end - at


class _Newlines(io.RawIOBase):
    """Counts line ends, so that the next member's lines have numbers of their own."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.found = stream, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        piece = self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        self.found += piece.count(b"\n")
        return len(piece)


def _good(records: Records, part: Part, contract: Contract) -> pa.RecordBatch:
    rows = len(records.numbers)
    columns, extra = records.made
    nothing = pa.nulls(rows, pa.string())
    return _batch(
        part,
        contract,
        pa.array(records.numbers, pa.int64()),
        [columns[name] for name in contract.names],
        pa.nulls(rows, _MAP) if extra is None else extra,
        nothing,
        nothing,
    )


def _bad(bad: Sequence[Bad], part: Part, contract: Contract) -> pa.RecordBatch:
    rows = len(bad)
    return _batch(
        part,
        contract,
        pa.array([one.record for one in bad], pa.int64()),
        [pa.nulls(rows, pa.string())] * len(contract.names),
        pa.nulls(rows, _MAP),
        pa.array([one.rule for one in bad], pa.string()),
        pa.array([one.raw for one in bad], pa.string()),
    )


_MAP = pa.map_(pa.string(), pa.string())


def _batch(
    part: Part,
    contract: Contract,
    numbers: pa.Array,
    columns: list[pa.Array],
    extra: pa.Array,
    rule: pa.Array,
    raw: pa.Array,
) -> pa.RecordBatch:
    rows = len(numbers)
    arrays = [
        pa.repeat(pa.scalar(part.file_id), rows),
        numbers,
        pa.repeat(pa.scalar(part.landed_on, pa.date32()), rows),
        pa.repeat(pa.scalar(part.file_on, pa.date32()), rows),
        *columns,
        extra,
        rule,
        raw,
    ]
    names = ["_file_id", "_record", "_landed_on", "_file_on", *contract.names]
    return pa.RecordBatch.from_arrays(arrays, names=[*names, "_extra", "_rule", "_raw"])
