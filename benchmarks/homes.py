"""Folders that benchmarks work in: a copy of ``conf/``, drops, and samples to fill them with."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from ruamel.yaml import YAML

from goldenlake.cli.installation import PROJECT
from goldenlake.errors import ExitCode
from goldenlake.sample import SampleOptions, arrived, generate

ENVIRONMENT = "bench"
SEGMENT = "everybody"
"""Of the people who are exported."""
START = date(2026, 1, 1)
CUSTOMERS = 100_000
EVENTS_A_CUSTOMER = 10.0
SHARE_OF_NEXT_NIGHT = 0.01
ACCESS_LINES = 1_000_000
ACCESS_FILES = 4
_ACCESS_CUSTOMERS = 20_000
_ACCESS_SHARE = 0.45
"""Of a sample's events, about so many are lines of the access log."""
_FEWEST = 50
_HOMES = PROJECT / "var" / "bench"


@contextmanager
def temporary_home(keep: bool) -> Iterator[Path]:
    """A fresh folder under ``var/bench``, gone afterwards unless it is to be kept.

    A run that is told to stop takes its worker and its folder with it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.FAILED))
    _HOMES.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=_HOMES))
    try:
        yield home
    finally:
        if keep:
            print(f"kept: {home}", file=sys.stderr)
        else:
            shutil.rmtree(home, ignore_errors=True)


def make_home(home: Path, spark: Mapping[str, object]) -> None:
    """Copy the project's declarations; the environment is ``local`` with other Spark settings."""
    shutil.copytree(PROJECT / "conf", home / "conf")
    local = YAML(typ="safe").load(home / "conf" / "env" / "local.yml")
    local["spark"] |= spark
    # JSON is YAML too, and needs no thought about quotes.
    (home / "conf" / "env" / f"{ENVIRONMENT}.yml").write_text(json.dumps(local, indent=2))
    (home / "var" / "drops").mkdir(parents=True)
    (home / "var" / "exports").mkdir()


def connect(home: Path, name: str, declared: Mapping[str, object]) -> None:
    """Declare an account in the environment of a home."""
    path = home / "conf" / "env" / f"{ENVIRONMENT}.yml"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"connections": {name: declared}}))


def declare_export(home: Path, vendor: str, fields: Mapping[str, str]) -> None:
    """Declare a segment of everybody, and its export to the account that is called so."""
    whose = {"description": "Made-up people.", "owner": "bench@example.com"}
    everybody = {"attribute": "is_known", "equals": True}
    segment = {"segment": SEGMENT, "who": {"all": [everybody]}, **whose}
    destination = {
        "destination": vendor,
        "segments": [SEGMENT],
        "purpose": "marketing",
        "channel": "email",
        "key": "email",
        "fields": dict(fields),
        "target": {"kind": vendor, "connection": vendor},
        **whose,
    }
    (home / "conf" / "segments" / f"{SEGMENT}.yml").write_text(json.dumps(segment))
    (home / "conf" / "destinations" / f"{vendor}.yml").write_text(json.dumps(destination))


@dataclass(frozen=True, kw_only=True)
class World:
    """The sample of the nights: about a million events on the first day, a hundredth on the next.

    The second day comes from a second sample of the same people, in which everybody does a
    hundredth; its daily CRM snapshot is full and differs in about 1% of its rows. Where the
    first sample is of one day alone, nothing of it arrives late.
    """

    home: Path
    scale: float
    seed: int

    @property
    def drops(self) -> Path:
        """The folder that the nights collect from."""
        return self.home / "var" / "drops"

    @property
    def truth(self) -> Path:
        """Which record of the first day is whose."""
        return self.home / "first" / "truth" / "records.parquet"

    def first_day(self) -> date:
        """Drop the files of the first day."""
        self._generate("first", 1, EVENTS_A_CUSTOMER)
        arrived(self.home / "first", START, self.drops)
        return START

    def next_day(self) -> date:
        """Drop the files of the second day."""
        self._generate("next", 2, EVENTS_A_CUSTOMER * SHARE_OF_NEXT_NIGHT)
        day = START + timedelta(days=1)
        for relative in files_about(self.home / "next", day):
            target = self.drops / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(self.home / "next" / "drops" / relative, target)
        return day

    def _generate(self, name: str, days: int, events: float) -> None:
        generate(
            SampleOptions(
                customers=max(_FEWEST, round(CUSTOMERS * self.scale)),
                days=days,
                seed=self.seed,
                out=self.home / name,
                start=START,
                events_per_customer_day=events,
            )
        )


def files_about(sample: Path, day: date) -> list[Path]:
    """Files of a sample that are about a day and came on that day, relative to its ``drops``."""
    with (sample / "arrivals.csv").open(encoding="utf-8", newline="") as file:
        found = [row["path"] for row in csv.DictReader(file) if row["arrives_on"] == str(day)]
    return [
        Path(path).relative_to("drops")
        for path in found
        if f"{day:%Y%m%d}" in path.replace("-", "")
    ]


def access_logs(home: Path, name: str, lines: int, seed: int) -> Path:
    """A folder of drops with nothing but access logs: about so many lines, in a few gzip files."""
    customers = max(_FEWEST, round(_ACCESS_CUSTOMERS * lines / ACCESS_LINES))
    out = home / name
    generate(
        SampleOptions(
            customers=customers,
            days=ACCESS_FILES,
            seed=seed,
            out=out,
            start=START,
            events_per_customer_day=lines / ACCESS_FILES / customers / _ACCESS_SHARE,
        )
    )
    for folder in (out / "drops").iterdir():
        if folder.name != "web":
            shutil.rmtree(folder)
    return out / "drops"
