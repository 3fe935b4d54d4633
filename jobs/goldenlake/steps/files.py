"""The ledger of files, ``ops.files``: what was seen of each file, and how far it has come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from datetime import UTC, date, datetime

from pyspark.sql import functions as F

from goldenlake.ports import Tables
from goldenlake.schemas import BROKEN, DRIFT, FILES, LANDED

KEY = ("source", "path", "size_bytes", "sha256")


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
    drift: Sequence[Drift] = ()

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What makes it one row of the ledger."""
        return self.source, self.path, self.size_bytes, self.sha256

    @property
    def has_no_day(self) -> bool:
        """Whether it broke because its name did not say its day: nobody ever looked inside."""
        return self.status == BROKEN and self.records_read is None


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
