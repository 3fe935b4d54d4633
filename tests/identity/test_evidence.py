"""Paths and bridges between records, judged by networkx."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.identity.evidence import Link, path, with_bridges


def link(left: str, right: str, identifier: str = "email", strength: str = "strong") -> Link:
    return Link(
        left=left,
        right=right,
        identifier=identifier,
        strength=strength,
        rule=f"same {identifier}",
        linked_on=None,
    )


pairs = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(lambda pair: pair[0] < pair[1]),
    max_size=14,
)


def test_a_path_prefers_the_stronger_link_among_equally_short_ones() -> None:
    links = [link("a", "b", "phone", "weak"), link("a", "b", "account", "unique"), link("b", "c")]
    assert [step.identifier for step in path(links, "a", "c")] == ["account", "email"]
    assert path(links, "a", "a") == ()
    assert path(links, "a", "z") == ()


def test_what_connects_nothing_is_told_and_makes_neither_path_nor_bridge() -> None:
    links = [
        link("a", "b", "match", "doubtful"),
        link("a", "c", "steward", "cannot"),
        link("b", "c", "match", "likely"),
        link("c", "d", "steward", "must"),
    ]
    assert path(links, "a", "b") == ()
    assert [step.strength for step in path(links, "b", "d")] == ["likely", "must"]
    told = {each.strength: each.is_bridge for each in with_bridges(links)}
    assert told == {"must": True, "likely": True, "doubtful": False, "cannot": False}


def test_of_two_matches_the_heavier_comes_first() -> None:
    light, heavy = (
        replace(link("a", other, "match", "likely"), weight=weight)
        for other, weight in (("b", 1.0), ("c", 9.0))
    )
    assert [each.right for each in with_bridges([light, heavy])] == ["c", "b"]


@given(pairs)
def test_paths_are_shortest(edges: list[tuple[int, int]]) -> None:
    links = [link(f"r{one}", f"r{other}") for one, other in edges]
    graph = nx.Graph((each.left, each.right) for each in links)
    for start in graph:
        for end in graph:
            found = path(links, start, end)
            if nx.has_path(graph, start, end):
                assert len(found) == nx.shortest_path_length(graph, start, end)
            else:
                assert found == ()


@given(pairs)
def test_bridges_are_the_ties_without_which_a_customer_falls_apart(
    edges: list[tuple[int, int]],
) -> None:
    links = [link(f"r{one}", f"r{other}", f"id{at}") for at, (one, other) in enumerate(edges)]
    graph = nx.Graph((each.left, each.right) for each in links)
    single = {pair for pair in edges if edges.count(pair) == 1}
    expected = {
        tuple(sorted(bridge))
        for bridge in nx.bridges(graph)
        if tuple(int(node[1:]) for node in sorted(bridge)) in single
    }
    found = {(each.left, each.right) for each in with_bridges(links) if each.is_bridge}
    assert found == expected
