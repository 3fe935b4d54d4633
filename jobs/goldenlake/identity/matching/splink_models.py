"""Models made with Splink: their scores, or a refusal that names what is not supported.

Read is what Splink 5 writes with ``save_model_to_json`` (DuckDB's dialect): levels on one column by
missing values, equality, Levenshtein, Damerau-Levenshtein, Jaro and Jaro-Winkler, with term
frequencies. https://moj-analytical-services.github.io/splink/ (settings, term-frequency
adjustments).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz.distance import DamerauLevenshtein, Jaro, JaroWinkler, Levenshtein

from goldenlake.errors import SplinkModelRefused
from goldenlake.identity.matching.arrays import Codes, Counts, Floats

Condition = Callable[[str | None, str | None], bool]

_NULL = re.compile(r'"(\w+)_l" IS NULL OR "\1_r" IS NULL')
_EQUAL = re.compile(r'"(\w+)_l" = "\1_r"')
_AT_MOST = re.compile(r'(levenshtein|damerau_levenshtein)\("(\w+)_l", "\2_r"\) <= (\d+)')
_AT_LEAST = re.compile(
    r'(jaro_similarity|jaro_winkler_similarity)\("(\w+)_l", "\2_r"\) >= ([\d.]+)'
)
_DISTANCES: Mapping[str, Callable[..., int]] = {
    "levenshtein": Levenshtein.distance,
    "damerau_levenshtein": DamerauLevenshtein.distance,
}
_SIMILARITIES: Mapping[str, Callable[..., float]] = {
    "jaro_similarity": Jaro.similarity,
    "jaro_winkler_similarity": JaroWinkler.similarity,
}


@dataclass(frozen=True)
class SplinkLevel:
    """One level of a comparison."""

    holds: Condition
    bits: float
    """log2(m / u); 0 where a value is missing."""
    frequency_weight: float
    """How far the frequency of the commoner value counts, from 0 to 1."""
    least_frequency: float


@dataclass(frozen=True)
class SplinkComparison:
    """The levels of one column, of which the first that holds counts."""

    column: str
    levels: tuple[SplinkLevel, ...]
    exact_u: float
    """What the frequency of a value is measured by."""


@dataclass(frozen=True)
class SplinkModel:
    """A model as Splink scores with it."""

    comparisons: tuple[SplinkComparison, ...]
    prior: float

    @classmethod
    def from_json(cls, text: str) -> SplinkModel:
        """Read a saved model. Raises SplinkModelRefused where scores would not be Splink's."""
        settings = json.loads(text)
        return cls(
            tuple(_comparison(each) for each in settings["comparisons"]),
            float(settings["probability_two_random_records_match"]),
        )

    def weights(
        self,
        table: pa.Table,
        left: Codes,
        right: Codes,
        frequencies: Mapping[str, Mapping[str, float]] | None = None,
    ) -> Floats:
        """Match weights of pairs of row numbers, prior included: Splink's ``match_weight``.

        ``frequencies`` holds by column the share of each value; of a column that is not in it they
        are counted over ``table``, as Splink does over its input. Each comparison is made once a
        distinct pair of values.
        """
        out = np.full(len(left), np.log2(self.prior / (1.0 - self.prior)))
        for comparison in self.comparisons:
            known = (frequencies or {}).get(comparison.column)
            out += _bits(comparison, table[comparison.column], left, right, known)
        return out


def _bits(
    comparison: SplinkComparison,
    column: pa.ChunkedArray,
    left: Codes,
    right: Codes,
    frequencies: Mapping[str, float] | None,
) -> Floats:
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    values: list[str | None] = [*encoded.dictionary.to_pylist(), None]
    codes = pc.fill_null(encoded.indices, len(values) - 1).to_numpy().astype(np.int64)
    shares = frequencies or _shares(codes, values)
    pairs, at = np.unique(codes[left] * len(values) + codes[right], return_inverse=True)
    bits = [_pair_bits(comparison, values, pair, shares) for pair in pairs.tolist()]
    return np.array(bits, dtype=np.float64)[at]


def _pair_bits(
    comparison: SplinkComparison,
    values: Sequence[str | None],
    pair: int,
    shares: Mapping[str, float],
) -> float:
    one, other = values[pair // len(values)], values[pair % len(values)]
    level = next(level for level in comparison.levels if level.holds(one, other))
    if not level.frequency_weight or one is None or other is None:
        return level.bits
    share = max(shares[one], shares[other], level.least_frequency)
    return level.bits + level.frequency_weight * float(np.log2(comparison.exact_u / share))


def _shares(codes: Counts, values: Sequence[str | None]) -> dict[str, float]:
    counts = np.bincount(codes, minlength=len(values))[:-1]
    shares = counts / max(int(counts.sum()), 1)
    return {
        value: share
        for value, share in zip(values, shares.tolist(), strict=False)
        if value is not None
    }


def _comparison(settings: Mapping[str, Any]) -> SplinkComparison:
    name = settings["output_column_name"]
    read = [
        (level, *_condition(name, level["sql_condition"]))
        for level in settings["comparison_levels"]
    ]
    columns = {column for _, column, _ in read if column}
    if len(columns) != 1:
        raise SplinkModelRefused(comparison=name, what="more than one column")
    column = columns.pop()
    exact = [level for level, _, _ in read if _EQUAL.fullmatch(level["sql_condition"])]
    if any(level.get("tf_adjustment_column", column) != column for level, _, _ in read):
        raise SplinkModelRefused(comparison=name, what="term frequencies of another column")
    if not exact and any("tf_adjustment_column" in level for level, _, _ in read):
        raise SplinkModelRefused(comparison=name, what="term frequencies without an exact level")
    levels = tuple(_level(name, level, holds) for level, _, holds in read)
    return SplinkComparison(column, levels, exact[0]["u_probability"] if exact else 1.0)


def _level(name: str, level: Mapping[str, Any], holds: Condition) -> SplinkLevel:
    if level.get("is_null_level"):
        return SplinkLevel(holds, 0.0, 0.0, 0.0)
    m, u = level.get("m_probability"), level.get("u_probability")
    if not isinstance(m, float | int) or not isinstance(u, float | int) or min(m, u) <= 0:
        label = level.get("label_for_charts", level["sql_condition"])
        raise SplinkModelRefused(comparison=name, what=f"no m or u of the level “{label}”")
    has_frequencies = "tf_adjustment_column" in level
    return SplinkLevel(
        holds,
        float(np.log2(m / u)),
        float(level.get("tf_adjustment_weight", 1.0)) if has_frequencies else 0.0,
        float(level.get("tf_minimum_u_value", 0.0)),
    )


def _condition(name: str, sql: str) -> tuple[str | None, Condition]:
    """The column of a condition, if it has one, and what it asks of two values."""
    if sql == "ELSE":
        return None, lambda _one, _other: True
    if found := _NULL.fullmatch(sql):
        return found[1], lambda one, other: one is None or other is None
    if found := _EQUAL.fullmatch(sql):
        return found[1], lambda one, other: one is not None and one == other
    if found := _AT_MOST.fullmatch(sql):
        return found[2], _at_most(_DISTANCES[found[1]], int(found[3]))
    if found := _AT_LEAST.fullmatch(sql):
        return found[2], _at_least(_SIMILARITIES[found[1]], float(found[3]))
    raise SplinkModelRefused(comparison=name, what=f"the condition {sql}")


def _at_most(distance: Callable[..., int], limit: int) -> Condition:
    def holds(one: str | None, other: str | None) -> bool:
        return one is not None and other is not None and distance(one, other) <= limit

    return holds


def _at_least(similarity: Callable[..., float], limit: float) -> Condition:
    def holds(one: str | None, other: str | None) -> bool:
        return one is not None and other is not None and similarity(one, other) >= limit

    return holds
