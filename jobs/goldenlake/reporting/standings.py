"""How a destination stands, as tables for the terminal. Counts, customer ids and reasons only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table as Grid


def grid_text(rows: Sequence[Mapping[str, Any]], *, title: str, nothing: str) -> RenderableType:
    """Rows under their names; ``nothing`` where there are none."""
    if not rows:
        return f"[bold]{escape(title)}[/bold]: {escape(nothing)}"
    grid = Grid(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in rows[0]:
        grid.add_column(name, overflow="fold")
    for row in rows:
        grid.add_row(*(escape("" if value is None else str(value)) for value in row.values()))
    return grid


def person_text(
    destination: str,
    customer_id: str,
    *,
    decisions: Sequence[Mapping[str, Any]],
    ledger: Sequence[Mapping[str, Any]],
    rejects: Sequence[Mapping[str, Any]],
    absent_from: Sequence[str],
    objections: Sequence[str],
) -> RenderableType:
    """Every decision on one person's way to a destination."""
    told: list[RenderableType] = [
        grid_text(
            decisions,
            title=f"{customer_id} at {destination}: what the plan decides",
            nothing="nothing; in no segment, and no record of ours",
        )
    ]
    if absent_from:
        told.append(f"not a member of: {escape(', '.join(absent_from))}")
    told += [f"[red]guard[/red] holds everybody back: {escape(each)}" for each in objections]
    told.append(grid_text(ledger, title="what was answered", nothing="nothing was ever sent"))
    told.append(grid_text(rejects, title="what was refused", nothing="nothing"))
    return Group(*told)
