"""Charts of a model: weights by level, and a made-up pair whose bars add up."""

from __future__ import annotations

import re
from math import log2

import pytest

from goldenlake.reporting.match_charts import (
    level_weights,
    sample_pair,
    waterfall,
    weights_chart,
)
from support.match_model import MODEL


def test_a_level_weighs_how_much_commoner_it_is_among_matches_whatever_the_others_say() -> None:
    found = level_weights(MODEL)
    assert found == {
        "name": {
            "exact": pytest.approx(log2(0.8 / 0.1)),
            "differs": pytest.approx(log2(0.2 / 0.9)),
        },
        "town": {
            "exact": pytest.approx(log2(0.85 / 0.5)),
            "differs": pytest.approx(log2(0.15 / 0.5)),
        },
        "born": {"exact": pytest.approx(log2(80)), "differs": pytest.approx(log2(0.2 / 0.99))},
    }


def test_the_sample_pair_agrees_as_most_matches_do_and_differs_where_they_mostly_differ() -> None:
    assert sample_pair(MODEL) == [
        ("two records at random", pytest.approx(-10)),
        ("name: exact, town: exact", pytest.approx(log2(14))),
        ("born: differs", pytest.approx(log2(0.2 / 0.99))),
    ]


def test_matches_that_never_differ_have_a_sample_pair_too() -> None:
    only = {"prior": 0.5, "tables": [{**MODEL["tables"][1], "m": [1.0, 0.5, 0.5]}]}
    only["tables"][0]["u"] = [1.0, 0.5, 0.5]
    assert sample_pair(only) == [("two records at random", 0.0), ("born: exact", 0.0)]


def test_each_bar_of_a_waterfall_begins_where_the_one_before_ended() -> None:
    chart = str(waterfall([("prior", -10.0), ("name", 12.0), ("born", -2.0), ("town", 4.0)]))
    bars = re.findall(r'class="(\w+)" x="([\d.]+)" y="\d+" width="([\d.]+)"', chart)
    edges = [(sign, float(x), float(x) + float(width)) for sign, x, width in bars]
    assert [sign for sign, _, _ in edges] == ["against", "for", "against", "for", "for"]
    prior, name, born, town, total = [
        (right, left) if sign == "against" else (left, right) for sign, left, right in edges
    ]
    for before, after in ((prior, name), (name, born), (born, town)):
        assert before[1] == pytest.approx(after[0], abs=0.2)
    assert total[0] == pytest.approx(prior[0], abs=0.2)
    assert total[1] == pytest.approx(town[1], abs=0.2)
    assert "probability 94.1%" in chart
    assert "−10.0" in chart
    assert "probability &gt;99.9%" in waterfall([("name", 30.0)])


def test_charts_hold_levels_and_no_values_and_what_looks_like_markup_is_none() -> None:
    evil = {**MODEL, "tables": [{**MODEL["tables"][1], "comparisons": ["<script>"]}]}
    for chart in (weights_chart(evil), waterfall(sample_pair(evil))):
        assert "<script" not in chart
        assert "&lt;script&gt;" in chart
        assert "1980" not in chart
    assert weights_chart(MODEL).count("<rect") == 6
