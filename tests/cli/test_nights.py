"""How a night goes on when a stage does not, and the code that it ends with."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import date

import pytest

from goldenlake.cli import stages
from goldenlake.cli.installation import Installation, failure
from goldenlake.cli.stages import code_of, night, worse
from goldenlake.errors import (
    ExitCode,
    ExportHeld,
    GenerationMoved,
    ModelUnfit,
    PlaceUnreachable,
    PublicationRefused,
    SetupError,
)
from goldenlake.night import NIGHT, unheard
from goldenlake.ports import StepResult
from support.conf import FILES, Conf

ALL = [stage.name for stage in NIGHT]
REFUSED = PublicationRefused(as_of="2026-01-03", reasons=["Too many merges."])


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Stages that only note that they ran; some raise, some give other results, be it ``once``."""

    def fake(*, once: bool = False, **instead: BaseException | list[StepResult]) -> list[str]:
        ran: list[str] = []

        def carry_out(name: str) -> list[StepResult]:
            ran.append(name)
            what = (instead.pop if once else instead.get)(name, [StepResult(step=name)])
            if isinstance(what, BaseException):
                raise what
            return what

        monkeypatch.setattr(stages, "runs_of", lambda stage, _: lambda: carry_out(stage.name))
        return ran

    return fake


def test_a_good_night_runs_every_stage_in_order(installation, fakes) -> None:
    ran = fakes()
    assert night(installation) is ExitCode.OK
    assert ran == ALL


def test_a_broken_source_degrades_the_night_and_stops_nothing(installation, fakes) -> None:
    ran = fakes(
        collect=[
            StepResult(step="collect", subject="crm"),
            StepResult(step="collect", subject="erp", status="degraded", details={"exit_code": 3}),
        ]
    )
    assert night(installation) is ExitCode.DEGRADED
    assert ran == ALL


def test_what_comes_after_a_degraded_stage_still_runs(installation, fakes) -> None:
    ran = fakes(segments=[StepResult(step="segments", status="degraded")])
    assert night(installation) is ExitCode.DEGRADED
    assert ran == ALL


def test_a_place_that_does_not_answer_stops_nothing_but_is_worth_another_try(
    installation, fakes
) -> None:
    unreachable = failure("collect", "crm", PlaceUnreachable(place="drops", what="timed out"))
    ran = fakes(collect=[unreachable])
    assert night(installation) is ExitCode.TRANSIENT
    assert ran == ALL


def test_a_refused_publication_holds_the_night_and_nothing_is_sent(installation, fakes) -> None:
    ran = fakes(publish=REFUSED)
    assert night(installation) is ExitCode.HELD
    assert ran == ["collect", "resolve", "golden", "publish", "report"]


def test_what_comes_after_a_failed_stage_is_left_out_but_for_the_report(
    installation, fakes
) -> None:
    ran = fakes(resolve=RuntimeError("ann@example.com"))
    assert night(installation) is ExitCode.FAILED
    assert ran == ["collect", "resolve", "report"]


def test_a_night_without_a_fit_model_says_at_which_stage_it_stopped(
    installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfit(_: Installation) -> None:
        raise ModelUnfit("it was trained on other columns")

    monkeypatch.setattr(Installation, "model", property(unfit))
    with pytest.raises(ModelUnfit):
        stages.resolve(installation)
    [told] = installation.results
    assert (told.step, told.status) == ("resolve", "failed")
    assert "trained on other columns" in told.error


def test_a_failed_collect_as_a_whole_still_goes_on_with_yesterday(installation, fakes) -> None:
    ran = fakes(collect=SetupError("No disk.", mend="Buy one."))
    assert night(installation) is ExitCode.DECLARATION
    assert ran == ALL


def test_a_held_export_holds_the_night_after_all_else_is_done(installation, fakes) -> None:
    error = ExportHeld(destination="x", as_of="2026-01-03", plan="p", reasons=["Many."])
    held = failure("activate", "x", error)
    ran = fakes(activate=[held])
    assert night(installation) is ExitCode.HELD
    assert ran == ALL


@pytest.mark.parametrize("overtaken", ["golden", "publish"])
def test_a_night_that_was_overtaken_begins_again_from_resolve_once(
    installation, fakes, overtaken: str
) -> None:
    moved = GenerationMoved(step="resolve", base=1, latest=2)
    up_to = ALL[: ALL.index(overtaken) + 1]
    ran = fakes(once=True, **{overtaken: moved})
    assert night(installation) is ExitCode.OK
    assert ran == [*up_to, *ALL[1:]]

    ran = fakes(**{overtaken: moved})
    assert night(installation) is ExitCode.FAILED
    assert ran == [*up_to, *up_to[1:], "report"]


def test_the_worst_code_of_the_night_counts(installation, fakes) -> None:
    fakes(
        collect=[StepResult(step="collect", status="degraded")],
        publish=REFUSED,
        report=RuntimeError("x"),
    )
    assert night(installation) is ExitCode.FAILED


@pytest.mark.parametrize("until", ["golden", "publish"])
def test_nothing_runs_after_the_stage_until_which_it_is_asked_for(
    installation, fakes, until: str
) -> None:
    ran = fakes()
    assert night(installation, until=until) is ExitCode.OK
    assert ran == ALL[: ALL.index(until) + 1]
    ran = fakes(resolve=REFUSED)
    assert night(installation, until=until) is ExitCode.HELD
    assert ran == ["collect", "resolve"]


def test_an_unexpected_message_is_not_told_of_a_night(
    installation, fakes, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes(golden=ValueError("ann@example.com [/b]"), publish=REFUSED)
    night(installation)
    said = capsys.readouterr()
    assert "unexpected ValueError" in said.err
    assert "ann@" not in said.out + said.err


COLLECTED = "collect a: done, collect b: skipped"
BUILT = f"{COLLECTED}, resolve: done, golden: skipped, publish: skipped"


@pytest.mark.parametrize(
    ("ended", "silent"),
    [
        ("", []),
        ("maintain: done", []),
        (f"{BUILT}, segments: done, activate x: done, activate y: done", []),
        (f"{BUILT}, segments: done, activate x: done", ["activate y"]),
        (f"{BUILT}, segments: done", ["activate"]),
        (BUILT, ["segments"]),
        (f"{COLLECTED}, resolve: done, golden: failed", []),
        (f"{COLLECTED}, resolve: done, golden: done, publish: held", []),
        ("collect a: degraded, resolve: done", ["collect b", "golden"]),
        ("collect : failed, resolve: failed", []),
        ("resolve: failed", ["collect"]),
    ],
)
def test_who_left_no_word_is_told_and_what_was_left_out_after_it_is_not(
    ended: str, silent: list[str]
) -> None:
    words = [word.partition(": ") for word in ended.split(", ") if word]
    rows = [(*subject.partition(" ")[::2], status) for subject, _, status in words]
    assert unheard(rows, source=["a", "b"], destination=["x", "y"]) == silent


def test_a_night_without_a_destination_has_nobody_to_hear_from() -> None:
    rows = [(name, "", "done") for name in ALL if name != "activate"]
    assert unheard(rows, source=["a"], destination=[]) == []


def test_runs_are_written_before_exports_begin_and_before_the_report_reads_them(
    installation, fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = fakes()
    monkeypatch.setattr(Installation, "write_runs", lambda _: ran.append("runs"))
    night(installation)
    assert ran[-5:] == ["runs", "activate", "runs", "report", "runs"]


def test_exports_go_though_the_log_of_the_night_cannot_be_written_before_them(
    installation, fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = fakes()
    faults = iter([OSError("full")])

    def write_runs(_: Installation) -> None:
        for fault in faults:
            raise fault

    monkeypatch.setattr(Installation, "write_runs", write_runs)
    assert night(installation) is ExitCode.OK
    assert ran == ALL


def test_a_night_that_is_interrupted_keeps_what_was_done(
    installation, fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = fakes(golden=KeyboardInterrupt())
    monkeypatch.setattr(Installation, "write_runs", lambda _: ran.append("runs"))
    with pytest.raises(KeyboardInterrupt):
        night(installation)
    assert ran == ["collect", "resolve", "golden", "runs"]


def test_worse_is_an_order_and_agrees_with_how_urgent_a_code_is() -> None:
    worst_last = [0, 3, 4, 75, 2, 1]
    for left, right in itertools.product(worst_last, repeat=2):
        expected = max(left, right, key=worst_last.index)
        assert worse(ExitCode(left), ExitCode(right)) == expected


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], 0),
        (["done", "skipped"], 0),
        (["done", "degraded"], 3),
        (["degraded", "held"], 4),
        (["failed", "done"], 3),
    ],
)
def test_results_add_up_to_a_code(statuses: list, code: int) -> None:
    assert code_of([StepResult(step="x", status=status) for status in statuses]) == code


def test_a_result_may_name_its_own_code() -> None:
    tried = StepResult(step="collect", status="degraded", details={"exit_code": 75})
    assert code_of([tried, StepResult(step="collect", status="held")]) == 75


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (PlaceUnreachable(place="p", what="timed out"), "failed", 75),
        (REFUSED, "held", 4),
        (SetupError("a", mend="b"), "failed", 3),
        (ValueError("ann@example.com"), "failed", 3),
    ],
)
def test_one_of_many_that_raised_is_reported_and_the_others_count(
    error: Exception, status: str, code: int
) -> None:
    result = failure("activate", "x", error)
    assert (result.status, code_of([result])) == (status, code)
    assert "ann@" not in result.error


def test_a_destination_that_fails_does_not_stop_the_others(
    conf: Conf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from goldenlake import destinations

    monkeypatch.setattr(Installation, "write_runs", lambda _: None)
    cards = FILES["destinations/letters.yml"].replace("letters", "cards", 1)
    conf.write("destinations/cards.yml", cards)
    installation = Installation(conf.load(), as_of=date(2026, 1, 3), run_id="r1")
    opened = []
    errors = iter(
        [RuntimeError("ann@example.com"), PlaceUnreachable(place="exports", what="timed out")]
    )

    def open_destination(destination, outside):
        opened.append(destination.destination)
        raise next(errors)

    monkeypatch.setitem(installation.__dict__, "tables", None)
    monkeypatch.setattr(destinations, "open_destination", open_destination)
    results = stages.activate(installation, ["cards", "letters"])
    assert sorted(opened) == ["cards", "letters"]
    assert [result.status for result in results] == ["failed", "failed"]
    assert code_of(results) is ExitCode.TRANSIENT
    assert "ann@" not in str(results)


def test_each_result_is_one_line_of_json_and_its_error_a_line_for_a_person(
    installation, capsys: pytest.CaptureFixture[str]
) -> None:
    with installation.timed("collect") as results:
        results.append(
            StepResult(step="collect", subject="crm", status="degraded", counts={"files": 2},
                       details={"seconds": 1.5}, error="crm: [/a]: columns [id] are missing.")
        )  # fmt: skip
    said = capsys.readouterr()
    assert said.out.strip() == (
        '{"run": "r1", "as_of": "2026-01-03", "step": "collect", "subject": "crm", '
        '"status": "degraded", "seconds": 1.5, "files": 2}'
    )
    assert "crm: [/a]: columns [id] are missing." in said.err


def test_a_terminal_is_told_in_words_what_came_of_a_step(
    installation, capsys: pytest.CaptureFixture[str]
) -> None:
    installation.speaks_json = False
    with installation.timed("collect") as results:
        results.append(
            StepResult(step="collect", subject="crm", counts={"records_read": 1234, "files": 0},
                       details={"seconds": 1.5})
        )  # fmt: skip
    said = capsys.readouterr()
    assert said.out == ""
    assert "collect crm done: 1,234 records read (1.5 s)" in said.err


def test_what_a_step_says_is_a_text_and_no_markup(
    installation, capsys: pytest.CaptureFixture[str]
) -> None:
    installation.progress("  [/bold] crm: 3 files")
    assert "[/bold] crm: 3 files" in capsys.readouterr().err
