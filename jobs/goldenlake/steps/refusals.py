"""What was refused and holds beyond the record that said it, by the values that name who did: the
record is gone, says or bears something else by now, or is tied to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.identity.links import (
    BLOCKED,
    CONFLICTING,
    TOO_MANY,
    is_blocked,
    keyed,
    link_key,
)
from goldenlake.identity.records import identifiers_of
from goldenlake.ports import Tables
from goldenlake.steps.generations import Generation, Stage, read
from goldenlake.steps.pinned import pinned
from goldenlake.steps.superseded import last_statements
from goldenlake.steps.ties import ties
from goldenlake.transforms.golden_consents import is_no, said_under_names, union_of


def refusals(tables: Tables, at: Generation | Stage, sources: Sequence[Source]) -> DataFrame | None:
    """What rows refused that are gone, replaced or nobody's record, of the rows that ``at`` was
    built from: ``link_key`` and what ``said_under_names`` gives; None where no source has any.

    A record is often deleted because its person asked for it: the no must outlive it, or an older
    yes elsewhere counts again. A yes goes with its record.
    """
    found: list[DataFrame] = []
    for source, silver in _stating(tables, at, sources):
        if source.loses_records or source.people or source.bots:
            found.append(_noes(_lost(silver), source))
        found += _replaced(tables, at, source, silver)
    return union_of(found) if found else None


def untied(
    tables: Tables, at: Generation | Stage, sources: Sequence[Source], rules: IdentityRules
) -> DataFrame | None:
    """The same of records that are there, and that their names alone tie to nobody (any more)."""
    blocked = is_blocked(F.col("identifier"), F.col("value"), rules)
    said: list[DataFrame] = []
    found: list[DataFrame] = []
    for source, silver in _stating(tables, at, sources):
        noes = _noes(silver, source)
        said += [noes, *_replaced(tables, at, source, silver)]
        if not source.is_profile:
            found.append(_contested(noes.where(~blocked), _review(tables, at)))
    gone = ties(tables, at, sources, rules)
    if said and gone is not None:
        review = _review(tables, at)
        once = _through(union_of(said), gone, review)
        found += [once, _through(once, gone, review)]
    return union_of(found) if found else None


def naming_nobody(tables: Tables, at: Generation | Stage) -> DataFrame:
    """Values that are on too many records, or on several and blocked: (link_key). What is said
    under one is said of an address, and of none of those who bear it.
    """
    review = _review(tables, at)
    return review.where(F.col("reason").isin(BLOCKED, TOO_MANY)).select("link_key")


def contested(tables: Tables, at: Generation | Stage) -> DataFrame:
    """Values of which some bearers are told apart by their traits: (link_key). They link not all,
    and name each.
    """
    return _contesting(_review(tables, at))


def _review(tables: Tables, at: Generation | Stage) -> DataFrame:
    return read(tables, at, "identity.review").select("link_key", "reason")


def _stating(
    tables: Tables, at: Generation | Stage, sources: Sequence[Source]
) -> Iterator[tuple[Source, DataFrame]]:
    for source in sources:
        silver = pinned(tables, at.inputs, source)
        if silver is not None and source.consents and source.identifiers:
            yield source, silver


def _lost(silver: DataFrame) -> DataFrame:
    is_deleted = F.coalesce(F.col("_is_deleted"), F.lit(False))
    return silver.where(is_deleted | F.col("record_id").isNull())


def _noes(rows: DataFrame, source: Source) -> DataFrame:
    """Every no under every name, with ``link_key``."""
    return keyed(said_under_names(rows, source, identifiers_of(source)).where(is_no()))


def _replaced(
    tables: Tables, at: Generation | Stage, source: Source, silver: DataFrame
) -> list[DataFrame]:
    superseded = pinned(tables, at.inputs, source, "superseded") if source.key else None
    if superseded is None:
        return []
    return [keyed(last_statements(superseded, silver, source).where(is_no()))]


def _contesting(review: DataFrame) -> DataFrame:
    return review.where(F.col("reason") == CONFLICTING).select("link_key")


def _contested(noes: DataFrame, review: DataFrame) -> DataFrame:
    """Those of events that nothing ties to anybody, among all their names being one that is
    contested: an event has no trait that could settle whose it is.
    """
    told = noes.join(F.broadcast(_contesting(review)), "link_key", how="left_semi")
    asked = noes.join(told.select("record_id").distinct(), "record_id", how="left_semi")
    tied = asked.join(review, "link_key", how="left_anti").select("record_id").distinct()
    return told.join(tied, "record_id", how="left_anti")


def _through(noes: DataFrame, gone: DataFrame, review: DataFrame) -> DataFrame:
    """Noes that were said under one name of a record that is gone, under its other names: it alone
    told that they are one person's. A value that links nobody tells nothing. What a no reached may
    lie on another such record: ``untied`` goes on from there once.
    """
    linking = gone.join(F.broadcast(review), "link_key", how="left_anti")
    reached = noes.drop("identifier", "value").join(linking, "link_key", how="inner")
    named = reached.withColumn("_of", F.explode("names"))
    return named.select(
        F.col("_of.name").alias("identifier"),
        F.col("_of.value").alias("value"),
        *(name for name in noes.columns if name not in ("identifier", "value", "link_key")),
        link_key(F.col("_of.name"), F.col("_of.value")).alias("link_key"),
    )
