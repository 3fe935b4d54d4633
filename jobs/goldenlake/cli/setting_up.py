"""Commands that need no lake: checking, samples, schemas, the data dictionary.

They take the options that lead to an installation all the same, so that a command which a message
or a script ends with them is never refused; those that a command has no use for begin with ``_``.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from goldenlake.cli.options import CONF, ENV, Conf, Env, Lake
from goldenlake.errors import DeclarationError, ExitCode

PANEL = "Set-up"
setting_up = typer.Typer()


@setting_up.command(rich_help_panel=PANEL)
def check(conf: Conf = CONF, _env: Env = ENV, _lake: Lake = None) -> None:
    """Validate every declaration under conf/, without Spark; all problems at once."""
    from goldenlake.declarations.loader import check_conf

    problems = check_conf(conf)
    if (conf / "identity" / "matching.yml").is_file():
        # Compiled kernels, which take a second to load.
        from goldenlake.identity.matching.soundness import matching_problems

        problems = sorted({*problems, *matching_problems(conf.absolute())})
    if problems:
        raise DeclarationError(problems)
    Console(stderr=True).print(f"{conf}: every declaration is sound")


@setting_up.command(rich_help_panel=PANEL)
def doctor(conf: Conf = CONF, env: Env = ENV, lake: Lake = None) -> None:
    """Look whether this machine and what conf/env names are fit; say how to mend what is not."""
    from goldenlake.cli.doctor import examine

    raise typer.Exit(ExitCode.OK if examine(conf, env, lake) else ExitCode.DECLARATION)


@setting_up.command(rich_help_panel=PANEL)
def sample(
    out: Annotated[Path, typer.Option("--out", help="A folder that holds no sample yet.")],
    customers: Annotated[int, typer.Option("--customers", min=1)] = 2000,
    days: Annotated[int, typer.Option("--days", min=1)] = 3,
    seed: Annotated[int, typer.Option("--seed")] = 7,
    start: Annotated[
        datetime, typer.Option("--start", formats=["%Y-%m-%d"], help="The first day.")
    ] = datetime(2026, 1, 1),  # noqa: DTZ001 - only its date is used
    _conf: Conf = CONF,
    _env: Env = ENV,
    _lake: Lake = None,
) -> None:
    """Write what the outside world would drop on some days, with the truth about it apart."""
    from goldenlake.sample import SampleOptions, generate

    options = SampleOptions(customers=customers, days=days, seed=seed, out=out, start=start.date())
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sample", total=None)
        summary = generate(
            options,
            on_progress=lambda label, done, total: bar.update(
                task, description=label, completed=done, total=total
            ),
        )
    Console().print(f"{summary.total_rows:,} rows of {len(summary.rows)} sources under {out}")


@setting_up.command(rich_help_panel=PANEL)
def schemas(
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; conf/schemas by default.")
    ] = None,
    conf: Conf = CONF,
    _env: Env = ENV,
    _lake: Lake = None,
) -> None:
    """Write JSON Schemas of all declarations, for editors."""
    from goldenlake.declarations.json_schema import write_schemas

    for path in write_schemas(out or conf / "schemas"):
        Console().print(str(path))


@setting_up.command(rich_help_panel=PANEL)
def dictionary(
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path("docs/dictionary.md"),
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Write the data dictionary of the gold tables, from conf/tables and conf/groups."""
    from goldenlake.declarations.loader import load_catalogue
    from goldenlake.reporting.dictionary import data_dictionary

    declared = load_catalogue(conf, environment=env, lake=lake).tables.values()
    out.write_text(data_dictionary(declared), encoding="utf-8")
    Console().print(str(out))
