"""The ledger of files, ``ops.files``: what was seen of each file, and how far it has come."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from datetime import UTC, date, datetime

from pyspark.sql import Column
from pyspark.sql import functions as F

from goldenlake.columns.traces import pseudonym
from goldenlake.declarations.source import Source
from goldenlake.io.readers.contract import told_name
from goldenlake.ports import Tables
from goldenlake.reporting.facts import DriftFacts
from goldenlake.schemas import BROKEN, CONFORMED, DRIFT, FILES, LANDED

#: In the name of a file, for what told of somebody; with what stands for the whole path.
TOLD = "(told of somebody {token})"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOLD = re.compile(re.escape(TOLD).replace(r"\{token\}", "([0-9a-f]{16})"))

KEY = ("source", "path", "size_bytes", "sha256", "file_id")


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One way in which a file's columns differ from the contract.

    ``kind`` is ``new`` (kept in ``_extra``), ``missing`` (null in bronze), ``reordered``,
    ``respelled`` (matched but for case and blanks) or ``doubled``.
    """

    source: str
    file_id: str
    seen_on: date
    kind: str
    column: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class FileRow:
    """One row of ``ops.files``; ``drift`` is what ingest found out and no column of the ledger."""

    source: str
    path: str
    size_bytes: int
    sha256: str
    modified_at: datetime
    file_id: str
    file_on: date
    landed_path: str
    landed_on: date
    status: str = LANDED
    records_read: int | None = None
    records_accepted: int | None = None
    records_quarantined: int | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    run_id: str
    ids_by: str | None = None
    """What made the ids that its rows have in silver; see ``record_ids``."""
    drift: Sequence[Drift] = ()

    @property
    def key(self) -> tuple[str, str, int, str, str]:
        """What makes it one row of the ledger."""
        return self.source, self.path, self.size_bytes, self.sha256, self.file_id

    @property
    def has_no_day(self) -> bool:
        """Whether it broke because its name did not say its day, or is none to ask for (then it has
        no ``sha256``): nobody ever looked inside.
        """
        return self.status == BROKEN and self.records_read is None


def file_version(source: Source, path: str) -> int:
    """The number of a corrected file, where its name has one; else 0."""
    found = re.search(source.origin.file_date, path) if source.origin.file_date else None
    number = found.groupdict().get("version") if found else None
    return int(number) if number else 0


def version_sql(source: Source, files: Iterable[FileRow], file_id: str) -> str:
    """How often the file of an id was corrected, as SQL: one branch for all files of a number."""
    corrected: dict[int, set[str]] = {}
    for row in files:
        if number := file_version(source, row.path):
            corrected.setdefault(number, set()).add(f"'{row.file_id}'")
    branches = [
        f"WHEN {file_id} IN ({', '.join(sorted(ids))}) THEN {number}"
        for number, ids in sorted(corrected.items())
    ]
    return f"CASE {' '.join(branches)} ELSE 0 END" if branches else "0"


def file_order(source: Source, row: FileRow) -> tuple[date, int, datetime, str]:
    """Which of two files of a keyed source is newer: of two about one day the corrected one, then
    the one written later.

    Of increments that order their rows (``Source.is_ordered_by_files``), ``file_id`` begins with
    when a file was first written: one that was touched since is no newer.
    """
    written = _EPOCH if source.is_ordered_by_files else row.modified_at
    return row.file_on, file_version(source, row.path), written, row.file_id


def token_of(key: bytes, path: str) -> str:
    """What stands for a path in the ledger that told of somebody."""
    return pseudonym(key, "path", path)[:16]


def token_in(path: str) -> str | None:
    """The token of what the path was before; None for one that stands as it came."""
    found = _TOLD.search(path)
    return found[1] if found else None


_LEDGER_COLUMNS = re.findall(r"(\w+) (?:STRING|BIGINT|DATE|TIMESTAMP|MAP)", FILES.ddl)


def read_files(
    tables: Tables, source: str | None = None, statuses: Sequence[str] = ()
) -> list[FileRow]:
    """The ledger's rows, oldest file first; of one source and of some statuses where given."""
    ledger = tables.read_or_empty("ops.files", FILES.ddl)
    if source is not None:
        ledger = ledger.where(F.col("source") == source)
    if statuses:
        ledger = ledger.where(F.col("status").isin(*statuses))
    # Spark hands out local times; the number of microseconds has no zone.
    instant = F.unix_micros("modified_at").alias("modified_at")
    columns = [instant if name == "modified_at" else F.col(name) for name in _LEDGER_COLUMNS]
    found = [row.asDict() for row in ledger.select(*columns).collect()]
    rows = [
        FileRow(
            **{
                **row,
                "modified_at": datetime.fromtimestamp(row["modified_at"] / 1e6, UTC),
                "reasons": row["reasons"] or {},
            }
        )
        for row in found
    ]
    return sorted(rows, key=lambda row: (row.source, row.file_on, row.path, row.sha256))


def records_by_file(tables: Tables, table: str, where: Column | None = None) -> Counter[str]:
    """How many rows of bronze or quarantine each file has, of those for which a condition holds."""
    if not tables.exists(table):
        return Counter()
    rows = tables.read(table)
    chosen = rows if where is None else rows.where(where)
    return Counter({row[0]: row[1] for row in chosen.groupBy("_file_id").count().collect()})


def record_files(tables: Tables, rows: Iterable[FileRow]) -> int | None:
    """Merge rows of any number of sources into the ledger in one commit; None without rows.

    Of two rows with one key the later in ``rows`` counts.
    """
    last = {row.key: row for row in rows}
    if not last:
        return None
    listed = [tuple(getattr(row, name) for name in _LEDGER_COLUMNS) for row in last.values()]
    return tables.merge("ops.files", tables.frame(listed, FILES.ddl), on=KEY)


def record_drift(tables: Tables, rows: Iterable[FileRow]) -> int | None:
    """Write what files drifted by in one commit, once however often it is said."""
    found = {astuple(drift)[:-1]: astuple(drift) for row in rows for drift in row.drift}
    if not found:
        return None
    frame = tables.frame(found.values(), DRIFT.ddl)
    return tables.merge("ops.drift", frame, on=[of.name for of in fields(Drift)][:-1])


def standing_drift(
    tables: Tables, files: Iterable[FileRow], *, until: date | None = None
) -> list[DriftFacts]:
    """How the files of each source's last landing differ from the contract, and since when.

    Drift that newer files no longer have is history, and left out.

    Args:
        files: the ledger's rows of the sources to tell of.
        until: leave out what landed after this day.
    """
    sound = [
        file
        for file in files
        if file.status == CONFORMED and (until is None or file.landed_on <= until)
    ]
    last: dict[str, date] = {}
    for file in sound:
        last[file.source] = max(file.landed_on, last.get(file.source, file.landed_on))
    newest = sorted({file.file_id for file in sound if file.landed_on == last[file.source]})
    if not newest:
        return []
    seen = tables.read_or_empty("ops.drift", DRIFT.ddl)
    if until is not None:
        seen = seen.where(F.col("seen_on") <= F.lit(until))
    rows = (
        seen.groupBy("source", "column", "kind")
        .agg(
            F.min("seen_on").alias("since"),
            F.count_distinct(F.when(F.col("file_id").isin(newest), F.col("file_id"))).alias(
                "files"
            ),
        )
        .where(F.col("files") > 0)
        .collect()
    )
    return [
        DriftFacts(**(row.asDict() | {"column": told_name(row["column"] or "")}))
        for row in sorted(rows, key=lambda row: (row["source"], row["kind"], row["column"] or ""))
    ]
