"""Streets as keys: what is left of an address line when script and abbreviation are taken away."""

from __future__ import annotations

import re

from pyspark.sql import Column

from goldenlake.columns.distinct import over_distinct
from goldenlake.columns.namekeys import folded, latin

#: One spelling and the others of the same kind of street; a saint is shortened like a street.
_KINDS = (
    "st: street saint ul ulica ulitsa",
    "blvd: boulevard bulevard bul bd bvd b-r",
    "rd: road",
    "ave: avenue av",
    "ln: lane",
    "dr: drive",
    "sq: square",
    "pl: place platz",
    "apt: apartment flat",
)
_SHORT = {
    long: short
    for short, _, longs in (line.partition(": ") for line in _KINDS)
    for long in longs.split()
}
_GERMAN = re.compile(r"str(?:asse)?$")
_PARTS = re.compile(r"[a-z]+(?:-[a-z]+)*|[0-9]+")


def street_key(street: Column) -> Column:
    """One key for street and number over scripts, accents and common abbreviations; or null.

    Words count in any order, numbers in theirs: 12 High Street is High St 12, and flat 1 in
    number 12 is not flat 12 in number 1. A line without a number is no home, so it has no key.
    """
    return over_distinct(street, keyed_street, once=True)


def keyed_street(text: str) -> str | None:
    """``street_key`` for one text."""
    parts = _PARTS.findall(latin(text))
    numbers = [part.lstrip("0") or "0" for part in parts if part.isdigit()]
    words = sorted(
        folded(_SHORT.get(part, _GERMAN.sub("str", part))) for part in parts if not part.isdigit()
    )
    return " ".join([*words, *numbers]) if words and numbers else None
