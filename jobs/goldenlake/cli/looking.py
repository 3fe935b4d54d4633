"""Commands for people who want to know: plans, explanations, SQL, and decisions."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer
from rich.console import Console

from goldenlake.cli.installation import Installation, SystemClock
from goldenlake.cli.options import CONF, ENV, AsOf, Conf, Env, Lake, RunId

PANEL = "Looking and deciding"
looking = typer.Typer()

DestinationName = Annotated[str, typer.Argument(help="A destination of conf/destinations.")]


@looking.command(rich_help_panel=PANEL)
def plan(
    destination: DestinationName,
    as_of: AsOf,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """What an export would add, change, remove and hold back; nothing is sent."""
    from goldenlake.reporting.plans import plan_text
    from goldenlake.steps.plan import PlanExport

    installation = Installation.load(conf, env, lake, as_of=as_of.date())
    (name,) = installation.chosen_destinations([destination])
    step = PlanExport(
        destination=installation.catalogue.destinations[name],
        consent=installation.catalogue.consent,
        as_of=installation.as_of,
    )
    Console().print(plan_text(step.run(installation.tables)))


@looking.command(rich_help_panel=PANEL)
def approve(
    destination: DestinationName,
    plan: Annotated[str, typer.Option("--plan", help="Hash of the plan, as the held run says.")],
    reason: Annotated[str, typer.Option("--reason", help="Why this may be sent.")],
    by: Annotated[
        str | None, typer.Option("--by", help="Who decides; the login by default.")
    ] = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Let a held plan pass; what is sent must still have the same hash."""
    from goldenlake.steps.plan import approve as let_pass

    clock = SystemClock()
    installation = Installation.load(conf, env, lake, as_of=clock.now().date())
    (name,) = installation.chosen_destinations([destination])
    let_pass(
        installation.tables, name, plan, by=by or getpass.getuser(), reason=reason, at=clock.now()
    )
    Console().print(f"{name}: plan {plan} is approved; run `goldenlake activate` again")


@looking.command(rich_help_panel=PANEL)
def replay(
    source: Annotated[str, typer.Argument(help="A source of conf/sources.")],
    as_of: AsOf,
    run_id: RunId = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Read a source's broken files and quarantined rows again, under today's contract."""
    from goldenlake.cli import stages
    from goldenlake.steps.collect import replay as set_back

    installation = Installation.load(conf, env, lake, as_of=as_of.date(), run_id=run_id)
    names = installation.chosen_sources([source])
    files = set_back(installation.tables, source, run_id=installation.run_id)
    installation.progress(f"{len(files)} files of {source} are read again")
    results = stages.collect(installation, names)
    installation.write_runs()
    raise typer.Exit(stages.code_of(results))


@looking.command(rich_help_panel=PANEL)
def sql(
    query: Annotated[str, typer.Argument(help="A query over customers, purchases, interactions…")],
    generation: Annotated[
        int | None, typer.Option("--generation", help="An earlier one; the newest by default.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many rows to show.")] = 50,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Ask the published gold tables, all of one generation, in Spark SQL."""
    from goldenlake.steps.reading import generation_views

    installation = Installation.load(conf, env, lake, as_of=SystemClock().now().date())
    generation_views(installation.tables, generation)
    installation.tables.spark.sql(query).show(rows, truncate=False)


@looking.command(rich_help_panel=PANEL)
def explain(
    who: Annotated[str, typer.Argument(help="A customer id, or a record id such as crm:42.")],
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Why a customer is who they are: records, evidence, winning values, segments, exports."""
    from goldenlake.reporting.explanations import explanation_text
    from goldenlake.steps.explain import Explain

    installation = Installation.load(conf, env, lake, as_of=SystemClock().now().date())
    step = Explain(who=who)
    Console().print(explanation_text(step.run(installation.tables)))
