"""Accuracy on public data, label-free and at the neutral cut, by one default configuration."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[3]))

from benchmarks.identity_data import SETS
from benchmarks.identity_sets import measured
from support.scenario import real_data

pytestmark = pytest.mark.slow

#: Least pairwise F1 and B-cubed F1.
BARS = {
    "historical_50k": (0.955, 0.960),
    "febrl3": (0.9955, 0.9955),
    "febrl4": (0.9998, 0.9998),
    "febrl3_weak": (0.995, 0.995),
    "febrl3_names_places": (0.98, 0.98),
}


@pytest.mark.parametrize("name", BARS)
def test_public_data_are_matched_without_labels(name: str) -> None:
    real_data("historical_50k" if name == "historical_50k" else "febrl")
    found = measured(SETS[name]())
    assert found["f1"] >= BARS[name][0], found
    assert found["b3_f1"] >= BARS[name][1], found


def test_the_project_s_own_sample_is_matched_with_and_without_identifiers() -> None:
    assert measured(SETS["sample"]())["f1"] >= 0.97
    assert measured(SETS["sample_weak"]())["f1"] >= 0.96
