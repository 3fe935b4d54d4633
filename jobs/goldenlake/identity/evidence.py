"""Why records are one customer: its records, its links, and the path between any two of them.

Paths and bridges go over what connects; what was found too doubtful, and who must be apart, is told
with the rest of the links.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from goldenlake.errors import CustomerUnknown
from goldenlake.identity.ids import redirects
from goldenlake.identity.refinement import CONNECTING

_ORDER = {strength: at for at, strength in enumerate(CONNECTING)}


@dataclass(frozen=True, kw_only=True)
class Link:
    """One edge, with what speaks for it."""

    left: str
    right: str
    identifier: str
    strength: str
    rule: str
    linked_on: date | None
    weight: float | None = None
    """log2 odds of a match; None for all other links."""
    model: str | None = None
    """Version of the model that gave the weight."""
    link_key: str = ""
    """Stands for the value that both have; empty where it is no value that ties them."""
    is_bridge: bool = False
    """Whether the customer would fall apart without the tie between these two records."""

    @property
    def connects(self) -> bool:
        """Whether it makes its two records one component."""
        return self.strength in _ORDER

    @property
    def ends(self) -> frozenset[str]:
        """Its two records."""
        return frozenset((self.left, self.right))


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of one customer; small enough to hold in memory."""

    customer_id: str
    records: tuple[str, ...]
    links: tuple[Link, ...]

    def path(self, start: str, end: str) -> tuple[Link, ...]:
        """The shortest chain of links between two records, strongest first among equals.

        Empty where they are one record, or where no link inside this customer connects them.
        """
        return path(self.links, start, end)


def customer_named(who: str, customers: DataFrame, history: DataFrame) -> str:
    """Today's id of a record, or of a customer who may have been merged into another.

    Raises CustomerUnknown.
    """
    by_record = customer_of(customers, who)
    if by_record:
        return by_record
    if not customers.where(F.col("customer_id") == who).isEmpty():
        return who
    moved = redirects(history).where(F.col("customer_id") == who).first()
    if moved is None:
        raise CustomerUnknown(who)
    return str(moved[1])


def customer_of(customers: DataFrame, record_id: str) -> str | None:
    """The customer that a record belongs to now, or None."""
    row = customers.where(F.col("record_id") == record_id).select("customer_id").first()
    return row["customer_id"] if row else None


def evidence(customer_id: str, customers: DataFrame, edges: DataFrame) -> Evidence:
    """Records and links of one customer, from ``identity.customers`` and ``identity.edges``."""
    own = customers.where(F.col("customer_id") == customer_id).select("record_id")
    records = sorted(row["record_id"] for row in own.collect())
    found = links_among(own, edges)
    return Evidence(
        customer_id=customer_id, records=tuple(records), links=tuple(with_bridges(found))
    )


def links_among(records: DataFrame, edges: DataFrame) -> list[Link]:
    """All links between these records (record_id), as they are ``within`` them."""
    left = records.select(F.col("record_id").alias("left_record"), F.lit(True).alias("_is_own"))
    right = records.select(F.col("record_id").alias("right_record"))
    rows = (
        edges.join(F.broadcast(right), on="right_record", how="left_semi")
        .join(F.broadcast(left), on="left_record", how="left")
        .where("_is_own OR link_key != ''")
        .collect()
    )
    links = links_of(rows)
    own = {row["left_record"] for row in rows if row["_is_own"]} | {link.right for link in links}
    return within({end: end in own for link in links for end in link.ends}, links)


def within(part: Mapping[str, Hashable], links: Iterable[Link]) -> list[Link]:
    """The links inside the parts of their records.

    A value ties all who bear it, and is written as links to the first of them: where that one is of
    another part, they are tied to the first of their own.
    """
    found = []
    firsts: dict[tuple[Hashable, ...], str] = {}
    for link in sorted(links, key=lambda link: link.right):
        of = part[link.right]
        if part[link.left] == of:
            found.append(link)
        elif link.link_key:
            star = link.left, link.identifier, link.link_key, of
            first = firsts.setdefault(star, link.right)
            if first != link.right:
                found.append(replace(link, left=first))
    return found


def path(links: Iterable[Link], start: str, end: str) -> tuple[Link, ...]:
    """The shortest chain of links between two records; see ``Evidence.path``."""
    around = _around(sorted((link for link in links if link.connects), key=strongest_first))
    came: dict[str, Link | None] = {start: None}
    queue = deque([start])
    while queue and end not in came:
        at = queue.popleft()
        for link, other in around[at]:
            if other not in came:
                came[other] = link
                queue.append(other)
    if end not in came:
        return ()
    steps: list[Link] = []
    at, step = end, came[end]
    while step is not None:
        steps.append(step)
        at = step.left if step.right == at else step.right
        step = came[at]
    return tuple(reversed(steps))


def with_bridges(links: Sequence[Link]) -> list[Link]:
    """The links, strongest first, with those marked that alone hold two parts together.

    Two records tied by two identifiers are no bridge. Found with Tarjan's low-link numbers
    (1974), without recursion, since a chain may be long.
    """
    ties: dict[frozenset[str], list[Link]] = defaultdict(list)
    for link in links:
        if link.connects:
            ties[link.ends].append(link)
    around: dict[str, list[str]] = defaultdict(list)
    for tie in ties:
        one, other = sorted(tie)
        around[one].append(other)
        around[other].append(one)
    entered: dict[str, int] = {}
    low: dict[str, int] = {}
    bridges: set[frozenset[str]] = set()
    for root in sorted(around):
        if root in entered:
            continue
        entered[root] = low[root] = len(entered)
        stack = [(root, "", iter(around[root]))]
        while stack:
            at, parent, others = stack[-1]
            for other in others:
                if other == parent:
                    continue
                if other in entered:
                    low[at] = min(low[at], entered[other])
                    continue
                entered[other] = low[other] = len(entered)
                stack.append((other, at, iter(around[other])))
                break
            else:
                stack.pop()
                if parent:
                    low[parent] = min(low[parent], low[at])
                    if low[at] > entered[parent]:
                        bridges.add(frozenset((parent, at)))
    alone = {ends for ends in bridges if len(ties[ends]) == 1}
    marked = [replace(link, is_bridge=link.connects and link.ends in alone) for link in links]
    return sorted(marked, key=strongest_first)


def links_of(rows: Iterable[Row]) -> list[Link]:
    """Rows of ``identity.edges`` as links."""
    return [
        Link(
            left=row["left_record"],
            right=row["right_record"],
            identifier=row["identifier"],
            strength=row["strength"],
            rule=row["rule"],
            linked_on=row["linked_on"],
            weight=row["weight"],
            model=row["model"],
            link_key=row["link_key"],
        )
        for row in rows
    ]


def _around(links: Iterable[Link]) -> dict[str, list[tuple[Link, str]]]:
    around: dict[str, list[tuple[Link, str]]] = defaultdict(list)
    for link in links:
        around[link.left].append((link, link.right))
        around[link.right].append((link, link.left))
    return around


def strongest_first(link: Link) -> tuple[int, float, str, str, str]:
    """The order in which links are told, and in which those within a group hold."""
    strength = _ORDER.get(link.strength, len(_ORDER))
    return strength, -(link.weight or 0.0), link.left, link.right, link.identifier
