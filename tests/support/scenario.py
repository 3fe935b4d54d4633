"""Scenarios: real files, declarations of their own, and whole nights over them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame

from goldenlake.cli import stages
from goldenlake.cli.installation import PROJECT, Installation
from goldenlake.errors import ExitCode
from goldenlake.io.tables import DeltaTables
from goldenlake.steps.files import FileRow, read_files

DATA = Path(os.environ.get("GOLDENLAKE_DATA", PROJECT.parent / "shared" / "data"))


def real_data(name: str) -> Path:
    """A folder of real data; skips the test where it is absent."""
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"real data {name} is not on this machine; GOLDENLAKE_DATA names its folder")
    return folder


@dataclass(frozen=True)
class Scenario:
    """An installation in a temporary folder: declarations, drops and a lake."""

    home: Path
    tables: DeltaTables

    @property
    def drops(self) -> Path:
        """Where the outside world leaves its files."""
        return self.home / "drops"

    def night(self, as_of: date, *, until: str = "") -> ExitCode:
        """Run the whole night of a day, or only the stages up to one."""
        return stages.night(self.installation(as_of), until=until)

    def installation(self, as_of: date) -> Installation:
        """What a command of that day works with."""
        installation = Installation.load(self.home / "conf", "local", None, as_of=as_of)
        installation.__dict__["tables"] = self.tables
        return installation

    def read(self, table: str) -> DataFrame:
        """A table as it is now."""
        return self.tables.read(table)

    def files(self, source: str) -> list[FileRow]:
        """The ledger's rows of a source."""
        return read_files(self.tables, source)


def scenario(name: str, home: Path, tables: DeltaTables) -> Scenario:
    """The declarations of ``tests/scenarios/<name>/conf`` over the project's own tables."""
    own = PROJECT / "tests" / "scenarios" / name / "conf"
    shutil.copytree(PROJECT / "conf" / "tables", home / "conf" / "tables")
    shutil.copytree(own, home / "conf", dirs_exist_ok=True)
    (home / "drops").mkdir()
    return Scenario(home, tables)
