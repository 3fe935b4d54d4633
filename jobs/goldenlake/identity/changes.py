"""What must be written: the difference between what a build found and what its tables hold.

Every function gives only rows that change something, so that a night in which nothing changed
writes nothing, and a row in which all but the key is null means that the row goes.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.identity import ids

MEMBERSHIP, DATA, GONE = "membership", "data", "gone"

_EDGE_KEY = ["left_record", "right_record", "identifier", "link_key"]
_REVIEW_KEY = ["identifier", "link_key"]


def edge_changes(desired: DataFrame, existing: DataFrame, as_of: Column) -> DataFrame:
    """Edges to insert, to update, and (``strength`` null) to retire: EDGES' columns, ``_is_known``.

    An edge that stays keeps the day on which it was first linked.
    """
    said = ["strength", "rule", "weight", "model"]
    before = existing.select(
        *_EDGE_KEY,
        *[F.col(name).alias(f"_{name}") for name in said],
        F.col("linked_on").alias("_linked_on"),
    )
    differs = F.lit(False)
    for name in said:
        differs |= ~F.col(name).eqNullSafe(F.col(f"_{name}"))
    return (
        desired.join(before, on=_EDGE_KEY, how="full")
        .where(differs)
        .select(
            *_EDGE_KEY,
            *said,
            F.coalesce("_linked_on", as_of).alias("linked_on"),
            F.col("_linked_on").isNotNull().alias("_is_known"),
        )
    )


def customer_changes(assignments: DataFrame, previous: DataFrame, as_of: Column) -> DataFrame:
    """Rows of CUSTOMERS that change, with ``_old_customer_id``; gone where customer_id is null."""
    before = previous.select(
        "record_id",
        F.col("customer_id").alias("_old_customer_id"),
        F.col("component").alias("_component"),
        F.col("link_group").alias("_link_group"),
        F.col("assigned_on").alias("_assigned_on"),
    )
    stays = F.col("customer_id").eqNullSafe(F.col("_old_customer_id"))
    differs = ~stays
    for name in ("component", "link_group"):
        differs |= ~F.col(name).eqNullSafe(F.col(f"_{name}"))
    return (
        assignments.join(before, on="record_id", how="full")
        .where(differs)
        .select(
            "record_id",
            "customer_id",
            F.when(stays, F.col("_assigned_on")).otherwise(as_of).alias("assigned_on"),
            "customer_since",
            "component",
            "link_group",
            "_old_customer_id",
        )
    )


def review_changes(found: DataFrame, existing: DataFrame, as_of: Column) -> DataFrame:
    """Rows of REVIEW that change; where ``reason`` is null the value links again."""
    said = ["reason", "records", "sample_records"]
    before = existing.select(*_REVIEW_KEY, *[F.col(name).alias(f"_{name}") for name in said])
    differs = F.lit(False)
    for name in said:
        differs |= ~F.col(name).eqNullSafe(F.col(f"_{name}"))
    return (
        found.join(before, on=_REVIEW_KEY, how="full")
        .where(differs)
        .select(*_REVIEW_KEY, *said, as_of.alias("as_of"))
    )


def touched_customers(
    changes: DataFrame, events: DataFrame, customers: DataFrame, seen: DataFrame | None
) -> DataFrame:
    """Customers that other tables must be computed anew for: TOUCHED's columns.

    ``customers`` is the new membership; ``seen`` (record_id) are the records with new or changed
    rows in silver, None meaning all of them.
    """
    crossed = changes.where(~F.col("customer_id").eqNullSafe(F.col("_old_customer_id")))
    membership = crossed.select(
        F.explode(F.array_compact(F.array("customer_id", "_old_customer_id"))).alias("customer_id"),
        F.lit(1).alias("_rank"),
    )
    with_data = customers if seen is None else customers.join(seen, on="record_id", how="left_semi")
    data = with_data.select("customer_id", F.lit(2).alias("_rank"))
    lost = events.where(F.col("event").isin(ids.MERGED, ids.RETIRED))
    gone = lost.select("customer_id", F.lit(0).alias("_rank"))
    change = F.when(F.col("_rank") == 0, GONE).when(F.col("_rank") == 1, MEMBERSHIP).otherwise(DATA)
    return (
        gone.unionByName(membership)
        .unionByName(data)
        .groupBy("customer_id")
        .agg(F.min("_rank").alias("_rank"))
        .select("customer_id", change.alias("change"))
    )
