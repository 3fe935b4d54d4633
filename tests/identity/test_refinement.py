"""What happens inside a component: groups, a model's joins, and decisions that hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from random import Random
from typing import Any, cast

import networkx as nx
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.identity.matching.training import train
from goldenlake.identity.refinement import TIE_LISTS, Tie, _clusters, constrained
from support.matching import ROLES, matching, population

MEMBERS = 8
PAIRS = list(combinations(range(MEMBERS), 2))
SOME = st.lists(st.sampled_from(PAIRS), max_size=12, unique=True)
NODE = dict.fromkeys(ROLES)


@dataclass(frozen=True)
class Text:
    """Stands in for a broadcast of Spark's."""

    value: str


@given(SOME, SOME)
def test_the_strongest_ties_hold_that_keep_apart_who_must_be(
    ties: list[tuple[int, int]], apart: list[tuple[int, int]]
) -> None:
    parts = [{member} for member in range(MEMBERS)]
    for one, other in ties:
        a = next(part for part in parts if one in part)
        b = next(part for part in parts if other in part)
        if a is not b and not any({x, y} <= a | b for x, y in apart):
            parts.remove(b)
            a |= b
    ranked = [Tie(rank, *ends) for rank, ends in enumerate(ties)]
    found = constrained(range(MEMBERS), ranked, apart)
    assert found == [min(next(part for part in parts if at in part)) for at in range(MEMBERS)]


@given(SOME)
def test_without_a_decision_parts_are_connected_components(ties: list[tuple[int, int]]) -> None:
    graph = nx.Graph(ties)
    graph.add_nodes_from(range(MEMBERS))
    found = constrained(range(MEMBERS), [Tie(0, *ends) for ends in ties], [])
    for component in nx.connected_components(graph):
        assert {found[at] for at in component} == {min(component)}


def clusters(
    records: list[str],
    ties: Sequence[tuple[str, str, str] | tuple[str, str, str, int]],
    *,
    largest: int = 200,
    profiles: pa.Table | None = None,
    model: str | None = None,
    by: str = "cluster",
) -> dict[str, str]:
    """The cluster of each record of one component, or its group of links.

    A tie is of a value of its own, or of the one that is told by its number.
    """
    held: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for at, (one, other, strength, *value) in enumerate(ties):
        weight = 8.0 if strength == "likely" else None
        key = value[0] if value else -1 - at
        tie = {"right_record": other, "strength": strength, "weight": weight, "value_key": key}
        held[one].append(tie)
    nodes = [
        {**NODE, "component": "c", "record_id": record, "ties": held.get(record)}
        for record in records
    ]
    if profiles is not None:
        nodes = [node | row for node, row in zip(nodes, profiles.to_pylist(), strict=True)]
    texts = dict.fromkeys(("component", "record_id", *ROLES), pa.string())
    batch = pa.RecordBatch.from_pylist(nodes, schema=pa.schema({**texts, "ties": TIE_LISTS}))
    found = _clusters(largest, cast("Any", Text(model) if model else None), iter([batch]))
    rows = [row for answer in found for row in answer.to_pylist()]
    return {row["record_id"]: row[by] for row in rows}


def test_a_decision_cuts_the_weakest_tie_between_two_people() -> None:
    ties = [("a", "b", "unique"), ("b", "c", "weak"), ("c", "d", "strong")]
    assert set(clusters(["a", "b", "c", "d"], ties).values()) == {"a"}
    cut = clusters(["a", "b", "c", "d"], [*ties, ("a", "d", "cannot")])
    assert cut == {"a": "a", "b": "a", "c": "c", "d": "c"}


@given(
    st.dictionaries(st.sampled_from(PAIRS), st.sampled_from(["unique", "strong", "weak"])),
    st.sampled_from(PAIRS),
)
def test_a_decision_splits_one_customer_in_two_and_touches_nobody_else(
    tied: dict[tuple[int, int], str], apart: tuple[int, int]
) -> None:
    records = [str(member) for member in range(MEMBERS)]
    ties = [(str(one), str(other), strength) for (one, other), strength in tied.items()]
    one, other = map(str, apart)
    before = clusters(records, ties)
    after = clusters(records, [*ties, (one, other, "cannot")])
    if before[one] != before[other]:
        assert after == before
        return
    was = {each for each in records if before[each] == before[one]}
    others = {each: before[each] for each in records if each not in was}
    assert {each: after[each] for each in others} == others
    parts = [{each for each in was if after[each] == after[end]} for end in (one, other)]
    assert parts[0].isdisjoint(parts[1])
    assert parts[0] | parts[1] == was, "nobody goes with neither of the two"
    for part in parts:
        tying = nx.Graph([tie[:2] for tie in ties])
        tying.add_nodes_from(part)
        assert nx.is_connected(tying.subgraph(part))


def test_what_must_be_one_person_holds_before_every_identifier() -> None:
    ties = [("a", "b", "must"), ("b", "c", "unique"), ("a", "c", "cannot")]
    assert clusters(["a", "b", "c"], ties) == {"a": "a", "b": "a", "c": "c"}


@pytest.mark.parametrize("mother", ["a", "m", "z"])
def test_who_share_a_value_stay_one_though_its_first_bearer_is_held_apart_from_each(
    mother: str,
) -> None:
    first, *others = sorted([mother, "c", "n"])
    star = [(first, other, "strong", 1) for other in others]
    apart = [(*sorted([mother, daughter]), "cannot") for daughter in "cn"]
    found = clusters([first, *others], [*star, *apart])
    assert found == {mother: mother, "c": "c", "n": "c"}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["must", "unique", "strong", "weak"]),
            st.sets(st.integers(0, MEMBERS - 1), min_size=2),
        ),
        min_size=1,
        max_size=4,
    ),
    SOME,
)
def test_a_star_parts_as_all_pairs_of_those_who_share_the_value_would(
    groups: list[tuple[str, set[int]]], apart: list[tuple[int, int]]
) -> None:
    records = [str(member) for member in range(MEMBERS)]
    stars: list[Any] = []
    pairs: list[Any] = []
    for value, (strength, bearers) in enumerate(groups):
        every = [
            (str(one), str(other), strength) for one, other in combinations(sorted(bearers), 2)
        ]
        pairs += every
        # What a steward joined is of no value: each decision is about two records.
        stars += (
            every if strength == "must" else [(*tie, value) for tie in every[: len(bearers) - 1]]
        )
    cannot = [(str(one), str(other), "cannot") for one, other in apart]
    assert clusters(records, [*stars, *cannot]) == clusters(records, [*pairs, *cannot])


def test_what_a_steward_joined_to_one_record_ties_no_two_others() -> None:
    ties = [("a", "b", "must", 1), ("a", "c", "must", 1)]
    found = clusters(["a", "b", "c"], [*ties, ("a", "b", "cannot"), ("a", "c", "cannot")])
    assert found == {"a": "a", "b": "b", "c": "c"}


def test_in_too_large_a_group_only_unique_identifiers_and_decisions_link() -> None:
    ties = [("a", "b", "unique"), ("b", "c", "strong"), ("c", "d", "weak"), ("d", "e", "must")]
    found = clusters(["a", "b", "c", "d", "e"], ties, largest=4)
    assert found == {"a": "a", "b": "a", "c": "c", "d": "d", "e": "d"}


@pytest.mark.parametrize("strength", ["strong", "likely"])
@pytest.mark.parametrize("apart", [False, True])
def test_a_chain_of_100_000_links_ends(model: str, strength: str, apart: bool) -> None:
    names = [f"r{at:06}" for at in range(100_000)]
    order = names.copy()
    Random(1).shuffle(order)
    ties = [(*sorted(pair), strength) for pair in pairwise(order)]
    if apart:
        ties.append((names[0], names[-1], "cannot"))
    looks = population(5_000)[0].to_pylist()
    profiles = pa.Table.from_pylist([looks[at % len(looks)] for at in range(len(names))])
    matched = {"profiles": profiles, "model": model} if strength == "likely" else {}
    found = clusters(names, ties, largest=len(names), **matched)
    assert set(found) == set(names)
    if strength == "strong":
        assert len(set(found.values())) == 1 + apart
    if apart:
        assert found[names[0]] != found[names[-1]]


@pytest.fixture(scope="module")
def model() -> str:
    table, _ = population(150)
    return train(table, matching()).model.to_json()


def person(given_name: str, born: str) -> dict[str, str]:
    return {
        "given": given_name,
        "family": "walkerson",
        "born": born,
        "postcode": "A11 1XY",
        "town": "leeds",
    }


ANNA, PAUL = person("anna", "1980-05-17"), person("paul", "1951-11-02")
NOTHING = dict.fromkeys(ROLES)


def test_a_model_joins_groups_whose_records_look_alike(model: str) -> None:
    profiles = pa.Table.from_pylist([ANNA, NOTHING, ANNA, NOTHING])
    ties = [("a", "b", "strong"), ("c", "d", "strong"), ("a", "c", "likely")]
    found = clusters(["a", "b", "c", "d"], ties, profiles=profiles, model=model)
    assert set(found.values()) == {"a"}


def test_a_link_group_is_who_there_would_be_without_a_model(model: str) -> None:
    profiles = pa.Table.from_pylist([ANNA, NOTHING, ANNA, PAUL, ANNA])
    records, links = list("abcde"), [("a", "b", "strong"), ("c", "d", "must"), ("b", "c", "cannot")]
    matches = [("a", "e", "likely"), ("b", "e", "likely")]
    told = {"profiles": profiles, "model": model}
    groups = clusters(records, links + matches, **told, by="link_group")
    assert groups == clusters(records, links)
    assert groups == {"a": "a", "b": "a", "c": "c", "d": "c", "e": "e"}
    assert clusters(records, links + matches, **told) == groups | {"e": "a"}


def test_one_wrong_edge_does_not_chain_two_people(model: str) -> None:
    profiles = pa.Table.from_pylist([ANNA, ANNA, PAUL, PAUL])
    ties = [("a", "b", "likely"), ("b", "c", "likely"), ("c", "d", "likely")]
    found = clusters(["a", "b", "c", "d"], ties, profiles=profiles, model=model)
    assert found == {"a": "a", "b": "a", "c": "c", "d": "c"}


def test_a_match_of_a_record_of_which_nothing_is_known_joins_nobody(model: str) -> None:
    profiles = pa.Table.from_pylist([ANNA, NOTHING, ANNA])
    ties = [("a", "b", "likely"), ("b", "c", "likely")]
    found = clusters(["a", "b", "c"], ties, profiles=profiles, model=model)
    assert found == {"a": "a", "b": "b", "c": "c"}


def test_no_match_parts_whom_an_identifier_ties_until_a_decision_does(model: str) -> None:
    profiles = pa.Table.from_pylist([NOTHING, ANNA, ANNA])
    told = {"profiles": profiles, "model": model}
    ties = [("a", "b", "weak"), ("b", "c", "likely")]
    assert set(clusters(list("abc"), ties, **told).values()) == {"a"}
    parted = [*ties, ("a", "c", "cannot")]
    assert clusters(list("abc"), parted, **told) == {"a": "a", "b": "a", "c": "c"}
    parted.append(("a", "b", "cannot"))
    assert clusters(list("abc"), parted, **told) == {"a": "a", "b": "b", "c": "b"}


def test_a_decision_about_two_who_are_apart_changes_nothing(model: str) -> None:
    # The mean between c and all of the landline that the others share is too low.
    looks = {"a": NOTHING, "b": ANNA, "c": ANNA, "d": PAUL, "e": PAUL}
    profiles = pa.Table.from_pylist(list(looks.values()))
    ties = [*[("a", other, "weak", 1) for other in "bde"], ("b", "c", "likely")]
    for decisions in ([], [("a", "c", "cannot")]):
        found = clusters(list(looks), [*ties, *decisions], profiles=profiles, model=model)
        assert found == {"a": "a", "b": "a", "c": "c", "d": "a", "e": "a"}


def test_a_decision_wins_over_the_model(model: str) -> None:
    profiles = pa.Table.from_pylist([ANNA, NOTHING, ANNA, PAUL])
    ties = [("a", "b", "strong"), ("a", "c", "likely"), ("a", "d", "must")]
    joined = clusters(["a", "b", "c", "d"], ties, profiles=profiles, model=model)
    assert set(joined.values()) == {"a"}
    apart = clusters(
        ["a", "b", "c", "d"], [*ties, ("b", "c", "cannot")], profiles=profiles, model=model
    )
    assert apart == {"a": "a", "b": "a", "c": "c", "d": "a"}
