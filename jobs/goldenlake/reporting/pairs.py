"""Two records explained, in the terminal and as a page of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from goldenlake.declarations.decisions import Decision
from goldenlake.identity.apart import Scored, SharedKey, SharedValue
from goldenlake.identity.evidence import Link
from goldenlake.identity.matching.waterfall import Waterfall
from goldenlake.reporting.links import link_text, side_by_side
from goldenlake.reporting.page import environment
from goldenlake.reporting.waterfalls import bars, falls, share, text_bar

_TONES = {"good": "green", "bad": "red", "soft": "dim"}


@dataclass(frozen=True, kw_only=True)
class PairExplanation:
    """What is known of two records. Personal."""

    left: str
    right: str
    left_customer: str
    right_customer: str
    is_one_component: bool
    generation: int
    left_values: Mapping[str, str]
    right_values: Mapping[str, str]
    waterfall: Waterfall | None
    """None without a model, or where one of the two has too little to compare."""
    scored: Scored | None
    model: str | None
    """Version of the model at hand."""
    keys: Sequence[SharedKey]
    values: Sequence[SharedValue]
    links: Sequence[Link]
    """Directly between the two."""
    path: Sequence[Link]
    """Between the two, by way of others of their customer."""
    decisions: Sequence[Decision]
    """That are declared about the two."""
    apart: Sequence[str]
    """What keeps them apart; empty where they are one person."""

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.left_customer == self.right_customer:
            return f"one person, {self.left_customer}"
        return f"two people, {self.left_customer} and {self.right_customer}"

    @property
    def found_by(self) -> SharedKey | None:
        """The key under which the pair is looked at."""
        return next((key for key in self.keys if key.is_admitted), None)

    @property
    def compared(self) -> list[tuple[str, str, str]]:
        """The values side by side: (name, left, right)."""
        return side_by_side(self.left_values, self.right_values)

    @property
    def sections(self) -> list[tuple[str, list[str]]]:
        """What there is to tell besides values and weights: title and lines."""
        return [
            *([("what keeps them apart", list(self.apart))] if self.apart else []),
            ("ties between the two", [link_text(link) for link in self.links]),
            ("what connects them", [link_text(link) for link in self.path]),
            (
                "identifiers that both have",
                [f"{each.identifier} {each.value}: {each.outcome}" for each in self.values],
            ),
            ("decisions about them", [_decision(self, each) for each in self.decisions]),
            ("blocking keys that both have", [_key(self, key) for key in self.keys]),
            ("model", [self._model] if self.model else []),
        ]

    @property
    def _model(self) -> str:
        built = sorted({link.model for link in self.links if link.model} - {self.model})
        other = f"; their match in the lake is of model {', '.join(built)}" if built else ""
        mean = ""
        if self.scored and self.apart:
            mean = f"; mean between all records of both customers: {share(self.scored.mean)}"
        return f"version {self.model}{other}{mean}"


def pair_text(found: PairExplanation) -> RenderableType:
    """The explanation for a terminal."""
    root = Tree(
        f"[bold]{escape(found.left)} — {escape(found.right)}[/bold]: {escape(found.verdict)}, "
        f"in generation {found.generation}"
    )
    for title, lines in found.sections:
        branch = root.add(f"[bold]{title}[/bold]" if lines else f"[dim]{title}: none[/dim]")
        for line in lines:
            branch.add(escape(line))
    values = Table("", escape(found.left), escape(found.right), box=None, title="the two records")
    for row in found.compared:
        values.add_row(*(escape(text) for text in row))
    parts: list[RenderableType] = [root, "", values]
    if found.waterfall is not None:
        parts += ["", _weights(found.waterfall)]
    return Group(*parts)


def pair_page(found: PairExplanation) -> str:
    """The explanation as HTML: no script, no link to elsewhere; everything escaped."""
    rows = falls(found.waterfall) if found.waterfall else []
    chart, zero = bars(rows)
    return environment().get_template("pair.html.j2").render(pair=found, chart=chart, zero=zero)


def _weights(waterfall: Waterfall) -> Table:
    table = Table("", "level", box=None, title="match weight, log2 odds")
    table.add_column("bits", justify="right")
    table.add_column("sum", justify="right")
    table.add_column()
    chart, _ = bars(falls(waterfall))
    for bar in chart:
        row = bar.fall
        table.add_row(
            escape(row.label),
            escape(row.level),
            f"{row.bits:+.2f}",
            f"{row.end:+.2f}",
            f"[{_TONES[row.tone]}]{text_bar(bar)}[/]",
        )
    return table


def _key(found: PairExplanation, key: SharedKey) -> str:
    if not key.is_admitted:
        return f"{key.rule}: on {key.records} records, too many to make pairs"
    born = ", the rule that found the pair" if key == found.found_by else ""
    return f"{key.rule}: on {key.records} records{born}"


def _decision(found: PairExplanation, decision: Decision) -> str:
    word = "one person" if decision.is_must else "two people"
    in_force = any(link.rule == decision.rule for link in found.links)
    waits = "" if in_force else "; the next night will hear of it"
    return f"{word}: {decision.rule}{waits}"
