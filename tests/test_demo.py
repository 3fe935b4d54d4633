"""A demonstration that is run again shows that nothing is done twice, or fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from goldenlake.cli.installation import PROJECT
from goldenlake.demo import NOT_THE_SAME, Repetition, code_to_end_with
from goldenlake.errors import ExitCode
from goldenlake.steps.demonstration import is_sent, sent_since
from support.frames import Frames


@pytest.mark.parametrize(
    ("code", "repetition", "ends"),
    [
        (ExitCode.OK, None, ExitCode.OK),
        (ExitCode.OK, Repetition(changed=0, sent=0), ExitCode.OK),
        (ExitCode.DEGRADED, Repetition(changed=0, sent=0), ExitCode.DEGRADED),
        (ExitCode.OK, Repetition(changed=1, sent=0), NOT_THE_SAME),
        (ExitCode.OK, Repetition(changed=0, sent=1), NOT_THE_SAME),
        (ExitCode.FAILED, Repetition(changed=1, sent=1), ExitCode.FAILED),
    ],
)
def test_a_second_run_fails_when_it_changed_an_id_or_sent_something(
    code: ExitCode, repetition: Repetition | None, ends: int
) -> None:
    assert code_to_end_with(code, repetition) == ends


def test_the_code_of_its_own_is_none_of_the_command_line_and_each_fault_is_told() -> None:
    assert NOT_THE_SAME not in set(ExitCode)
    changed, sent = Repetition(changed=1200, sent=3).faults
    assert changed.startswith("1,200 records changed their customer id")
    assert sent.startswith("3 records were sent")


def test_what_was_sent_is_counted_from_an_instant_on_and_a_night_is_sent_when_no_export_failed(
    spark: SparkSession,
) -> None:
    day, noon = date(2026, 1, 3), datetime(2026, 1, 4, 12, tzinfo=UTC)

    def export(subject: str, minutes: int, status: str = "done", **counts: int) -> dict[str, Any]:
        at = noon + timedelta(minutes=minutes)
        return {
            "step": "activate", "subject": subject, "status": status, "as_of": day,
            "started_at": at, "counts": counts,
        }  # fmt: skip

    rows = [export("letters", -1, sent=5), export("ads", -1, "failed"), export("ads", 0, removed=2)]
    tables: Any = Frames(spark, {"ops.runs": rows}, {})
    assert sent_since(tables, noon) == 2
    assert sent_since(tables, noon + timedelta(minutes=1)) == 0
    assert is_sent(tables, day, ["letters", "ads"])
    assert not is_sent(tables, day, ["letters", "ads", "mail"])
    first: Any = Frames(spark, {"ops.runs": rows[:2]}, {})
    assert not is_sent(first, day, ["letters", "ads"])


@pytest.mark.slow
def test_run_again_it_changes_nothing_and_where_a_ledger_is_lost_it_says_what_was_sent_again(
    tmp_path: Path,
) -> None:
    shutil.copytree(PROJECT / "conf", tmp_path / "conf")

    code, first = _demonstrate(tmp_path)
    assert code == ExitCode.OK, first
    assert "sent again" not in first
    assert "<html" in (tmp_path / "var" / "demo" / "reports" / "2026-01-01.html").read_text()
    exported = _files(tmp_path / "var" / "demo" / "exports")
    assert exported

    code, second = _demonstrate(tmp_path)
    assert code == ExitCode.OK, second
    assert _after(second, "customer ids changed since the run before") == "0"
    assert _after(second, "sent again") == "0"
    assert _files(tmp_path / "var" / "demo" / "exports") == exported

    shutil.rmtree(tmp_path / "var" / "demo" / "lake" / "activation")
    code, third = _demonstrate(tmp_path)
    assert code == NOT_THE_SAME, third
    assert _after(third, "customer ids changed since the run before") == "0"
    assert int(_after(third, "sent again")) > 0


def _demonstrate(project: Path) -> tuple[int, str]:
    """A night of 60 customers, or what is left of them, in a process of their own."""
    script = project / "demonstrate.py"
    script.write_text(f"""
import sys
from pathlib import Path
from rich.console import Console
from goldenlake.demo import Demo

console = Console(file=sys.stdout, width=200)
home = Path({str(project)!r})
demo = Demo(customers=60, days=1, seed=7, airflow=False, console=console, project=home)
sys.exit(demo.run())
""")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=900, check=False
    )
    return done.returncode, done.stdout + done.stderr


def _after(said: str, words: str) -> str:
    return next(line.rsplit(maxsplit=1)[1] for line in said.splitlines() if words in line)


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
