"""What told that several names are one person's, and is gone: records that were deleted, and events
whose time is over. A no that was said under one of the names holds for the others all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.identity.links import is_blocked, link_key
from goldenlake.identity.records import identifiers_of
from goldenlake.ports import Tables
from goldenlake.schemas import PLACE
from goldenlake.steps.generations import Generation, Stage, latest_generation, read
from goldenlake.steps.pinned import pinned
from goldenlake.steps.superseded import put
from goldenlake.transforms.conforming import as_declared
from goldenlake.transforms.golden_consents import is_no, union_of

_OF_THE_ROW = (*PLACE, "record_id", "_file_on", "_run")


def ties(
    tables: Tables, at: Generation | Stage, sources: Sequence[Source], rules: IdentityRules
) -> DataFrame | None:
    """``link_key, names`` of the rows of all sources that are gone and had another name besides,
    but for placeholders; None where no source has any.
    """
    rows = [
        gone.select(identifiers_of(source).alias("names"))
        for source in sources
        if len(source.identifiers) > 1 and (gone := _gone(tables, at, source)) is not None
    ]
    if not rows:
        return None
    named = union_of(rows).select("names", F.explode("names").alias("_of"))
    of = F.col("_of.name"), F.col("_of.value")
    return named.where(~is_blocked(*of, rules)).select(link_key(*of).alias("link_key"), "names")


def _gone(tables: Tables, at: Generation | Stage, source: Source) -> DataFrame | None:
    if source.load == "append":
        return pinned(tables, at.inputs, source, "superseded")
    silver = pinned(tables, at.inputs, source) if source.loses_records else None
    return None if silver is None else silver.where("_is_deleted")


def keep_ties(tables: Tables, source: Source, days: Sequence[date]) -> None:
    """Write into ``superseded.<source>`` which names stood together on rows of the days given.

    Of customers who said no to anything, and of records that no generation knows yet; nothing else
    of the rows. One row a set of names; a value that links nobody is not among them.
    """
    table = f"silver.{source.source}"
    if len(source.identifiers) < 2 or not tables.exists(table):
        return
    silver = as_declared(tables.read(table), source).where(F.col("_landed_on").isin(list(days)))
    names = identifiers_of(source)
    named = silver.where(F.col("record_id").isNotNull() & (F.size(names) > 1))
    named = named.select(*_OF_THE_ROW, F.explode(names).alias("_of"))
    generation = latest_generation(tables)
    if generation is not None and not generation.is_closed:
        named = _linking(tables, generation, _refusing(tables, generation, named))
    of_rows = named.groupBy(*_OF_THE_ROW).agg(F.array_sort(F.collect_set("_of")).alias("_names"))
    first = F.min(F.struct(*_OF_THE_ROW)).alias("_at")
    of_sets = of_rows.where(F.size("_names") > 1).groupBy("_names").agg(first)
    if (kept := kept_ties(tables, source)) is not None:
        of_sets = of_sets.join(kept.select(names.alias("_names")), "_names", how="left_anti")
    put(tables, source, of_sets.select("_at.*", *_columns(source, dict(silver.dtypes))))


def kept_ties(tables: Tables, source: Source) -> DataFrame | None:
    """What ``keep_ties`` has kept of a source, with all its columns; None where nothing was."""
    table = f"superseded.{source.source}"
    if source.load != "append" or not tables.exists(table):
        return None
    return as_declared(tables.read(table), source)


def _refusing(tables: Tables, generation: Generation, named: DataFrame) -> DataFrame:
    """Those of customers who said no, and of records that are not in the generation."""
    noes = read(tables, generation, "gold.consents").where(is_no())
    noes = noes.select("customer_id", F.lit(True).alias("_said_no")).distinct()
    of = read(tables, generation, "identity.customers").select("record_id", "customer_id")
    told = named.join(of.join(noes, "customer_id", how="left"), "record_id", how="left")
    is_kept = F.col("customer_id").isNull() | F.col("_said_no")
    return told.where(is_kept).drop("customer_id", "_said_no")


def _linking(tables: Tables, generation: Generation, named: DataFrame) -> DataFrame:
    """Without values that are on too many records, blocked or contested."""
    review = read(tables, generation, "identity.review").select("link_key")
    keyed = named.withColumn("link_key", link_key(F.col("_of.name"), F.col("_of.value")))
    return keyed.join(review, "link_key", how="left_anti").drop("link_key")


def _columns(source: Source, types: Mapping[str, str]) -> Iterator[Column]:
    """The source's columns of identifiers, as ``_names`` has them."""
    values = F.map_from_entries("_names")
    named: dict[str, list[Column]] = {}
    for name, column in source.identifiers.items():
        named.setdefault(column, []).append(F.try_element_at(values, F.lit(name)))
    for column, found in named.items():
        yield F.coalesce(*found).cast(types[column]).alias(column)
