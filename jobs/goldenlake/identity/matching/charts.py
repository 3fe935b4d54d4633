"""What a model says, level by level, and what it makes of the records that it was trained on.

Everything here is counts and shares: no value of any record stands in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from goldenlake.identity.matching.arrays import Flags, Floats
from goldenlake.identity.matching.em import probability
from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.tables import complete_marginal

BANDS = (-10.0, -5.0, 0.0, 5.0, 10.0, 15.0, 20.0)
"""Where bands of match weight end and begin; the first and the last are open."""

PROBABILITIES = (0.5, 0.9, 0.99, 0.999, 0.9999)
"""Thresholds for which records are counted that reach them with nobody."""


@dataclass(frozen=True)
class LevelFigures:
    """One level of one comparison, both values being there."""

    level: str
    m: float
    u: float

    @property
    def bits(self) -> float:
        """What the level adds to a match weight, frequencies of values aside."""
        return float(np.log2(self.m / self.u))


@dataclass(frozen=True)
class ComparisonFigures:
    """One comparison; m and u sum to 1 over its levels."""

    comparison: str
    levels: tuple[LevelFigures, ...]
    weighed_with: tuple[str, ...]
    """Comparisons with which it shares a table: there the figures are of it alone, while a pair
    gets those of the combination."""

    @property
    def is_neutral(self) -> bool:
        """Whether it says nothing for or against a match: it was seen too seldom."""
        return all(level.m == level.u for level in self.levels)


def figures_of(model: Model) -> list[ComparisonFigures]:
    """All comparisons, in the order of the plan."""
    found = {}
    for table, layout in zip(model.tables, model.layouts, strict=True):
        for axis, (name, levels) in enumerate(zip(table.comparisons, table.levels, strict=True)):
            m, u = (
                complete_marginal(np.array(each), layout, axis).tolist()
                for each in (table.m, table.u)
            )
            found[name] = ComparisonFigures(
                name,
                tuple(LevelFigures(levels[at], m[at], u[at]) for at in range(1, len(levels))),
                tuple(other for other in table.comparisons if other != name),
            )
    return [found[name] for name in model.plan.names]


def weights_against_themselves(scorer: Scorer) -> Floats:
    """The match weight that each record reaches with a copy of itself: (records,).

    A record below a threshold can be linked to nobody there: it says too little of a person.
    """
    own = np.arange(scorer.records.count, dtype=np.int32)
    return scorer.score(own, own).weights


def unlinkable(own: Floats) -> list[tuple[float, float]]:
    """The share of records below each of PROBABILITIES against themselves, with that probability.

    ``own`` are the weights that ``weights_against_themselves`` gives.
    """
    reached = probability(own)
    share = [float((reached < each).mean()) if len(own) else 0.0 for each in PROBABILITIES]
    return list(zip(PROBABILITIES, share, strict=True))


@dataclass(frozen=True)
class Band:
    """Pairs whose match weight is at least ``low`` and less than ``high``."""

    low: float
    high: float
    pairs: int
    expected: float
    """The sum of the model's probabilities."""
    joined: int
    """Those that clustering put into one cluster."""


def bands_of(weights: Floats, joined: Flags) -> list[Band]:
    """Bands of scored pairs (pairs,), and in how many of them clustering followed the model.

    Clustering knows what a single pair does not: all other pairs around it. Where it joins far
    fewer of a band than the model expects, single pairs promise more than their surroundings keep.
    """
    at = np.searchsorted(BANDS, weights, side="right")
    size = len(BANDS) + 1
    edges = (-np.inf, *BANDS, np.inf)
    pairs = np.bincount(at, minlength=size).tolist()
    expected = np.bincount(at, weights=probability(weights), minlength=size).tolist()
    together = np.bincount(at[joined], minlength=size).tolist()
    return [Band(edges[n], edges[n + 1], pairs[n], expected[n], together[n]) for n in range(size)]
