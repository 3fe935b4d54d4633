"""Visits: events of one visitor with no gap longer than the declared one, whatever the files.

A session's id is ``<its first instant in microseconds>_<hash of the visitor>``: it says when the
session began, so events that come later need to see only the end of it, and a session that grows
keeps its id.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from goldenlake.declarations.base import parse_duration
from goldenlake.declarations.source import Sessions


def visitor(sessions: Sessions) -> Column:
    """Who a visit belongs to: 16 hexadecimal digits; null where all of ``by`` are null."""
    parts = [F.coalesce(F.col(name).cast("string"), F.lit("\x00")) for name in sessions.by]
    someone = F.coalesce(*(F.col(name).cast("string") for name in sessions.by)).isNotNull()
    return F.when(someone, F.substring(F.sha2(F.concat_ws("\x1f", *parts), 256), 1, 16))


def gap_micros(sessions: Sessions) -> int:
    """The longest gap inside a session, in microseconds."""
    return round(parse_duration(sessions.gap).total_seconds() * 1_000_000)


def session_start(session_id: Column) -> Column:
    """The first instant of a session in microseconds, as its id says."""
    return F.split_part(session_id, F.lit("_"), F.lit(1)).cast("bigint")


def with_session_id(events: DataFrame, sessions: Sessions) -> DataFrame:
    """The events with ``session_id``; null where the visitor or the time is unknown.

    Where the frame has ``_known_start`` (bigint, microseconds), the session of a visitor's first
    event begins there: its earlier events are not in the frame. A gap of exactly the declared
    length still belongs to the session.
    """
    at = F.unix_micros(F.col(sessions.at).cast("timestamp"))
    # Events of nobody are spread out: they would all meet in one task otherwise. As a column, or
    # each window would take its own expression for another key, and sort everything again.
    nobody = F.when(F.col("_visitor").isNull(), F.col("_micros"))
    frame = events.withColumns({"_visitor": visitor(sessions), "_micros": at})
    frame = frame.withColumn("_nobody", nobody)
    in_time = Window.partitionBy("_visitor", "_nobody").orderBy("_micros")
    before = F.lag("_micros").over(in_time)
    is_first = before.isNull() | (F.col("_micros") - before > gap_micros(sessions))
    begins = F.col("_micros")
    if "_known_start" in events.columns:
        begins = F.least(F.col("_micros"), F.col("_known_start"))
    so_far = in_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    started = frame.withColumn("_begins", F.when(is_first, begins)).withColumn(
        "_start", F.last("_begins", ignorenulls=True).over(so_far)
    )
    named = F.concat(F.col("_start").cast("string"), F.lit("_"), F.col("_visitor"))
    known = F.col("_visitor").isNotNull() & F.col("_micros").isNotNull()
    return started.withColumn("session_id", F.when(known, named)).drop(
        "_visitor", "_micros", "_nobody", "_begins", "_start"
    )
