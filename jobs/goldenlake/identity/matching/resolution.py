"""From records and a frozen model to clusters: blocking, scores, components, linkage."""

from __future__ import annotations

from dataclasses import dataclass

from goldenlake.declarations.matching import Clustering
from goldenlake.identity.matching.arrays import Codes, Counts, Floats
from goldenlake.identity.matching.blocking import Candidates, blocks_of, candidates
from goldenlake.identity.matching.clustering import (
    Clusters,
    Decisions,
    clustered,
    pairs_within,
    parts_of,
)
from goldenlake.identity.matching.keys import keys_of
from goldenlake.identity.matching.scoring import Scorer


@dataclass(frozen=True)
class Resolution:
    """Clusters, and the scored pairs behind them."""

    clusters: Clusters
    left: Codes
    right: Codes
    weights: Floats
    """All pairs within components, those that blocking missed too."""


def blocked(scorer: Scorer, decisions: Decisions | None = None) -> Candidates:
    """The pairs of the scorer's records that share a key."""
    matching = scorer.model.matching
    keys = keys_of(scorer.records, matching)
    blocks = blocks_of(scorer.records.count, keys, matching.blocking.most_records)
    return candidates(blocks, decisions.exclusive if decisions else None)


def resolve(
    scorer: Scorer, decisions: Decisions | None = None, order: Counts | None = None
) -> Resolution:
    """Resolve the scorer's records in one go."""
    pairs = blocked(scorer, decisions)
    probabilities = scorer.score(pairs.left, pairs.right).probabilities
    settings = scorer.model.matching.clustering
    return refined(scorer, pairs.left, pairs.right, probabilities, settings, decisions, order)


def refined(
    scorer: Scorer,
    left: Codes,
    right: Codes,
    probabilities: Floats,
    settings: Clustering,
    decisions: Decisions | None = None,
    order: Counts | None = None,
) -> Resolution:
    """Connect records by scored pairs, score all pairs within components, and cluster those.

    So a pair that blocking missed does not count as a probability of 0, and a cluster is a function
    of its component's records alone, whatever keys brought them together.
    """
    count = scorer.records.count
    parts = parts_of(count, left, right, probabilities, settings, decisions)
    one, other = pairs_within(parts.part, decisions.exclusive if decisions else None)
    scores = scorer.score(one, other)
    found = scores.probabilities
    clusters = clustered(
        count, one, other, found, settings, decisions, order, scores.evidence, parts
    )
    return Resolution(clusters, one, other, scores.weights)
