"""Rows of others without what tells of people who are forgotten, in every table of a source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.derivations import read_from
from goldenlake.declarations.source import Source
from goldenlake.ports import Tables
from goldenlake.schemas import PLACE, conformed
from goldenlake.steps.telling import AMONG_EXTRA, in_files
from goldenlake.transforms.conforming import as_declared, typed
from goldenlake.transforms.row_ids import id_today

PLACES = "_landed_on DATE, _file_id STRING, _record BIGINT"
_LEFT = f"{PLACES}, _left MAP<STRING, STRING>"
#: Of silver, beside what a source declares.
_OURS = ("record_id", "is_bot", "session_id")


def clear(
    tables: Tables, source: Source, part: Sequence[tuple[Any, ...]], unread: Sequence[Any]
) -> Counter[str]:
    """Write rows anew without what tells, but for bronze; gives how many, by table.

    ``part`` and ``unread`` are those of ``told_in_bronze`` and ``told_unread``. What silver, what
    was superseded and quarantine have of a row is what its file would give, were it read again.
    """
    gone: Counter[str] = Counter()
    quarantine = f"quarantine.{source.source}"
    if unread:
        held = tables.read(quarantine)
        rows = held.join(F.broadcast(tables.frame(unread, _LEFT)), list(PLACE))
        rows = rows.withColumn("row", F.col("_left")["row"])
        gone[quarantine] += _update(tables, quarantine, rows.select(*held.columns))
    if not part:
        return gone
    left = F.broadcast(tables.frame(part, _LEFT))
    cleared = _cleared(tables, source, part)
    columns = F.struct(*source.column_names).alias("_fresh")
    fresh = typed(cleared, source).select(*PLACE, columns, F.to_json("_raw").alias("_row"))
    fresh = F.broadcast(fresh.join(left, list(PLACE))).persist()
    try:
        for name in filter(tables.exists, conformed(source.source)):
            gone[name] += _update(
                tables, name, _anew(tables.read(name), fresh, source, cleared.columns)
            )
        if tables.exists(quarantine):
            # Nothing is kept there of what people said who came back.
            held = tables.read(quarantine).where("row IS NOT NULL")
            rows = held.join(fresh, list(PLACE)).withColumn("row", F.col("_row"))
            gone[quarantine] += _update(tables, quarantine, rows.select(*held.columns))
    finally:
        fresh.unpersist()
    return gone


def clear_bronze(tables: Tables, source: Source, part: Sequence[tuple[Any, ...]]) -> None:
    """The same of bronze, the last: there a kill leaves to be found what is left to do."""
    if part:
        _update(tables, f"bronze.{source.source}", _cleared(tables, source, part))


def cut(rows: DataFrame, source: Source) -> DataFrame:
    """Typed rows, and what came of them, without what ``_left`` (a map, or null) says has to go."""
    raw = F.col("_raw")
    came = [_text_left(raw[name], name).alias(name) for name in sorted(in_files(source))]
    if "_extra" in dict(rows.select("_raw.*").dtypes):
        came.append(_extra_left(raw["_extra"]).alias("_extra"))
    values = {
        name: F.when(~_is_any_told(source, name), F.col(name)) for name in source.column_names
    }
    return rows.withColumns({**values, "_raw": F.struct(*came)})


def _cleared(tables: Tables, source: Source, part: Sequence[tuple[Any, ...]]) -> DataFrame:
    """Rows of bronze without what tells."""
    came = tables.read(f"bronze.{source.source}")
    told = came.join(F.broadcast(tables.frame(part, _LEFT)), list(PLACE))
    return told.withColumns(_without(came.columns, source)).select(*came.columns)


def _update(tables: Tables, name: str, rows: DataFrame) -> int:
    count = rows.count()
    if count:
        tables.merge(name, rows, on=PLACE, insert=False)
    return count


def _without(columns: Collection[str], source: Source) -> dict[str, Column]:
    """What is left of the columns of bronze."""
    own = in_files(source)
    texts = {
        name: _text_left(F.col(name), name if name in own else AMONG_EXTRA + name)
        for name in columns
        if not name.startswith("_")
    }
    return texts | {"_extra": _extra_left(F.col("_extra"))}


def _text_left(text: Column, known: str) -> Column:
    return F.when(_is_told(known), F.col("_left")[known]).otherwise(text)


def _extra_left(extra: Column) -> Column:
    def left(name: Column, text: Column) -> Column:
        known = F.concat(F.lit(AMONG_EXTRA), name)
        is_told = F.map_contains_key("_left", known)
        return F.when(is_told, F.try_element_at("_left", known)).otherwise(text)

    return F.map_filter(F.transform_values(extra, left), lambda _, text: text.isNotNull())


def _anew(
    rows: DataFrame, fresh: DataFrame, source: Source, of_files: Collection[str]
) -> DataFrame:
    """Rows of silver with those columns as they are read now in which, or in what they are computed
    from, something told.
    """
    types = dict(rows.dtypes)
    anew: dict[str, Column] = {}
    for name in source.column_names:
        now = F.col("_fresh")[name]
        now = now.try_cast(types[name]) if name in types else now
        anew[name] = F.when(_is_any_told(source, name), now).otherwise(F.col(name))
    for name in types.keys() - {*source.column_names, *_OURS}:
        if not name.startswith("_"):
            # It is declared no more, and what it was computed from, if it was, is not known.
            kept = ~_is_told(AMONG_EXTRA + name) if name in of_files else F.lit(False)
            anew[name] = F.when(kept, F.col(name))
    told = as_declared(rows, source).join(F.broadcast(fresh), list(PLACE)).withColumns(anew)
    today = id_today(source, F.col("record_id"))
    return told.withColumn("record_id", today).select(*rows.columns)


def _is_told(name: str) -> Column:
    return F.map_contains_key("_left", name)


def _is_any_told(source: Source, name: str) -> Column:
    """Whether a column is, or is computed from, one that told."""
    columns = F.array(*map(F.lit, sorted(read_from(source, name))))
    return F.coalesce(F.arrays_overlap(F.map_keys("_left"), columns), F.lit(False))
