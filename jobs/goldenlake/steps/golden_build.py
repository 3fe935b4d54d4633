"""One build of the golden tables: what is read, what is computed anew, and what is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from goldenlake.ports import Tables
from goldenlake.steps.generations import Generation, Stage, read
from goldenlake.steps.pinned import pinned
from goldenlake.transforms.golden_changes import difference, shaped
from goldenlake.transforms.golden_sources import memberships

#: Key of each table, and a column that no row lacks: a merged row without it is a removal.
KEYS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "gold.customers": (("customer_id",), "is_known"),
    "gold.identifiers": (("customer_id", "identifier", "value"), "records"),
    "gold.sources": (("record_id",), "source"),
    "gold.interactions": (("interaction_id",), "source"),
    "gold.purchases": (("purchase_line_id",), "source"),
    "gold.consents": (("customer_id", "purpose", "channel"), "status"),
    "gold.metrics": (("customer_id",), "interactions"),
    "gold.campaigns": (("segment", "campaign"), "sent"),
}
OF_GROUPS = (("customer_id",), "size")
"""The same of every table that a group makes."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a build did to one table; rows are not counted where all of it was written anew."""

    written: int = 0
    removed: int = 0
    is_anew: bool = False

    @property
    def is_changed(self) -> bool:
        """Whether there was anything to commit."""
        return self.is_anew or self.written + self.removed > 0


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
        # Last first: Spark plans each cached frame anew that depends on one which it lets go.
        for frame in reversed(self._cached):
            frame.unpersist()

    # What is read

    @cached_property
    def all_members(self) -> DataFrame:
        """Every active record with its customer."""
        return memberships(self.read("identity.records"), self.read("identity.customers"))

    @cached_property
    def touched(self) -> DataFrame:
        """Customers that must be computed anew: (customer_id)."""
        return self.cache(self.read("identity.touched").select("customer_id").distinct())

    @cached_property
    def members(self) -> DataFrame:
        """Records of the customers that are computed anew."""
        return self.cache(self.of_touched(self.all_members))

    @property
    def naming(self) -> list[str]:
        """Identifiers that say who somebody is; a weak one, as a cookie, alone does not."""
        return [
            name
            for name, identifier in self.rules.identifiers.items()
            if identifier.personal == "contact" or identifier.strength != "weak"
        ]

    @cached_property
    def moved(self) -> DataFrame:
        """Records that changed hands since the base: (record_id, customer_id), null: nobody's."""
        after = self.owners(self.read("identity.customers"))
        if not self.is_incremental or self.base is None:
            return after.where(F.lit(False))
        before = self.owners(self.read("identity.customers", self.base))
        held = self.of_touched(before).withColumnRenamed("customer_id", "_before")
        hold = self.of_touched(after)
        changed = held.join(hold, "record_id", how="full").where(
            ~F.col("_before").eqNullSafe(F.col("customer_id"))
        )
        return self.cache(changed.select("record_id", "customer_id"))

    def owners(self, customers: DataFrame) -> DataFrame:
        """Record and customer alone."""
        return customers.select("record_id", "customer_id")

    def read(self, table: str, of: Generation | Stage | None = None) -> DataFrame:
        """An identity table as the build pins it, or as another state does."""
        return read(self.tables, of or self.identity, table)

    def silver(self, source: Source) -> DataFrame | None:
        """A source's rows as this build pins them; None where it never brought any."""
        return pinned(self.tables, self.identity.inputs, source)

    def of_touched(self, frame: DataFrame) -> DataFrame:
        """Rows of the customers that are computed anew, by ``customer_id``."""
        if not self.is_incremental:
            return frame
        return frame.join(self.touched, "customer_id", how="left_semi")

    def of_members(self, silver: DataFrame) -> DataFrame:
        """Rows of the records whose customers are computed anew, by ``record_id``."""
        if not self.is_incremental:
            return silver
        return silver.join(self.members.select("record_id"), "record_id", how="left_semi")

    def old(self, table: str) -> DataFrame:
        """The table as this build has it so far: at first, as the base pins it."""
        return self.tables.read_or_empty(table, self.declared[table].ddl)

    def empty(self, table: str) -> DataFrame:
        """No rows, of the declared shape."""
        return self.tables.frame([], self.declared[table].ddl)

    def cache(self, frame: DataFrame) -> DataFrame:
        """Keep a frame that is used more than once, until the build is left."""
        self._cached.append(frame.persist())
        return frame

    def write(self, table: str, new: DataFrame, old: DataFrame) -> Written:
        """Make these rows the table; in an incremental build those of the touched customers."""
        new = shaped(new, self.declared[table])
        if self.is_incremental:
            key, _ = KEYS.get(table, OF_GROUPS)
            return self.merge(table, difference(new, old, on=key))
        self.tables.overwrite(table, new)
        return Written(is_anew=True)

    def merge(self, table: str, rows: DataFrame) -> Written:
        """Merge what ``difference`` gave, in one commit; in none where there are no rows."""
        key, marker = KEYS.get(table, OF_GROUPS)
        rows = self.cache(rows)
        of = rows.agg(F.count(marker).alias("written"), F.count(F.lit(1)).alias("all")).first()
        written = Written(written=of["written"], removed=of["all"] - of["written"]) if of else None
        if written is None or not written.is_changed:
            return Written()
        self.tables.merge(table, rows, on=key, delete_when=f"new.`{marker}` IS NULL")
        return written

    def append(self, table: str, rows: DataFrame) -> Written:
        """New rows alone need no merge; a build that begins again has undone them before."""
        rows = self.cache(rows)
        written = rows.count()
        if written:
            self.tables.append(table, rows)
        return Written(written=written)

    def profile(self) -> tuple[dict[str, int], dict[str, float]]:
        """Totals of gold.customers, and each attribute's share of known customers with a value."""
        attributes = names_of(self.declared["gold.customers"].attributes)
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


def names_of(attributes: Sequence[TableColumn]) -> list[str]:
    """Names of columns."""
    return [attribute.name for attribute in attributes]
