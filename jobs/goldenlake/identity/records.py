"""Silver rows as the records that identity works on: one shape for profiles and events."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from goldenlake.columns import names
from goldenlake.declarations.matching import Matching
from goldenlake.declarations.source import Source

RECORD_COLUMNS = (
    "record_id",
    "source",
    "source_key",
    "identifiers",
    "traits",
    "profile",
    "is_active",
    "first_seen_on",
)
_IDENTIFIERS = "array<struct<name: string, value: string>>"
_TRAITS = "map<string, string>"
_KEYS = "array<bigint>"

LEAST_COMPARED = 2
"""Attributes without which a record is not matched: one alone tells nobody apart."""


def names_people(source: Source) -> bool:
    """Whether rows of this source can become records at all."""
    return source.is_profile or bool(source.identifiers)


def profile_records(rows: DataFrame, source: Source, matching: Matching | None = None) -> DataFrame:
    """One record a silver row of a profile source: (RECORD_COLUMNS).

    A deleted row is a record that is not active. Inactive records keep no identifiers and no
    traits: they link nothing, so there is no reason to hold what somebody asked to forget.
    """
    alive = ~F.coalesce(F.col("_is_deleted"), F.lit(False))
    return rows.where(F.col("record_id").isNotNull()).select(
        F.col("record_id"),
        F.lit(source.source).alias("source"),
        _source_key(source),
        F.when(alive, identifiers_of(source))
        .otherwise(_nothing(_IDENTIFIERS))
        .alias("identifiers"),
        F.when(alive, _traits(source)).otherwise(_no_traits()).alias("traits"),
        F.when(alive, profile_of(source, matching)).otherwise(_no_traits()).alias("profile"),
        alive.alias("is_active"),
        _seen_on().alias("first_seen_on"),
    )


def event_records(rows: DataFrame, source: Source) -> DataFrame:
    """One record a distinct set of identifiers among the live rows of an event source.

    All rows of a record have the same identifiers, since its id is their hash.
    """
    alive = F.col("record_id").isNotNull() & ~F.coalesce(F.col("_is_deleted"), F.lit(False))
    return (
        rows.where(alive)
        .select(
            "record_id",
            identifiers_of(source).alias("identifiers"),
            _seen_on().alias("_seen_on"),
        )
        .groupBy("record_id")
        .agg(F.max("identifiers").alias("identifiers"), F.min("_seen_on").alias("first_seen_on"))
        .select(
            "record_id",
            F.lit(source.source).alias("source"),
            _source_key(source),
            "identifiers",
            _no_traits().alias("traits"),
            _no_traits().alias("profile"),
            F.lit(True).alias("is_active"),
            "first_seen_on",
        )
    )


def heard_of(feed: DataFrame, source: Source) -> DataFrame:
    """Who a change feed speaks of: (source, record_id, is_lost), one row a change.

    ``feed`` has the rows before an update too; ``is_lost`` says that a row of this record was
    taken from it, so that the table must be asked what is left.
    """
    return feed.where(F.col("record_id").isNotNull()).select(
        F.lit(source.source).alias("source"),
        "record_id",
        F.col("_change_type").isin("delete", "update_preimage").alias("is_lost"),
    )


def everything(
    rows: DataFrame, known: DataFrame, source: Source, matching: Matching | None = None
) -> DataFrame:
    """Every record of a source from all of its rows, and those known that it has no more."""
    found = _records(rows, source, matching)
    before = known.where((F.col("source") == source.source) & F.col("is_active"))
    missing = before.select("record_id").join(found, on="record_id", how="left_anti")
    return found.unionByName(_vanished(missing, source))


def named(
    rows: DataFrame, record_ids: DataFrame, source: Source, matching: Matching | None = None
) -> DataFrame:
    """The records of these ids (record_id) as their rows have them; not active without a row."""
    found = _records(rows, source, matching).withColumn("_is_found", F.lit(True))
    gone = _vanished(record_ids, source)
    columns = [
        F.when(F.col("_is_found"), found[name]).otherwise(gone[name]).alias(name)
        for name in RECORD_COLUMNS
        if name != "record_id"
    ]
    return gone.join(found, on="record_id", how="left").select("record_id", *columns)


def added(feed: DataFrame, lost: DataFrame, source: Source) -> DataFrame:
    """Records of an event source that only gained rows, from the feed alone: the much larger
    table need not be asked. ``lost`` (record_id) are the others.
    """
    rows = feed.where(F.col("_change_type").isin("insert", "update_postimage"))
    return _records(rows.join(lost, on="record_id", how="left_anti"), source, None)


def latest(feed: DataFrame) -> DataFrame:
    """Rows of a profile source as a change feed leaves them, those left out that are no longer
    there, or name nobody now: each record's of its last commit, which may have deleted it and
    inserted it anew. ``feed`` has the rows before an update too.
    """
    kind, commit = F.col("_change_type"), F.col("_commit_version")
    last = F.max(commit).over(Window.partitionBy("record_id"))
    told = feed.withColumn("_last_version", last)
    return told.where((commit == F.col("_last_version")) & kind.isin("insert", "update_postimage"))


def of_dropped_sources(known: DataFrame, alive: list[str]) -> DataFrame:
    """Records of sources that are declared no more, or name nobody now: not active."""
    return known.where(~F.col("source").isin(alive)).select(
        "record_id",
        "source",
        "source_key",
        _nothing(_IDENTIFIERS).alias("identifiers"),
        _no_traits().alias("traits"),
        _no_traits().alias("profile"),
        F.lit(False).alias("is_active"),
        "first_seen_on",
    )


def _records(rows: DataFrame, source: Source, matching: Matching | None) -> DataFrame:
    if source.is_profile:
        return profile_records(rows, source, matching)
    return event_records(rows, source)


def _vanished(record_ids: DataFrame, source: Source) -> DataFrame:
    """Records of which silver no longer has a row, as inactive records: (RECORD_COLUMNS)."""
    return record_ids.select(
        "record_id",
        F.lit(source.source).alias("source"),
        _source_key(source),
        _nothing(_IDENTIFIERS).alias("identifiers"),
        _no_traits().alias("traits"),
        _no_traits().alias("profile"),
        F.lit(False).alias("is_active"),
        F.lit(None).cast("date").alias("first_seen_on"),
    )


def changed(current: DataFrame, known: DataFrame, keyed_by: str | None = None) -> DataFrame:
    """Records of ``current`` that are new or differ from what is known of them.

    Both sides have RECORD_COLUMNS, what is known also ``keys`` and ``keyed_by``. A record that
    can be matched differs, too, where its keys are not by ``keyed_by``. Gives
    RECORD_COLUMNS and ``keyed_by``, with the earliest day on which the record was seen, and
    beside them ``_was_known``, ``_was_active``, ``_was_matchable``, ``_old_identifiers`` and
    ``_old_keys``.
    A record that was never known and is not active is left out.
    """
    before = known.select(
        "record_id",
        F.lit(True).alias("_was_known"),
        F.col("is_active").alias("_was_active"),
        F.col("identifiers").alias("_old_identifiers"),
        F.array_sort(F.map_entries("traits")).alias("_old_traits"),
        F.array_sort(F.map_entries("profile")).alias("_old_profile"),
        F.col("keys").alias("_old_keys"),
        F.col("keyed_by").alias("_old_keyed_by"),
        F.col("first_seen_on").alias("_old_first_seen_on"),
    )
    by = F.when(is_matchable(), F.lit(keyed_by).cast("string"))
    differs = (
        (F.col("is_active") != F.col("_was_active"))
        | ~F.col("identifiers").eqNullSafe(F.col("_old_identifiers"))
        | ~F.array_sort(F.map_entries("traits")).eqNullSafe(F.col("_old_traits"))
        | ~F.array_sort(F.map_entries("profile")).eqNullSafe(F.col("_old_profile"))
        | ~by.eqNullSafe(F.col("_old_keyed_by"))
        | F.coalesce(F.col("first_seen_on") < F.col("_old_first_seen_on"), F.lit(False))
    )
    joined = current.join(before, on="record_id", how="left").withColumn(
        "_was_known", F.coalesce("_was_known", F.lit(False))
    )
    return joined.where(F.when(F.col("_was_known"), differs).otherwise(F.col("is_active"))).select(
        "record_id",
        "source",
        "source_key",
        "identifiers",
        "traits",
        "profile",
        by.alias("keyed_by"),
        "is_active",
        F.least("_old_first_seen_on", "first_seen_on").alias("first_seen_on"),
        "_was_known",
        F.coalesce("_was_active", F.lit(False)).alias("_was_active"),
        F.col("_old_keyed_by").isNotNull().alias("_was_matchable"),
        F.coalesce("_old_identifiers", _nothing(_IDENTIFIERS)).alias("_old_identifiers"),
        F.coalesce("_old_keys", _nothing(_KEYS)).alias("_old_keys"),
    )


def is_matchable() -> Column:
    """Whether there is enough in a profile to compare."""
    return F.size("profile") >= LEAST_COMPARED


def profile_of(source: Source, matching: Matching | None) -> Column:
    """The attributes that matching compares, where the source has them and they have a value."""
    if matching is None:
        return _no_traits()
    found = {
        column: _text(source.attributes[column])
        for column in matching.columns
        if column in source.attributes
    }
    whole = matching.playing("full_name")
    if whole and whole[0] not in found:
        parts = [
            source.attributes[name]
            for name in ("given_name", "family_name")
            if name in source.attributes
        ]
        found |= {whole[0]: _blank_to_null(F.concat_ws(" ", *parts))} if parts else {}
    return _map_of(found)


def _source_key(source: Source) -> Column:
    return F.expr(f"substring(record_id, {len(source.source) + 2})").alias("source_key")


def _seen_on() -> Column:
    return F.coalesce("_file_on", "_landed_on")


def identifiers_of(source: Source) -> Column:
    """Identifiers with a value, ordered by name, so that equal sets are equal arrays."""
    pairs = [
        F.struct(F.lit(name).alias("name"), _text(column).alias("value"))
        for name, column in sorted(source.identifiers.items())
    ]
    if not pairs:
        return _nothing(_IDENTIFIERS)
    return F.filter(F.array(*pairs), lambda pair: pair["value"].isNotNull()).cast(_IDENTIFIERS)


def _traits(source: Source) -> Column:
    found: dict[str, Column] = {}
    attributes = source.attributes
    if "given_name" in attributes:
        found["given_name"] = names.given_name_key(F.col(attributes["given_name"]))
    if "family_name" in attributes:
        found["family_name"] = names.family_name_key(F.col(attributes["family_name"]))
    if "birth_on" in attributes:
        found["birth_on"] = F.col(attributes["birth_on"]).cast("string")
    return _map_of({name: _blank_to_null(value) for name, value in found.items()})


def _map_of(values: Mapping[str, Column]) -> Column:
    """Names with their values, without those that are null."""
    if not values:
        return _no_traits()
    entries = [
        F.struct(F.lit(name).alias("key"), value.alias("value")) for name, value in values.items()
    ]
    present = F.filter(F.array(*entries), lambda entry: entry["value"].isNotNull())
    return F.map_from_entries(present).cast(_TRAITS)


def _text(column: str) -> Column:
    return _blank_to_null(F.col(column).cast("string"))


def _blank_to_null(value: Column) -> Column:
    trimmed = F.btrim(value)
    return F.when(trimmed != "", trimmed)


def _nothing(of: str) -> Column:
    return F.array().cast(of)


def _no_traits() -> Column:
    return F.create_map().cast(_TRAITS)
