"""What an erasure searches in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from goldenlake.cli import privacy
from goldenlake.cli.installation import Installation
from goldenlake.errors import ErasureUnfinished, ExitCode
from goldenlake.steps.erase import Request
from goldenlake.steps.subjects import Subject

REQUEST = Request(
    request="e_1",
    subject=Subject(people=1, customer_ids=(), record_ids=(), identifiers=(), contacts=()),
    requested_at=datetime(2026, 1, 3, tzinfo=UTC),
    requested_by="dpo",
    reason="R-1",
)


@pytest.mark.parametrize(
    ("lake", "landing", "is_apart"),
    [
        ("lake", None, False),
        ("lake", "lake/landing", False),
        ("lake/", "lake", False),
        ("lake", "lake-landing", True),
        ("file:{home}/lake", "{home}/lake/landing", False),
        ("lake", "linked", False),
        ("away", None, True),
        ("s3a://b/lake", "s3://b/lake/landing", False),
        ("s3://b", "s3a://b/landing", False),
        ("s3a://b/lake", "s3a://b/lake-landing", True),
        ("s3a://b/lake", "s3a://c/lake/landing", True),
        ("s3a://b/lake", "lake/landing", True),
    ],
)
def test_a_landing_area_is_searched_unless_all_of_it_is_in_the_lake(
    installation: Installation, tmp_path: Path, lake: str, landing: str | None, is_apart: bool
) -> None:
    for folder in ("lake/landing", "away", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "lake" / "landing")
    (tmp_path / "away" / "landing").symlink_to(tmp_path / "elsewhere")

    def at(path: str) -> str:
        path = path.format(home=tmp_path)
        return path if ":" in path or path.startswith("/") else f"{tmp_path}/{path}"

    named = {"lake": at(lake), "landing": landing and at(landing)}
    environment = installation.catalogue.environment.model_copy(update=named)
    installation.catalogue = replace(installation.catalogue, environment=environment)

    assert ("landing" in privacy.searched(installation, [])) is is_apart


def test_folders_that_were_named_once_are_searched_by_every_run(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Any] = []

    def step(**given: Any) -> None:
        runs.append(given)
        raise ErasureUnfinished(request="e_1", remains=["something"])

    monkeypatch.setattr("goldenlake.steps.erase.Erase", step)
    once, again = (tmp_path / name for name in ("once", "again"))

    request = REQUEST
    for scan in ([once], [again], []):
        assert privacy.all_carried_out(installation, [request], scan)[0].status == "failed"
        request = runs[-1]["request"]
        assert {str(each) for each in scan} <= set(request.scan)

    folders = {str(once), str(again)}
    assert set(request.scan) == folders <= set(runs[-1]["areas"])


def test_a_folder_that_is_not_there_is_not_taken_for_searched(
    goldenlake: Any, conf: Any, tmp_path: Path
) -> None:
    scan = ("--scan", tmp_path / "notes", "--conf", conf.path)
    ended = goldenlake("erase", "c_1", "--reason", "R-1", *scan)
    assert ended.code == ExitCode.DECLARATION
    assert "does not exist" in ended.err
