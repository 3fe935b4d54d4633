"""Deterministic links: which records share a value that says they are one person.

Links are a function of the value group alone (all active records with that value), never of the
order of arrival. Groups are judged by their size before anything is paired, so that a value on a
million records costs one aggregate and nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.columns.placeholders import is_placeholder
from goldenlake.declarations.identity import Identifier, IdentityRules
from goldenlake.identity.agreement import Member, verdict

BLOCKED, TOO_MANY, CONFLICTING = "blocked", "too_many_records", "conflicting_traits"

_MEMBER = "struct<record_id: string, traits: array<string>>"
_VERDICTS = (
    "identifier string, link_key string, left_record string, right_record string, "
    "records bigint, sample_records array<string>"
)
_SAMPLES = 5


def link_key(identifier: Column, value: Column) -> Column:
    """Stands for a value where the value itself must not be written: 128 bits of SHA-256."""
    return F.substring(F.sha2(F.concat_ws("\x1f", identifier, value), 256), 1, 32)


def keyed(values: DataFrame) -> DataFrame:
    """Rows with ``identifier`` and ``value``, and their ``link_key``."""
    return values.withColumn("link_key", link_key(F.col("identifier"), F.col("value")))


def link_keys(values: DataFrame) -> DataFrame:
    """The keys of (identifier, value): (link_key)."""
    return keyed(values).select("link_key")


def is_blocked(identifier: Column, value: Column, rules: IdentityRules) -> Column:
    """Whether it is a placeholder, be it on many records, on one or on none."""
    blocked = F.lit(False)
    for name, rule in rules.identifiers.items():
        blocked |= (identifier == name) & is_placeholder(value, rule)
    return F.coalesce(blocked, F.lit(False))


def rule_text(name: str, identifier: Identifier) -> str:
    """The rule behind an edge, in words that a steward can check."""
    unless = " or ".join(identifier.unless_differ)
    return f"same {name}" + (f", unless {unless} differ" if unless else "")


def values_of(records: DataFrame, column: str = "identifiers") -> DataFrame:
    """Every distinct value on these records: (identifier, value)."""
    return (
        records.select(F.explode(column).alias("pair"))
        .select(F.col("pair.name").alias("identifier"), F.col("pair.value").alias("value"))
        .distinct()
    )


def members(
    records: DataFrame, rules: IdentityRules, touched: DataFrame | None = None
) -> DataFrame:
    """One row a value of an active record: (identifier, value, record_id, traits).

    ``traits`` are those that the identifier's rule compares, in its order; a placeholder is no
    trait. ``touched`` (identifier, value) limits the rows to those values.
    """
    exploded = (
        records.where("is_active")
        .select(
            "record_id",
            F.col("traits").alias("_traits"),
            F.col("identifiers").alias("_identifiers"),
            F.explode(F.array_distinct("identifiers")).alias("pair"),
        )
        .where(F.col("pair.name").isin(list(rules.identifiers)))
        .withColumn("identifier", F.col("pair.name"))
        .withColumn("value", F.col("pair.value"))
    )
    if touched is not None:
        exploded = exploded.join(touched, on=["identifier", "value"], how="left_semi")
    return exploded.select("identifier", "value", "record_id", _compared(rules).alias("traits"))


def value_groups(members: DataFrame, rules: IdentityRules) -> DataFrame:
    """Values on two or more records, and why they may not link.

    Gives (identifier, value, link_key, records, reason, sample_records); ``reason`` is null where
    the value may link.
    """
    groups = (
        members.groupBy("identifier", "value")
        .agg(
            F.count(F.lit(1)).alias("records"),
            F.min("record_id").alias("_first"),
            F.max("record_id").alias("_last"),
        )
        .where("records > 1")
    )
    value, records = F.col("value"), F.col("records")
    too_many = F.lit(False)
    for name, rule in rules.identifiers.items():
        too_many |= (F.col("identifier") == name) & (records > rule.most_records)
    return groups.select(
        "identifier",
        "value",
        link_key(F.col("identifier"), value).alias("link_key"),
        "records",
        F.when(is_blocked(F.col("identifier"), value, rules), F.lit(BLOCKED))
        .when(too_many, F.lit(TOO_MANY))
        .alias("reason"),
        F.array("_first", "_last").alias("sample_records"),
    )


def judged(members: DataFrame, groups: DataFrame) -> DataFrame:
    """The groups that may link, each with its records in order.

    Gives (identifier, link_key, members, is_contested); ``is_contested`` says that some compared
    trait has two values, which only a look at the pairs can settle.
    """
    admitted = groups.where("reason is null").select("identifier", "value", "link_key")
    return (
        members.join(admitted, on=["identifier", "value"], how="inner")
        .groupBy("identifier", "link_key")
        .agg(F.array_sort(F.collect_list(F.struct("record_id", "traits"))).alias("members"))
        .withColumn("is_contested", _is_contested(F.col("members")))
    )


def contested(judged: DataFrame, rules: IdentityRules) -> DataFrame:
    """What the contested groups link: one row a pair, and one row without a pair a conflict.

    Gives (identifier, link_key, left_record, right_record, records, sample_records); the last two
    are filled in the rows of conflicts.
    """
    compared = {name: tuple(rule.unless_differ) for name, rule in rules.identifiers.items()}
    groups = judged.where("is_contested").select("identifier", "link_key", "members")
    return groups.mapInArrow(partial(_verdicts, compared), _VERDICTS)


def edges(judged: DataFrame, contested: DataFrame, rules: IdentityRules) -> DataFrame:
    """Links with their evidence.

    Gives (left_record, right_record, identifier, link_key, strength, rule, weight, model), the
    last two null. A group in which nothing is contested is a star around its smallest record id:
    n - 1 edges, not n².
    """
    members = F.col("members")
    stars = judged.where(~F.col("is_contested")).select(
        "identifier",
        "link_key",
        members[0]["record_id"].alias("left_record"),
        F.explode(F.slice(members["record_id"], F.lit(2), F.size(members))).alias("right_record"),
    )
    pairs = contested.where("left_record is not null").select(
        "identifier", "link_key", "left_record", "right_record"
    )
    strength, rule = F.lit(None).cast("string"), F.lit(None).cast("string")
    for name, declared in rules.identifiers.items():
        is_it = F.col("identifier") == name
        strength = F.when(is_it, F.lit(declared.strength)).otherwise(strength)
        rule = F.when(is_it, F.lit(rule_text(name, declared))).otherwise(rule)
    return stars.unionByName(pairs).select(
        "left_record",
        "right_record",
        "identifier",
        "link_key",
        strength.alias("strength"),
        rule.alias("rule"),
        F.lit(None).cast("double").alias("weight"),
        F.lit(None).cast("string").alias("model"),
    )


def refusals(groups: DataFrame, contested: DataFrame) -> DataFrame:
    """Values that did not link all of their records, for a steward.

    Gives (identifier, link_key, reason, records, sample_records).
    """
    columns = ("identifier", "link_key", "reason", "records", "sample_records")
    conflicts = contested.where("left_record is null").withColumn("reason", F.lit(CONFLICTING))
    return (
        groups.where("reason is not null").select(*columns).unionByName(conflicts.select(*columns))
    )


def _compared(rules: IdentityRules) -> Column:
    """The traits that the row's identifier compares, as an array; empty where it compares none."""
    traits = F.array().cast("array<string>")
    for name, rule in rules.identifiers.items():
        if rule.unless_differ:
            values = F.array(*[_trait(trait, rules) for trait in rule.unless_differ])
            traits = F.when(F.col("identifier") == name, values).otherwise(traits)
    return traits


def _trait(name: str, rules: IdentityRules) -> Column:
    stated = F.col("_traits")[name]
    if name not in rules.identifiers:
        return stated
    own = F.filter(
        "_identifiers",
        lambda pair: (pair["name"] == name) & ~is_blocked(pair["name"], pair["value"], rules),
    )
    return F.coalesce(stated, F.try_element_at(own, F.lit(1))["value"])


def _is_contested(members: Column) -> Column:
    """Whether, at some place of the traits, the records have two values."""

    def differs(at: Column) -> Column:
        values = F.filter(
            F.transform(members, lambda member: F.get(member["traits"], at)),
            lambda value: value.isNotNull(),
        )
        return F.size(F.array_distinct(values)) > 1

    places = F.size(members[0]["traits"])
    return (places > 0) & F.exists(F.sequence(F.lit(0), F.greatest(places - 1, F.lit(0))), differs)


def _verdicts(
    compared: dict[str, tuple[str, ...]], batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        rows = []
        for group in batch.to_pylist():
            found = [Member(each["record_id"], tuple(each["traits"])) for each in group["members"]]
            pairs, is_conflicting = verdict(found, compared[group["identifier"]])
            of = {"identifier": group["identifier"], "link_key": group["link_key"]}
            rows += [{**of, "left_record": left, "right_record": right} for left, right in pairs]
            if is_conflicting:
                samples = [member.record_id for member in found[:_SAMPLES]]
                rows.append({**of, "records": len(found), "sample_records": samples})
        yield pa.RecordBatch.from_pylist(rows, schema=_VERDICTS_ARROW)


_VERDICTS_ARROW = pa.schema(
    {
        "identifier": pa.string(),
        "link_key": pa.string(),
        "left_record": pa.string(),
        "right_record": pa.string(),
        "records": pa.int64(),
        "sample_records": pa.list_(pa.string()),
    }
)
