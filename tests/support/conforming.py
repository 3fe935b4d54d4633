"""One run of the conform step, and what it left in silver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from goldenlake.declarations.source import Source
from goldenlake.io.tables import DeltaTables
from goldenlake.steps.conform import Conform
from goldenlake.steps.files import FileRow, record_files
from goldenlake.steps.tombstones import Erased
from support.bronze import LANDED_ON

Rows = Sequence[Mapping[str, str | None]]
DAY = [LANDED_ON + timedelta(days=n) for n in range(10)]


def conform(
    tables: DeltaTables, source: Source, *files: FileRow, erased: Erased | None = None
) -> list[FileRow]:
    """Conform files in one run, and record them as the caller does."""
    step = Conform(source=source, as_of=date(2026, 3, 9), run_id="r1", erased=erased)
    done = step.run(tables, files, lambda _: None)
    record_files(tables, done)
    return done


def silver(
    tables: DeltaTables, source: Source, *columns: str, layer: str = "silver"
) -> list[tuple]:
    """These columns of a source's rows, in order; what is missing comes first."""
    rows = tables.read(f"{layer}.{source.source}").select(*columns).collect()
    return sorted(map(tuple, rows), key=lambda row: [(each is not None, each) for each in row])
