"""Everything in one worker, where a lake fits it: pairs, scores, components and people in one go.

``matches`` and ``refinement`` divide a lake among workers, by keys and by components, and send most
records twice. A lake that fits one worker is sent once. The kernels are the same, and so are the
pairs and the people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import Broadcast
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from goldenlake.identity import refinement
from goldenlake.identity.matches import (
    PAIRS,
    PAIRS_ARROW,
    Probable,
    admitted,
    compared_columns,
    has_look,
    loaded,
    no_keys,
)
from goldenlake.identity.records import is_matchable
from goldenlake.identity.refinement import (
    CLUSTERS,
    CLUSTERS_ARROW,
    TIE_LISTS,
    Codes,
    Graph,
    refined_groups,
    tied,
    told,
)

if TYPE_CHECKING:
    from goldenlake.identity.matching.blocking import Candidates
    from goldenlake.identity.matching.model import Model

MOST_RECORDS = 4_000_000
"""That one worker takes, at some 1.2 KB each with their keys, pairs and scores."""

MOST_AT_ONCE = 20_000_000
"""Pairs that are looked at before their scores are, 12 bytes each."""

PAIR, _RECORD, KEY = "pair", "record", "key"
_TIES = TIE_LISTS.value_type.names
_KEYS = "key bigint, records bigint"
_KEYS_ARROW = pa.schema({"key": pa.int64(), "records": pa.int64()})
ANSWER = f"kind string, {PAIRS}, {CLUSTERS}, {_KEYS}"
ANSWER_ARROW = pa.schema(
    [pa.field("kind", pa.string()), *PAIRS_ARROW, *CLUSTERS_ARROW, *_KEYS_ARROW]
)


@dataclass(frozen=True)
class Answer:
    """Rows of several kinds, of which each has its own columns."""

    rows: DataFrame

    @property
    def pairs(self) -> DataFrame:
        """As ``matches.scored`` gives them."""
        return self.of(PAIR, *PAIRS_ARROW.names)

    def refused(self) -> pa.Table:
        """As ``matches.refused`` gives it."""
        return self.of(KEY, *_KEYS_ARROW.names).toArrow().sort_by("key")

    def of(self, kind: str, *columns: str) -> DataFrame:
        """Rows of one kind."""
        return self.rows.where(F.col("kind") == kind).select(*columns)


@dataclass(frozen=True)
class Resolved(Answer):
    """What one worker made of all records."""

    @property
    def clusters(self) -> DataFrame:
        """As ``refinement.clusters`` gives them."""
        return self.of(_RECORD, *CLUSTERS_ARROW.names)


def fits(records: int) -> bool:
    """Whether so many records are one worker's."""
    return records <= MOST_RECORDS


def resolved(
    records: DataFrame,
    edges: DataFrame,
    *,
    cap: int,
    largest: int,
    columns: list[str],
    model: Broadcast[str] | None,
    keep: Callable[[DataFrame], DataFrame],
) -> Resolved:
    """Match the records by their keys, and cluster them by those matches and by the edges.

    Args:
        records: (record_id, profile, keys) of whole components, keys in order; where all pairs are
            among the edges already, no keys.
        edges: (left_record, right_record, link_key, strength, weight) that begin at these records.
        cap: a key on more records than this makes no pairs.
        largest: as in ``refinement.clusters``.
        columns: that the model compares.
        model: as JSON; without one nothing is matched, and ``profile`` not looked at.
        keep: computes rows once, when they are first looked at.
    """
    looks = compared_columns(columns, is_matchable())
    nodes = records.select("record_id", "keys", *looks)
    rows = nodes.unionByName(tied(edges), allowMissingColumns=True)
    work = partial(_resolved, cap, largest, model, cores_of_a_task(records.sparkSession))
    return Resolved(keep(rows.coalesce(1).mapInArrow(work, ANSWER)))


def clusters(
    records: DataFrame,
    edges: DataFrame,
    *,
    largest: int,
    columns: list[str],
    model: Broadcast[str] | None,
    at_once: bool,
) -> DataFrame:
    """As ``refinement.clusters``, which see; in one worker where it takes them ``at_once``."""
    if not at_once:
        return refinement.clusters(records, edges, largest=largest, columns=columns, model=model)
    return resolved(
        records.withColumn("keys", no_keys()),
        edges,
        cap=0,
        largest=largest,
        columns=columns,
        model=model,
        keep=lambda rows: rows,
    ).clusters


def cores_of_a_task(spark: SparkSession) -> int:
    """That a task can use where no other runs beside it."""
    context, default = spark.sparkContext, "1"
    if (context.master or "").startswith("local"):
        return context.defaultParallelism
    return int(context.getConf().get("spark.executor.cores", default) or default)


def _resolved(
    cap: int,
    largest: int,
    model: Broadcast[str] | None,
    threads: int,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    rows, known = gathered(batches, model)
    if rows is None:
        return
    is_tie = pc.is_valid(rows["right_record"])
    ties = rows.filter(is_tie).select(["record_id", *_TIES])
    nodes = rows.filter(pc.invert(is_tie)).drop_columns(_TIES)
    del rows
    if not nodes.num_rows:
        return
    nodes = nodes.sort_by("record_id")
    ids = nodes["record_id"].combine_chunks()
    graph = Graph.between(ids, pc.index_in(ties["record_id"].combine_chunks(), ids), ties)
    parts = (
        _by_links(ids, graph, largest)
        if known is None
        else _by_model(nodes.drop_columns("record_id"), ids, graph, cap, largest, known, threads)
    )
    for kind, part in parts:
        yield from answered(kind, part)


def gathered(
    batches: Iterator[pa.RecordBatch], model: Broadcast[str] | None
) -> tuple[pa.Table | None, Model | None]:
    """All rows, None where there are none, and the model.

    To load what matching needs takes seconds, as long as records take to come.
    """
    with ThreadPoolExecutor(1) as beside:
        loading = None if model is None else beside.submit(_loaded, model)
        found = [batch for batch in batches if batch.num_rows]
        known = None if loading is None else loading.result()
    return (pa.Table.from_batches(found) if found else None), known


def _loaded(model: Broadcast[str]) -> Model:
    # Arrow asks for pandas where it is first given a list.
    import pandas  # noqa: F401

    from goldenlake.identity.matching import blocking, keys, resolution, scoring  # noqa: F401

    return loaded(model)


def _by_links(ids: pa.Array, graph: Graph, largest: int) -> Iterator[tuple[str, pa.Table]]:
    group, is_cut = graph.groups(largest)
    yield _RECORD, told(ids, graph, group, group, is_cut)


def _by_model(
    nodes: pa.Table,
    ids: pa.Array,
    links: Graph,
    cap: int,
    largest: int,
    model: Model,
    threads: int,
) -> Iterator[tuple[str, pa.Table]]:
    from goldenlake.identity.matching.scoring import Scorer

    keys, looks = nodes["keys"].combine_chunks(), nodes.drop_columns("keys")
    refused = _refused(keys, cap)
    yield KEY, refused
    compared = _comparable(keys, looks, links)
    place = np.full(len(ids), -1, dtype=np.int32)
    place[compared] = np.arange(len(compared), dtype=np.int32)
    every: list[Probable] = []
    # Pairs are found by compiled code while values are read by Python's own, and others scored.
    with ThreadPoolExecutor(1) as beside:
        parts = _pairs(keys, refused, model)
        finding = beside.submit(next, parts, None)
        scorer = Scorer.of(model, looks.take(pa.array(compared)), threads=threads)
        known = ids.take(pa.array(compared))
        while (pairs := finding.result()) is not None:
            finding = beside.submit(next, parts, None)
            every.append(Probable.among(pairs, place, scorer))
            yield PAIR, every[-1].told(known, model)
    graph = links.with_matches(
        compared[np.concatenate([each.left for each in every])],
        compared[np.concatenate([each.right for each in every])],
        np.concatenate([each.weight for each in every]),
        np.concatenate([each.is_likely for each in every]),
    )
    group, is_cut = graph.groups(largest)
    joined = refined_groups(graph, group, compared, scorer)
    cluster = group if joined is None else joined.clusters(group)
    yield _RECORD, told(ids, graph, cluster, group, is_cut)


def _pairs(lists: pa.ListArray, refused: pa.Table, model: Model) -> Iterator[Candidates]:
    from goldenlake.identity.matching.blocking import blocks_among, candidates, sliced
    from goldenlake.identity.matching.keys import rule_names

    starts, keys = admitted(lists, refused["key"].to_numpy())
    every = np.ones(len(keys), dtype=np.bool_)
    blocks = blocks_among(starts, keys, every, rule_names(model.matching))
    yield from map(candidates, sliced(blocks, MOST_AT_ONCE))


def _refused(lists: pa.ListArray, cap: int) -> pa.Table:
    keys, size = np.unique(lists.flatten().to_numpy(), return_counts=True)
    over = size > cap
    return pa.table({"key": keys[over], "records": size[over]})


def _comparable(keys: pa.ListArray, looks: pa.Table, links: Graph) -> Codes:
    """Records that the model may have to look at: with a key, or linked."""
    reached = pc.greater(keys.value_lengths(), 0).to_numpy(zero_copy_only=False)
    for ends in (links.left, links.right):
        reached[ends] = True
    return np.flatnonzero(reached & has_look(looks)).astype(np.int64)


def answered(kind: str, part: pa.Table) -> Iterator[pa.RecordBatch]:
    """Rows of one kind with the columns of all, null where they are another's."""
    for batch in part.to_batches(max_chunksize=50_000):
        columns = [
            pa.repeat(kind, batch.num_rows)
            if field.name == "kind"
            else batch[field.name].cast(field.type)
            if field.name in batch.schema.names
            else pa.nulls(batch.num_rows, field.type)
            for field in ANSWER_ARROW
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=ANSWER_ARROW)
