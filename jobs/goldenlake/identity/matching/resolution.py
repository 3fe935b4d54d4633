"""From records and a frozen model to clusters: blocking, scores, components, completion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from goldenlake.declarations.matching import Clustering
from goldenlake.identity.matching.arrays import Codes, Counts, Floats
from goldenlake.identity.matching.blocking import Candidates, blocks_of, candidates
from goldenlake.identity.matching.clustering import Clusters, Decisions, clustered
from goldenlake.identity.matching.completion import completing
from goldenlake.identity.matching.em import probability
from goldenlake.identity.matching.keys import keys_of
from goldenlake.identity.matching.scoring import Scorer, Scores


@dataclass(frozen=True)
class Resolution:
    """Clusters, and the scored pairs behind them."""

    clusters: Clusters
    left: Codes
    right: Codes
    weights: Floats
    blocked: Candidates
    """The pairs of blocking alone; those after them were added to complete components."""


def resolve(
    scorer: Scorer, decisions: Decisions | None = None, order: Counts | None = None
) -> Resolution:
    """Resolve the scorer's records in one go."""
    matching = scorer.model.matching
    exclusive = decisions.exclusive if decisions else None
    keys = keys_of(scorer.records, matching)
    blocks = blocks_of(scorer.records.count, keys, matching.blocking.most_records)
    blocked = candidates(blocks, exclusive)
    scores = scorer.score(blocked.left, blocked.right)
    return refined(scorer, blocked, scores, matching.clustering, decisions, order)


def refined(
    scorer: Scorer,
    blocked: Candidates,
    scores: Scores,
    settings: Clustering,
    decisions: Decisions | None = None,
    order: Counts | None = None,
) -> Resolution:
    """Cluster scored pairs, score what is missing inside their components, cluster again.

    The second clustering sees every pair that matters, so that a pair which blocking missed does
    not count as a probability of 0. Both are functions of the component alone.
    """
    count = scorer.records.count
    left, right, weights, evidence = blocked.left, blocked.right, scores.weights, scores.evidence
    fixed = settings, decisions, order
    first = clustered(count, left, right, probability(weights), *fixed, evidence)
    missing = completing(
        first.cluster, first.component, left, right, weights, settings.completion_weight
    )
    added = scorer.score(*missing)
    left, right = np.concatenate([left, missing[0]]), np.concatenate([right, missing[1]])
    weights = np.concatenate([weights, added.weights])
    evidence = np.concatenate([evidence, added.evidence])
    final = clustered(count, left, right, probability(weights), *fixed, evidence)
    return Resolution(final, left, right, weights, blocked)
