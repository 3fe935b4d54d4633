"""How right clusters are, where the truth is known: pairwise and B-cubed, without Spark.

The same figures as ``goldenlake.identity.accuracy`` gives for tables, from arrays. Counts come from
the contingency table of cluster × person, so that no pair is enumerated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from goldenlake.identity.matching.arrays import Codes, Counts


@dataclass(frozen=True)
class Evaluation:
    """Shares between 0 and 1; a share of nothing is 1."""

    precision: float
    recall: float
    f1: float
    b3_precision: float
    b3_recall: float
    b3_f1: float
    sizes: dict[int, int]
    """Number of clusters of each size."""

    @property
    def largest(self) -> int:
        """Records of the largest cluster."""
        return max(self.sizes, default=0)


def evaluated(cluster: Codes | Counts, person: Codes | Counts) -> Evaluation:
    """Compare two labellings of the same records: (records,) each, whatever the labels are.

    B-cubed (Bagga and Baldwin 1998) is the mean, over records, of the share of its cluster (its
    person) that is rightly with it.
    """
    found = np.unique(cluster, return_inverse=True)[1].astype(np.int64)
    true = np.unique(person, return_inverse=True)[1].astype(np.int64)
    persons = int(true.max(initial=-1)) + 1
    cells, shared = np.unique(found * max(persons, 1) + true, return_counts=True)
    found_sizes, true_sizes = np.bincount(found), np.bincount(true)
    right = _pairs(shared)
    precision = share(right, _pairs(found_sizes))
    recall = share(right, _pairs(true_sizes))
    squares = shared.astype(np.float64) ** 2
    b3_precision = share((squares / found_sizes[cells // max(persons, 1)]).sum(), len(found))
    b3_recall = share((squares / true_sizes[cells % max(persons, 1)]).sum(), len(found))
    sizes, clusters = np.unique(found_sizes, return_counts=True)
    return Evaluation(
        precision=precision,
        recall=recall,
        f1=harmonic(precision, recall),
        b3_precision=b3_precision,
        b3_recall=b3_recall,
        b3_f1=harmonic(b3_precision, b3_recall),
        sizes=dict(zip(sizes.tolist(), clusters.tolist(), strict=True)),
    )


def pair_recall(left: Codes, right: Codes, person: Codes | Counts) -> float:
    """The share of true pairs that are among these distinct ones: what blocking lets through."""
    true = np.unique(person, return_counts=True)[1]
    return share(int((person[left] == person[right]).sum()), _pairs(true))


def _pairs(sizes: Counts) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def share(part: float, whole: float) -> float:
    """A part of a whole; a share of nothing is 1."""
    return float(part / whole) if whole else 1.0


def harmonic(one: float, other: float) -> float:
    """The harmonic mean, which F1 is."""
    return 2 * one * other / (one + other) if one + other else 0.0
