"""Delimited text (CSV): strict about quotes, and back in step after a line that is not."""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from goldenlake.declarations.formats import CsvFormat
from goldenlake.io.readers.contract import (
    LONGEST,
    TOGETHER,
    TOGETHER_BYTES,
    Bad,
    Contract,
    Header,
    Reading,
    Records,
    cut,
)
from goldenlake.io.readers.lines import by_its_bom, by_its_start, mark_bytes, with_its_end

_DELIMITERS = ",;\t|"
_NO_TEXT = re.compile("[\ud800-\udfff]")
#: Lines that one quoted field may span; beyond it, a quote that was never closed is likelier.
_MOST_LINES = 1_000
#: Characters that are put back, for each one of the file; beyond it, lines that are put back are
#: records of their own. Lines that close a quote and open another would be read 1,000 times.
_MOST_AGAIN = 8
_SAMPLE = 2**16


def read_delimited(stream: BinaryIO, contract: Contract, reading: Reading) -> Iterator[Records]:
    """Records of the file, numbered from 1; blank lines and the header are none.

    Rules that a record can break: ``field_count``, ``truncated`` (the last one, without its end),
    ``quote`` (a quote that is not closed, or closed within a field: only its first line is set
    aside), ``repeated_header``, ``encoding``, ``nul``, ``too_long``.

    Raises:
        FileBroken: the header is not the contract's.
    """
    declared = contract.format
    assert isinstance(declared, CsvFormat)
    csv.field_size_limit(LONGEST)
    text = _decoded(stream, declared.encoding)
    try:
        yield from _read(_Lines(text), contract, declared, reading)
    finally:
        text.detach()  # closing the stream is for whoever opened it


def _read(
    lines: _Lines, contract: Contract, declared: CsvFormat, reading: Reading
) -> Iterator[Records]:
    records = _records(lines, _dialect(lines.sample(), contract, declared))
    if declared.header:
        names = next((fields for fields, _ in records), None)
        lines.next_record()
        if names is None:
            return
        header = Header.match(names, contract, reading)
    else:
        names = [column.source for column in contract.columns]
        header = Header(names, {c.name: at for at, c in enumerate(contract.columns)}, {})

    rows: list[list[str]] = []
    numbers: list[int] = []
    bad: list[Bad] = []
    width, held = len(names), 0
    for fields, rule in records:
        number, reading.next_record = reading.next_record, reading.next_record + 1
        if not rule and len(fields) != width:
            cut_off = len(fields) < width and lines.is_cut_off()
            rule = "truncated" if cut_off else "field_count"
        if not rule and fields == names:
            rule = "repeated_header"
        if not rule and lines.doubtful:
            rule = lines.doubtful
        if rule:
            bad.append(Bad(number, rule, cut("".join(lines.taken).rstrip("\r\n"))))
        else:
            rows.append(fields)
            numbers.append(number)
        held += lines.size
        lines.next_record()
        if len(rows) + len(bad) >= TOGETHER or held >= TOGETHER_BYTES:
            yield header.records(contract, numbers, rows, bad)
            rows, numbers, bad, held = [], [], [], 0
    if rows or bad:
        yield header.records(contract, numbers, rows, bad)


class _Lines:
    """Physical lines for a csv.reader; remembers those that the current record has taken."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._ahead: deque[str] = deque()
        self._alone = self._again = self._read = 0
        self.taken: list[str] = []
        self.size = 0
        self.doubtful = ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._alone and self.taken:
            raise csv.Error
        self._alone = max(self._alone - 1, 0)
        line = self._ahead.popleft() if self._ahead else self._text.readline(LONGEST)
        if not line:
            raise StopIteration
        self._read += len(line)
        if len(line) >= LONGEST:
            rest = line
            while rest and not rest.endswith(("\n", "\r")):
                rest = self._text.readline(LONGEST)
            self.taken.append(line[: LONGEST // 2])
            raise _TooLong
        self.taken.append(line)
        self.size += len(line)
        if len(self.taken) > _MOST_LINES or self.size > 2 * LONGEST:
            raise csv.Error
        if not line.isascii() and _NO_TEXT.search(line):
            self.doubtful = "encoding"
        if "\0" in line:
            self.doubtful = "nul"
        return line

    def sample(self) -> list[str]:
        """The first lines, which are read again later."""
        size = 0
        while size < _SAMPLE and (line := self._text.readline(_SAMPLE)):
            self._ahead.append(line)
            size += len(line)
        # A line that the sample cut must not be taken for two.
        if size and not self._ahead[-1].endswith(("\n", "\r")):
            self._ahead[-1] += self._text.readline(LONGEST)
        return list(self._ahead)

    def next_record(self) -> None:
        self.taken.clear()
        self.size = 0
        self.doubtful = ""

    def put_back(self) -> None:
        """All lines but the first that the current record took come again."""
        size = self.size - len(self.taken[0])
        self._again, self._read = self._again + size, self._read - size
        if self._again > _MOST_AGAIN * self._read + 2 * LONGEST:
            self._alone = max(self._alone, len(self.taken) - 1)
        self._ahead.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]

    def is_cut_off(self) -> bool:
        """Whether the current record ends the file without ending its line."""
        return bool(self.taken) and not self.taken[-1].endswith(("\n", "\r"))


class _TooLong(csv.Error):
    """A line is longer than any record may be."""


@dataclass(frozen=True)
class _Dialect:
    delimiter: str
    quote: str

    def reader(self, lines: Iterable[str], *, strict: bool = True) -> Iterator[list[str]]:
        """Quotes are doubled to stand for themselves; no quote is declared as ``""``."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            doublequote=True,
            strict=strict,
        )


def _records(lines: _Lines, dialect: _Dialect) -> Iterator[tuple[list[str], str]]:
    """Fields of each record and the rule that it breaks; ``lines`` knows how it came."""
    reader = dialect.reader(lines)
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except _TooLong:
            lines.taken[:] = lines.taken[-1:]
            yield [], "too_long"
        except csv.Error:
            lines.put_back()
            yield [], "truncated" if lines.is_cut_off() else "quote"
        else:
            if len(fields) > 1 or (fields and fields[0].strip()) or _is_quoted(lines, dialect):
                yield fields, ""
            else:
                lines.next_record()
            continue
        reader = dialect.reader(lines)


def _is_quoted(lines: _Lines, dialect: _Dialect) -> bool:
    """An empty field in quotes is a value; a blank line is nothing."""
    return bool(dialect.quote) and any(dialect.quote in line for line in lines.taken)


def _decoded(stream: BinaryIO, encoding: str | None) -> io.TextIOWrapper:
    start = stream.peek(_SAMPLE)[:_SAMPLE] if hasattr(stream, "peek") else b""
    found = by_its_bom(start) or with_its_end(encoding or by_its_start(start) or "utf-8", start)
    return io.TextIOWrapper(stream, encoding=found, errors=mark_bytes(), newline="")


def _dialect(sample: list[str], contract: Contract, declared: CsvFormat) -> _Dialect:
    if declared.delimiter:
        return _Dialect(declared.delimiter, declared.quote)
    lines = [line for line in sample if line.strip() and len(line) <= _SAMPLE][:20]
    wanted = {column.source.strip().casefold() for column in contract.columns}

    def fit(delimiter: str) -> tuple[int, int]:
        rows = list(_Dialect(delimiter, declared.quote).reader(lines, strict=False))
        first = rows[0] if rows else []
        hits = sum(len(row) == len(contract.columns) for row in rows)
        names = {name.strip().casefold() for name in first}
        return (len(names & wanted) if declared.header else hits, len(first))

    return _Dialect(max(_DELIMITERS, key=fit), declared.quote)
