"""From scored pairs to clusters: components, each refined by constrained average linkage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from goldenlake.declarations.matching import Clustering
from goldenlake.errors import ContradictoryDecisions
from goldenlake.identity.matching.arrays import Codes, Counts, Flags, Floats
from goldenlake.identity.matching.linkage import refine_all

HIGHER_EDGES = (0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)
"""Where a component is too large to be refined at once, lesser pairs connect no more."""


@dataclass(frozen=True)
class Decisions:
    """What must hold whatever the scores say; all of it may be absent."""

    together: Codes | None = None
    """(pairs, 2) Records that share a cluster."""
    apart: Codes | None = None
    """(pairs, 2) Records that do not."""
    exclusive: Codes | None = None
    """(records,) No two records of one number from 0 on share a cluster: a source in which every
    person stands once. -1 for records that this does not concern."""


@dataclass(frozen=True)
class Clusters:
    """The cluster and the component of every record, each named by its first record."""

    cluster: Codes
    component: Codes
    cut_higher: int
    """Components that were too large to be refined at once."""
    joins: Codes
    """(joins, 2) The first records of the two clusters that each join made one. A component's joins
    stand in their order."""
    means: Floats
    """(joins,) The mean probability between the two."""


@dataclass(frozen=True)
class Parts:
    """What connects records, and how far they are refined at once: labels, (records,) each."""

    component: Codes
    part: Codes
    """The component, or a part of one that is too large."""
    cut_higher: int
    """Components that were too large to be refined at once."""


def connected(count: int, left: Codes, right: Codes) -> Codes:
    """For each of ``count`` records the number of its component, from 0 on."""
    links = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(count, count))
    _, labels = connected_components(links, directed=False)
    return np.asarray(labels, dtype=np.int32)


def clustered(
    count: int,
    left: Codes,
    right: Codes,
    probabilities: Floats,
    settings: Clustering,
    decisions: Decisions | None = None,
    order: Counts | None = None,
    evidence: Floats | None = None,
    parts: Parts | None = None,
) -> Clusters:
    """Clusters of ``count`` records from the probabilities of distinct pairs.

    ``evidence`` (pairs,) says how much each pair counts in a mean, above 0 and up to 1: two
    records with little to compare say little about their clusters. Without it all count alike.
    ``order`` ranks the records (by their ids, say) and settles ties; without it the number of a
    record is its rank. ``parts`` are those of these records where they are known already. A
    cluster depends on its component alone. Raises ContradictoryDecisions where records that must
    share a cluster must not.
    """
    decisions = decisions or Decisions()
    ranks = np.arange(count) if order is None else np.asarray(order, dtype=np.int64)
    must, cannot = _pairs(decisions.together), _pairs(decisions.apart)
    exclusive = decisions.exclusive
    if exclusive is None:
        exclusive = np.full(count, -1, dtype=np.int32)
    bound = connected(count, must[:, 0], must[:, 1])
    _check(bound, cannot, exclusive)
    parts = parts or parts_of(count, left, right, probabilities, settings, decisions)
    part = parts.part

    by_part = np.lexsort((ranks, part)).astype(np.int32)
    place = np.empty(count, dtype=np.int32)
    place[by_part] = np.arange(count, dtype=np.int32)
    starts = np.searchsorted(part[by_part], np.arange(part.max(initial=-1) + 2))
    inside = part[left] == part[right]
    pairs, pair_starts, at = _sorted_pairs(place[left[inside]], place[right[inside]], starts)
    kept = part[cannot[:, 0]] == part[cannot[:, 1]]
    held, held_starts, _ = _sorted_pairs(place[cannot[kept, 0]], place[cannot[kept, 1]], starts)
    joins, means = np.full((count, 2), -1, dtype=np.int32), np.zeros(count)
    first = refine_all(
        starts,
        _first_place(bound, by_part),
        exclusive[by_part],
        pair_starts,
        pairs,
        probabilities[inside][at],
        (np.ones(len(left)) if evidence is None else evidence)[inside][at],
        held_starts,
        held,
        settings.cut,
        joins,
        means,
    )
    took_place = joins[:, 0] >= 0
    return Clusters(
        by_part[first][place],
        _named(parts.component, ranks),
        parts.cut_higher,
        by_part[joins[took_place]],
        means[took_place],
    )


def _pairs(pairs: Codes | None) -> Codes:
    if pairs is None:
        return np.zeros((0, 2), dtype=np.int32)
    return np.asarray(pairs, dtype=np.int32).reshape(-1, 2)


def _check(bound: Codes, cannot: Codes, exclusive: Codes) -> None:
    broken = int((bound[cannot[:, 0]] == bound[cannot[:, 1]]).sum())
    concerned = exclusive >= 0
    alike = np.stack([bound[concerned], exclusive[concerned]], axis=1)
    broken += len(alike) - len(np.unique(alike, axis=0))
    if broken:
        raise ContradictoryDecisions(pairs=broken)


def parts_of(
    count: int,
    left: Codes,
    right: Codes,
    probabilities: Floats,
    settings: Clustering,
    decisions: Decisions | None = None,
) -> Parts:
    """What the pairs, and those that must share a cluster, connect.

    In a component of more than ``most_dense`` records lesser pairs connect no more, until its parts
    are small enough; whom not even the highest tells apart is joined to nobody.
    """
    must = _pairs(decisions.together if decisions else None)
    component = part = np.zeros(count, dtype=np.int32)
    too_large: Flags = np.zeros(count, dtype=np.bool_)
    cut_higher = 0
    for edge in (settings.edge, *(edge for edge in HIGHER_EDGES if edge > settings.edge)):
        strong = (probabilities >= edge) & (part[left] == part[right])
        strong &= too_large[left] | (edge == settings.edge)
        unchanged = np.flatnonzero(~too_large) if edge > settings.edge else np.zeros(0, np.int64)
        names = _first_place(part[unchanged], np.arange(len(unchanged), dtype=np.int32))
        part = connected(
            count,
            np.concatenate([left[strong], must[:, 0], unchanged.astype(np.int32)]),
            np.concatenate([right[strong], must[:, 1], unchanged[names].astype(np.int32)]),
        )
        sizes = np.bincount(part, minlength=1)
        too_large = sizes[part] > settings.most_dense if count else too_large
        if edge == settings.edge:
            component, cut_higher = part, int((sizes > settings.most_dense).sum())
        if not too_large.any():
            return Parts(component, part, cut_higher)
    bound = connected(count, must[:, 0], must[:, 1])
    part = np.where(too_large, bound + part.max() + 1, part)
    return Parts(component, np.unique(part, return_inverse=True)[1].astype(np.int32), cut_higher)


def pairs_within(part: Codes, exclusive: Codes | None = None) -> tuple[Codes, Codes]:
    """All pairs of records of one part, smaller record first; see ``Decisions.exclusive``."""
    members = np.argsort(part, kind="stable").astype(np.int32)
    size = np.bincount(part)
    first = np.repeat(np.cumsum(size) - size, size)
    later = first + np.repeat(size, size) - np.arange(len(part)) - 1
    left = np.repeat(np.arange(len(part)), later)
    within = np.arange(len(left)) - np.repeat(np.cumsum(later) - later, later)
    one, other = members[left], members[left + 1 + within]
    if exclusive is not None:
        kept = (exclusive[one] < 0) | (exclusive[one] != exclusive[other])
        one, other = one[kept], other[kept]
    return one, other


def _first_place(labels: Codes, by_place: Codes) -> Codes:
    """For each place the first place whose record has the same label."""
    _, first, inverse = np.unique(labels[by_place], return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int32)


def _sorted_pairs(one: Codes, other: Codes, starts: Counts) -> tuple[Codes, Counts, Counts]:
    """Pairs of places in the order of their components, where each begins, and that order."""
    at = np.argsort(one, kind="stable")
    pairs = np.stack([one[at], other[at]], axis=1)
    return pairs, np.searchsorted(pairs[:, 0], starts), at


def _named(labels: Codes, ranks: Counts) -> Codes:
    """Labels replaced by the first record of each, in the order of the ranks."""
    by_rank = np.argsort(ranks, kind="stable").astype(np.int32)
    first = np.empty(len(labels), dtype=np.int32)
    first[by_rank] = by_rank[_first_place(labels, by_rank)]
    return first


def sizes(labels: Sequence[int] | Codes) -> Counts:
    """How many records each cluster has."""
    return np.asarray(np.unique(np.asarray(labels), return_counts=True)[1], dtype=np.int64)
