"""Commands for people who want to know: plans, explanations, SQL, and decisions."""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, RenderableType

from goldenlake.cli import stages
from goldenlake.cli.finishing import finish
from goldenlake.cli.installation import Installation, SystemClock
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
from goldenlake.errors import SetupError, with_options

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from goldenlake.steps.planned import Plan

PANEL = "Looking and deciding"
looking = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for a program.")]
DestinationName = Annotated[str, typer.Argument(help="A destination of conf/destinations.")]


@looking.command(rich_help_panel=PANEL)
def plan(
    destination: DestinationName,
    as_json: AsJson = False,
    as_of: AsOfOrNewest = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """What an export would add, change, remove and hold back; nothing is sent."""
    show_plan(at_newest(conf, env, lake, as_of, destination), destination, as_json=as_json)


def show_plan(installation: Installation, destination: str, *, as_json: bool = False) -> None:
    """Draw and print a destination's plan."""
    from goldenlake.reporting.plans import plan_text

    found = _drawn(installation, destination)
    text = plan_text(found, options=installation.options)
    show(text, lambda: asdict(found), as_json=as_json)


def show(text: RenderableType, found: Callable[[], object], *, as_json: bool) -> None:
    """What was found, for a person or for a program."""
    if as_json:
        print(json.dumps(found(), default=str))  # noqa: T201
    else:
        Console().print(text)


@looking.command(rich_help_panel=PANEL)
def approve(
    destination: DestinationName,
    plan: Annotated[str, typer.Option("--plan", help="Hash of the plan, as the held run says.")],
    reason: Annotated[str, typer.Option("--reason", help="Why this may be sent.")],
    by: Annotated[
        str | None, typer.Option("--by", help="Who decides; the login by default.")
    ] = None,
    as_of: AsOfOrNewest = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Let a held plan pass, if it is the plan as it stands; any other stays held."""
    from goldenlake.steps.plan import approve as let_pass

    decider = by or login()
    installation = at_newest(conf, env, lake, as_of, destination)
    found = _drawn(installation, destination)
    with installation.hinting():
        let_pass(
            installation.tables,
            found,
            plan,
            by=decider,
            reason=reason,
            at=installation.clock.now(),
        )
    told = (
        f"{destination}: plan {plan} is approved; send it with "
        f"`goldenlake activate --destination {destination} --as-of {found.as_of}`"
    )
    Console().print(with_options(told, installation.options), soft_wrap=True)


def at_newest(
    conf: Path,
    env: str,
    lake: str | None,
    as_of: datetime | None,
    destination: str,
    *,
    run_id: str | None = None,
) -> Installation:
    """Of the given day, else of the newest; what is not declared is told before Spark starts."""
    Installation.load(conf, env, lake, as_of=date.min).chosen_destinations([destination])
    return Installation.load_newest(conf, env, lake, as_of=as_of, run_id=run_id)


def _drawn(installation: Installation, destination: str) -> Plan:
    with installation.hinting():
        return stages.planner_of(installation, destination).run(installation.tables)


@looking.command(rich_help_panel=PANEL)
def replay(
    source: Annotated[str, typer.Argument(help="A source of conf/sources.")],
    as_of: AsOf,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Files that were good, too: after its tables were removed."),
    ] = False,
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
    files = set_back(installation.tables, source, run_id=installation.run_id, everything=everything)
    installation.progress(f"{len(files)} files of {source} are read again")
    finish(installation, lambda: stages.collect(installation, names))


@looking.command(rich_help_panel=PANEL)
def files(source: SourceNames = None, conf: Conf = CONF, env: Env = ENV, lake: Lake = None) -> None:
    """How far files have come, why the broken ones are, and which columns are not as declared."""
    from goldenlake.reporting.arrivals import arrivals_text
    from goldenlake.steps.files import read_files, standing_drift

    installation = Installation.load(conf, env, lake, as_of=SystemClock().now().date())
    names = installation.chosen_sources(source)
    found = [file for file in read_files(installation.tables) if file.source in names]
    Console().print(arrivals_text(found, standing_drift(installation.tables, found)))


@looking.command(rich_help_panel=PANEL)
def sql(
    query: Annotated[str, typer.Argument(help="A query over customers, purchases, interactions…")],
    generation: Annotated[
        int | None, typer.Option("--generation", help="An earlier one; the newest by default.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many rows to show.")] = 50,
    masked: Annotated[
        bool,
        typer.Option("--masked", help="Personal values as keyed pseudonyms, or not at all."),
    ] = False,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Ask the published gold tables, all of one generation, in Spark SQL. Reads only."""
    from pyspark.errors import AnalysisException

    from goldenlake.io.spark import forbid_paths
    from goldenlake.steps.reading import generation_views

    installation = Installation.load(conf, env, lake, as_of=SystemClock().now().date())
    with installation.hinting():
        if masked:
            # A table that is named by its path is not masked.
            forbid_paths(installation.tables.spark)
        mask = _mask(installation) if masked else None
        generation_views(installation.tables, generation, mask=mask)
        try:
            found = installation.tables.spark.sql(reading_only(query))
        except AnalysisException as error:
            # It speaks of the query and of names of columns, not of what is in them.
            told = str(error).strip().splitlines()[0]
            raise SetupError(
                told, mend="`goldenlake sql 'SHOW TABLES'` lists what can be asked."
            ) from error
    found.show(rows, truncate=False)


def _mask(installation: Installation) -> Callable[[str, DataFrame], DataFrame | None]:
    """Golden tables by the classes that are declared of their columns; no others.

    Raises PrivacyKeyUnfit.
    """
    from goldenlake.columns.masks import masked
    from goldenlake.steps.tombstones import secret_of

    catalogue = installation.catalogue
    key = secret_of(catalogue.environment.privacy.key)

    def mask(name: str, frame: DataFrame) -> DataFrame | None:
        if name not in catalogue.tables:
            return None
        classes = {each.name: each.personal for each in catalogue.tables[name].columns}
        return masked(frame, classes, key)

    return mask


def reading_only(query: str) -> str:
    """The query, in a form in which Spark refuses whatever would write.

    Only what gives rows can stand in brackets; SHOW and DESCRIBE cannot, but never write.
    """
    plain = query.strip().rstrip(";")
    if re.match(r"(?i)(show|describe|desc)\b", plain):
        return plain
    return f"SELECT * FROM (\n{plain}\n)"


def login() -> str:
    """Who runs the command. Raises SetupError."""
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise SetupError("This user has no name.", mend="Say who decides with --by.") from error
