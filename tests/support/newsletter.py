"""A small company with a newsletter, after one night; each test has a copy of its own."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from goldenlake.io.tables import DeltaTables
from support.scenario import Scenario, scenario
from support.telling import tells_of

DAY = date(2026, 3, 1)
NEXT = date(2026, 3, 2)
KEY = "a key of pseudonyms in tests"
BOB = "bob.canary@example.com"
CANARIES = tuple(f"canary.{number}@example.org" for number in range(100, 150))
"""Fifty people, none of whose addresses is in another's, nor their numbers."""
OTHERS = tuple(f"other.{number}@example.net" for number in range(500))
"""So many that a night without the fifty changes less than its guards let pass."""
READERS = """\
destination: readers
description: Who gets the newsletter.
owner: tests@example.com
segments: [newsletter_readers]
mode: mirror
purpose: marketing
channel: email
key: email
fields: {email: email}
target: {kind: files, place: exports, format: jsonl, spreadsheet_guard: false}
"""


def write(at: Scenario, day: date, *people: str, name: str = "people") -> Path:
    """Drop a file of that day about people, by their addresses."""
    said = "DE,2026-02-01T08:00:00Z"
    lines = [f"{each},{phone(each)},{each[:3].title()},{said}" for each in people]
    path = at.drops / f"{name}_{day}.csv"
    path.write_text("\n".join(["email,phone,given_name,country,said_at", *lines, ""]))
    return path


def phone(email: str) -> str:
    """The number of whoever has that address."""
    return f"+4930{zlib.crc32(email.encode()) % 10**8:08}"


def told_by(data: bytes, people: Iterable[str]) -> set[str]:
    """Of these people those of whom the bytes tell, by their address or number. Somebody else's
    address ends with Bob's.
    """
    data = data.replace(b"joe." + BOB.encode(), b"")
    return {each for each in people if tells_of(data, each, phone(each))}


@pytest.fixture(scope="session")
def newsletter_home(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after a night over two files of people, one of whom both tell of."""
    home = tmp_path_factory.mktemp("newsletter") / "home"
    found = scenario("live_systems", home, DeltaTables(spark, str(home / "lake")))
    conf = home / "conf"
    (conf / "destinations").mkdir()
    (conf / "destinations" / "readers.yml").write_text(READERS)
    local = conf / "env" / "local.yml"
    places = "places:\n  exports: {kind: folder, path: exports}\n"
    local.write_text(
        local.read_text().replace("places:\n", places, 1)
        + "privacy: {key: {env: GOLDENLAKE_TEST_PRIVACY}}\n"
    )
    (home / "exports").mkdir()
    write(found, DAY, "ann@example.com", BOB, "joe." + BOB)
    write(found, NEXT, BOB, f"told of {BOB} in vain", "eve@example.com")
    found.night(NEXT)
    return home


@pytest.fixture
def newsletter(
    spark: SparkSession, newsletter_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Scenario:
    """A copy of that home; paths in a lake are relative."""
    monkeypatch.setenv("GOLDENLAKE_TEST_PRIVACY", KEY)
    shutil.copytree(newsletter_home, tmp_path / "home")
    return Scenario(tmp_path / "home", DeltaTables(spark, str(tmp_path / "home" / "lake")))
