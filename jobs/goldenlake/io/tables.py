"""The lake's tables on Delta: the one place that commits."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import pyarrow as pa
import stamina
from delta import exceptions as conflicts
from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from goldenlake.errors import PlaceUnreachable, TableContended, TableMissing
from goldenlake.io.locks import TableLocks
from goldenlake.ports import Query, Scalar
from goldenlake.schemas import TableShape, table_shape

#: Spark lists folders in up to 10,000 tasks, however few there are: minutes for three files.
_LISTING = "spark.sql.sources.parallelPartitionDiscovery.parallelism"
_SIDE_BY_SIDE = 4
_COMMIT = re.compile(r"\A(\d{20})\.json\Z")
_TRIES = 5
#: What Delta raises where a commit met another one's; its Python classes share no parent.
_CONFLICTS = (
    conflicts.DeltaConcurrentModificationException,
    conflicts.ConcurrentWriteException,
    conflicts.ConcurrentAppendException,
    conflicts.ConcurrentDeleteReadException,
    conflicts.ConcurrentDeleteDeleteException,
    conflicts.ConcurrentTransactionException,
    conflicts.MetadataChangedException,
    conflicts.ProtocolChangedException,
)
P = ParamSpec("P")
R = TypeVar("R")


def local_folder(uri: str) -> Path | None:
    """The folder behind a path or a ``file:`` URI; None for any other store."""
    if uri.startswith("file:"):
        return Path(re.sub(r"\Afile:/*", "/", uri))
    return None if "://" in uri else Path(uri).absolute()


def entries(spark: SparkSession, uri: str) -> int | None:
    """How many things stand right below a URI, as Spark itself sees the store; None: nothing.

    Raises PlaceUnreachable. What the store answers is told by the class of its error alone: the
    text may hold keys.
    """
    session: Any = spark
    path = session._jvm.org.apache.hadoop.fs.Path(uri)
    try:
        store = path.getFileSystem(session._jsparkSession.sessionState().newHadoopConf())
        return len(store.listStatus(path))
    except Py4JJavaError as error:
        kind = error.java_exception.getClass().getSimpleName()
        if kind == "FileNotFoundException":
            return None
        raise PlaceUnreachable(place=uri, what=kind) from error


def local_frame(
    spark: SparkSession, rows: Iterable[Mapping[str, Any] | Sequence[Any]], ddl: str
) -> DataFrame:
    """See ``ports.Tables.frame``. By way of Arrow the rows become a part of the plan; without, an
    RDD of which Spark knows nothing, not even that it is empty.
    """
    return spark.createDataFrame(arrow_rows(rows, ddl))


def arrow_rows(rows: Iterable[Mapping[str, Any] | Sequence[Any]], ddl: str) -> pa.Table:
    """Rows as Arrow has them, in the columns of ``ddl``; a time without a zone is one of UTC."""
    shape = _shape(ddl)
    named = (
        row if isinstance(row, Mapping) else dict(zip(shape.names, row, strict=True))
        for row in rows
    )
    zoned = [{name: _zoned(value) for name, value in row.items()} for row in named]
    return pa.Table.from_pylist(zoned, schema=to_arrow_schema(shape, timezone="UTC"))


@cache
def _shape(ddl: str) -> T.StructType:
    """Asked of the JVM once: few shapes are read over and over."""
    return cast(T.StructType, T.StructType.fromDDL(ddl))


def _alone(
    write: Callable[Concatenate[DeltaTables, str, P], R],
) -> Callable[Concatenate[DeltaTables, str, P], R]:
    """A write by who holds its table's lock. Where that excludes no other process, Delta refuses a
    commit that met another one's; nothing of it is there then, and it is written anew.

    Raises TableContended.
    """

    @wraps(write)
    def written(self: DeltaTables, table: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._locks.held(table), suppress(*_CONFLICTS):
            for attempt in stamina.retry_context(on=_CONFLICTS, attempts=_TRIES, timeout=None):
                with attempt:
                    return write(self, table, *args, **kwargs)
        raise TableContended(table)

    return written


class DeltaTables:
    """``ports.Tables`` and ``ports.Maintenance`` over Delta tables at ``<lake>/<layer>/<name>``."""

    def __init__(self, spark: SparkSession, lake: str) -> None:
        self._spark = spark
        folder = local_folder(lake)
        self._lake = str(folder) if folder else lake.rstrip("/")
        self._is_local = folder is not None
        self._locks = TableLocks(
            folder / "_locks" if folder else None, before_first=self._prove_store
        )
        self._rows: dict[tuple[str, Query | None], tuple[int | None, Sequence[Row]]] = {}

    @property
    def spark(self) -> SparkSession:
        """The session that reads and writes the tables."""
        return self._spark

    def _prove_store(self) -> None:
        """Once, before anything is written. Raises StoreUnsafe."""
        if not self._is_local:
            from goldenlake.io.places.s3 import prove_conditional_put, store_at

            prove_conditional_put(store_at("the lake's store", self._lake))

    def location(self, table: str) -> str:
        """The table's path or URI."""
        layer, name = table.split(".")
        return f"{self._lake}/{layer}/{name}"

    def version(self, table: str) -> int | None:
        """The newest committed version; read from the names in the log, without a Spark job."""
        commits = [int(found[1]) for name in self._log(table) if (found := _COMMIT.match(name))]
        return max(commits, default=None)

    def exists(self, table: str) -> bool:
        """Whether any version has been committed."""
        return self.version(table) is not None

    def commit_id(self, table: str, version: int) -> str:
        """See ``ports.Tables.commit_id``: a hash of what Delta writes first into a commit, which
        says when, how and as which transaction it was made.
        """
        path = f"{self.location(table)}/_delta_log/{version:020d}.json"
        first = self._first_line(path)
        return hashlib.sha256(first.encode()).hexdigest()[:32] if first else ""

    def _first_line(self, path: str) -> str:
        if self._is_local:
            with suppress(FileNotFoundError), open(path, encoding="utf-8") as commit:
                return commit.readline()
            return ""
        store, place, jvm = self._store(path)
        if not store.exists(place):
            return ""
        reader = jvm.java.io.BufferedReader(jvm.java.io.InputStreamReader(store.open(place)))
        try:
            return str(reader.readLine())
        finally:
            reader.close()

    def _log(self, table: str) -> list[str]:
        folder = f"{self.location(table)}/_delta_log"
        if self._is_local:
            return os.listdir(folder) if os.path.isdir(folder) else []
        store, place, _ = self._store(folder)
        if not store.exists(place):
            return []
        return [found.getPath().getName() for found in store.listStatus(place)]

    def _store(self, path: str) -> tuple[Any, Any, Any]:
        """Hadoop's file system of a path, the path, and the JVM: they have no Python face."""
        jvm: Any = self._spark._jvm
        session: Any = self._spark._jsparkSession
        place = jvm.org.apache.hadoop.fs.Path(path)
        return place.getFileSystem(session.sessionState().newHadoopConf()), place, jvm

    def read(self, table: str, *, version: int | None = None) -> DataFrame:
        """The table as of one version, the newest by default. Raises TableMissing."""
        if not self.exists(table):
            raise TableMissing(table)
        reader = self._spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.location(table))

    def read_or_empty(self, table: str, ddl: str) -> DataFrame:
        """The newest version, or no rows of that shape where the table does not exist.

        Columns that the table does not have, since an earlier release wrote it, are null.
        """
        if not self.exists(table):
            return self.frame([], ddl)
        found = self.read(table)
        later = [field for field in _shape(ddl) if field.name not in found.columns]
        if not later:
            return found
        return found.withColumns({of.name: F.lit(None).cast(of.dataType) for of in later})

    def frame(self, rows: Iterable[Mapping[str, Any] | Sequence[Any]], ddl: str) -> DataFrame:
        """See ``ports.Tables.frame``."""
        return local_frame(self._spark, rows, ddl)

    def rows(self, table: str, ddl: str, query: Query | None = None) -> Sequence[Row]:
        """See ``ports.Tables.rows``."""
        version = self.version(table)
        known, rows = self._rows.get((table, query), (None, ()))
        if version != known:
            frame = self.read_or_empty(table, ddl)
            rows = tuple((query(frame) if query else frame).collect())
            # Only now: a commit in between makes the next call read once more.
            self._rows[table, query] = version, rows
        return rows

    def changes(
        self, table: str, *, after: int | None, to: int, preimages: bool = False
    ) -> DataFrame:
        """See ``ports.Tables.changes``."""
        if after is None or after >= to:
            rows = self.read(table, version=to).where(F.lit(after is None))
            told = {"_change_type": F.lit("insert"), "_commit_version": F.lit(to).cast("bigint")}
            return rows.withColumns(told)
        feed = (
            self._spark.read.format("delta")
            .option("readChangeFeed", "true")
            .option("startingVersion", after + 1)
            .option("endingVersion", to)
            .load(self.location(table))
        )
        if not preimages:
            feed = feed.where("_change_type <> 'update_preimage'")
        return feed.drop("_commit_timestamp")

    @_alone
    def append(self, table: str, rows: DataFrame) -> int:
        """Add rows in one commit; gives the new version. Not idempotent."""
        return self._commit(table, rows, "append", {})

    @_alone
    def append_next(self, table: str, rows: DataFrame, *, number: int) -> bool:
        """See ``ports.Tables.append_next``. The numbers taken stand in Delta's own log: it leaves a
        commit out whose number it has, and refuses one that meets another on its way.
        """
        numbered = {"txnAppId": table, "txnVersion": str(number)}
        before = self.version(table)
        return self._commit(table, rows, "append", numbered) != before

    @_alone
    def overwrite(self, table: str, rows: DataFrame) -> int:
        """Make these rows the whole table in one commit."""
        return self._commit(table, rows, "overwrite", {"overwriteSchema": "true"})

    @_alone
    def replace_slice(
        self, table: str, rows: DataFrame, *, where: Mapping[str, Scalar | Sequence[Scalar]]
    ) -> int:
        """Make these rows the whole of the slice, in one commit."""
        if not self.exists(table):
            return self._commit(table, rows, "append", {})
        return self._commit(table, rows, "overwrite", {"replaceWhere": _condition(where)})

    @_alone
    def delete_slice(self, table: str, *, where: Mapping[str, Scalar | Sequence[Scalar]]) -> int:
        """See ``ports.Tables.delete_slice``."""
        self._delta(table).delete(_condition(where))
        return self._committed(table)

    def _commit(self, table: str, rows: DataFrame, mode: str, options: Mapping[str, str]) -> int:
        """By who holds the table's lock."""
        shape = table_shape(table)
        writer = rows.write.format("delta").mode(mode).options(**options)
        if not self.exists(table):
            writer = writer.options(**_properties(shape, rows.columns)).partitionBy(
                *shape.partition_by
            )
        elif mode == "append" or "replaceWhere" in options:
            writer = writer.option("mergeSchema", "true")
        writer.save(self.location(table))
        return self._committed(table)

    @_alone
    def merge(
        self,
        table: str,
        rows: DataFrame,
        *,
        on: Sequence[str],
        update_when: str | None = None,
        delete_when: str | None = None,
        insert: bool = True,
        update: bool = True,
    ) -> int:
        """See ``ports.Tables.merge``."""
        same = " AND ".join(f"old.`{column}` = new.`{column}`" for column in on)
        if not self.exists(table):
            first = rows if insert else rows.where(F.lit(False))
            return self._commit(table, first, "append", {})
        target = self._delta(table)
        stored = target.toDF().schema
        if insert or update:
            missing = (of for of in stored if of.name not in rows.columns)
            rows = rows.withColumns({of.name: F.lit(None).cast(of.dataType) for of in missing})
        merge = target.alias("old").merge(rows.alias("new"), same)
        if set(rows.columns) - set(stored.names):
            merge = merge.withSchemaEvolution()
        if delete_when:
            merge = merge.whenMatchedDelete(delete_when)
        if update:
            merge = merge.whenMatchedUpdateAll(update_when)
        if insert:
            merge = merge.whenNotMatchedInsertAll()
        merge.execute()
        return self._committed(table)

    @_alone
    def restore(self, table: str, version: int | None) -> None:
        """Make an earlier version the newest again; None empties the table."""
        newest = self.version(table)
        if newest is None or newest == version:
            return
        if version is None:
            self._delta(table).delete()
        else:
            self._delta(table).restoreToVersion(version)

    @_alone
    def optimize(self, table: str) -> Mapping[str, int]:
        """Compact small files; gives the number of files added and removed."""
        metrics = self._delta(table).optimize().executeCompaction().first()
        found = metrics["metrics"] if metrics else None
        return {
            "files_added": found["numFilesAdded"] if found else 0,
            "files_removed": found["numFilesRemoved"] if found else 0,
        }

    def vacuum(self, table: str, *, keep_hours: float) -> Mapping[str, int]:
        """Remove files that no version younger than this needs. Below the table's own retention
        Delta refuses.
        """
        self._vacuum([table], keep_hours, {})
        return {}

    @_alone
    def rewrite(self, table: str) -> None:
        """See ``ports.Maintenance.rewrite``."""
        self._delta(table)
        self._spark.sql(f"REORG TABLE delta.`{self.location(table)}` APPLY (PURGE)")

    def purge(self, tables: Sequence[str]) -> None:
        """See ``ports.Maintenance.purge``. Delta keeps a week against that unless it is told."""
        self._vacuum(tables, 0, {"spark.databricks.delta.retentionDurationCheck.enabled": "false"})

    def _vacuum(self, tables: Sequence[str], keep_hours: float, conf: dict[str, str]) -> None:
        conf = {_LISTING: str(2 * self._spark.sparkContext.defaultParallelism), **conf}

        def vacuum(table: str) -> None:
            with self._locks.held(table):
                self._delta(table).vacuum(keep_hours)

        before = {name: str(self._spark.conf.get(name)) for name in conf}
        for name, value in conf.items():
            self._spark.conf.set(name, value)
        try:
            with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
                list(pool.map(vacuum, tables))
        finally:
            for name, value in before.items():
                self._spark.conf.set(name, value)

    def _delta(self, table: str) -> DeltaTable:
        if not self.exists(table):
            raise TableMissing(table)
        return DeltaTable.forPath(self._spark, self.location(table))

    def _committed(self, table: str) -> int:
        version = self.version(table)
        if version is None:
            raise TableMissing(table, mend="It vanished while it was written.")
        return version


def _zoned(value: Any) -> Any:
    is_naive = isinstance(value, datetime) and value.tzinfo is None
    return value.astimezone(UTC) if is_naive else value


def _condition(where: Mapping[str, Scalar | Sequence[Scalar]]) -> str:
    return " AND ".join(_one_of(column, values) for column, values in where.items())


def _one_of(column: str, values: Scalar | Sequence[Scalar]) -> str:
    listed = [values] if isinstance(values, str | int | date) else list(values)
    return f"`{column}` IN ({', '.join(_literal(value) for value in listed)})"


def _literal(value: Scalar) -> str:
    if isinstance(value, date):
        return f"DATE'{value.isoformat()}'"
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _properties(shape: TableShape, columns: Sequence[str]) -> dict[str, str]:
    """Properties of a new table; statistics on named columns only, since the log keeps them."""
    properties = {}
    kept = [column for column in shape.statistics if column in columns]
    statistics = [column for column in kept if column not in shape.partition_by]
    if statistics:
        properties["delta.dataSkippingStatsColumns"] = ",".join(statistics)
    else:
        properties["delta.dataSkippingNumIndexedCols"] = "0"
    if shape.change_feed:
        properties["delta.enableChangeDataFeed"] = "true"
    if not shape.merged:
        properties["delta.enableDeletionVectors"] = "false"
    return properties
