"""What was refused in records that are gone since, by the values that named who said it."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.source import Source
from goldenlake.identity.links import BLOCKED, TOO_MANY, link_key
from goldenlake.identity.records import identifiers_of
from goldenlake.ports import Tables
from goldenlake.steps.generations import Generation, Stage, read
from goldenlake.transforms.golden_consents import (
    outlives_its_record,
    refusals_of_the_gone,
    union_of,
)


def refusals(tables: Tables, at: Generation | Stage, sources: Sequence[Source]) -> DataFrame | None:
    """``link_key``, and what ``refusals_of_the_gone`` gives of the rows that ``at`` was built from;
    None where no source loses records.
    """
    found = [
        refusals_of_the_gone(
            tables.read(table, version=at.inputs[table]), source, identifiers_of(source)
        )
        for source in sources
        if outlives_its_record(source) and (table := f"silver.{source.source}") in at.inputs
    ]
    if not found:
        return None
    key = link_key(F.col("identifier"), F.col("value"))
    return union_of(found).withColumn("link_key", key)


def naming_nobody(tables: Tables, at: Generation | Stage) -> DataFrame:
    """Values that are blocked or on too many records: (link_key). What is said under one is said of
    an address, and of none of those who bear it.
    """
    review = read(tables, at, "identity.review")
    return review.where(F.col("reason").isin(BLOCKED, TOO_MANY)).select("link_key")
