"""Two who write to one lake: nobody's commit is lost, and who comes too late publishes nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from goldenlake.cli.installation import PROJECT
from goldenlake.errors import ExitCode, GenerationMoved, LakeBusy
from goldenlake.io.locks import Claims
from goldenlake.io.tables import DeltaTables
from goldenlake.steps.generations import begin, latest_generation, publish, stage
from support.contents import is_mixed, published_versions
from support.faults import Died, Fault, Line, Ported

DAY = date(2026, 3, 1)
NAMES = ("identity.customers", "gold.customers")
#: A stand-in for a night that holds a claim: it tells when, and then does nothing.
HOLDER = """
import sys, time
from pathlib import Path
from goldenlake.io.locks import Claims
with Claims(Path(sys.argv[1])).held("build", run_id="first"):
    print("held", flush=True)
    time.sleep(600)
"""
#: Appends a row for each number, and tells of each commit that was acknowledged.
WRITER = """
import sys
from pathlib import Path
from goldenlake.io.spark import SMALL_DATA_CONF, open_session
from goldenlake.io.tables import DeltaTables
lake, name, project = sys.argv[1], sys.argv[2], Path(sys.argv[3])
spark = open_session(
    app_name=name, master="local[1]", jars=project / ".jars", tmp=Path(lake).parent / name,
    driver_memory="512m", fast_start=True, conf=dict(SMALL_DATA_CONF),
)
tables = DeltaTables(spark, lake)
for number in range(int(sys.argv[4])):
    tables.append("ops.things", tables.frame([(f"{name} {number}",)], "k STRING"))
    print(f"{name} {number}", flush=True)
"""


def python(script: str, *args: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, args)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "jobs")}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with python(HOLDER, folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.fault("two writers")
def test_who_comes_second_leaves_and_is_told_who_is_at_work_since_when(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        told = rf"build is under way.*run first, process {first.pid} on \S+, since 20\d\d-"
        with (
            pytest.raises(LakeBusy, match=told) as caught,
            Claims(tmp_path).held("build", run_id=""),
        ):
            pytest.fail("both have it")
    assert caught.value.exit_code is ExitCode.TRANSIENT


@pytest.mark.fault("stale attempt beside its retry")
def test_a_process_that_stands_still_keeps_its_work_until_it_is_gone(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        first.send_signal(signal.SIGSTOP)
        with pytest.raises(LakeBusy), Claims(tmp_path).held("build", run_id="second"):
            pytest.fail("both have it")
        first.send_signal(signal.SIGCONT)
        with pytest.raises(LakeBusy), Claims(tmp_path).held("build", run_id="second"):
            pytest.fail("both have it")
        first.kill()
        first.wait()
        with Claims(tmp_path).held("build", run_id="second"):
            pass


def test_work_of_another_kind_goes_on_beside_it(tmp_path: Path) -> None:
    with Claims(tmp_path).held("build", run_id="a"), Claims(tmp_path).held("night", run_id="b"):
        pass


def built(tables: Any, number: int) -> Any:
    """Two tables of one generation, by which a reader can tell it, and what was staged of them."""
    base = begin(tables, NAMES)
    rows = tables.frame([(f"r{number}", f"c{number}")], "record_id STRING, customer_id STRING")
    for name in NAMES:
        tables.overwrite(name, rows)
    return stage(
        tables, "golden", names=NAMES, as_of=DAY, run_id=str(number), base=base, inputs={},
        fingerprint=str(number), counts={},
    )  # fmt: skip


def published(tables: Any, staged: Any) -> int:
    now = datetime.now(UTC)
    return publish(tables, [staged], run_id="r", as_of=DAY, published_at=now).generation


@pytest.mark.fault("stale attempt beside its retry")
def test_an_attempt_that_stood_still_before_its_commit_publishes_nothing(
    tables: DeltaTables,
) -> None:
    published(tables, built(tables, 1))
    staged = built(tables, 2)
    point = "publish/001 append_next ops.publications before"
    line = Line(Fault("stall", point), stage="publish")
    refused: list[Exception] = []

    def stale() -> None:
        try:
            published(Ported(line, tables, ("append_next",)), staged)
        except GenerationMoved as error:
            refused.append(error)

    attempt = threading.Thread(target=stale)
    attempt.start()
    assert line.stands.wait(120)
    assert published(tables, built(tables, 3)) == 2
    pinned = latest_generation(tables)
    line.goes_on.set()
    attempt.join()
    assert [type(each) for each in refused] == [GenerationMoved]
    assert latest_generation(tables) == pinned


def test_a_build_begins_without_what_an_unpublished_one_left(tables: DeltaTables) -> None:
    published(tables, built(tables, 1))
    built(tables, 2)
    begin(tables, NAMES)
    for name in NAMES:
        assert [tuple(row) for row in tables.read(name).collect()] == [("r1", "c1")]


@pytest.mark.fault("kill between two publications")
@pytest.mark.slow
def test_readers_see_one_generation_however_often_its_builders_die(
    tables: DeltaTables, tmp_path: Path
) -> None:
    lake, chance = tmp_path / "lake", random.Random(1)
    ends, polls, mixed = threading.Event(), [0], [0]

    def read() -> None:
        while not ends.is_set():
            if (found := is_mixed(lake)) is not None:
                polls[0] += 1
                mixed[0] += found
            time.sleep(0.01)

    reader = threading.Thread(target=read)
    reader.start()
    writes = ("overwrite", "replace_slice", "append_next")
    points = [
        "b/001 overwrite identity.customers",
        "b/002 overwrite gold.customers",
        "b/003 replace_slice ops.stages",
        "b/004 append_next ops.publications",
    ]
    died = done = attempts = 0
    try:
        while done < 50 or polls[0] < 1_000:
            attempts += 1
            when = chance.choice(["before", "after"])
            fault = Fault("death", f"{chance.choice(points)} {when}") if attempts % 2 else None
            line = Line(fault, stage="b")
            try:
                mortal = Ported(line, tables, writes)
                published(mortal, built(mortal, attempts))
                done += 1
            except Died:
                died += 1
    finally:
        ends.set()
        reader.join()
    assert died
    assert mixed[0] == 0, f"{mixed[0]} of {polls[0]} looks"
    assert set(published_versions(lake)) == set(NAMES)


@pytest.mark.fault("two writers")
@pytest.mark.slow
def test_two_processes_that_commit_to_one_table_lose_no_commit_that_was_acknowledged(
    tmp_path: Path,
) -> None:
    lake, commits = tmp_path / "lake", 25
    with (
        python(WRITER, lake, "one", PROJECT, commits) as one,
        python(WRITER, lake, "two", PROJECT, commits) as two,
    ):
        told = [each.communicate(timeout=600)[0].splitlines() for each in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0)
    found = DeltaTable(str(lake / "ops" / "things")).to_pyarrow_table()["k"].to_pylist()
    assert sorted(found) == sorted([*told[0], *told[1]])
    assert len(found) == 2 * commits
