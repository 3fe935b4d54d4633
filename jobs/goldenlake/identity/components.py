"""Connected components by union-find contraction: each partition keeps a forest, one task joins.

Only what connects survives a partition (a spanning forest has fewer edges than nodes), so the one
joining task sees at most a pair a node and partition, whatever the number of edges. Two passes,
always: chains of any length cost no more.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from goldenlake.identity.links import link_key

TOO_LARGE = "too_large_cluster"
_ROOTS = "record string, root string"
_ROOTS_ARROW = pa.schema({"record": pa.string(), "root": pa.string()})


def connected(records: DataFrame, edges: DataFrame) -> DataFrame:
    """The records with their ``component``, named by its smallest record id.

    ``edges`` are (left_record, right_record) between any of the records; records without an edge
    are components of their own, of whom ``is_alone`` is true.
    """
    pairs = edges.select(F.col("left_record").alias("record"), F.col("right_record").alias("root"))
    forests = pairs.mapInArrow(_roots, _ROOTS)
    roots = forests.repartition(1).mapInArrow(_roots, _ROOTS)
    return (
        records.join(roots.withColumnRenamed("record", "record_id"), on="record_id", how="left")
        .withColumn("component", F.coalesce("root", "record_id"))
        .withColumn("is_alone", F.col("root").isNull())
        .drop("root")
    )


def too_large(clusters: DataFrame) -> DataFrame:
    """Components with groups that were cut, for a steward: (identifier, link_key, reason, records,
    sample_records). ``clusters`` are (record_id, component, is_cut).
    """
    cut = clusters.where("is_cut").groupBy("component")
    return cut.agg(F.count(F.lit(1)).alias("records"), F.max("record_id").alias("_last")).select(
        F.lit("").alias("identifier"),
        component_key(F.col("component")).alias("link_key"),
        F.lit(TOO_LARGE).alias("reason"),
        "records",
        F.array("component", "_last").alias("sample_records"),
    )


def component_key(component: Column) -> Column:
    """What stands for a component in ``identity.review``."""
    return link_key(F.lit(""), component)


def _roots(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """From pairs to a forest: each node with the smallest of its tree, which has itself."""
    found = [batch for batch in batches if batch.num_rows]
    if not found:
        return
    pairs = pa.Table.from_batches(found)
    both = pa.chunked_array(pairs["record"].chunks + pairs["root"].chunks).combine_chunks()
    encoded = both.dictionary_encode()
    # Codes in the order of the record ids, so that the smallest code names the component.
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    codes = rank[encoded.indices.to_numpy()]
    left, right = codes[: pairs.num_rows], codes[pairs.num_rows :]
    names = encoded.dictionary.take(pa.array(order))
    count = len(names)
    links = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(count, count))
    _, labels = connected_components(links, directed=False)
    smallest = np.full(labels.max() + 1, count, dtype=np.int64)
    np.minimum.at(smallest, labels, np.arange(count))
    roots = smallest[labels]
    forest = pa.table([names, names.take(pa.array(roots))], schema=_ROOTS_ARROW)
    yield from forest.to_batches(max_chunksize=50_000)
