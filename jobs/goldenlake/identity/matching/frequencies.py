"""Term frequencies: agreement on a rare value says more than agreement on a common one.

A value v with share p(v) adds log2(u / p(v)) bits, where u, the mean of p over agreeing strangers,
is what the level's own m / u already counts (Winkler 2000; Splink's term-frequency adjustments).
Shares are counted once and frozen in the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from goldenlake.identity.matching.arrays import Codes, Floats, Levels
from goldenlake.identity.matching.compiled import compiled
from goldenlake.identity.matching.texts import Texts

MOST_BITS = 12.0
"""The adjustment is held within this many bits, up and down."""

LEAST_HOLDERS = 5
"""What fewer hold does not go into a model: a file that is committed must not tell of a person."""


@dataclass(frozen=True)
class Frequencies:
    """How often values occur, of one comparison."""

    total: int
    """Occurrences of all values."""
    counts: Mapping[str, int]
    """Of values that occur LEAST_HOLDERS times or more; any other value counts once."""
    means: tuple[float, ...]
    """For each class of values: the chance that agreeing strangers have a given value."""

    @classmethod
    def of(cls, texts: Texts, counts: Floats, classes: Codes) -> Frequencies:
        """From occurrences and the class of each distinct value (0 and on)."""
        total = max(int(counts.sum()), 1)
        share = counts / total
        weight = np.bincount(classes, weights=share)
        squares = np.bincount(classes, weights=share * share)
        means = np.divide(squares, weight, out=np.ones(len(squares)), where=weight > 0)
        common = np.flatnonzero(counts >= LEAST_HOLDERS).tolist()
        named = {texts.values[at]: int(counts[at]) for at in common}
        return cls(total, named, tuple(means.tolist()))

    def bits(self, texts: Texts, classes: Codes, most: float = MOST_BITS) -> Floats:
        """What full agreement on each of these values adds, in bits; at ``most``, up and down."""
        counts = np.array([self.counts.get(value, 1) for value in texts.values], dtype=np.float64)
        means = np.array(self.means or (1.0,))
        if not len(counts):
            return counts
        bits = np.log2(means[np.minimum(classes, len(means) - 1)] * self.total / counts)
        return np.clip(bits, -most, most)


@compiled
def add_value_bits(
    left: Codes,
    right: Codes,
    codes: Codes,
    bits: Floats,
    levels: Levels,
    shares: Floats,
    most: Floats,
    out: Floats,
) -> None:
    """Add to ``out`` (pairs) what the agreeing values of one comparison add.

    ``shares`` (levels) says how far that counts, ``most`` (levels) how much it is before that.
    """
    for at in range(len(left)):
        level = levels[at]
        if shares[level] != 0.0:
            # Of two spellings the commoner is taken for the value that was meant.
            added = min(bits[codes[left[at]]], bits[codes[right[at]]])
            out[at] += shares[level] * min(added, most[level])


@compiled
def add_crossed_bits(
    left: Codes,
    right: Codes,
    tokens: Codes,
    elsewhere: Codes,
    bits: Floats,
    levels: Levels,
    crossed: int,
    out: Floats,
) -> None:
    """Add half of what a token adds that one record has here and the other elsewhere in the name.

    ``tokens`` (records) is the given or the family name, ``elsewhere`` (records, tokens) all other
    tokens; the rarest shared token counts.
    """
    for at in range(len(left)):
        if levels[at] != crossed:
            continue
        best = -np.inf
        for one, other in ((left[at], right[at]), (right[at], left[at])):
            for token in elsewhere[other]:
                if token >= 0 and token == tokens[one] and bits[token] > best:
                    best = bits[token]
        if best > -np.inf:
            out[at] += 0.5 * best


@compiled
def add_shared_bits(
    left: Codes,
    right: Codes,
    others: Codes,
    bits: Floats,
    levels: Levels,
    exact: int,
    out: Floats,
) -> None:
    """Add what the rarest token adds that both records have among the others."""
    for at in range(len(left)):
        if levels[at] != exact:
            continue
        best = -np.inf
        for one in others[left[at]]:
            for other in others[right[at]]:
                if one >= 0 and one == other and bits[one] > best:
                    best = bits[one]
        if best > -np.inf:
            out[at] += best
