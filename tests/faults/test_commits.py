"""An error of the disk, or a death, inside the renaming that is a Delta commit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable

from goldenlake.cli.installation import PROJECT
from goldenlake.io.tables import DeltaTables

pytestmark = pytest.mark.slow
SYSTEM_CALLS = "rename,renameat,renameat2,link,linkat"
#: Renamings of the thread that commits before it comes to version 1: Spark's JARs, and of version 0
#: the log's file, Delta's checksum of the table, and Hadoop's checksum of each.
BEFORE = len(list((PROJECT / ".jars").glob("*.jar"))) + 4
#: Three commits, each told of when it was acknowledged.
WRITER = """
import sys
from pathlib import Path
from goldenlake.io.spark import SMALL_DATA_CONF, open_session
from goldenlake.io.tables import DeltaTables
lake, project = sys.argv[1], Path(sys.argv[2])
spark = open_session(
    app_name="writer", master="local[1]", jars=project / ".jars", tmp=Path(lake).parent / "tmp",
    driver_memory="512m", fast_start=True, conf=dict(SMALL_DATA_CONF),
)
tables = DeltaTables(spark, lake)
for number in range(3):
    tables.append("ops.things", tables.frame([(number,)], "k INT"))
    print(number, flush=True)
"""


def injected(lake: Path, fault: str) -> tuple[list[int], str]:
    """What the writer was told is committed, and the system calls that met the fault."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not on this machine: faults inside a commit cannot be injected")
    log = lake.parent / "strace.log"
    # A filter in the kernel is fast, but where it stops a call no signal can be sent.
    filtered = ["--seccomp-bpf"] if fault.startswith("error") else []
    command = [
        strace, "-f", "-qq", *filtered, "-o", str(log), "-e", f"trace={SYSTEM_CALLS}",
        "-e", f"inject={SYSTEM_CALLS}:{fault}",
        sys.executable, "-c", WRITER, str(lake), str(PROJECT),
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "jobs")}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    lines = log.read_text().splitlines()
    deaths = [at for at, line in enumerate(lines) if "killed by SIGKILL" in line]
    # A death is told below the call in which it came, of whichever thread is told of last.
    called = [line for line in lines[: deaths[0]] if "rename" in line][-1:] if deaths else []
    met = [line for line in lines if "INJECTED" in line] + called
    return [int(line) for line in process.stdout.split()], "\n".join(met)


def numbers(lake: Path, version: int | None = None) -> list[int]:
    table = DeltaTable(str(lake / "ops" / "things"), version=version)
    return sorted(table.to_pyarrow_table()["k"].to_pylist())


@pytest.mark.parametrize("which", [1, 2], ids=["its file", "its checksum"])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            "error=EIO", id="fails", marks=pytest.mark.fault("write or rename that fails")
        ),
        pytest.param(
            "signal=KILL", id="is the end", marks=pytest.mark.fault("kill inside a commit")
        ),
    ],
)
def test_a_commit_whose_renaming_fails_leaves_the_version_before_or_the_one_after(
    tables: DeltaTables, tmp_path: Path, which: int, fault: str
) -> None:
    lake = tmp_path / "lake"
    acknowledged, met = injected(lake, f"{fault}:when={BEFORE + which}")
    assert f"{1:020d}.json" in met, f"the fault struck elsewhere: {met}"
    left = numbers(lake)
    assert left in (acknowledged, [*acknowledged, len(acknowledged)])
    # The next process reads it, and goes on from there.
    assert sorted(row["k"] for row in tables.read("ops.things").collect()) == left
    tables.append("ops.things", tables.frame([(7,)], "k INT"))
    assert numbers(lake) == [*left, 7]
