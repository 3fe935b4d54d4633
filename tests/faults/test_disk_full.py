"""A full disk fails the night in plain words; with room again it ends as if nothing were."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from goldenlake.cli.installation import PROJECT
from goldenlake.errors import DiskFull, ExitCode
from support.company import PERSONAL, day, open_company
from support.contents import contents, difference, published_versions
from support.telling import told_of_the_work

pytestmark = pytest.mark.slow
#: In a mount namespace of its own: the company's folder on a disk of 64 MiB, of which so many KiB
#: are left; a night; room again; the night once more. The folder is copied out after each.
ON_A_SMALL_DISK = """
set -eu
company=$1 left=$2 day=$3 disk=$4; shift 4
mount -t tmpfs -o size=64m tmpfs "$disk"
cp -a "$company" "$disk/home"
fallocate -l "$(($(df --output=avail -k "$disk" | tail -1) - left))K" "$disk/filler"
night() { "$@" nightly --as-of "$day" --conf "$disk/home/conf" --env local; }
night "$@" >"$company/full.log" 2>&1 && code=0 || code=$?
echo "$code"
cp -a "$disk/home" "$company/full"
rm "$disk/filler"
night "$@" >"$company/room.log" 2>&1 && code=0 || code=$?
echo "$code"
cp -a "$disk/home" "$company/room"
"""
GOLDENLAKE = [sys.executable, str(Path(sys.executable).with_name("goldenlake"))]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(PROJECT / "jobs")}


def night(home: Path, number: int) -> None:
    options = ["--as-of", str(day(number)), "--conf", str(home / "conf"), "--env", "local"]
    subprocess.run([*GOLDENLAKE, "nightly", *options], env=ENVIRONMENT, check=True)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """After its first night, and after its second."""
    home = tmp_path_factory.mktemp("company") / "home"
    open_company(home, days=2)
    night(home, 1)
    undisturbed = home.with_name("undisturbed")
    shutil.copytree(home, undisturbed, symlinks=True)
    night(undisturbed, 2)
    return home, undisturbed


@pytest.fixture(scope="module")
def apart() -> list[str]:
    """The command before one that may mount for itself."""
    unshare = shutil.which("unshare")
    asking = [] if unshare is None else [unshare, "--user", "--map-root-user", "--mount"]
    tried = [*asking, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if not asking or subprocess.run(tried, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount in a namespace: no disk can be filled")
    return asking


@pytest.mark.fault("disk full")
@pytest.mark.parametrize("left", [150, 600], ids=lambda left: f"{left} KiB left")
def test_a_night_without_room_says_so_and_the_next_one_ends_as_if_nothing_were(
    company: tuple[Path, Path], apart: list[str], tmp_path: Path, left: int
) -> None:
    before, undisturbed = company
    home, disk = tmp_path / "home", tmp_path / "disk"
    shutil.copytree(before, home, symlinks=True)
    disk.mkdir()
    command = [*apart, "bash", "-c", ON_A_SMALL_DISK, "bash", home, str(left), str(day(2)), disk]
    found = subprocess.run(
        [*command, *GOLDENLAKE], env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    without_room, with_room = map(int, found.stdout.split())
    assert (without_room, with_room) == (ExitCode.FAILED, ExitCode.OK)
    assert str(DiskFull()) in (home / "full.log").read_text()
    for looked_at in (home, home / "full", home / "room"):
        assert told_of_the_work(looked_at, PERSONAL) == []
    wanted = published_versions(before / "lake")
    assert published_versions(home / "full" / "lake") == wanted, "nothing is published"
    assert not (different := difference(contents(home / "room"), contents(undisturbed))), "\n".join(
        different.where
    )
