"""``gold.consents``: what a customer last said about each purpose and channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from goldenlake.columns.text import word
from goldenlake.declarations.expressions import lenient
from goldenlake.declarations.source import STATUSES, ConsentMapping, Source
from goldenlake.transforms.consent import ANY
from goldenlake.transforms.golden_events import meant, optional, selected
from goldenlake.transforms.newest import is_ahead
from goldenlake.transforms.row_ids import event_id

COLUMNS = (
    "customer_id", "purpose", "channel", "status", "jurisdiction", "stated_at", "expires_at",
    "source", "record_id",
)  # fmt: skip


def statements_of(silver: DataFrame, source: Source) -> DataFrame:
    """What the records of a source say about consent, without ``customer_id``.

    A row whose word has no meaning among ``statuses`` states nothing. A no that names no purpose,
    or no channel, is about any. A statement without a time counts from when its row was observed;
    a yes in a keyed source, whose rows are observed anew with each edit, as the earliest of all. So
    does a yes dated after it came, which would be later than every no.
    """
    mapped = [
        _statements(selected(silver, mapping.only), source, mapping) for mapping in source.consents
    ]
    return union_of(mapped).where(F.col("record_id").isNotNull())


def said_under_names(rows: DataFrame, source: Source, identifiers: Column, *kept: str) -> DataFrame:
    """What rows say about consent, deleted ones and such as are nobody's record, too: once for each
    value that names who said it.

    ``identifiers`` is a row's array of (name, value). Gives ``identifier, value``, the columns
    ``kept`` of the rows, and what ``statements_of`` gives.
    """
    known = F.coalesce("record_id", event_id(source))
    rows = rows.withColumns({"_identifiers": identifiers, "record_id": known})
    mapped = [
        _statements(meant(rows, mapping.only), source, mapping, "_identifiers", *kept)
        for mapping in source.consents
    ]
    named = union_of(mapped).withColumn("_of", F.explode("_identifiers"))
    return named.select(
        F.col("_of.name").alias("identifier"),
        F.col("_of.value").alias("value"),
        *(name for name in named.columns if name not in ("_identifiers", "_of")),
    )


def is_no() -> Column:
    """Whether a statement is one."""
    return F.col("status") != "granted"


def wording(source: Source) -> Column:
    """What a row says about consent in its own words, whatever they mean: an array with one struct
    a mapping, null where that does not hold of the row.
    """

    def of(mapping: ConsentMapping) -> Column:
        words = F.struct(
            optional(mapping.status, "string").alias("status"),
            optional(mapping.purpose, "string").alias("purpose"),
            optional(mapping.channel, "string").alias("channel"),
        )
        return F.when(F.expr(lenient(mapping.only)), words) if mapping.only else words

    return F.array(*(of(mapping) for mapping in source.consents))


def can_lose_a_no(source: Source) -> bool:
    """Whether a no of this source can lose the name under which it was said, or be overwritten."""
    return source.load != "append" and bool(source.consents) and bool(source.identifiers)


def _statements(rows: DataFrame, source: Source, mapping: ConsentMapping, *kept: str) -> DataFrame:
    status = stated(mapping)
    unnamed = F.when(status != "granted", ANY)
    statements = rows.select(
        *kept,
        "record_id",
        F.lit(source.source).alias("source"),
        F.coalesce(_either(mapping.purpose, mapping.constant_purpose), unnamed).alias("purpose"),
        F.coalesce(_either(mapping.channel, mapping.constant_channel), unnamed).alias("channel"),
        status.alias("status"),
        optional(mapping.jurisdiction, "string").alias("jurisdiction"),
        _stated_at(rows, source, mapping, status != "granted").alias("stated_at"),
        optional(mapping.expires_at, "timestamp").alias("expires_at"),
    )
    return statements.where(
        F.col("status").isNotNull() & F.col("purpose").isNotNull() & F.col("channel").isNotNull()
    )


def _stated_at(rows: DataFrame, source: Source, mapping: ConsentMapping, says_no: Column) -> Column:
    """When it was said: a no as late as it may have been, a yes as early."""
    given = F.col(mapping.at).try_cast("timestamp")
    given = F.when(~is_ahead(given), given)
    seen = F.coalesce(F.col("_observed_at"), F.col("_file_on").cast("timestamp"))
    last = F.coalesce(last_instant(rows, source, mapping.at), _last_of_day(seen, "UTC"))
    first = seen if source.load == "append" else F.timestamp_seconds(F.lit(0))
    return F.when(says_no, last).otherwise(F.coalesce(given, first))


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
