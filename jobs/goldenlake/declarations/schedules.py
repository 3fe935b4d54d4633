"""Cron lines, as Airflow understands them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator

_PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
#: Name, least and greatest value, and the names of values from the least on.
_FIELDS: Sequence[tuple[str, int, int, Sequence[str]]] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_ITEM = re.compile(r"\A(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?\Z")
_MEND = "write minute, hour, day of the month, month and day of the week, such as 0 1 * * *"


def _checked_schedule(line: str) -> str:
    if line in _PRESETS:
        return line
    parts = line.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f"is {line!r}, no cron line of five fields; {_MEND}")
    for part, (name, least, most, names) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            if not _fits(item, least, most, names):
                raise ValueError(f"has {item!r}, no {name} from {least} to {most}; {_MEND}")
    return line


def _fits(item: str, least: int, most: int, names: Sequence[str]) -> bool:
    found = _ITEM.match(item)
    if not found:
        return False
    known = {str(value) for value in range(least, most + 1)} | {*names}
    ends = [end.lower().lstrip("0") or "0" for end in found.group("first", "last") if end]
    return all(end in known for end in ends) and int(found["step"] or 1) > 0


Schedule = Annotated[str, AfterValidator(_checked_schedule)]
"""A cron line of five fields, or one of Airflow's words for some, such as ``@daily``."""
