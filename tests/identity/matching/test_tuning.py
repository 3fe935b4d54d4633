"""Thresholds tried on one set of scores, against resolving by each."""

from __future__ import annotations

import numpy as np
import pytest

from goldenlake.identity.matching.resolution import blocked, resolve
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.training import Trained, train
from goldenlake.identity.matching.tuning import Threshold, outcomes
from support.matching import matching, population

AT = [Threshold(0.5, 0.5), Threshold(0.9, 0.5), Threshold(0.999, 0.999)]


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(population(150, household=2)[0], matching())


@pytest.fixture(scope="module")
def scorer(trained: Trained) -> Scorer:
    return Scorer.of(trained.model, population(60, seed=2, household=2)[0])


def test_each_threshold_gives_the_clusters_of_a_model_that_has_it(scorer: Scorer) -> None:
    alone = np.arange(scorer.records.count, dtype=np.int32)
    for outcome in outcomes(scorer, blocked(scorer), alone, AT):
        clustering = scorer.model.matching.clustering.model_copy(
            update={"edge": outcome.threshold.edge, "cut": outcome.threshold.cut}
        )
        matched = scorer.model.matching.model_copy(update={"clustering": clustering})
        model = scorer.model.model_copy(update={"matching": matched})
        found = resolve(Scorer(model, scorer.records, scorer.terms)).clusters.cluster
        sizes = np.unique(found, return_counts=True)[1]
        assert (outcome.clusters, outcome.largest) == (len(sizes), max(sizes))
        assert outcome.several == (sizes > 1).sum()
        assert outcome.merges == len(alone) - outcome.clusters


def test_a_higher_threshold_connects_fewer_pairs(scorer: Scorer) -> None:
    alone = np.arange(scorer.records.count, dtype=np.int32)
    pairs = [each.pairs for each in outcomes(scorer, blocked(scorer), alone, AT)]
    assert pairs == sorted(pairs, reverse=True)
    assert pairs[0] > pairs[-1] > 0


def test_what_identifiers_tie_stays_together_and_is_no_merge(scorer: Scorer) -> None:
    together = np.zeros(scorer.records.count, dtype=np.int32)
    (found,) = outcomes(scorer, blocked(scorer), together, AT[:1])
    assert (found.clusters, found.largest, found.merges) == (1, scorer.records.count, 0)
