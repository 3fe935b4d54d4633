"""What an erasure searches in the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from goldenlake.cli import privacy
from goldenlake.cli.installation import Installation


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
