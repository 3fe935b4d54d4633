"""``goldenlake doctor``: is this machine fit, and is what ``conf/env`` names there?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from goldenlake.cli.installation import PROJECT, Installation, SystemClock
from goldenlake.declarations.environment import FolderPlace
from goldenlake.errors import GoldenlakeError, PlaceUnreachable, SetupError

LEAST_FREE_BYTES = 5 * 2**30


@dataclass(frozen=True)
class Check:
    """One thing to look at; ``look`` gives what was found, or raises."""

    name: str
    look: Callable[[], str]


def examine(conf: Path, env: str, lake: str | None) -> bool:
    """Print every check with its finding and, where it fails, how to mend it; all are made."""
    console = Console(highlight=False)
    fit = True
    for check in _checks(conf, env, lake):
        try:
            console.print(f"[green]✓[/green] {check.name}: {escape(check.look())}", soft_wrap=True)
        except Exception as error:  # noqa: BLE001 - every check is made, whatever one meets
            fit = False
            told = str(error) if isinstance(error, GoldenlakeError) else repr(error)
            console.print(f"[red]✗ {check.name}[/red]: {escape(told)}", soft_wrap=True)
    return fit


def _checks(conf: Path, env: str, lake: str | None) -> list[Check]:
    checks = [
        Check("Python", _python),
        Check("Java", _java),
        Check("Delta JARs", _jars),
        Check("class archive", _archive),
        Check("Airflow environment", _airflow),
    ]
    try:
        installation = Installation.load(conf, env, lake, as_of=SystemClock().now().date())
    except GoldenlakeError as error:
        broken = error

        def refuse() -> str:
            raise broken

        return [*checks, Check("declarations", refuse)]
    catalogue = installation.catalogue

    def declared() -> str:
        return f"{len(catalogue.sources)} sources, {len(catalogue.destinations)} destinations"

    return [
        *checks,
        Check("declarations", declared),
        Check("disk", lambda: _disk(catalogue.environment.lake)),
        *(
            Check(f"place {name}", lambda name=name: _place(installation, name))  # type: ignore[misc]
            for name in catalogue.environment.places
        ),
        Check("Spark and Delta", lambda: _spark(installation)),
    ]


def _python() -> str:
    if sys.version_info[:2] != (3, 11):
        found = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SetupError(f"Python is {found}.", mend="Use 3.11, with `make setup`.")
    return sys.version.split()[0]


def _java() -> str:
    from goldenlake.io.java import java_home

    try:
        return str(java_home())
    except FileNotFoundError as error:
        raise SetupError(str(error), mend="Run `make setup`.") from error


def _jars() -> str:
    folder = Path(os.environ.get("GOLDENLAKE_JARS", PROJECT / ".jars"))
    found = sorted(folder.glob("*.jar"))
    if not found:
        raise SetupError(f"There are no JARs in {folder}.", mend="Run `make setup`.")
    return f"{len(found)} in {folder}"


def _archive() -> str:
    cache = Path(os.environ.get("GOLDENLAKE_CACHE", PROJECT / ".cache"))
    found = list((cache / "spark").glob("classes-*.jsa"))
    return "present" if found else "absent; Spark starts some seconds later. `make setup` makes it"


def _airflow() -> str:
    command = PROJECT / ".venv-airflow" / "bin" / "airflow"
    return "present" if command.exists() else "absent; `make setup-airflow` makes it"


def _disk(lake: str) -> str:
    from goldenlake.io.tables import local_folder

    folder = local_folder(lake)
    if folder is None:
        return "the lake is not on this machine"
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise SetupError(
            f"Only {free / 2**30:.1f} GB are free at {folder}.", mend="Free some, or move the lake."
        )
    return f"{free / 2**30:.0f} GB free"


def _place(installation: Installation, name: str) -> str:
    declared = installation.catalogue.environment.places[name]
    try:
        next(iter(installation.place(name).list("*")), None)
    except PlaceUnreachable as error:
        mend = f"Mend its address or its access, or correct places.{name} in conf/env."
        if isinstance(declared, FolderPlace):
            folder = installation.catalogue.root / Path(declared.path).expanduser()
            mend = f"Create it (`mkdir -p {folder}`), or correct places.{name} in conf/env."
        raise SetupError(f"{error}.", mend=mend) from error
    return f"{declared.kind}, answers"


def _spark(installation: Installation) -> str:
    spark = installation.tables.spark
    spark.sql("SELECT 1").collect()
    return f"Spark {spark.version} starts with the Delta JARs"
