"""Average linkage within components, with decisions that hold, compiled."""

from __future__ import annotations

import numpy as np

from goldenlake.identity.matching.arrays import Codes, Counts, Flags, Floats
from goldenlake.identity.matching.compiled import compiled


@compiled
def _look_again(
    one: int,
    sums: Floats,
    evidence: Floats,
    apart: Flags,
    alive: Flags,
    best: Codes,
    mean: Floats,
) -> None:
    """Find the nearest cluster of one, the first of equals."""
    best[one] = -1
    mean[one] = -1.0
    for other in range(len(sums)):
        if other != one and alive[other] and not apart[one, other]:
            value = sums[one, other] / evidence[one, other]
            if value > mean[one]:
                mean[one] = value
                best[one] = other


@compiled
def _join(
    kept: int, gone: int, sums: Floats, evidence: Floats, apart: Flags, alive: Flags, label: Codes
) -> None:
    """Put one cluster into another that begins earlier."""
    alive[gone] = False
    for one in range(len(sums)):
        if label[one] == gone:
            label[one] = kept
        if alive[one] and one != kept:
            sums[kept, one] += sums[gone, one]
            sums[one, kept] = sums[kept, one]
            evidence[kept, one] += evidence[gone, one]
            evidence[one, kept] = evidence[kept, one]
            apart[kept, one] = apart[kept, one] or apart[gone, one]
            apart[one, kept] = apart[kept, one]


@compiled
def average_linkage(
    sums: Floats,
    evidence: Floats,
    together: Codes,
    apart: Flags,
    cut: float,
    joins: Codes,
    means: Floats,
) -> Codes:
    """Clusters of one component: for each record the number of its cluster's first record.

    ``evidence`` (records, records) weighs pairs, and ``sums`` (records, records) holds each pair's
    probability times its evidence; ``together`` (records,) names the first record of those that
    must share a cluster, and ``apart`` (records, records) marks pairs that must not. All matrices
    are used up. ``joins`` (records, 2) takes the first records of the two clusters of each join, in
    order, and ``means`` (records,) the mean probability between them; rows behind the last stay.

    Again and again the two clusters with the largest mean probability between them, weighed by
    evidence, are joined, as long as that is at least ``cut`` (Sokal and Michener 1958); of equal
    means the pair with the smallest first record goes first, then that with the smallest second.
    So the result is a function of the component and of the order of its records.
    """
    count = len(sums)
    label = np.arange(count).astype(np.int32)
    alive = np.ones(count, dtype=np.bool_)
    for one in range(count):
        if together[one] != one:
            _join(together[one], one, sums, evidence, apart, alive, label)
    best = np.full(count, -1).astype(np.int32)
    mean = np.full(count, -1.0)
    found = 0
    for one in range(count):
        if alive[one]:
            _look_again(one, sums, evidence, apart, alive, best, mean)
    while True:
        kept = -1
        for one in range(count):
            if alive[one] and mean[one] >= cut and (kept < 0 or mean[one] > mean[kept]):
                kept = one
        if kept < 0:
            return label
        # Of two equals this is the earlier: had its partner come before it, that had been kept.
        gone = best[kept]
        joins[found, 0], joins[found, 1], means[found] = kept, gone, mean[kept]
        found += 1
        _join(kept, gone, sums, evidence, apart, alive, label)
        _look_again(kept, sums, evidence, apart, alive, best, mean)
        for one in range(count):
            if not alive[one] or one == kept:
                continue
            if best[one] == kept or best[one] == gone:
                _look_again(one, sums, evidence, apart, alive, best, mean)
            elif not apart[one, kept]:
                value = sums[one, kept] / evidence[one, kept]
                if value > mean[one] or (value == mean[one] and kept < best[one]):
                    mean[one] = value
                    best[one] = kept


@compiled
def refine_all(
    starts: Counts,
    together: Codes,
    exclusive: Codes,
    pair_starts: Counts,
    pairs: Codes,
    probabilities: Floats,
    evidence: Floats,
    apart_starts: Counts,
    apart_pairs: Codes,
    cut: float,
    joins: Codes,
    means: Floats,
) -> Codes:
    """Average linkage of many components: for each place the place of its cluster's first record.

    Records stand in the order of their components: component c has the places ``starts[c]`` up to
    ``starts[c + 1]``. ``pairs`` and ``apart_pairs`` (pairs, 2) hold places, sorted by component in
    the same way; a pair that is not among them has probability 0 and evidence 1. ``together`` holds
    for each place the first one that it must share a cluster with; places of one ``exclusive``
    number from 0 on must not. ``joins`` (places, 2), filled with -1, and ``means`` (places,) take
    the joins of each component from its first place on; see ``average_linkage``.
    """
    out = np.arange(starts[-1]).astype(np.int32)
    for component in range(len(starts) - 1):
        first, end = starts[component], starts[component + 1]
        count = end - first
        if count < 2:
            continue
        sums = np.zeros((count, count))
        weighed = np.ones((count, count))
        apart = np.zeros((count, count), dtype=np.bool_)
        for at in range(pair_starts[component], pair_starts[component + 1]):
            one, other = pairs[at, 0] - first, pairs[at, 1] - first
            weighed[one, other] = evidence[at]
            weighed[other, one] = evidence[at]
            sums[one, other] = probabilities[at] * evidence[at]
            sums[other, one] = sums[one, other]
        for at in range(apart_starts[component], apart_starts[component + 1]):
            one, other = apart_pairs[at, 0] - first, apart_pairs[at, 1] - first
            apart[one, other] = True
            apart[other, one] = True
        for one in range(count):
            for other in range(one):
                if (
                    exclusive[first + one] >= 0
                    and exclusive[first + one] == exclusive[first + other]
                ):
                    apart[one, other] = True
                    apart[other, one] = True
        label = average_linkage(
            sums,
            weighed,
            together[first:end] - np.int32(first),
            apart,
            cut,
            joins[first:end],
            means[first:end],
        )
        out[first:end] = label + np.int32(first)
        for at in range(first, end):
            if joins[at, 0] >= 0:
                joins[at, 0] += first
                joins[at, 1] += first
    return out
