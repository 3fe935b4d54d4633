"""``gold.consents``: what a customer last said about each purpose and channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from goldenlake.columns.text import word
from goldenlake.declarations.source import STATUSES, ConsentMapping, Source
from goldenlake.transforms.golden_events import optional, selected

COLUMNS = (
    "customer_id", "purpose", "channel", "status", "jurisdiction", "stated_at", "expires_at",
    "source", "record_id",
)  # fmt: skip


def statements_of(silver: DataFrame, source: Source) -> DataFrame:
    """What the rows of a source say about consent, without ``customer_id``.

    A row whose word has no meaning among ``statuses`` states nothing. A statement without a time
    counts from when its row was observed.
    """
    mapped = [
        _statements(selected(silver, mapping.only), source, mapping) for mapping in source.consents
    ]
    return union_of(mapped)


def can_lose_a_no(source: Source) -> bool:
    """Whether a no of this source can lose the record, or the name, under which it was said."""
    return source.load != "append" and bool(source.consents) and bool(source.identifiers)


def refusals_of_the_gone(silver: DataFrame, source: Source, identifiers: Column) -> DataFrame:
    """What deleted rows said no to, once for each value by which they named the person.

    A record is often deleted because its person asked for it: the no must outlive it, or an older
    yes elsewhere counts again. A yes goes with its record. ``identifiers`` is the row's array of
    (name, value). Gives ``identifier, value`` and what ``statements_of`` gives.
    """
    rows = silver.withColumn("_identifiers", identifiers)
    mapped = [
        _statements(selected(rows, mapping.only, deleted=True), source, mapping, "_identifiers")
        for mapping in source.consents
    ]
    said = union_of(mapped).where(F.col("status") != "granted")
    named = said.withColumn("_of", F.explode("_identifiers"))
    return named.select(
        F.col("_of.name").alias("identifier"),
        F.col("_of.value").alias("value"),
        *(name for name in said.columns if name != "_identifiers"),
    )


def _statements(rows: DataFrame, source: Source, mapping: ConsentMapping, *kept: str) -> DataFrame:
    status = stated(mapping)
    statements = rows.select(
        *kept,
        "record_id",
        F.lit(source.source).alias("source"),
        _either(mapping.purpose, mapping.constant_purpose).alias("purpose"),
        _either(mapping.channel, mapping.constant_channel).alias("channel"),
        status.alias("status"),
        optional(mapping.jurisdiction, "string").alias("jurisdiction"),
        _stated_at(rows, source, mapping, status != "granted").alias("stated_at"),
        optional(mapping.expires_at, "timestamp").alias("expires_at"),
    )
    return statements.where(
        F.col("record_id").isNotNull()
        & F.col("status").isNotNull()
        & F.col("purpose").isNotNull()
        & F.col("channel").isNotNull()
    )


def _stated_at(rows: DataFrame, source: Source, mapping: ConsentMapping, is_no: Column) -> Column:
    """When it was said; of a no the last instant at which that may have been."""
    given = F.col(mapping.at).try_cast("timestamp")
    seen = F.coalesce(F.col("_observed_at"), F.col("_file_on").cast("timestamp"))
    last = F.coalesce(last_instant(rows, source, mapping.at), _last_of_day(seen, "UTC"))
    return F.when(is_no, last).otherwise(F.coalesce(given, seen))


def last_instant(rows: DataFrame, source: Source, column: str) -> Column:
    """A time as it stands; of one of which the day alone is known the end of that day, since what
    was said then may have come after anything else that was said on it.
    """
    is_day = isinstance(rows.schema[column].dataType, T.DateType)
    return _last_of_day(F.col(column).try_cast("timestamp"), "UTC" if is_day else source.timezone)


def _last_of_day(at: Column, timezone: str) -> Column:
    """Days come as their midnight, plus a microsecond for each correction of a file."""
    local = F.from_utc_timestamp(at, timezone)
    day = F.date_trunc("DAY", local)
    end = F.to_utc_timestamp(day + F.expr("INTERVAL 1 DAY - INTERVAL 1 MICROSECOND"), timezone)
    return F.when(F.date_trunc("SECOND", local) == day, end).otherwise(at)


def _either(column: str | None, constant: str | None) -> Column:
    return word(F.coalesce(optional(column, "string"), F.lit(constant).cast("string")))


def stated(mapping: ConsentMapping) -> Column:
    """What the word of a row means; null for one without a meaning."""
    said = word(optional(mapping.status, "string"))
    meanings: Mapping[str, str] = mapping.statuses or {status: status for status in STATUSES}
    meaning = F.lit(None).cast("string")
    for theirs, ours in meanings.items():
        meaning = F.when(said == word(F.lit(theirs)), F.lit(ours)).otherwise(meaning)
    return meaning


def latest_consents(statements: DataFrame) -> DataFrame:
    """One row a customer, purpose and channel: the latest statement, unless one suppresses.

    ``statements`` is what ``statements_of`` gave, of all sources, with ``customer_id``. A
    suppression (a complaint, a dead address) is not undone by any later grant. Of statements made
    at one time the most restrictive wins, then the one that expires first: a doubt is never
    decided against the customer.
    """
    strictness = reduce(
        lambda otherwise, at: F.when(F.col("status") == STATUSES[at], F.lit(at)).otherwise(
            otherwise
        ),
        range(len(STATUSES)),
        F.lit(-1),
    )
    expiry = F.coalesce(-F.unix_micros("expires_at"), F.lit(-(2**63) + 1))
    latest = F.max(
        F.struct(
            (F.col("status") == "suppressed").alias("suppresses"),
            F.col("stated_at"),
            strictness.alias("strictness"),
            expiry.alias("expiry"),
            F.col("source"),
            F.col("record_id"),
            F.col("status"),
            F.col("jurisdiction"),
            F.col("expires_at"),
        )
    ).alias("latest")
    return (
        statements.groupBy("customer_id", "purpose", "channel")
        .agg(latest)
        .select("customer_id", "purpose", "channel", "latest.*")
        .select(*COLUMNS)
    )


def union_of(frames: Sequence[DataFrame]) -> DataFrame:
    """All rows of frames that have the same columns."""
    return reduce(DataFrame.unionByName, frames)
