"""Pairs that blocking missed, between records that are nearly together already."""

from __future__ import annotations

import numpy as np

from goldenlake.identity.matching.arrays import Codes, Counts, Floats


def completing(
    cluster: Codes,
    component: Codes,
    left: Codes,
    right: Codes,
    weights: Floats,
    least_weight: float,
) -> tuple[Codes, Codes]:
    """Pairs that are not among the given ones, smaller record first.

    All pairs inside a cluster, and between two clusters of one component that share a pair of at
    least ``least_weight``: so what is added depends on nothing outside the component.
    """
    count = len(cluster)
    _, label = np.unique(cluster, return_inverse=True)
    clusters = int(label.max(initial=-1)) + 1
    members = np.argsort(label, kind="stable").astype(np.int32)
    starts = np.searchsorted(label[members], np.arange(clusters + 1))
    near = (weights >= least_weight) & (component[left] == component[right])
    one, other = _smaller_first(label[left[near]], label[right[near]])
    own = np.arange(clusters, dtype=np.int64)
    pairs = np.unique(np.concatenate([one * clusters + other, own * clusters + own]))
    first, second = _members_of_pairs(pairs // max(clusters, 1), pairs % max(clusters, 1), starts)
    a, b = _smaller_first(members[first], members[second])
    known_a, known_b = _smaller_first(left, right)
    added = np.setdiff1d(a[a != b] * count + b[a != b], known_a * count + known_b)
    return (added // max(count, 1)).astype(np.int32), (added % max(count, 1)).astype(np.int32)


def _smaller_first(one: Codes | Counts, other: Codes | Counts) -> tuple[Counts, Counts]:
    return np.minimum(one, other).astype(np.int64), np.maximum(one, other).astype(np.int64)


def _members_of_pairs(one: Counts, other: Counts, starts: Counts) -> tuple[Counts, Counts]:
    """Places of all pairs of members of pairs of clusters."""
    size = np.diff(starts)
    each = size[one] * size[other]
    pair = np.repeat(np.arange(len(one)), each)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(each) - each, each)
    width = size[other][pair]
    return starts[one][pair] + within // width, starts[other][pair] + within % width
