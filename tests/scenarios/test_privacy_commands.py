"""What analysts see, and what a person is told, of a company after a night."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from goldenlake.cli import privacy
from goldenlake.cli.app import app
from goldenlake.cli.installation import Installation
from goldenlake.cli.stages import NIGHT_WORK
from goldenlake.columns.traces import pseudonym
from goldenlake.errors import LakeBusy, PrivacyKeyUnfit
from goldenlake.steps.erase import open_requests
from support.newsletter import BOB, KEY, NEXT
from support.scenario import Scenario


@pytest.fixture
def at(newsletter: Scenario, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scenario]:
    """The company, and commands that work on it."""
    installation = newsletter.installation(NEXT)
    for way in ("load", "load_newest"):
        monkeypatch.setattr(Installation, way, lambda *_, **__: installation)
    spark: Any = newsletter.tables.spark
    on_files = str(spark.conf.get("spark.sql.runSQLOnFiles"))
    functions = spark._jsparkSession.sessionState().tableFunctionRegistry()
    listed = functions.listFunction()
    known = [
        (each, functions.lookupFunction(each).get(), functions.lookupFunctionBuilder(each).get())
        for each in (listed.apply(at) for at in range(listed.size()))
    ]
    yield newsletter
    spark.conf.set("spark.sql.runSQLOnFiles", on_files)
    for each in known:
        functions.registerFunction(*each)


def command(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_masked_tables_show_nobody_and_can_be_counted(
    at: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT email, is_known FROM customers"
    assert BOB in command("sql", query)

    seen = command("sql", query, "--masked")

    assert BOB not in seen
    assert pseudonym(KEY.encode(), "value", BOB) in seen
    of_files = f"delta.`{at.tables.location('gold.customers')}`"
    of_changes = f"table_changes_by_path('{at.tables.location('silver.people')}', 0)"
    for way in (
        f"SELECT email FROM {of_files}",
        f"SELECT email FROM {of_changes}",
        "SELECT * FROM identity_records",
    ):
        refused = CliRunner().invoke(app, ["sql", way, "--masked"])
        assert refused.exit_code != 0
        assert BOB not in refused.output
    assert "two" in command("sql", "SELECT * FROM explode(array('one', 'two'))", "--masked")
    monkeypatch.delenv("GOLDENLAKE_TEST_PRIVACY")
    with pytest.raises(PrivacyKeyUnfit):
        CliRunner().invoke(app, ["sql", query, "--masked"], catch_exceptions=False)


def test_a_person_is_told_all_that_is_known_of_them_and_of_nobody_else(
    at: Scenario, tmp_path: Path
) -> None:
    command("access", f"email={BOB}", "--out", str(tmp_path / "answer"))

    page, told = tmp_path / "answer" / "access.html", tmp_path / "answer" / "access.json"
    assert stat.S_IMODE(page.stat().st_mode) == stat.S_IMODE(told.stat().st_mode) == 0o600
    known = json.loads(told.read_text())
    [source] = known["records"]
    assert [row["email"] for row in source["rows"]] == [BOB, BOB]
    assert source["purposes"]
    golden = {each["name"]: each["rows"] for each in known["golden"]}
    assert {"gold.customers", "gold.consents", "segments.members", "activation.ledger"} <= {*golden}
    assert golden["activation.ledger"][0]["destination"] == "readers"
    for text in (page.read_text(), told.read_text()):
        assert "ann@example.com" not in text
        assert "joe." + BOB not in text


def test_nobody_is_asked_to_be_forgotten_while_a_night_may_take_in_more_of_them(
    at: Scenario,
) -> None:
    installation = at.installation(NEXT)
    with installation.claimed(NIGHT_WORK), pytest.raises(LakeBusy):
        CliRunner().invoke(
            app, ["erase", f"email={BOB}", "--reason", "R-1"], catch_exceptions=False
        )
    assert open_requests(at.tables) == []
    # Nor does a trial go on with what waits.
    privacy.ask(
        installation, privacy.subject_of(installation, [f"email={BOB}"]), by="dpo", reason="R-1"
    )
    tried = CliRunner().invoke(app, ["erase", "--resume", "--dry-run"])
    assert tried.exit_code != 0
    assert len(open_requests(at.tables)) == 1


@pytest.mark.usefixtures("at")
def test_a_dry_run_says_of_how_many_rows_of_others_something_would_go() -> None:
    assert "1 rows of others tell of them" in command("erase", f"email={BOB}", "--dry-run")
