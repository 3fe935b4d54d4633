"""What a pass takes from the clusters before it: aliases and frequencies."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from goldenlake.identity.matching.aliases import together
from goldenlake.identity.matching.attributes import Values
from goldenlake.identity.matching.comparisons import plan_of
from goldenlake.identity.matching.frequencies import Frequencies
from goldenlake.identity.matching.name_attribute import Parsed, mostly_given
from goldenlake.identity.matching.names import Name
from goldenlake.identity.matching.records import Vocabulary, encoded
from goldenlake.identity.matching.term_bits import counted
from goldenlake.identity.matching.texts import Texts
from support.matching import matching


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int32)


def test_values_that_meet_in_many_clusters_are_aliases() -> None:
    places = ["kilmarnock", "ayrshire"] * 5 + ["london"] * 30 + ["leeds"] * 30
    clusters = [at // 2 for at in range(10)] + list(range(100, 130)) + list(range(100, 130))
    values = Values.of(places)
    found = together(ints(*clusters), values.codes, values.texts, clusters=3, lift=3.0)
    assert found == [("ayrshire", "kilmarnock")]
    assert together(ints(*clusters), values.codes, values.texts, clusters=6, lift=3.0) == []
    assert together(ints(*clusters), values.codes, values.texts, clusters=6, lift=1.0) == [
        ("leeds", "london")
    ]


@pytest.mark.parametrize("bearers", [3, 4, 5])
def test_a_value_that_few_people_have_is_nobodys_alias(bearers: int) -> None:
    streets = ["lane 174", "174 lane"] * bearers + ["lane 174"] * 5 + ["elsewhere"] * 50
    clusters = [at // 2 for at in range(2 * bearers)] + list(range(100, 155))
    values = Values.of(streets)
    found = together(ints(*clusters), values.codes, values.texts, clusters=2, lift=1.0)
    assert found == ([("174 lane", "lane 174")] if bearers == 5 else [])


def test_a_person_with_many_records_makes_a_name_no_commoner() -> None:
    names = ["Anna Smith"] * 6 + [f"{given} Hill" for given in ("Ben", "Cleo", "Dan", "Eve", "Fay")]
    table = pa.table({"name": names, "x": ["a"] * 11})
    declared = matching({"name": "full_name", "x": "category"})
    records = encoded(table, declared, Vocabulary())
    plan = plan_of(declared)
    assert counted(records, plan)["family"].counts == {"smith": 6, "hill": 5}
    by_person = counted(records, plan, ints(*[0] * 6, *range(6, 11)))["family"]
    assert by_person.counts == {"hill": 5}
    assert by_person.total == 6


def test_a_model_names_no_value_that_few_people_have() -> None:
    texts = Texts.of(["common", "rare"])
    found = Frequencies.of(texts, np.array([5.0, 4.0]), ints(0, 0))
    assert found.counts == {"common": 5}
    assert found.total == 9
    full_names = [Name("anna", "hill", ())] * 4 + [Name("ben", "hill", ())] * 5
    assert mostly_given(Parsed(full_names, np.arange(len(full_names)))) == {"ben"}


def test_term_frequencies_add_what_a_value_is_rarer_than_the_mean() -> None:
    texts = Texts.of(["common", "rare"])
    frequencies = Frequencies.of(texts, np.array([9.0, 1.0]), ints(0, 0))
    mean = 0.9**2 + 0.1**2
    expected = [np.log2(mean / 0.9), np.log2(mean / 0.1)]
    assert frequencies.bits(texts, ints(0, 0)) == pytest.approx(expected)
    unseen = Texts.of(["other"])
    assert frequencies.bits(unseen, ints(0)) == pytest.approx([expected[1]])


def test_classes_of_values_have_means_of_their_own() -> None:
    texts = Texts.of(["19000101", "19010203"])
    found = Frequencies.of(texts, np.array([20.0, 5.0]), ints(1, 0))
    assert found.means == pytest.approx((0.2, 0.8))
    assert found.bits(texts, ints(1, 0)) == pytest.approx([0.0, 0.0])
