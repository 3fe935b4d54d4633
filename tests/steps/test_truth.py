"""Customers of a lake against the planted truth: by links alone, with a model, and in parts."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from goldenlake.sample.truth import RECORDS
from goldenlake.steps.demonstration import accuracy_lines
from goldenlake.steps.truth import MeasureAccuracy, truth_accuracy
from support.frames import Frames

DAY = date(2026, 1, 3)
IDENTITY = ("identity.records", "identity.customers", "identity.edges")
SYSTEMS = {"crm": "crm", "erp": "erp", "clicks": "web", "tills": "shops"}


def record(source: str, key: str, **identifiers: str) -> dict[str, Any]:
    pairs = [{"name": name, "value": value} for name, value in sorted(identifiers.items())]
    return {
        "record_id": f"{source}:{key}", "source": source, "source_key": key,
        "identifiers": pairs, "is_active": True,
    }  # fmt: skip


def edge(left: str, right: str, identifier: str, strength: str) -> dict[str, Any]:
    return {
        "left_record": left, "right_record": right, "identifier": identifier, "strength": strength
    }  # fmt: skip


#: Person p: one contact in Cyrillic and one of the ERP in Latin letters, a cookie and a card.
#: Person q: a contact, and the family's cookie, which p uses as well.
LAKE = [
    record("crm", "1", contact="1"),
    record("erp", "7"),
    record("clicks", "h1", cookie="k1", account="a1"),
    record("tills", "h2", loyalty_card="l1"),
    record("crm", "2"),
    record("clicks", "h3", cookie="k2"),
    record("crm", "unheard-of"),
]
TRUTH = [
    {"source": "crm", "record_key": "1", "person_id": "p", "traits": []},
    {"source": "erp", "record_key": "7", "person_id": "p", "traits": ["latin_spelling"]},
    {"source": "clicks", "cookie": "k1", "account_id": "a1", "person_id": "p"},
    {"source": "tills", "loyalty_card": "l1", "person_id": "p"},
    {"source": "crm", "record_key": "2", "person_id": "q", "traits": ["latin_spelling"]},
    {"source": "clicks", "cookie": "k2", "person_id": "p"},
    {"source": "clicks", "cookie": "k2", "person_id": "q"},
    {"source": "clicks", "cookie": "k3", "person_id": None},
]
EDGES = [
    edge("clicks:h1", "crm:1", "account", "unique"),
    edge("erp:7", "tills:h2", "loyalty_card", "strong"),
    edge("crm:1", "erp:7", "match", "likely"),
]
OWNERS = {
    "crm:1": "c_p", "erp:7": "c_p", "clicks:h1": "c_p", "tills:h2": "c_p", "crm:2": "c_q",
    "clicks:h3": "c_q", "crm:unheard-of": "c_p",
}  # fmt: skip


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path = tmp_path / "records.parquet"
    pq.write_table(pa.Table.from_pylist(TRUTH, schema=RECORDS), path)
    persons = [{"person_id": "p", "cyrillic": True}, {"person_id": "q", "cyrillic": False}]
    pq.write_table(pa.Table.from_pylist(persons), tmp_path / "persons.parquet")
    return path


def lake(spark: SparkSession, edges: list[dict[str, Any]], owners: dict[str, str]) -> Any:
    pinned = dict.fromkeys(IDENTITY, 1)
    published = {"generation": 1, "as_of": DAY, "tables": pinned, "inputs": {}}
    tied = {"crm:1": "clicks:h1", "tills:h2": "erp:7"}
    customers = [
        {"record_id": record, "customer_id": of, "link_group": tied.get(record, record)}
        for record, of in owners.items()
    ]
    rows = {
        "ops.publications": [published],
        "identity.records": LAKE,
        "identity.customers": customers,
        "identity.edges": edges,
    }
    return Frames(spark, rows, {})


def measured(tables: Any, truth: Path) -> dict[str, dict[str, Any]]:
    step = MeasureAccuracy(truth=truth, systems=SYSTEMS)
    parts: Any = step.run(tables).details["parts"]
    return {part["part"]: part for part in parts}


def test_links_alone_and_the_model_are_measured_apart_and_so_is_each_part(
    spark: SparkSession, truth: Path
) -> None:
    found = measured(lake(spark, EDGES, OWNERS), truth)
    assert {name: of["links"]["recall"] for name, of in found.items()} == {
        "all": 0.0, "web to shops": 0.0, "Cyrillic to Latin": 0.0
    }  # fmt: skip
    for of in found.values():
        assert (of["model"]["precision"], of["model"]["recall"]) == (1.0, 1.0)
        # One contact with one customer, one cookie with one till; a family's cookie is nobody's.
        assert of["model"]["pairs"] == of["links"]["pairs"] == 1
    assert truth_accuracy(lake(spark, EDGES, OWNERS), truth).records == 3


def test_without_a_match_there_is_nothing_to_compare_links_with(
    spark: SparkSession, truth: Path
) -> None:
    apart = {name: f"c_{name}" for name in OWNERS}
    found = measured(lake(spark, EDGES[:2], apart), truth)
    assert [set(of) for of in found.values()] == [{"part", "links"}] * 3
    lines = accuracy_lines(list(found.values()))
    assert list(lines) == [
        "accuracy, all, links alone",
        "accuracy, web to shops, links alone",
        "accuracy, Cyrillic to Latin, links alone",
    ]
    assert lines["accuracy, web to shops, links alone"] == (
        "precision 1.0000, recall 0.0000, F1 0.0000 over 1 true pairs"
    )
