"""A clerical sample: pairs drawn by weight for a person to label, and what the labels tell.

Pairs are divided into strata by match weight and by whether they are one customer now. From each
stratum equally many are drawn, with a seed; the strata's sizes turn labels into estimates for all
of them (stratified estimation; Cochran 1977). An interval is that of the counts' posterior under
Jeffreys' prior, drawn with the same seed: it stays honest where no label was wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from goldenlake.identity.matching.arrays import Codes, Flags, Floats

BOUNDS = (-10.0, -5.0, 0.0, 5.0, 10.0, 20.0)
"""Where strata of match weight end and begin; the first and the last are open."""

_DRAWS = 20_000
_LEVEL = 0.95


@dataclass(frozen=True)
class Stratum:
    """Pairs that are alike in weight and in whether they are one customer."""

    number: int
    is_joined: bool
    pairs: int

    @property
    def name(self) -> str:
        """As the file of the sample has it."""
        edges = ("…", *(f"{bound:g}" for bound in BOUNDS), "…")
        band = f"{edges[self.number]} to {edges[self.number + 1]}"
        return f"{band} bits, {'one customer' if self.is_joined else 'apart'}"


@dataclass(frozen=True)
class ClericalSample:
    """Pairs to label: places in the arrays they were drawn from, and each one's stratum."""

    at: Codes
    strata: tuple[Stratum, ...]


def drawn(weights: Floats, joined: Flags, wanted: int, seed: int) -> ClericalSample:
    """At most ``wanted`` of the pairs (pairs,), as evenly over the strata as these allow.

    In the order of the strata; the same arrays and the same seed give the same pairs.
    """
    random = np.random.default_rng(seed)
    band = np.searchsorted(BOUNDS, weights, side="right")
    cells = {
        (number, is_joined): np.flatnonzero((band == number) & (joined == is_joined))
        for number in range(len(BOUNDS) + 1)
        for is_joined in (False, True)
    }
    cells = {cell: members for cell, members in cells.items() if len(members)}
    shares = _shared_out([len(members) for members in cells.values()], wanted)
    chosen, strata = [], []
    for ((number, is_joined), members), share in zip(cells.items(), shares, strict=True):
        chosen.append(np.sort(random.choice(members, size=share, replace=False)))
        strata += [Stratum(number, is_joined, len(members))] * share
    return ClericalSample(
        np.concatenate([*chosen, np.zeros(0, np.int64)]).astype(np.int32), tuple(strata)
    )


def _shared_out(sizes: Sequence[int], wanted: int) -> list[int]:
    """As even parts of ``wanted`` as the sizes allow."""
    parts, left = [0] * len(sizes), wanted
    for rank, at in enumerate(sorted(range(len(sizes)), key=lambda at: sizes[at])):
        parts[at] = min(sizes[at], left // (len(sizes) - rank))
        left -= parts[at]
    return parts


@dataclass(frozen=True)
class Estimate:
    """A share with its interval of 95%."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Labelled:
    """What was labelled of one stratum."""

    name: str
    is_joined: bool
    pairs: int
    labels: int
    matches: int

    @property
    def share(self) -> Estimate:
        """Of matches among its pairs, with Wilson's interval."""
        return wilson(self.matches, self.labels)


@dataclass(frozen=True)
class Estimates:
    """Of the pairs that the sample was drawn from, not of those that no block and no customer has.

    ``unlabelled`` strata cannot be told of: they are left out of all figures.
    """

    strata: tuple[Labelled, ...]
    precision: Estimate
    recall: Estimate
    unlabelled: tuple[str, ...]


def estimated(strata: Sequence[Labelled], seed: int = 1) -> Estimates:
    """Precision and recall of customers over pairs, from what was labelled of each stratum."""
    known = [each for each in strata if each.labels]
    random = np.random.default_rng(seed)
    draws = np.array(
        [
            random.beta(each.matches + 0.5, each.labels - each.matches + 0.5, _DRAWS)
            for each in known
        ]
    ).reshape(len(known), _DRAWS)
    seen = np.array([[each.matches / each.labels] for each in known]).reshape(len(known), 1)
    pairs = np.array([[each.pairs] for each in known], dtype=np.float64).reshape(len(known), 1)
    joined = np.array([each.is_joined for each in known], dtype=np.bool_)

    def both(shares: Floats) -> Mapping[str, Floats]:
        right = (shares * pairs)[joined].sum(axis=0)
        return {
            "precision": _ratio(right, np.full_like(right, pairs[joined].sum())),
            "recall": _ratio(right, (shares * pairs).sum(axis=0)),
        }

    value, spread = both(seen), both(draws)
    found = {name: _estimate(value[name], spread[name]) for name in value}
    missing = tuple(each.name for each in strata if not each.labels)
    return Estimates(tuple(strata), found["precision"], found["recall"], missing)


def wilson(successes: int, trials: int) -> Estimate:
    """A share and its score interval (Wilson 1927); all of 0 to 1 where nothing was tried."""
    if not trials:
        return Estimate(0.0, 0.0, 1.0)
    z = 1.959964
    share, square = successes / trials, z * z / trials
    centre = (share + square / 2) / (1 + square)
    half = z / (1 + square) * np.sqrt(share * (1 - share) / trials + square / (4 * trials))
    return Estimate(share, max(float(centre - half), 0.0), min(float(centre + half), 1.0))


def _estimate(value: Floats, spread: Floats) -> Estimate:
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(spread, [tail, 1 - tail]).tolist()
    return Estimate(float(value[0]), min(low, float(value[0])), max(high, float(value[0])))


def _ratio(part: Floats, whole: Floats) -> Floats:
    """A share of nothing is 1, as in ``evaluation``."""
    return np.divide(part, whole, out=np.ones_like(part), where=whole > 0)
