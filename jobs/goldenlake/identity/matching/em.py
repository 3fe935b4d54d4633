"""Expectation-maximisation of the Fellegi-Sunter model, without labels.

Fellegi and Sunter 1969; EM as in Winkler 1988. Two samples are read together: blocked pairs, in
which nearly all matches are, give m; random pairs, in which nearly all are strangers, give u.
Both are weighed by the same posterior, whose prior odds are those of all pairs, so that blocking
need not be modelled.

Against drift towards some other, larger division of the pairs (same town, same sex): term
frequencies are part of the posterior from the first round; m of joint tables is drawn towards the
product of its marginals while u stays joint; and a prior on m weighs a share of the expected
matches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from goldenlake.identity.matching.arrays import Codes, Floats
from goldenlake.identity.matching.compiled import compiled
from goldenlake.identity.matching.tables import (
    Layout,
    joint,
    marginal,
    normalised,
    product,
)

RANDOM_STRENGTH = 50.0
"""Random pairs that the product of the marginals is worth in a joint u."""


@dataclass(frozen=True)
class Pairs:
    """Pairs as EM sees them."""

    cells: Codes
    """(pairs, tables), counted on from table to table."""
    bits: Floats
    """(pairs,) what term frequencies add."""


@dataclass(frozen=True)
class Estimate:
    """What EM found."""

    m: tuple[Floats, ...]
    """A table each; so ``u``."""
    u: tuple[Floats, ...]
    matches: float
    """Expected among the blocked pairs."""
    rounds: int
    change: float
    """Largest change of an m in the last round."""
    probabilities: Floats
    """Of the blocked pairs, by m and u of the last round but one."""


@dataclass(frozen=True)
class Settings:
    """How to run EM."""

    all_pairs: float
    """Pairs among which the matches are: prior odds are matches to the rest of them."""
    start: tuple[tuple[Floats, ...], ...]
    """For each table and comparison m before training, missing left out; the prior's centre."""
    prior_share: float
    most_rounds: int
    tolerance: float


@compiled
def weights(cells: Codes, table_bits: Floats, added: Floats) -> Floats:
    """Match weight of each pair in bits: the sum over tables, and what is added."""
    out = added.copy()
    for pair in range(cells.shape[0]):
        for table in range(cells.shape[1]):
            out[pair] += table_bits[cells[pair, table]]
    return out


@compiled
def tally(cells: Codes, share: Floats, size: int) -> Floats:
    """How much of the pairs' shares falls into each cell."""
    out = np.zeros(size)
    for pair in range(cells.shape[0]):
        for table in range(cells.shape[1]):
            out[cells[pair, table]] += share[pair]
    return out


def probability(bits: Floats) -> Floats:
    """The probability behind log2 odds."""
    return np.asarray(1.0 / (1.0 + np.exp2(-np.clip(bits, -1000.0, 1000.0))))


def log_odds(share: float) -> float:
    """log2 odds of a probability."""
    return float(np.log2(share) - np.log2(1.0 - share))


def fit(
    blocked: Pairs,
    random: Pairs,
    layouts: Sequence[Layout],
    settings: Settings,
    matches: float,
    fixed_u: Sequence[Floats] | None = None,
) -> Estimate:
    """Run EM from ``matches`` expected ones until no m changes by more than the tolerance.

    With ``fixed_u`` the random pairs are not looked at.
    """
    size = sum(layout.cells for layout in layouts)
    m = [
        product([np.append(1.0, each) for each in start], layout)
        for start, layout in zip(settings.start, layouts, strict=True)
    ]
    strangers = np.ones(len(random.bits))
    floor = 0.5 / max(len(random.bits), 1)
    u: list[Floats] = []
    change, rounds = np.inf, 0
    posterior = np.zeros(len(blocked.bits))
    while rounds < settings.most_rounds and change > settings.tolerance:
        rounds += 1
        u = list(fixed_u) if fixed_u else _u(tally(random.cells, strangers, size), layouts, floor)
        table_bits = np.concatenate([np.log2(a / b) for a, b in zip(m, u, strict=True)])
        odds = log_odds(matches / settings.all_pairs)
        posterior = probability(weights(blocked.cells, table_bits, blocked.bits) + odds)
        if not fixed_u:
            strangers = 1.0 - probability(weights(random.cells, table_bits, random.bits) + odds)
        matches = min(max(float(posterior.sum()), 1e-9), 0.5 * settings.all_pairs)
        counts = tally(blocked.cells, posterior, size)
        new = _m(counts, layouts, settings, settings.prior_share * matches)
        change = max(float(np.abs(a - b).max()) for a, b in zip(m, new, strict=True))
        m = new
    return Estimate(tuple(m), tuple(u), matches, rounds, change, posterior)


def _u(counts: Floats, layouts: Sequence[Layout], floor: float) -> list[Floats]:
    tables = []
    for part, layout in zip(_split(counts, layouts), layouts, strict=True):
        flat = [np.full(size - 1, 1.0 / (size - 1)) for size in layout.shape]
        each = [marginal(part, layout, axis, flat[axis]) for axis in range(len(layout.shape))]
        strength = RANDOM_STRENGTH if len(layout.shape) > 1 else 1.0
        cells = joint(part, product(each, layout), strength, layout)
        tables.append(normalised(np.maximum(cells, floor), layout))
    return tables


def _m(
    counts: Floats, layouts: Sequence[Layout], settings: Settings, strength: float
) -> list[Floats]:
    tables = []
    parts = _split(counts, layouts)
    for part, layout, start in zip(parts, layouts, settings.start, strict=True):
        each = [
            marginal(part, layout, axis, (strength + 1e-9) * start[axis])
            for axis in range(len(layout.shape))
        ]
        factored = product(each, layout)
        tables.append(
            joint(part, factored, strength, layout) if len(layout.shape) > 1 else factored
        )
    return tables


def _split(counts: Floats, layouts: Sequence[Layout]) -> list[Floats]:
    ends = np.cumsum([layout.cells for layout in layouts])[:-1]
    return np.split(counts, ends)
