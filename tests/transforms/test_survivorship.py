"""Survivorship against a model in plain Python, and its promises one by one."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from goldenlake.declarations.source import Source
from goldenlake.declarations.table import Survivorship, TableColumn
from goldenlake.schemas import SILVER_COLUMNS
from goldenlake.transforms.survivorship import observations, survivors

MONDAY = datetime(2024, 3, 4, 8)  # noqa: DTZ001 - as Spark gives it back
SOURCES = ("crm", "erp", "shop")
ATTRIBUTES = [
    TableColumn(
        name="family_name",
        type="STRING",
        doc="",
        survivorship=Survivorship(rule="most_trusted", sources=["erp", "crm"]),
    ),
    TableColumn(
        name="email",
        type="STRING",
        doc="",
        survivorship=Survivorship(rule="most_recent", sources=["shop"]),
    ),
    TableColumn(
        name="birth_on", type="DATE", doc="", survivorship=Survivorship(rule="most_frequent")
    ),
    TableColumn(
        name="city",
        type="STRING",
        doc="",
        survivorship=Survivorship(rule="most_complete", sources=["crm"]),
    ),
]
NAMES = [attribute.name for attribute in ATTRIBUTES]


def profile(name: str) -> Source:
    return Source.model_validate(
        {
            "source": name,
            "description": "",
            "system": name,
            "owner": "data",
            "origin": {"place": "drops", "files": "*"},
            "format": {"kind": "csv"},
            "load": "increment",
            "key": ["id"],
            "columns": [
                {"name": "id"},
                {"name": "surname"},
                {"name": "mail"},
                {"name": "born", "type": "date"},
                {"name": "town"},
            ],
            "attributes": {
                "family_name": "surname",
                "email": "mail",
                "birth_on": "born",
                "city": "town",
            },
        }
    )


SILVER = f"id STRING, surname STRING, mail STRING, born DATE, town STRING, {SILVER_COLUMNS}"


@dataclass(frozen=True)
class Row:
    """A silver row and the customer that its record belongs to."""

    customer: str
    source: str
    id: str
    at: datetime | None = MONDAY
    surname: str | None = None
    mail: str | None = None
    born: date | None = None
    town: str | None = None
    is_deleted: bool = False

    @property
    def record(self) -> str:
        return f"{self.source}:{self.id}"

    @property
    def values(self) -> dict[str, Any]:
        return {
            "family_name": self.surname,
            "email": self.mail,
            "birth_on": self.born,
            "city": self.town,
        }

    @property
    def silver(self) -> tuple[Any, ...]:
        at = self.at.replace(tzinfo=UTC) if self.at else None
        technical = (self.record, at, MONDAY.date(), "f", 1, MONDAY.date(), self.is_deleted, [], "")
        return (self.id, self.surname, self.mail, self.born, self.town, *technical)


def model(rows: list[Row]) -> dict[str, dict[str, tuple[Any, str]]]:
    """For every customer and attribute the value and the record that must win."""
    expected: dict[str, dict[str, tuple[Any, str]]] = {}
    for customer in {row.customer for row in rows}:
        alive = [row for row in rows if row.customer == customer and not row.is_deleted]
        expected[customer] = {}
        for attribute in ATTRIBUTES:
            said = [row for row in alive if row.values[attribute.name] is not None]
            if said:
                best = min(said, key=lambda row: judged(row, said, attribute))
                expected[customer][attribute.name] = (best.values[attribute.name], best.record)
    return expected


def judged(row: Row, said: list[Row], attribute: TableColumn) -> tuple[Any, ...]:
    declared = attribute.survivorship
    assert declared is not None
    trust = dict(zip(declared.sources, range(9), strict=False)).get(row.source, 99)
    votes = Counter(other.values[attribute.name] for other in said)
    age = (MONDAY + timedelta(days=999) - row.at).total_seconds() if row.at else float("inf")
    first = {
        "most_trusted": trust,
        "most_recent": 0,
        "most_frequent": -votes[row.values[attribute.name]],
        "most_complete": -sum(value is not None for value in row.values.values()),
    }[declared.rule]
    return (first, age, trust, row.record)


def survived(spark: SparkSession, rows: list[Row]) -> dict[str, dict[str, tuple[Any, str]]]:
    frames = []
    for name in SOURCES:
        silver = spark.createDataFrame([row.silver for row in rows if row.source == name], SILVER)
        frames.append(observations(silver, profile(name), ATTRIBUTES))
    observed = frames[0].unionByName(frames[1]).unionByName(frames[2])
    owners = spark.createDataFrame(
        sorted({(row.record, row.customer) for row in rows}),
        "record_id STRING, customer_id STRING",
    )
    return collected(survivors(observed.join(owners, "record_id"), ATTRIBUTES))


def collected(customers: DataFrame) -> dict[str, dict[str, tuple[Any, str]]]:
    found: dict[str, dict[str, tuple[Any, str]]] = {}
    for row in customers.collect():
        assert row["customer_id"] not in found, "one row a customer"
        provenance = row["provenance"]
        assert set(provenance) == {name for name in NAMES if row[name] is not None}
        found[row["customer_id"]] = {
            name: (row[name], of["record_id"]) for name, of in provenance.items()
        }
        assert all(of["source"] == of["record_id"].split(":")[0] for of in provenance.values())
    return found


def random_rows(seed: int, customers: int) -> list[Row]:
    draw = random.Random(seed)
    return [
        Row(
            customer=f"c_{number}",
            source=draw.choice(SOURCES),
            id=f"{number}-{record}",
            at=draw.choice([None, MONDAY, MONDAY + timedelta(hours=draw.randint(0, 2))]),
            surname=draw.choice([None, "Hill", "Hall"]),
            mail=draw.choice([None, "a@example.com", "b@example.com"]),
            born=draw.choice([None, date(1980, 1, 2), date(1980, 2, 1)]),
            town=draw.choice([None, "Leeds", "York"]),
            is_deleted=draw.random() < 0.1,
        )
        for number in range(customers)
        for record in range(draw.randint(1, 6))
    ]


def test_winners_are_those_of_the_model_in_any_order_of_arrival(spark: SparkSession) -> None:
    rows = random_rows(seed=7, customers=400)
    expected = {customer: of for customer, of in model(rows).items() if of}
    shuffled = random.Random(1).sample(rows, len(rows))
    for arrival in (rows, shuffled):
        found = {customer: of for customer, of in survived(spark, arrival).items() if of}
        assert found == expected


@pytest.fixture(scope="module")
def outcome(spark: SparkSession) -> dict[str, dict[str, tuple[Any, str]]]:
    """Named cases, in one job."""
    later = MONDAY + timedelta(days=1)
    return survived(
        spark,
        [
            Row("null", "erp", "1", at=later, surname=None, mail=None),
            Row("null", "shop", "2", surname="Hill", mail="old@example.com"),
            Row("trusted", "shop", "3", at=later, surname="Newer"),
            Row("trusted", "erp", "4", surname="Trusted"),
            Row("gone", "erp", "5", surname="Deleted", is_deleted=True),
            Row("gone", "shop", "6", surname="Kept"),
            Row("often", "crm", "7", at=later, born=date(1999, 9, 9)),
            Row("often", "crm", "8", born=date(1980, 1, 2)),
            Row("often", "shop", "9", born=date(1980, 1, 2)),
            Row("whole", "shop", "10", at=later, town="York"),
            Row("whole", "shop", "11", town="Leeds", surname="Hill", mail="a@example.com"),
            Row("tie", "shop", "12", mail="small@example.com"),
            Row("tie", "shop", "13", mail="large@example.com"),
            Row("tie", "crm", "0", mail="lowly@example.com"),
        ],
    )


def test_a_null_never_wins_over_a_value(outcome: dict[str, Any]) -> None:
    assert outcome["null"]["family_name"] == ("Hill", "shop:2")
    assert outcome["null"]["email"] == ("old@example.com", "shop:2")


def test_a_trusted_source_beats_a_newer_value(outcome: dict[str, Any]) -> None:
    assert outcome["trusted"]["family_name"] == ("Trusted", "erp:4")


def test_a_deleted_record_leaves_no_trace(outcome: dict[str, Any]) -> None:
    assert outcome["gone"] == {"family_name": ("Kept", "shop:6")}


def test_the_value_of_most_records_beats_a_newer_one(outcome: dict[str, Any]) -> None:
    assert outcome["often"]["birth_on"] == (date(1980, 1, 2), "crm:8")


def test_the_record_that_says_most_beats_a_newer_one(outcome: dict[str, Any]) -> None:
    assert outcome["whole"]["city"] == ("Leeds", "shop:11")


def test_ties_fall_to_the_better_source_then_to_the_smaller_record(outcome: dict[str, Any]) -> None:
    assert outcome["tie"]["email"] == ("small@example.com", "shop:12")


def test_an_event_source_gives_the_newest_value_of_each_of_its_records(spark: SparkSession) -> None:
    orders = profile("orders").model_copy(
        update={"load": "append", "key": [], "attributes": {"email": "mail", "city": "town"}}
    )
    later = MONDAY + timedelta(days=1)
    rows = [
        Row("c", "orders", "1", mail="old@example.com", town="Leeds"),
        Row("c", "orders", "1", at=later, mail="new@example.com"),
    ]
    silver = spark.createDataFrame([row.silver for row in rows], SILVER)
    (record,) = observations(silver, orders, ATTRIBUTES).collect()
    assert record["email"]["value"] == "new@example.com"
    assert record["city"]["value"] == "Leeds"
    assert record["city"]["observed_at"] == MONDAY
    assert record["filled"] == 2
    assert record["family_name"] is None
