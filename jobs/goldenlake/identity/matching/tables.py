"""Tables of m or u over one comparison, or over several jointly.

A cell is a combination of levels. Cells fall into groups by which comparisons are missing; in each
group the probabilities sum to 1, so that a missing value adds nothing: it is neutral.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from goldenlake.identity.matching.arrays import Codes, Counts, Floats, Levels
from goldenlake.identity.matching.comparisons import Plan


@dataclass(frozen=True)
class Layout:
    """The cells of one table."""

    comparisons: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return int(np.prod(self.shape))

    @cached_property
    def levels(self) -> Counts:
        """The level of each comparison in each cell: (comparisons, cells)."""
        return np.indices(self.shape).reshape(len(self.shape), -1).astype(np.int64)

    @cached_property
    def groups(self) -> Counts:
        """The group of each cell; 0 where nothing is missing."""
        weights = 1 << np.arange(len(self.shape))
        return np.asarray(((self.levels == 0) * weights[:, None]).sum(axis=0), dtype=np.int64)


def layouts_of(plan: Plan) -> tuple[Layout, ...]:
    """The tables of a plan."""
    sizes = [len(comparison.kind.levels) for comparison in plan.comparisons]
    return tuple(Layout(table, tuple(sizes[at] for at in table)) for table in plan.tables)


def cells_of(levels: Levels, layouts: Sequence[Layout]) -> Codes:
    """The cell of each pair in each table, counted on from table to table: (pairs, tables)."""
    out = np.empty((len(levels), len(layouts)), dtype=np.int32)
    offset = 0
    for at, layout in enumerate(layouts):
        cell = np.zeros(len(levels), dtype=np.int32)
        for comparison, size in zip(layout.comparisons, layout.shape, strict=True):
            cell = cell * np.int32(size) + levels[:, comparison]
        out[:, at] = cell + offset
        offset += layout.cells
    return out


def marginal(counts: Floats, layout: Layout, axis: int, prior: Floats) -> Floats:
    """The distribution of one comparison of a table, missing left out.

    ``prior`` (levels without missing) are occurrences seen before any. The answer has a 1 for
    "missing", so that a product of marginals is right in every group.
    """
    size = layout.shape[axis]
    seen = np.bincount(layout.levels[axis], weights=counts, minlength=size)[1:] + prior
    return np.concatenate([[1.0], seen / seen.sum()])


def complete_marginal(table: Floats, layout: Layout, axis: int) -> Floats:
    """The levels of one comparison over cells in which nothing is missing; "missing" gets 0."""
    complete = layout.groups == 0
    size = layout.shape[axis]
    shares = np.bincount(layout.levels[axis][complete], weights=table[complete], minlength=size)
    return np.asarray(shares / shares.sum())


def product(marginals: Sequence[Floats], layout: Layout) -> Floats:
    """Cells of a table whose comparisons are independent."""
    cells = np.ones(layout.cells)
    for levels, each in zip(layout.levels, marginals, strict=True):
        cells *= each[levels]
    return cells


def normalised(weights: Floats, layout: Layout) -> Floats:
    """Weights of cells as probabilities within each group."""
    totals = np.bincount(layout.groups, weights=weights)
    return np.asarray(weights / totals[layout.groups])


def joint(counts: Floats, centre: Floats, strength: float, layout: Layout) -> Floats:
    """Observed cells, drawn towards ``centre`` as if ``strength`` more had been seen so."""
    return normalised(counts + strength * centre, layout)


def information(m: Floats, u: Floats, layout: Layout) -> Floats:
    """For each cell the bits that a match of the cell's group is expected to give.

    The Kullback-Leibler divergence of m from u within the group: it depends on what is missing,
    and not on whether the rest agrees.
    """
    totals = np.bincount(layout.groups, weights=m * np.log2(m / u))
    return np.asarray(totals[layout.groups])
