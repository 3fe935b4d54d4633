"""Rows of keyed sources in whose place another stands, kept for the names that went with them.

Silver has what is newest of each record. A contact that opted out, and bears another address since,
was told no at the old one all the same: without its old row an older yes of whoever else bears that
address would count again.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.source import Source
from goldenlake.identity.records import identifiers_of
from goldenlake.ports import Tables
from goldenlake.schemas import PLACE
from goldenlake.transforms.golden_events import selected
from goldenlake.transforms.newest import newest_per_key, order_columns


def keep(tables: Tables, source: Source, overtaken: DataFrame) -> None:
    """Write those into ``superseded.<source>`` that have a name which is not in ``_by``: names of
    the row that took their place, as ``identifiers_of`` gives them.

    ``overtaken`` has silver's columns besides, and so has the table; its rows count as deleted.
    Whichever way they came, the newest row of a record with each name is here or in silver.
    Writing the same rows twice leaves one.
    """
    has_another = F.size(F.array_except(identifiers_of(source), "_by")) > 0
    kept = overtaken.where(has_another & F.col("record_id").isNotNull()).drop("_by")
    kept = kept.withColumn("_is_deleted", F.lit(True)).persist()
    try:
        if not kept.isEmpty():
            tables.merge(f"superseded.{source.source}", kept, on=PLACE)
    finally:
        kept.unpersist()


def last_under_each_name(
    superseded: DataFrame, silver: DataFrame, source: Source
) -> tuple[DataFrame, Column]:
    """The newest superseded row of each key and name that the key's row in silver does not have,
    and that name as the only one of the row: an array of (name, value).
    """
    key = list(source.key)
    of_name = F.explode(identifiers_of(source)).alias("_of")
    order = [name for name in order_columns(source) if name != "_version"]
    last = newest_per_key(superseded.select("*", of_name), [*key, "_of"], order)
    asked = F.broadcast(superseded.select(*key).distinct())
    borne = selected(silver, None).join(asked, key, how="left_semi").select(*key, of_name)
    return last.join(borne, [*key, "_of"], how="left_anti"), F.array("_of")
