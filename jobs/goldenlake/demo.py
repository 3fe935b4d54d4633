"""``make demo``: three nights of a made-up company, the last one through Airflow.

A second run finds the sample and the lake of the first, repeats the last night, and shows that no
customer id changed and nothing was sent again; otherwise it ends with code 5.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from goldenlake.cli import stages
from goldenlake.cli.installation import PROJECT, Installation, SystemClock
from goldenlake.errors import ExitCode, GoldenlakeError, SetupError
from goldenlake.sample import SampleOptions, arrived, generate
from goldenlake.steps.generations import latest_generation

ENVIRONMENT = "demo"
START = date(2026, 1, 1)


NOT_THE_SAME = 5
"""Exit code of a run that found everything done, and changed something all the same."""


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """What a run did that had nothing to do."""

    changed: int
    """Records that belong to another customer id now, or to none."""
    sent: int
    """Records that were sent or removed."""

    @property
    def faults(self) -> list[str]:
        """What should not have happened, in words."""
        found = {"records changed their customer id": self.changed, "records were sent": self.sent}
        return [
            f"{count:,} {what}, though nothing was new. Look at the report; unless conf/ or the "
            "code changed in between, or a consent has expired since, it is a defect."
            for what, count in found.items()
            if count
        ]


def code_to_end_with(code: ExitCode, repetition: Repetition | None) -> int:
    """A night that failed tells more than what it changed."""
    if repetition is not None and repetition.faults and code in (ExitCode.OK, ExitCode.DEGRADED):
        return NOT_THE_SAME
    return code


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The demonstration, in a folder of its own under ``var/demo``."""

    customers: int
    days: int
    seed: int
    airflow: bool
    console: Console
    project: Path = PROJECT
    """The folder that holds ``conf/``. Airflow knows the project's own only."""

    @property
    def home(self) -> Path:
        """Where the sample, the lake, the exports and the reports are."""
        return self.project / "var" / "demo"

    @property
    def last(self) -> date:
        """The day of the last night."""
        return START + timedelta(days=self.days - 1)

    def say(self, message: str) -> None:
        """A headline of the demonstration."""
        self.console.print(f"\n[bold blue]▸ {message}[/bold blue]")

    def run(self) -> int:
        """Sample, nights, and what came of them; gives the code to end with."""
        begun_at = SystemClock().now()
        begun = time.monotonic()
        for folder in ("drops", "exports"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        self._make_sample()
        before = self._nights_in_process()
        code = self._last_night() if self.airflow else ExitCode.OK
        repetition = self._summarise(before, begun_at)
        minutes = (time.monotonic() - begun) / 60
        self.console.print(f"\nDone in {minutes:.1f} minutes.")
        for fault in repetition.faults if repetition else ():
            self.console.print(f"[red]{fault}[/red]")
        return code_to_end_with(code, repetition)

    def _make_sample(self) -> None:
        sample = self.home / "sample"
        if (sample / "arrivals.csv").exists():
            self.say(f"The sample is there already: {sample}")
            return
        self.say(f"A sample of {self.customers:,} customers and {self.days} days")
        options = SampleOptions(
            customers=self.customers, days=self.days, seed=self.seed, out=sample, start=START
        )
        summary = generate(options, on_progress=None)
        self.console.print(f"  {summary.total_rows:,} rows of {len(summary.rows)} sources")

    def _installation(self, as_of: date) -> Installation:
        installation = Installation.load(self.project / "conf", ENVIRONMENT, None, as_of=as_of)
        installation.speaks_json = False
        return installation

    def _nights_in_process(self) -> set[tuple[str, str]]:
        """Nights that are not yet in the lake, and the last; where Airflow runs that one, not here.

        Gives (record, customer) of the lake as it was found; nothing unless it had the last night,
        for an earlier one leaves something to do.
        """
        from goldenlake.steps.demonstration import is_sent

        installation = self._installation(START)
        published = latest_generation(installation.tables)
        found: set[tuple[str, str]] = set()
        destinations = installation.catalogue.destinations
        if published and is_sent(installation.tables, self.last, destinations):
            found = _customers_of_records(installation)
        days = [START + timedelta(days=n) for n in range(self.days - (1 if self.airflow else 0))]
        for day in days:
            if published and published.as_of >= day and day != self.last:
                continue
            self.say(f"The night of {day}, in one process")
            arrived(self.home / "sample", day, self.home / "drops")
            installation = installation.for_day(day)
            code = stages.night(installation)
            if code not in (ExitCode.OK, ExitCode.DEGRADED):
                raise SetupError(f"The night of {day} ended with code {code}.", mend="See above.")
        arrived(self.home / "sample", self.last, self.home / "drops")
        installation.tables.spark.stop()
        return found

    def _last_night(self) -> ExitCode:
        self.say(f"The night of {self.last}, through Airflow: one spark-submit a task")
        command = [str(PROJECT / "infra" / "airflow" / "night.sh"), self.last.isoformat()]
        environment = os.environ | {"GOLDENLAKE_ENV": ENVIRONMENT}
        return ExitCode.OK if not subprocess.call(command, env=environment) else ExitCode.FAILED

    def _summarise(self, before: set[tuple[str, str]], begun_at: datetime) -> Repetition | None:
        """Say what there is; gives what a run that had nothing to do has changed."""
        from goldenlake.steps.demonstration import accuracy_lines, sent_since, summary_of

        self.say("What the lake holds now")
        # The session of the first nights has been stopped; this one is new.
        installation = self._installation(self.last)
        grid = Grid(box=None, show_header=False)
        lines = summary_of(installation.tables, self.last)
        if latest_generation(installation.tables):
            lines |= accuracy_lines(self._accuracy(installation))
        for name, value in lines.items():
            grid.add_row(name, value)
        repetition = None
        if before:
            repetition = Repetition(
                changed=len(before - _customers_of_records(installation)),
                sent=sent_since(installation.tables, begun_at),
            )
            grid.add_row("customer ids changed since the run before", str(repetition.changed))
            grid.add_row("sent again", str(repetition.sent))
        self.console.print(grid)
        # Not in the grid, which would cut it: a path is there to be copied.
        report = installation.reports / f"{self.last}.html"
        self.console.print(f"\nThe report of the last night: {report}", soft_wrap=True)
        return repetition

    def _accuracy(self, installation: Installation) -> list[dict[str, Any]]:
        """Measured, noted among the night's steps, and so told by the report."""
        from goldenlake.steps.truth import MeasureAccuracy

        catalogue = installation.catalogue
        step = MeasureAccuracy(
            truth=self.home / "sample" / "truth" / "records.parquet",
            systems={name: source.system for name, source in catalogue.sources.items()},
        )
        with installation.timed("accuracy") as results:
            results.append(step.run(installation.tables))
        installation.write_runs()
        stages.report(installation)
        parts: list[dict[str, Any]] = results[0].details["parts"]  # type: ignore[assignment]
        return parts


def _customers_of_records(installation: Installation) -> set[tuple[str, str]]:
    rows = installation.tables.read("identity.customers").select("record_id", "customer_id")
    return {(row["record_id"], row["customer_id"]) for row in rows.collect()}


def main() -> None:
    """Run the demonstration; see ``make demo``."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--no-airflow", action="store_true", help="run the last night in process as well"
    )
    given = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    demo = Demo(
        customers=given.customers,
        days=given.days,
        seed=given.seed,
        airflow=not given.no_airflow,
        console=console,
    )
    try:
        sys.exit(demo.run())
    except GoldenlakeError as error:
        console.print(f"[red]{error}[/red]", markup=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
