"""Commands that tell how a destination stands, and the lake."""

from __future__ import annotations

from typing import Annotated

import typer

from goldenlake.cli import stages
from goldenlake.cli.finishing import finish
from goldenlake.cli.installation import Installation, SystemClock
from goldenlake.cli.looking import PANEL, AsJson, DestinationName, at_newest, show
from goldenlake.cli.options import CONF, ENV, AsOfOrNewest, Conf, Env, Lake, RunId
from goldenlake.errors import ExitCode
from goldenlake.ports import StepResult

standing = typer.Typer()

Person = Annotated[
    str | None,
    typer.Option("--person", help="Of this customer id, or record id such as crm:42, alone."),
]


@standing.command(rich_help_panel=PANEL)
def ledger(
    destination: DestinationName,
    person: Person = None,
    as_json: AsJson = False,
    as_of: AsOfOrNewest = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """What a destination has acknowledged, by counts; or every decision about one person there."""
    from goldenlake.reporting.standings import grid_text, person_text
    from goldenlake.steps.standing import ledger_counts, person_standing

    installation = at_newest(conf, env, lake, as_of, destination)
    with installation.hinting():
        if person is None:
            rows = ledger_counts(installation.tables, destination)
            told = grid_text(rows, title=f"ledger of {destination}", nothing="empty")
            found: object = rows
        else:
            planner = stages.planner_of(installation, destination)
            stands = person_standing(installation.tables, planner, person)
            told, found = person_text(destination, **vars(stands)), vars(stands)
    show(told, lambda: found, as_json=as_json)


@standing.command(rich_help_panel=PANEL)
def reconcile(
    destination: DestinationName,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Note what is there, so that the next export mends it; sends nothing."
        ),
    ] = False,
    run_id: RunId = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Compare the ledger with what a destination really holds; exits with 3 where somebody is
    missing or lingering.
    """
    installation = at_newest(conf, env, lake, None, destination, run_id=run_id)

    def compared() -> list[StepResult]:
        from goldenlake.destinations import open_destination
        from goldenlake.steps.reconcile import Reconcile

        declared = installation.catalogue.destinations[destination]
        step = Reconcile(
            destination=declared,
            as_of=installation.as_of,
            run_id=installation.run_id,
            repair=repair,
        )
        with installation.timed("reconcile", destination) as found:
            kind = open_destination(declared, installation)
            found.append(step.run(installation.tables, kind, installation.progress))
            return list(found)

    finish(installation, compared)


@standing.command(rich_help_panel=PANEL)
def verify(as_json: AsJson = False, conf: Conf = CONF, env: Env = ENV, lake: Lake = None) -> None:
    """Look at the whole lake from outside; exits with 1 where anything does not agree.

    Landed files against their digests, counts of files against their records, every table whole,
    generations, ids and redirects, golden tables, audiences and ledgers. Reads all of it and
    changes nothing.
    """
    from goldenlake.reporting.standings import grid_text
    from goldenlake.steps.verify import Verify

    installation = Installation.load(conf, env, lake, as_of=SystemClock().now().date())
    catalogue = installation.catalogue
    step = Verify(
        sources=list(catalogue.sources), destinations=list(catalogue.destinations.values())
    )
    with installation.hinting():
        found = step.run(installation.tables, installation.landing, installation.progress)
    rows = [vars(each) for each in found]
    told = grid_text(rows, title="what does not agree", nothing="the lake is sound")
    show(told, lambda: rows, as_json=as_json)
    raise typer.Exit(ExitCode.FAILED if found else ExitCode.OK)
