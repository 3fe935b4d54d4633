"""Nights that end in a real mailing list and in a real CRM, and begin with what happened there."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from goldenlake.cli.installation import PROJECT
from goldenlake.errors import ExitCode
from goldenlake.io.tables import DeltaTables
from support.live import Mailman, Tryton
from support.scenario import Scenario, scenario
from support.vendors import TOKEN

pytestmark = pytest.mark.live
LIST, CATEGORY = "newsletter_readers", "goldenlake: newsletter_readers"
FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)


@pytest.fixture
def at(
    tables: DeltaTables,
    tmp_path: Path,
    mailman: Mailman,
    tryton: Tryton,
    monkeypatch: pytest.MonkeyPatch,
) -> Scenario:
    """The declarations of the examples, for a list and a CRM in which somebody else is already."""
    found = scenario("live_systems", tmp_path / "home", tables)
    for example in ("mailman/destinations", "tryton/destinations"):
        folder = found.home / "conf" / "destinations"
        shutil.copytree(PROJECT / "examples" / example, folder, dirs_exist_ok=True)
    departures = "mailman/sources/mailman_departures.yml"
    shutil.copy(PROJECT / "examples" / departures, found.home / "conf" / "sources")
    local = found.home / "conf" / "env" / "local.yml"
    told = local.read_text().replace("http://127.0.0.1:1/3.1", mailman.base_url)
    local.write_text(told.replace("http://127.0.0.1:2/crm", tryton.base_url))
    monkeypatch.setenv("GOLDENLAKE_TEST_TOKEN", TOKEN)
    return found


def drop(at: Scenario, day: date, people: dict[str, str]) -> None:
    """A day's file: who lives where."""
    lines = [f"{n}@example.com,,{n.title()},{c},2026-02-01T08:00:00Z" for n, c in people.items()]
    text = "\n".join(["email,phone,given_name,country,said_at", *lines, ""])
    (at.drops / f"people_{day}.csv").write_text(text)


def in_list(mailman: Mailman, list_id: str) -> set[str]:
    return {email.partition("@")[0] for email in mailman.roster(list_id)}


def in_category(tryton: Tryton) -> set[str]:
    return {email.partition("@")[0] for email in tryton.members(CATEGORY)}


@pytest.mark.slow
def test_members_come_and_go_and_who_unsubscribes_there_is_written_to_nowhere(
    at: Scenario, mailman: Mailman, tryton: Tryton
) -> None:
    list_id = mailman.make_list(LIST)
    mailman.join(list_id, "theirs@example.com")
    drop(at, FIRST, {"ann": "DE", "bob": "DE", "cyd": "DE", "dan": "DE", "eve": "FR"})
    assert at.night(FIRST) == ExitCode.OK
    assert in_list(mailman, list_id) == {"ann", "bob", "cyd", "dan", "theirs"}
    assert in_category(tryton) == {"ann", "bob", "cyd", "dan"}
    assert mailman.outbox == []
    theirs = {"type": "email", "value": "theirs@example.com"}
    category = tryton.parties()[0]["categories"][0]["id"]
    tryton.call(
        "POST",
        "party.party",
        {"contact_mechanisms": [["create", [theirs]]], "categories": [["add", [category]]]},
    )

    mailman.leave(list_id, "bob@example.com")
    drop(at, SECOND, {"cyd": "FR", "eve": "DE"})
    assert at.night(SECOND) == ExitCode.OK
    assert in_list(mailman, list_id) == {"ann", "dan", "eve", "theirs"}
    assert in_category(tryton) == {"ann", "dan", "eve", "theirs"}
    assert len(tryton.parties()) == 6, "nobody is deleted"
    said = at.read("gold.consents").join(at.read("gold.customers"), "customer_id")
    assert {row["email"]: row["status"] for row in said.collect()} == {
        "bob@example.com": "withdrawn",
        **{f"{name}@example.com": "granted" for name in ("ann", "cyd", "dan", "eve")},
    }
    held = at.read("activation.held_back").where("as_of = '2026-03-02'")
    assert {(row["destination"], row["reason"]) for row in held.collect()} == {
        ("mailman_news", "withdrawn"),
        ("tryton_parties", "withdrawn"),
    }
