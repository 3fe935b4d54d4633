"""Figures of accuracy against a count of pairs by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.identity.matching.evaluation import evaluated, pair_recall

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12)


@given(LABELS)
def test_figures_are_those_of_counting_every_pair_and_record(labels: list[tuple[int, int]]) -> None:
    cluster = np.array([one for one, _ in labels])
    person = np.array([other for _, other in labels])
    found = evaluated(cluster, person)
    pairs = list(combinations(range(len(labels)), 2))
    claimed = {pair for pair in pairs if cluster[pair[0]] == cluster[pair[1]]}
    true = {pair for pair in pairs if person[pair[0]] == person[pair[1]]}
    assert found.precision == (len(claimed & true) / len(claimed) if claimed else 1.0)
    assert found.recall == (len(claimed & true) / len(true) if true else 1.0)
    shares = []
    for at in range(len(labels)):
        own = {other for other in range(len(labels)) if cluster[other] == cluster[at]}
        right = {other for other in own if person[other] == person[at]}
        shares.append(len(right) / len(own))
    assert found.b3_precision == pytest.approx(np.mean(shares))
    assert sum(size * number for size, number in found.sizes.items()) == len(labels)


def test_the_names_of_clusters_do_not_matter() -> None:
    found = evaluated(np.array([7, 7, 3]), np.array([1, 1, 0]))
    assert (found.f1, found.b3_f1, found.largest) == (1.0, 1.0, 2)


def test_blocking_recall_is_the_share_of_true_pairs_that_are_looked_at() -> None:
    person = np.array([0, 0, 0, 1])
    one, other = np.array([0, 0], dtype=np.int32), np.array([1, 3], dtype=np.int32)
    assert pair_recall(one, other, person) == pytest.approx(1 / 3)
