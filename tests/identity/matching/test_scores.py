"""A frozen model and the match weights that it gives."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.training import Trained, train
from support.matching import matching, population

TABLE, PERSON = population(150)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(TABLE, matching(), data_version="lake 7")


def codes(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int32)


def test_a_model_survives_its_json_byte_for_byte(trained: Trained) -> None:
    text = trained.model.to_json()
    again = Model.from_json(text)
    assert again == trained.model
    assert again.to_json() == text
    assert again.version == trained.model.version
    assert again.provenance.data_version == "lake 7"


def test_a_model_of_other_levels_is_refused_with_the_name_of_the_comparison(
    trained: Trained,
) -> None:
    changed = trained.model.to_json().replace('"same district"', '"same quarter"')
    with pytest.raises(ValidationError, match="levels of postcode, town are not those in use"):
        Model.from_json(changed)


@given(st.lists(st.integers(0, TABLE.num_rows - 1), min_size=2, max_size=6, unique=True))
def test_a_score_depends_on_the_two_records_alone(trained: Trained, rows: list[int]) -> None:
    everybody = Scorer.of(trained.model, TABLE)
    few = Scorer.of(trained.model, TABLE.take(rows))
    left, right = codes(*rows[:-1]), codes(*rows[1:])
    at = codes(*range(len(rows)))
    expected = everybody.score(left, right).weights
    assert few.score(at[:-1], at[1:]).weights.tolist() == expected.tolist()
    assert everybody.score(right, left).weights.tolist() == expected.tolist()


def test_agreement_on_a_rare_name_says_more(trained: Trained) -> None:
    def weight(family: str) -> float:
        row = {"given": "anna", "family": family, "born": None, "postcode": None, "town": None}
        schema = pa.schema([(name, pa.string()) for name in row])
        pair = pa.Table.from_pylist([row, row], schema=schema)
        return float(Scorer.of(trained.model, pair).score(codes(0), codes(1)).weights[0])

    counts = trained.model.frequencies["family"].counts
    common = max(counts, key=lambda name: counts[name])
    assert weight("never-seen") > weight(common)


def test_what_is_missing_is_neutral(trained: Trained) -> None:
    nobody = pa.table({name: pa.array([None, None], pa.string()) for name in TABLE.column_names})
    scores = Scorer.of(trained.model, nobody).score(codes(0), codes(1))
    assert scores.probabilities[0] == pytest.approx(trained.model.prior, rel=0.05)


def test_a_missing_column_is_named(trained: Trained) -> None:
    with pytest.raises(KeyError, match="postcode"):
        Scorer.of(trained.model, TABLE.drop_columns("postcode"))
