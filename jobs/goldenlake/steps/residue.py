"""What outlives people by design: it goes by their ids, and from the rows of others what tells of
them, for an address that was corrected, or left with a split, stood under another customer once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.columns.distinct import over_distinct_flag
from goldenlake.declarations.erasure import Erasure, erasure_of
from goldenlake.ports import Tables
from goldenlake.schemas import LEDGER
from goldenlake.steps.forget import remove_rows
from goldenlake.steps.generations import generation_tables, latest_generation
from goldenlake.steps.ledger import KEY as RECORD_KEY
from goldenlake.steps.ledger import TABLE as LEDGER_TABLE
from goldenlake.steps.subjects import Subject

_NESTED = ("array", "map", "struct")


@dataclass(frozen=True, kw_only=True)
class Residue:
    """Of a person; each part can be done again after a crash at any point.

    Args:
        request: whose name stands for a customer id where the person has none.
    """

    subject: Subject
    request: str

    @property
    def _customer_ids(self) -> tuple[str, ...]:
        return self.subject.customer_ids or (self.request,)

    def claim(self, tables: Tables) -> int:
        """Put what destinations have under a key that tells of the person to the person's name,
        whoever it was sent for, so that the exports take it off; gives how many records.
        """
        ids = self._ids(tables, "customer", "customer_id")
        ledger = tables.read_or_empty(LEDGER_TABLE, LEDGER.ddl)
        told = ledger.where(self._tells(F.col("key"))).join(ids, "customer_id", how="left_anti")
        count = told.count()
        if count:
            owned = told.withColumn("customer_id", F.lit(self._customer_ids[0]))
            owned = owned.select(*ledger.columns)
            tables.merge(LEDGER_TABLE, owned, on=RECORD_KEY, insert=False)
        return count

    def told(self, tables: Tables) -> dict[str, dict[str, int]]:
        """How many records each destination has or had of them, by state."""
        ids = self._ids(tables, "customer", "customer_id")
        ledger = tables.read_or_empty(LEDGER_TABLE, LEDGER.ddl)
        rows = ledger.join(F.broadcast(ids), "customer_id", how="left_semi")
        told: dict[str, dict[str, int]] = {}
        for name, state, count in rows.groupBy("destination", "state").count().collect():
            told.setdefault(name, {})[state] = count
        return told

    def remove(self, tables: Tables, names: Sequence[str]) -> dict[str, int]:
        """Remove it from these tables; gives how many rows went or lost something, by table."""
        latest = latest_generation(tables)
        of_generations = generation_tables(tables)
        gone: dict[str, int] = {}
        for name in names:
            if name in of_generations:
                # An unpublished build would be published with what is removed; it can be done anew.
                tables.restore(name, latest.tables.get(name) if latest else None)
            erasure = erasure_of(name)
            if erasure.holds == "residue":
                # What the person's own rows say is asked for by those of others.
                count = self._of_others(tables, name, erasure) + self._by_ids(tables, name, erasure)
                if count:
                    gone[name] = count
        return gone

    def _by_ids(self, tables: Tables, name: str, erasure: Erasure) -> int:
        gone = 0
        for column in erasure.by:
            doomed = self._ids(tables, erasure.ids, column)
            held = tables.read(name).join(F.broadcast(doomed), column, how="left_semi")
            if count := held.count():
                remove_rows(tables, name, doomed, on=[column])
                gone += count
        return gone

    def _of_others(self, tables: Tables, name: str, erasure: Erasure) -> int:
        """For values the whole table is written anew, since not every table of these has a key."""
        if erasure.others == "keep":
            return 0
        ids = self._ids(tables, erasure.ids, erasure.by[0])
        every = tables.read(name)
        held = every.join(F.broadcast(ids), erasure.by[0], how="left_anti")
        tells = {
            column: self._tells(F.col(column) if of == "string" else F.to_json(column))
            for column, of in held.dtypes
            if of == "string" or of.startswith(_NESTED)
        }
        is_told = reduce(Column.__or__, tells.values())
        count = held.where(is_told).count()
        if count and erasure.others == "rows":
            remove_rows(tables, name, held.where(is_told).select(*erasure.key), on=erasure.key)
        elif count:
            own = every.join(F.broadcast(ids), erasure.by[0], how="left_semi")
            kept = _without(held, own, is_told, erasure) if erasure.span else held
            blank = {column: F.when(~told, F.col(column)) for column, told in tells.items()}
            tables.overwrite(name, kept.withColumns(blank).unionByName(own))
        return count

    def _tells(self, text: Column) -> Column:
        """Whether a text is the id of a record of theirs, or tells of them."""
        records, traces = frozenset(self.subject.record_ids), self.subject.traces
        told = over_distinct_flag(text, lambda value: value in records or traces.found_in(value))
        return F.coalesce(told, F.lit(False))

    def _ids(self, tables: Tables, of: str, column: str) -> DataFrame:
        ids = self._customer_ids if of == "customer" else self.subject.record_ids
        return tables.frame([[each] for each in ids], f"{column} STRING")


def _without(held: DataFrame, own: DataFrame, is_told: Column, erasure: Erasure) -> DataFrame:
    """Rows of others; those that tell without what the person's own say of the same, unless the
    other still is so.
    """
    (by,), (_, until) = erasure.by, erasure.span
    names = [
        name
        for name, of in held.dtypes
        if name not in (by, *erasure.span) and not of.startswith(_NESTED)
    ]
    theirs = own.select(*(F.col(name).cast("string").alias(name) for name in names)).collect()
    said = {name: {row[name] for row in theirs} for name in names}
    today = held.where(F.col(until).isNull()).select(by, F.struct(*names).alias("_today"))
    left = {
        name: F.when(
            is_told & _is_among(name, said[name]) & ~F.col(name).eqNullSafe(F.col("_today")[name]),
            F.lit(None),
        ).otherwise(F.col(name))
        for name in names
    }
    return held.join(today, by, how="left").withColumns(left).select(*held.columns)


def _is_among(column: str, values: Collection[str | None]) -> Column:
    """By a function, since values of a condition stand in plans."""
    known = frozenset(values)
    found = over_distinct_flag(F.col(column).cast("string"), lambda value: value in known)
    return F.coalesce(found, F.lit(False))
