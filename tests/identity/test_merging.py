"""How customers came together, judged by the refinement that made them."""

from __future__ import annotations

from itertools import combinations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldenlake.identity.evidence import Link
from goldenlake.identity.matching.em import probability
from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.training import train
from goldenlake.identity.merging import UNBLOCKED, Component, Merge, _ties, merges
from goldenlake.identity.refinement import Graph, joined_groups
from support.matching import ROLES, matching, population

MEMBERS = [f"r{at}" for at in range(8)]
PAIRS = list(combinations(MEMBERS, 2))
STRENGTHS = st.sampled_from(["must", "unique", "strong", "weak", "likely", "doubtful", "cannot"])
VALUES = st.sampled_from("kl")
"""Those of one record and strength are a star of one value."""
TIES = st.dictionaries(st.sampled_from(PAIRS), st.tuples(STRENGTHS, VALUES), max_size=14)
ANNA = {
    "given": "anna",
    "family": "walkerson",
    "born": "1980-05-17",
    "postcode": "A11 1XY",
    "town": "leeds",
}
PEOPLE, _ = population(4, seed=5, household=2)


@pytest.fixture(scope="module")
def model() -> Model:
    return train(population(150)[0], matching()).model


def link(left: str, right: str, strength: str = "strong", value: str = "") -> Link:
    is_match = strength in ("likely", "doubtful")
    return Link(
        left=left,
        right=right,
        identifier="match" if is_match else "email",
        strength=strength,
        rule="same email",
        linked_on=None,
        weight=6.0 if is_match else None,
        link_key=value if strength in ("unique", "strong", "weak") else "",
    )


def component(
    ties: dict[tuple[str, str], tuple[str, str]], model: Model | None, largest: int = 5
) -> Component:
    records = PEOPLE.slice(0, len(MEMBERS)).append_column("record_id", pa.array(MEMBERS))
    links = [link(*pair, *of) for pair, of in ties.items()]
    return Component(records, links, largest, model)


def refined(of: Component) -> set[frozenset[str]]:
    """Who is one, by the code that resolve runs."""
    graph = Graph.of(of.records.append_column("ties", _ties(of)))
    group, _ = graph.groups(of.largest)
    joined = joined_groups(graph, group, of.records, of.model) if of.model else None
    label = group if joined is None else joined.clusters(group)
    return {
        frozenset(MEMBERS[at] for at in range(len(MEMBERS)) if label[at] == first)
        for first in set(label.tolist())
    }


def replayed(found: list[Merge]) -> set[frozenset[str]]:
    parts = {frozenset([member]) for member in MEMBERS}
    for merge in found:
        left, right = frozenset(merge.left), frozenset(merge.right)
        assert {left, right} <= parts
        assert min(left) < min(right)
        assert (merge.probability is None) == (merge.bridge.identifier != "match")
        ends = merge.bridge.ends
        assert len(ends & left) == len(ends & right) == 1
        parts = (parts - {left, right}) | {left | right}
    return parts


@given(TIES)
@settings(max_examples=60)
def test_replaying_the_merges_gives_the_customers(
    model: Model, ties: dict[tuple[str, str], tuple[str, str]]
) -> None:
    for of in (component(ties, None), component(ties, model)):
        assert replayed(merges(of)) == refined(of)


def test_who_share_a_value_merge_by_it_though_its_first_bearer_is_held_apart_from_each() -> None:
    star = [link("a", other, "strong", "k") for other in "cd"]
    apart = [link("a", other, "cannot") for other in "cd"]
    records = pa.Table.from_pylist([{"record_id": each} for each in "acd"])
    (merge,) = merges(Component(records, [*star, *apart], 9))
    assert (merge.left, merge.right) == (("c",), ("d",))
    assert merge.bridge == link("c", "d", "strong", "k")


def test_a_merge_by_the_model_tells_its_mean_and_its_most_probable_pair(model: Model) -> None:
    worse = {**ANNA, "born": "1980-05-18", "town": None}
    records = pa.Table.from_pylist(
        [{"record_id": each, **row} for each, row in zip("abc", [worse, ANNA, ANNA], strict=True)]
    )
    links = [link("a", "b", "unique"), link("b", "c", "likely")]
    by_number, by_model = merges(Component(records, links, 200, model))
    assert (by_number.left, by_number.right, by_number.bridge) == (("a",), ("b",), links[0])
    assert by_number.probability is None
    assert (by_model.left, by_model.right, by_model.bridge) == (("a", "b"), ("c",), links[1])
    scores = Scorer.of(model, records.select(list(ROLES))).score(
        *(pa.array(side, pa.int32()).to_numpy() for side in ([0, 1], [2, 2]))
    )
    mean = (scores.probabilities * scores.evidence).sum() / scores.evidence.sum()
    assert by_model.probability == pytest.approx(mean)
    assert by_model.probability < probability(scores.weights[1])


def test_a_pair_that_no_key_brought_together_is_told_as_such(model: Model) -> None:
    records = pa.Table.from_pylist([{"record_id": each, **ANNA} for each in "abc"])
    links = [link("a", "c", "likely"), link("b", "c", "likely")]
    found = merges(Component(records, links, 9, model))
    assert [merge.bridge.rule for merge in found] == [UNBLOCKED, "same email"]
    assert found[0].bridge.strength == "likely"


def test_records_of_one_group_merge_by_what_made_the_group(model: Model) -> None:
    records = pa.Table.from_pylist([{"record_id": each, **ANNA} for each in "abc"])
    weak = [link("a", "b", "weak"), link("b", "c", "weak")]
    found = merges(Component(records, [link("a", "c", "likely"), *weak], 9, model))
    assert [merge.bridge for merge in found] == weak
