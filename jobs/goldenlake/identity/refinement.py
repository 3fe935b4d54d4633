"""From components to people: what holds records together is weighed inside each component.

Records tied by declared identifiers are one group; a model then joins groups whose records, all of
them together, look like one person's. What a steward decided wins over both. A cluster is a
function of its component alone: of its records, its edges and the model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from goldenlake.identity.components import connected
from goldenlake.identity.matches import LIKELY, compared_columns, has_look, loaded
from goldenlake.identity.records import is_matchable

if TYPE_CHECKING:
    from goldenlake.identity.matching.model import Model
    from goldenlake.identity.matching.resolution import Resolution
    from goldenlake.identity.matching.scoring import Scorer

STEWARD, MUST, CANNOT = "steward", "must", "cannot"
CONNECTING = (MUST, "unique", "strong", LIKELY, "weak")
"""Strengths of edges that make components, strongest first; groups are made without matches."""
_HELD = (MUST, "unique")
"""What ties records even in a group that is too large."""
_OF_VALUES = ("unique", "strong", "weak")
"""Of ties that are a value's: it ties all who bear it, and is written as a star."""

CLUSTERS = "record_id string, component string, cluster string, link_group string, is_cut boolean"
CLUSTERS_ARROW = pa.schema(
    {
        "record_id": pa.string(),
        "component": pa.string(),
        "cluster": pa.string(),
        "link_group": pa.string(),
        "is_cut": pa.bool_(),
    }
)
TIE_LISTS = pa.list_(
    pa.struct(
        {
            "right_record": pa.string(),
            "strength": pa.string(),
            "weight": pa.float64(),
            "value_key": pa.int64(),
        }
    )
)
"""Of one record, those that begin at it; those of one value have one ``value_key``."""

Codes = NDArray[np.int64]


def connecting(edges: DataFrame) -> DataFrame:
    """The edges that make components."""
    return edges.where(F.col("strength").isin(list(CONNECTING)))


def tied(edges: DataFrame) -> DataFrame:
    """Edges as ties that begin at a record: (record_id) and what TIE_LISTS have."""
    return edges.select(
        F.col("left_record").alias("record_id"),
        "right_record",
        "strength",
        "weight",
        F.xxhash64("link_key").alias("value_key"),
    )


def clusters(
    records: DataFrame,
    edges: DataFrame,
    *,
    largest: int,
    columns: list[str],
    model: Broadcast[str] | None,
) -> DataFrame:
    """Components and the people within each: CLUSTERS' columns.

    A cluster is named by its smallest record id, and so is ``link_group``, the records that would
    be one person without a model: a cluster is one group or several.

    Args:
        records: (record_id) of whole components; with a model their ``profile``, too.
        edges: all that begin at these records, those that connect nothing too.
        largest: in a group of more records than this only ``unique`` identifiers link, and
            ``is_cut`` says so.
        columns: that the model compares.
        model: as JSON; without one, groups are people.
    """
    ties = (
        tied(edges)
        .groupBy("record_id")
        .agg(F.collect_list(F.struct(*TIE_LISTS.value_type.names)).alias("ties"))
    )
    is_compared = ~F.col("is_alone") & is_matchable() if columns else F.lit(False)
    looks = compared_columns(columns, is_compared)
    rows = (
        connected(records, connecting(edges))
        .join(ties, on="record_id", how="left")
        .select("component", "record_id", "ties", *looks)
    )
    return rows.repartition(F.col("component")).mapInArrow(
        partial(_clusters, largest, model), CLUSTERS
    )


def _clusters(
    largest: int,
    model: Broadcast[str] | None,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    found = [batch for batch in batches if batch.num_rows]
    if not found:
        return
    nodes = pa.Table.from_batches(found).sort_by("record_id")
    graph = Graph.of(nodes)
    group, is_cut = graph.groups(largest)
    joined = None if model is None else joined_groups(graph, group, nodes, loaded(model))
    cluster = group if joined is None else joined.clusters(group)
    named = told(nodes["record_id"].combine_chunks(), graph, cluster, group, is_cut)
    yield from named.to_batches(max_chunksize=50_000)


def told(
    ids: pa.Array, graph: Graph, cluster: Codes, group: Codes, is_cut: NDArray[np.bool_]
) -> pa.Table:
    """A graph's clusters as rows, with the ids of its records."""
    firsts = [ids.take(pa.array(first)) for first in (graph.component, cluster, group)]
    return pa.table([ids, *firsts, pa.array(is_cut)], schema=CLUSTERS_ARROW)


@dataclass(frozen=True)
class Graph:
    """Records as numbers in the order of their ids, and the ties between them."""

    count: int
    left: Codes
    right: Codes
    rank: Codes
    """Of the tie's strength in CONNECTING; beyond it for what connects nothing."""
    weight: NDArray[np.float64]
    value: Codes
    """Of which value the tie is, among those of its record and strength."""
    is_apart: NDArray[np.bool_]

    @classmethod
    def of(cls, nodes: pa.Table) -> Graph:
        """From (record_id, ties) in the order of the ids; ties begin at their record."""
        ids, lists = (nodes[name].combine_chunks() for name in ("record_id", "ties"))
        ties = pa.Table.from_struct_array(lists.flatten())
        left = np.repeat(np.arange(len(ids)), pc.fill_null(lists.value_lengths(), 0).to_numpy())
        return cls.between(ids, pa.array(left), ties)

    @classmethod
    def between(cls, ids: pa.Array, left: pa.Array, ties: pa.Table) -> Graph:
        """From ids in order and ties, as TIE_LISTS have them, with the numbers of the records that
        they begin at; those with an end that is not among the ids are left out.
        """
        right = pc.index_in(ties["right_record"].combine_chunks(), ids)
        # The other end of what connects nothing may lie in another component.
        here = pc.and_(pc.is_valid(left), pc.is_valid(right))
        ties, left, right = ties.filter(here), left.filter(here), right.filter(here)
        rank = pc.fill_null(pc.index_in(ties["strength"], pa.array(CONNECTING)), len(CONNECTING))
        return cls(
            count=len(ids),
            left=left.to_numpy().astype(np.int64),
            right=right.to_numpy().astype(np.int64),
            rank=rank.to_numpy().astype(np.int64),
            weight=pc.fill_null(ties["weight"], 0.0).to_numpy(),
            value=ties["value_key"].to_numpy(),
            is_apart=pc.equal(ties["strength"], CANNOT).to_numpy(zero_copy_only=False),
        )

    def with_matches(
        self, left: Codes, right: Codes, weight: NDArray[np.float64], is_likely: NDArray[np.bool_]
    ) -> Graph:
        """With the pairs that a model found among the same records."""
        rank = np.where(is_likely, CONNECTING.index(LIKELY), len(CONNECTING))
        return Graph(
            count=self.count,
            left=np.concatenate([self.left, np.minimum(left, right)]),
            right=np.concatenate([self.right, np.maximum(left, right)]),
            rank=np.concatenate([self.rank, rank]),
            weight=np.concatenate([self.weight, weight]),
            value=np.concatenate([self.value, np.zeros(len(left), dtype=np.int64)]),
            is_apart=np.concatenate([self.is_apart, np.zeros(len(left), dtype=np.bool_)]),
        )

    @cached_property
    def component(self) -> Codes:
        """For each record the first of its component."""
        return self._connected(self.rank < len(CONNECTING))

    @property
    def likely(self) -> Codes:
        """The ties that a model found."""
        return np.flatnonzero(self.rank == CONNECTING.index(LIKELY))

    def groups(self, largest: int) -> tuple[Codes, NDArray[np.bool_]]:
        """For each record the first of its group, and whether the group was too large."""
        ties = (self.rank < len(CONNECTING)) & (self.rank != CONNECTING.index(LIKELY))
        group = self._connected(ties)
        is_cut = np.bincount(group, minlength=self.count)[group] > largest
        held = np.isin(self.rank, [CONNECTING.index(strength) for strength in _HELD])
        ties &= held | ~is_cut[self.left]
        group = self._connected(ties)
        apart = np.unique(group[self.left[self.is_apart]])
        for first in apart.tolist():
            members = np.flatnonzero(group == first)
            group[members] = self._split(members, ties)
        return group, is_cut

    def _connected(self, ties: NDArray[np.bool_]) -> Codes:
        return first_of_each(
            _labels(self.count, self.left[ties], self.right[ties]), np.arange(self.count)
        )

    def _split(self, members: Codes, ties: NDArray[np.bool_]) -> list[int]:
        """The first member of each member's part, where some must not meet.

        Ties hold from the strongest on, as in Kruskal (1956), unless one would join two records
        that are held apart: so what gives way is the weakest link between them.
        """
        inside = np.isin(self.left, members)
        at = np.flatnonzero(inside & ties)
        of_value = np.isin(self.rank, [CONNECTING.index(strength) for strength in _OF_VALUES])
        columns = (self.rank, self.left, self.right, self.value, of_value)
        holding = map(Tie, *(column[at].tolist() for column in columns))
        apart = zip(
            self.left[inside & self.is_apart].tolist(),
            self.right[inside & self.is_apart].tolist(),
            strict=True,
        )
        return constrained(members.tolist(), holding, apart)


class Tie(NamedTuple):
    """What may join two records; in the order in which ties hold."""

    rank: int
    left: int
    right: int
    value: int = 0
    is_of_value: bool = False
    """Whether all are tied to each other who are tied to ``left`` by this value."""


def constrained(
    members: Iterable[int], ties: Iterable[Tie], apart: Iterable[tuple[int, int]]
) -> list[int]:
    """Parts that the ties make, in their order, without one that joins two held apart.

    Those whom a value ties to a record that they must not meet are tied to the first of themselves:
    so the parts are those that a tie of each pair would make. Gives for each member the smallest of
    its part.
    """
    part = {member: member for member in members}
    held: dict[int, set[int]] = defaultdict(set)
    for one, other in apart:
        held[one].add(other)
        held[other].add(one)
    inside = {member: [member] for member in part}
    refused: dict[tuple[int, int, int], int] = {}
    waiting = list(ties)
    heapify(waiting)
    while waiting:
        tie = heappop(waiting)
        kept, gone = sorted((part[tie.left], part[tie.right]))
        if kept == gone:
            continue
        if gone in held[kept]:
            if tie.is_of_value:
                first = refused.setdefault((tie.rank, tie.left, tie.value), tie.right)
                if first != tie.right:
                    heappush(waiting, tie._replace(left=first))
            continue
        for member in inside[gone]:
            part[member] = kept
        inside[kept] += inside.pop(gone)
        for enemy in held.pop(gone, set()):
            held[enemy].discard(gone)
            held[enemy].add(kept)
            held[kept].add(enemy)
    return list(part.values())


@dataclass(frozen=True)
class Joined:
    """What a model made of groups."""

    compared: Codes
    """The records that it looked at."""
    first: NDArray[np.int32]
    """For each group, by its first record, the place among them of the one that stands for it; -1
    where there is none."""
    found: Resolution
    """Over places among them."""

    def clusters(self, group: Codes) -> Codes:
        """For each record the first of its cluster."""
        label = group.copy()
        seen = self.first[label] >= 0
        label[seen] = group[self.compared[self.found.clusters.cluster[self.first[label[seen]]]]]
        return first_of_each(label, np.arange(len(group)))


def joined_groups(graph: Graph, group: Codes, nodes: pa.Table, model: Model) -> Joined | None:
    """As ``refined_groups``, of the records about which the model has something to say.

    ``nodes`` have the columns that the model compares.
    """
    from goldenlake.identity.matching.scoring import Scorer

    if not len(graph.likely):
        return None
    looks = nodes.select(list(model.matching.columns))
    compared = np.flatnonzero(has_look(looks) & _is_concerned(graph))
    scorer = Scorer.of(model, looks.take(pa.array(compared)))
    return refined_groups(graph, group, compared, scorer)


def refined_groups(graph: Graph, group: Codes, compared: Codes, scorer: Scorer) -> Joined | None:
    """Let a model join groups; None where nothing is likely.

    ``compared`` are the records that the scorer holds, in its order.
    """
    from goldenlake.identity.matching.clustering import Decisions
    from goldenlake.identity.matching.em import probability
    from goldenlake.identity.matching.resolution import refined

    likely = graph.likely
    if not len(likely):
        return None
    place = np.full(graph.count, -1, dtype=np.int32)
    place[compared] = np.arange(len(compared), dtype=np.int32)
    # A group is compared by those of its records that can be: the first stands for the others.
    members = compared[_is_concerned(graph)[compared]]
    first = np.full(graph.count, -1, dtype=np.int32)
    first[group[members][::-1]] = place[members][::-1]
    stands = first[group]
    apart = np.stack([stands[graph.left], stands[graph.right]], axis=1)[graph.is_apart]
    together = np.stack([stands[members], place[members]], axis=1)
    left, right = place[graph.left[likely]], place[graph.right[likely]]
    # A match of a record of which nothing is known now speaks for nobody.
    known = (left >= 0) & (right >= 0)
    found = refined(
        scorer,
        left[known],
        right[known],
        probability(graph.weight[likely][known]),
        scorer.model.matching.clustering,
        Decisions(together=together, apart=apart[(apart >= 0).all(axis=1)]),
    )
    return Joined(compared, first, found)


def _is_concerned(graph: Graph) -> NDArray[np.bool_]:
    """Of each record, whether its component holds anything likely."""
    concerned = np.zeros(graph.count, dtype=np.bool_)
    concerned[graph.component[graph.left[graph.likely]]] = True
    return concerned[graph.component]


def first_of_each(labels: Codes, order: Codes) -> Codes:
    """For each place the smallest of those with the same label."""
    smallest = np.full(labels.max(initial=-1) + 1, len(labels), dtype=np.int64)
    np.minimum.at(smallest, labels, order)
    return smallest[labels]


def _labels(count: int, left: Codes, right: Codes) -> Codes:
    links = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(count, count))
    _, labels = connected_components(links, directed=False)
    return np.asarray(labels, dtype=np.int64)
