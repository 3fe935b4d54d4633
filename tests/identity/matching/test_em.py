"""EM against a plain computation of the same model, and against Splink."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.identity.matching.em import (
    Estimate,
    Pairs,
    Priors,
    Settings,
    fit,
    match_weights,
    probability,
)
from goldenlake.identity.matching.tables import Layout, cells_of

LEVELS = (3, 3, 4)
ALL_PAIRS = 1_000.0
PATTERNS = st.lists(
    st.tuples(*(st.integers(0, size - 1) for size in LEVELS)), min_size=5, max_size=60
)


def layouts(levels: tuple[int, ...] = LEVELS) -> tuple[Layout, ...]:
    return tuple(Layout((at,), (size,)) for at, size in enumerate(levels))


def pairs_of(patterns: list[tuple[int, ...]], levels: tuple[int, ...] = LEVELS) -> Pairs:
    seen = np.array(patterns, dtype=np.uint8).reshape(-1, len(levels))
    nothing = np.zeros(len(seen))
    return Pairs(cells_of(seen, layouts(levels)), nothing, nothing)


def settings(levels: tuple[int, ...] = LEVELS, **changed: Any) -> Settings:
    falling = [np.linspace(2, 1, size - 1) for size in levels]
    start = tuple((each / each.sum(),) for each in falling)
    given = {
        "all_pairs": ALL_PAIRS,
        "start": start,
        "is_personal": tuple((False,) for _ in levels),
        "prior_share": 0.0,
        "most_rounds": 25,
        "tolerance": 0.0,
        "household_share": np.inf,
        "least_seen": 0.0,
    }
    return Settings(**(given | changed))


def fixed_u() -> list[np.ndarray]:
    return [
        np.concatenate([[1.0], np.arange(1, size) / np.arange(1, size).sum()]) for size in LEVELS
    ]


def plain_em(patterns: list[tuple[int, ...]], rounds: int, matches: float) -> list[list[float]]:
    """The textbook, one pattern at a time (Winkler 1988); missing levels are left out."""
    m = [[1.0, *start[0]] for start in settings().start]
    u = fixed_u()
    for _ in range(rounds):
        prior = matches / ALL_PAIRS
        shares = []
        for pattern in patterns:
            match, stranger = prior, 1 - prior
            for at, level in enumerate(pattern):
                match *= m[at][level]
                stranger *= u[at][level]
            shares.append(match / (match + stranger))
        matches = max(sum(shares), 1e-9)
        for at, size in enumerate(LEVELS):
            counts = Counter[int]()
            for pattern, share in zip(patterns, shares, strict=True):
                counts[pattern[at]] += share
            seen = sum(counts[level] for level in range(1, size)) + 1e-9
            prior_m = settings().start[at][0]
            m[at] = [1.0] + [
                (counts[level] + 1e-9 * prior_m[level - 1]) / seen for level in range(1, size)
            ]
    return m


@given(PATTERNS)
def test_em_is_that_of_the_textbook(patterns: list[tuple[int, ...]]) -> None:
    found = fit(pairs_of(patterns), pairs_of([]), layouts(), settings(), 5.0, fixed_u())
    for mine, plain in zip(found.odds.m, plain_em(patterns, 25, 5.0), strict=True):
        assert mine == pytest.approx(plain, abs=1e-9)


def test_weights_are_the_sum_of_log_ratios_against_strangers_and_households() -> None:
    patterns = [(1, 1, 1), (2, 2, 3), (0, 1, 2)] * 9
    odds = fit(pairs_of(patterns), pairs_of([]), layouts(), settings(), 5.0, fixed_u()).odds
    priors = Priors.of(odds)
    ratios = [np.log2(m / u) for m, u in zip(odds.m, odds.u, strict=True)]
    expected = ratios[0][1] + ratios[2][2] + priors.match
    pair = pairs_of([(1, 0, 2)])
    alone = match_weights(pair, odds.match_bits, odds.household_bits, priors)
    assert alone == pytest.approx([expected])
    no_more_likely = np.zeros_like(odds.match_bits)
    as_many = match_weights(pair, odds.match_bits, no_more_likely, Priors(priors.match, 0.0))
    assert as_many == pytest.approx([expected - 1.0])


def drawn(count: int, shares: list[list[float]], seed: int) -> list[tuple[int, ...]]:
    random = np.random.default_rng(seed)
    columns = [random.choice(len(share), size=count, p=share) for share in shares]
    return list(zip(*(column.tolist() for column in columns), strict=True))


def found_in(
    classes: list[tuple[int, list[list[float]]]], levels: tuple[int, ...] = LEVELS, **how: Any
) -> Estimate:
    """EM in a world of pairs; blocked are those that agree exactly in something."""
    world = [
        pattern
        for seed, (count, shares) in enumerate(classes)
        for pattern in drawn(count, shares, seed)
    ]
    random = np.random.default_rng(9)
    anywhere = [world[at] for at in random.integers(0, len(world), 60_000).tolist()]
    blocked = [pattern for pattern in world if 1 in pattern]
    given = settings(levels, all_pairs=float(len(world)), most_rounds=500, tolerance=1e-6, **how)
    seen = pairs_of(blocked, levels), pairs_of(anywhere, levels)
    return fit(*seen, layouts(levels), given, 1_000.0)


def test_em_finds_the_classes_that_pairs_were_drawn_from() -> None:
    m = [[0.1, 0.8, 0.1], [0.0, 0.8, 0.2], [0.2, 0.6, 0.1, 0.1]]
    u = [[0.1, 0.02, 0.88], [0.0, 0.03, 0.97], [0.2, 0.01, 0.09, 0.7]]
    found = found_in([(4_000, m), (196_000, u)])
    assert found.odds.expected_matches == pytest.approx(4_000, rel=0.05)
    for table, true in zip(found.odds.m, m, strict=True):
        assert table[1:] == pytest.approx(np.array(true[1:]) / (1 - true[0]), abs=0.03)
    for table, true in zip(found.odds.u, u, strict=True):
        assert table[1:] == pytest.approx(np.array(true[1:]) / (1 - true[0]), abs=0.01)
    assert found.change <= 1e-6


def households(matches: int, homes: int) -> Estimate:
    """Two personal traits, and two that people of a household share."""
    m = [[0.0, 0.9, 0.1], [0.0, 0.9, 0.1], [0.0, 0.8, 0.1, 0.1], [0.0, 0.8, 0.2]]
    u = [[0.0, 0.05, 0.95], [0.0, 0.02, 0.98], [0.0, 0.001, 0.009, 0.99], [0.0, 0.01, 0.99]]
    home = [u[0], u[1], m[2], m[3]]
    classes = [(matches, m), (homes, home), (200_000 - matches - homes, u)]
    personal = ((True,), (True,), (False,), (False,))
    return found_in(classes, (3, 3, 4, 3), is_personal=personal, household_share=0.02)


def test_strangers_of_one_household_are_a_class_of_their_own() -> None:
    found = households(2_000, 2_000).odds
    assert 1_000 < found.expected_households < 2_200
    assert found.expected_matches == pytest.approx(2_000, rel=0.1)
    assert found.households[0] == pytest.approx(found.u[0])
    assert found.m[0][2] < 0.15


def test_the_class_of_households_fades_where_there_are_none() -> None:
    found = households(2_000, 0).odds
    assert found.expected_households == 0.0
    assert found.expected_matches == pytest.approx(2_000, rel=0.1)


def test_a_model_that_splink_can_express_is_trained_as_splink_trains_it() -> None:
    splink = pytest.importorskip("splink", reason="Splink is the oracle here: pip install splink")
    library = pytest.importorskip("splink.comparison_library")
    backend = pytest.importorskip("splink.internals.duckdb.database_api")
    pandas = pytest.importorskip("pandas")
    random = np.random.default_rng(5)
    people = random.integers(0, 6, size=(60, 3))
    records = np.repeat(people, 2, axis=0)
    wrong = random.random(records.shape) < 0.15
    records[wrong] = random.integers(0, 6, size=int(wrong.sum()))
    columns = ["a", "b", "c"]
    frame = pandas.DataFrame(records.astype(str), columns=columns)
    frame["unique_id"] = range(len(frame))

    settings_of_splink = splink.SettingsCreator(
        link_type="dedupe_only",
        comparisons=[library.ExactMatch(column) for column in columns],
        blocking_rules_to_generate_predictions=["1=1"],
        probability_two_random_records_match=0.01,
        max_iterations=300,
        em_convergence=1e-9,
    )
    linker = splink.Linker(backend.DuckDBAPI().register(frame), settings_of_splink)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e8, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(
        "1=1",
        estimate_without_term_frequencies=False,
        populate_probability_two_random_records_match_from_trained_values=True,
    )
    trained = linker.misc.save_model_to_json()

    left, right = np.triu_indices(len(records), 1)
    agree = np.where(records[left] == records[right], 1, 2).astype(np.uint8)
    columns_of_two = layouts((3, 3, 3))
    nothing = np.zeros(len(left))
    u = []
    for comparison in trained["comparisons"]:
        exact, other = comparison["comparison_levels"][1:]
        u.append(np.array([1.0, exact["u_probability"], other["u_probability"]]))
    found = fit(
        Pairs(cells_of(agree, columns_of_two), nothing, nothing),
        Pairs(cells_of(agree[:0], columns_of_two), nothing[:0], nothing[:0]),
        columns_of_two,
        settings(
            all_pairs=float(len(left)),
            start=tuple((np.array([0.9, 0.1]),) for _ in range(3)),
            is_personal=((False,),) * 3,
            most_rounds=2_000,
            tolerance=1e-12,
        ),
        0.01 * len(left),
        u,
    )
    for comparison, m in zip(trained["comparisons"], found.odds.m, strict=True):
        exact, other = comparison["comparison_levels"][1:]
        assert m[1:] == pytest.approx([exact["m_probability"], other["m_probability"]], abs=1e-4)
    prior = trained["probability_two_random_records_match"]
    assert prior != 0.01
    assert found.odds.expected_matches / len(left) == pytest.approx(prior, rel=1e-3)


def test_probabilities_are_safe_at_both_ends() -> None:
    assert probability(np.array([-1e9, 0.0, 1e9])) == pytest.approx([0.0, 0.5, 1.0])


def test_every_group_of_missing_values_sums_to_one() -> None:
    layout = Layout((0, 1), (3, 4))
    groups = {tuple(level == 0 for level in cell) for cell in product(range(3), range(4))}
    assert len(set(layout.groups.tolist())) == len(groups) == 4
