"""A weight taken apart adds up again."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.training import train
from goldenlake.identity.matching.waterfall import Waterfall, waterfalls
from support.matching import matching, population

TABLE, _ = population(150, household=2)


@pytest.fixture(scope="module")
def model() -> Model:
    return train(TABLE, matching()).model


def pairs_of(model: Model, table: pa.Table) -> list[Waterfall]:
    numbers = np.array(list(combinations(range(table.num_rows), 2)), dtype=np.int32)
    return waterfalls(Scorer.of(model, table), numbers[:, 0], numbers[:, 1])


def test_the_steps_add_up_to_the_weight(model: Model) -> None:
    for found in pairs_of(model, TABLE.slice(0, 40)):
        assert sum(step.bits for step in found.steps) == pytest.approx(found.weight)


def test_each_table_has_one_step_with_the_level_of_every_comparison(model: Model) -> None:
    anna = {"given": "anna", "family": "neverseen", "born": "1980-05-17"}
    rows = [
        {**anna, "postcode": "A11 1XY", "town": None},
        {**anna, "postcode": "A11 1XY", "town": "leeds"},
    ]
    (found,) = pairs_of(model, pa.Table.from_pylist(rows))
    assert [
        (step.comparisons, step.levels) for step in found.steps if step.kind == "comparison"
    ] == [
        (("given", "family"), ("exact", "exact")),
        (("postcode", "town"), ("exact", "missing")),
        (("others",), ("missing",)),
        (("born",), ("exact",)),
    ]
    rare = {step.comparisons: step.bits for step in found.steps if step.kind == "frequency"}
    assert rare[("family",)] > 0
    assert found.steps[0].kind == "prior"
    assert found.steps[0].bits < 0
    assert found.probability > 0.99


def test_a_household_takes_away_from_what_its_people_share(model: Model) -> None:
    home = {"family": "neverseen", "postcode": "A11 1XY", "town": "leeds"}
    rows = [
        {**home, "given": "anna", "born": "1980-05-17"},
        {**home, "given": "paul", "born": "1951-11-02"},
    ]
    (found,) = pairs_of(model, pa.Table.from_pylist(rows))
    assert found.steps[-1].kind == "household"
    assert found.steps[-1].bits < -1
    assert found.probability < 0.5
    assert found.evidence < 0
    (same,) = pairs_of(model, pa.Table.from_pylist([rows[0], rows[0]]))
    assert same.evidence > 5


def test_what_is_missing_is_no_evidence(model: Model) -> None:
    nobody = pa.table({name: pa.array([None, None], pa.string()) for name in TABLE.column_names})
    (found,) = pairs_of(model, nobody)
    assert found.evidence == pytest.approx(-1)
