"""Every version of every record that the lake holds, be it of one that vanished: who bore what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.identity import links
from goldenlake.identity.records import event_records, names_people, profile_records
from goldenlake.ports import Tables
from goldenlake.steps.ties import kept_ties
from goldenlake.transforms.conforming import typed
from goldenlake.transforms.newest import newest_per_key, observed_at, order_columns
from goldenlake.transforms.row_ids import has_key, record_id

Named = tuple[str, str]
"""(name, value) of an identifier."""

_VERSION = "record_id STRING, identifiers ARRAY<STRUCT<name: STRING, value: STRING>>, traits {}"
_TRAITS = "MAP<STRING, STRING>"


@dataclass(frozen=True)
class Tie:
    """Two records that a value makes one person by the rules of identity."""

    left: str
    right: str
    strength: str


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """A record that bears, or once bore, a value."""

    record_id: str
    customer_id: str | None
    """Today's; None of a record that vanished."""
    stands: bool
    """Whether it bears the value in the version that stands."""


@dataclass(frozen=True, kw_only=True)
class Versions:
    """One row a version: (record_id, customer_id, identifiers, traits, stands).

    Records of today stand as identity has them, those that vanished as they were last; all other
    rows are what landed before.
    """

    rows: DataFrame
    tables: Tables
    rules: IdentityRules

    @classmethod
    @contextmanager
    def of(
        cls,
        tables: Tables,
        sources: Sequence[Source],
        rules: IdentityRules,
        *,
        records: DataFrame,
        customers: DataFrame,
    ) -> Iterator[Versions]:
        """Those of a generation's active records, and of what these sources ever landed, or what is
        kept of it; computed once, and let go at the end.
        """
        owners = customers.select("record_id", "customer_id")
        today = (
            records.where("is_active")
            .select("record_id", "identifiers", "traits", F.lit(True).alias("stands"))
            .join(owners, "record_id", how="left")
        )
        past = reduce(
            DataFrame.unionByName,
            [
                versions
                for source in sources
                if names_people(source)
                for versions in _before(tables, source)
            ],
            tables.frame([], f"{_VERSION.format(_TRAITS)}, is_last BOOLEAN"),
        ).join(owners, "record_id", how="left")
        stood = past.withColumn("stands", F.col("is_last") & F.col("customer_id").isNull())
        rows = today.unionByName(stood.drop("is_last")).persist()
        try:
            yield cls(rows=rows, tables=tables, rules=rules)
        finally:
            rows.unpersist()

    def vanished(self, record_ids: Iterable[str]) -> set[str]:
        """Those that are no record of today, but once were."""
        found = self._of(record_ids).where("customer_id IS NULL").select("record_id").distinct()
        return {row["record_id"] for row in found.collect()}

    def bearers(self, named: Iterable[Named]) -> dict[Named, list[Bearer]]:
        """Who ever bore each of these values."""
        found: dict[Named, list[Bearer]] = {}
        for row in (
            self._bearing(self._pairs(), named)
            .groupBy("name", "value", "record_id", "customer_id")
            .agg(F.max("stands").alias("stands"))
            .collect()
        ):
            found.setdefault((row["name"], row["value"]), []).append(
                Bearer(
                    record_id=row["record_id"],
                    customer_id=row["customer_id"],
                    stands=row["stands"],
                )
            )
        return found

    def ties(self, named: Collection[Named], *, ever: bool = False) -> list[Tie]:
        """What these values make one person among the records that bear them, or with ``ever``
        that bore them once, by the rules that link records of today.
        """
        if not named:
            return []
        alike = self.rows if ever else self.rows.where("stands")
        touched = self._values(named, "identifier STRING, value STRING")
        bore = links.members(alike.withColumn("is_active", F.lit(True)), self.rules, touched)
        members = bore.groupBy("identifier", "value", "record_id").agg(
            F.max("traits").alias("traits")
        )
        judged = links.judged(members, links.value_groups(members, self.rules))
        edges = links.edges(judged, links.contested(judged, self.rules), self.rules)
        rows = edges.select("left_record", "right_record", "strength").distinct().collect()
        return [Tie(*row) for row in rows]

    def identifiers(self, record_ids: Iterable[str]) -> tuple[set[Named], set[Named]]:
        """(name, value) that these records bear, and those that they once bore. Placeholders name
        nobody, though one record alone may bear them.
        """
        held: dict[bool, set[Named]] = {True: set(), False: set()}
        own = self._of(record_ids).select("stands", F.inline("identifiers")).distinct()
        named = own.where(~links.is_blocked(F.col("name"), F.col("value"), self.rules))
        for stands, name, value in named.collect():
            held[stands].add((name, value))
        return held[True], held[False] - held[True]

    def _pairs(self) -> DataFrame:
        return self.rows.select("record_id", "customer_id", "stands", F.inline("identifiers"))

    def _of(self, record_ids: Iterable[str]) -> DataFrame:
        ids = self.tables.frame([[each] for each in sorted(record_ids)], "record_id STRING")
        return self.rows.join(F.broadcast(ids), "record_id", how="left_semi")

    def _bearing(self, pairs: DataFrame, named: Iterable[Named]) -> DataFrame:
        return pairs.join(self._values(named), ["name", "value"], how="left_semi")

    def _values(self, named: Iterable[Named], ddl: str = "name STRING, value STRING") -> DataFrame:
        return F.broadcast(self.tables.frame(sorted(named), ddl))


def _before(tables: Tables, source: Source) -> Iterator[DataFrame]:
    if tables.exists(bronze := f"bronze.{source.source}"):
        yield _landed(tables.read(bronze), source)
    if (kept := kept_ties(tables, source)) is not None:
        records = event_records(kept.withColumn("_is_deleted", F.lit(False)), source)
        yield _shaped(records, is_last=True)


def _landed(bronze: DataFrame, source: Source) -> DataFrame:
    """Every version of a source's records: (record_id, identifiers, traits, is_last)."""
    # As in tombstones: what bots say, and those whom ``people`` leaves out, counts, too.
    whole = source.model_copy(update={"bots": None, "people": None})
    rows = typed(bronze, source).withColumns(
        {"record_id": record_id(whole), "_is_deleted": F.lit(False), "_version": F.lit(0)}
    )
    if not source.is_profile:
        return _shaped(event_records(rows, source), is_last=True)
    rows = rows.where(has_key(source)).withColumn("_observed_at", observed_at(source))
    newest = newest_per_key(rows, ["record_id"], order_columns(source))
    last = _shaped(profile_records(newest, source), is_last=True)
    return last.unionByName(_shaped(profile_records(rows, source), is_last=False))


def _shaped(records: DataFrame, *, is_last: bool) -> DataFrame:
    """Distinct, which maps can only be as lists of their entries."""
    entries = F.array_sort(F.map_entries("traits")).alias("traits")
    return (
        records.select("record_id", "identifiers", entries)
        .distinct()
        .withColumn("traits", F.map_from_entries("traits"))
        .withColumn("is_last", F.lit(is_last))
    )
