"""Accepted rows into ``silver.<source>``: how each way of loading keeps a rerun harmless."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.columns.casts import SPARK_TYPES
from goldenlake.declarations.source import Sessions, Source
from goldenlake.errors import ColumnRetyped, KeyIsNew
from goldenlake.ports import Scalar, Tables
from goldenlake.schemas import PLACE, conformed
from goldenlake.steps import superseded
from goldenlake.steps.files import FileRow, file_order, version_sql
from goldenlake.steps.forget import remove_rows
from goldenlake.transforms.conforming import as_declared
from goldenlake.transforms.golden_consents import can_lose_a_no
from goldenlake.transforms.newest import (
    first_of_equals,
    newest_per_key,
    observed_again,
    order_columns,
    order_sql,
    overtaken,
    time_of,
)
from goldenlake.transforms.sessions import (
    gap_micros,
    session_start,
    visitor,
    with_session_id,
)
from goldenlake.transforms.snapshots import SnapshotState, changed_by_snapshot


@dataclass(frozen=True, kw_only=True)
class SilverWriter:
    """Writes one source's accepted rows."""

    source: Source
    tables: Tables
    earlier: Sequence[FileRow] = ()
    """Files that silver already has, of snapshots and of increments that are corrected."""
    is_made_anew: bool = False
    """Whether every file that silver has is read again: it is no measure of them then."""

    @property
    def table(self) -> str:
        """The table that is written."""
        return f"silver.{self.source.source}"

    def order_of(self, file: FileRow) -> tuple[date, int, datetime, str]:
        """``file_order``, of this source."""
        return file_order(self.source, file)

    def latest(self) -> FileRow | None:
        """The newest snapshot that was applied before."""
        return max(self.earlier, key=self.order_of, default=None)

    def records_before(self) -> int:
        """How many records a new snapshot is held against: those alive in silver. The first of all
        has none before it.
        """
        if self.is_made_anew or not self.tables.exists(self.table):
            return 0
        if self.source.snapshot.missing == "keep":
            counted = (file for file in self.earlier if file.records_accepted)
            latest = max(counted, key=self.order_of, default=None)
            return (latest.records_accepted or 0) if latest else 0
        return self.tables.read(self.table).where(~F.col("_is_deleted")).count()

    def write(self, rows: DataFrame, files: Sequence[FileRow], *, first_micros: int | None) -> None:
        """Bring rows of these files into silver; ``first_micros`` is the earliest observation.

        ``rows`` have silver's columns; of snapshots ``_is_set_aside``, too, and what was set aside.
        """
        if self.source.load == "snapshot":
            self._apply_snapshots(rows, files)
        elif self.source.load == "increment":
            self._merge_newer(rows, files)
        else:
            self._replace_files(rows, files, first_micros)

    def withdraw(self, accepted: DataFrame, files: Sequence[FileRow]) -> None:
        """Take out rows that were accepted of these files before and are not ``accepted`` now.

        Of all files of the source: what another file says of the record takes its place only where
        that is read again as well. A no that was overtaken stays what it was.
        """
        if not self.tables.exists(self.table):
            return
        on = [*self.source.key, *PLACE]
        ids, days = [file.file_id for file in files], sorted({file.landed_on for file in files})
        ours = F.col("_landed_on").isin(days) & F.col("_file_id").isin(ids)
        held = self.tables.read(self.table).where(ours).select(*on)
        void = held.join(accepted.select(*on), on=on, how="left_anti").persist()
        try:
            if not void.isEmpty():
                remove_rows(self.tables, self.table, void, on=on)
        finally:
            void.unpersist()

    def refuse_what_does_not_fit(self) -> None:
        """Raises ColumnRetyped and KeyIsNew. By name: Delta would cast, or quote a value that it
        cannot cast, and a row without a key is never found again.
        """
        own = self.source
        for table in filter(self.tables.exists, conformed(own.source)):
            stored = {of.name: of.dataType.simpleString() for of in self.tables.read(table).schema}
            for name in own.key if own.load != "append" else ():
                if name not in stored:
                    raise KeyIsNew(source=own.source, column=name, table=table)
            for column in own.columns:
                was, declared = stored.get(column.name), SPARK_TYPES[column.type]
                if was not in (None, declared):
                    raise ColumnRetyped(
                        source=own.source,
                        column=column.name,
                        table=table,
                        stored=was,
                        declared=declared,
                    )

    def _merge_newer(self, rows: DataFrame, files: Sequence[FileRow]) -> None:
        """Equal order means the same row read again, perhaps under a mended contract, which may
        also have moved its time.
        """
        key, order = self.source.key, order_columns(self.source)
        days = {file.file_on for file in files}
        # Files of other days are told apart by them.
        alike = [file for file in (*self.earlier, *files) if file.file_on in days]
        version = partial(version_sql, self.source, alike)
        placed = {"_version": F.expr(version("_file_id"))}
        rows = rows.withColumns(placed)
        newest = newest_per_key(rows, key, order)
        computed = {side: {"_version": version(f"{side}.`_file_id`")} for side in ("new", "old")}
        if time_of(self.source) in self._columns():
            computed["old"]["_observed_at"] = observed_again(self.source, "old.")
        if can_lose_a_no(self.source):
            known = self._known_again(rows).withColumns(placed)
            known = known.where(F.lit(not self.is_made_anew))
            of_keys = known.join(rows.select(*key).distinct(), list(key), how="left_semi")
            lost = overtaken(of_keys, rows, key, order, by=superseded.told(self.source))
            # Before silver is written; afterwards nobody knows what was there.
            superseded.keep(self.tables, self.source, lost.drop("_version"))
        new, old = (order_sql(order, side, computed[side]) for side in ("new", "old"))
        is_newer = None if self.is_made_anew else f"{new} >= {old}"
        self.tables.merge(self.table, newest.drop("_version"), on=key, update_when=is_newer)

    def _apply_snapshots(self, rows: DataFrame, files: Sequence[FileRow]) -> None:
        latest = self.latest()
        newest = max(files, key=self.order_of)
        is_late = latest is not None and self.order_of(newest) < self.order_of(latest)
        changed = changed_by_snapshot(
            self._known_again(rows.drop("_is_set_aside")),
            rows,
            key=self.source.key,
            order=order_columns(self.source),
            state=SnapshotState(
                seen=(latest.file_on, latest.file_id) if latest else None,
                newest=None if is_late else newest.file_id,
                keeps_missing=self.source.snapshot.missing == "keep",
                places=self._places(files, latest),
            ),
        )
        if not can_lose_a_no(self.source):
            self._merge_changed(changed)
            return
        changed = changed.persist()
        try:
            lost = changed.where("_overtaken IS NOT NULL")
            by = superseded.told(self.source).alias("_by")
            lost = lost.select(by, "_overtaken").select("_by", "_overtaken.*")
            superseded.keep(self.tables, self.source, lost)
            self._merge_changed(changed)
        finally:
            changed.unpersist()

    def _merge_changed(self, changed: DataFrame) -> None:
        rows = changed.where("_is_changed").drop("_is_changed", "_overtaken")
        self.tables.merge(self.table, rows, on=self.source.key)

    def _places(self, files: Sequence[FileRow], latest: FileRow | None) -> dict[str, int]:
        """The place of each snapshot among those about its day, where there are several; of the
        days of new files and of the latest alone, since only files of one day are told apart by it.
        """
        asked = {file.file_on for file in (*files, *((latest,) if latest else ()))}
        days: dict[date, list[str]] = {}
        for file in sorted((*self.earlier, *files), key=self.order_of):
            if file.file_on in asked:
                days.setdefault(file.file_on, []).append(file.file_id)
        return {
            file_id: place
            for ids in days.values()
            if len(ids) > 1
            for place, file_id in enumerate(ids)
        }

    def _columns(self) -> list[str]:
        return self.tables.read(self.table).columns if self.tables.exists(self.table) else []

    def _known(self, like: DataFrame) -> DataFrame:
        """Silver with exactly the columns of new rows: what it lacks yet is null."""
        if not self.tables.exists(self.table):
            return like.where(F.lit(False))
        known = self.tables.read(self.table)
        return known.select(
            *(
                (F.col(of.name) if of.name in known.columns else F.lit(None))
                .cast(of.dataType)
                .alias(of.name)
                for of in like.schema
            )
        )

    def _known_again(self, like: DataFrame) -> DataFrame:
        """The same, each row with the time that it has today."""
        return self._known(like).withColumn("_observed_at", F.expr(observed_again(self.source)))

    def _replace_files(
        self, rows: DataFrame, files: Sequence[FileRow], first_micros: int | None
    ) -> None:
        ids = [file.file_id for file in files]
        days = sorted({file.landed_on for file in files})
        ours = F.col("_landed_on").isin(days) & F.col("_file_id").isin(ids)
        if self.source.key:
            rows = self._without_copies(rows, ours, first_micros)
        where: dict[str, Sequence[Scalar]] = {"_landed_on": days, "_file_id": ids}
        sessions = self.source.sessions
        if sessions is None:
            self.tables.replace_slice(self.table, rows, where=where)
            return
        context, reaches_past = self._context(rows, sessions, ours, first_micros)
        if context is None:
            self.tables.replace_slice(self.table, with_session_id(rows, sessions), where=where)
            return
        told = with_session_id(rows.unionByName(context, allowMissingColumns=True), sessions)
        fresh = told.where(F.col("_old_session").isNull()).drop("_old_session", "_known_start")
        moved = None
        if reaches_past:
            # Read before the slice is replaced: afterwards the plan would see other rows.
            moved = self._moved(told)
        self.tables.replace_slice(self.table, fresh, where=where)
        if moved is not None:
            self.tables.merge(self.table, moved, on=PLACE, insert=False)

    def _without_copies(self, rows: DataFrame, ours: Column, first_micros: int | None) -> DataFrame:
        """Events that are equal in every column of the source: one of them, wherever it came.

        Equal events are equal in their time, so only silver from the first of it on can hold one;
        those without a time stand at the days of their files.
        """
        names, time = [*self.source.column_names], time_of(self.source)
        single = first_of_equals(rows, names)
        if first_micros is None or not self.tables.exists(self.table):
            return single
        since = F.timestamp_micros(F.lit(first_micros))
        held = self._known(rows).where(~ours)
        if time:
            held = held.where((F.col("_observed_at") >= since) | F.col(time).isNull())
        both = [single[name].eqNullSafe(held[name]) for name in names]
        condition = both[0]
        for each in both[1:]:
            condition = condition & each
        return single.join(held.select(*names), on=condition, how="left_anti")

    def _context(
        self, rows: DataFrame, sessions: Sessions, ours: Column, first_micros: int | None
    ) -> tuple[DataFrame | None, bool]:
        """What silver knows of visits that the new rows may belong to or join.

        Gives rows of (``by``, ``at``, place, ``_old_session``, ``_known_start``), or None where
        there are none; and whether some of them may be given another session: those after the
        first new event, or any that shared a session with rows that are being replaced.
        """
        if not self.tables.exists(self.table):
            return None, False
        silver = as_declared(self.tables.read(self.table), self.source)
        start = session_start(F.col("session_id"))
        observed = F.unix_micros("_observed_at")
        gap = gap_micros(sessions)
        replaced = (
            silver.where(ours)
            .select(F.min(start).alias("start"), F.count("*").alias("rows"))
            .first()
        )
        since = [first_micros - gap] if first_micros is not None else []
        if replaced and replaced["start"] is not None:
            since.append(replaced["start"])
        if not since:
            return None, False
        others = silver.where(
            ~ours
            & F.col("session_id").isNotNull()
            & (F.col("_observed_at") >= F.timestamp_micros(F.lit(min(since))))
        )
        last = others.agg(F.max(observed)).first()
        if last is None or last[0] is None:
            return None, False
        is_replay = bool(replaced and replaced["rows"])
        reaches_past = is_replay or (first_micros is not None and last[0] >= first_micros)
        context = others.select(
            *dict.fromkeys([*sessions.by, sessions.at, *PLACE]),
            F.col("session_id").alias("_old_session"),
            start.alias("_known_start"),
        )
        if is_replay:
            # The first event of these sessions may be about to go; all of them are in the frame.
            torn = silver.where(ours).select(F.col("session_id").alias("_old_session")).distinct()
            context = context.join(
                torn.withColumn("_is_torn", F.lit(True)), on="_old_session", how="left"
            )
            context = context.withColumn(
                "_known_start", F.when(F.col("_is_torn").isNull(), F.col("_known_start"))
            ).drop("_is_torn")
        elif reaches_past:
            visitors = rows.select(visitor(sessions).alias("_visitor")).distinct()
            context = (
                context.withColumn("_visitor", visitor(sessions))
                .join(visitors, on="_visitor", how="left_semi")
                .drop("_visitor")
            )
        return context, reaches_past

    def _moved(self, told: DataFrame) -> DataFrame | None:
        """Whole rows of silver whose session begins elsewhere now; None where there are none."""
        changed = told.where(
            F.col("_old_session").isNotNull() & (F.col("session_id") != F.col("_old_session"))
        ).select(*PLACE, F.col("session_id").alias("_session"))
        places = changed.collect()
        if not places:
            return None
        fixed = self.tables.frame(
            places, "_landed_on DATE, _file_id STRING, _record BIGINT, _session STRING"
        )
        silver = self.tables.read(self.table)
        return (
            silver.join(F.broadcast(fixed), on=list(PLACE), how="inner")
            .withColumn("session_id", F.col("_session"))
            .select(*silver.columns)
        )
