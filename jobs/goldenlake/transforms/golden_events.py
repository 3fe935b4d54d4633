"""What ``gold.interactions`` and ``gold.purchases`` share: mappings, change feeds."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from goldenlake.declarations.expressions import lenient
from goldenlake.declarations.source import Source
from goldenlake.transforms.row_ids import event_id


def selected(silver: DataFrame, only: str | None) -> DataFrame:
    """Rows that are not deleted and for which ``only`` is true."""
    return meant(silver.where(~F.coalesce(F.col("_is_deleted"), F.lit(False))), only)


def meant(rows: DataFrame, only: str | None) -> DataFrame:
    """Rows for which ``only`` is true."""
    return rows.where(F.expr(lenient(only))) if only else rows


def optional(column: str | None, type_: str) -> Column:
    """The column as that type, null where it does not fit or where none is named."""
    return F.col(column).try_cast(type_) if column else F.lit(None).cast(type_)


def translated(column: str, words: dict[str, str]) -> Column:
    """The column's words in ours; others pass as they are."""
    said = F.col(column).cast("string")
    for theirs, ours in words.items():
        said = F.when(F.col(column).cast("string") == theirs, F.lit(ours)).otherwise(said)
    return said


def last_state(changes: DataFrame, source: Source) -> DataFrame:
    """What a change feed of silver leaves: each changed row once, with what became of it.

    Adds ``_event_id``, ``_is_gone`` (the row is no longer there) and ``_is_new`` (it was not
    there before the feed began).
    """
    is_delete = F.col("_change_type") == "delete"
    same = Window.partitionBy("_event_id")
    newest_first = same.orderBy(
        F.desc("_commit_version"), is_delete.asc(), F.desc("_file_id"), F.desc("_record")
    )
    return (
        changes.withColumn("_event_id", event_id(source))
        .withColumn("_is_gone", is_delete)
        .withColumn("_is_new", F.min(F.col("_change_type") == "insert").over(same))
        .withColumn("_place", F.row_number().over(newest_first))
        .where("_place = 1")
        .drop("_place", "_change_type", "_commit_version")
    )
