"""``gold.customers``: one row a customer, with the attributes that survived."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.table import TableColumn


def golden_customers(
    members: DataFrame,
    survived: DataFrame,
    attributes: Sequence[TableColumn],
    *,
    profiles: Collection[str],
    naming: Collection[str],
) -> DataFrame:
    """One row a customer.

    ``survived`` is what ``survivors`` gave. A customer is known who has a record of one of the
    ``profiles`` sources or one of the ``naming`` identifiers; others are visitors. ``updated_on``
    is the newest day on which a record joined or an attribute was observed: it follows from the
    records alone, never from the day of computing.
    """
    grouped = members.groupBy("customer_id").agg(
        F.max(_names_somebody(profiles, naming)).alias("is_known"),
        F.count("record_id").cast("int").alias("records"),
        F.sort_array(F.collect_set("source")).alias("sources"),
        F.min("first_seen_on").alias("first_seen_on"),
        F.min("customer_since").alias("customer_since"),
        F.max("assigned_on").alias("_joined_on"),
    )
    observed_on = F.array_max(
        F.transform(F.map_values("provenance"), lambda of: of["observed_at"].cast("date"))
    )
    return grouped.join(survived, "customer_id", how="left").select(
        "customer_id",
        "is_known",
        *(attribute.name for attribute in attributes),
        "records",
        "sources",
        "first_seen_on",
        "customer_since",
        F.greatest("_joined_on", observed_on).alias("updated_on"),
        F.coalesce(
            "provenance",
            F.create_map().cast(
                "map<string, struct<record_id: string, source: string, observed_at: timestamp>>"
            ),
        ).alias("provenance"),
    )


def _names_somebody(profiles: Collection[str], naming: Collection[str]) -> Column:
    has_identifier = F.exists("identifiers", lambda of: of["name"].isin(sorted(naming)))
    return F.col("source").isin(sorted(profiles)) | F.coalesce(has_identifier, F.lit(False))
