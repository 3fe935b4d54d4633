"""``python -m benchmarks.worker HOME WORK …``: one piece of work, in a process of its own.

The answer goes to ``HOME/answer.json``; all that is said goes to stderr.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path

from benchmarks import protections
from benchmarks.answers import Work, answer
from benchmarks.homes import ENVIRONMENT, START
from goldenlake.cli import stages
from goldenlake.cli.installation import Installation
from goldenlake.errors import ExitCode
from goldenlake.ports import StepResult

_COUNTS = {
    "collect": ("records_read",),
    "resolve": ("records_changed", "customers_touched", "customers"),
}
"""Each from one stage alone: others may count the same under the same name."""


class Timed(Installation):
    """An installation that notes how long each stage took, and some of what it counted."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self.seconds: dict[str, float] = {}
        self._begun_at: dict[str, float] = {}
        self.counts: Counter[str] = Counter()

    @contextmanager
    def timed(self, step: str, subject: str = "") -> Iterator[list[StepResult]]:
        """As always; of a stage that runs once a destination, from the first to the last."""
        begun = self._begun_at.setdefault(step, time.monotonic())
        results: list[StepResult] = []
        try:
            with super().timed(step, subject) as results:
                yield results
        finally:
            self.seconds[step] = time.monotonic() - begun
            for result in results:
                told = _COUNTS.get(step, ())
                self.counts.update({k: n for k, n in result.counts.items() if k in told})


def night(home: Path, as_of: str) -> dict[str, object]:
    """The whole graph; gives how it ended, the seconds of Spark's start and of each stage."""
    installation = _load(home, date.fromisoformat(as_of))
    start = _open(installation)
    code = stages.night(installation)
    installation.write_runs()
    if code not in (ExitCode.OK, ExitCode.DEGRADED, ExitCode.HELD):
        sys.exit(code)
    return {
        "as_of": as_of,
        "outcome": code.name,
        "spark_start": start,
        "stages": dict(installation.seconds),
        "counts": dict(installation.counts),
    }


def forget(home: Path) -> dict[str, object]:
    """Whom nights have to keep out."""
    protections.forget(_load(home, START).tables)
    return {}


def bare_night(home: Path, as_of: str) -> dict[str, object]:
    """A night without what protects it."""
    with protections.without():
        return night(home, as_of)


def spark_start(home: Path) -> dict[str, object]:
    """Seconds until a session is open."""
    return {"spark_start": _open(_load(home, START))}


def accuracy(home: Path, truth: str) -> dict[str, object]:
    """Accuracy of the newest generation against the planted truth."""
    from goldenlake.steps.truth import truth_accuracy

    return asdict(truth_accuracy(_load(home, START).tables, Path(truth)))


def ingest(home: Path, warm_up: str, drops: str, rounds: str) -> dict[str, object]:
    """Files to silver against bare Spark."""
    from benchmarks.ingest import Comparison

    spark = _load(home, START).tables.spark
    return Comparison(home=home, spark=spark, rounds=int(rounds)).run(Path(warm_up), Path(drops))


def members(home: Path, number: str) -> dict[str, object]:
    """A lake with so many members of one segment."""
    from benchmarks.members import publish

    publish(_load(home, START).tables, int(number), START)
    return {}


def export(home: Path, destination: str) -> dict[str, object]:
    """One export as ``goldenlake activate`` makes it; one that is not done ends the process."""
    installation = _load(home, START)
    start = _open(installation)
    results = stages.activate(installation, [destination])
    if (code := stages.code_of(results)) is not ExitCode.OK:
        print([result.error for result in results], file=sys.stderr)
        sys.exit(code)
    return {
        "spark_start": start,
        "seconds": installation.seconds["activate"],
        "counts": dict(results[0].counts),
    }


WORKS: dict[str, Work] = {
    "night": night,
    "forget": forget,
    "bare_night": bare_night,
    "spark_start": spark_start,
    "accuracy": accuracy,
    "ingest": ingest,
    "members": members,
    "export": export,
}


def _load(home: Path, as_of: date) -> Timed:
    installation = Timed.load(home / "conf", ENVIRONMENT, None, as_of=as_of)
    assert isinstance(installation, Timed)
    return installation


def _open(installation: Installation) -> float:
    begun = time.monotonic()
    assert installation.tables
    return time.monotonic() - begun


if __name__ == "__main__":
    answer(WORKS)
