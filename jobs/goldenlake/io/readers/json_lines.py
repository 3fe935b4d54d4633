"""One JSON object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from goldenlake.declarations.formats import JsonLinesFormat
from goldenlake.io.readers.contract import (
    MOST_DRIFT,
    Bad,
    Contract,
    Reading,
    Records,
    cut,
    field_records,
    told_name,
)
from goldenlake.io.readers.lines import Lines, as_utf8, read_lines


class _Number(str):
    """A number as it was written: 1.10 stays 1.10, and 2^53 + 1 stays itself."""

    __slots__ = ()


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


#: Levels of one value; what reads it later has to follow all of them.
DEEPEST = 100
_SURROGATE = re.compile("[\ud800-\udfff]")
_DECODER = json.JSONDecoder(parse_float=_Number, parse_int=_Number, parse_constant=_no_constant)


def read_json_lines(
    stream: BinaryIO,
    contract: Contract,
    reading: Reading,
    *,
    number: int = 1,
    size: int | None = None,
) -> Iterator[Records]:
    """Records with numbers as they were written and nested values as JSON text.

    Rules that a line can break: ``not_json``, ``not_an_object``, ``encoding``, ``nul``,
    ``too_deep`` (nested beyond ``DEEPEST``), ``too_long``. Of a doubled key the last value counts.
    Keys that a line lacks are null; keys that no column asks for go to the extra map. A record's
    number is that of its line.
    """
    declared = contract.format
    assert isinstance(declared, JsonLinesFormat)
    stream = as_utf8(stream, declared.encoding)
    wanted = {column.source for column in contract.columns}
    known: set[str] = set()
    new: list[str] = []
    for lines in read_lines(stream, number=number, size=size):
        seen: set[str] = set()
        yield _parsed(lines, contract, seen)
        known |= seen & wanted
        # A file may have a key of its own in every line; no more are kept than are told.
        new = sorted({*new, *map(told_name, seen - wanted)})[: MOST_DRIFT + 1]
    for key in new:
        reading.noticed("new", key)
    for key in sorted(wanted - known) if known or new else []:
        reading.noticed("missing", key)


def _parsed(lines: Lines, contract: Contract, seen: set[str]) -> Records:
    numbers: list[int] = []
    good: list[dict[str, Any]] = []
    bad = list(lines.bad)
    for number, line in zip(lines.numbers.to_pylist(), lines.text.to_pylist(), strict=True):
        rule, found = _judged(line)
        if rule:
            bad.append(Bad(number, rule, cut(line.rstrip("\r\n"))))
        else:
            numbers.append(number)
            good.append(found)
            seen.update(found)

    return field_records(
        contract, numbers, good, bad, count=lines.count, text=_text, keep_others=True
    )


def _judged(line: str) -> tuple[str, dict[str, Any]]:
    try:
        found = _DECODER.decode(line)
    except ValueError:
        return "not_json", {}
    except RecursionError:
        return "too_deep", {}
    if not isinstance(found, dict):
        return "not_an_object", {}
    if line.count("[") + line.count("{") > DEEPEST and _depth(found) > DEEPEST:
        return "too_deep", {}
    if "\\u0000" in line or "\\ud" in line or "\\uD" in line:
        text = "".join(_texts(found))
        if "\0" in text:
            return "nul", {}
        if _SURROGATE.search(text):
            return "encoding", {}
    return "", found


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, keys included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _depth(value: Any) -> int:
    """Levels of a value; deeper ones are not followed."""
    depth, level = 0, [value]
    while level and depth <= DEEPEST:
        depth += 1
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
    return depth


def _text(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    return _written(value)


def _written(value: Any) -> str:
    """JSON text without blanks, numbers as they came."""
    if isinstance(value, _Number):
        return str.__str__(value)
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key, ensure_ascii=False)}:{_written(v)}" for key, v in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
