"""What stewards are asked about: the weakest place of a customer, and matches nobody is sure of."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from goldenlake.declarations.matching import Clustering
from goldenlake.identity.evidence import Link
from goldenlake.identity.review import bridges, uncertain, weakest
from goldenlake.io.tables import local_frame
from goldenlake.schemas import SYSTEM_TABLES

RANK = {"must": 4, "unique": 3, "strong": 2, "likely": 1, "weak": 0}
TIES = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7), st.sampled_from(sorted(RANK))).filter(
        lambda tie: tie[0] < tie[1]
    ),
    min_size=1,
    max_size=14,
    unique_by=lambda tie: tie[:2],
)


@given(TIES)
def test_nothing_stronger_than_the_weakest_tie_crosses_its_place(
    ties: list[tuple[int, int, str]],
) -> None:
    graph = nx.Graph()
    for one, other, strength in ties:
        graph.add_edge(f"r{one}", f"r{other}", strength=strength, rank=RANK[strength])
    graph = graph.subgraph(next(nx.connected_components(graph))).copy()
    links = [
        Link(left=min(pair), right=max(pair), identifier="x", strength=of["strength"], rule="",
             linked_on=None)
        for *pair, of in graph.edges(data=True)
    ]  # fmt: skip
    found, affected = weakest(links)
    tree = nx.maximum_spanning_tree(graph, weight="rank")
    assert RANK[found.strength] == min(of["rank"] for *_, of in tree.edges(data=True))
    stronger = [(one, other) for one, other, of in graph.edges(data=True)
                if of["rank"] > RANK[found.strength]]  # fmt: skip
    kept = nx.Graph(stronger)
    kept.add_nodes_from(graph)
    assert not nx.has_path(kept, found.left, found.right)
    assert 1 <= affected <= (len(graph) // 2) * (len(graph) - len(graph) // 2)


def edge(left: str, right: str, strength: str, weight: float | None = None) -> dict[str, Any]:
    identifier = "match" if weight is not None else "phone"
    if strength in ("must", "cannot"):
        identifier = "steward"
    return {"left_record": left, "right_record": right, "strength": strength, "weight": weight,
            "identifier": identifier, "rule": "r", "model": None}  # fmt: skip


@pytest.fixture
def lake(spark: SparkSession) -> Any:
    def frames(edges: list[dict[str, Any]], customers: dict[str, str]) -> tuple[Any, Any]:
        owners = [
            {"customer_id": customer, "record_id": record}
            for customer, records in customers.items()
            for record in records
        ]
        return tuple(
            local_frame(spark, rows, SYSTEM_TABLES[f"identity.{name}"].ddl)
            for name, rows in (("edges", edges), ("customers", owners))
        )

    return frames


def pairs(found: Any) -> list[tuple[str, str, int]]:
    rows = found.select("left_record", "right_record", "affected").collect()
    return sorted(tuple(row) for row in rows)


def test_of_two_customers_the_most_probable_pair_is_asked_unless_they_were_decided(
    lake: Any,
) -> None:
    edges = [
        edge("a", "d", "doubtful", -1.0),
        edge("b", "d", "doubtful", -0.5),
        edge("a", "e", "doubtful", -0.2),
        edge("b", "e", "cannot"),
        edge("a", "f", "likely", 9.0),
        edge("a", "b", "likely", 0.5),
        edge("b", "c", "likely", 1.5),
        edge("a", "c", "doubtful", -1.0),
        edge("g", "h", "likely", 0.5),
        edge("g", "h", "must"),
        edge("i", "j", "likely", 5.0),
    ]
    customers = {"1": "abc", "2": "d", "3": "e", "4": "f", "5": "gh", "6": "ij"}
    found = uncertain(*lake(edges, customers), Clustering())
    assert pairs(found) == [("a", "b", 2), ("b", "d", 3)]


def test_each_customer_is_asked_about_where_it_is_weakest(lake: Any) -> None:
    edges = [
        edge("a", "b", "unique"),
        edge("b", "c", "weak"),
        edge("c", "d", "strong"),
        edge("a", "d", "doubtful", -1.0),
        edge("e", "f", "must"),
        edge("a", "e", "cannot"),
    ]
    found = bridges(*lake(edges, {"1": "abcd", "2": "ef"}))
    assert pairs(found) == [("b", "c", 4)]
