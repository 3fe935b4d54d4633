"""Options that stand on many commands, each declared once."""

from __future__ import annotations

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
RunId = Annotated[
    str | None,
    typer.Option("--run-id", help="Name of the run in ops.runs; one is made up when left out."),
]
SourceNames = Annotated[
    list[str] | None, typer.Option("--source", help="Only this source; may be repeated.")
]

CONF = Path("conf")
ENV = "local"
