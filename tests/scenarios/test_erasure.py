"""Somebody asks to be forgotten: out of files, tables, old versions and destinations, for good."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import ANY, Mock

import pytest
from pyspark.sql import functions as F
from typer.testing import CliRunner

from goldenlake.cli import privacy, stages
from goldenlake.cli.app import app
from goldenlake.cli.installation import Installation
from goldenlake.columns.traces import pseudonym
from goldenlake.errors import ErasureUnfinished, PrivacyKeyUnfit
from goldenlake.io.tables import DeltaTables
from goldenlake.reporting.access import access_json
from goldenlake.steps.access import Access
from goldenlake.steps.collect import replay
from goldenlake.steps.erase import open_requests
from goldenlake.steps.generations import latest_generation
from goldenlake.steps.tombstones import RECORD, RULE, bury
from support.newsletter import BOB, CANARIES, DAY, KEY, NEXT, OTHERS, phone, told_by, write
from support.scenario import Scenario
from support.telling import said

LATER = date(2026, 3, 3)
TOLD = "(told of somebody "


@pytest.fixture
def at(newsletter: Scenario) -> Scenario:
    """The company whose newsletter Bob gets."""
    return newsletter


def emails(at: Scenario) -> set[str]:
    return {row["email"] for row in at.read("gold.customers").collect()}


def erase(at: Scenario, *whom: str, as_of: date = NEXT) -> dict[str, Any]:
    installation = at.installation(as_of)
    subject = privacy.subject_of(installation, whom)
    request = privacy.ask(installation, subject, by="dpo", reason="R-1")
    privacy.carry_out(installation, request)
    path = installation.reports / "erasures" / f"{request.request}.json"
    told: dict[str, Any] = json.loads(path.read_text())
    return told


def mark_rows(at: Scenario, table: str) -> None:
    """Have merges mark rows as gone in a table, as they do on lakes that are not small."""
    at.tables.spark.sql(
        f"ALTER TABLE delta.`{at.tables.location(table)}` "
        "SET TBLPROPERTIES (delta.enableDeletionVectors = true)"
    )


def telling(folder: Path, email: str) -> list[str]:
    return [name for name, data in said(folder) if told_by(data, [email])]


def collect_odd_files(at: Scenario) -> tuple[Path, Path]:
    """One that broke, and one that tells of Bob by its name alone."""
    broken = at.drops / f"broken_{NEXT}.csv"
    broken.write_text(f"mail\n{BOB}\n")
    named = write(at, NEXT, "hal@example.com", name=f"for_{BOB}")
    stages.collect(at.installation(NEXT), ["people"])
    return broken, named


def test_nothing_tells_of_somebody_who_was_forgotten(at: Scenario) -> None:
    collect_odd_files(at)
    # One that still waits when he is forgotten.
    write(at, NEXT, BOB, "gil@example.com", name="late")
    before = emails(at)
    assert telling(at.home / "lake", BOB)
    mark_rows(at, "silver.people")

    certificate = erase(at, f"email={BOB}")

    assert telling(at.home / "lake", BOB) == []
    assert telling(at.home / "reports", BOB) == []
    assert "joe." + BOB in before
    assert emails(at) == before - {BOB} | {"gil@example.com", "hal@example.com"}
    assert certificate["destinations"] == {"readers": {"absent": 1}}
    files = [path.read_text().splitlines() for path in (at.home / "exports").rglob("*.jsonl")]
    assert any(len(lines) == 1 and f'"{BOB}"' in lines[0] for lines in files)
    broken = [row for row in at.files("people") if row.status == "broken"]
    assert [row.landed_path for row in broken] == [""]
    for row in at.files("people"):
        assert row.records_read == (row.records_accepted or 0) + (row.records_quarantined or 0)
    # It tells nothing, but can be asked by whoever has the key.
    assert BOB not in json.dumps(certificate)
    assert pseudonym(KEY.encode(), "email", BOB) in certificate["pseudonyms"]
    assert certificate["removed"]["bronze.people"] == 2
    # A line that tells of him, under the number of somebody else.
    assert certificate["of_others"] == {"bronze.people": 1, "quarantine.people": 1}
    assert certificate["removed"]["landing"] == 4
    assert certificate["removed"]["ops.files"] == 1
    bobs = [f"people_{DAY}", f"people_{NEXT}", f"broken_{NEXT}", f"late_{NEXT}"]
    assert [each for each in certificate["sent_by"] if TOLD not in each] == sorted(
        f"people: {name}.csv" for name in bobs
    )
    assert len(certificate["sent_by"]) == len(bobs) + 1
    assert open_requests(at.tables) == []
    pinned = latest_generation(at.tables)
    assert pinned is not None
    for table, version in (pinned.inputs | pinned.tables).items():
        at.tables.read(table, version=version).collect()


@pytest.mark.slow
def test_old_files_bring_nobody_back_who_was_forgotten(at: Scenario) -> None:
    broken, named = collect_odd_files(at)
    before = emails(at)
    erase(at, f"email={BOB}")

    write(at, LATER, BOB, "flo@example.com", name="again")
    shutil.copy(at.drops / f"people_{DAY}.csv", at.drops / f"word_for_word_{LATER}.csv")
    (at.drops / f"people_{NEXT}.csv").touch()
    named.touch()
    at.night(LATER, until="collect")

    others = before - {BOB} | {f"{name}@example.com" for name in ("hal", "flo")}
    assert telling(at.home / "lake", BOB) == []
    assert {row["email"] for row in at.read("silver.people").collect()} == others
    [file] = [row for row in at.files("people") if row.path.startswith("again")]
    assert (file.records_accepted, dict(file.reasons), file.landed_path) == (1, {RULE: 1}, "")

    # What is left of a file is read again from bronze.
    again = replay(at.tables, "people", run_id="again")
    assert broken.name not in [row.path for row in again]
    at.night(LATER, until="collect")
    assert {row["email"] for row in at.read("silver.people").collect()} == others


CALLS = """\
source: calls
description: What was said to the help desk, by whom.
system: desk
owner: tests@example.com
purpose: [marketing]
origin:
  place: drops
  files: calls/*.jsonl
  file_date: (?P<year>\\d{4})-(?P<month>\\d{2})-(?P<day>\\d{2})
format: {kind: jsonl}
load: append
key: [id]
columns:
  - {name: id, required: true}
  - {name: at, type: timestamp, required: true}
  - {name: who, personal: contact}
  - {name: note, personal: contact}
  - {name: email, normalise: email, personal: contact}
identifiers: {email: email}
"""
STRANGE = tuple(f"strange.{number}@example.org" for number in range(300, 304))
"""Generated people of whom files tell in ways of their own; see ``strange_files``."""


def strange_files(at: Scenario) -> None:
    """By a file's name, in nested JSON, in a CSV in UTF-16, and escaped in JSON in JSON."""
    named, nested, wide, escaped = STRANGE
    write(at, NEXT, "hal@example.com", name=f"orders_{named}")
    (at.home / "conf" / "sources" / "calls.yml").write_text(CALLS)
    (at.drops / "calls").mkdir()
    inner = json.dumps({"to": escaped}).replace("@", "\\u0040")
    calls: list[dict[str, Any]] = [
        {"who": {"reached": [{"email": nested, "phone": phone(nested)}]}},
        {"note": f"sent {inner}"},
        {"note": "sent"},
    ]
    lines = [
        json.dumps(
            {"id": f"{number}", "at": f"{NEXT}T08:00:00Z", "email": "ann@example.com"} | call
        )
        for number, call in enumerate(calls)
    ]
    (at.drops / "calls" / f"{NEXT}.jsonl").write_text("\n".join([*lines, ""]))
    write(at, NEXT, named, nested, name="plain")
    broken = write(at, NEXT, wide, name="wide")
    # Its contract says UTF-8.
    broken.write_bytes(broken.read_text().encode("utf-16"))


@pytest.mark.slow
def test_nothing_tells_of_people_by_names_of_files_nor_nested_nor_wide_nor_escaped(
    at: Scenario,
) -> None:
    strange_files(at)
    stages.collect(at.installation(NEXT), ["people", "calls"])
    assert strangers_told(at.home) == {*STRANGE}

    certificate = erase(at, *(f"email={each}" for each in STRANGE))

    assert strangers_told(at.home) == set()
    assert certificate["people"] == len(STRANGE)
    assert certificate["of_others"] == {"bronze.calls": 2, "silver.calls": 2}
    assert at.read("silver.calls").where("email = 'ann@example.com'").count() == 3
    assert {"ann@example.com", "hal@example.com"} <= emails(at)


def strangers_told(home: Path) -> set[str]:
    """Of whom the lake or the reports tell, by the names of files, too."""
    found = [each for folder in ("lake", "reports") for each in said(home / folder)]
    data = b"\n".join(part for name, text in found for part in (name.encode(), text))
    return told_by(data, STRANGE)


NEIGHBOURS = """\
group: neighbours
description: Customers of one country, to have some who belong together.
owner: tests@example.com
singular: neighbourhood
rules: {country: {agree: [country]}}
"""


@pytest.mark.slow
def test_a_group_tells_of_nobody_who_was_forgotten_though_it_is_declared_no_more(
    at: Scenario,
) -> None:
    group = at.home / "conf" / "groups" / "neighbours.yml"
    group.parent.mkdir()
    group.write_text(NEIGHBOURS)
    at.night(NEXT)
    installation, table = at.installation(NEXT), at.home / "lake" / "gold" / "neighbours"
    [bob] = privacy.subject_of(installation, [f"email={BOB}"]).customer_ids
    step = Access(
        subject=privacy.subject_of(installation, [f"email={BOB}"]),
        sources=list(installation.catalogue.sources.values()),
        consent=installation.catalogue.consent,
    )
    assert "gold.neighbours" in {each.name for each in step.run(at.tables).golden}
    assert of(bob, table)

    group.unlink()
    erase(at, f"email={BOB}")

    assert of(bob, table) == []
    assert at.read("gold.neighbours").isEmpty()


def of(customer: str, folder: Path) -> list[str]:
    """Data files below that name a customer."""
    return [
        name
        for name, data in said(folder)
        if name.endswith(".parquet") and customer.encode() in data
    ]


APART = """\
decisions:
  - cannot: ["people:una@example.com", "people:ugo@example.com"]
    reason: They share a phone, and said so.
    by: dpo
    on: 2026-03-03
"""


@pytest.mark.slow
def test_what_stood_under_another_customer_is_forgotten_and_the_rest_of_theirs_stays(
    at: Scenario,
) -> None:
    una, ugo = "una@example.com", "ugo@example.com"
    # Ugo keeps the id, his record's name being the smaller; what is newest is Una's.
    header = "email,phone,given_name,country,said_at"
    for day, who in ((DAY, ugo), (NEXT, una)):
        line = f"{who},+493011111111,{who[:3].title()},DE,2026-02-01T08:00:00Z"
        (at.drops / f"shared_{day}.csv").write_text(f"{header}\n{line}\n")
    at.night(NEXT)
    decisions = at.home / "conf" / "identity" / "decisions.yml"
    decisions.write_text(APART)
    at.night(LATER)
    # It names her record, and is searched.
    decisions.unlink()
    history = at.read("gold.customers_history")
    [past] = history.where(F.col("email") == una).where("valid_to is not null").collect()
    customers = {row["email"]: row["customer_id"] for row in at.read("gold.customers").collect()}
    assert past["customer_id"] == customers[ugo] != customers[una]

    erase(at, f"email={una}", as_of=LATER)

    assert telling(at.home / "lake", una) == []
    assert open_requests(at.tables) == []
    his = at.read("gold.customers_history").where(F.col("customer_id") == customers[ugo])
    rows = {(row["email"], row["valid_from"], row["valid_to"]) for row in his.collect()}
    assert rows == {(None, past["valid_from"], past["valid_to"]), (ugo, past["valid_to"], None)}
    assert ugo in emails(at)


@pytest.mark.slow
def test_fifty_people_are_told_what_is_known_and_then_forgotten(at: Scenario) -> None:
    write(at, DAY, *CANARIES, name="first")
    write(at, NEXT, *CANARIES, *OTHERS, name="second")
    at.night(NEXT)
    before = emails(at)
    assert before >= {*CANARIES}
    assert unforgotten(at.home) == {*CANARIES}

    installation = at.installation(NEXT)
    for canary in CANARIES:
        step = Access(
            subject=privacy.subject_of(installation, [f"email={canary}"]),
            sources=list(installation.catalogue.sources.values()),
            consent=installation.catalogue.consent,
        )
        told = access_json(step.run(at.tables))
        known = json.loads(told)
        rows = [row for each in known["records"] for row in each["rows"]]
        assert [(row["email"], row["phone"]) for row in rows] == [(canary, phone(canary))] * 2
        assert {"gold.customers", "activation.ledger"} <= {each["name"] for each in known["golden"]}
        assert [other for other in before if other in told] == [canary]

    certificate = erase(at, *(f"email={canary}" for canary in CANARIES))

    assert certificate["people"] == len(CANARIES)
    assert certificate["destinations"] == {"readers": {"absent": len(CANARIES)}}
    assert unforgotten(at.home) == set()
    assert emails(at) == before - {*CANARIES}
    write(at, LATER, *CANARIES, "flo@example.com", name="again")
    at.night(LATER)
    assert unforgotten(at.home) == set()
    assert emails(at) == before - {*CANARIES} | {"flo@example.com"}


def unforgotten(home: Path) -> set[str]:
    """The canaries of whom the lake or the reports still tell."""
    texts = b"\n".join(data for folder in ("lake", "reports") for _, data in said(home / folder))
    return told_by(texts, CANARIES)


@pytest.mark.fault("kill during erasure")
@pytest.mark.slow
def test_an_erasure_that_was_killed_anywhere_goes_on(
    at: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Like the end of the process."""

    installation = at.installation(NEXT)
    subject = privacy.subject_of(installation, [f"email={BOB}"])
    privacy.ask(installation, subject, by="dpo", reason="R-1")
    points = {"merge": 2, "append_next": 0, "overwrite": 0, "rewrite": 1, "purge": 0}

    for point, alive in points.items():
        real = getattr(DeltaTables, point)
        seen: list[str] = []

        def dying(self: DeltaTables, table: str, *args: object, **kw: object) -> object:
            if len(seen) == alive:  # noqa: B023
                raise Killed
            seen.append(table)  # noqa: B023
            return real(self, table, *args, **kw)  # noqa: B023

        with monkeypatch.context() as patch:
            patch.setattr(DeltaTables, point, dying)
            for request in open_requests(at.tables):
                with pytest.raises(Killed):
                    privacy.carry_out(at.installation(NEXT), request)
    # In the end nothing tells of him but the request itself, which is closed by whoever comes next.
    [request] = open_requests(at.tables)
    with monkeypatch.context() as patch:
        patch.setattr("goldenlake.steps.erase.close", Mock(side_effect=Killed))
        with pytest.raises(Killed):
            privacy.carry_out(at.installation(NEXT), request)
    left = telling(at.home / "lake", BOB)
    assert left
    assert all("privacy/requests" in path for path in left)
    (path,) = (at.home / "reports" / "erasures").glob("*.json")
    path.unlink()

    again = at.installation(NEXT)
    monkeypatch.setattr(Installation, "load_newest", lambda *_, **__: again)
    resumed = CliRunner().invoke(app, ["erase", "--resume"])

    assert resumed.exit_code == 0, resumed.output
    assert path.exists()
    assert telling(at.home / "lake", BOB) == []
    assert BOB not in emails(at)


@pytest.mark.slow
def test_a_destination_that_does_not_answer_keeps_the_request_open(at: Scenario) -> None:
    shutil.move(at.home / "exports", at.home / "gone")

    with pytest.raises(ErasureUnfinished):
        erase(at, f"email={BOB}")

    shutil.move(at.home / "gone", at.home / "exports")
    [request] = open_requests(at.tables)
    privacy.carry_out(at.installation(NEXT), request)
    assert telling(at.home / "lake", BOB) == []


@pytest.mark.slow
def test_a_request_that_cannot_end_yet_does_not_stop_the_others(
    at: Scenario, tmp_path: Path
) -> None:
    installation, notes = at.installation(NEXT), tmp_path / "notes"
    for whom in (BOB, "ann@example.com"):
        subject = privacy.subject_of(installation, [f"email={whom}"])
        privacy.ask(installation, subject, by="dpo", reason="R-1")
    first, second = open_requests(at.tables)
    notes.mkdir()
    (notes / "calls.txt").write_text(f"{BOB} called.\n")

    results = privacy.all_carried_out(installation, [first, second], [notes])

    assert [(each.subject, each.status) for each in results] == [
        (first.request, "failed"),
        (second.request, "done"),
    ]
    assert "calls.txt" in (results[0].error or "")
    [left] = open_requests(at.tables)
    assert left == replace(first, removed=ANY, of_others=ANY, runs=ANY, scan=[str(notes)])
    assert "ann@example.com" not in emails(at)
    # Whoever goes on need not know what else was to be searched.
    with pytest.raises(ErasureUnfinished, match=r"calls\.txt"):
        privacy.carry_out(at.installation(NEXT), left)


@pytest.mark.fault("pseudonym key missing")
@pytest.mark.parametrize("key", ["", "too short", "another key than the one before"])
def test_without_the_key_no_new_records_are_taken(
    at: Scenario, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    bury(at.tables, KEY.encode(), request="e", named=[(RECORD, "people:" + BOB)], on=NEXT)
    monkeypatch.setenv("GOLDENLAKE_TEST_PRIVACY", key)
    write(at, LATER, BOB, "flo@example.com", name="again")

    with pytest.raises(PrivacyKeyUnfit):
        stages.collect(at.installation(LATER), ["people"])
    # Nor is anybody else forgotten: tombstones of two keys could be read by neither.
    with pytest.raises(PrivacyKeyUnfit):
        erase(at, "email=ann@example.com")

    assert not [row for row in at.files("people") if row.path.startswith("again")]
