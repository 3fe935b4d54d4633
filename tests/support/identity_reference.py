"""An independent judge of identity: the link rule and the life of ids, in plain Python.

Written from docs/guides/identity.md, not from the package; graphs are networkx's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

import networkx as nx

from goldenlake.declarations.identity import IdentityRules


@dataclass(frozen=True)
class Known:
    """A record as identity sees it."""

    record_id: str
    identifiers: Mapping[str, str] = field(default_factory=dict)
    traits: Mapping[str, str] = field(default_factory=dict)
    is_active: bool = True


def is_blocked(rules: IdentityRules, name: str, value: str) -> bool:
    rule = rules.identifiers[name]
    return value.lower() in {each.lower() for each in rule.block} or any(
        re.match(pattern, value) for pattern in rule.block_patterns
    )


def trait_of(record: Known, trait: str, rules: IdentityRules) -> str | None:
    if trait in record.traits:
        return record.traits[trait]
    value = record.identifiers.get(trait)
    if value is None or trait not in rules.identifiers or is_blocked(rules, trait, value):
        return None
    return value


def linked(records: list[Known], rules: IdentityRules) -> nx.Graph:
    """All active records, with an edge wherever one value ties two of them.

    Every tied pair has its edge, where the package draws stars: only components are comparable.
    Names agree here only when equal; worlds that are compared have no near-misses in them.
    """
    graph = nx.Graph()
    graph.add_nodes_from(record.record_id for record in records if record.is_active)
    groups: dict[tuple[str, str], list[Known]] = defaultdict(list)
    for record in records:
        if record.is_active:
            for name, value in record.identifiers.items():
                groups[name, value].append(record)
    for (name, value), group in groups.items():
        rule = rules.identifiers[name]
        if is_blocked(rules, name, value) or len(group) > rule.most_records:
            continue
        disputed = [
            trait
            for trait in rule.unless_differ
            if len({trait_of(record, trait, rules) for record in group} - {None}) > 1
        ]
        for one, other in combinations(group, 2):
            if all(
                trait_of(one, trait, rules) is not None
                and trait_of(one, trait, rules) == trait_of(other, trait, rules)
                for trait in disputed
            ):
                strengths = graph.get_edge_data(one.record_id, other.record_id, {}).get(
                    "strengths", set()
                )
                graph.add_edge(
                    one.record_id, other.record_id, strengths=strengths | {rule.strength}
                )
    return graph


def partition(records: list[Known], rules: IdentityRules) -> set[frozenset[str]]:
    """Who is one person: connected components, cut where they are too large."""
    graph = linked(records, rules)
    found = set()
    for component in nx.connected_components(graph):
        if len(component) <= rules.largest_cluster:
            found.add(frozenset(component))
            continue
        unique = nx.Graph()
        unique.add_nodes_from(component)
        unique.add_edges_from(
            (one, other)
            for one, other, strengths in graph.subgraph(component).edges(data="strengths")
            if "unique" in strengths
        )
        found |= {frozenset(part) for part in nx.connected_components(unique)}
    return found


def survivors(
    before: Mapping[str, str], since: Mapping[str, str], now: set[frozenset[str]]
) -> dict[frozenset[str], str]:
    """The old id that each part bears now; parts without one need a new id.

    ``before`` is record -> id, ``since`` id -> the day it was born.
    """
    held: dict[str, set[str]] = defaultdict(set)
    for record, customer in before.items():
        held[customer].add(record)
    claims: dict[frozenset[str], list[str]] = defaultdict(list)
    for customer, records in held.items():
        shares = [(len(records & part), part) for part in now if records & part]
        if shares:
            most = max(size for size, _ in shares)
            best = min(
                (part for size, part in shares if size == most),
                key=lambda part: min(records & part),
            )
            claims[best].append(customer)
    return {
        part: min(claimants, key=lambda customer: (since[customer], customer))
        for part, claimants in claims.items()
    }
