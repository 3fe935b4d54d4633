"""``gold.interactions``: what people did, one row an event, whatever source saw it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.source import EventMapping, Source
from goldenlake.transforms.golden_events import optional, selected, translated
from goldenlake.transforms.row_ids import event_id

COLUMNS = (
    "interaction_id", "customer_id", "record_id", "source", "at", "on", "channel", "kind", "item",
    "value", "session_id", "is_bot", "properties",
)  # fmt: skip


def interactions_of(silver: DataFrame, source: Source) -> DataFrame:
    """The interactions in a source's rows, without ``customer_id``.

    Bots' visits are kept and flagged. Values that do not fit their type become null: silver has
    judged them already.
    """
    mapping = source.interactions
    if mapping is None:
        raise ValueError(f"{source.source} declares no interactions")
    at = F.col(mapping.at).try_cast("timestamp")
    is_bot = F.coalesce(F.col("is_bot"), F.lit(False)) if source.bots else F.lit(False)
    return selected(silver, mapping.only).select(
        event_id(source).alias("interaction_id"),
        "record_id",
        F.lit(source.source).alias("source"),
        at.alias("at"),
        at.cast("date").alias("on"),
        F.lit(mapping.channel).alias("channel"),
        _kind(mapping).alias("kind"),
        optional(mapping.item, "string").alias("item"),
        optional(mapping.value, "double").alias("value"),
        _session(mapping, source).alias("session_id"),
        is_bot.alias("is_bot"),
        _properties(mapping).alias("properties"),
    )


def _kind(mapping: EventMapping) -> Column:
    if mapping.kind is None:
        return F.lit(mapping.constant_kind).cast("string")
    said = translated(mapping.kind, mapping.kinds)
    return F.coalesce(said, F.lit(mapping.constant_kind)) if mapping.constant_kind else said


def _session(mapping: EventMapping, source: Source) -> Column:
    column = mapping.session or ("session_id" if source.sessions else None)
    return optional(column, "string")


def _properties(mapping: EventMapping) -> Column:
    entries = [
        F.struct(F.lit(name).alias("key"), F.col(name).cast("string").alias("value"))
        for name in mapping.properties
    ]
    if not entries:
        return F.create_map().cast("map<string, string>")
    return F.map_from_entries(
        F.filter(F.array(*entries), lambda entry: entry["value"].isNotNull())
    ).cast("map<string, string>")
