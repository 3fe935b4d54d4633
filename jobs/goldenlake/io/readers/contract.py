"""What a reader looks for in a file, and the shape of what it finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from goldenlake.declarations.formats import Format
from goldenlake.declarations.source import Source
from goldenlake.errors import printable

#: Longest record, in bytes or characters. Longer ones are quarantined, cut to ``KEPT``.
LONGEST = 4 * 2**20
KEPT = 8 * 2**10
#: Records that are handed on together, fewer where they are large.
TOGETHER = 16_384
TOGETHER_BYTES = 64 * 2**20
#: Differences from the contract that are noted of one file.
MOST_DRIFT = 200
_LONGEST_NAME = 200
_NOT_A_NAME = re.compile(r"@|\d{5}")


class FileBroken(Exception):
    """A file cannot be read as its contract says; ``what`` names no value of the file's records."""

    def __init__(self, what: str, mend: str) -> None:
        self.what, self.mend = what, mend
        super().__init__(f"{what} {mend}")


@dataclass(frozen=True)
class Wanted:
    """A column to read: its name with us, its name in the file, and whether a file may lack it."""

    name: str
    source: str
    is_optional: bool


@dataclass(frozen=True)
class Contract:
    """The part of a source's declaration that readers need."""

    format: Format
    columns: tuple[Wanted, ...]

    @classmethod
    def of(cls, source: Source) -> Contract:
        """Columns that are computed from others are not looked for."""
        columns = (
            Wanted(column.name, column.source or column.name, column.optional_in_file)
            for column in source.columns
            if column.derive is None
        )
        return cls(source.format, tuple(columns))

    @property
    def names(self) -> list[str]:
        """Bronze's own columns, in order."""
        return [column.name for column in self.columns]


@dataclass(frozen=True)
class Bad:
    """A record that could not be read: its number, the rule it broke, and how it came."""

    record: int
    rule: str
    raw: str


@dataclass(frozen=True)
class Records:
    """Records read together.

    ``numbers`` of the good ones are unique in the file and the same at every reading. ``count`` is
    what the reader took from the file, counted before good and bad were told apart. The values are
    made only when they are asked for, since a first look at a file is after the bad ones alone.
    """

    count: int
    numbers: Sequence[int] | pa.Array
    values: Callable[[], tuple[Mapping[str, pa.Array], pa.Array | None]]
    bad: Sequence[Bad] = ()

    @cached_property
    def made(self) -> tuple[Mapping[str, pa.Array], pa.Array | None]:
        """Arrays of text by our names, and the map array of columns that are not ours."""
        return self.values()


@dataclass
class Reading:
    """What carries over between the members of one file, and what was noticed about it."""

    next_record: int = 1
    drift: dict[tuple[str, str], str] = field(default_factory=dict)

    def noticed(self, kind: str, column: str, detail: str = "") -> None:
        """Keep one difference from the contract, unless there are too many already.

        Files without a header, and objects whose keys are people, have values where names should
        stand: what looks like one is not told.
        """
        name = told_name(column)
        if len(self.drift) >= MOST_DRIFT and (kind, name) not in self.drift:
            name, detail = "(and more)", ""
        self.drift[kind, name] = detail


@dataclass(frozen=True)
class Header:
    """Where a file has the wanted columns; positions count from 0."""

    names: list[str]
    at: Mapping[str, int]
    extra: Mapping[str, int]

    @classmethod
    def match(cls, names: Sequence[str], contract: Contract, reading: Reading) -> Header:
        """Find the wanted columns by name: exact, else but for case and blanks around.

        Raises:
            FileBroken: a column that a file may not lack is missing or stands there twice, or
                none of the columns is there.
        """
        spelled = [cut(name.strip()) or f"column_{at + 1}" for at, name in enumerate(names)]
        folded = [name.casefold() for name in spelled]
        found: dict[str, int] = {}
        missing, doubled = [], []
        for column in contract.columns:
            exact = [at for at, name in enumerate(names) if name == column.source]
            places = exact or [
                at for at, name in enumerate(folded) if name == column.source.strip().casefold()
            ]
            if len(places) > 1:
                doubled.append(column.source)
            elif places:
                found[column.name] = places[0]
                if not exact:
                    reading.noticed("respelled", column.source, "matched but for case and blanks")
            elif column.is_optional:
                reading.noticed("missing", column.source)
            else:
                missing.append(column.source)
        if doubled:
            raise FileBroken(
                f"columns that stand there twice: {', '.join(doubled)}.",
                "Ask the source's owner which one counts.",
            )
        if missing or not found:
            lacking = missing or [column.source for column in contract.columns]
            raise FileBroken(
                f"columns that are missing: {', '.join(lacking)}.",
                "Correct the file, or declare optional_in_file, another name (from), or "
                "header: false.",
            )
        places = [found[column.name] for column in contract.columns if column.name in found]
        if places != sorted(places):
            reading.noticed("reordered", "", "columns stand in another order than declared")
        extra: dict[str, int] = {}
        for at, name in enumerate(spelled):
            if at in found.values():
                continue
            reading.noticed("doubled" if name in extra else "new", name)
            extra[name if name not in extra else f"{name} ({at + 1})"] = at
        return cls(list(names), found, extra)

    def records(
        self, contract: Contract, numbers: list[int], rows: list[list[str]], bad: list[Bad]
    ) -> Records:
        """Rows of as many fields as the header has, and the bad records among them."""

        def values() -> tuple[Mapping[str, pa.Array], pa.Array | None]:
            by_place = list(zip(*rows, strict=True)) if rows else [()] * len(self.names)
            columns = {
                column.name: text_array(by_place[self.at[column.name]])
                if column.name in self.at
                else pa.nulls(len(rows), pa.string())
                for column in contract.columns
            }
            extra = {name: text_array(by_place[at]) for name, at in self.extra.items()}
            return columns, extra_map(extra, len(rows))

        return Records(len(rows) + len(bad), numbers, values, bad)


def field_records(
    contract: Contract,
    numbers: Sequence[int],
    rows: Sequence[Mapping[str, Any]],
    bad: Sequence[Bad],
    *,
    count: int,
    text: Callable[[Any], str | None] = lambda value: value,
    keep_others: bool = False,
) -> Records:
    """Rows that name their own fields, and the bad records among them.

    Args:
        text: of a value.
        keep_others: fields that no column asks for go to the extra map.
    """

    def values() -> tuple[Mapping[str, pa.Array], pa.Array | None]:
        columns = {
            column.name: text_array([text(row.get(column.source)) for row in rows])
            for column in contract.columns
        }
        wanted = {column.source for column in contract.columns}
        extras = [
            [(key, text(row[key])) for key in row if keep_others and key not in wanted]
            for row in rows
        ]
        extra = pa.array(extras, pa.map_(pa.string(), pa.string())) if any(extras) else None
        return columns, extra

    return Records(count, numbers, values, bad)


def text_array(values: Sequence[str | None]) -> pa.Array:
    """Values as text."""
    return pa.array(values, pa.string())


def extra_map(columns: Mapping[str, pa.Array], rows: int) -> pa.Array | None:
    """One map a row from columns that the contract does not know; nulls are left out."""
    if not columns or not rows:
        return None
    names, width = list(columns), len(columns)
    # Column after column becomes row after row: value j of row i stands at j * rows + i.
    order = [at * rows + row for row in range(rows) for at in range(width)]
    items = pc.take(pa.chunked_array(list(columns.values())).combine_chunks(), pa.array(order))
    keys = pa.array(names * rows, pa.string())
    kept = pc.is_valid(items)
    counts = [0] * (rows + 1)
    if items.null_count:
        for at, valid in enumerate(kept.to_pylist()):
            counts[at // width + 1] += valid
        items, keys = items.filter(kept), keys.filter(kept)
    else:
        counts[1:] = [width] * rows
    offsets = pc.cumulative_sum(pa.array(counts, pa.int32()))
    return pa.MapArray.from_arrays(offsets, keys, items)


def told_name(name: str) -> str:
    """A column's name as it may be told: printable, not too long, and no value in its place."""
    if _NOT_A_NAME.search(name):
        return "(not a name)"
    return printable(name)[:_LONGEST_NAME]


def cut(raw: str) -> str:
    """What is kept of a bad record; lone surrogates stand for bytes that are no text."""
    return raw[:KEPT].encode("utf-8", "backslashreplace").decode("utf-8")
