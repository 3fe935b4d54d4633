"""What other thresholds would make of the same scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from goldenlake.identity.matching.arrays import Codes, Floats
from goldenlake.identity.matching.blocking import Candidates
from goldenlake.identity.matching.clustering import Decisions, sizes
from goldenlake.identity.matching.resolution import refined
from goldenlake.identity.matching.scoring import Scorer


@dataclass(frozen=True)
class Threshold:
    """Probabilities at which pairs connect, and at which clusters are joined."""

    edge: float
    cut: float


@dataclass(frozen=True)
class Outcome:
    """The clusters of one threshold."""

    threshold: Threshold
    pairs: int
    """Pairs of blocking that connect."""
    clusters: int
    """Records that are joined to nobody count as clusters of one."""
    several: int
    """Clusters of two records or more."""
    largest: int
    merges: int
    """By so many there are fewer clusters than groups that identifiers alone tie."""


def outcomes(
    scorer: Scorer,
    blocked: Candidates,
    group: Codes,
    thresholds: Sequence[Threshold],
) -> Iterator[Outcome]:
    """Cluster the scorer's records by each threshold; pairs are scored once.

    ``group`` (records,) numbers what declared identifiers tie: a cluster holds whole groups.
    """
    probabilities = scorer.score(blocked.left, blocked.right).probabilities
    groups, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    bound = np.stack([first[inverse], np.arange(len(group))], axis=1).astype(np.int32)
    for threshold in thresholds:
        yield _outcome(scorer, blocked, probabilities, bound, len(groups), threshold)


def _outcome(
    scorer: Scorer,
    blocked: Candidates,
    probabilities: Floats,
    bound: Codes,
    groups: int,
    threshold: Threshold,
) -> Outcome:
    settings = scorer.model.matching.clustering.model_copy(
        update={"edge": threshold.edge, "cut": threshold.cut}
    )
    found = refined(
        scorer, blocked.left, blocked.right, probabilities, settings, Decisions(together=bound)
    )
    each = sizes(found.clusters.cluster)
    return Outcome(
        threshold=threshold,
        pairs=int((probabilities >= threshold.edge).sum()),
        clusters=len(each),
        several=int((each > 1).sum()),
        largest=int(each.max(initial=0)),
        merges=groups - len(each),
    )
