"""Models made with Splink score here as they score there."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldenlake.errors import SplinkModelRefused
from goldenlake.identity.matching.splink_models import SplinkModel

NULL = {"sql_condition": '"a_l" IS NULL OR "a_r" IS NULL', "is_null_level": True}
EXACT = {"sql_condition": '"a_l" = "a_r"', "m_probability": 0.8, "u_probability": 0.1}
ELSE = {"sql_condition": "ELSE", "m_probability": 0.2, "u_probability": 0.9}


def saved(*levels: dict[str, Any]) -> str:
    comparison = {"output_column_name": "a", "comparison_levels": list(levels)}
    return json.dumps({"probability_two_random_records_match": 0.5, "comparisons": [comparison]})


def weight(text: str, one: str | None, other: str | None, **frequencies: float) -> float:
    table = pa.table({"a": pa.array([one, other], pa.string())})
    pair = np.array([0], dtype=np.int32), np.array([1], dtype=np.int32)
    shares = {"a": frequencies} if frequencies else None
    return float(SplinkModel.from_json(text).weights(table, *pair, shares)[0])


def test_the_first_level_that_holds_counts_and_missing_is_neutral() -> None:
    near = {"sql_condition": 'levenshtein("a_l", "a_r") <= 1'} | {
        "m_probability": 0.4,
        "u_probability": 0.1,
    }
    text = saved(NULL, EXACT, near, ELSE)
    assert weight(text, "ann", "ann") == pytest.approx(3.0)
    assert weight(text, "ann", "anna") == pytest.approx(2.0)
    assert weight(text, "ann", "bob") == pytest.approx(np.log2(0.2 / 0.9))
    assert weight(text, "ann", None) == 0.0


def test_the_commoner_value_gives_the_term_frequency() -> None:
    text = saved(NULL, EXACT | {"tf_adjustment_column": "a", "tf_adjustment_weight": 0.5}, ELSE)
    assert weight(text, "ann", "ann", ann=0.025) == pytest.approx(3.0 + 0.5 * 2.0)


@pytest.mark.parametrize(
    ("level", "named"),
    [
        ({"sql_condition": 'soundex("a_l") = soundex("a_r")'}, "soundex"),
        ({"sql_condition": '"b_l" = "b_r"'}, "more than one column"),
        ({"sql_condition": '"a_l" = "a_r"', "m_probability": None}, "no m or u"),
        ({"sql_condition": '"a_l" = "a_r"', "tf_adjustment_column": "b"}, "another column"),
    ],
)
def test_what_is_not_supported_is_named(level: dict[str, Any], named: str) -> None:
    with pytest.raises(SplinkModelRefused, match=named):
        SplinkModel.from_json(saved(NULL, EXACT | level, EXACT, ELSE))


VALUES = st.one_of(st.none(), st.sampled_from(["anna", "anne", "hanna", "john", "jonh", "jon"]))


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=3, max_size=12))
def test_weights_are_those_of_splink(rows: list[tuple[str | None, ...]]) -> None:
    splink = pytest.importorskip("splink", reason="Splink is the oracle here: pip install splink")
    library = pytest.importorskip("splink.comparison_library")
    backend = pytest.importorskip("splink.internals.duckdb.database_api")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows, columns=["a", "b", "c"]).astype("string")
    frame["unique_id"] = range(len(frame))
    creator = splink.SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            library.JaroWinklerAtThresholds("a", [0.9, 0.8]).configure(
                term_frequency_adjustments=True,
                m_probabilities=[0.7, 0.15, 0.1, 0.05],
                u_probabilities=[0.1, 0.1, 0.2, 0.6],
            ),
            library.LevenshteinAtThresholds("b", [1, 2]).configure(
                m_probabilities=[0.7, 0.15, 0.1, 0.05], u_probabilities=[0.1, 0.1, 0.2, 0.6]
            ),
            library.DamerauLevenshteinAtThresholds("c", [1]).configure(
                m_probabilities=[0.7, 0.2, 0.1], u_probabilities=[0.2, 0.2, 0.6]
            ),
        ],
        blocking_rules_to_generate_predictions=["1=1"],
        probability_two_random_records_match=0.05,
    )
    linker = splink.Linker(backend.DuckDBAPI().register(frame), creator)
    model = SplinkModel.from_json(json.dumps(linker.misc.save_model_to_json()))
    scored = linker.inference.predict().as_pandas_dataframe()
    left = scored["unique_id_l"].to_numpy().astype(np.int32)
    right = scored["unique_id_r"].to_numpy().astype(np.int32)
    columns = {
        name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate("abc")
    }
    weights = model.weights(pa.table(columns), left, right)
    assert weights == pytest.approx(scored["match_weight"].to_numpy(), abs=1e-6)
