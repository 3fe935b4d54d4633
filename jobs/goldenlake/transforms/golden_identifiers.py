"""``gold.identifiers``: the values that a customer is known by."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

COLUMNS = ("customer_id", "identifier", "value", "sources", "records", "is_linking")


def golden_identifiers(values: DataFrame, withheld: DataFrame) -> DataFrame:
    """One row a customer, identifier and value.

    ``values`` is what ``identifier_values`` gave with ``link_key``; ``withheld`` names by
    ``link_key`` the values that must link nobody, because they are blocked or too common.
    """
    kept_back = withheld.select("link_key").distinct().withColumn("is_linking", F.lit(False))
    return (
        values.groupBy("customer_id", "identifier", "value", "link_key")
        .agg(
            F.sort_array(F.collect_set("source")).alias("sources"),
            F.count_distinct("record_id").cast("int").alias("records"),
        )
        .join(kept_back, "link_key", how="left")
        .withColumn("is_linking", F.coalesce("is_linking", F.lit(True)))
        .select(*COLUMNS)
    )


def identifier_values(members: DataFrame) -> DataFrame:
    """One row a record and value: customer_id, record_id, source, identifier, value."""
    return members.select(
        "customer_id", "record_id", "source", F.explode("identifiers").alias("of")
    ).select(
        "customer_id",
        "record_id",
        "source",
        F.col("of.name").alias("identifier"),
        F.col("of.value").alias("value"),
    )
