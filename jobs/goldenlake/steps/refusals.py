"""What was refused in records that are gone since, or under names that they bear no more, by the
values that named who said it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.source import Source
from goldenlake.identity.links import BLOCKED, TOO_MANY, link_key
from goldenlake.identity.records import identifiers_of
from goldenlake.ports import Tables
from goldenlake.steps.generations import Generation, Stage, read
from goldenlake.steps.pinned import pinned
from goldenlake.steps.superseded import last_under_each_name
from goldenlake.transforms.golden_consents import (
    can_lose_a_no,
    refusals_of_the_gone,
    union_of,
)


def refusals(tables: Tables, at: Generation | Stage, sources: Sequence[Source]) -> DataFrame | None:
    """``link_key``, and what ``refusals_of_the_gone`` gives of the rows that ``at`` was built from;
    None where no source has lost any.
    """
    found = [
        said for source in sources if can_lose_a_no(source) for said in _lost(tables, at, source)
    ]
    if not found:
        return None
    key = link_key(F.col("identifier"), F.col("value"))
    return union_of(found).withColumn("link_key", key)


def _lost(tables: Tables, at: Generation | Stage, source: Source) -> Iterator[DataFrame]:
    silver = pinned(tables, at.inputs, source)
    if silver is None:
        return
    if source.loses_records:
        yield refusals_of_the_gone(silver, source, identifiers_of(source))
    superseded = pinned(tables, at.inputs, source, "superseded")
    if superseded is not None:
        rows, name = last_under_each_name(superseded, silver, source)
        yield refusals_of_the_gone(rows, source, name)


def naming_nobody(tables: Tables, at: Generation | Stage) -> DataFrame:
    """Values that are blocked or on too many records: (link_key). What is said under one is said of
    an address, and of none of those who bear it.
    """
    review = read(tables, at, "identity.review")
    return review.where(F.col("reason").isin(BLOCKED, TOO_MANY)).select("link_key")
