"""Profiles and identifiers as a person sees them who declares what is matched."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def sampled(records: DataFrame, wanted: int) -> DataFrame:
    """The ``wanted`` records whose ids have the smallest hashes.

    Which they are depends on no order and no partitioning, and a larger sample holds a smaller one.
    """
    return records.orderBy(F.xxhash64("record_id"), "record_id").limit(wanted)


def identifier_fill(records: DataFrame) -> DataFrame:
    """How full each identifier is: (identifier, records, values, most_records), no value itself."""
    held = records.select(F.explode("identifiers").alias("_held"), "record_id").select(
        "record_id", F.col("_held.name").alias("identifier"), F.col("_held.value").alias("_value")
    )
    values = held.groupBy("identifier", "_value").agg(F.count(F.lit(1)).alias("_records"))
    return values.groupBy("identifier").agg(
        F.sum("_records").alias("records"),
        F.count(F.lit(1)).alias("values"),
        F.max("_records").alias("most_records"),
    )
