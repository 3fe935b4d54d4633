"""The ledger of files as a table for the terminal. Counts and paths only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table as Grid

from goldenlake.reporting.facts import DriftFacts

_COLOURS = {"broken": "red", "conformed": "green", "duplicate": "dim"}


class FileLike(Protocol):
    """What is told of a file."""

    @property
    def source(self) -> str:
        """The source that it belongs to."""

    @property
    def path(self) -> str:
        """Where it lay in its place."""

    @property
    def status(self) -> str:
        """How far it has come."""

    @property
    def file_on(self) -> date:
        """The day that it is about."""

    @property
    def records_read(self) -> int | None:
        """Records in it."""

    @property
    def records_quarantined(self) -> int | None:
        """Records that were set aside."""

    @property
    def error(self) -> str | None:
        """Why it is broken."""


def arrivals_text(files: Sequence[FileLike], drift: Sequence[DriftFacts] = ()) -> RenderableType:
    """A row for each source and status, then why files are broken, and how columns drift."""
    if not files:
        return "No file has been landed."
    grid = Grid(title="Files", title_justify="left")
    grid.add_column("source")
    grid.add_column("status")
    for column in ("files", "read", "quarantined"):
        grid.add_column(column, justify="right")
    grid.add_column("last day")
    for source, status in sorted({(file.source, file.status) for file in files}):
        own = [file for file in files if (file.source, file.status) == (source, status)]
        colour = _COLOURS.get(status, "yellow")
        grid.add_row(
            source,
            f"[{colour}]{status}[/{colour}]",
            f"{len(own):,}",
            f"{sum(file.records_read or 0 for file in own):,}",
            f"{sum(file.records_quarantined or 0 for file in own):,}",
            str(max(file.file_on for file in own)),
        )
    broken = [
        f"[red]broken[/red] {escape(file.error or f'{file.source}: {file.path}')}"
        for file in files
        if file.status == "broken"
    ]
    drifted = [
        f"[yellow]{each.kind}[/yellow] {escape(f'{each.source}: {each.column}')}, in "
        f"{each.files:,} of the newest files, since {each.since}"
        for each in drift
    ]
    return Group(grid, *broken, *drifted)
