"""Take people out of what their records came in: landed files, bronze, quarantine, silver and what
stands beside it.

What is built from these follows with the next build. Every part finds what is left of a person
and removes that, so it can be done again after a crash at any point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.source import Source
from goldenlake.identity.records import identifiers_of
from goldenlake.io.readers.contract import FileBroken
from goldenlake.io.texts import texts
from goldenlake.ports import Landing, Maintenance, Progress, Tables
from goldenlake.schemas import (
    BROKEN,
    CONFORMED,
    DUPLICATE,
    INGESTED,
    LANDED,
    PLACE,
    conformed,
)
from goldenlake.steps.clearing import PLACES, clear, clear_bronze
from goldenlake.steps.files import (
    KEY,
    TOLD,
    FileRow,
    read_files,
    record_files,
    token_of,
)
from goldenlake.steps.ingest import READ
from goldenlake.steps.subjects import Subject
from goldenlake.steps.telling import told_in_bronze, told_of_erased, told_unread
from goldenlake.steps.ties import kept_ties
from goldenlake.steps.tombstones import CUT, RECORD, RULE, Erased, names_any
from goldenlake.transforms.conforming import typed
from goldenlake.transforms.row_ids import has_key

_BY = ("_file_id", "stage", "rules")
_FILES = "source STRING, path STRING, size_bytes BIGINT, sha256 STRING, file_id STRING"


class Gone(NamedTuple):
    """How many records and files went, by the names of tables, and of how many records of others
    what tells of the person.
    """

    rows: Counter[str]
    of_others: Counter[str]


@dataclass(frozen=True, kw_only=True)
class Forget:
    """Remove every record that is a person's, or bears what is theirs alone and is nobody's; and
    from those of others what tells of them.
    """

    sources: Sequence[Source]
    subject: Subject
    run_id: str
    key: bytes
    """By which tokens of the names of files are made."""

    def run(
        self,
        tables: Tables,
        landing: Landing,
        progress: Progress,
        note: Callable[[Gone], None] = lambda _: None,
    ) -> Gone:
        """Gives what went; ``note`` is called with what has so far, before it can be found no more
        that it did.
        """
        gone = Gone(rows=Counter(), of_others=Counter())
        files = read_files(tables)
        for source in self.sources:
            self._records(tables, landing, source, files, gone, note)
            progress(f"{source.source}: searched")
        gone.rows["landing"] += self._unread(tables, landing, files)
        gone.rows["landing"] += self._landed(tables, landing)
        gone.rows["ops.files"] += self._named(tables)
        return Gone(rows=+gone.rows, of_others=+gone.of_others)

    def _records(
        self,
        tables: Tables,
        landing: Landing,
        source: Source,
        files: Sequence[FileRow],
        gone: Gone,
        note: Callable[[Gone], None],
    ) -> None:
        bronze, quarantine = f"bronze.{source.source}", f"quarantine.{source.source}"
        refined = conformed(source.source)
        ours = [row for row in files if row.source == source.source]
        remove_places(tables, bronze, _came_back(tables, quarantine, ours))
        told = told_in_bronze(tables, source, self.subject)
        unread = told_unread(tables, source, self.subject)
        if touched := told.file_ids | unread.file_ids:
            # The file goes first: whatever is read again afterwards is read from bronze. There it
            # goes last, so that a kill leaves it to be found; until then counts are of what stays.
            read = touched - _half_read(landing, ours)
            gone.rows["landing"] += withdraw(tables, landing, read, files, run_id=self.run_id)
            doomed = [*told.whole, *unread.whole]
            recount(tables, source.source, touched, doomed, run_id=self.run_id)
            for name in (*refined, quarantine):
                gone.rows[name] += remove_places(tables, name, doomed)
            gone.of_others.update(clear(tables, source, told.part, unread.part))
            gone.rows[bronze] += len(told.whole)
            gone.of_others[bronze] += len(told.part)
            note(gone)
            clear_bronze(tables, source, told.part)
            remove_places(tables, bronze, doomed)
        of_record = tables.frame([[each] for each in self.subject.record_ids], "record_id STRING")
        for name in filter(tables.exists, refined):
            held = tables.read(name).join(F.broadcast(of_record), "record_id", "left_semi")
            gone.rows[name] += remove_places(tables, name, _collected(held))
        if (kept := kept_ties(tables, source)) is not None:
            theirs = tables.frame(self.subject.identifiers, "name STRING, value STRING")
            named = kept.select(*PLACE, F.inline(identifiers_of(source)))
            held = named.join(F.broadcast(theirs), ["name", "value"], "left_semi").distinct()
            name = f"superseded.{source.source}"
            gone.rows[name] += remove_places(tables, name, _collected(held))

    def _unread(self, tables: Tables, landing: Landing, files: Sequence[FileRow]) -> int:
        """Files that were never read, because they broke: removed whole where they tell. Those that
        wait are read by the next collect, which knows by then who is forgotten.
        """
        unread = [row for row in files if row.status == BROKEN and row.landed_path]
        told = [row for row in unread if self._tells(landing, row)]
        broken = [
            replace(
                row,
                landed_path="",
                records_read=row.records_read or 0,
                error="It told of somebody who was forgotten, and was removed. Have it sent anew.",
                run_id=self.run_id,
            )
            for row in told
        ]
        for row in told:
            landing.remove(row.landed_path)
        record_files(tables, broken)
        return len(told)

    def _landed(self, tables: Tables, landing: Landing) -> int:
        """Files that tell by their names, or beside their records: in what no record has of them.
        Bronze has the rest.
        """
        files = read_files(tables)
        waiting = {row.landed_path for row in files if row.status == LANDED}
        told = {
            row.file_id
            for row in files
            if row.landed_path
            and row.landed_path not in waiting
            and row.status in (INGESTED, CONFORMED, DUPLICATE)
            and self._tells(landing, row)
        }
        return withdraw(tables, landing, told, files, run_id=self.run_id)

    def _named(self, tables: Tables) -> int:
        """Rewrite names of files that tell in the ledger. What waits to be read keeps its own until
        it was.
        """
        traces = self.subject.traces
        told = [
            row
            for row in read_files(tables)
            if row.status != LANDED and traces.found_in(f"{row.path}\n{row.error or ''}")
        ]
        # Those that follow are written first: a kill leaves both, and this is done again.
        record_files(tables, [self._renamed(row) for row in told])
        doomed = [row.key for row in told if traces.found_in(row.path)]
        if doomed:
            remove_rows(tables, "ops.files", tables.frame(doomed, _FILES), on=KEY)
        return len(told)

    def _renamed(self, row: FileRow) -> FileRow:
        instead = TOLD.format(token=token_of(self.key, row.path))
        path = self.subject.traces.without(row.path, instead)
        error = (row.error or "").replace(row.path, path)
        return replace(
            row,
            path=path,
            error=self.subject.traces.without(error, instead) or None,
            run_id=self.run_id,
        )

    def _tells(self, landing: Landing, row: FileRow) -> bool:
        """Also of what cannot be opened, so that nobody knows, or was removed by a killed run."""
        if self.subject.traces.found_in(f"{row.path}\n{row.landed_path}"):
            return True
        try:
            with landing.open(row.landed_path) as content:
                return any(self.subject.traces.found_in(text) for text in texts(content))
        except (FileBroken, FileNotFoundError):
            return True


def records_of(tables: Tables, source: Source, subject: Subject) -> DataFrame | None:
    """A source's records of a person, as ``typed`` gives them; None where it has no bronze.

    Their own, and rows that bear an identifier which is theirs alone and name nobody else: one with
    a key is another's, who bore it once.
    """
    bronze = f"bronze.{source.source}"
    if not tables.exists(bronze):
        return None
    is_theirs = subject.is_theirs
    theirs = names_any(source, lambda *named: named[0] == RECORD and is_theirs(*named))
    bears = names_any(source, lambda *named: named[0] != RECORD and is_theirs(*named))
    bears &= ~names_any(source, lambda *named: named[0] != RECORD and not is_theirs(*named))
    theirs |= bears & ~has_key(source) if source.is_profile else bears
    return typed(tables.read(bronze), source).where(theirs)


def remove_places(tables: Tables, table: str, places: Sequence[tuple[Any, ...]]) -> int:
    """Remove rows by where they came from, in one commit; gives how many there were."""
    if not places or not tables.exists(table):
        return 0
    doomed = tables.frame(places, PLACES)
    count = tables.read(table).join(F.broadcast(doomed), list(PLACE), how="left_semi").count()
    if count:
        remove_rows(tables, table, doomed, on=PLACE)
    return count


def remove_rows(tables: Tables, table: str, doomed: DataFrame, *, on: Sequence[str]) -> None:
    """Remove the rows that have what the frame names. By a join, since the values of a condition
    would stand in the table's log.
    """
    tables.merge(table, doomed, on=on, delete_when="true", insert=False, update=False)


def withdraw(
    tables: Tables, landing: Landing, file_ids: set[str], files: Sequence[FileRow], *, run_id: str
) -> int:
    """Remove landed files for good, and those that are the same; gives how many.

    From now on the rest of their records is only in bronze, and is read again from there.
    """
    paths = {row.landed_path for row in files if row.file_id in file_ids} - {""}
    for path in paths:
        landing.remove(path)
    same = [row for row in files if row.landed_path in paths]
    record_files(tables, [replace(row, landed_path="", run_id=run_id) for row in same])
    return len(paths)


def recount(
    tables: Tables,
    source: str,
    file_ids: set[str],
    doomed: Sequence[tuple[Any, ...]],
    *,
    run_id: str,
) -> None:
    """Bring the ledger of files in line with what is left of them without those places."""
    places = F.broadcast(tables.frame(doomed, PLACES))

    def left(table: str) -> DataFrame:
        ours = tables.read(table).where(F.col("_file_id").isin(sorted(file_ids)))
        return ours.join(places, list(PLACE), how="left_anti")

    held: dict[str, Counter[tuple[str, ...]]] = {each: Counter() for each in file_ids}
    unread: Counter[str] = Counter()
    if tables.exists(f"quarantine.{source}"):
        rows = left(f"quarantine.{source}").groupBy(*_BY).count()
        for file_id, stage, rules, count in rows.collect():
            held[file_id][tuple(rules or ())] += count
            # Neither what could not be read nor who was forgotten before is in bronze.
            unread[file_id] += count if stage == READ or RULE in (rules or ()) else 0
    bronze: Counter[str] = Counter()
    if tables.exists(f"bronze.{source}"):
        bronze.update(dict(left(f"bronze.{source}").groupBy("_file_id").count().collect()))
    done = []
    for row in read_files(tables, source, (CONFORMED, INGESTED)):
        if row.file_id in file_ids:
            reasons: Counter[str] = Counter()
            for rules, count in held[row.file_id].items():
                reasons.update(dict.fromkeys(rules, count))
            quarantined = held[row.file_id].total()
            read = bronze[row.file_id] + unread[row.file_id]
            done.append(
                replace(
                    row,
                    records_read=read,
                    records_accepted=read - quarantined if row.status == CONFORMED else None,
                    records_quarantined=quarantined,
                    reasons=dict(sorted(reasons.items())),
                    run_id=run_id,
                )
            )
    record_files(tables, done)


def _half_read(landing: Landing, files: Iterable[FileRow]) -> set[str]:
    """Files of which a killed run may have read but a part, by their ids: what no reader could make
    a record of is nowhere else yet. The next collect reads them, and knows who is forgotten.
    """
    return {
        row.file_id
        for row in files
        if row.status == LANDED
        and not row.records_read
        and row.landed_path
        and _is_there(landing, row.landed_path)
    }


def _is_there(landing: Landing, path: str) -> bool:
    try:
        landing.open(path).close()
    except FileNotFoundError:
        return False
    return True


def _came_back(tables: Tables, quarantine: str, files: Iterable[FileRow]) -> list[tuple[Any, ...]]:
    """Where people came back who were forgotten before, in files that are still in the landing
    area: unless ``forget_again`` was killed, bronze has them no more.
    """
    if not tables.exists(quarantine):
        return []
    landed = tables.frame([[row.file_id] for row in files if row.landed_path], "_file_id STRING")
    rows = tables.read(quarantine).where(F.array_contains("rules", RULE))
    return _collected(rows.join(F.broadcast(landed), "_file_id", "left_semi"))


def _collected(rows: DataFrame) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows.select(*PLACE).collect()]


def forget_again(
    tables: Tables,
    maintenance: Maintenance,
    landing: Landing,
    *,
    sources: Sequence[Source],
    erased: Erased,
    run_id: str,
) -> None:
    """Take out of files and of bronze those who came back after they were forgotten, and what
    records of others said of them.

    Conforming has counted both, also in a file that it refused as a whole. The files of a run that
    was killed are found again, since they are in the landing area as long as this is not done.
    """
    files = read_files(tables)
    come_back = [row for row in files if {RULE, CUT} & row.reasons.keys() and row.landed_path]
    for source in sources:
        ids = {row.file_id for row in come_back if row.source == source.source}
        if ids:
            bronze = f"bronze.{source.source}"
            rows = tables.read(bronze).where(F.col("_file_id").isin(sorted(ids)))
            told = told_of_erased(rows, source, erased)
            clear_bronze(tables, source, told.part)
            remove_places(tables, bronze, told.whole)
            maintenance.purge([bronze])
            withdraw(tables, landing, ids, files, run_id=run_id)
