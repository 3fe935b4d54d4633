"""Clusters from scored pairs: components, average linkage, and decisions that hold."""

from __future__ import annotations

import random
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.declarations.matching import Clustering
from goldenlake.errors import ContradictoryDecisions
from goldenlake.identity.matching.clustering import Clusters, Decisions, clustered, pairs_within

Scored = dict[tuple[int, int], float]
Joins = dict[int, list[tuple[int, int, float]]]
RECORDS = 9
PAIRS = list(combinations(range(RECORDS), 2))
#: Few distinct values, so that ties are common; thirds would hide a wrong mean in rounding.
SCORES = st.dictionaries(
    st.sampled_from(PAIRS), st.sampled_from([0.25, 0.5, 0.625, 0.75, 1.0]), max_size=30
)
SOME_PAIRS = st.lists(st.sampled_from(PAIRS), max_size=3, unique=True)


def arrays(pairs: list[tuple[int, int]]) -> np.ndarray:
    return np.array(pairs, dtype=np.int32).reshape(-1, 2)


def cluster(
    scores: Scored,
    count: int = RECORDS,
    together: list[tuple[int, int]] | None = None,
    apart: list[tuple[int, int]] | None = None,
    exclusive: list[int] | None = None,
    order: list[int] | None = None,
    evidence: Scored | None = None,
    **settings: float,
) -> Clusters:
    pairs = arrays(list(scores))
    return clustered(
        count,
        pairs[:, 0],
        pairs[:, 1],
        np.array(list(scores.values()), dtype=np.float64),
        Clustering.model_validate(settings),
        Decisions(
            arrays(together or []),
            arrays(apart or []),
            None if exclusive is None else np.array(exclusive, dtype=np.int32),
        ),
        None if order is None else np.array(order),
        None if evidence is None else np.array([evidence[pair] for pair in scores]),
    )


def groups(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}


def reference(
    scores: Scored,
    count: int,
    together: list[tuple[int, int]],
    apart: list[tuple[int, int]],
    evidence: Scored,
) -> tuple[set[frozenset[int]], Joins]:
    """Components, then average linkage with every mean computed anew; plain Python.

    Gives the clusters, and the joins of each component by its first record.
    """
    graph = nx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(pair for pair, score in scores.items() if score >= 0.5)
    graph.add_edges_from(together)
    bound = nx.Graph(together)
    bound.add_nodes_from(range(count))
    answers: set[frozenset[int]] = set()
    joins: Joins = {}
    for component in nx.connected_components(graph):
        held = nx.connected_components(bound.subgraph(component))
        clusters = [sorted(part) for part in held]
        while True:
            best: tuple[float, int, int] | None = None
            for one, other in combinations(sorted(clusters), 2):
                if any(tuple(sorted((a, b))) in set(apart) for a in one for b in other):
                    continue
                pairs = [(min(a, b), max(a, b)) for a in one for b in other]
                total = sum(scores.get(pair, 0.0) * evidence.get(pair, 1.0) for pair in pairs)
                mean = total / sum(evidence.get(pair, 1.0) for pair in pairs)
                key = (mean, -one[0], -other[0])
                if mean >= 0.5 and (best is None or key > best):
                    best = key
            if best is None:
                break
            joins.setdefault(min(component), []).append((-best[1], -best[2], best[0]))
            first = next(part for part in clusters if part[0] == -best[1])
            second = next(part for part in clusters if part[0] == -best[2])
            clusters = [part for part in clusters if part not in (first, second)]
            clusters.append(sorted(first + second))
        answers |= {frozenset(part) for part in clusters}
    return answers, joins


def joins_of(found: Clusters) -> Joins:
    joins: Joins = {}
    for (one, other), mean in zip(found.joins.tolist(), found.means.tolist(), strict=True):
        joins.setdefault(int(found.component[one]), []).append((one, other, mean))
    return joins


@given(
    st.lists(st.integers(0, 3), max_size=9),
    st.lists(st.sampled_from([-1, 0, 1]), min_size=9, max_size=9),
)
def test_pairs_within_parts_are_all_that_may_be_one(parts: list[int], sources: list[int]) -> None:
    exclusive = np.array(sources[: len(parts)], dtype=np.int32)
    left, right = pairs_within(np.array(parts, dtype=np.int32), exclusive)
    expected = [
        (one, other)
        for one, other in combinations(range(len(parts)), 2)
        if parts[one] == parts[other] and (sources[one] < 0 or sources[one] != sources[other])
    ]
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == expected


@given(SCORES)
def test_components_are_those_of_networkx(scores: Scored) -> None:
    graph = nx.Graph([pair for pair, score in scores.items() if score >= 0.5])
    graph.add_nodes_from(range(RECORDS))
    expected = {frozenset(part) for part in nx.connected_components(graph)}
    assert groups(cluster(scores).component) == expected


@given(SCORES, SOME_PAIRS, SOME_PAIRS, st.sampled_from([1.0, 0.5, 0.25]))
def test_clusters_are_those_of_plain_average_linkage(
    scores: Scored, together: list[tuple[int, int]], apart: list[tuple[int, int]], least: float
) -> None:
    evidence = {pair: least if sum(pair) % 2 else 1.0 for pair in scores}
    bound = nx.Graph(together)
    bound.add_nodes_from(range(RECORDS))
    if any(nx.has_path(bound, one, other) for one, other in apart):
        with pytest.raises(ContradictoryDecisions):
            cluster(scores, together=together, apart=apart)
        return
    found = cluster(scores, together=together, apart=apart, evidence=evidence)
    expected, joins = reference(scores, RECORDS, together, apart, evidence)
    assert groups(found.cluster) == expected
    assert joins_of(found) == joins
    for one, other in together:
        assert found.cluster[one] == found.cluster[other]
    for one, other in apart:
        assert found.cluster[one] != found.cluster[other]


@given(SCORES, st.randoms(use_true_random=False))
def test_neither_the_order_of_pairs_nor_that_of_records_matters(
    scores: Scored, draw: random.Random
) -> None:
    expected = groups(cluster(scores).cluster)
    shuffled = list(scores.items())
    draw.shuffle(shuffled)
    assert groups(cluster(dict(shuffled)).cluster) == expected

    number = list(range(RECORDS))
    draw.shuffle(number)
    renamed = {(number[a], number[b]): score for (a, b), score in scores.items()}
    rank = [0] * RECORDS
    for old, new in enumerate(number):
        rank[new] = old
    again = cluster(renamed, order=rank).cluster
    assert groups(np.array([again[number[at]] for at in range(RECORDS)])) == expected


@given(SCORES)
def test_a_cluster_depends_on_its_component_alone(scores: Scored) -> None:
    whole = cluster(scores)
    for part in groups(whole.component):
        own = {pair: score for pair, score in scores.items() if set(pair) <= part}
        alone = groups(cluster(own).cluster)
        assert {one for one in groups(whole.cluster) if one <= part} <= alone


@given(SCORES)
def test_a_source_that_has_everyone_once_never_meets_itself(scores: Scored) -> None:
    source = [at % 2 if at < 6 else -1 for at in range(RECORDS)]
    for part in groups(cluster(scores, exclusive=source).cluster):
        numbers = [source[record] for record in part if source[record] >= 0]
        assert len(numbers) == len(set(numbers))


def test_a_pair_with_little_to_compare_says_little() -> None:
    scores = {(0, 1): 1.0, (0, 2): 0.9, (1, 2): 0.0}
    assert cluster(scores, 3).cluster.tolist() == [0, 0, 2]
    evidence = {(0, 1): 1.0, (0, 2): 1.0, (1, 2): 0.1}
    assert cluster(scores, 3, evidence=evidence).cluster.tolist() == [0, 0, 0]


def test_one_wrong_edge_does_not_chain_two_people() -> None:
    ones, others = combinations(range(4), 2), combinations(range(4, 8), 2)
    scores = dict.fromkeys([*ones, *others], 0.99) | {(3, 4): 0.9}
    found = cluster(scores, 8)
    assert len(groups(found.component)) == 1
    assert groups(found.cluster) == {frozenset(range(4)), frozenset(range(4, 8))}


def test_a_component_that_is_too_large_is_cut_at_higher_probabilities_and_counted() -> None:
    chain = {(at, at + 1): 0.99 if at % 2 == 0 else 0.6 for at in range(7)}
    found = cluster(chain, 8, most_dense=4)
    assert found.cut_higher == 1
    assert groups(found.cluster) == {frozenset({at, at + 1}) for at in range(0, 8, 2)}
    assert len(groups(found.component)) == 1


def test_where_nothing_tells_records_apart_only_decisions_join_them() -> None:
    all_alike = dict.fromkeys(combinations(range(8), 2), 1.0)
    found = cluster(all_alike, 8, together=[(2, 5)], most_dense=4)
    assert groups(found.cluster) == {
        frozenset({2, 5}),
        *(frozenset({at}) for at in (0, 1, 3, 4, 6, 7)),
    }


def test_no_records_are_no_clusters() -> None:
    assert len(cluster({}, 0).cluster) == 0
    assert cluster({}, 2).cluster.tolist() == [0, 1]
