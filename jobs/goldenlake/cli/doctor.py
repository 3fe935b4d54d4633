"""``goldenlake doctor``: is this machine fit, and is what ``conf/env`` names there?"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from goldenlake.cli.installation import PROJECT, Installation, SystemClock
from goldenlake.declarations.base import SecretReference
from goldenlake.declarations.connections import Connection, secrets_of
from goldenlake.declarations.environment import FolderPlace
from goldenlake.errors import GoldenlakeError, PlaceUnreachable, SetupError

LEAST_FREE_BYTES = 5 * 2**30
LOCK = PROJECT / "infra" / "setup" / "jars.lock"
SECONDS_TO_ANSWER = 5.0


class Lacking(Exception):
    """Something is absent that can be done without; the message says how to get it."""


@dataclass(frozen=True)
class Check:
    """One thing to look at; ``look`` gives what was found, or raises."""

    name: str
    look: Callable[[], str]


def examine(conf: Path, env: str, lake: str | None) -> bool:
    """Print every check with its finding and, where it fails, how to mend it; all are made.

    ✓ fit; ○ absent, and optional; ✗ unfit.
    """
    console = Console(highlight=False)
    fit = True
    for check in _checks(conf, env, lake):
        try:
            console.print(f"[green]✓[/green] {check.name}: {escape(check.look())}", soft_wrap=True)
        except Lacking as lacking:
            console.print(f"[dim]○[/dim] {check.name}: {escape(str(lacking))}", soft_wrap=True)
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
    from goldenlake.io.tables import local_folder

    catalogue = installation.catalogue
    environment = catalogue.environment

    def declared() -> str:
        return f"{len(catalogue.sources)} sources, {len(catalogue.destinations)} destinations"

    lake_uri, landing_uri = environment.lake, environment.landing
    key = environment.privacy.key
    is_local = local_folder(lake_uri) is not None
    return [
        *checks,
        *([] if is_local else [Check("S3A JARs", _s3_jars)]),
        Check("declarations", declared),
        *([Check("disk", lambda: _disk(lake_uri))] if is_local else []),
        *(
            Check(f"place {name}", partial(_place, installation, name))
            for name in environment.places
        ),
        *([Check("landing", partial(_landing, landing_uri))] if landing_uri else []),
        *(
            check
            for name, connection in environment.connections.items()
            for check in _connection(name, connection)
        ),
        *([Check("secret privacy.key", partial(_privacy_key, key))] if key else []),
        Check("Spark and Delta", lambda: _spark(installation)),
        *([] if is_local else [Check("lake", lambda: _lake(installation))]),
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
    return _locked("delta", _jars_folder(), mend="Run `make setup`.")


def _s3_jars() -> str:
    return _locked("s3", _jars_folder() / "s3", mend="Run `make setup-s3`.")


def _jars_folder() -> Path:
    return Path(os.environ.get("GOLDENLAKE_JARS", PROJECT / ".jars"))


def _locked(group: str, folder: Path, *, mend: str) -> str:
    """Whether a folder holds the JARs of a group of the lock, as they are locked, and no other."""
    lines = (line.split() for line in LOCK.read_text(encoding="utf-8").splitlines())
    locked = {words[2]: words[3] for words in lines if words[:1] == [group]}
    found = {path.name: path for path in folder.glob("*.jar")}
    faults = {
        "missing": sorted(locked.keys() - found.keys()),
        "not in the lock": sorted(found.keys() - locked.keys()),
        "not what was locked": sorted(
            name
            for name in locked.keys() & found.keys()
            if hashlib.sha256(found[name].read_bytes()).hexdigest() != locked[name]
        ),
    }
    told = "; ".join(f"{what}: {', '.join(names)}" for what, names in faults.items() if names)
    if told:
        raise SetupError(f"The JARs in {folder} are not those of {LOCK.name}: {told}.", mend=mend)
    return f"{len(found)} in {folder}, as locked"


def _archive() -> str:
    cache = Path(os.environ.get("GOLDENLAKE_CACHE", PROJECT / ".cache"))
    if list((cache / "spark").glob("classes-*.none")):
        raise Lacking("absent (optional): this Java records none; Spark starts some seconds later.")
    if not list((cache / "spark").glob("classes-*.jsa")):
        raise Lacking("absent (optional): Spark starts some seconds later. `make setup` makes it.")
    return "present"


def _airflow() -> str:
    if not (PROJECT / ".venv-airflow" / "bin" / "airflow").exists():
        raise Lacking("absent (optional): needed by the DAGs alone. `make setup-airflow` makes it.")
    return "present"


def _disk(lake: str) -> str:
    from goldenlake.io.tables import local_folder

    folder = local_folder(lake)
    assert folder is not None
    folder = _existing(folder)
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise SetupError(
            f"Only {free / 2**30:.1f} GB are free at {folder}.", mend="Free some, or move the lake."
        )
    return f"{free / 2**30:.0f} GB free"


def _existing(folder: Path) -> Path:
    """The folder, or the innermost one above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _place(installation: Installation, name: str) -> str:
    declared = installation.catalogue.environment.places[name]
    try:
        next(iter(installation.place(name).list("*")), None)
    except PlaceUnreachable as error:
        mend = f"Mend its address or its access, or correct places.{name} in conf/env."
        if isinstance(declared, FolderPlace):
            folder = installation.catalogue.root / Path(declared.path).expanduser()
            mend = f"Create it (`mkdir -p {folder}`), or correct places.{name} in conf/env."
        raise SetupError(f"It does not answer: {error.what}.", mend=mend) from error
    return f"{declared.kind}, answers"


def _landing(uri: str) -> str:
    """Whether something can be put there: what is tried leaves nothing behind."""
    from goldenlake.io.places.folder import Folder
    from goldenlake.io.places.paths import unfinished
    from goldenlake.io.places.s3 import prove_conditional_put, store_at
    from goldenlake.io.tables import local_folder

    folder, path = local_folder(uri), unfinished("doctor")
    try:
        if folder is None:
            prove_conditional_put(store_at("landing", uri))
        else:
            place = Folder("landing", _existing(folder))
            place.write(path, [])
            place.remove(path)
    except PlaceUnreachable as error:
        raise SetupError(
            f"Nothing can be put into {uri}: {error.what}.",
            mend="Mend its address or the access of this process, or correct landing in conf/env.",
        ) from error
    return f"{uri} can be written to"


def _connection(name: str, connection: Connection) -> list[Check]:
    """Of a connection, its hosts, and every secret of its own."""
    return [
        Check(f"connection {name}", partial(_hosts, name, connection)),
        *(
            Check(f"secret connections.{name}.auth.{key}", partial(_secret, reference))
            for key, reference in secrets_of(connection.auth).items()
        ),
    ]


def _hosts(name: str, connection: Connection) -> str:
    """Whether all that may be called let us in; nothing is sent, and nobody told who we are."""
    from goldenlake.io.api import addresses

    found = addresses(connection)
    for host, port in found:
        try:
            socket.create_connection((host, port), timeout=SECONDS_TO_ANSWER).close()
        except OSError as error:
            raise SetupError(
                f"{host}:{port} does not answer: {error.strerror or error}.",
                mend="Let this machine through to it (proxies of the environment are not used), or "
                f"correct connections.{name} in conf/env.",
            ) from error
    return f"{', '.join(f'{host}:{port}' for host, port in found)} reached"


def _secret(reference: SecretReference) -> str:
    """Whether it can be read, and nothing of it."""
    try:
        reference.reveal()
    except GoldenlakeError:
        raise
    except Exception as error:
        raise SetupError(
            f"secret {reference} cannot be read ({type(error).__name__}).",
            mend="Mend the access of this process to it, or correct the reference.",
        ) from error
    return f"{reference}, set"


def _privacy_key(key: SecretReference) -> str:
    from goldenlake.steps.tombstones import secret_of

    found = _secret(key)
    secret_of(key)
    return found


def _spark(installation: Installation) -> str:
    from goldenlake.io.spark import DELTA_EXTENSION, is_loadable

    spark = installation.tables.spark
    spark.sql("SELECT 1").collect()
    if not is_loadable(DELTA_EXTENSION):
        raise SetupError("Spark starts, but without Delta.", mend="Run `make setup`.")
    return f"Spark {spark.version} starts with Delta"


def _lake(installation: Installation) -> str:
    from goldenlake.io.tables import entries

    lake = installation.catalogue.environment.lake
    try:
        found = entries(installation.tables.spark, lake)
    except PlaceUnreachable as error:
        raise SetupError(
            f"{lake} does not answer: {error.what}.",
            mend="Correct lake in conf/env, its endpoint in spark.conf there, or the access of "
            "this process.",
        ) from error
    return f"{lake} answers, {'nothing is there yet' if found is None else f'{found} entries'}"
