"""Rows of keyed sources in whose place another stands, kept for what went with them: a name, or
what they said.

Silver has what is newest of each record. A contact that opted out, and bears another address since,
was told no at the old one all the same; and one whose answer was cleared has not agreed. Without
the old row an older yes would count again.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.source import Source
from goldenlake.identity.records import identifiers_of
from goldenlake.ports import Tables
from goldenlake.schemas import PLACE
from goldenlake.transforms.golden_consents import is_no, said_under_names, wording
from goldenlake.transforms.newest import newest_per_key, order_columns


def told(source: Source) -> Column:
    """What must not be lost of a row: its names, and what it says about consent."""
    return F.struct(identifiers_of(source).alias("names"), wording(source).alias("said"))


def keep(tables: Tables, source: Source, overtaken: DataFrame) -> None:
    """Write those into ``superseded.<source>`` that have a name which the row that took their place
    lacks, or say something else about consent; ``_by`` is what ``told`` is of that row.

    ``overtaken`` has silver's columns besides, and so has the table; its rows count as deleted.
    Whichever way they came, the newest row of a record that says something about a purpose and a
    channel under a name is here or in silver. Writing the same rows twice leaves one.
    """
    own = told(source)
    has_another = F.size(F.array_except(own["names"], F.col("_by.names"))) > 0
    says_anything = F.exists(own["said"], lambda words: words["status"].isNotNull())
    says_else = says_anything & ~own["said"].eqNullSafe(F.col("_by.said"))
    kept = overtaken.where(has_another | says_else).drop("_by")
    put(tables, source, kept)


def put(tables: Tables, source: Source, rows: DataFrame) -> None:
    """Write rows into ``superseded.<source>`` by where they came from, as deleted ones; nothing
    where there are none.
    """
    kept = rows.withColumn("_is_deleted", F.lit(True)).persist()
    try:
        if not kept.isEmpty():
            tables.merge(f"superseded.{source.source}", kept, on=PLACE)
    finally:
        kept.unpersist()


def last_statements(superseded: DataFrame, silver: DataFrame, source: Source) -> DataFrame:
    """What ``said_under_names`` gives of superseded rows: the newest statement of each key about a
    purpose and a channel under a name, unless the key's row in silver states something about them
    under that name.
    """
    names, key = identifiers_of(source), F.struct(*source.key).alias("_key")
    order = F.struct(*(name for name in order_columns(source) if name != "_version"))
    about = ["_key", "identifier", "value", "purpose", "channel"]
    placed = superseded.withColumns({"_key": key, "_order": order})
    said = said_under_names(placed, source, names, "_key", "_order")
    last = newest_per_key(said.withColumn("_is_no", is_no()), about, ["_order", "_is_no"])
    asked = F.broadcast(placed.select("_key").distinct())
    rows = silver.withColumn("_key", key).join(asked, "_key", how="left_semi")
    now = said_under_names(rows, source, names, "_key").select(*about)
    return last.join(now, about, how="left_anti").drop("_key", "_order", "_is_no")
