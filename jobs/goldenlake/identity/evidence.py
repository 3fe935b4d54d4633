"""Why records are one customer: its records, its links, and the path between any two of them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

STRENGTHS = ("unique", "strong", "weak")
_ORDER = {strength: at for at, strength in enumerate(STRENGTHS)}


@dataclass(frozen=True, kw_only=True)
class Link:
    """One edge, with what speaks for it."""

    left: str
    right: str
    identifier: str
    strength: str
    rule: str
    linked_on: date | None
    is_bridge: bool = False
    """Whether the customer would fall apart without the tie between these two records."""


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


def customer_of(customers: DataFrame, record_id: str) -> str | None:
    """The customer that a record belongs to now, or None."""
    row = customers.where(F.col("record_id") == record_id).select("customer_id").first()
    return row["customer_id"] if row else None


def evidence(customer_id: str, customers: DataFrame, edges: DataFrame) -> Evidence:
    """Records and links of one customer, from ``identity.customers`` and ``identity.edges``."""
    own = customers.where(F.col("customer_id") == customer_id).select("record_id")
    records = sorted(row["record_id"] for row in own.collect())
    inside = own.withColumnRenamed("record_id", "left_record")
    other = own.withColumnRenamed("record_id", "right_record")
    rows = (
        edges.join(F.broadcast(inside), on="left_record", how="left_semi")
        .join(F.broadcast(other), on="right_record", how="left_semi")
        .collect()
    )
    return Evidence(
        customer_id=customer_id, records=tuple(records), links=tuple(with_bridges(_links(rows)))
    )


def path(links: Iterable[Link], start: str, end: str) -> tuple[Link, ...]:
    """The shortest chain of links between two records; see ``Evidence.path``."""
    around = _around(sorted(links, key=_rank))
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
        ties[frozenset((link.left, link.right))].append(link)
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
    marked = [
        Link(
            left=link.left,
            right=link.right,
            identifier=link.identifier,
            strength=link.strength,
            rule=link.rule,
            linked_on=link.linked_on,
            is_bridge=frozenset((link.left, link.right)) in bridges
            and len(ties[frozenset((link.left, link.right))]) == 1,
        )
        for link in links
    ]
    return sorted(marked, key=_rank)


def _links(rows: Iterable[Row]) -> list[Link]:
    return [
        Link(
            left=row["left_record"],
            right=row["right_record"],
            identifier=row["identifier"],
            strength=row["strength"],
            rule=row["rule"],
            linked_on=row["linked_on"],
        )
        for row in rows
    ]


def _around(links: Iterable[Link]) -> dict[str, list[tuple[Link, str]]]:
    around: dict[str, list[tuple[Link, str]]] = defaultdict(list)
    for link in links:
        around[link.left].append((link, link.right))
        around[link.right].append((link, link.left))
    return around


def _rank(link: Link) -> tuple[int, str, str, str]:
    return _ORDER.get(link.strength, len(_ORDER)), link.left, link.right, link.identifier
