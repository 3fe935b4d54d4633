"""Agreement of texts by declared levels: equality, edits and similarities, compiled.

A model that was made elsewhere brings its levels along. What is compared are the bytes of a text
in UTF-8, as DuckDB does.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import Field

from goldenlake.declarations.base import ColumnName, Declaration
from goldenlake.identity.matching.arrays import Bytes, Codes, Floats, Levels
from goldenlake.identity.matching.attributes import Values
from goldenlake.identity.matching.compiled import compiled
from goldenlake.identity.matching.kinds import Kind
from goldenlake.identity.matching.similarity import (
    damerau_levenshtein,
    jaro,
    jaro_winkler,
    levenshtein,
)

Measure = Literal["exact", "levenshtein", "damerau_levenshtein", "jaro", "jaro_winkler", "else"]

_EXACT, _LEVENSHTEIN, _DAMERAU, _JARO, _JARO_WINKLER, _ELSE = range(6)
_NUMBER: dict[Measure, int] = {
    "exact": _EXACT,
    "levenshtein": _LEVENSHTEIN,
    "damerau_levenshtein": _DAMERAU,
    "jaro": _JARO,
    "jaro_winkler": _JARO_WINKLER,
    "else": _ELSE,
}


class TextLevel(Declaration):
    """What two values must have in common, and how far their frequency counts."""

    name: str
    measure: Measure
    limit: float = Field(default=0.0, ge=0)
    """Edits at most, or similarity at least."""
    frequency: float = 0.0
    """How far the frequency of the commoner value counts; 1 is fully."""
    most_bits: float | None = None
    """So much the frequency adds at most, before that; no limit without."""


class TextComparison(Declaration):
    """One column's values as they are written: the first level that holds counts."""

    name: str
    column: ColumnName
    levels: tuple[TextLevel, ...] = Field(min_length=1)
    """The last one holds always; a missing value says nothing."""

    @cached_property
    def kind(self) -> Kind:
        """What weighs these levels."""
        return Kind(
            ("missing", *(level.name for level in self.levels)),
            start=(),
            frequency={each.name: each.frequency for each in self.levels if each.frequency},
            most_bits=np.inf,
            most_bits_at={
                each.name: each.most_bits for each in self.levels if each.most_bits is not None
            },
        )

    def write_levels(self, values: Values, left: Codes, right: Codes, out: Levels) -> None:
        """The level of each pair; level 0 is "missing"."""
        starts, signs = values.texts.utf8
        measures = np.array([_NUMBER[each.measure] for each in self.levels], dtype=np.int32)
        limits = np.array([each.limit for each in self.levels])
        text_levels(left, right, values.codes, starts, signs, measures, limits, out)


@compiled
def agreement(measure: int, one: Bytes, other: Bytes) -> float:
    """Edits between two texts, or their similarity."""
    n, m = len(one), len(other)
    if measure == _LEVENSHTEIN:
        return float(levenshtein(one, n, other, m))
    if measure == _DAMERAU:
        return float(damerau_levenshtein(one, n, other, m))
    if measure == _JARO:
        return jaro(one, n, other, m)
    return jaro_winkler(one, n, other, m)


@compiled
def text_levels(
    left: Codes,
    right: Codes,
    codes: Codes,
    starts: Codes,
    signs: Bytes,
    measures: Codes,
    limits: Floats,
    out: Levels,
) -> None:
    """Levels of a TextComparison; the texts are ``signs`` from each of ``starts`` to the next."""
    for at in range(len(left)):
        one, other = codes[left[at]], codes[right[at]]
        if one < 0 or other < 0:
            out[at] = 0
            continue
        known, found = -1, 0.0
        for level in range(len(measures)):
            measure = measures[level]
            if measure in (_ELSE, _EXACT):
                holds = measure == _ELSE or one == other
            else:
                if measure != known:
                    a = signs[starts[one] : starts[one + 1]]
                    b = signs[starts[other] : starts[other + 1]]
                    known, found = measure, agreement(measure, a, b)
                is_distance = measure in (_LEVENSHTEIN, _DAMERAU)
                holds = found <= limits[level] if is_distance else found >= limits[level]
            if holds:
                out[at] = level + 1
                break
