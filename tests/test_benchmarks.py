"""The benchmarks' figures; no time is ever asserted."""

import json
import os
import sys
from datetime import date
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks import memory, parts
from benchmarks.__main__ import measure
from benchmarks.figures import Figure, machine
from benchmarks.homes import files_about, make_home
from benchmarks.memory import Peak, family
from benchmarks.parts import PARTS, Bench
from benchmarks.processes import Finished
from benchmarks.worker import Timed
from goldenlake.declarations.loader import load_catalogue
from goldenlake.errors import GoldenlakeError
from goldenlake.ports import StepResult


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


def test_a_jvm_that_starts_another_program_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    processes = {10: ("python3.11", 1, 50), 11: ("java", 10, 400), 12: ("java", 11, 400)}
    for pid, (program, parent, mebibytes) in processes.items():
        home = tmp_path / str(pid)
        home.mkdir()
        (home / "exe").symlink_to(f"/usr/bin/{program}")
        (home / "stat").write_text(f"{pid} (some thread) S {parent} " + "0 " * 40)
        sizes = f"VmHWM:\t{mebibytes * 1024} kB\nVmRSS:\t{mebibytes * 1024} kB\n"
        (home / "status").write_text(f"Name:\tsome thread\n{sizes}")
    monkeypatch.setattr(memory, "_PROC", tmp_path)

    peak = Peak()
    peak.look(10)

    assert (peak.total, peak.java, peak.python) == (450, 400, 50)


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


def test_after_a_night_that_failed_no_other_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    played = []

    def worker(home: Path, work: str, *arguments: object) -> Finished:
        played.append(work)
        raise GoldenlakeError("The work 'night' ended with code 1; see above.")

    monkeypatch.setattr(parts, "run_worker", worker)
    bench = Bench(home=tmp_path, scale=0.0005, rounds=1, seed=7, spark={})

    assert measure(bench, ["night", "idle"]) == 1

    assert played == ["night"]
    assert "idle was not measured: night failed before." in capsys.readouterr().err


ACCURACY = (
    "records", "persons", "customers", "largest_customer", "precision", "recall", "f1", "b3_f1"
)  # fmt: skip


def test_each_night_is_played_once_and_on_a_day_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    played: list[tuple[str, ...]] = []

    def worker(home: Path, work: str, *arguments: object) -> Finished:
        played.append((work, *map(str, arguments[:1])))
        nights = [call for call in played if call[0] == "night"]
        drops = sorted(path.name for path in (home / "var" / "drops").rglob("*") if path.is_file())
        answer = {
            "night": {
                "as_of": str(arguments[0]) if arguments else "",
                "outcome": "OK",
                "spark_start": 5.0,
                "stages": {"collect": 20.0},
                "counts": {"files": len(drops)},
            },
            "accuracy": dict.fromkeys(ACCURACY, 1),
        }[work]
        return Finished(answer=answer, seconds=100.0 / (len(nights) or 1) ** 2, peak=Peak(total=9))

    monkeypatch.setattr(parts, "run_worker", worker)
    bench = Bench(home=tmp_path, scale=0.0005, rounds=1, seed=7, spark={})
    names = ["night", "memory", "identity_accuracy", "next_night", "idle"]

    found = {figure.figure: figure for name in names for figure in PARTS[name](bench)}

    assert [call for call in played if call[0] == "night"] == [
        ("night", "2026-01-01"),
        ("night", "2026-01-02"),
        ("night", "2026-01-03"),
    ]
    assert (found["night"].value, found["night.collect"].value) == (100.0, 20.0)
    assert (found["next_night"].against, found["next_night"].ratio) == (100.0, 0.25)
    assert found["idle"].value == pytest.approx(100 / 9 - 5)
    files = [found[name].details["files"] for name in ("night", "next_night", "idle")]
    assert files[0] < files[1] == files[2]
    assert found["memory"].value == 9


def test_stages_add_up_over_sources_and_each_count_comes_from_one_stage(tmp_path: Path):
    make_home(tmp_path / "home", {})
    installation = Timed.load(tmp_path / "home" / "conf", "bench", None, as_of=date(2026, 1, 1))
    counts = {"records_read": 2, "customers": 5}

    for step, subject in [("collect", ""), ("resolve", ""), ("golden", ""), ("activate", "crm")]:
        with installation.timed(step, subject) as results:
            results += [
                StepResult(step=step, subject=name, status="done", counts=counts) for name in "ab"
            ]
    first = installation.seconds["activate"]
    with installation.timed("activate", "esp"):
        pass

    assert dict(installation.counts) == {"records_read": 4, "customers": 10}
    assert list(installation.seconds) == ["collect", "resolve", "golden", "activate"]
    assert installation.seconds["activate"] > first
    assert len(installation.results) == 8
