"""Clerical samples: drawn evenly, and estimates that a full labelling makes exact."""

from __future__ import annotations

import numpy as np
import pytest

from goldenlake.identity.matching.labelling import Labelled, drawn, estimated, wilson

RANDOM = np.random.default_rng(4)
WEIGHTS = RANDOM.normal(0.0, 12.0, 4_000)
JOINED = WEIGHTS + RANDOM.normal(0.0, 3.0, 4_000) > 2.0
TRUE = WEIGHTS + RANDOM.normal(0.0, 6.0, 4_000) > 2.0


def labelled(wanted: int, seed: int = 1) -> list[Labelled]:
    sample = drawn(WEIGHTS, JOINED, wanted, seed)
    found = {}
    for at, stratum in zip(sample.at.tolist(), sample.strata, strict=True):
        found.setdefault(stratum, []).append(bool(TRUE[at]))
    return [
        Labelled(stratum.name, stratum.is_joined, stratum.pairs, len(said), sum(said))
        for stratum, said in found.items()
    ]


def test_pairs_are_drawn_evenly_from_what_is_alike() -> None:
    sample = drawn(WEIGHTS, JOINED, 200, 1)
    assert len(set(sample.at.tolist())) == len(sample.at) == 200
    counts = [sample.strata.count(stratum) for stratum in set(sample.strata)]
    small = [s.pairs for s in set(sample.strata) if s.pairs < min(max(counts), 10)]
    assert max(counts) - min(c for c in counts if c not in small) <= 1
    for at, stratum in zip(sample.at.tolist(), sample.strata, strict=True):
        assert JOINED[at] == stratum.is_joined


def test_the_same_seed_draws_the_same_pairs_and_another_draws_others() -> None:
    one, again, other = (drawn(WEIGHTS, JOINED, 100, seed).at.tolist() for seed in (1, 1, 2))
    assert one == again != other


def test_few_pairs_are_all_drawn() -> None:
    assert sorted(drawn(WEIGHTS[:5], JOINED[:5], 100, 1).at.tolist()) == [0, 1, 2, 3, 4]
    assert drawn(WEIGHTS[:0], JOINED[:0], 100, 1).strata == ()


def test_labels_of_all_pairs_give_the_true_figures() -> None:
    found = estimated(labelled(len(WEIGHTS)))
    assert found.precision.value == pytest.approx((TRUE & JOINED).sum() / JOINED.sum())
    assert found.recall.value == pytest.approx((TRUE & JOINED).sum() / TRUE.sum())


def test_intervals_of_a_sample_hold_the_truth_about_as_often_as_they_say() -> None:
    precision = (TRUE & JOINED).sum() / JOINED.sum()
    recall = (TRUE & JOINED).sum() / TRUE.sum()
    held = []
    for seed in range(60):
        found = estimated(labelled(300, seed))
        held.append(found.precision.low <= precision <= found.precision.high)
        held.append(found.recall.low <= recall <= found.recall.high)
    assert np.mean(held) > 0.9


def test_a_stratum_without_labels_is_named_and_counts_in_nothing() -> None:
    seen = Labelled("seen", True, 100, 10, 9)
    found = estimated([seen, Labelled("unseen", False, 10_000, 0, 0)])
    assert found.unlabelled == ("unseen",)
    assert (found.precision.value, found.recall.value) == (0.9, 1.0)


def test_an_interval_is_open_where_no_label_was_wrong() -> None:
    found = estimated([Labelled("all", True, 1_000, 20, 20)])
    assert found.precision.value == found.precision.high == 1.0
    assert 0.8 < found.precision.low < 0.95


def test_wilsons_interval_is_that_of_the_textbook() -> None:
    found = wilson(8, 10)
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
