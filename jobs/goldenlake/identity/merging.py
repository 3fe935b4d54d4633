"""How a customer came together: which merges made it, and the tie behind each.

The component is refined once more, by the very code that resolve runs: so what is told is what was
done, as long as the model and the component are those of the build.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from goldenlake.identity.evidence import Link, strongest_first, within
from goldenlake.identity.matches import DOUBTFUL, LIKELY, MATCH
from goldenlake.identity.matching.model import Model
from goldenlake.identity.refinement import TIE_LISTS, Codes, Graph, Joined, joined_groups

UNBLOCKED = "compared because others tie them; they share no admitted blocking key"
"""The rule of a bridge that no edge tells of."""


@dataclass(frozen=True, kw_only=True)
class Merge:
    """Two parts that became one."""

    left: tuple[str, ...]
    """Records of the part that begins earlier, in order."""
    right: tuple[str, ...]
    bridge: Link
    """The strongest tie between the two."""
    probability: float | None = None
    """The mean between the two parts by which a model joined them; None where an identifier or a
    decision did."""


@dataclass(frozen=True)
class Component:
    """The records of one component and all links among them, small enough to hold in memory."""

    records: pa.Table
    """``record_id`` in order, and the columns that the model compares, null where a record is not
    matched."""
    links: Sequence[Link]
    largest: int
    """Records of a group in which more than unique identifiers link."""
    model: Model | None = None

    @property
    def ids(self) -> list[str]:
        """Of the records."""
        return list(self.records["record_id"].to_pylist())


def merges(component: Component) -> list[Merge]:
    """All merges inside a component: by identifiers and decisions, then by the model.

    Ties merge from the strongest on, joins of the model stand in their order. Each customer of the
    component is the outcome of those merges that are about its records; a merge of two parts comes
    after those that made the parts.
    """
    ids = component.ids
    ties = _ties(component)
    nodes = component.records
    graph = Graph.of(nodes.append_column("ties", ties))
    group, _ = graph.groups(component.largest)
    of = dict(zip(ids, group.tolist(), strict=True))
    found = list(_by_ties(of, component.links))
    if component.model is not None:
        joined = joined_groups(graph, group, nodes, component.model)
        if joined is not None:
            found += _by_model(ids, group, joined, component)
    return found


def _ties(component: Component) -> pa.Array:
    """For each record the ties that begin at it."""
    ties: dict[str, list[Mapping[str, object]]] = {record: [] for record in component.ids}
    values = {key: at for at, key in enumerate({link.link_key for link in component.links})}
    for link in component.links:
        tie = {"right_record": link.right, "strength": link.strength, "weight": link.weight}
        ties[link.left].append(tie | {"value_key": values[link.link_key]})
    return pa.array(list(ties.values()), TIE_LISTS)


def _by_ties(group: Mapping[str, int], links: Sequence[Link]) -> Iterator[Merge]:
    """Kruskal's order within the groups: a tie between two parts of one group was never refused."""
    part: dict[str, tuple[str, ...]] = {record: (record,) for record in group}
    for link in sorted(within(group, links), key=strongest_first):
        if not link.connects or link.strength == LIKELY:
            continue
        left, right = sorted((part[link.left], part[link.right]))
        if left == right:
            continue
        yield Merge(left=left, right=right, bridge=link)
        part |= dict.fromkeys(left + right, tuple(sorted(left + right)))


def _by_model(
    ids: Sequence[str], group: Codes, joined: Joined, component: Component
) -> Iterator[Merge]:
    parts: dict[int, tuple[str, ...]] = {}
    for first in np.unique(group).tolist():
        if (place := int(joined.first[first])) >= 0:
            parts[place] = tuple(ids[at] for at in np.flatnonzero(group == first).tolist())
    compared = [ids[at] for at in joined.compared.tolist()]
    bridges = _Bridges(compared, joined, component)
    clusters = joined.found.clusters
    for (kept, gone), mean in zip(clusters.joins.tolist(), clusters.means.tolist(), strict=True):
        left, right = parts[kept], parts.pop(gone)
        yield Merge(left=left, right=right, probability=mean, bridge=bridges.between(left, right))
        parts[kept] = tuple(sorted(left + right))


class _Bridges:
    """The most probable pair between two parts."""

    def __init__(self, compared: Sequence[str], joined: Joined, component: Component) -> None:
        assert component.model is not None
        self._model = component.model
        self._known = {
            (link.left, link.right): link for link in component.links if link.identifier == MATCH
        }
        found = joined.found
        self._weights = {
            (compared[one], compared[other]): weight
            for one, other, weight in zip(
                found.left.tolist(), found.right.tolist(), found.weights.tolist(), strict=True
            )
        }

    def between(self, left: Sequence[str], right: Sequence[str]) -> Link:
        pairs = [
            pair
            for one in left
            for other in right
            if (pair := (min(one, other), max(one, other))) in self._weights
        ]
        best = min(pairs, key=lambda pair: (-self._weights[pair], pair))
        if best in self._known:
            return self._known[best]
        weight = self._weights[best]
        edge = self._model.matching.clustering.edge
        return Link(
            left=best[0],
            right=best[1],
            identifier=MATCH,
            strength=LIKELY if weight >= np.log2(edge / (1 - edge)) else DOUBTFUL,
            rule=UNBLOCKED,
            linked_on=None,
            weight=weight,
            model=self._model.version,
        )
