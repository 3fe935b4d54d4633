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


@given(TIES, st.sets(st.integers(0, 7).map(lambda at: f"r{at}")))
def test_nothing_stronger_than_the_tie_crosses_the_weakest_place(
    ties: list[tuple[int, int, str]], compared: set[str]
) -> None:
    graph = nx.Graph()
    for one, other, strength in ties:
        graph.add_edge(f"r{one}", f"r{other}", strength=strength, rank=RANK[strength])
    links = [
        Link(left=min(pair), right=max(pair), identifier="x", strength=of["strength"], rule="",
             linked_on=None)
        for *pair, of in graph.edges(data=True)
    ]  # fmt: skip

    def connected(least: int) -> nx.Graph:
        kept = nx.Graph((a, b) for a, b, of in graph.edges(data=True) if of["rank"] >= least)
        kept.add_nodes_from(graph)
        return kept

    def parts(least: int) -> list[set[str]]:
        found = nx.connected_components(connected(least))
        return [part & compared for part in found if part & compared]

    found = weakest(links, compared)
    # Over ever weaker ties, the last at which parts that can be compared still come together.
    joining = [rank for rank in range(5) if len(parts(rank + 1)) > len(parts(rank))]
    if not joining:
        assert found is None
        return
    assert found is not None
    assert RANK[found.tie.strength] == joining[0]
    stronger = connected(joining[0] + 1)
    assert not nx.has_path(stronger, found.left, found.right)
    assert {found.left, found.right} <= compared
    for end, record in ((found.tie.left, found.left), (found.tie.right, found.right)):
        assert record == end or end not in compared


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


def test_each_customer_is_asked_about_the_weakest_place_that_a_person_can_judge(
    lake: Any, spark: SparkSession
) -> None:
    edges = [
        edge("a", "b", "unique"),
        edge("b", "c", "weak"),
        edge("c", "d", "strong"),
        edge("a", "d", "doubtful", -1.0),
        edge("e", "f", "must"),
        edge("a", "e", "cannot"),
    ]
    edges += [edge("d", "w", "weak"), edge("g", "v", "unique"), edge("h", "v", "weak")]
    people = [
        {"record_id": each, "profile": {"email": "e", "city": "c"} if each in "abcdefgh" else {}}
        for each in "abcdefghvw"
    ]
    records = local_frame(spark, people, SYSTEM_TABLES["identity.records"].ddl)
    found = bridges(*lake(edges, {"1": "abcdw", "2": "ef", "3": "ghv"}), records)
    assert pairs(found) == [("b", "c", 4), ("h", "g", 2)]
    ends = {(row["left_end"], row["right_end"]) for row in found.collect()}
    assert ends == {("b", "c"), ("h", "v")}
