"""Bronze rows and ledger rows for tests of what comes after ingest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from goldenlake.declarations.source import Source
from goldenlake.ports import Tables
from goldenlake.schemas import BRONZE_COLUMNS, INGESTED
from goldenlake.steps.files import FileRow
from support.lake import lay

LANDED_ON = date(2026, 3, 1)


def source_of(**declared: Any) -> Source:
    """A source with what a test says about it."""
    return Source.model_validate(
        {
            "source": "crm",
            "description": "People",
            "system": "crm",
            "owner": "data team",
            "origin": {"place": "drops", "files": "*.csv"},
            "format": {"kind": "csv"},
            **declared,
        }
    )


def ingested(
    tables: Tables,
    source: Source,
    name: str,
    rows: Sequence[Mapping[str, str | None]],
    *,
    file_on: date = LANDED_ON,
    read: int | None = None,
) -> FileRow:
    """A file whose records are in bronze, as ingest leaves it; what is not declared is extra."""
    file_id = hashlib.sha256(name.encode()).hexdigest()
    own = [column.name for column in source.columns if column.derive is None]
    ddl = ", ".join(f"`{column}` STRING" for column in own) + ", " + BRONZE_COLUMNS
    records = [
        (*(row.get(column) for column in own), file_id, at, LANDED_ON, file_on, extra or None, "r0")
        for at, row in enumerate(rows, start=1)
        for extra in [{name: row[name] for name in row if name not in own}]
    ]
    lay(tables, f"bronze.{source.source}", records, ddl, instead_of=f"_file_id = '{file_id}'")
    return FileRow(
        source=source.source,
        path=name,
        size_bytes=1,
        sha256=file_id,
        modified_at=datetime(2026, 3, 1, tzinfo=UTC),
        file_id=file_id,
        file_on=file_on,
        landed_path=f"landing/{name}",
        landed_on=LANDED_ON,
        status=INGESTED,
        records_read=len(rows) if read is None else read,
        run_id="r0",
    )
