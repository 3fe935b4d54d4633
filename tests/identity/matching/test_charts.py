"""What is told of a model: figures that add up, and never a value of a record."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from goldenlake.identity.matching.charts import (
    bands_of,
    figures_of,
    unlinkable,
    weights_against_themselves,
)
from goldenlake.identity.matching.columns import column_fill
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.training import Trained, train
from support.matching import matching, population


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(population(150, household=2)[0], matching())


def test_levels_of_a_comparison_add_up_and_weigh_as_the_table_says(trained: Trained) -> None:
    found = {each.comparison: each for each in figures_of(trained.model)}
    assert list(found) == ["given", "family", "others", "born", "postcode", "town"]
    for each in found.values():
        assert sum(level.m for level in each.levels) == pytest.approx(1.0)
        assert sum(level.u for level in each.levels) == pytest.approx(1.0)
    assert found["given"].weighed_with == ("family",)
    (born,) = (table for table in trained.model.tables if table.comparisons == ("born",))
    exact = found["born"].levels[0]
    assert exact.level == "exact"
    assert exact.bits == pytest.approx(np.log2(born.m[1] / born.u[1]))


def test_a_comparison_that_no_pair_has_says_nothing_and_raises_no_doubt(trained: Trained) -> None:
    others = next(each for each in figures_of(trained.model) if each.comparison == "others")
    assert others.is_neutral
    assert trained.findings == ()


def test_a_particle_in_few_family_names_is_no_evidence_and_no_finding() -> None:
    table, _ = population(150, household=2)
    names = table["family"].to_pylist()
    names[:12] = [f"saint {name or 'mark'}-court" for name in names[:12]]
    with_particles = table.set_column(table.column_names.index("family"), "family", [names])
    found = train(with_particles, matching())
    others = next(each for each in figures_of(found.model) if each.comparison == "others")
    assert others.is_neutral
    assert "agreement_against_match" not in {each.name for each in found.findings}


def test_a_record_that_says_little_is_linkable_to_nobody(trained: Trained) -> None:
    table = pa.table(
        {
            "given": ["olga", None],
            "family": ["walkerson", None],
            "born": ["1950-03-04", None],
            "postcode": ["A10 1XY", None],
            "town": ["leeds", "leeds"],
        }
    )
    own = weights_against_themselves(Scorer.of(trained.model, table))
    assert own[0] > 10 > 0 > own[1]
    assert unlinkable(own)[0] == (0.5, 0.5)


def test_bands_hold_every_pair_once() -> None:
    weights = np.array([-30.0, -10.0, -0.1, 0.0, 7.0, 50.0])
    found = bands_of(weights, weights > 0)
    assert sum(band.pairs for band in found) == len(weights)
    assert [(band.low, band.pairs, band.joined) for band in found if band.pairs] == [
        (-np.inf, 1, 0), (-10.0, 1, 0), (-5.0, 1, 0), (0.0, 1, 0), (5.0, 1, 1), (20.0, 1, 1),
    ]  # fmt: skip
    at_zero = next(band for band in found if band.low == 0.0)
    assert at_zero.expected == pytest.approx(0.5)


def test_a_column_is_told_by_counts_alone() -> None:
    table = pa.table({"given": ["ann", "ann", None, "bob"], "family": [None] * 4}).cast(
        pa.schema({"given": pa.string(), "family": pa.string()})
    )
    declared = matching({"given": "given_name", "family": "family_name"})
    given, family = column_fill(table, declared)
    assert (given.filled, given.distinct, given.most_frequent) == (3, 2, 2)
    assert given.completeness == 0.75
    assert (family.filled, family.distinct, family.most_frequent) == (0, 0, 0)
