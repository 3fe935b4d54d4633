"""Withdrawals that break the contract of their source, in a company that writes to its people."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from goldenlake.cli.installation import PROJECT
from goldenlake.errors import ExitCode
from goldenlake.io.tables import DeltaTables
from support.newsletter import DAY, NEXT, READERS, phone, write
from support.scenario import Scenario, scenario

COLUMNS = (
    "consent_id", "subject_email", "subject_phone", "contact_id", "purpose", "channel", "status",
    "jurisdiction", "stated_at", "expires_at", "source_of_statement",
)  # fmt: skip
#: What may be wrong with a withdrawal, and what the person is held back for.
FLAWS: dict[str, tuple[dict[str, str], str]] = {
    "capital": ({"status": "Withdrawn "}, "withdrawn"),
    "no_break_space": ({"channel": "EMAIL\u00a0", "purpose": " Marketing"}, "withdrawn"),
    "odd_expiry": ({"expires_at": "never"}, "withdrawn"),
    "time_ahead": ({"stated_at": "2031-01-01T00:00:00Z"}, "withdrawn"),
    "no_time": ({"stated_at": ""}, "withdrawn"),
    "odd_time": ({"stated_at": "yesterday"}, "withdrawn"),
    "no_id": ({"consent_id": ""}, "withdrawn"),
    "unknown_word": ({"status": "unsubscribe me"}, "no_consent"),
    "no_word": ({"status": ""}, "no_consent"),
    "unknown_channel": ({"channel": "newsletter"}, "withdrawn"),
    "unknown_purpose": ({"purpose": "ads"}, "withdrawn"),
    "number_alone": ({"subject_email": "", "stated_at": "now"}, "withdrawn"),
    "odd_address": ({"subject_email": "write to {email} no more"}, "withdrawn"),
    "torn": ({"source_of_statement": "desk,of,ours"}, "no_consent"),
}
HARMLESS = {
    "another_channel": {"channel": "sms", "expires_at": "never"},
    "another_purpose": {"purpose": "service", "status": "Withdrawn"},
    "odd_yes": {"status": "granted", "expires_at": "never"},
    "long_ago": {"stated_at": "2025-01-01T00:00:00Z", "expires_at": "never"},
}


def address(who: str) -> str:
    return f"{who.replace('_', '.')}@example.org"


@pytest.fixture
def at(tables: DeltaTables, tmp_path: Path) -> Scenario:
    """A company with a newsletter, and the project's own contract of consents."""
    found = scenario("live_systems", tmp_path / "home", tables)
    conf = found.home / "conf"
    contract = (PROJECT / "conf" / "sources" / "consents.yml").read_text()
    ours = contract.replace("  contact: contact_id\n", "").replace("[service]", "[marketing]")
    (conf / "sources" / "consents.yml").write_text(ours + "most_quarantined: 1\n")
    (conf / "destinations").mkdir()
    (conf / "destinations" / "readers.yml").write_text(READERS)
    local = conf / "env" / "local.yml"
    places = "places:\n  exports: {kind: folder, path: exports}\n"
    local.write_text(local.read_text().replace("places:\n", places, 1))
    for folder in (found.home / "exports", found.drops / "consents"):
        folder.mkdir()
    return found


def stated(at: Scenario, day: date, *rows: dict[str, str]) -> None:
    lines = [",".join(COLUMNS), *(",".join(row.get(name, "") for name in COLUMNS) for row in rows)]
    path = at.drops / "consents" / f"consents_{day}.csv"
    path.write_text("\n".join([*lines, ""]))


def withdrawal(who: str, **others: str) -> dict[str, str]:
    email = address(who)
    row = {
        "consent_id": f"s-{who}", "subject_email": email, "subject_phone": phone(email),
        "purpose": "marketing", "channel": "email", "status": "withdrawn", "jurisdiction": "DE",
        "stated_at": "2026-03-01T08:00:00Z", "expires_at": "", "source_of_statement": "form",
    }  # fmt: skip
    return row | {name: text.format(email=email) for name, text in others.items()}


def receivers(at: Scenario) -> set[str]:
    """Those to whom the newsletter goes, by the ledger."""
    rows = at.read("activation.ledger").where("state = 'present'").collect()
    return {row["key"] for row in rows}


@pytest.mark.slow
def test_nobody_is_sent_to_who_withdrew_in_a_row_that_breaks_its_contract(at: Scenario) -> None:
    everybody = [*FLAWS, *HARMLESS, "plain", "silent"]
    write(at, DAY, *map(address, everybody))
    rows = [withdrawal(who, **flaw) for who, (flaw, _) in FLAWS.items()]
    rows += [withdrawal(who, **flaw) for who, flaw in HARMLESS.items()]
    stated(at, DAY, *rows, withdrawal("plain"))

    assert at.night(DAY) == ExitCode.OK

    sent = receivers(at)
    assert sent == {address(who) for who in (*HARMLESS, "silent")}
    held = {row["customer_id"]: row["reason"] for row in at.read("activation.held_back").collect()}
    by = {row["email"]: row["customer_id"] for row in at.read("gold.customers").collect()}
    reasons = {who: held[by[address(who)]] for who in (*FLAWS, "plain")}
    assert reasons == {who: reason for who, (_, reason) in FLAWS.items()} | {"plain": "withdrawn"}

    # One row is put right, one person changed their mind, one file says it once more as it was.
    yes = {"status": "granted", "stated_at": "2026-03-02T08:00:00Z"}
    stated(
        at,
        NEXT,
        withdrawal("unknown_word", status="granted", stated_at="2026-02-02T08:00:00Z"),
        withdrawal("odd_expiry", **yes, consent_id="s-new"),
        withdrawal("odd_time", stated_at="yesterday"),
    )
    assert at.night(NEXT) == ExitCode.OK
    assert receivers(at) - sent == {address("unknown_word"), address("odd_expiry")}
