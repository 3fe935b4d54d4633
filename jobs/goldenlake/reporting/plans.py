"""A plan as a table for the terminal. Counts and customer ids only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table as Grid
from rich.text import Text

_NUMBERS = ("members", "add", "update", "remove", "same", "held", "calls", "min")


class SegmentPlanLike(Protocol):
    """What is told of one segment."""

    @property
    def segment(self) -> str:
        """Its name."""

    @property
    def members(self) -> int:
        """How many are in it."""

    @property
    def added(self) -> int:
        """Not there yet."""

    @property
    def updated(self) -> int:
        """There, with other values."""

    @property
    def removed(self) -> int:
        """There, and no longer to be."""

    @property
    def unchanged(self) -> int:
        """There as they should be."""

    @property
    def held_back(self) -> Mapping[str, int]:
        """Members who may not be sent, by reason."""

    @property
    def calls(self) -> int:
        """Calls that sending takes."""

    @property
    def minutes(self) -> float | None:
        """How long, where the destination tells its rate."""

    @property
    def entered(self) -> int:
        """Members who were none the day before."""

    @property
    def exited(self) -> int:
        """Members of the day before who are none now."""

    @property
    def overlap(self) -> Mapping[str, int]:
        """Members whom it shares with other segments of the destination."""

    @property
    def changed_fields(self) -> Mapping[str, int]:
        """In how many of the updates a field is another."""

    @property
    def samples(self) -> Mapping[str, Sequence[str]]:
        """Some customer ids of each action."""


class PlanLike(Protocol):
    """What is told of a plan."""

    @property
    def destination(self) -> str:
        """Where it goes."""

    @property
    def as_of(self) -> date:
        """The day that it is for."""

    @property
    def plan_hash(self) -> str:
        """What an approval names."""

    @property
    def segments(self) -> Sequence[SegmentPlanLike]:
        """One plan a segment."""

    @property
    def in_flight(self) -> int:
        """Records of an interrupted delivery."""

    @property
    def is_approved(self) -> bool:
        """Whether a person let it pass."""

    @property
    def objections(self) -> Sequence[str]:
        """What the guards object to."""


def plan_text(plan: PlanLike, *, options: str = "--env local") -> RenderableType:
    """What an export would do, a row a segment, then why people are held back.

    ``options`` stand in the command that approves it.
    """
    grid = Grid(
        title=f"{plan.destination}, {plan.as_of}: plan {plan.plan_hash}",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )  # narrow: nine columns are to fit a terminal of 80
    grid.add_column("segment", overflow="fold")
    for column in _NUMBERS:
        grid.add_column(column, justify="right")
    notes: list[str] = []
    for each in plan.segments:
        minutes = "" if each.minutes is None else f"{each.minutes:.1f}"
        held = sum(each.held_back.values())
        numbers = (
            each.members, each.added, each.updated, each.removed, each.unchanged, held, each.calls,
        )  # fmt: skip
        grid.add_row(each.segment, *(f"{number:,}" for number in numbers), minutes)
        reasons = ", ".join(f"{why} {count:,}" for why, count in sorted(each.held_back.items()))
        if reasons:
            notes.append(f"{each.segment}: held back: {reasons}")
        if each.entered or each.exited:
            notes.append(f"{each.segment}: entered {each.entered:,}, exited {each.exited:,}")
        changed = ", ".join(f"{name} {count:,}" for name, count in each.changed_fields.items())
        if changed:
            notes.append(f"{each.segment}: updates change {changed}")
        shared = ", ".join(f"{name} {count:,}" for name, count in sorted(each.overlap.items()))
        if shared:
            notes.append(f"{each.segment}: shares members with {shared}")
        for action, ids in each.samples.items():
            if ids:
                notes.append(f"{each.segment}: {action}, for example {', '.join(ids)}")
    told: list[RenderableType] = [escape(note) for note in notes]
    told += [f"[red]guard[/red] {escape(objection)}" for objection in plan.objections]
    if plan.objections and plan.is_approved:
        told.append("[green]approved[/green]")
    elif plan.objections:
        command = (
            f"goldenlake approve {options} {plan.destination} --plan {plan.plan_hash} "
            f"--as-of {plan.as_of} --reason …"
        )
        # In one piece, whatever the width: it is there to be copied.
        whole = Text(command, no_wrap=True, overflow="ignore")
        told += ["[red]held[/red] until a person approves it:", whole]
    if plan.in_flight:
        told.append(f"{plan.in_flight:,} records of an interrupted delivery are finished first")
    return Group(grid, *told)
