"""Models made with Splink score here as they score there, or are refused by name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from goldenlake.errors import ExitCode, SplinkModelRefused
from goldenlake.identity.matching.frequencies import LEAST_HOLDERS
from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.scoring import Scorer, Scores
from goldenlake.identity.matching.splink_models import SplinkModel
from goldenlake.identity.matching.waterfall import waterfalls
from support.matching import matching
from support.splink import Level, exact, level, null, otherwise, saved

DECLARED = matching({"a": "code", "b": "code", "c": "category"})
NULL, EXACT, ELSE = null("a"), exact("a", 0.8, 0.1), otherwise(0.2, 0.9)
NEAR = level('levenshtein("a_l", "a_r") <= 1', 0.4, 0.1)
COUNTED = {"tf_adjustment_column": "a"}


def table_of(*values: str | None) -> pa.Table:
    nothing = [None] * len(values)
    columns = {"a": list(values), "b": nothing, "c": nothing}
    return pa.table({name: pa.array(each, pa.string()) for name, each in columns.items()})


def model_of(text: str, table: pa.Table) -> Model:
    return SplinkModel.from_json(text, DECLARED.columns).over(table, DECLARED).model


def scored(levels: list[Level], table: pa.Table) -> Scores:
    """The first record against each of the others."""
    others = np.arange(1, table.num_rows, dtype=np.int32)
    scorer = Scorer.of(model_of(saved(a=levels), table), table)
    return scorer.score(np.zeros_like(others), others)


def test_the_first_level_that_holds_counts_and_missing_is_neutral() -> None:
    found = scored([NULL, EXACT, NEAR, ELSE], table_of("ann", "ann", "anna", "bob", None))
    assert found.weights.tolist() == pytest.approx([3.0, 2.0, np.log2(0.2 / 0.9), 0.0])


@pytest.mark.parametrize(
    ("one", "other", "is_equal"),
    [
        ("ann", "Ann", False),
        ("ann", "ann ", False),
        ("", "", True),
        ("日本", "日本", True),
        ("日本", "??", False),
        (f"{'x' * 60}a", f"{'x' * 60}b", False),
    ],
)
def test_values_are_compared_as_they_are_written(one: str, other: str, is_equal: bool) -> None:
    assert scored([NULL, EXACT, ELSE], table_of(one, other)).levels[0, 0] == (1 if is_equal else 2)


def test_the_commoner_value_gives_the_term_frequency_by_the_weight_of_the_level() -> None:
    table = table_of("ann", "anna", *["ann"] * 7, *["x"] * 7)
    levels = [NULL, EXACT | COUNTED, NEAR | COUNTED | {"tf_adjustment_weight": 0.5}, ELSE]
    near, equal = scored(levels, table).weights[:2]
    assert equal == pytest.approx(3.0 + np.log2(0.1 / 0.5))
    assert near == pytest.approx(2.0 + 0.5 * np.log2(0.1 / 0.5))


@pytest.mark.parametrize(("least", "share"), [(0.0, 1 / 4096 / 16), (0.02, 0.02)])
def test_a_frequency_has_no_bound_but_its_least(least: float, share: float) -> None:
    text = saved(a=[NULL, EXACT | COUNTED | {"tf_minimum_u_value": least}, ELSE])
    table = table_of("rare", "rare")
    known = json.loads(model_of(text, table).to_json())
    known["frequencies"]["a"]["total"] = 4096 * 16
    scorer = Scorer.of(Model.model_validate(known), table)
    at = np.array([0], dtype=np.int32)
    found = scorer.score(at, at + 1).weights[0]
    assert found == pytest.approx(3.0 + np.log2(0.1 / share))


def test_a_model_names_no_value_that_few_have() -> None:
    text = saved(a=[NULL, EXACT | COUNTED, ELSE])
    table = table_of(*["ann"] * 5, *["bob"] * 4)
    assert model_of(text, table).frequencies["a"].counts == {"ann": 5}


def test_an_imported_model_survives_its_json_byte_for_byte() -> None:
    model = model_of(saved(a=[NULL, EXACT | COUNTED, NEAR, ELSE]), table_of("ann", "bob"))
    again = Model.from_json(model.to_json())
    assert again == model
    assert again.to_json() == model.to_json()


def test_a_waterfall_tells_the_levels_by_their_labels() -> None:
    table = table_of("ann", "anna")
    scorer = Scorer.of(model_of(saved(0.2, name=[NULL, EXACT, NEAR, ELSE]), table), table)
    at = np.array([0], dtype=np.int32)
    (found,) = waterfalls(scorer, at, at + 1)
    told = [(step.kind, step.comparisons, step.levels, round(step.bits, 6)) for step in found.steps]
    assert told == [
        ("prior", (), (), -2.0),
        ("comparison", ("name",), (NEAR["label_for_charts"],), 2.0),
    ]


@pytest.mark.parametrize("label", ["missing", "crossed", "exact", EXACT["sql_condition"]])
def test_labels_mean_nothing_and_may_be_taken_twice(label: str) -> None:
    named = {"label_for_charts": label}
    levels = [NULL | named, EXACT | COUNTED | named, NEAR | named, ELSE | named]
    table = table_of("ann", "ann", "anna", "bob", None, "ann", "ann", "ann")
    plain = scored([NULL, EXACT | COUNTED, NEAR, ELSE], table)
    assert scored(levels, table).weights.tolist() == plain.weights.tolist()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"sql_condition": 'soundex("a_l") = soundex("a_r")'}, 'the condition soundex("a_l")'),
        ({"sql_condition": '"a_l" IS NULL OR "a_r" IS NULL'}, 'the condition "a_l" IS NULL'),
        ({"is_null_level": True}, 'the condition "a_l" = "a_r"'),
        ({"sql_condition": '"b_l" = "b_r"'}, "more than one column (a, b)"),
        ({"m_probability": None}, "no m or u of the level “It is"),
        ({"u_probability": 0}, "no m or u of the level “It is"),
        ({"tf_adjustment_column": "b"}, "term frequencies of another column, b"),
        (COUNTED | {"disable_tf_exact_match_detection": True}, "disable_tf_exact_match_detection"),
        ({"sql_condition": "ELSE"}, "levels that do not end with ELSE"),
        ({"tomorrow": 1}, "comparisons.0.comparison_levels.1.tomorrow: Extra inputs"),
    ],
)
def test_what_a_level_has_that_is_not_supported_is_named(
    changed: dict[str, Any], named: str
) -> None:
    with pytest.raises(SplinkModelRefused) as refused:
        SplinkModel.from_json(saved(a=[NULL, EXACT | changed, NEAR, ELSE]), DECLARED.columns)
    assert named in str(refused.value)
    assert refused.value.exit_code == ExitCode.DECLARATION


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[]", "the file: Input should be"),
        ("{", "the file: Invalid JSON"),
        (saved(), "comparisons: Tuple should have at least 1 item"),
        (saved(a=[]), "comparisons.0.comparison_levels: Tuple"),
        (saved(1.0, a=[NULL, EXACT, ELSE]), "probability_two_random_records_match"),
        (saved(a=[NULL, EXACT, ELSE]).replace("duckdb", "spark"), "sql_dialect: Input should be"),
        (saved(a=[EXACT, ELSE]), "there is no null level"),
        (saved(a=[NULL, NEAR | COUNTED, ELSE]), "term frequencies without an exact level"),
        (saved(a=[null("z"), exact("z", 0.9, 0.1), ELSE]), "comparison a: z, which is no column"),
    ],
)
def test_a_file_that_is_not_supported_says_where(text: str, named: str) -> None:
    with pytest.raises(SplinkModelRefused) as refused:
        SplinkModel.from_json(text, DECLARED.columns)
    assert named in str(refused.value)


def test_all_that_is_not_supported_is_named_at_once() -> None:
    asked = 'soundex("b_l") = soundex("b_r")'
    text = saved(
        a=[NULL, EXACT, NEAR], b=[null("b"), level(asked, 0.9, 0.1), ELSE], a2=[NULL, ELSE]
    )
    with pytest.raises(SplinkModelRefused) as refused:
        SplinkModel.from_json(text.replace('"a2"', '"a"'), DECLARED.columns)
    assert refused.value.refused == (
        "comparison a: levels that do not end with ELSE",
        "comparison a: another of the same name",
        f"comparison b: the condition {asked}",
        "comparison a: another of the same name",
    )


VALUES = st.one_of(
    st.none(),
    st.sampled_from(
        ["anna", "anne", "hanna", "john", "jonh", "jon", "", "ca", "abc", "Ana", "Aña"]
    ),
    st.text(alphabet="abné日", max_size=8),
)


# To shrink an example takes Splink minutes.
@settings(
    max_examples=25,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
)
@given(
    st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=3, max_size=12),
    st.sampled_from([0.3, 1.0]),
    st.sampled_from([0.0, 0.15]),
)
def test_weights_are_those_of_splink(
    rows: list[tuple[str | None, ...]], weight: float, least: float
) -> None:
    splink = pytest.importorskip("splink", reason="Splink is the oracle here: pip install splink")
    library = pytest.importorskip("splink.comparison_library")
    levels = pytest.importorskip("splink.comparison_level_library")
    backend = pytest.importorskip("splink.internals.duckdb.database_api")
    pandas = pytest.importorskip("pandas")
    rows = rows * LEAST_HOLDERS
    frame = pandas.DataFrame(rows, columns=["a", "b", "c"]).astype("string")
    frame["unique_id"] = range(len(frame))
    adjusted = {"tf_adjustment_weight": weight, "tf_minimum_u_value": least}
    creator = splink.SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            library.CustomComparison(
                output_column_name="first",
                comparison_levels=[
                    levels.NullLevel("a"),
                    levels.ExactMatchLevel("a").configure(
                        tf_adjustment_column="a", m_probability=0.7, u_probability=0.1, **adjusted
                    ),
                    levels.JaroLevel("a", 0.8).configure(
                        tf_adjustment_column="a", m_probability=0.2, u_probability=0.2
                    ),
                    levels.ElseLevel().configure(m_probability=0.1, u_probability=0.7),
                ],
            ),
            library.JaroWinklerAtThresholds("a", [0.9, 0.8]).configure(
                m_probabilities=[0.7, 0.15, 0.1, 0.05], u_probabilities=[0.1, 0.1, 0.2, 0.6]
            ),
            library.LevenshteinAtThresholds("b", [1, 2]).configure(
                m_probabilities=[0.7, 0.15, 0.1, 0.05], u_probabilities=[0.1, 0.1, 0.2, 0.6]
            ),
            library.DamerauLevenshteinAtThresholds("c", [1, 2]).configure(
                m_probabilities=[0.7, 0.2, 0.05, 0.05], u_probabilities=[0.2, 0.2, 1e-12, 0.6]
            ),
        ],
        blocking_rules_to_generate_predictions=["1=1"],
        probability_two_random_records_match=0.05,
    )
    linker = splink.Linker(backend.DuckDBAPI().register(frame), creator)
    columns = {
        name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate("abc")
    }
    table = pa.table(columns)
    model = model_of(json.dumps(linker.misc.save_model_to_json()), table)
    scored = linker.inference.predict().as_pandas_dataframe()
    left = scored["unique_id_l"].to_numpy().astype(np.int32)
    right = scored["unique_id_r"].to_numpy().astype(np.int32)
    weights = Scorer.of(model, table).score(left, right).weights
    assert weights == pytest.approx(scored["match_weight"].to_numpy(), abs=1e-6)
