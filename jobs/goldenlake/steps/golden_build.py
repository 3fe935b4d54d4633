"""One build of the golden tables: what is read, what is computed anew, and what is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from types import TracebackType
from typing import Self

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.declarations.table import Table, TableColumn
from goldenlake.identity.links import link_key
from goldenlake.ports import Tables
from goldenlake.schemas import table_shape
from goldenlake.steps.generations import Generation, Stage, read
from goldenlake.transforms.golden_changes import difference, shaped
from goldenlake.transforms.golden_consents import latest_consents, statements_of, union_of
from goldenlake.transforms.golden_customers import golden_customers
from goldenlake.transforms.golden_events import last_state
from goldenlake.transforms.golden_history import OVERTAKEN, history_changes
from goldenlake.transforms.golden_identifiers import golden_identifiers, identifier_values
from goldenlake.transforms.golden_interactions import interactions_of
from goldenlake.transforms.golden_metrics import golden_metrics
from goldenlake.transforms.golden_purchases import purchases_of
from goldenlake.transforms.golden_sources import golden_sources, memberships
from goldenlake.transforms.survivorship import observations, survivors

#: Key of each table, and a column that no row lacks: a merged row without it is a removal.
KEYS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "gold.customers": (("customer_id",), "is_known"),
    "gold.identifiers": (("customer_id", "identifier", "value"), "records"),
    "gold.sources": (("record_id",), "source"),
    "gold.interactions": (("interaction_id",), "source"),
    "gold.purchases": (("purchase_line_id",), "source"),
    "gold.consents": (("customer_id", "purpose", "channel"), "status"),
    "gold.metrics": (("customer_id",), "interactions"),
}


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a build did to one table."""

    written: int = 0
    removed: int = 0

    @property
    def is_changed(self) -> bool:
        """Whether there was anything to commit."""
        return self.written + self.removed > 0


@dataclass(kw_only=True)
class Build:
    """The frames of one build; leaving the context frees what it cached."""

    tables: Tables
    sources: Sequence[Source]
    declared: Mapping[str, Table]
    rules: IdentityRules
    as_of: date
    base: Generation | None
    identity: Generation | Stage
    is_incremental: bool
    _cached: list[DataFrame] = field(default_factory=list)

    def __enter__(self) -> Self:
        # Shared by the writers, so made before they start.
        _ = self.members, self.moved
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for frame in self._cached:
            frame.unpersist()

    def waves(self) -> list[list[Callable[[], dict[str, Written]]]]:
        """What may be written side by side, one wave after the other."""
        return [
            [
                self.interactions,
                self.customers,
                self.purchases,
                self.identifiers,
                self.consents,
                self.sources_of_customers,
            ],
            [self.metrics],
        ]

    # What is read

    @cached_property
    def all_members(self) -> DataFrame:
        """Every active record with its customer."""
        return memberships(self._read("identity.records"), self._read("identity.customers"))

    @cached_property
    def touched(self) -> DataFrame:
        """Customers that must be computed anew: (customer_id)."""
        return self._cache(self._read("identity.touched").select("customer_id").distinct())

    @cached_property
    def members(self) -> DataFrame:
        """Records of the customers that are computed anew."""
        return self._cache(self._of_touched(self.all_members))

    @cached_property
    def moved(self) -> DataFrame:
        """Records that changed hands since the base: (record_id, customer_id), null: nobody's."""
        after = self._owners(self._read("identity.customers"))
        if not self.is_incremental or self.base is None:
            return after.where(F.lit(False))
        before = self._owners(self._read("identity.customers", self.base))
        held = self._of_touched(before).withColumnRenamed("customer_id", "_before")
        hold = self._of_touched(after)
        changed = held.join(hold, "record_id", how="full").where(
            ~F.col("_before").eqNullSafe(F.col("customer_id"))
        )
        return self._cache(changed.select("record_id", "customer_id"))

    def _owners(self, customers: DataFrame) -> DataFrame:
        return customers.select("record_id", "customer_id")

    def _read(self, table: str, of: Generation | Stage | None = None) -> DataFrame:
        """An identity table; no rows where resolve never had any to write."""
        pinned = of or self.identity
        if table not in pinned.tables:
            return self.tables.spark.createDataFrame([], table_shape(table).ddl)
        return read(self.tables, pinned, table)

    def _silver(self, source: Source) -> DataFrame | None:
        table = f"silver.{source.source}"
        if table not in self.identity.inputs:
            return None
        return self.tables.read(table, version=self.identity.inputs[table])

    def _of_touched(self, frame: DataFrame) -> DataFrame:
        if not self.is_incremental:
            return frame
        return frame.join(self.touched, "customer_id", how="left_semi")

    def _of_members(self, silver: DataFrame) -> DataFrame:
        if not self.is_incremental:
            return silver
        return silver.join(self.members.select("record_id"), "record_id", how="left_semi")

    def _old(self, table: str) -> DataFrame:
        return self.tables.read_or_empty(table, self.declared[table].ddl)

    def _empty(self, table: str) -> DataFrame:
        return self.tables.spark.createDataFrame([], self.declared[table].ddl)

    def _cache(self, frame: DataFrame) -> DataFrame:
        self._cached.append(frame.persist())
        return frame

    # What is written

    def customers(self) -> dict[str, Written]:
        """gold.customers, and gold.customers_history after it."""
        attributes = self.declared["gold.customers"].attributes
        observed = [
            observations(self._of_members(silver), source, attributes)
            for source in self.sources
            if source.attributes and (silver := self._silver(source)) is not None
        ]
        owners = self._owners(self.members)
        survived = (
            survivors(union_of(observed).join(owners, "record_id", how="inner"), attributes)
            if observed
            else self._empty("gold.customers").select(
                "customer_id", *_names(attributes), "provenance"
            )
        )
        naming = [
            name
            for name, identifier in self.rules.identifiers.items()
            if identifier.personal == "contact" or identifier.strength == "unique"
        ]
        profiles = [source.source for source in self.sources if source.is_profile]
        customers = shaped(
            golden_customers(self.members, survived, attributes, profiles=profiles, naming=naming),
            self.declared["gold.customers"],
        )
        customers = self._cache(customers)
        old = self._of_touched(self._old("gold.customers"))
        return {
            "gold.customers": self._write("gold.customers", customers, old),
            "gold.customers_history": self._write_history(customers, _names(attributes)),
        }

    def _write_history(self, customers: DataFrame, names: Sequence[str]) -> Written:
        table = "gold.customers_history"
        old = self.tables.read_or_empty(table, self._history_ddl())
        for name in names:
            if name not in old.columns:
                old = old.withColumn(name, F.lit(None).cast(customers.schema[name].dataType))
        changes = self._cache(
            history_changes(self._of_touched(old), customers, names, as_of=self.as_of)
        )
        written = changes.count()
        if written or not self.tables.exists(table):
            on = ("customer_id", "valid_from")
            self.tables.merge(table, changes, on=on, delete_when=OVERTAKEN)
        return Written(written=written)

    def _history_ddl(self) -> str:
        attributes = self.declared["gold.customers"].attributes
        columns = [("customer_id", "STRING"), *((each.name, each.type) for each in attributes)]
        columns += [("valid_from", "DATE"), ("valid_to", "DATE")]
        return ", ".join(f"{name} {type_}" for name, type_ in columns)

    def sources_of_customers(self) -> dict[str, Written]:
        """gold.sources."""
        old = self._of_touched(self._old("gold.sources"))
        return {"gold.sources": self._write("gold.sources", golden_sources(self.members), old)}

    def identifiers(self) -> dict[str, Written]:
        """gold.identifiers; also of customers whose values became, or ceased to be, too common."""
        table = "gold.identifiers"
        review = self._read("identity.review").select("link_key")
        members, old = self.members, self._old(table)
        if self.is_incremental and self.base is not None:
            before = self._read("identity.review", self.base).select("link_key")
            judged_anew = self._cache(
                review.exceptAll(before).union(before.exceptAll(review)).distinct()
            )
            old = self._of_touched(old)
            if not judged_anew.isEmpty():
                holders = (
                    _keyed(identifier_values(self.all_members))
                    .join(judged_anew, "link_key", how="left_semi")
                    .select("customer_id")
                    .union(self.touched)
                    .distinct()
                )
                holders = self._cache(holders)
                members = self.all_members.join(holders, "customer_id", how="left_semi")
                old = self._old(table).join(holders, "customer_id", how="left_semi")
        values = _keyed(identifier_values(members))
        return {table: self._write(table, golden_identifiers(values, review), old)}

    def consents(self) -> dict[str, Written]:
        """gold.consents."""
        table = "gold.consents"
        stated = [
            statements_of(self._of_members(silver), source)
            for source in self.sources
            if source.consents and (silver := self._silver(source)) is not None
        ]
        owners = self._owners(self.members)
        new = (
            latest_consents(union_of(stated).join(owners, "record_id", how="inner"))
            if stated
            else self._empty(table)
        )
        return {table: self._write(table, new, self._of_touched(self._old(table)))}

    def interactions(self) -> dict[str, Written]:
        """gold.interactions."""
        sources = [source for source in self.sources if source.interactions]
        return self._events("gold.interactions", sources, interactions_of)

    def purchases(self) -> dict[str, Written]:
        """gold.purchases."""
        sources = [source for source in self.sources if source.purchases]
        return self._events("gold.purchases", sources, purchases_of)

    def _events(
        self,
        table: str,
        sources: Sequence[Source],
        mapped: Callable[[DataFrame, Source], DataFrame],
    ) -> dict[str, Written]:
        owners = self._owners(self._read("identity.customers"))
        if not self.is_incremental or self.base is None:
            found = [
                mapped(silver, source)
                for source in sources
                if (silver := self._silver(source)) is not None
            ]
            events = (
                union_of(found).join(owners, "record_id", how="left")
                if found
                else self._empty(table)
            )
            return {table: self._write(table, events, self._old(table))}
        (key,), _ = KEYS[table]
        changed = self._changed_events(key, sources, mapped)
        if changed is None and self.moved.isEmpty():
            return {table: Written()}
        old = self._old(table)
        moved = old.drop("customer_id").join(self.moved, "record_id", how="inner")
        if changed is None:
            return {table: self._merge(table, shaped(moved, self.declared[table]))}
        changed = self._cache(changed.join(owners, "record_id", how="left"))
        new = shaped(changed.where("_is_new"), self.declared[table])
        known = changed.where("NOT _is_new")
        if self.moved.isEmpty() and known.isEmpty():
            return {table: self._append(table, new)}
        present = shaped(known.where("source IS NOT NULL"), self.declared[table])
        before = old.join(known.select(key), key, how="left_semi")
        moved = moved.join(changed.select(key), key, how="left_anti")
        rows = new.unionByName(difference(present, before, on=[key])).unionByName(
            shaped(moved, self.declared[table])
        )
        return {table: self._merge(table, rows)}

    def _changed_events(
        self,
        key: str,
        sources: Sequence[Source],
        mapped: Callable[[DataFrame, Source], DataFrame],
    ) -> DataFrame | None:
        """Rows that changed in silver as they are now, with ``_is_new``; only the key: gone."""
        found = []
        for source in sources:
            table = f"silver.{source.source}"
            after = self.base.inputs.get(table) if self.base else None
            to = self.identity.inputs.get(table)
            if to is None or after == to:
                continue
            changes = self.tables.changes(table, after=after, to=to)
            last = last_state(changes, source)
            ids = last.select(F.col("_event_id").alias(key), "_is_new")
            rows = mapped(last.where("NOT _is_gone"), source)
            found.append(ids.join(rows, key, how="left").where("source IS NOT NULL OR NOT _is_new"))
        return union_of(found) if found else None

    def metrics(self) -> dict[str, Written]:
        """gold.metrics, from the golden tables that are already written."""
        table = "gold.metrics"
        customers, interactions, purchases = (
            self._of_touched(self.tables.read(name))
            for name in ("gold.customers", "gold.interactions", "gold.purchases")
        )
        new = golden_metrics(customers, interactions, purchases)
        return {table: self._write(table, new, self._of_touched(self._old(table)))}

    def _write(self, table: str, new: DataFrame, old: DataFrame) -> Written:
        """Make these rows the table; in an incremental build those of the touched customers."""
        new = shaped(new, self.declared[table])
        if self.is_incremental:
            return self._merge(table, difference(new, old, on=KEYS[table][0]))
        self.tables.overwrite(table, new)
        return Written(written=self.tables.read(table).count())

    def _merge(self, table: str, rows: DataFrame) -> Written:
        key, marker = KEYS[table]
        rows = self._cache(rows)
        of = rows.agg(F.count(marker).alias("written"), F.count(F.lit(1)).alias("all")).first()
        written = Written(written=of["written"], removed=of["all"] - of["written"]) if of else None
        if written is None or not written.is_changed:
            return Written()
        self.tables.merge(table, rows, on=key, delete_when=f"new.`{marker}` IS NULL")
        return written

    def _append(self, table: str, rows: DataFrame) -> Written:
        """New rows alone need no merge; a build that begins again has undone them before."""
        rows = self._cache(rows)
        written = rows.count()
        if written:
            self.tables.append(table, rows)
        return Written(written=written)

    def profile(self) -> tuple[dict[str, int], dict[str, float]]:
        """Totals of gold.customers, and each attribute's share of known customers with a value."""
        attributes = _names(self.declared["gold.customers"].attributes)
        known = F.col("is_known")
        row = (
            self.tables.read("gold.customers")
            .agg(
                F.count(F.lit(1)).alias("customers"),
                F.count_if(known).alias("customers_known"),
                F.count_if(F.col("records") > 1).alias("customers_of_several_records"),
                F.coalesce(F.max("records"), F.lit(0)).alias("largest_customer"),
                *(
                    F.count_if(known & F.col(name).isNotNull()).alias(f"_{name}")
                    for name in attributes
                ),
            )
            .first()
        )
        found = row.asDict() if row else {}
        totals = {name: int(of) for name, of in found.items() if not name.startswith("_")}
        return totals, {
            name: round(found[f"_{name}"] / max(1, totals["customers_known"]), 4)
            for name in attributes
        }


def _keyed(values: DataFrame) -> DataFrame:
    return values.withColumn("link_key", link_key(F.col("identifier"), F.col("value")))


def _names(attributes: Sequence[TableColumn]) -> list[str]:
    return [attribute.name for attribute in attributes]
