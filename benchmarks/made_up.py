"""Whom exports are about: people of whom a number tells all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

ADDRESS, NAME = slice(0, 16), slice(16, 24)
"""Parts of a hash: whoever is next to each other in one order is not in another."""


def people(number: int) -> Iterator[tuple[str, str]]:
    """Address and name of everybody, as ``benchmarks.members`` makes them."""
    for each in range(number):
        told = hashlib.sha256(str(each).encode()).hexdigest()
        yield f"{told[ADDRESS]}@example.com", told[NAME]


def digest(people: Iterable[tuple[str, str]]) -> str:
    """A hash over people's addresses and names, in whatever order they come."""
    lines = sorted(f"{address} {name}\n" for address, name in people)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
