"""Files read as one of Spark's workers reads them, without Spark."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date
from typing import Any, BinaryIO, cast

from goldenlake.declarations.source import Source
from goldenlake.io.readers import distributed
from goldenlake.io.readers.contract import Contract
from goldenlake.io.readers.distributed import Part, Summary
from goldenlake.ports import Landing

DAY = date(2026, 3, 1)


@dataclass(frozen=True)
class Found:
    """What two readings of a file found: its good records, its bad ones, and the sum."""

    good: list[dict[str, Any]]
    bad: list[dict[str, Any]]
    summary: Summary


class Endless(io.RawIOBase):
    """A file that nobody has to hold: a beginning, one piece many times, an end."""

    def __init__(self, first: bytes, piece: bytes, times: int, last: bytes) -> None:
        self._pieces = iter([first, *[piece] * times, last])
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left and (piece := next(self._pieces, None)) is not None:
            self._left = piece
        taken, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


@dataclass(frozen=True)
class _Given:
    """A landing area of one file."""

    content: bytes | tuple[bytes, bytes, int, bytes]

    def open(self, _: str) -> BinaryIO:
        if isinstance(self.content, bytes):
            return io.BufferedReader(cast(io.RawIOBase, io.BytesIO(self.content)))
        return io.BufferedReader(Endless(*self.content))


def read(source: Source, content: bytes | tuple[bytes, bytes, int, bytes]) -> Found:
    """Both readings of a file. Checks that they agree, and that every record is counted once."""
    contract, landing = Contract.of(source), cast(Landing, _Given(content))
    part = Part(file_id="f", landed_path="f", landed_on=DAY, file_on=DAY, size_bytes=1)
    *batches, last = distributed._read_good(part, landing, contract)
    good = [row for batch in batches for row in batch.to_pylist()]
    bad = [
        row for batch in distributed._read_bad(part, landing, contract) for row in batch.to_pylist()
    ]
    summary = distributed._summed_up(last.column("_raw").to_pylist())["f"]
    numbers = [row["_record"] for row in good + bad]
    assert len(set(numbers)) == len(numbers), "a record has its number alone"
    assert summary.read == len(good) + sum(summary.bad.values())
    rules = [row["_rule"] for row in bad]
    assert {rule: rules.count(rule) for rule in set(rules)} == summary.bad
    return Found(good, bad, summary)
