"""The benchmarks' figures; no time is ever asserted."""

import json
import os
import sys
from datetime import date
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks.__main__ import measure
from benchmarks.figures import Figure, machine
from benchmarks.homes import files_about, make_home
from benchmarks.memory import Peak, family
from benchmarks.parts import PARTS, Bench
from goldenlake.declarations.loader import load_catalogue
from goldenlake.errors import GoldenlakeError


def test_a_figure_is_one_line_with_its_ratio_and_the_machine():
    figure = Figure(figure="ingest", value=3, unit="s", against=2.0, aim=1.5, details={"rows": 9})

    line = figure.line({"cores": 2, "memory": 7.5})

    assert "\n" not in line
    assert json.loads(line) == {
        "figure": "ingest",
        "value": 3.0,
        "unit": "s",
        "against": 2.0,
        "ratio": 1.5,
        "aim": 1.5,
        "machine": {"cores": 2, "memory": 7.5},
        "details": {"rows": 9},
    }


@pytest.mark.parametrize("against", [None, 0.0])
def test_without_something_to_divide_by_there_is_no_ratio(against: float | None):
    assert Figure(figure="idle", value=3.0, unit="s", against=against).ratio is None


def test_the_machine_says_its_cores_and_memory():
    found = machine()

    assert found["cores"] in range(1, 10_000)
    assert float(str(found["memory"])) > 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")
def test_memory_is_that_of_a_process_and_what_it_started():
    peak = Peak()
    peak.look(os.getpid())

    assert os.getpid() in family(os.getppid())
    assert peak.total >= peak.python > 1
    held = peak.total
    peak.look(2**30)
    assert peak.total == held


def test_the_next_night_takes_only_files_about_its_own_day(tmp_path: Path):
    (tmp_path / "arrivals.csv").write_text(
        "path,arrives_on\n"
        "drops/web/access_2026-01-01.log.gz,2026-01-01\n"
        "drops/crm/calls_2026-01-01.jsonl,2026-01-02\n"
        "drops/shops/lyon/purchases_20260102.csv,2026-01-02\n"
        "drops/web/access_2026-01-02.log.gz,2026-01-02\n"
        "drops/esp/events_2026-01-02.jsonl.gz,2026-01-03\n"
    )

    found = files_about(tmp_path, date(2026, 1, 2))

    assert [str(path) for path in found] == [
        "shops/lyon/purchases_20260102.csv",
        "web/access_2026-01-02.log.gz",
    ]


def test_a_home_holds_the_projects_declarations_with_its_own_spark(tmp_path: Path):
    make_home(tmp_path / "home", {"memory": "6g", "fast_start": False})

    catalogue = load_catalogue(tmp_path / "home" / "conf", environment="bench", lake=None)

    assert (catalogue.environment.spark.memory, catalogue.environment.spark.fast_start) == (
        "6g",
        False,
    )
    assert catalogue.environment.spark.master == "local[*]"
    assert "web_access" in catalogue.sources


def test_parts_are_chosen_by_name_and_one_that_fails_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def breaks(_: Bench):
        raise GoldenlakeError("The work 'night' ended with code 1; see above.")

    def works(_: Bench):
        yield Figure(figure="idle", value=1.0, unit="s")

    monkeypatch.setitem(PARTS, "night", breaks)
    monkeypatch.setitem(PARTS, "idle", works)
    bench = Bench(home=tmp_path, scale=0.01, rounds=1, seed=7, spark={})

    assert measure(bench, ["idle", "night"]) == 1
    assert measure(bench, ["idle"]) == 0

    printed = capsys.readouterr()
    assert [json.loads(line)["figure"] for line in printed.out.splitlines()] == ["idle", "idle"]
    assert "night was not measured" in printed.err
