"""Ten thousand small files cost commits and jobs by the thousand of them, not by the file."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from goldenlake.io.landing import LocalLanding
from goldenlake.io.places.folder import Folder
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import StepResult
from goldenlake.steps.collect import Collect
from goldenlake.steps.files import read_files
from support.destinations import Places
from support.landed import source

pytestmark = [pytest.mark.slow, pytest.mark.fault("10,000 small files")]
DAY = date(2026, 1, 3)
FILES = 10_000
#: Whose names say a day and how often it was corrected.
DATED = r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})_v(?P<version>\d+)"


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 1, 4, 1, tzinfo=UTC)


def write(folder: Path, number: int) -> None:
    """A file of two records and one that lacks what it must have."""
    path = folder / f"till-{number:05}_2026-01-0{number % 3 + 1}_v{number % 4}.csv"
    path.write_text(f"id,email\n{number},a{number}@example.com\nx{number},b@example.com\n!,\n")
    os.utime(path, (1_767_400_000, 1_767_400_000))


def collect(tables: DeltaTables, home: Path) -> tuple[StepResult, int]:
    """What came of a night, and how many jobs of Spark it took."""
    declared = source(
        {"name": "id", "required": True}, {"name": "email", "required": True},
        load="increment", key=["id"], most_quarantined=0.5,
        origin={"place": "tills", "files": "*.csv", "file_date": DATED},
    )  # fmt: skip
    jobs: Any = tables.spark.sparkContext._jsc.sc().dagScheduler()
    before = jobs.numTotalJobs()
    step = Collect(sources=[declared], as_of=DAY, run_id="r", settle=timedelta(0))
    [result] = step.run(
        tables=tables,
        maintenance=tables,
        landing=LocalLanding(home / "landing"),
        outside=Places(lambda name: Folder(name, home / name)),
        clock=Clock(),
        progress=lambda _: None,
    )
    return result, jobs.numTotalJobs() - before


def test_ten_thousand_files_come_in_whole_by_few_jobs_and_commits(
    tables: DeltaTables, tmp_path: Path
) -> None:
    (tmp_path / "tills").mkdir()
    for number in range(FILES):
        write(tmp_path / "tills", number)

    result, jobs = collect(tables, tmp_path)

    assert (result.status, result.error) == ("done", "")
    assert result.counts["files"] == FILES
    assert result.counts["records_accepted"] == 2 * FILES
    assert result.counts["records_quarantined"] == FILES
    assert tables.read("silver.shop").count() == 2 * FILES
    assert {
        (row.status, row.records_read, row.records_accepted) for row in read_files(tables, "shop")
    } == {("conformed", 3, 2)}
    commits = {
        name: (tables.version(name) or 0) + 1
        for name in ("bronze.shop", "quarantine.shop", "silver.shop", "ops.files")
    }
    assert commits == {
        "bronze.shop": FILES / 1000, "quarantine.shop": 1, "silver.shop": 1, "ops.files": 2,
    }  # fmt: skip
    assert jobs < 100

    write(tmp_path / "tills", FILES)
    result, jobs = collect(tables, tmp_path)
    assert (result.counts["files"], result.counts["records_accepted"]) == (1, 2)
    assert jobs < 100
