"""Charts of a matching model as SVG: what each level weighs, and how a weight adds up.

They are made from the model's JSON alone, which holds levels and no values. Weights are bits: log2
of how many times commoner a level is among matches than among strangers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import log2
from typing import Any

from markupsafe import Markup

_ROW, _LABELS, _BARS, _VALUES = 20, 300, 380, 60
_WIDTH = _LABELS + _BARS + _VALUES
_START = "two records at random"
_AGAINST = -2.0
"""Bits from which on a level clearly speaks against a match."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A row of a chart."""

    label: str
    begins: float
    ends: float
    is_head: bool = False
    """Whether the row is but a heading."""


@dataclass(frozen=True)
class _Cell:
    levels: tuple[int, ...]
    m: float
    u: float

    @property
    def weight(self) -> float:
        return log2(self.m / self.u)


def level_weights(model: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Bits of each level of each comparison, where nothing of its table is missing.

    Levels of comparisons that are weighed together are summed over the others. How frequent a
    value is, which a score also counts, is not in it.
    """
    found: dict[str, dict[str, float]] = {}
    for table in model["tables"]:
        cells = list(_present(table))
        for axis, (name, levels) in enumerate(_axes(table)):
            found[name] = {
                level: log2(sum(cell.m for cell in own) / sum(cell.u for cell in own))
                for at, level in enumerate(levels)
                if (own := [cell for cell in cells if cell.levels[axis] == at])
            }
    return found


def sample_pair(model: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The weights of a made-up pair: it agrees as matches mostly do, and differs in one thing.

    That is the table in which matches differ most often. Gives what is weighed with its bits, from
    the prior on; their sum is the match weight.
    """
    steps = [(_START, log2(model["prior"] / (1 - model["prior"])))]
    tables = [(table, list(_present(table))) for table in model["tables"]]
    differing = [sum(cell.m for cell in cells if cell.weight < _AGAINST) for _, cells in tables]
    for at, (table, cells) in enumerate(tables):
        among = cells
        if differing[at] and at == differing.index(max(differing)):
            among = [cell for cell in cells if cell.weight < _AGAINST]
        usual = max(among, key=lambda cell: cell.m)
        words = (
            f"{name}: {levels[level]}"
            for (name, levels), level in zip(_axes(table), usual.levels, strict=True)
        )
        steps.append((", ".join(words), usual.weight))
    return steps


def weights_chart(model: Mapping[str, Any]) -> Markup:
    """A bar for each level, for and against a match."""
    bars = []
    for comparison, levels in level_weights(model).items():
        bars.append(Bar(label=comparison, begins=0, ends=0, is_head=True))
        bars += [Bar(label=level, begins=0, ends=bits) for level, bits in levels.items()]
    return _svg("Match weights by comparison and level, in bits", bars)


def waterfall(steps: Sequence[tuple[str, float]]) -> Markup:
    """How weights add up: each bar begins where the one before ended; the last is the sum."""
    bars, total = [], 0.0
    for label, bits in steps:
        bars.append(Bar(label=label, begins=total, ends=total + bits))
        total += bits
    probability = 1 / (1 + 2**-total)
    share = f"{probability:.1%}" if probability < 0.9995 else ">99.9%"
    bars.append(Bar(label=f"probability {share}", begins=0, ends=total))
    return _svg("How the weight of a pair adds up, in bits", bars)


def _axes(table: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str]]]:
    return zip(table["comparisons"], table["levels"], strict=True)


def _present(table: Mapping[str, Any]) -> Iterator[_Cell]:
    """The cells in which nothing is missing: that is level 0 of each comparison."""
    every = product(*(range(len(levels)) for levels in table["levels"]))
    for levels, m, u in zip(every, table["m"], table["u"], strict=True):
        if all(levels):
            yield _Cell(levels, m, u)


def _svg(title: str, bars: Sequence[Bar]) -> Markup:
    ends = [0.0, *(end for bar in bars for end in (bar.begins, bar.ends))]
    least, most = min(ends), max(ends)
    scale = _BARS / ((most - least) or 1)

    def x(bits: float) -> float:
        return _LABELS + (bits - least) * scale

    height = _ROW * len(bars)
    zero = Markup('<path class="zero" d="M{:.1f} 0V{}"/>').format(x(0), height)
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img"><title>{}</title>{}{}</svg>'
    ).format(_WIDTH, height, title, zero, Markup().join(_rows(bars, x)))


def _rows(bars: Iterable[Bar], x: Callable[[float], float]) -> Iterator[Markup]:
    for at, bar in enumerate(bars):
        middle = at * _ROW + _ROW * 0.7
        if bar.is_head:
            yield Markup('<text class="head" y="{:.0f}">{}</text>').format(middle, bar.label)
            continue
        left, right = sorted((x(bar.begins), x(bar.ends)))
        bits = bar.ends - bar.begins
        yield Markup(
            '<text x="12" y="{:.0f}">{}</text><rect class="{}" x="{:.1f}" y="{}" width="{:.1f}" '
            'height="{}"/><text class="bits" x="{}" y="{:.0f}">{}</text>'
        ).format(
            middle,
            bar.label,
            "for" if bits >= 0 else "against",
            left,
            at * _ROW + 4,
            max(right - left, 1),
            _ROW - 8,
            _WIDTH,
            middle,
            f"{bits:+.1f}".replace("-", "−"),
        )
