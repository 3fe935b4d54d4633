"""The command line as a caller sees it: help, exit codes, and what reaches the output."""

from __future__ import annotations

import itertools
import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.main import get_command

from goldenlake.cli import stages
from goldenlake.cli.app import app
from goldenlake.cli.installation import Installation
from goldenlake.errors import (
    CountMismatch,
    ExitCode,
    PlaceUnreachable,
    PublicationRefused,
    SetupError,
)
from goldenlake.night import NIGHT
from goldenlake.ports import StepResult


def named(group: Any, *path: str) -> dict[str, Any]:
    """All commands by their words, those of groups too."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        inner = hasattr(command, "commands")
        words = (*path, name)
        found |= named(command, *words) if inner else {" ".join(words): command}
    return found


COMMANDS = named(get_command(app))
AS_OF = ("--as-of", "2026-01-03")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[StepResult]:
    """What would be appended to ops.runs."""
    rows: list[StepResult] = []

    def keep(self: Installation) -> None:
        rows.extend(self.results)
        self.results, self._started = [], []

    monkeypatch.setattr(Installation, "write_runs", keep)
    return rows


def at(conf: Any) -> tuple[str, ...]:
    return ("--conf", str(conf.path))


def test_the_help_tells_all_exit_codes_and_every_stage_of_the_night(goldenlake) -> None:
    ended = goldenlake("--help")
    assert ended.code == 0
    for code in ExitCode:
        assert f"{code.value} {code.meaning}" in " ".join(ended.out.split())
    for stage in NIGHT:
        assert f" {stage.name} " in ended.out


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help_with_its_options_and_arguments(goldenlake, command: str) -> None:
    ended = goldenlake(*command.split(), "--help")
    assert ended.code == 0
    declared = COMMANDS[command]
    assert declared.help
    for parameter in declared.params:
        names = (
            parameter.opts if parameter.param_type_name == "option" else [parameter.metavar or ""]
        )
        for name in names:
            assert name in ended.out


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_takes_the_options_that_lead_to_an_installation(command: str) -> None:
    declared = COMMANDS[command]
    taken = {name for parameter in declared.params for name in parameter.opts}
    assert {"--conf", "--env", "--lake"} <= taken


def test_the_schemas_are_written_beside_the_declarations(goldenlake, conf) -> None:
    ended = goldenlake("schemas", *at(conf), "--env", "local", "--lake", "elsewhere")
    assert ended.code == 0
    assert (conf.path / "schemas" / "source.schema.json").is_file()
    assert goldenlake("check", *at(conf), "--env", "local", "--lake", "elsewhere").code == 0


@pytest.mark.parametrize(
    "command",
    [stage.name for stage in NIGHT if stage.name != "report"] + ["nightly", "maintain"],
)
def test_a_command_of_the_night_asks_for_its_day(goldenlake, command: str) -> None:
    ended = goldenlake(command)
    assert ended.code == ExitCode.DECLARATION
    assert "--as-of" in ended.err


def test_the_whole_wrong_way_round_is_refused(goldenlake, conf) -> None:
    ended = goldenlake("nightly", *AS_OF, "--until", "2026-01-01", *at(conf))
    assert ended.code == ExitCode.DECLARATION
    assert "--until 2026-01-01 is before --as-of 2026-01-03" in ended.err


@pytest.mark.parametrize(
    ("arguments", "days"),
    [
        ((), ["2026-01-03"]),
        (("--until", "2026-01-05"), ["2026-01-05"]),
        (("--until", "2026-01-05", "--day-by-day"), ["2026-01-03", "2026-01-04", "2026-01-05"]),
    ],
)
def test_a_backfill_is_one_pass_or_a_night_for_each_day_and_ends_with_the_worst(
    goldenlake, conf, written, monkeypatch: pytest.MonkeyPatch, arguments: tuple, days: list
) -> None:
    ran, codes = [], itertools.chain([ExitCode.HELD], itertools.repeat(ExitCode.DEGRADED))
    monkeypatch.setattr(
        stages, "night", lambda installation: (ran.append(str(installation.as_of)), next(codes))[1]
    )
    ended = goldenlake("nightly", *AS_OF, *arguments, *at(conf))
    assert ran == days
    assert ended.code == ExitCode.HELD
    assert "exit code 4" in ended.err


def test_every_night_of_a_run_that_was_given_a_name_bears_it(
    goldenlake, conf, written, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []
    monkeypatch.setattr(
        stages, "night", lambda installation: (ran.append(installation.run_id), ExitCode.OK)[1]
    )
    days = ("--until", "2026-01-04", "--day-by-day")
    goldenlake("nightly", *AS_OF, *days, "--run-id", "r9", *at(conf))
    assert ran == ["r9", "r9"]


def test_sound_declarations_pass_the_check(goldenlake, conf) -> None:
    ended = goldenlake("check", *at(conf))
    assert (ended.code, ended.out) == (0, "")
    assert "every declaration is sound" in ended.err


def test_bad_declarations_are_told_all_at_once_with_their_lines(goldenlake, conf) -> None:
    conf.change("sources/shop.yml", "load: increment", "load: sometimes")
    conf.change("segments/readers.yml", "owner: letters@example.com\n", "")
    ended = goldenlake("check", *at(conf))
    assert ended.code == ExitCode.DECLARATION
    assert "sources/shop.yml:" in ended.err
    assert "segments/readers.yml" in ended.err
    assert "Traceback" not in ended.err


def test_a_folder_without_declarations_is_no_traceback(goldenlake, tmp_path: Path) -> None:
    ended = goldenlake("check", "--conf", tmp_path / "nowhere")
    assert ended.code == ExitCode.DECLARATION
    assert "nowhere" in ended.err
    assert "unexpected" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("collect", "--source", "shpo", *AS_OF), "source shpo is not declared. Known: shop."),
        (("replay", "shpo", *AS_OF), "source shpo is not declared. Known: shop."),
        (("files", "--source", "shpo"), "source shpo is not declared. Known: shop."),
        (
            ("activate", "--destination", "mail", *AS_OF),
            "destination mail is not declared. Known: letters.",
        ),
        (("plan", "mail", *AS_OF), "destination mail is not declared. Known: letters."),
        (
            ("approve", "mail", "--plan", "p", "--reason", "r"),
            "destination mail is not declared. Known: letters.",
        ),
    ],
)
def test_an_unknown_name_is_told_with_those_that_are_known(
    goldenlake, conf, arguments: tuple, told: str
) -> None:
    ended = goldenlake(*arguments, *at(conf))
    assert ended.code == ExitCode.DECLARATION
    assert ended.err.strip() == f"goldenlake: {told}"


def test_what_is_named_twice_is_done_once(installation) -> None:
    assert installation.chosen_sources(["shop", "shop"]) == ["shop"]
    assert installation.chosen_destinations(["letters", "letters"]) == ["letters"]


def test_an_unknown_environment_is_a_named_error(goldenlake, conf) -> None:
    ended = goldenlake("resolve", *AS_OF, *at(conf), "--env", "moon")
    assert ended.code == ExitCode.DECLARATION
    assert "moon" in ended.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PublicationRefused(as_of="2026-01-03", reasons=["Too many merges."]), 4),
        (PlaceUnreachable(place="drops", what="timed out"), 75),
        (SetupError("There is no Java.", mend="Run `make setup`."), 2),
    ],
)
def test_an_error_of_ours_is_one_sentence_and_its_code(
    goldenlake, conf, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    monkeypatch.setattr(Installation, "load", lambda *_, **__: _raise(error))
    ended = goldenlake("resolve", *AS_OF, *at(conf))
    assert (ended.code, ended.err) == (code, f"goldenlake: {error}\n")


def _raise(error: Exception) -> None:
    raise error


def test_what_an_unexpected_error_says_stays_inside(
    goldenlake, conf, monkeypatch: pytest.MonkeyPatch, written
) -> None:
    monkeypatch.setattr(stages, "segments", None)
    monkeypatch.setattr(
        Installation, "load", lambda *_, **__: _raise(ValueError("ann@example.com"))
    )
    ended = goldenlake("segments", *AS_OF, *at(conf))
    assert ended.code == ExitCode.FAILED
    assert "unexpected ValueError" in ended.err
    assert "GOLDENLAKE_DEBUG=1" in ended.err
    assert "ann@" not in ended.out + ended.err


def test_a_person_who_debugs_sees_the_error_whole(
    goldenlake, conf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Installation, "load", lambda *_, **__: _raise(ValueError("ann@example.com"))
    )
    monkeypatch.setenv("GOLDENLAKE_DEBUG", "1")
    with pytest.raises(ValueError, match="ann@example"):
        goldenlake("segments", *AS_OF, *at(conf))


class Refusing:
    """A step that refuses, whatever it is asked."""

    def __init__(self, **_: Any) -> None: ...

    def run(self, *_: Any) -> StepResult:
        raise PublicationRefused(
            as_of="2026-01-03", reasons=["Too many merges."], details={"verdicts": ["x"]}
        )


def test_a_step_that_raised_is_noted_before_the_process_ends(
    goldenlake, conf, written, monkeypatch: pytest.MonkeyPatch
) -> None:
    from goldenlake.steps import publish

    monkeypatch.setattr(publish, "Publish", Refusing)
    monkeypatch.setattr(Installation, "tables", SimpleNamespace())
    ended = goldenlake("publish", *AS_OF, *at(conf))
    assert ended.code == ExitCode.HELD
    assert [(row.step, row.status) for row in written] == [("publish", "held")]
    assert "Too many merges." in written[0].error
    assert written[0].details == {"verdicts": ["x"], "exit_code": 4}
    assert json.loads(ended.out)["status"] == "held"


def test_a_note_that_cannot_be_written_does_not_hide_what_went_wrong(
    goldenlake, conf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from goldenlake.steps import publish

    monkeypatch.setattr(publish, "Publish", Refusing)
    monkeypatch.setattr(Installation, "tables", SimpleNamespace())
    assert goldenlake("publish", *AS_OF, *at(conf)).code == ExitCode.HELD


@pytest.mark.parametrize("accepted", [True, False])
def test_a_wide_blast_radius_is_accepted_by_a_person_alone(
    goldenlake, conf, written, monkeypatch: pytest.MonkeyPatch, accepted: bool
) -> None:
    from goldenlake.steps import publish

    given: list[bool] = []

    class Publish(Refusing):
        def __init__(self, **fields: Any) -> None:
            given.append(fields["accept_blast_radius"])

    monkeypatch.setattr(publish, "Publish", Publish)
    monkeypatch.setattr(Installation, "tables", SimpleNamespace())
    goldenlake("publish", *AS_OF, *at(conf), *(["--accept-blast-radius"] if accepted else []))
    assert given == [accepted]


def test_publish_is_told_which_sources_there_are_and_which_are_gone(
    goldenlake, conf, written, monkeypatch: pytest.MonkeyPatch
) -> None:
    from goldenlake.steps import publish

    given: dict[str, Any] = {}

    class Publish(Refusing):
        def __init__(self, **fields: Any) -> None:
            given.update(fields)

    conf.change("consent.yml", "channels:", "gone_sources: [old_shop]\nchannels:")
    monkeypatch.setattr(publish, "Publish", Publish)
    monkeypatch.setattr(Installation, "tables", SimpleNamespace())
    goldenlake("publish", *AS_OF, *at(conf))
    assert given["consent"].gone_sources == ["old_shop"]
    assert [each.source for each in given["sources"]] == ["shop"]


def test_looking_needs_no_day_and_takes_the_newest(
    goldenlake, conf, written, monkeypatch: pytest.MonkeyPatch
) -> None:
    from goldenlake.steps import plan, reading

    seen: list[tuple[str, str]] = []

    def look(planner: plan.PlanExport, _: Any) -> None:
        seen.append((planner.destination.destination, str(planner.as_of)))
        raise SetupError("Seen.", mend="")

    def note(of: Installation) -> list[StepResult]:
        seen.append((of.run_id, str(of.as_of)))
        return []

    monkeypatch.setattr(Installation, "tables", SimpleNamespace())
    monkeypatch.setattr(reading, "newest_day", lambda _: date(2026, 1, 7))
    monkeypatch.setattr(plan.PlanExport, "run", look)
    monkeypatch.setattr(stages, "report", note)
    goldenlake("plan", "letters", *at(conf))
    goldenlake("approve", "letters", "--plan", "p", "--reason", "r", "--by", "me", *at(conf))
    goldenlake("report", "--run-id", "r9", *at(conf))
    assert seen == [("letters", "2026-01-07")] * 2 + [("r9", "2026-01-07")]
    goldenlake("report", "--run-id", "r9", *AS_OF, *at(conf))
    assert seen[-1] == ("r9", "2026-01-03")


def test_an_approval_needs_a_reason_and_a_name(
    goldenlake, conf, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--reason" in goldenlake("approve", "letters", "--plan", "p", *at(conf)).err

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nameless)
    ended = goldenlake("approve", "letters", "--plan", "p", "--reason", "r", *at(conf))
    assert ended.code == ExitCode.DECLARATION
    assert "--by" in ended.err


def test_the_dictionary_is_written_where_it_is_asked_for(goldenlake, conf, tmp_path: Path) -> None:
    out = tmp_path / "dictionary.md"
    assert goldenlake("dictionary", "--out", out, *at(conf)).code == 0
    assert "## gold.customers" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "error",
    [
        PlaceUnreachable(place="drops", what="timed out"),
        CountMismatch(source="shop", file_id="f", read=3, accepted=1, quarantined=1),
    ],
)
def test_an_error_says_what_to_do(error: Exception) -> None:
    assert "Run again" in str(error)


def test_a_day_that_is_none_is_refused(goldenlake, conf) -> None:
    assert goldenlake("resolve", "--as-of", "2026-02-30", *at(conf)).code == ExitCode.DECLARATION
