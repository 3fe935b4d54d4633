"""Commands, their help texts, and the exit codes that they end with."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated

import typer

from goldenlake.cli import stages
from goldenlake.cli.explaining import explaining
from goldenlake.cli.finishing import finish
from goldenlake.cli.identity import PANEL as MATCHING_PANEL
from goldenlake.cli.identity import identity
from goldenlake.cli.installation import Installation
from goldenlake.cli.looking import looking, show_plan
from goldenlake.cli.options import (
    CONF,
    ENV,
    AsOf,
    AsOfOrNewest,
    Conf,
    Env,
    Lake,
    RunId,
    SourceNames,
)
from goldenlake.cli.privacy import privacy
from goldenlake.cli.reviewing import reviewing
from goldenlake.cli.setting_up import setting_up
from goldenlake.cli.standing import standing
from goldenlake.errors import ExitCode, GoldenlakeError, described, machine_fault
from goldenlake.night import stage
from goldenlake.ports import StepResult

app = typer.Typer(
    name="goldenlake",
    help="A batch lakehouse customer-data platform: from source files to golden customers, "
    "segments and exports, every night.\n\nExit codes: "
    + "; ".join(f"{code.value} {code.meaning}" for code in ExitCode),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
NIGHT_PANEL = "The night"
app.registered_commands += setting_up.registered_commands + looking.registered_commands
app.registered_commands += explaining.registered_commands + standing.registered_commands
app.registered_commands += privacy.registered_commands
identity.registered_commands += reviewing.registered_commands
app.add_typer(identity, name="identity", rich_help_panel=MATCHING_PANEL)


@app.command(rich_help_panel=NIGHT_PANEL)
def nightly(
    as_of: AsOf,
    until: Annotated[
        datetime | None,
        typer.Option("--until", formats=["%Y-%m-%d"], help="Catch up to this day in one pass."),
    ] = None,
    day_by_day: Annotated[
        bool, typer.Option("--day-by-day", help="With --until: one night for each day.")
    ] = False,
    run_id: RunId = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Run the whole night in one process, without Airflow."""
    last = (until or as_of).date()
    first = as_of.date()
    if last < first:
        raise typer.BadParameter(f"--until {last} is before --as-of {first}")
    days = [last]
    if day_by_day:
        days = [date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)]
    installation = Installation.load(conf, env, lake, as_of=days[0], run_id=run_id)
    code = ExitCode.OK
    for number, day in enumerate(days):
        if number:
            installation = installation.for_day(day, run_id=run_id)
        if len(days) > 1:
            installation.say(f"[bold]night of {day}[/bold]")
        code = stages.worse(code, stages.night(installation))
    installation.progress(f"exit code {code.value}: {code.meaning}")
    raise typer.Exit(code)


@app.command(rich_help_panel=NIGHT_PANEL)
def collect(
    as_of: AsOf,
    source: SourceNames = None,
    run_id: RunId = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Land new files, ingest them to bronze, conform them to silver."""
    installation = Installation.load(conf, env, lake, as_of=as_of.date(), run_id=run_id)
    names = installation.chosen_sources(source)
    finish(installation, lambda: stages.collect(installation, names))


@app.command(rich_help_panel=NIGHT_PANEL)
def activate(
    as_of: AsOf,
    destination: Annotated[
        list[str] | None, typer.Option("--destination", help="Only this one; may be repeated.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plans alone; send and write nothing.")
    ] = False,
    run_id: RunId = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Send what changed to destinations, and note each acknowledgement."""
    installation = Installation.load(conf, env, lake, as_of=as_of.date(), run_id=run_id)
    names = installation.chosen_destinations(destination)
    if dry_run:
        for name in names:
            show_plan(installation, name)
        return
    finish(installation, lambda: stages.activate(installation, names))


def _add_stage(name: str, run: Callable[[Installation], list[StepResult]]) -> None:
    """A command for a stage that is done once a night."""

    @app.command(name, help=stage(name).summary, rich_help_panel=NIGHT_PANEL)
    def command(
        as_of: AsOf, run_id: RunId = None, conf: Conf = CONF, env: Env = ENV, lake: Lake = None
    ) -> None:
        installation = Installation.load(conf, env, lake, as_of=as_of.date(), run_id=run_id)
        finish(installation, lambda: run(installation))


@app.command(help=stage("publish").summary, rich_help_panel=NIGHT_PANEL)
def publish(
    as_of: AsOf,
    accept_blast_radius: Annotated[
        bool,
        typer.Option(
            "--accept-blast-radius",
            help="Publish although more customers merge, split, move or retire than conf/env "
            "allows, or one is too large.",
        ),
    ] = False,
    run_id: RunId = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Audit and publish; a broken critical rule cannot be accepted."""
    installation = Installation.load(conf, env, lake, as_of=as_of.date(), run_id=run_id)
    finish(
        installation,
        lambda: stages.publish(installation, accept_blast_radius=accept_blast_radius),
    )


@app.command(help=stage("report").summary, rich_help_panel=NIGHT_PANEL)
def report(
    as_of: AsOfOrNewest = None,
    run_id: RunId = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Write the night's page."""
    installation = Installation.load_newest(conf, env, lake, as_of=as_of, run_id=run_id)
    finish(installation, lambda: stages.report(installation))


for _name in ("resolve", "golden", "segments"):
    _add_stage(_name, getattr(stages, _name))


@app.command(rich_help_panel="Upkeep")
def maintain(
    as_of: AsOf, run_id: RunId = None, conf: Conf = CONF, env: Env = ENV, lake: Lake = None
) -> None:
    """Remove events whose time is over, with their landed files; compact small files, remove those
    that nothing needs any longer, shorten logs.
    """
    installation = Installation.load(conf, env, lake, as_of=as_of.date(), run_id=run_id)
    finish(installation, lambda: stages.maintain(installation))


@app.command(rich_help_panel="Upkeep")
def rollback(
    to: Annotated[int, typer.Option("--to", min=1, help="The generation to return to.")],
    run_id: RunId = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Let readers see an earlier generation again; nothing is sent until another one is built.

    The next night starts from it and builds what has come in since anew, by today's declarations:
    mend what was wrong before it runs.
    """
    installation = Installation.load_newest(conf, env, lake, as_of=None, run_id=run_id)
    finish(installation, lambda: stages.rollback(installation, to))


def main() -> None:
    """Run the command line; ends the process with one of ``ExitCode``.

    With GOLDENLAKE_DEBUG, errors are told whole, which may show personal values.
    """
    debug = bool(os.environ.get("GOLDENLAKE_DEBUG"))
    if debug:
        logging.basicConfig()
        logging.getLogger("goldenlake").setLevel(logging.DEBUG)
    try:
        app()
    except GoldenlakeError as error:
        print(f"goldenlake: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except Exception as error:
        if debug:
            raise
        told = described(error)
        if machine_fault(error) is None:
            told += ". Its message may hold personal values and is left out; set "
            told += "GOLDENLAKE_DEBUG=1 to see it."
        print(f"goldenlake: {told}", file=sys.stderr)  # noqa: T201
        sys.exit(ExitCode.FAILED)
