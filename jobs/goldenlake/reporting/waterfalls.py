"""The waterfall of a match weight, as rows of a table and as bars of a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goldenlake.identity.matching.waterfall import Step, Waterfall

_WIDE = 24
"""Characters of a bar in the terminal."""


@dataclass(frozen=True)
class Fall:
    """One row: a step, or the total at the end."""

    label: str
    level: str
    bits: float
    start: float
    """Where its bar begins, in bits: the sum of the steps before it."""

    @property
    def end(self) -> float:
        """The sum, this step included."""
        return self.start + self.bits

    @property
    def tone(self) -> str:
        """Whether it speaks for one person (good), against it (bad), or neither (soft)."""
        return "soft" if abs(self.bits) < 0.05 else "good" if self.bits > 0 else "bad"


@dataclass(frozen=True)
class Bar:
    """A fall in a chart; lengths in percent of the chart's width."""

    fall: Fall
    at: float
    width: float


def falls(waterfall: Waterfall) -> list[Fall]:
    """The rows of a waterfall, with the total as the last."""
    rows: list[Fall] = []
    total = 0.0
    for step in waterfall.steps:
        rows.append(Fall(_label(step), ", ".join(step.levels), step.bits, total))
        total += step.bits
    said = f"probability {share(waterfall.probability)}"
    return [*rows, Fall("together", said, waterfall.weight, 0.0)]


def bars(rows: Sequence[Fall]) -> tuple[list[Bar], float]:
    """Rows as bars of a chart, and where its zero is; both in percent."""
    ends = [0.0, *(end for row in rows for end in (row.start, row.end))]
    low, span = min(ends), max(max(ends) - min(ends), 1.0)

    def scaled(bits: float) -> float:
        return round(100 * (bits - low) / span, 2)

    found = [
        Bar(row, scaled(min(row.start, row.end)), round(100 * abs(row.bits) / span, 2))
        for row in rows
    ]
    return found, scaled(0.0)


def text_bar(bar: Bar) -> str:
    """The bar as blocks, for a terminal."""
    before = round(bar.at * _WIDE / 100)
    length = max(1, round(bar.width * _WIDE / 100))
    return " " * before + "█" * length


def share(probability: float) -> str:
    """A probability that says neither 0 nor 100% of what is not certain."""
    if probability < 0.0001:
        return "< 0.01%"
    if probability > 0.9999:
        return "> 99.99%"
    return f"{probability:.2%}" if not 0.01 < probability < 0.99 else f"{probability:.1%}"


def _label(step: Step) -> str:
    names = ", ".join(step.comparisons)
    return {
        "prior": "two records at random",
        "comparison": names,
        "frequency": f"how rare {names} is",
        "household": "may be two of one household",
    }[step.kind]
