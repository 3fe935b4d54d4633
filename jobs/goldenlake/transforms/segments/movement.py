"""How audiences moved between two days, by the ids that customers have today."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

#: Merges of one customer that are followed, one after the other, between two builds.
MOST_HOPS = 8


def follow_merges(
    rows: DataFrame, history: DataFrame, *, after: int, to: int, most_hops: int = MOST_HOPS
) -> DataFrame:
    """The rows with ids of generation ``after`` replaced by those they had become in ``to``.

    ``history`` is identity.history. Two ids that became one leave two rows. A chain of merges
    takes one generation a link, so no more links than generations are looked for.
    """
    hops = min(to - after, most_hops)
    if hops <= 0:
        return rows
    newest = Window.partitionBy("customer_id").orderBy(
        F.desc("generation"), F.asc("other_customer_id")
    )
    merges = (
        history.where(
            (F.col("event") == "merged")
            & (F.col("generation") > after)
            & (F.col("generation") <= to)
            & F.col("other_customer_id").isNotNull()
        )
        .withColumn("_rank", F.row_number().over(newest))
        .where("_rank = 1")
        .select(F.col("customer_id").alias("_old"), F.col("other_customer_id").alias("_new"))
    )
    columns = rows.columns
    for _ in range(hops):
        found = rows.join(merges, F.col("customer_id") == F.col("_old"), how="left")
        todays = F.coalesce("_new", "customer_id").alias("customer_id")
        rows = found.select(*(todays if name == "customer_id" else name for name in columns))
    return rows


def movements(now: DataFrame, before: DataFrame) -> DataFrame:
    """``segment, customer_id, change``: entered, exited or stayed; both frames by today's ids.

    Two members who became one have stayed, once.
    """
    key = ["segment", "customer_id"]
    left = now.select(*key, F.lit(True).alias("_now"))
    right = before.select(*key, F.lit(True).alias("_before")).distinct()
    change = (
        F.when(F.col("_before").isNull(), "entered")
        .when(F.col("_now").isNull(), "exited")
        .otherwise("stayed")
    )
    return left.join(right, key, how="full").select(*key, change.alias("change"))
