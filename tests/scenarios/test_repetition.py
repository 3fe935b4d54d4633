"""What is done again changes nothing: sources that are read anew, and nights."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from goldenlake.cli import stages
from goldenlake.cli.installation import PROJECT
from goldenlake.io.tables import DeltaTables
from goldenlake.sample import SampleOptions, arrived, generate
from goldenlake.steps.collect import replay
from support.company import day, open_company
from support.contents import Contents, contents, difference
from support.faults import Company
from support.scenario import Scenario

pytestmark = pytest.mark.slow
FIRST = date(2026, 1, 1)
REPLAYS, DAYS = 20, 30
AUDIENCES = frozenset({"segments.members", "segments.changes", "segments.sizes"})
READ = ("bronze.", "silver.", "quarantine.", "ops.files")


def test_every_source_is_read_twenty_times_and_has_no_row_more(
    spark: SparkSession, tmp_path: Path
) -> None:
    shutil.copytree(PROJECT / "conf", tmp_path / "conf")
    home = tmp_path / "var"
    at = Scenario(tmp_path, DeltaTables(spark, str(home / "lake")))
    sample = SampleOptions(customers=60, days=1, seed=7, out=tmp_path / "sample", start=FIRST)
    generate(sample)
    arrived(sample.out, FIRST, home / "drops")
    sources = list(at.installation(FIRST).catalogue.sources)
    stages.collect(at.installation(FIRST), sources)
    before = read_of(home)
    files = [row for source in sources for row in at.files(source)]
    assert {row.source for row in files} == {*sources}
    for row in files:
        counted = (row.records_accepted or 0) + (row.records_quarantined or 0)
        assert (row.records_read or 0) == counted, row.path
    for number in range(REPLAYS):
        for source in sources:
            assert replay(at.tables, source, run_id=f"again {number}", everything=True)
        stages.collect(at.installation(FIRST), sources)
        found = difference(read_of(home), before)
        assert not found, f"replay {number + 1}:\n" + "\n".join(found.where)


def read_of(home: Path) -> Contents:
    """Of a lake, what comes of reading files."""
    found = contents(home)
    kept = {name: rows for name, rows in found.tables.items() if name.startswith(READ)}
    return Contents(tables=kept)


def test_thirty_nights_that_are_run_again_change_nothing(
    spark: SparkSession, tmp_path: Path
) -> None:
    company = Company(tmp_path / "home", spark)
    open_company(company.home, days=DAYS)
    for number in range(1, DAYS + 1):
        company.night(day(number))
        wanted = contents(company.home)
        company.night(day(number))
        found = difference(contents(company.home), wanted)
        assert not found, f"night {number}:\n" + "\n".join(found.where)
    # Audiences of past days are judged by what is known now: docs/guides/segments.md.
    wanted = contents(company.home, but=AUDIENCES)
    for number in range(1, DAYS + 1):
        company.night(day(number))
    found = difference(contents(company.home, but=AUDIENCES), wanted)
    assert not found, "\n".join(found.where)
