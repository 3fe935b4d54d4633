"""A held export is asked about in a real Airflow, and the answer of a person is carried out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from goldenlake.errors import ExportHeld, export_held
from support.airflow_home import Airflow, Server, conf_of_names, stand_in, until

DAY = date(2026, 1, 3)
PLAN = "9f3ab2c41d07"
HELD = ExportHeld(
    destination="mail",
    as_of=DAY.isoformat(),
    plan=PLAN,
    reasons=["62 of 100 members would be removed."],
)

#: Stands in for spark-submit: notes what it was asked for; `mail` is held until it was approved.
PRETENDER = """#!/usr/bin/env bash
words="$*"
printf '%s\\n' "${words#*run.py }" >>"$PRETENDER/calls"
case "$*" in
  *"run.py approve"*) touch "$PRETENDER/approved" ;;
  *"run.py activate"*"--destination mail"*)
    if [[ ! -e $PRETENDER/approved ]]; then cat "$PRETENDER/words"; exit 4; fi ;;
esac
"""


def test_what_a_command_printed_tells_the_plan_that_was_held() -> None:
    HELD.options = "--conf /a/conf --env production"

    found = export_held(f"09:10 collect\nLast output:\ngoldenlake: {HELD}\nShutdown hook called\n")

    assert found == {"destination": "mail", "plan": PLAN, "words": str(HELD)}
    assert export_held("export to mail: 3 sent\n`goldenlake approve` was not needed") is None


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretender")
    (folder / "words").write_text(f"goldenlake: {HELD}\n")
    stand_in(folder, PRETENDER)
    return folder / "calls"


@pytest.fixture(scope="module")
def server(airflow: Airflow, calls: Path) -> Iterator[Server]:
    conf = conf_of_names(calls.parent / "conf", sources=["web"], destinations=["files", "mail"])
    with airflow.server(
        GOLDENLAKE_BIN=str(calls.parent), GOLDENLAKE_CONF=str(conf), PRETENDER=str(calls.parent)
    ) as started:
        until(lambda: started.switch_on("goldenlake_nightly"))
        yield started


@pytest.mark.airflow
@pytest.mark.slow
def test_a_night_does_not_wait_and_what_a_person_approves_is_the_plan_that_was_held(
    server: Server, calls: Path
) -> None:
    night = server.trigger("goldenlake_nightly", as_of=DAY.isoformat())
    question = until(lambda: server.question("goldenlake_approval", f"mail.{DAY}.{PLAN}"))

    assert question["subject"] == f"Send to mail what a guard held on {DAY}?"
    assert "62 of 100 members would be removed." in question["body"]
    assert PLAN in question["body"]
    # One destination was held: the night is over, and says so.
    assert until(lambda: ended(server, "goldenlake_nightly", night)) == "failed"
    tasks = server.tasks("goldenlake_nightly", night)
    assert {name: tasks[name] for name in ("activate.files", "activate.mail", "ask", "report")} == {
        "activate.files": "success", "activate.mail": "failed", "ask": "success",
        "report": "success",
    }  # fmt: skip
    assert not any("approve" in call for call in said(calls))

    server.answer(question, "Approve", reason="the list was cleaned; --by nobody")
    approval = f"mail.{DAY}.{PLAN}"

    assert until(lambda: ended(server, "goldenlake_approval", approval)) == "success"
    [approved] = [call for call in said(calls) if call.startswith("approve")]
    assert approved.split(" --conf ")[0] == (
        f"approve mail --plan {PLAN} --as-of {DAY} --by=admin"
        " --reason=the list was cleaned; --by nobody"
    )
    [sent] = [call for call in said(calls) if call.startswith("activate --destination")]
    assert sent.startswith(f"activate --destination mail --as-of {DAY} --run-id {approval} ")


@pytest.mark.airflow
@pytest.mark.slow
def test_what_a_person_rejects_is_not_sent_and_not_asked_about_again(
    server: Server, calls: Path
) -> None:
    (calls.parent / "approved").unlink(missing_ok=True)
    (calls.parent / "words").write_text(f"goldenlake: {HELD}\n".replace(PLAN, "0123456789ab"))
    approval = "mail.2026-01-04.0123456789ab"
    before = len(said(calls))
    first = server.trigger("goldenlake_nightly", as_of="2026-01-04")
    question = until(lambda: server.question("goldenlake_approval", approval))

    server.answer(question, "Reject", reason="")
    assert until(lambda: ended(server, "goldenlake_approval", approval)) == "success"
    until(lambda: ended(server, "goldenlake_nightly", first))
    again = server.trigger("goldenlake_nightly", as_of="2026-01-04")
    assert until(lambda: ended(server, "goldenlake_nightly", again)) == "failed"

    assert server.tasks("goldenlake_approval", approval) == {
        "decide": "success", "approve": "skipped", "activate": "skipped",
    }  # fmt: skip
    assert server.tasks("goldenlake_nightly", again)["ask"] == "skipped"
    assert server.question("goldenlake_approval", approval) is None
    after = said(calls)[before:]
    assert not any(call.startswith(("approve", "activate --destination")) for call in after)


def said(calls: Path) -> list[str]:
    return calls.read_text().splitlines()


def ended(server: Server, dag: str, run: str) -> str:
    """How the run ended, once it has."""
    state = server.state(dag, run)
    return state if state in ("success", "failed") else ""
