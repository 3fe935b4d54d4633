"""Which pairs are looked at."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.declarations.matching import Matching
from goldenlake.errors import ModelUnfit
from goldenlake.identity.matching.arrays import Hashes
from goldenlake.identity.matching.blocking import blocks_of, candidates, sliced
from goldenlake.identity.matching.keys import keys_of
from goldenlake.identity.matching.records import Vocabulary, encoded
from support.matching import matching, population

KEYS = st.lists(
    st.tuples(*(st.integers(0, 3) for _ in range(3))), min_size=2, max_size=14
)  # fmt: skip


def hashed(column: list[int]) -> Hashes:
    """Stand-ins for hashes; 0 is missing."""
    return np.array([value << 20 for value in column], dtype=np.uint64)


@given(KEYS, st.integers(2, 6))
def test_each_pair_is_born_once_under_the_first_rule_that_holds(
    rows: list[tuple[int, ...]], cap: int
) -> None:
    columns = list(zip(*rows, strict=True))
    rules = [(f"rule {at}", hashed(list(column))) for at, column in enumerate(columns)]
    found = candidates(blocks_of(len(rows), rules, cap))
    expected = {}
    for rule, column in reversed(list(enumerate(columns))):
        for one, other in combinations(range(len(rows)), 2):
            value = column[one]
            if value and value == column[other] and column.count(value) <= cap:
                expected[one, other] = rule
    triples = zip(found.left.tolist(), found.right.tolist(), found.rule.tolist(), strict=True)
    born = [((min(a, b), max(a, b)), rule) for a, b, rule in triples]
    assert len(born) == len(expected)
    assert dict(born) == expected


@given(KEYS, st.integers(1, 9))
def test_blocks_that_are_looked_at_some_at_a_time_give_the_same_pairs(
    rows: list[tuple[int, ...]], most: int
) -> None:
    rules = [
        (f"rule {at}", hashed(list(column))) for at, column in enumerate(zip(*rows, strict=True))
    ]
    blocks = blocks_of(len(rows), rules, len(rows))
    at_once = candidates(blocks)
    parts = list(sliced(blocks, most))
    found = [candidates(part) for part in parts]
    for side in ("left", "right", "rule"):
        joined = np.concatenate([getattr(each, side) for each in found])
        assert joined.tolist() == getattr(at_once, side).tolist()
    largest = max(np.diff(blocks.starts).tolist(), default=0)
    for part in parts:
        size = np.diff(part.starts)
        assert (size * (size - 1) // 2).sum() < most + largest * (largest - 1) // 2


def test_what_a_cap_leaves_out_is_told() -> None:
    rules = [("town", hashed([1, 1, 1, 1, 2, 2])), ("street", hashed([5, 5, 6, 7, 0, 0]))]
    town, street = candidates(blocks_of(6, rules, 3)).report
    assert (town.rule, town.pairs, town.blocks) == ("town", 1, 1)
    assert (town.blocks_left_out, town.records_left_out, town.pairs_left_out) == (1, 4, 6)
    assert (street.pairs, street.blocks_left_out) == (1, 0)
    assert [(each.keys, each.largest) for each in (town, street)] == [(2, 4), (3, 2)]


def test_rules_that_there_are_not_and_too_many_rules_are_refused() -> None:
    places = {f"place_{number}": "place" for number in range(16)}
    nobody = pa.table({name: pa.array([None], pa.string()) for name in places})
    many = Matching.model_validate({"columns": places})
    few = Matching.model_validate({"columns": places, "blocking": {"rules": ["place_1"]}})
    wrong = Matching.model_validate({"columns": places, "blocking": {"rules": ["moon"]}})
    with pytest.raises(ModelUnfit, match=r"make 1\d\d blocking rules, of which 127 .* place_1, "):
        keys_of(encoded(nobody, many, Vocabulary()), many)
    assert [name for name, _ in keys_of(encoded(nobody, few, Vocabulary()), few)] == ["place_1"]
    with pytest.raises(ModelUnfit, match="names moon"):
        keys_of(encoded(nobody, wrong, Vocabulary()), wrong)


def test_records_of_a_source_that_has_everyone_once_are_not_paired() -> None:
    source = np.array([0, 0, 1, -1], dtype=np.int32)
    found = candidates(blocks_of(4, [("all", hashed([1, 1, 1, 1]))], 10), source)
    pairs = set(zip(found.left.tolist(), found.right.tolist(), strict=True))
    assert pairs == {(0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}


def test_nobody_has_keys_of_what_is_missing() -> None:
    found = candidates(blocks_of(3, [("town", hashed([0, 0, 0]))], 10))
    assert len(found.left) == 0
    assert found.report[0].blocks == 0


def test_keys_follow_from_the_roles_and_find_nearly_all_pairs() -> None:
    table, person = population(60)
    declared = matching()
    records = encoded(table, declared, Vocabulary())
    rules = keys_of(records, declared)
    assert {"two of token", "postcode", "token × born", "born × town"} <= {
        name for name, _ in rules
    }
    found = candidates(blocks_of(records.count, rules, 120))
    true = sum(n * (n - 1) // 2 for n in np.bincount(person).tolist())
    assert (person[found.left] == person[found.right]).sum() > 0.97 * true


def test_keys_do_not_depend_on_the_other_records() -> None:
    table, _ = population(20)
    declared = matching()
    whole = keys_of(encoded(table, declared, Vocabulary()), declared)
    part = keys_of(encoded(table.slice(3, 5), declared, Vocabulary()), declared)
    for (_, all_keys), (_, some_keys) in zip(whole, part, strict=True):
        assert np.array_equal(all_keys[3:8], some_keys)
