"""Clusters held against the truth, by the same code whoever made them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from goldenlake.errors import GoldenlakeError
from goldenlake.identity.matching.evaluation import Evaluation, evaluated, pair_recall


def judged(clusters: Path, truth: Path) -> Evaluation:
    """Compare ``clusters`` (record_id, cluster) with ``truth`` (record_id, person_id).

    Raises:
        GoldenlakeError: a record is missing, or is there twice.
    """
    found = pq.read_table(clusters)
    person = _persons(truth)
    ids = np.asarray(found["record_id"].to_numpy())
    order = np.argsort(ids, kind="stable")
    if not np.array_equal(ids[order], np.arange(len(person))):
        raise GoldenlakeError(
            f"{clusters.name} has {len(ids)} rows for {len(person)} records, or not each of them "
            "once. Every record needs one cluster, those that are alone too."
        )
    numbers = found["cluster"].combine_chunks().dictionary_encode().indices.to_numpy()
    return evaluated(numbers[order].astype(np.int64), person)


def blocking_recall(pairs: Path, truth: Path) -> float:
    """The share of true pairs among ``pairs`` (left, right), distinct pairs of record ids."""
    found = pq.read_table(pairs)
    return pair_recall(found["left"].to_numpy(), found["right"].to_numpy(), _persons(truth))


def _persons(truth: Path) -> NDArray[np.int64]:
    """By record; the file is in their order."""
    return np.asarray(pq.read_table(truth)["person_id"].to_numpy())
