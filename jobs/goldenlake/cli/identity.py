"""``goldenlake identity``: what matches records that share no identifier."""

from __future__ import annotations

import typer

PANEL = "Matching"
identity = typer.Typer(
    help="Look after the matching of records that share no identifier.", no_args_is_help=True
)


@identity.callback()
def _group() -> None:
    """Keeps the name of a single command."""
