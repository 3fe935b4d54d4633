"""Who may have said no in a row that was set aside: read when consent is judged, so that it does
not wait for a generation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.source import Source
from goldenlake.ports import Tables
from goldenlake.schemas import BROKEN, CONFORMED, FILES, QUARANTINE
from goldenlake.steps.files import FileRow, file_order, read_files
from goldenlake.steps.generations import Generation, read
from goldenlake.steps.ingest import READ
from goldenlake.steps.tombstones import RECORD, names_of
from goldenlake.transforms.conforming import typed
from goldenlake.transforms.consent import told_values
from goldenlake.transforms.doubts import doubts, unread_doubts
from goldenlake.transforms.golden_events import selected

_PLACE = ("_file_id", "_record")


@dataclass(frozen=True, kw_only=True)
class Doubts:
    """What the quarantined rows of sources that state consent may have refused.

    A row is put right by one of its key that came later and was accepted, or by a replay, which
    takes it out of quarantine. Whatever is stated later counts more, as with any statement.
    """

    tables: Tables
    generation: Generation
    sources: Sequence[Source]
    policy: ConsentPolicy

    def statements(self) -> DataFrame | None:
        """``customer_id, purpose, channel, status, stated_at`` of everybody who bears a value by
        which such a row names somebody, however many do; None where nothing was set aside.
        """
        found = [
            said
            for source in self.sources
            if (held := self._held(source)) is not None
            for said in self._said(source, held)
        ]
        if not found:
            return None
        said = reduce(DataFrame.unionByName, found)
        return self._bearers().join(F.broadcast(said), ["name", "value"]).drop("name", "value")

    def _held(self, source: Source) -> DataFrame | None:
        held = self.tables.read_or_empty(f"quarantine.{source.source}", QUARANTINE.ddl)
        held = held.where("row IS NOT NULL")
        return None if held.isEmpty() else held

    def _said(self, source: Source, held: DataFrame) -> list[DataFrame]:
        rows = self._not_put_right(source, _rows(held, source))
        return [
            doubts(rows, source, self.policy, names=names_of(source)),
            unread_doubts(held.where(F.col("stage") == READ), source),
        ]

    def _not_put_right(self, source: Source, rows: DataFrame) -> DataFrame:
        """The rows without those whose key was accepted in a later file, or farther down in theirs:
        as the generation knows it, and as it still is.
        """
        table = f"silver.{source.source}"
        pinned = self.generation.inputs.get(table)
        if source.load == "append" or pinned is None:
            return rows
        places = self._places(source)
        last = places.agg(F.max("_place").alias("_last"))
        known = [(self.tables.read(table), last)]
        if pinned != self.tables.version(table):
            then = self.tables.read(table, version=pinned)
            # Of the files that it was made of the last one that changed it.
            known.append((then, _placed(then, places).agg(F.max("_place").alias("_last"))))
        right = [_put_right(rows, *of, places, source) for of in known]
        both = reduce(lambda one, other: one.join(other, list(_PLACE), how="left_semi"), right)
        return rows.join(both, list(_PLACE), how="left_anti")

    def _places(self, source: Source) -> DataFrame:
        """``_file_id, _place``: the source's files, the oldest first."""
        files = read_files(self.tables, source.source, (CONFORMED,))
        oldest_first = sorted(files, key=partial(file_order, source))
        places = {file.file_id: at for at, file in enumerate(oldest_first)}
        return self.tables.frame(list(places.items()), "_file_id STRING, _place INT")

    def _bearers(self) -> DataFrame:
        """``customer_id, name, value``: what everybody is known by, or may be sent to at."""
        customers = read(self.tables, self.generation, "gold.customers")
        names = {name for source in self.sources for name in source.identifiers}
        told = told_values(customers, sorted(names.intersection(customers.columns)))
        bearers = told.withColumnRenamed("attribute", "name")
        known = {
            "gold.identifiers": (F.col("identifier"), F.col("value")),
            "gold.sources": (F.lit(RECORD), F.col("record_id")),
        }
        for table, (name, value) in known.items():
            if table in self.generation.tables:
                rows = read(self.tables, self.generation, table)
                bearers = bearers.unionByName(
                    rows.select("customer_id", name.alias("name"), value.alias("value"))
                )
        return bearers.distinct()


def _rows(held: DataFrame, source: Source) -> DataFrame:
    """Rows as they were judged: typed once more from how they came, with ``rules`` and ``row``."""
    judged = held.where(F.col("stage") != READ)
    own = [column.name for column in source.columns if column.derive is None]
    came = F.from_json("row", ", ".join(f"`{name}` STRING" for name in own)).alias("_of")
    no_day = F.lit(None).cast("date").alias("_file_on")
    bronze = judged.select(*_PLACE, "_landed_on", no_day, came)
    rows = typed(bronze.select(*_PLACE, "_landed_on", "_file_on", "_of.*"), source)
    return rows.join(judged.select(*_PLACE, "rules", "row"), list(_PLACE))


def _put_right(
    rows: DataFrame, silver: DataFrame, last: DataFrame, places: DataFrame, source: Source
) -> DataFrame:
    """Where those rows came from whose key is accepted now, and was not before them; ``last`` has
    the place of the newest file that ``silver`` is known to be made of.
    """
    key = list(source.key)
    set_aside = _placed(rows, places).select(
        *key, F.struct("_place", "_file_id", "_record").alias("_aside")
    )
    alive = selected(silver, None)
    accepted = _placed(alive, places).select(*key, F.struct("_place", "_record").alias("_accepted"))
    both = accepted.join(F.broadcast(set_aside), key)
    is_later = F.struct("_aside._place", "_aside._record") < F.col("_accepted")
    if source.loses_records:
        # What the newest snapshot merely repeats is not written again, and lives for being in it:
        # as a row that was accepted, or for want of one as it was.
        newest = F.max("_aside._place").over(Window.partitionBy(*key))
        both = both.withColumn("_newest", newest).crossJoin(F.broadcast(last))
        is_later |= F.col("_newest") < F.col("_last")
    return both.where(is_later).select("_aside._file_id", "_aside._record").distinct()


def _placed(rows: DataFrame, places: DataFrame) -> DataFrame:
    return rows.join(F.broadcast(places), "_file_id")


def unread_files(tables: Tables, source: Source) -> list[FileRow]:
    """The source's broken files, in whose place nothing has come since: no good file of their name,
    none that landed later about the same day, and of snapshots none about that day or a later one.
    """
    broken = tables.rows("ops.files", FILES.ddl, _broken)
    if not any(row["source"] == source.source for row in broken):
        return []
    files = read_files(tables, source.source, (CONFORMED, BROKEN))
    good = [file for file in files if file.status == CONFORMED]
    return [
        file
        for file in files
        if file.status == BROKEN and not any(_replaces(each, file, source) for each in good)
    ]


def _broken(files: DataFrame) -> DataFrame:
    return files.where(F.col("status") == BROKEN).select("source").distinct()


def _replaces(good: FileRow, broken: FileRow, source: Source) -> bool:
    if good.path == broken.path:
        return good.landed_on >= broken.landed_on
    if source.load == "snapshot":
        return good.file_on >= broken.file_on
    return good.file_on == broken.file_on and good.landed_on > broken.landed_on
