"""Expectation-maximisation of the Fellegi-Sunter model, without labels.

Fellegi and Sunter 1969; EM as in Winkler 1988. Two samples are read together: blocked pairs, in
which nearly all matches are, give m; random pairs, in which nearly all are strangers, give u.
Both are weighed by the same posterior, whose prior odds are those of all pairs, so that blocking
need not be modelled.

Strangers of one household agree on family name, address and phone at once, which looks like a
match to a model that takes them for independent. They are a third class (Larsen and Rubin 2001):
in what is personal (given name, date of birth) they are bound to u, in all else to m. Left free in
it, the class drifted away to neighbours of one town, and matches took the households in.

Against drift towards some other, larger division of the pairs (same town, same sex): term
frequencies are part of the posterior from the first round; m of joint tables is drawn towards the
product of its marginals while u stays joint; and a prior on m weighs a share of the expected
matches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from goldenlake.identity.matching.arrays import Codes, Flags, Floats
from goldenlake.identity.matching.compiled import compiled
from goldenlake.identity.matching.tables import Layout, joint, marginal, normalised, product

RANDOM_STRENGTH = 50.0
"""Random pairs that the product of the marginals is worth in a joint u."""

LEAST_SEEN_SHARE = 0.05
"""What is there in this share of the expected matches is learnt from, however few they are."""

_LEAST = 1e-9


@dataclass(frozen=True)
class Pairs:
    """Pairs as EM sees them."""

    cells: Codes
    """(pairs, tables), counted on from table to table."""
    personal_bits: Floats
    """(pairs,) what term frequencies of personal traits add; so ``shared_bits`` of all others."""
    shared_bits: Floats


@dataclass(frozen=True)
class Settings:
    """How to run EM."""

    all_pairs: float
    """Pairs among which the matches are: priors are shares of them."""
    start: tuple[tuple[Floats, ...], ...]
    """For each table and comparison m before training, missing left out; the prior's centre."""
    is_personal: tuple[tuple[bool, ...], ...]
    """For each table and comparison whether households differ in it as strangers do."""
    prior_share: float
    most_rounds: int
    tolerance: float
    household_share: float = 0.1
    """The class of households must hold more pairs than this share of the matches; what it holds
    beyond counts. A prior that lets the class fade where the data do not ask for it (as the
    components of Figueiredo and Jain 2002). Infinite: there is no such class.
    """
    least_seen: float = 20.0
    """A comparison whose two values are there in fewer expected matches, and seldom besides, says
    nothing for or against one: its m would be the prior's alone, and its u that of a few values,
    particles of family names say.
    """


@dataclass(frozen=True)
class Odds:
    """m, household and u tables with the expected numbers of matches and households."""

    m: tuple[Floats, ...]
    households: tuple[Floats, ...]
    u: tuple[Floats, ...]
    expected_matches: float
    expected_households: float
    all_pairs: float

    @property
    def match_bits(self) -> Floats:
        """log2(m / u) of all cells, table after table."""
        return _ratios(self.m, self.u)

    @property
    def household_bits(self) -> Floats:
        """log2(household / u) of all cells, table after table."""
        return _ratios(self.households, self.u)


@dataclass(frozen=True)
class Estimate:
    """What EM found."""

    odds: Odds
    rounds: int
    change: float
    """Largest change of an m in the last round."""


@dataclass(frozen=True)
class Priors:
    """Shares of all pairs, as log2 odds against strangers; -inf where there are none."""

    match: float
    household: float

    @classmethod
    def of(cls, odds: Odds) -> Priors:
        """From expected numbers."""
        strangers = odds.all_pairs - odds.expected_matches - odds.expected_households
        with np.errstate(divide="ignore"):
            return cls(
                float(np.log2(odds.expected_matches) - np.log2(strangers)),
                float(np.log2(odds.expected_households) - np.log2(strangers)),
            )


@compiled
def summed(cells: Codes, table_bits: Floats, added: Floats) -> Floats:
    """Bits of each pair: the sum over tables, and what is added."""
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


def probability(weight: Floats) -> Floats:
    """The probability behind log2 odds."""
    return np.asarray(1.0 / (1.0 + np.exp2(-np.clip(weight, -1000.0, 1000.0))))


def match_weights(
    pairs: Pairs, match_bits: Floats, household_bits: Floats, priors: Priors
) -> Floats:
    """log2 odds of a match against strangers and households together."""
    match, household = _against_strangers(pairs, match_bits, household_bits, priors)
    return np.asarray(match - np.logaddexp2(0.0, household))


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
    start = tuple(
        product([np.append(1.0, each) for each in table], layout)
        for table, layout in zip(settings.start, layouts, strict=True)
    )
    floor = 0.5 / max(len(random.cells), 1)
    u = tuple(fixed_u or _u(tally(random.cells, np.ones(len(random.cells)), size), layouts, floor))
    households = _households(start, u, layouts, settings)
    expected = matches if np.isfinite(settings.household_share) else 0.0
    odds = Odds(start, households, u, matches, expected, settings.all_pairs)
    is_seen: Flags = np.zeros(len(layouts), dtype=np.bool_)
    change, rounds = np.inf, 0
    while rounds < settings.most_rounds and change > settings.tolerance:
        rounds += 1
        match, household, _ = _shares(blocked, odds)
        if not fixed_u:
            _, _, stranger = _shares(random, odds)
            u = tuple(_u(tally(random.cells, stranger, size), layouts, floor))
        counts = tally(blocked.cells, match, size)
        # What was seen once stays seen, so that rounds do not go to and fro.
        least = min(settings.least_seen, LEAST_SEEN_SHARE * float(match.sum()))
        is_seen |= _present(counts, layouts) >= least
        learnt = _m(counts, layouts, settings, float(match.sum()))
        m = tuple(a if seen else b for a, b, seen in zip(learnt, u, is_seen, strict=True))
        change = max(float(np.abs(a - b).max()) for a, b in zip(odds.m, m, strict=True))
        matches, expected = float(match.sum()), float(household.sum())
        if expected > 0.0:
            expected = max(expected - settings.household_share * matches, 0.0)
        limit = 0.3 * settings.all_pairs
        odds = Odds(
            m,
            _households(m, u, layouts, settings),
            u,
            min(max(matches, _LEAST), limit),
            min(expected, limit),
            settings.all_pairs,
        )
    return Estimate(odds, rounds, change)


def _ratios(tables: Sequence[Floats], others: Sequence[Floats]) -> Floats:
    return np.concatenate([np.log2(a / b) for a, b in zip(tables, others, strict=True)])


def _against_strangers(
    pairs: Pairs, match_bits: Floats, household_bits: Floats, priors: Priors
) -> tuple[Floats, Floats]:
    match = summed(pairs.cells, match_bits, pairs.personal_bits + pairs.shared_bits)
    household = summed(pairs.cells, household_bits, pairs.shared_bits)
    return match + priors.match, household + priors.household


def _shares(pairs: Pairs, odds: Odds) -> tuple[Floats, Floats, Floats]:
    """Posterior of match, household and stranger."""
    match, household = _against_strangers(
        pairs, odds.match_bits, odds.household_bits, Priors.of(odds)
    )
    total = np.logaddexp2(np.logaddexp2(0.0, household), match)
    return np.exp2(match - total), np.exp2(household - total), np.exp2(-total)


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
    counts: Floats, layouts: Sequence[Layout], settings: Settings, expected: float
) -> tuple[Floats, ...]:
    tables = []
    strength = settings.prior_share * expected + _LEAST
    parts = _split(counts, layouts)
    for part, layout, start in zip(parts, layouts, settings.start, strict=True):
        each = [
            marginal(part, layout, axis, strength * start[axis])
            for axis in range(len(layout.shape))
        ]
        factored = product(each, layout)
        is_joint = len(layout.shape) > 1
        tables.append(joint(part, factored, strength, layout) if is_joint else factored)
    return tuple(tables)


def _present(counts: Floats, layouts: Sequence[Layout]) -> Floats:
    """For each table the pairs in which not all of its comparisons are missing."""
    return np.array([part[1:].sum() for part in _split(counts, layouts)])


def _households(
    m: Sequence[Floats], u: Sequence[Floats], layouts: Sequence[Layout], settings: Settings
) -> tuple[Floats, ...]:
    """Tables of the household class: m where traits are shared, u where they are personal."""
    tables = []
    for own, other, layout, personal in zip(m, u, layouts, settings.is_personal, strict=True):
        if all(personal):
            tables.append(other)
            continue
        none = [np.full(size - 1, _LEAST) for size in layout.shape]
        each = [
            marginal(other if is_personal else own, layout, axis, none[axis])
            for axis, is_personal in enumerate(personal)
        ]
        tables.append(normalised(product(each, layout), layout) if any(personal) else own)
    return tuple(tables)


def _split(counts: Floats, layouts: Sequence[Layout]) -> list[Floats]:
    ends = np.cumsum([layout.cells for layout in layouts])[:-1]
    return np.split(counts, ends)
