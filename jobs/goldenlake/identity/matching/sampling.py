"""Random pairs of records: what strangers agree in is learnt from them."""

from __future__ import annotations

import numpy as np

from goldenlake.identity.matching.arrays import Codes


def random_pairs(
    count: int, wanted: int, seed: int, exclusive: Codes | None = None
) -> tuple[Codes, Codes]:
    """About ``wanted`` pairs of different records, drawn with the seed; all where that is fewer.

    Records of one ``exclusive`` number (records,) from 0 on are not paired.
    """
    if count * (count - 1) // 2 <= wanted:
        left, right = (each.astype(np.int32) for each in np.triu_indices(count, 1))
    else:
        draws = np.random.default_rng(seed).integers(0, count, size=(2, wanted), dtype=np.int32)
        different = draws[0] != draws[1]
        left, right = draws[0][different], draws[1][different]
    if exclusive is not None:
        kept = (exclusive[left] < 0) | (exclusive[left] != exclusive[right])
        left, right = left[kept], right[kept]
    return left, right


def number_of_pairs(count: int, exclusive: Codes | None = None) -> float:
    """How many pairs there are to draw from, at least 1."""
    pairs = count * (count - 1) / 2
    if exclusive is not None:
        alike = np.bincount(exclusive[exclusive >= 0])
        pairs -= float((alike * (alike - 1) / 2).sum())
    return max(pairs, 1.0)
