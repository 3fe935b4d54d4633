"""What is kept too long goes from everywhere, and nothing else does."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from goldenlake.cli import stages
from goldenlake.declarations.environment import Retention
from goldenlake.errors import ExitCode
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import StepResult
from goldenlake.schemas import CONFORMED, EXPIRED, INGESTED
from goldenlake.steps.expire import Expire, kept_for
from goldenlake.steps.files import FileRow, record_files
from goldenlake.steps.verify import Verify
from support.bronze import source_of
from support.company import day, open_company
from support.scenario import Scenario

#: On which the first day's events are over, and those of the second are not.
OVER = day(1) + timedelta(days=91)
NEXT = OVER + timedelta(days=1)
EVENTS = {
    "load": "append",
    "columns": [
        {"name": "at", "type": "timestamp"},
        {"name": "cookie", "personal": "pseudonym"},
        {"name": "email", "personal": "contact"},
    ],
    "purpose": ["analytics"],
}
CLASSES = Retention(classes={"pseudonym": "400d", "contact": "90d", "sensitive": "7d"})


@pytest.fixture
def company(tables: DeltaTables, tmp_path: Path) -> Scenario:
    """Whose tills are kept for 90 days."""
    home = tmp_path / "home"
    open_company(home, days=2)
    tills = home / "conf" / "sources" / "tills.yml"
    tills.write_text(tills.read_text() + "\nkeep: 90d\n")
    return Scenario(home, DeltaTables(tables.spark, str(home / "lake")))


def expire(company: Scenario) -> StepResult:
    installation = company.installation(OVER)
    sources = list(installation.catalogue.sources.values())
    step = Expire(sources=sources, retention=Retention(), as_of=OVER, run_id="upkeep")
    return step.run(company.tables, installation.landing, lambda _: None)


def days_of(company: Scenario, table: str) -> set[date]:
    return {row["_landed_on"] for row in company.read(table).select("_landed_on").collect()}


def test_events_go_from_every_layer_and_their_file_is_not_read_again(company: Scenario) -> None:
    for number in (1, 2):
        assert company.night(day(number), until="collect") is ExitCode.OK
    before = {row.path: row for row in company.files("tills")}
    landing = company.home / "lake" / "landing"
    assert len([path for path in landing.rglob("tills/*/*/*") if path.is_file()]) == 2

    (expired, _) = stages.maintain(company.installation(OVER))

    assert expired.counts == {"tills": 1}
    for layer in ("bronze", "silver", "quarantine"):
        assert days_of(company, f"{layer}.tills") == {day(2)}
        assert days_of(company, f"{layer}.people") == {day(1), day(2)}, "profiles stay"
    first, second = company.files("tills")
    assert (first.status, first.landed_path) == (EXPIRED, "")
    assert first.records_read == before[first.path].records_read, "what was read stays told"
    assert second == before[second.path]
    assert len([path for path in landing.rglob("tills/*/*/*") if path.is_file()]) == 1

    drops = company.drops / "tills"
    shutil.copy(drops / f"{day(1)}.csv", drops / f"again_{day(1)}.csv")
    assert company.night(OVER, until="collect") is ExitCode.OK
    assert days_of(company, "silver.tills") == {day(2)}
    (expired, _) = stages.maintain(company.installation(OVER))
    assert expired.counts == {}


def test_a_day_on_which_a_file_landed_that_still_waits_is_kept_whole(company: Scenario) -> None:
    done = FileRow(
        source="tills",
        path="a.csv",
        size_bytes=1,
        sha256="a",
        modified_at=datetime(2026, 3, 1, tzinfo=UTC),
        file_id="a",
        file_on=day(1),
        landed_path="",
        landed_on=day(1),
        status=CONFORMED,
        run_id="r",
    )
    waits = replace(done, path="b.csv", sha256="b", file_id="b", status=INGESTED)
    record_files(company.tables, [done, waits])
    company.tables.append(
        "bronze.tills", company.tables.frame([(day(1), "a")], "_landed_on DATE, v STRING")
    )

    assert expire(company).counts == {}
    assert days_of(company, "bronze.tills") == {day(1)}

    record_files(company.tables, [replace(waits, status=CONFORMED)])

    assert expire(company).counts == {"tills": 2}
    assert days_of(company, "bronze.tills") == set()


@pytest.mark.slow
def test_the_next_night_builds_without_what_is_over_and_the_lake_agrees_with_itself(
    company: Scenario,
) -> None:
    for as_of in (day(1), day(2), OVER):
        assert company.night(as_of) is ExitCode.OK
    bought = {row["order_id"][:2] for row in company.read("gold.purchases").collect()}
    assert bought == {"R1", "R2"}
    stages.maintain(company.installation(OVER))

    assert company.night(NEXT) is ExitCode.OK

    bought = {row["order_id"][:2] for row in company.read("gold.purchases").collect()}
    assert bought == {"R2"}
    installation = company.installation(NEXT)
    catalogue = installation.catalogue
    step = Verify(
        sources=list(catalogue.sources), destinations=list(catalogue.destinations.values())
    )
    assert step.run(company.tables, installation.landing, installation.progress) == []


def test_the_shortest_class_counts_unless_the_source_says_otherwise() -> None:
    assert kept_for(source_of(**EVENTS), CLASSES) == "90d"
    assert kept_for(source_of(**EVENTS, keep="30d"), CLASSES) == "30d"
    assert kept_for(source_of(**EVENTS), Retention()) is None
    profile = source_of(**EVENTS | {"load": "increment", "key": ["email"]})
    assert kept_for(profile, CLASSES) is None


def test_withdrawals_are_kept_whatever_their_class() -> None:
    said = {"at": "at", "constant_purpose": "analytics", "constant_channel": "email"}
    events = EVENTS | {"consents": [said]}
    assert kept_for(source_of(**events), CLASSES) is None
    with pytest.raises(ValidationError, match="would forget withdrawals"):
        source_of(**events, keep="30d")


def test_profiles_are_not_kept_for_a_time() -> None:
    with pytest.raises(ValidationError, match="is for events"):
        source_of(**EVENTS | {"load": "increment", "key": ["email"]}, keep="30d")
