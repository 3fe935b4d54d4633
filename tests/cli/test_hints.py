"""A command that a message names works on the installation that the message came from."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from goldenlake.cli import stages
from goldenlake.cli.installation import Installation
from goldenlake.errors import (
    CustomerUnknown,
    ExitCode,
    ExportHeld,
    GoldenlakeError,
    HostRefused,
    SegmentNotBuilt,
    StageMissing,
)
from goldenlake.steps import activate, explain, plan, publish
from support.conf import Conf

DAY = "2026-01-03"


def held() -> None:
    raise ExportHeld(destination="letters", as_of=DAY, plan="p1", reasons=["Many."])


def unbuilt() -> None:
    raise SegmentNotBuilt(destination="letters", segment="readers", as_of=DAY)


def unstaged() -> None:
    raise StageMissing(step="golden")


def unknown() -> None:
    raise CustomerUnknown("c_1")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts something in the place of what a step does."""

    def put(module: Any, name: str, does: Callable[[], Any]) -> None:
        monkeypatch.setattr(getattr(module, name), "run", lambda *_: does())

    return put


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Errors that would be appended to ops.runs."""
    errors: list[str] = []
    monkeypatch.setattr(
        Installation, "write_runs", lambda self: errors.extend(r.error for r in self.results)
    )
    return errors


@pytest.fixture
def moon(conf: Conf, stand_in, noted, monkeypatch: pytest.MonkeyPatch) -> Conf:
    """An installation with two environments, whose steps find something to object to."""
    conf.write("env/moon.yml", (conf.path / "env" / "local.yml").read_text(encoding="utf-8"))
    monkeypatch.setattr(Installation, "tables", None)
    stand_in(activate, "Activate", held)
    stand_in(plan, "PlanExport", unbuilt)
    stand_in(publish, "Publish", unstaged)
    stand_in(explain, "Explain", unknown)
    return conf


def commands(text: str) -> list[str]:
    return re.findall(r"`(goldenlake [^`]+)`", text)


def test_a_held_export_names_commands_that_lead_back_to_it(goldenlake, moon, noted) -> None:
    given = ("--env", "moon", "--conf", str(moon.path), "--lake", str(moon.root / "my lake"))
    options = shlex.join(given)
    ended = goldenlake("activate", "--as-of", DAY, *given)
    look, approve = commands(ended.err)
    assert ended.code == ExitCode.HELD
    assert look == f"goldenlake plan {options} letters --as-of {DAY}"
    assert approve == (f"goldenlake approve {options} letters --plan p1 --as-of {DAY} --reason …")
    assert commands(noted[0]) == [look, approve]

    copied = goldenlake(*shlex.split(look)[1:])
    assert commands(copied.err) == [f"goldenlake segments {options} --as-of {DAY}"]


def test_the_environment_is_named_whoever_chose_it_and_the_usual_folder_is_not(
    goldenlake, moon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(moon.root)
    for chosen, named in (("moon", "moon"), ("", "local")):
        monkeypatch.setenv("GOLDENLAKE_ENV", chosen)
        look, _ = commands(goldenlake("activate", "--as-of", DAY).err)
        assert look == f"goldenlake plan --env {named} letters --as-of {DAY}"


def test_every_night_of_a_backfill_knows_its_options(
    goldenlake, moon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(moon.root)
    seen: list[str] = []
    monkeypatch.setattr(stages, "night", lambda of: (seen.append(of.options), ExitCode.OK)[1])
    goldenlake("nightly", "--as-of", DAY, "--until", "2026-01-04", "--day-by-day", "--env", "moon")
    assert seen == ["--env moon"] * 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("plan", "letters", "--as-of", DAY), "segments --env moon --as-of 2026-01-03"),
        (("publish", "--as-of", DAY), "golden --env moon"),
        (("explain", "c_1"), "sql --env moon"),
    ],
)
def test_whatever_names_a_command_names_the_environment(
    goldenlake, moon, monkeypatch: pytest.MonkeyPatch, arguments: tuple, named: str
) -> None:
    monkeypatch.chdir(moon.root)
    ended = goldenlake(*arguments, "--env", "moon")
    assert set(commands(ended.err)) == {f"goldenlake {named}"}


def test_a_held_plan_and_its_approval_say_what_to_run_next(
    goldenlake, moon, stand_in, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(moon.root)
    monkeypatch.setattr(plan, "approve", lambda *_, **__: None)
    drawn = {"destination": "letters", "as_of": DAY, "plan_hash": "p1", "segments": []}
    judged = {"objections": ["Many."], "is_approved": False, "in_flight": 0}
    stand_in(plan, "PlanExport", lambda: SimpleNamespace(**drawn, **judged))

    told = goldenlake("plan", "letters", "--as-of", DAY, "--env", "moon").out
    approve = f"goldenlake approve --env moon letters --plan p1 --as-of {DAY} --reason …"
    assert approve in told
    told = goldenlake(*shlex.split(approve)[1:]).out
    assert commands(told) == [f"goldenlake activate --env moon --destination letters --as-of {DAY}"]


@pytest.mark.parametrize("quoted", ["\ud800", "\x1b[2J", "\r", "\u202e", "\0"])
def test_a_message_can_be_printed_whatever_name_it_quotes(quoted: str) -> None:
    told = str(HostRefused(system="crm", call=f"GET /{quoted}", host=f"a{quoted}b.example.com"))
    assert quoted not in told
    assert "a\ufffd" in told
    assert told.encode()


def test_a_message_keeps_its_lines_and_letters() -> None:
    told = "Två problem:\n  źródło…\n  顧客"
    assert str(GoldenlakeError(told)) == told
