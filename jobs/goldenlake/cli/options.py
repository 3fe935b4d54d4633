"""Options that stand on many commands, each declared once."""

from __future__ import annotations

import shlex
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

Conf = Annotated[
    Path, typer.Option("--conf", envvar="GOLDENLAKE_CONF", help="Folder of the declarations.")
]
Env = Annotated[
    str, typer.Option("--env", envvar="GOLDENLAKE_ENV", help="Which conf/env/<name>.yml to use.")
]
Lake = Annotated[
    str | None,
    typer.Option("--lake", envvar="GOLDENLAKE_LAKE", help="The lake's URI, instead of conf/env's."),
]
AsOf = Annotated[
    datetime,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="The day that the run is for."),
]
AsOfOrNewest = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", formats=["%Y-%m-%d"], help="The day to look at; the newest one by default."
    ),
]
RunId = Annotated[
    str | None,
    typer.Option("--run-id", help="Name of the run in ops.runs; one is made up when left out."),
]
SourceNames = Annotated[
    list[str] | None, typer.Option("--source", help="Only this source; may be repeated.")
]

CONF = Path("conf")
ENV = "local"


def leading_to(conf: Path, env: str, lake: str | None) -> str:
    """The options with which a command that a person copies works on the same installation.

    The environment always stands among them: the person's shell may name another one.
    """
    options = ["--env", env]
    if conf != CONF:
        options += ["--conf", str(conf.absolute())]
    if lake:
        options += ["--lake", lake]
    return shlex.join(options)
