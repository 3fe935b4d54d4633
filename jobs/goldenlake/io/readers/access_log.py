"""Access logs of web servers, by the Apache ``LogFormat`` that wrote them.

Source: https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from goldenlake.declarations.access_log import REQUEST_PARTS, directives, names
from goldenlake.declarations.formats import AccessLogFormat
from goldenlake.io.readers.contract import Bad, Contract, FileBroken, Reading, Records, cut
from goldenlake.io.readers.lines import Lines, read_lines

_REQUEST = (
    r"^(?P<method>[A-Z_]+) (?P<target>(?P<path>[^ ?]*)(?P<query>\?[^ ]*)?)"
    r"(?: (?P<protocol>HTTP/[0-9.]+))?$"
)
_GROUP = re.compile(r"\(\?P<\w+>")
_QUOTED = r'[^"\\]*(?:\\.[^"\\]*)*'


def read_access_log(
    stream: BinaryIO,
    contract: Contract,
    reading: Reading,
    *,
    number: int = 1,
    size: int | None = None,
) -> Iterator[Records]:
    """Records of the log; a line that the format does not fit breaks the rule ``log_format``.

    Values stay as the server wrote them, its escapes included. Fields that no column asks for are
    left out. A record's number is that of its line.

    Args:
        number: of the first line.
        size: read the lines that begin within so many bytes.

    Raises:
        FileBroken: a column asks for a field that the format does not have.
    """
    del reading
    declared = contract.format
    assert isinstance(declared, AccessLogFormat)
    wanted = tuple((column.name, column.source, column.is_optional) for column in contract.columns)
    pattern, groups = compiled(declared.log_format, wanted)
    for lines in read_lines(stream, number=number, size=size):
        yield _parsed(lines, pattern, groups)


@lru_cache(maxsize=32)
def compiled(
    log_format: str, wanted: tuple[tuple[str, str, bool], ...]
) -> tuple[str, dict[str, tuple[str, str] | None]]:
    """One RE2 pattern for a line, and for each column (group, part of the request or "")."""
    pattern, at = "", 0
    fields: dict[str, str] = {}
    log_format = log_format.replace('\\"', '"')
    for found in directives(log_format):
        before = log_format[at : found.start()]
        pattern += re.escape(before)
        at = found.end()
        if found["kind"] == "%":
            pattern += "%"
            continue
        is_quoted = before.endswith('"') and log_format[at : at + 1] == '"'
        group = f"g{len(fields)}"
        pattern += _capture(found, group, is_quoted)
        for name in names(found):
            fields.setdefault(name, group)
    pattern = f"^{pattern}{re.escape(log_format[at:])}\r?\n?$"
    groups: dict[str, tuple[str, str] | None] = {}
    for name, source, is_optional in wanted:
        key = source.casefold()
        if key in fields:
            groups[name] = (fields[key], "")
        elif key in REQUEST_PARTS and "request" in fields:
            groups[name] = (fields["request"], key)
        elif is_optional:
            groups[name] = None
        else:
            raise FileBroken(
                f"log_format has no field {source!r}.", f"It has: {', '.join(sorted(fields))}."
            )
    used = {found[0] for found in groups.values() if found}
    for group in set(fields.values()) - used:
        pattern = pattern.replace(f"(?P<{group}>", "(?:")
    # RE2 gives null for a line only where a group is asked for.
    return (pattern if used else pattern.replace("(?:", "(?P<g0>", 1)), groups


def _capture(found: re.Match[str], group: str, is_quoted: bool) -> str:
    if is_quoted:
        inside = _QUOTED
    elif found["kind"] == "t" and not found["of"]:
        return rf"\[(?P<{group}>[^\]]*)\]"
    elif found["kind"] in "rqUfioCen" or found["of"]:
        inside = ".*?"
    else:
        inside = r"\S+"
    return f"(?P<{group}>{inside})"


def _parsed(lines: Lines, pattern: str, groups: Mapping[str, tuple[str, str] | None]) -> Records:
    # Without groups RE2 needs a tenth of the time.
    fits = pc.match_substring_regex(lines.text, _GROUP.sub("(?:", pattern))
    text, numbers, bad = lines.text, lines.numbers, list(lines.bad)
    if not pc.all(fits, min_count=0).as_py():
        unfit = pc.invert(fits)
        pairs = zip(numbers.filter(unfit).to_pylist(), text.filter(unfit).to_pylist(), strict=True)
        bad += [Bad(number, "log_format", cut(line.rstrip("\r\n"))) for number, line in pairs]
        text, numbers = text.filter(fits), numbers.filter(fits)

    def values() -> tuple[Mapping[str, pa.Array], None]:
        found = pc.extract_regex(text, pattern)
        parts: dict[str, pa.Array] = {}
        columns = {}
        for name, where in groups.items():
            if where is None:
                columns[name] = pa.nulls(len(text), pa.string())
                continue
            group, part = where
            whole = pc.struct_field(found, group)
            if part and group not in parts:
                parts[group] = pc.extract_regex(whole, _REQUEST)
            columns[name] = pc.struct_field(parts[group], part) if part else whole
        return columns, None

    return Records(lines.count, numbers, values, bad)
