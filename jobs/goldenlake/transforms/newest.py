"""Which of two rows with one key is newer: the total order of keyed sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from goldenlake.declarations.source import Source
from goldenlake.schemas import PLACE

#: Days. What is dated further ahead of its file was not said then, whatever the clocks.
_CLOCKS_DIFFER_BY = 2

#: What breaks every tie: the file's day, the file, the place in the file.
TIES = ("_file_on", "_file_id", "_record")
#: ``TIES``, with how often the file was corrected.
PLACED = ("_file_on", "_version", "_file_id", "_record")


def is_ahead(at: Column) -> Column:
    """Whether a time is later than the row that tells of it can have come."""
    came = F.greatest("_file_on", "_landed_on")
    return at.cast("date") > F.date_add(came, _CLOCKS_DIFFER_BY)


def observed_at(source: Source) -> Column:
    """When a row says that it was true, never null.

    From ``order_by``; for events of append sources, from when they happened; else the day that
    the file is about, in keyed sources with a microsecond for each correction of the file
    (``_version``, int).
    """
    name = time_of(source)
    day = F.col("_file_on").cast("timestamp")
    if source.load != "append":
        day = F.timestamp_micros(F.unix_micros(day) + F.col("_version"))
    return F.coalesce(F.col(name).cast("timestamp"), day) if name else day


def observed_again(source: Source, row: str = "") -> str:
    """``_observed_at`` of a row of silver, as SQL: earlier versions added corrections of its file
    to a time, too. ``row`` stands before its columns, as ``old.``.
    """
    name = time_of(source)
    kept = f"{row}`_observed_at`"
    return f"coalesce(CAST({row}`{name}` AS TIMESTAMP), {kept})" if name else kept


def order_columns(source: Source) -> list[str]:
    """Columns that totally order the rows of a keyed source, the greatest being the newest."""
    when = time_of(source)
    order = ["_observed_at" if name == when else name for name in source.order_by]
    return [*order, *(() if "_observed_at" in order else ("_observed_at",)), *PLACED]


def newest_per_key(rows: DataFrame, key: Sequence[str], order: Sequence[str]) -> DataFrame:
    """One row a key: the last by ``order``, which must be total. Same columns."""
    newest_first = Window.partitionBy(*key).orderBy(*(F.desc_nulls_last(name) for name in order))
    ranked = rows.withColumn("_rank", F.row_number().over(newest_first))
    return ranked.where("_rank = 1").drop("_rank")


def overtaken(
    known: DataFrame, arrived: DataFrame, key: Sequence[str], order: Sequence[str], *, by: Column
) -> DataFrame:
    """All but the newest row of each key among both, with ``_by``: what ``by`` is of the newest.

    A row that was read again is given as it is read now, and once. As it was it may still be the
    newest, and stand in silver: then it is in its own way alone.
    """
    again = arrived.select(*PLACE, F.lit(True).alias("_is_past"))
    rows = arrived.withColumn("_is_past", F.lit(None).cast("boolean")).unionByName(
        known.join(again, list(PLACE), how="left")
    )
    best = (*(F.desc_nulls_last(name) for name in order), F.asc_nulls_first("_is_past"))
    newest_first = Window.partitionBy(*key).orderBy(*best)
    place = F.struct(*PLACE)
    ranked = rows.withColumns(
        {
            "_rank": F.row_number().over(newest_first),
            "_by": F.first(by).over(newest_first),
            "_newest": F.first(place).over(newest_first),
        }
    )
    is_lost = (F.col("_rank") > 1) & (F.col("_newest") != place) & F.col("_is_past").isNull()
    return ranked.where(is_lost).drop("_rank", "_newest", "_is_past")


def first_of_equals(rows: DataFrame, same: Sequence[str]) -> DataFrame:
    """One row of those that agree in all of ``same``, nulls included: the first by ``TIES``."""
    first = Window.partitionBy(*same).orderBy(*(F.asc(name) for name in TIES))
    ranked = rows.withColumn("_rank", F.row_number().over(first))
    return ranked.where("_rank = 1").drop("_rank")


def order_sql(order: Sequence[str], alias: str, computed: Mapping[str, str]) -> str:
    """The order of one side of a merge as an SQL struct; nulls come first in it. ``computed`` has
    the SQL of those that are no columns of it.
    """
    return f"struct({', '.join(computed.get(name, f'{alias}.`{name}`') for name in order)})"


def time_of(source: Source) -> str | None:
    """The column that says when a row was true; None where only its file's day does."""
    names = list(source.order_by)
    if source.load == "append":
        mappings = (source.interactions, source.purchases)
        # Visits are looked up in silver by this time, so theirs comes first.
        names = [*([source.sessions.at] if source.sessions else []), *names]
        names += [mapping.at for mapping in mappings if mapping]
    times = (name for name in names if source.column(name).type in ("date", "timestamp"))
    return next(times, None)
