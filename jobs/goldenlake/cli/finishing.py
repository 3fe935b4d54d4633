"""How a command that runs stages ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from goldenlake.cli import stages
from goldenlake.cli.installation import Installation
from goldenlake.ports import StepResult


def finish(installation: Installation, run: Callable[[], Sequence[StepResult]]) -> None:
    """Run, note it in ``ops.runs`` however it ends, and end with the code of its results."""
    with installation.kept_runs():
        results = run()
    raise typer.Exit(stages.code_of(results))
