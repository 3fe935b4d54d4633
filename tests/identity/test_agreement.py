"""What one value may link when the records that share it differ."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.columns.namekeys import given_key
from goldenlake.identity.agreement import Member, agree, verdict

NAMES = ["john", "jon", "joan", "j", "jane", "elisabeth", "elizabeth", "paul", "paula", "p", None]


def people(*names: str | None) -> list[Member]:
    return [Member(f"r{at}", (name,)) for at, name in enumerate(names)]


@pytest.mark.parametrize(
    ("one", "other"),
    [("john", "john"), ("j", "john"), ("elisabeth", "elizabeth"), ("roberd", "robert")],
)
def test_a_name_agrees_with_its_initial_and_with_a_typing_error(one: str, other: str) -> None:
    assert agree("given_name", one, other)
    assert agree("given_name", other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("john", "jane"),
        ("paul", "paula"),
        ("christian", "christina"),
        ("aida", "aide"),
        ("tom", "tim"),
        ("j", "ann"),
    ],
)
def test_names_of_two_people_differ_however_alike_they_look(one: str, other: str) -> None:
    assert not agree("given_name", one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("John", "Joan"),
        ("Jack", "Joan"),
        ("Molly", "Polly"),
        ("Jasper", "Casper"),
        ("Cheryl", "Sheryl"),
        ("Jason", "Mason"),
        ("Justin", "Dustin"),
        ("Paul", "Paula"),
    ],
)
def test_names_of_two_people_differ_as_the_records_have_them(one: str, other: str) -> None:
    keys = [given_key(name) for name in (one, other)]
    assert None not in keys
    assert not agree("given_name", *keys)


def test_other_traits_agree_only_when_equal() -> None:
    assert not agree("birth_on", "1980-01-01", "1980-01-02")
    assert not agree("family_name", "johnsonson", "johnsonsen")


def test_who_agrees_is_linked_as_a_star() -> None:
    found = verdict(people("john", None, "j", "john"), ["given_name"])
    assert found == ([("r0", "r1"), ("r0", "r2"), ("r0", "r3")], False)


def test_a_record_without_the_trait_in_dispute_is_tied_to_none() -> None:
    assert verdict(people("john", None, "jane"), ["given_name"]) == ([], True)
    assert verdict(people("john", None, "jane", None), ["given_name"]) == ([], True)


def test_those_of_one_name_are_linked_beside_those_of_another() -> None:
    found = verdict(people("john", "jane", "john", "jane"), ["given_name"])
    assert found == ([("r0", "r2"), ("r1", "r3")], True)


def test_an_initial_does_not_chain_two_people_into_one() -> None:
    found = verdict(people("john", "j", "jane", "john", "j"), ["given_name"])
    assert found == ([("r0", "r3")], True)


def test_only_the_traits_in_dispute_must_be_there() -> None:
    traits = ["given_name", "birth_on"]
    members = [
        Member("a", ("john", None)),
        Member("b", ("john", "1980-01-01")),
        Member("c", ("jane", "1980-01-01")),
    ]
    assert verdict(members, traits) == ([("a", "b")], True)


@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(["1980-01-01", "1990-01-01", None])),
        min_size=2,
        max_size=9,
    ),
    st.randoms(),
)
def test_no_value_connects_two_records_that_conflict(
    values: list[tuple[str | None, ...]], random: object
) -> None:
    traits = ["given_name", "birth_on"]
    members = [Member(f"r{at}", of) for at, of in enumerate(values)]
    found = verdict(members, traits)

    graph = nx.Graph(found.pairs)
    for component in nx.connected_components(graph):
        inside = [member for member in members if member.record_id in component]
        for one in inside:
            for other in inside:
                for trait, left, right in zip(traits, one.traits, other.traits, strict=True):
                    assert left is None or right is None or agree(trait, left, right)
    assert all(left < right for left, right in found.pairs)

    shuffled = list(members)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert verdict(shuffled, traits) == found
