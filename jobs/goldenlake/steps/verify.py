"""Look at a lake from outside: whether its tables, ledgers and files agree with each other.

Nothing here trusts what a step said that it did, and nothing is changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.erasure import erasure_of
from goldenlake.errors import TableMissing, TableUnreadable
from goldenlake.identity.ids import MERGED
from goldenlake.ports import Landing, Progress, Tables
from goldenlake.schemas import CONFORMED, LEDGER, MEMBERS, SIZES, SYSTEM_TABLES
from goldenlake.steps.files import FileRow, read_files, records_by_file
from goldenlake.steps.generations import (
    IDENTITY_TABLES,
    Generation,
    generations,
    golden_of,
    lost_generation,
    publications,
    read,
    read_whole,
    source_tables,
)
from goldenlake.steps.ingest import READ
from goldenlake.steps.tombstones import RULE

_PIECE = 2**20
_IN_RUINS = (PySparkException, Py4JJavaError, OSError, TableMissing)


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """Something that does not agree; free of personal values."""

    check: str
    where: str
    what: str
    mend: str


@dataclass(frozen=True, kw_only=True)
class Verify:
    """All checks, each of which goes on where another found the lake in ruins.

    Args:
        sources: by name, those whose tables are looked at.
        destinations: whose ledgers are held against the audiences.
    """

    sources: Sequence[str]
    destinations: Sequence[Destination]

    def run(self, tables: Tables, landing: Landing, progress: Progress) -> list[Finding]:
        """What was found, sorted; empty for a sound lake."""
        lake = _Lake(tables, landing, self)
        found: list[Finding] = []
        for name, check in lake.checks.items():
            ours: list[Finding] = []
            try:
                ours.extend(check())  # What was found before an error stays.
            except _IN_RUINS as error:
                what = f"it could not be looked at ({type(error).__name__})"
                ours.append(_found(name, "the lake", what, _RESTORE))
            progress(f"{name}: {f'{len(ours)} findings' if ours else 'sound'}")
            found += ours
        return sorted(found)


_RESTORE = "A file is damaged or gone: see docs/runbooks/lake_corrupted.md."
_REPLAY = "Read the source's files again: `goldenlake replay SOURCE --all --as-of DAY`."
_REBUILD = "Build anew: run the night; where it stays, docs/runbooks/lake_corrupted.md."


def _found(check: str, where: str, what: str, mend: str) -> Finding:
    return Finding(check=check, where=where, what=what, mend=mend)


class _Lake:
    def __init__(self, tables: Tables, landing: Landing, asked: Verify) -> None:
        self._tables, self._landing, self._asked = tables, landing, asked

    @property
    def checks(self) -> dict[str, Callable[[], Iterator[Finding]]]:
        """By their names, in the order in which they are made."""
        return {
            "landing": self.landed,
            "files": self.counted,
            "tables": self.readable,
            "generations": self.complete,
            "identity": self.resolved,
            "redirects": self.redirected,
            "gold": self.owned,
            "segments": self.sized,
            "ledger": self.acknowledged,
        }

    @cached_property
    def _files(self) -> list[FileRow]:
        return read_files(self._tables)

    @cached_property
    def _generation(self) -> Generation | None:
        found = generations(self._tables)
        return found[-1] if found else None

    def landed(self) -> Iterator[Finding]:
        """Every landed file is there, and is what it was."""
        seen: set[str] = set()
        for row in self._files:
            if not row.landed_path or row.landed_path in seen:
                continue
            seen.add(row.landed_path)
            where = f"{row.source}: {row.path}"
            try:
                with self._landing.open(row.landed_path) as content:
                    digest = hashlib.sha256()
                    while piece := content.read(_PIECE):
                        digest.update(piece)
            except FileNotFoundError:
                yield _found("landing", where, "its landed copy is gone", "Have it sent again.")
                continue
            if digest.hexdigest() != row.sha256:
                yield _found("landing", where, "its landed copy has changed", "Have it sent again.")

    def counted(self) -> Iterator[Finding]:
        """What was accepted and quarantined is what was read, and stands where it should."""
        files = [row for row in self._files if row.status == CONFORMED]
        for source in self._asked.sources:
            bronze = records_by_file(self._tables, f"bronze.{source}")
            quarantine = f"quarantine.{source}"
            held = records_by_file(self._tables, quarantine)
            beside = records_by_file(
                self._tables, quarantine, (F.col("stage") == READ) | F.array_contains("rules", RULE)
            )
            every = {row.file_id for row in self._files if row.source == source}
            for file_id in sorted(set(bronze) - every):
                what = f"{bronze[file_id]} records of a file that no ledger knows"
                yield _found("files", f"bronze.{source}", what, _REPLAY)
            for row in (each for each in files if each.source == source):
                where = f"{source}: {row.path}"
                read, quarantined = row.records_read or 0, row.records_quarantined or 0
                if read != (row.records_accepted or 0) + quarantined:
                    what = "accepted and quarantined are not what was read"
                    yield _found("files", where, what, _REPLAY)
                if held.get(row.file_id, 0) != quarantined:
                    what = f"{held.get(row.file_id, 0)} of {quarantined} quarantined are there"
                    yield _found("files", where, what, _REPLAY)
                there = bronze.get(row.file_id, 0) + beside.get(row.file_id, 0)
                if there != read:
                    what = f"{there} of {read} records are in bronze and quarantine"
                    yield _found("files", where, what, _REPLAY)

    def readable(self) -> Iterator[Finding]:
        """Every table of sources, of our own, and that is published can be read whole."""
        names = {*SYSTEM_TABLES, *source_tables(self._asked.sources)}.difference(IDENTITY_TABLES)
        for name in sorted(names):
            if self._tables.exists(name):
                yield from self._whole(name)
        # Last, for what is published stands in one of those.
        if self._generation is not None:
            for name, version in sorted(self._generation.tables.items()):
                yield from self._whole(name, version)

    def _whole(self, name: str, version: int | None = None) -> Iterator[Finding]:
        try:
            read_whole(self._tables, name, version)
        except TableUnreadable as error:
            yield _found("tables", name, f"cannot be read whole ({error.kind})", _RESTORE)

    def complete(self) -> Iterator[Finding]:
        """Generations are numbered without gaps, and the newest pins tables that are there."""
        numbers = [row["generation"] for row in publications(self._tables)]
        if len(set(numbers)) != len(numbers):
            yield _found("generations", "ops.publications", "a generation stands twice", _RESTORE)
        if numbers and sorted(set(numbers)) != list(range(min(numbers), max(numbers) + 1)):
            yield _found("generations", "ops.publications", "a generation is missing", _RESTORE)
        if lost := lost_generation(self._tables):
            what = f"nothing is published, and generation {lost} was built on"
            yield _found("generations", "ops.publications", what, _RESTORE)
        if self._generation is None:
            return
        for name in ("gold.customers", "gold.metrics", "identity.customers"):
            if name not in self._generation.tables and self._tables.exists(name):
                yield _found("generations", name, "is no part of the generation", _REBUILD)
        for name, version in self._generation.tables.items():
            newest = self._tables.version(name)
            if newest is None or newest < version:
                what = f"version {version} is published, and {newest} is the newest"
                yield _found("generations", name, what, _RESTORE)

    def resolved(self) -> Iterator[Finding]:
        """Every live record has one customer, and every link ends at live records."""
        if (now := self._generation) is None:
            return
        records = read(self._tables, now, "identity.records").where("is_active")
        live = records.select("record_id")
        customers = read(self._tables, now, "identity.customers")
        edges = read(self._tables, now, "identity.edges")
        counts = {
            "live records without a customer": live.join(customers, "record_id", "left_anti"),
            "customers of records that are not there": customers.join(
                live, "record_id", "left_anti"
            ),
            "records with several customers": _twice(customers, "record_id"),
            "links of records that are not there": edges.join(
                live, F.col("left_record") == F.col("record_id"), "left_anti"
            ).unionByName(
                edges.join(live, F.col("right_record") == F.col("record_id"), "left_anti")
            ),
        }
        yield from self._counts("identity", "identity", counts)

    def redirected(self) -> Iterator[Finding]:
        """Every id that was merged leads somewhere, in one way, and in the end to no merged one."""
        if (now := self._generation) is None:
            return
        history = read(self._tables, now, "identity.history")
        merges = history.where(F.col("event") == MERGED)
        into: dict[str, str] = {}
        for row in merges.select("customer_id", "other_customer_id").collect():
            if into.setdefault(row[0], row[1]) != row[1]:
                what = f"{row[0]} was merged into two customers"
                yield _found("redirects", "identity.history", what, _REBUILD)
        alive = {
            row[0]
            for row in read(self._tables, now, "identity.customers")
            .select("customer_id")
            .distinct()
            .collect()
        }
        ended = {
            row[0]
            for row in history.where("event = 'retired'").select("customer_id").distinct().collect()
        }
        for start in into:
            passed, at = {start}, into[start]
            while at in into and at not in passed:
                passed.add(at)
                at = into[at]
            if at in passed:
                what = f"{start} leads in a circle"
                yield _found("redirects", "identity.history", what, _REBUILD)
            elif at not in alive and at not in ended:
                what = f"{start} leads to {at}, which nobody bears"
                yield _found("redirects", "identity.history", what, _REBUILD)
        for customer in sorted(alive & into.keys()):
            what = f"{customer} was merged, and still has records"
            yield _found("redirects", "identity.history", what, _REBUILD)

    def owned(self) -> Iterator[Finding]:
        """Golden rows are those of customers who are there, each of whom is there once."""
        if (now := self._generation) is None:
            return
        ids = read(self._tables, now, "identity.customers").select("customer_id").distinct()
        counts: dict[str, DataFrame] = {}
        for name in golden_of(now.tables):
            is_about_people = erasure_of(name).holds == "residue"
            if not is_about_people or name == "gold.customers_history":
                continue
            rows = read(self._tables, now, name).where("customer_id IS NOT NULL")
            counts[f"rows of {name} whose customer is not there"] = rows.join(
                ids, "customer_id", "left_anti"
            )
        if "gold.customers" in now.tables:
            customers = read(self._tables, now, "gold.customers")
            counts["customers who are not golden"] = ids.join(customers, "customer_id", "left_anti")
            counts["customers who are golden twice"] = _twice(customers, "customer_id")
        yield from self._counts("gold", "gold", counts)

    def sized(self) -> Iterator[Finding]:
        """Members of each segment and day are as many as its size says; of days before people were
        forgotten they may be fewer.
        """
        closed = [row["as_of"] for row in publications(self._tables) if not row["tables"]]
        members = self._tables.read_or_empty("segments.members", MEMBERS.ddl)
        sizes = self._tables.read_or_empty("segments.sizes", SIZES.ddl)
        keys = ["as_of", "segment"]
        counted = members.groupBy(*keys).agg(F.count("*").alias("there"))
        both = sizes.select(*keys, "members").join(counted, keys, how="full")
        counted_then, there_now = F.coalesce("members", F.lit(-1)), F.coalesce("there", F.lit(0))
        differs = counted_then != there_now
        if closed:
            differs &= (there_now > counted_then) | (F.col("as_of") > F.lit(max(closed)))
        for row in both.where(differs).orderBy(*keys).collect():
            where = f"segment {row['segment']} of {row['as_of']}"
            what = f"{row['there'] or 0} members are there, and {row['members']} were counted"
            mend = "Run `goldenlake segments --as-of DAY`."
            yield _found("segments", where, what, mend)
        twice = _twice(members.withColumn("_k", F.concat_ws("|", *keys, "customer_id")), "_k")
        yield from self._counts("segments", "segments.members", {"members twice": twice})

    def acknowledged(self) -> Iterator[Finding]:
        """The ledger has each record once, knows what it acknowledged, and holds no strangers."""
        ledger = self._tables.read_or_empty("activation.ledger", LEDGER.ddl)
        key = F.concat_ws("\x1f", "destination", "segment", "key")
        present = ledger.where("state = 'present'")
        counts = {
            "records twice": _twice(ledger.withColumn("_k", key), "_k"),
            "records that are there without an acknowledgement": present.where(
                "acknowledged_hash IS NULL OR acknowledged_on IS NULL"
            ),
            "records in a state that there is not": ledger.where(
                "state NOT IN ('present', 'absent', 'unknown', 'suppressed')"
            ),
        }
        sizes = self._tables.read_or_empty("segments.sizes", SIZES.ddl)
        built = {row[0] for row in sizes.select("segment").distinct().collect()}
        for destination in self._asked.destinations:
            ours = present.where(F.col("destination") == destination.destination)
            strange = ours.where(~F.col("segment").isin([*destination.segments, *built]))
            counts[f"records at {destination.destination} of no segment"] = strange
        yield from self._counts("ledger", "activation.ledger", counts)

    def _counts(self, check: str, where: str, counts: dict[str, DataFrame]) -> Iterator[Finding]:
        for what, rows in counts.items():
            if count := rows.count():
                yield _found(check, where, f"{count} {what}", _REBUILD)


def _twice(rows: DataFrame, key: str) -> DataFrame:
    return rows.groupBy(key).count().where("count > 1")
