"""One attribute of all records: a code a record, and what the distinct values are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from goldenlake.identity.matching.arrays import MISSING, Bytes, Codes, Flags
from goldenlake.identity.matching.texts import Texts, distinct, folded_all

Aliases = tuple[tuple[str, str], ...]
"""Pairs of values that stand for each other."""

MOST_WORDS = 4
"""Words of a place or an address that are compared."""

#: Words of places and addresses that nearly all of them have.
_COMMON_WORDS = frozenset(
    """
    the and upon near county city town district region borough village saint street road avenue
    place lane drive court close crescent square strasse platz weg rue avenue
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Values:
    """Codes of the records' values, MISSING where a record has none."""

    codes: Codes
    texts: Texts

    @classmethod
    def of(cls, readings: Sequence[str | None]) -> Values:
        """Encode values; None and empty text are missing."""
        texts = Texts.of([value for value in readings if value])
        return cls(texts.codes(readings), texts)

    @classmethod
    def read(cls, column: pa.ChunkedArray, reading: Callable[[str], str | None]) -> Values:
        """Encode what ``reading`` makes of a column's distinct values."""
        texts, which = distinct(column)
        return cls.of([reading(text) for text in texts.to_pylist()]).at(which)

    @classmethod
    def folded(cls, column: pa.ChunkedArray) -> Values:
        """Encode a column's values in small Latin letters; those without any are missing."""
        texts, which = distinct(column)
        return cls.of(folded_all(texts)).at(which)

    @classmethod
    def written(cls, column: pa.ChunkedArray) -> Values:
        """Encode a column's values as they are written; only null is missing."""
        found, which = distinct(column)
        texts = Texts.of(found.to_pylist())
        return cls(texts.codes(found.to_pylist()), texts).at(which)

    def at(self, which: Codes) -> Values:
        """The values at these places; MISSING where a place is."""
        return Values(np.append(self.codes, np.int32(MISSING))[which], self.texts)

    def part(self, reading: Callable[[str], str | None]) -> Values:
        """The attribute that ``reading`` makes of this one's values, of the same records."""
        return self.value_parts(reading).at(self.codes)

    def value_parts(self, reading: Callable[[str], str | None]) -> Values:
        """As ``part``, with a code a distinct value instead of a record."""
        return Values.of([reading(value) for value in self.texts.values])


@dataclass(frozen=True)
class Groups:
    """For each value the sorted groups that it is in: two values that share one are aliases."""

    starts: Codes
    members: Codes

    @classmethod
    def of(cls, groups: Sequence[Iterable[str]]) -> Groups:
        """From the names of the groups of each value, in the order of the values' codes."""
        named = [set(each) for each in groups]
        number = {name: at for at, name in enumerate(sorted(set().union(*named)))}
        lists = [sorted(number[name] for name in each) for each in named]
        starts = np.zeros(len(lists) + 1, dtype=np.int32)
        np.cumsum([len(each) for each in lists], out=starts[1:])
        return cls(starts, np.array([at for each in lists for at in each], dtype=np.int32))


def aliases_of(texts: Texts, pairs: Iterable[tuple[str, str]]) -> list[set[str]]:
    """For each text the alias pairs that it is in, as names of groups."""
    code = {value: at for at, value in enumerate(texts.values)}
    groups: list[set[str]] = [set() for _ in texts.values]
    for one, other in pairs:
        for value in (one, other):
            if value in code:
                groups[code[value]].add(f"{one}\x1f{other}")
    return groups


@dataclass(frozen=True)
class Dates:
    """Dates as eight digits."""

    values: Values

    @classmethod
    def read(cls, column: pa.ChunkedArray) -> Dates:
        """Encode dates that are written year, month, day; what has not eight digits is missing."""
        return cls(Values.read(column, eight_digits))

    @cached_property
    def digits(self) -> Bytes:
        """Of the distinct dates: (values, 8)."""
        return self.values.texts.table[:, :8] - np.uint8(ord("0"))

    @property
    def are_defaults(self) -> Flags:
        """Which distinct values are a 1st of January."""
        return np.array([value[4:] == "0101" for value in self.values.texts.values], dtype=np.bool_)


def eight_digits(text: str) -> str | None:
    """A date without its separators, so that 1857-21-01 (no day) can still nearly agree."""
    digits = re.sub(r"[^0-9]", "", text)
    return digits if len(digits) == 8 else None


@dataclass(frozen=True)
class Postcodes:
    """Postcodes with their leading parts."""

    values: Values
    alias_pairs: Aliases
    """Of districts."""

    @classmethod
    def read(cls, column: pa.ChunkedArray, aliases: Aliases) -> Postcodes:
        """Encode postcodes; ``aliases`` are pairs of districts."""
        return cls(Values.folded(column), aliases)

    @cached_property
    def districts(self) -> Values:
        """A code a distinct postcode."""
        return self.values.value_parts(district)

    @cached_property
    def areas(self) -> Values:
        """A code a distinct postcode."""
        return self.values.value_parts(area)

    @cached_property
    def aliases(self) -> Groups:
        """Of districts."""
        return Groups.of(aliases_of(self.districts.texts, self.alias_pairs))


def district(postcode: str) -> str:
    """What comes before the space; of one word without, all but its last two or three signs."""
    first, _, rest = postcode.partition(" ")
    if rest:
        return first
    return postcode[:-2] if postcode.isdigit() else postcode[:-3] or postcode


def area(postcode: str) -> str:
    """The leading letters of a district, or its first sign."""
    leading = district(postcode)
    letters = re.match(r"[a-z]+", leading)
    return letters[0] if letters else leading[:1]


@dataclass(frozen=True)
class Worded:
    """Places and addresses: a text and its telling words."""

    values: Values
    alias_pairs: Aliases
    """Of whole values."""

    @classmethod
    def read(cls, column: pa.ChunkedArray, aliases: Aliases) -> Worded:
        """Encode texts; ``aliases`` are pairs of whole values."""
        return cls(Values.folded(column), aliases)

    @cached_property
    def words(self) -> Codes:
        """The telling words of each distinct value: (values, MOST_WORDS)."""
        lists = [telling_words(value) for value in self.values.texts.values]
        texts = Texts.of([word for words in lists for word in words])
        return texts.padded(lists, MOST_WORDS)

    @cached_property
    def aliases(self) -> Groups:
        """Of whole values."""
        return Groups.of(aliases_of(self.values.texts, self.alias_pairs))


def telling_words(text: str) -> list[str]:
    """The first words of more than two signs, without those that nearly all places have."""
    words = [word for word in text.split() if len(word) > 2 and word not in _COMMON_WORDS]
    return list(dict.fromkeys(words))[:MOST_WORDS]


@dataclass(frozen=True)
class Categories:
    """Values out of few."""

    values: Values
    alias_pairs: Aliases

    @classmethod
    def read(cls, column: pa.ChunkedArray, aliases: Aliases) -> Categories:
        """Encode categories; ``aliases`` are pairs of values."""
        return cls(Values.folded(column), aliases)

    @cached_property
    def aliases(self) -> Groups:
        """Of whole values."""
        return Groups.of(aliases_of(self.values.texts, self.alias_pairs))


@dataclass(frozen=True)
class Emails:
    """E-mail addresses, their local parts and their domains."""

    values: Values

    @classmethod
    def read(cls, column: pa.ChunkedArray) -> Emails:
        """Encode addresses; what has no @ is missing."""
        return cls(Values.read(column, email))

    @cached_property
    def locals_of(self) -> Values:
        """A code a distinct address."""
        return self.values.value_parts(local_part)

    @cached_property
    def domains(self) -> Values:
        """A code a distinct address."""
        return self.values.value_parts(domain)


@dataclass(frozen=True)
class Phones:
    """Telephone numbers as digits."""

    values: Values

    @classmethod
    def read(cls, column: pa.ChunkedArray) -> Phones:
        """Encode numbers; what has fewer than five digits is missing."""
        return cls(Values.read(column, phone))


def email(text: str) -> str | None:
    """An address in small letters, if it is one."""
    bare = "".join(text.split()).lower()
    local, at, host = bare.rpartition("@")
    return bare if at and local and host else None


def local_part(address: str) -> str:
    """What stands before the @."""
    return address.rpartition("@")[0]


def domain(address: str) -> str:
    """What stands behind the @."""
    return address.rpartition("@")[2]


def phone(text: str) -> str | None:
    """The digits of a number, if there are at least five."""
    digits = re.sub(r"[^0-9]", "", text)
    return digits if len(digits) >= 5 else None


def phone_tail(number: str) -> str | None:
    """The last seven digits."""
    return number[-7:] if len(number) >= 7 else None
