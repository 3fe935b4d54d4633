"""Members whom an export leaves out although they may be sent to: hold-outs, priorities, caps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from goldenlake.declarations.base import parse_duration
from goldenlake.declarations.destination import Cap
from goldenlake.declarations.segment import HoldOut

HOLD_OUT, CAPPED, PRIORITY = "hold_out", "capped", "priority"
_DIGITS = 13
"""Hexadecimal digits of the hash that count: as many as a double holds exactly."""


def is_held_out(hold_out: HoldOut) -> Column:
    """Whether a row's customer is in the control group.

    The share of all ids whose salted SHA-256 is smallest. It hangs on the customer id alone: on a
    merge the oldest id survives, and with it what it was.
    """
    salted = F.sha2(F.concat(F.lit(f"{hold_out.salt}:"), F.col("customer_id")), 256)
    number = F.conv(F.substring(salted, 1, _DIGITS), 16, 10).cast("double")
    return number < F.lit(hold_out.share * 16**_DIGITS)


def is_in_control_group(hold_outs: Mapping[str, HoldOut]) -> Column:
    """Whether a row's customer is in the control group of its segment, by ``hold_outs``."""
    held_out = F.lit(False)
    for segment, hold_out in sorted(hold_outs.items()):
        held_out = F.when(F.col("segment") == segment, is_held_out(hold_out)).otherwise(held_out)
    return held_out


def with_withheld(
    members: DataFrame,
    *,
    hold_outs: Mapping[str, HoldOut],
    priority: Sequence[str],
    capped: DataFrame | None,
) -> DataFrame:
    """``members`` (``segment, customer_id``) with ``withheld``: why somebody is left out, or null.

    Args:
        hold_outs: by segment.
        priority: segments, the first being the most important: who is a member of several of them
            is left out of all but the first, held out of that one or not.
        capped: ``customer_id`` of those who have had enough for now.
    """
    is_capped = F.lit(False)
    if capped is not None:
        marked = capped.select("customer_id", F.lit(True).alias("_is_capped")).distinct()
        members = members.join(marked, "customer_id", how="left")
        is_capped = F.col("_is_capped")
    # A cap keeps people out of both groups until it ends, or they would not be alike.
    reason = F.when(is_capped, CAPPED).when(is_in_control_group(hold_outs), HOLD_OUT)
    if priority:
        rank = F.lit(None).cast("int")
        for at, segment in enumerate(priority):
            rank = F.when(F.col("segment") == segment, at).otherwise(rank)
        everywhere = Window.partitionBy("customer_id")
        members = members.withColumn("_rank", rank).withColumn(
            "_first", F.min("_rank").over(everywhere)
        )
        reason = F.when(F.col("_rank") > F.col("_first"), PRIORITY).otherwise(reason)
    return members.select("segment", "customer_id", reason.alias("withheld"))


def at_cap(
    interactions: DataFrame,
    cap: Cap,
    *,
    keys: DataFrame,
    bearers: DataFrame,
    channel: str,
    as_of: date,
) -> DataFrame:
    """``customer_id`` of those who were reached so often within the window that ends with the day
    that they must not be reached again yet: they, or all together who bear the key that is theirs.

    Args:
        keys: ``customer_id, key``: by which key each would be sent. Any other value that somebody
            is known by, a placeholder on thousands of records for one, holds nobody back.
        bearers: ``customer_id, key``, each pair once: who may have been reached by which key.
    """
    end = F.date_add(F.lit(as_of), 1).cast("timestamp")
    begin = F.date_sub(F.date_add(F.lit(as_of), 1), parse_duration(cap.within).days).cast(
        "timestamp"
    )
    reached = interactions.where(
        (F.col("channel") == channel)
        & F.col("kind").isin(cap.kinds)
        & (F.col("at") >= begin)
        & (F.col("at") < end)
    )
    times = reached.groupBy("customer_id").agg(F.count(F.lit(1)).alias("_times"))
    shared = (
        times.join(bearers, "customer_id", how="inner")
        .groupBy("key")
        .agg(F.sum("_times").alias("_times"))
    )
    is_enough = F.col("_times") >= cap.most
    sharers = keys.join(shared.where(is_enough), "key", how="left_semi")
    alone = times.where(is_enough).select("customer_id")
    return alone.union(sharers.select("customer_id")).distinct()
