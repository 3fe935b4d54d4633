"""Agreement of dates of birth, compiled.

The 1st of January is what systems write for "some day of that year", so that agreement on it says
far less; levels with it are kept apart.
"""

from __future__ import annotations

from goldenlake.identity.matching.arrays import Bytes, Codes, Levels
from goldenlake.identity.matching.compiled import compiled

DATE = (
    "missing",
    "exact",
    "exact, a default",
    "one digit",
    "one digit, both defaults",
    "day and month swapped",
    "neighbours swapped",
    "same year, a default",
    "same year and month",
    "same month and day",
    "same year",
    "two digits",
    "two digits, both defaults",
    "differs, a default",
    "differs",
)


@compiled
def is_default(date: Bytes) -> bool:
    """Whether eight digits YYYYMMDD are a 1st of January."""
    return bool(date[4] == 0 and date[5] == 1 and date[6] == 0 and date[7] == 1)


@compiled
def date_level(one: Bytes, other: Bytes) -> int:
    """The level, from 3 on, of two different dates given as eight digits YYYYMMDD."""
    different = 0
    first = -1
    last = -1
    for place in range(8):
        if one[place] != other[place]:
            different += 1
            if first < 0:
                first = place
            last = place
    defaults = int(is_default(one)) + int(is_default(other))
    if different == 1:
        return 4 if defaults == 2 else 3
    if (
        different == 2
        and last == first + 1
        and one[first] == other[last]
        and one[last] == other[first]
    ):
        return 6
    if first >= 4:
        swapped = True
        for place in range(2):
            swapped &= one[4 + place] == other[6 + place] and one[6 + place] == other[4 + place]
        if swapped:
            return 5
        if defaults > 0:
            return 7
        return 8 if first >= 6 else 10
    if last < 4 and defaults == 0:
        return 9
    if different == 2:
        return 12 if defaults == 2 else 11
    return 13 if defaults > 0 else 14


@compiled
def date_levels(left: Codes, right: Codes, codes: Codes, digits: Bytes, out: Levels) -> None:
    """Levels of DATE. ``digits`` (values, 8) is YYYYMMDD, whether or not that is a day."""
    for at in range(len(left)):
        one, other = codes[left[at]], codes[right[at]]
        if one < 0 or other < 0:
            out[at] = 0
        elif one == other:
            out[at] = 2 if is_default(digits[one]) else 1
        else:
            out[at] = date_level(digits[one], digits[other])
