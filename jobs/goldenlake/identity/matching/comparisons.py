"""From pairs of records to agreement levels, in the comparisons of the roles or a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from goldenlake.declarations.matching import Matching
from goldenlake.identity.matching import date_levels, name_levels, value_levels
from goldenlake.identity.matching.arrays import Codes, Levels
from goldenlake.identity.matching.attributes import (
    Categories,
    Dates,
    Emails,
    Phones,
    Postcodes,
    Values,
    Worded,
)
from goldenlake.identity.matching.kinds import KIND_OF_ROLE, KINDS, Kind
from goldenlake.identity.matching.name_attribute import Names
from goldenlake.identity.matching.records import Attribute, Records
from goldenlake.identity.matching.text_levels import TextComparison

NAME_COMPARISONS = ("given", "family", "others")
TEXT = "text"


@dataclass(frozen=True)
class Comparison:
    """One comparison of the plan."""

    name: str
    """The column, or ``given``, ``family`` or ``others`` of the name."""
    kind_name: str
    text: TextComparison | None = None
    """What a model declares, of kind TEXT; all other kinds are ready-made."""

    @property
    def kind(self) -> Kind:
        """What weighs its levels."""
        return self.text.kind if self.text else KINDS[self.kind_name]


@dataclass(frozen=True)
class Plan:
    """All comparisons, and which of them share one table of m and u."""

    comparisons: tuple[Comparison, ...]
    tables: tuple[tuple[int, ...], ...]
    """Numbers of comparisons; each stands in one table."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the comparisons, in order."""
        return tuple(comparison.name for comparison in self.comparisons)

    @property
    def has_names(self) -> bool:
        """Whether it begins with NAME_COMPARISONS."""
        return any(comparison.kind_name in NAME_COMPARISONS for comparison in self.comparisons)

    @property
    def written(self) -> tuple[str, ...]:
        """Columns that are compared as they are written."""
        return tuple({each.text.column: None for each in self.comparisons if each.text})


def text_plan(declared: Sequence[TextComparison]) -> Plan:
    """The comparisons that a model declares, each with a table of its own."""
    comparisons = tuple(Comparison(each.name, TEXT, each) for each in declared)
    return Plan(comparisons, tuple((at,) for at in range(len(comparisons))))


def plan_of(matching: Matching) -> Plan:
    """The comparisons that follow from the roles.

    Given with family name, and postcode with (the first) place, depend on each other too much to
    be counted as independent: both pairs have joint tables.
    """
    comparisons = (
        [Comparison(name, name) for name in NAME_COMPARISONS] if matching.has_names else []
    )
    comparisons += [
        Comparison(column, KIND_OF_ROLE[role])
        for column, role in matching.columns.items()
        if role in KIND_OF_ROLE
    ]
    number = {comparison.name: at for at, comparison in enumerate(comparisons)}
    joint = [("given", "family")] if matching.has_names else []
    postcode, place = matching.playing("postcode"), matching.playing("place")
    if postcode and place:
        joint.append((postcode[0], place[0]))
    tables = [tuple(number[name] for name in names) for names in joint]
    together = {at for table in tables for at in table}
    tables += [(at,) for at in range(len(comparisons)) if at not in together]
    return Plan(tuple(comparisons), tuple(tables))


def compare(records: Records, plan: Plan, left: Codes, right: Codes) -> Levels:
    """Agreement levels of pairs of records: (pairs, comparisons).

    Symmetric: swapping ``left`` and ``right`` changes nothing.
    """
    levels = np.zeros((len(left), len(plan.comparisons)), dtype=np.uint8)
    if records.names is not None and plan.has_names:
        levels[:, : len(NAME_COMPARISONS)] = _name_levels(records.names, left, right)
    for at, comparison in enumerate(plan.comparisons):
        out = np.zeros(len(left), dtype=np.uint8)
        if comparison.text:
            values = records.written[comparison.text.column]
            comparison.text.write_levels(values, left, right, out)
        elif comparison.kind_name not in NAME_COMPARISONS:
            _write_levels(records.attributes[comparison.name], left, right, out)
        else:
            continue
        levels[:, at] = out
    return levels


def _name_levels(names: Names, left: Codes, right: Codes) -> Levels:
    out = np.zeros((len(left), len(NAME_COMPARISONS)), dtype=np.uint8)
    name_levels.name_levels(
        left,
        right,
        names.given,
        names.family,
        names.others,
        names.texts.table,
        names.texts.lengths,
        names.aliases.starts,
        names.aliases.members,
        names.sounds,
        out,
    )
    return out


def _write_levels(attribute: Attribute, left: Codes, right: Codes, out: Levels) -> None:
    match attribute:
        case Dates(values):
            date_levels.date_levels(left, right, values.codes, attribute.digits, out)
        case Postcodes(values):
            value_levels.postcode_levels(
                left,
                right,
                values.codes,
                values.texts.table,
                values.texts.lengths,
                attribute.districts.codes,
                attribute.areas.codes,
                attribute.aliases.starts,
                attribute.aliases.members,
                out,
            )
        case Worded(values):
            value_levels.words_levels(
                left,
                right,
                values.codes,
                values.texts.table,
                values.texts.lengths,
                attribute.words,
                attribute.aliases.starts,
                attribute.aliases.members,
                out,
            )
        case Categories(values):
            aliases = attribute.aliases
            value_levels.category_levels(
                left, right, values.codes, aliases.starts, aliases.members, out
            )
        case Emails(values):
            locals_of, domains = attribute.locals_of, attribute.domains
            value_levels.email_levels(
                left,
                right,
                values.codes,
                locals_of.codes,
                locals_of.texts.table,
                locals_of.texts.lengths,
                domains.codes,
                domains.texts.table,
                domains.texts.lengths,
                out,
            )
        case Phones(values):
            value_levels.phone_levels(
                left, right, values.codes, values.texts.table, values.texts.lengths, out
            )
        case Values(codes, texts):
            value_levels.code_levels(left, right, codes, texts.table, texts.lengths, out)
