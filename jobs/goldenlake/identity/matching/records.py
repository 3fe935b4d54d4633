"""Records as arrays, by the roles of their columns: what blocking and comparisons work on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from goldenlake.declarations.matching import Matching
from goldenlake.identity.matching.attributes import (
    Categories,
    Dates,
    Emails,
    Phones,
    Postcodes,
    Values,
    Worded,
)
from goldenlake.identity.matching.name_attribute import (
    Names,
    Parsed,
    mostly_given,
    parsed_full_names,
    parsed_parts,
    placed,
)

Attribute = Values | Dates | Emails | Phones | Postcodes | Worded | Categories

NAME = "name"
"""The attribute that the columns of the name make together; no column's name has its role."""


@dataclass(frozen=True)
class Vocabulary:
    """What reading a record takes from the model, so that it never depends on other records."""

    given_names: frozenset[str] = frozenset()
    """Tokens that, alone, are read as a given name."""
    aliases: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Pairs of values that stand for each other, by attribute."""

    def aliases_of(self, attribute: str) -> tuple[tuple[str, str], ...]:
        """The pairs of one attribute."""
        return self.aliases.get(attribute, ())


@dataclass(frozen=True)
class Records:
    """Encoded records; a record is its row's number."""

    count: int
    names: Names | None
    attributes: Mapping[str, Attribute]
    """By column, in the order of the declaration."""
    written: Mapping[str, Values] = field(default_factory=dict)
    """Columns as they are written, for comparisons by levels of a text."""


def encoded(
    table: pa.Table, matching: Matching, vocabulary: Vocabulary, written: Iterable[str] = ()
) -> Records:
    """The declared columns of a table as arrays, and those that are compared as ``written``.

    Raises KeyError where one of them is not in the table.
    """
    names = _names(table, matching, vocabulary)
    attributes = {
        column: attribute
        for column in matching.columns
        if (attribute := _attribute(table[column], matching.columns[column], column, vocabulary))
    }
    as_written = {column: Values.written(table[column]) for column in written}
    return Records(table.num_rows, names, attributes, as_written)


def vocabulary_of(table: pa.Table, matching: Matching) -> Vocabulary:
    """What these records tell of the roles of single tokens; no aliases yet."""
    return Vocabulary(mostly_given(_parsed(table, matching)))


def values_of(attribute: Attribute) -> Values:
    """The codes of an attribute's whole values."""
    return attribute if isinstance(attribute, Values) else attribute.values


def _attribute(
    column: pa.ChunkedArray, role: str, name: str, vocabulary: Vocabulary
) -> Attribute | None:
    aliases = vocabulary.aliases_of(name)
    match role:
        case "birth_date":
            return Dates.read(column)
        case "email":
            return Emails.read(column)
        case "phone":
            return Phones.read(column)
        case "postcode":
            return Postcodes.read(column, aliases)
        case "place" | "address":
            return Worded.read(column, aliases)
        case "gender" | "category":
            return Categories.read(column, aliases)
        case "code":
            return Values.folded(column)
        case _:
            return None


def _names(table: pa.Table, matching: Matching, vocabulary: Vocabulary) -> Names | None:
    if not matching.has_names:
        return None
    parsed = placed(_parsed(table, matching), vocabulary.given_names)
    return Names.of(parsed, vocabulary.aliases_of(NAME))


def _parsed(table: pa.Table, matching: Matching) -> Parsed:
    full = matching.playing("full_name")
    if full:
        return parsed_full_names(table[full[0]])
    sides = (matching.playing("given_name"), matching.playing("family_name"))
    nothing = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    return parsed_parts(*(table[side[0]] if side else nothing for side in sides))
