"""What a model did to the customers of a generation."""

from __future__ import annotations

from pyspark.sql import functions as F

from goldenlake.identity.matches import DOUBTFUL, LIKELY
from goldenlake.identity.one_worker import by_links_alone
from goldenlake.ports import Tables
from goldenlake.steps.generations import Generation, read


def matched(tables: Tables, generation: Generation, *, largest: int) -> dict[str, int]:
    """Pairs by strength, ``likely`` and ``doubtful``, and how many customers the likely ones saved.

    ``joined`` is how many more customers links alone would make of the records, with ``largest``
    as in the identity rules. Only customers within which a match lies are looked at.
    """
    edges = read(tables, generation, "identity.edges")
    rows = edges.where(F.col("strength").isin(LIKELY, DOUBTFUL)).groupBy("strength").count()
    counts = dict.fromkeys((LIKELY, DOUBTFUL), 0) | {row[0]: row[1] for row in rows.collect()}
    if not counts[LIKELY]:
        return counts | {"joined": 0}
    customers = read(tables, generation, "identity.customers").select("record_id", "customer_id")
    left, right = (
        customers.select(F.col("record_id").alias(f"{end}_record"), F.col("customer_id").alias(end))
        for end in ("left", "right")
    )
    joined = (
        edges.where(F.col("strength") == LIKELY)
        .join(left, on="left_record", how="inner")
        .join(right, on="right_record", how="inner")
        .where(F.col("left") == F.col("right"))
        .select(F.col("left").alias("customer_id"))
        .distinct()
    )
    members = customers.join(joined, on="customer_id", how="left_semi").localCheckpoint()
    inside = members.select(F.col("record_id").alias("left_record"))
    own = edges.join(inside, on="left_record", how="left_semi")
    alone = by_links_alone(members.select("record_id"), own, largest=largest)
    more = F.count_distinct("cluster") - F.count_distinct("customer_id")
    ((joined_by_model,),) = alone.join(members, on="record_id", how="inner").agg(more).collect()
    return counts | {"joined": joined_by_model}
