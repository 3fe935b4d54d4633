"""Survivorship: which record's value a customer shows when the customer's records disagree."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.source import Source
from goldenlake.declarations.table import Survivorship, TableColumn

_NEVER_OBSERVED = 2**63 - 1
_PROVENANCE = "map<string, struct<record_id: string, source: string, observed_at: timestamp>>"


def observations(silver: DataFrame, source: Source, attributes: Sequence[TableColumn]) -> DataFrame:
    """What the records of one source say: ``record_id``, ``source``, ``filled``, the attributes.

    One row a record. Each attribute is a struct of ``value`` and ``observed_at``, or null where
    the record has no value. Rows of an event source are folded into the newest value that each of
    their records gave. Deleted rows and rows without a record say nothing. ``filled`` counts the
    attributes that the record has.
    """
    present = silver.where(
        F.col("record_id").isNotNull() & ~F.coalesce(F.col("_is_deleted"), F.lit(False))
    )
    observed = {
        attribute.name: _observation(source, attribute)
        for attribute in attributes
        if attribute.name in source.attributes
    }
    if source.is_profile:
        folded = present.select(
            "record_id", *(value.alias(name) for name, value in observed.items())
        )
    else:
        folded = (
            present.groupBy("record_id")
            .agg(*(_newest(value).alias(name) for name, value in observed.items()))
            .select("record_id", *(F.col(f"{name}.observed").alias(name) for name in observed))
        )
    filled = reduce(
        Column.__add__, (F.col(name).isNotNull().cast("int") for name in observed), F.lit(0)
    )
    return folded.select(
        "record_id",
        F.lit(source.source).alias("source"),
        filled.alias("filled"),
        *(
            F.col(attribute.name)
            if attribute.name in observed
            else F.lit(None).cast(_observation_type(attribute)).alias(attribute.name)
            for attribute in attributes
        ),
    )


def _observation(source: Source, attribute: TableColumn) -> Column:
    value = F.col(source.attributes[attribute.name]).try_cast(attribute.type)
    return F.when(
        value.isNotNull(),
        F.struct(value.alias("value"), F.col("_observed_at").alias("observed_at")),
    ).cast(_observation_type(attribute))


def _observation_type(attribute: TableColumn) -> str:
    return f"struct<value: {attribute.type}, observed_at: timestamp>"


def _newest(observation: Column) -> Column:
    """The newest observation that has a value, by the order of rows that silver itself uses."""
    return F.max(
        F.when(
            observation.isNotNull(),
            F.struct(
                observation["observed_at"].alias("at"),
                "_file_on",
                "_file_id",
                "_record",
                observation.alias("observed"),
            ),
        )
    )


def survivors(observed: DataFrame, attributes: Sequence[TableColumn]) -> DataFrame:
    """One row a customer: ``customer_id``, the surviving attributes, and their ``provenance``.

    ``observed`` is what ``observations`` gave, of all sources, with ``customer_id``. A null never
    wins over a value. Candidates are totally ordered, first by the declared rule (most complete:
    the record that fills the most attributes, so that the parts of an address come from one
    record where they can), then as ``Survivorship`` says: the same records give the same winner
    in any order of arrival. One shuffle, by customer.
    """
    frequent = {a.name for a in attributes if _declared(a).rule == "most_frequent"}
    gathered = observed.groupBy("customer_id").agg(
        *(
            (F.collect_list if attribute.name in frequent else F.min)(_candidate(attribute)).alias(
                attribute.name
            )
            for attribute in attributes
        )
    )
    winners = gathered.select(
        "customer_id",
        *(
            (_most_frequent(name) if name in frequent else F.col(name)).alias(name)
            for name in (attribute.name for attribute in attributes)
        ),
    )
    return winners.select(
        "customer_id",
        *(F.col(f"{attribute.name}.value").alias(attribute.name) for attribute in attributes),
        _provenance([attribute.name for attribute in attributes]).alias("provenance"),
    )


def _declared(attribute: TableColumn) -> Survivorship:
    if attribute.survivorship is None:
        raise ValueError(f"{attribute.name} declares no survivorship")
    return attribute.survivorship


def _candidate(attribute: TableColumn) -> Column:
    """A value with all that it is judged by, so that the smallest struct is the winner."""
    declared = _declared(attribute)
    observation = F.col(attribute.name)
    rank = F.lit(len(declared.sources))
    for place, source in reversed(list(enumerate(declared.sources))):
        rank = F.when(F.col("source") == source, F.lit(place)).otherwise(rank)
    criterion = {
        "most_trusted": rank,
        "most_complete": -F.col("filled"),
        "most_recent": F.lit(0),
        "most_frequent": F.lit(0),
    }[declared.rule]
    age = F.coalesce(-F.unix_micros(observation["observed_at"]), F.lit(_NEVER_OBSERVED))
    return F.when(
        observation.isNotNull(),
        F.struct(
            criterion.cast("bigint").alias("criterion"),
            age.alias("age"),
            rank.alias("rank"),
            F.col("record_id"),
            observation["value"].alias("value"),
            F.col("source"),
            observation["observed_at"].alias("observed_at"),
        ),
    )


def _most_frequent(name: str) -> Column:
    """Quadratic in the records of one customer, which identity keeps to some hundreds."""
    rivals = F.col(name)
    judged = F.transform(
        rivals,
        lambda mine: mine.withField(
            "criterion",
            -F.size(F.filter(rivals, lambda other: other["value"] == mine["value"])).cast("bigint"),
        ),
    )
    return F.array_min(judged)


def _provenance(names: Sequence[str]) -> Column:
    if not names:
        return F.create_map().cast(_PROVENANCE)
    entries = F.array(
        *(
            F.when(
                F.col(name).isNotNull(),
                F.struct(
                    F.lit(name).alias("key"),
                    F.struct(
                        F.col(f"{name}.record_id").alias("record_id"),
                        F.col(f"{name}.source").alias("source"),
                        F.col(f"{name}.observed_at").alias("observed_at"),
                    ).alias("value"),
                ),
            )
            for name in names
        )
    )
    return F.map_from_entries(F.filter(entries, lambda entry: entry.isNotNull())).cast(_PROVENANCE)
