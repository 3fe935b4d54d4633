"""Stable customer ids: which id each cluster bears, and what became of the ids before.

An id is never reused. An id whose records now lie in several clusters stays with the part that
has most of them; where several ids claim one cluster, the oldest survives and the others redirect
to it. Every choice ends in a unique tie-break, so a rerun gives the same ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

ASSIGNED, MERGED, SPLIT, MOVED, RETIRED = "assigned", "merged", "split", "moved", "retired"

_REDIRECTS = "customer_id string, current_customer_id string"
_CAME, _LEFT = "came", "left"
_STAY = pa.schema({"customer_id": pa.string(), "record_id": pa.string(), "generation": pa.int64()})


def new_id(record_id: Column, base: int, prefix: str) -> Column:
    """The prefix and 20 characters of base32 (0-9, a-v): 100 bits of SHA-256 over record and base.

    ``base`` is the generation that the build starts from: a record whose customer was retired
    gets another id in a later generation, and a rerun of this one gets the same.
    """
    digest = F.sha2(F.concat_ws("\x1f", record_id, F.lit(str(base))), 256)
    parts = [(1, 10, 8), (11, 10, 8), (21, 5, 4)]
    base32 = [
        F.lpad(F.lower(F.conv(F.substring(digest, at, length), 16, 32)), width, "0")
        for at, length, width in parts
    ]
    return F.concat(F.lit(prefix), *base32)


def owners(clusters: DataFrame, previous: DataFrame) -> DataFrame:
    """Which cluster each previous id claims, and whether it keeps it.

    ``clusters`` are (record_id, cluster), ``previous`` (record_id, customer_id, customer_since) of
    the same components. Gives (customer_id, customer_since, cluster, survivor, survivor_since):
    ``survivor`` is the id that the cluster bears; ``cluster`` and ``survivor`` are null where
    none of the id's records is in any cluster any more.
    """
    cells = (
        previous.join(clusters.select("record_id", "cluster"), on="record_id", how="left")
        .groupBy("customer_id", "cluster")
        .agg(
            F.count(F.lit(1)).alias("_records"),
            F.min("record_id").alias("_smallest"),
            F.min("customer_since").alias("customer_since"),
        )
    )
    largest_part = Window.partitionBy("customer_id").orderBy(
        F.desc(F.col("cluster").isNotNull()), F.desc("_records"), F.asc("_smallest")
    )
    claims = (
        cells.withColumn("_rank", F.row_number().over(largest_part))
        .where("_rank = 1")
        .select("customer_id", "customer_since", "cluster")
    )
    oldest_first = Window.partitionBy("cluster").orderBy(
        F.asc_nulls_last("customer_since"), F.asc("customer_id")
    )
    claimed = F.col("cluster").isNotNull()
    return claims.select(
        "*",
        F.when(claimed, F.first("customer_id").over(oldest_first)).alias("survivor"),
        F.when(claimed, F.first("customer_since").over(oldest_first)).alias("survivor_since"),
    )


def assignments(
    clusters: DataFrame, owners: DataFrame, *, base: int, as_of: Column, prefix: str = "c_"
) -> DataFrame:
    """The id of every record: ``clusters``' columns with customer_id, customer_since and is_new.

    A cluster that no id claims gets a new one, born on ``as_of``, which begins with ``prefix``.
    """
    survivors = owners.where(F.col("survivor") == F.col("customer_id")).select(
        "cluster",
        F.col("survivor").alias("_survivor"),
        F.col("survivor_since").alias("_since"),
    )
    born = clusters.groupBy("cluster").agg(F.min("record_id").alias("_smallest"))
    ids = born.join(survivors, on="cluster", how="left").select(
        "cluster",
        F.coalesce("_survivor", new_id(F.col("_smallest"), base, prefix)).alias("customer_id"),
        F.when(F.col("_survivor").isNotNull(), F.col("_since"))
        .otherwise(as_of)
        .alias("customer_since"),
        F.col("_survivor").isNull().alias("is_new"),
    )
    return clusters.join(ids, on="cluster", how="inner")


def events(assignments: DataFrame, previous: DataFrame, owners: DataFrame) -> DataFrame:
    """What became of ids: (customer_id, event, other_customer_id, record_id).

    ``assigned``: a new id of new records. ``split``: a new id that took records from other.
    ``merged``: the id is no more and redirects to other. ``retired``: the id has no records left.
    ``moved``: the record left customer_id, which lives on, for other, which existed before, or
    left a merged id for another than the one that it redirects to.
    """
    none = F.lit(None).cast("string")
    fate = owners.select("customer_id", "survivor")
    lost = fate.where(~F.col("survivor").eqNullSafe(F.col("customer_id"))).select(
        "customer_id",
        F.when(F.col("survivor").isNull(), F.lit(RETIRED)).otherwise(F.lit(MERGED)).alias("event"),
        F.col("survivor").alias("other_customer_id"),
        none.alias("record_id"),
    )
    now = assignments.select("record_id", F.col("customer_id").alias("_now"), "is_new")
    crossed = (
        previous.select("record_id", "customer_id")
        .join(now, on="record_id", how="inner")
        .join(fate, on="customer_id", how="inner")
        .where((F.col("_now") != F.col("customer_id")) & (F.col("_now") != F.col("survivor")))
    )
    splits = (
        crossed.where("is_new")
        .groupBy(F.col("_now"), F.col("customer_id").alias("_from"))
        .agg(F.min("record_id").alias("record_id"))
        .select(
            F.col("_now").alias("customer_id"),
            F.lit(SPLIT).alias("event"),
            F.col("_from").alias("other_customer_id"),
            "record_id",
        )
    )
    moves = crossed.where(~F.col("is_new")).select(
        "customer_id",
        F.lit(MOVED).alias("event"),
        F.col("_now").alias("other_customer_id"),
        "record_id",
    )
    split_off = splits.select("customer_id").distinct()
    births = (
        assignments.where("is_new")
        .groupBy("customer_id")
        .agg(F.min("record_id").alias("record_id"))
        .join(split_off, on="customer_id", how="left_anti")
        .select(
            "customer_id",
            F.lit(ASSIGNED).alias("event"),
            none.alias("other_customer_id"),
            "record_id",
        )
    )
    return lost.unionByName(splits).unionByName(moves).unionByName(births)


def redirects(history: DataFrame) -> DataFrame:
    """Where an id that was merged leads now: (customer_id, current_customer_id).

    Chains are followed to their end. An id is merged at most once, so there is one end, unless
    that end was retired: then the redirect leads to an id that has no records.
    """
    merges = history.where(F.col("event") == MERGED).select(
        "customer_id", F.col("other_customer_id").alias("current_customer_id")
    )
    return merges.repartition(1).mapInArrow(_followed, _REDIRECTS)


def were_of(history: DataFrame) -> DataFrame:
    """Records that history says were a customer's, and did not leave it for another since:
    (customer_id, record_id). A customer's other records it does not name.

    Who is merged into another brings its records along, be they named then or not.
    """
    event, mine = F.col("event"), [F.col(name) for name in _STAY.names]
    other = [F.col("other_customer_id").alias("customer_id"), *mine[1:]]
    came = history.where(event.isin(ASSIGNED, SPLIT) & F.col("record_id").isNotNull()).select(*mine)
    came = came.union(history.where(event == MOVED).select(*other))
    left = history.where(event == MOVED).select(*mine)
    left = left.union(history.where(event == SPLIT).select(*other))

    merges = history.where(event == MERGED)
    led = merges.select("customer_id", "other_customer_id", "generation")
    happened = came.withColumn("kind", F.lit(_CAME)).union(left.withColumn("kind", F.lit(_LEFT)))
    merged = F.broadcast(merges.select("customer_id").distinct())
    of_merged = happened.join(merged, "customer_id", how="left_semi")
    of_merged = of_merged.union(led.withColumn("kind", F.lit(MERGED)))
    schema = "customer_id string, record_id string, generation bigint"
    came = came.union(of_merged.repartition(1).mapInArrow(_brought_along, schema))

    by = ["customer_id", "record_id"]
    last_came = came.groupBy(*by).agg(F.max("generation").alias("_came"))
    last_left = left.groupBy(*by).agg(F.max("generation").alias("_left"))
    stayed = F.col("_left").isNull() | (F.col("_left") < F.col("_came"))
    return last_came.join(last_left, by, how="left").where(stayed).select(*by)


def _brought_along(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """From what became of merged customers, which records came to whom with them, and when."""
    into: dict[str, tuple[str, int]] = {}
    came: list[tuple[str, str, int]] = []
    left: dict[tuple[str, str], list[int]] = defaultdict(list)
    for batch in batches:
        for customer, what, at, kind in zip(*(of.to_pylist() for of in batch.columns), strict=True):
            if kind == MERGED:
                into[customer] = what, at
            elif kind == _LEFT:
                left[customer, what].append(at)
            else:
                came.append((customer, what, at))
    found = []
    for customer, record, since in came:
        here, at = customer, since
        while here in into:
            there, merged_at = into[here]
            if any(at <= when <= merged_at for when in left.get((here, record), ())):
                break
            found.append(dict(zip(_STAY.names, (there, record, merged_at), strict=True)))
            here, at = there, merged_at
    yield pa.RecordBatch.from_pylist(found, schema=_STAY)


def _followed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    into: dict[str, str] = {}
    for batch in batches:
        into.update(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    for start in list(into):
        path = []
        at = start
        while at in into:
            path.append(at)
            at = into[at]
        for passed in path:
            into[passed] = at
    rows = {"customer_id": list(into), "current_customer_id": list(into.values())}
    yield pa.RecordBatch.from_pydict(rows)
