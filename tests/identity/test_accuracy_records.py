"""Accuracy against enumerated pairs, and silver rows as records."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import combinations
from random import Random

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from goldenlake.declarations.source import Source
from goldenlake.identity import records
from goldenlake.identity.accuracy import accuracy, accuracy_across
from goldenlake.schemas import SILVER_COLUMNS
from support.bronze import source_of


def test_accuracy_is_that_of_all_pairs_counted_one_by_one(spark: SparkSession) -> None:
    random = Random(5)
    drawn = {f"r{at}": (random.choice("abcde"), random.choice("vwxyz")) for at in range(40)}
    customers = spark.createDataFrame(
        [(record, customer) for record, (customer, _) in drawn.items()] + [("unknown", "a")],
        "record_id string, customer_id string",
    )
    truth = spark.createDataFrame(
        [(record, person) for record, (_, person) in drawn.items()] + [("unseen", "v")],
        "record_id string, person_id string",
    )
    found = accuracy(customers, truth)

    pairs = list(combinations(drawn.values(), 2))
    claimed = sum(one[0] == other[0] for one, other in pairs)
    true = sum(one[1] == other[1] for one, other in pairs)
    right = sum(one == other for one, other in pairs)
    assert (found.pairs_found, found.pairs_true, found.pairs_right) == (claimed, true, right)
    assert found.precision == pytest.approx(right / claimed)
    assert found.recall == pytest.approx(right / true)
    cells, sizes = Counter(drawn.values()), Counter(of for of, _ in drawn.values())
    b3 = sum(cells[both] / sizes[both[0]] for both in drawn.values()) / len(drawn)
    assert found.b3_precision == pytest.approx(b3)
    assert (found.records, found.customers, found.persons) == (40, 5, 5)


def test_accuracy_across_counts_the_pairs_between_two_sides_alone(spark: SparkSession) -> None:
    random = Random(6)
    drawn = {
        f"r{at}": (random.choice("abcd"), random.choice("wxyz"), random.choice([True, False, None]))
        for at in range(50)
    }
    customers = spark.createDataFrame(
        [(record, customer) for record, (customer, _, _) in drawn.items()],
        "record_id string, customer_id string",
    )
    truth = spark.createDataFrame(
        [(record, person, side) for record, (_, person, side) in drawn.items()],
        "record_id string, person_id string, side boolean",
    )
    found = accuracy_across(customers, truth)
    pairs = [
        (one, other)
        for one, other in combinations(drawn.values(), 2)
        if {one[2], other[2]} == {True, False}
    ]
    claimed = sum(one[0] == other[0] for one, other in pairs)
    true = sum(one[1] == other[1] for one, other in pairs)
    right = sum(one[:2] == other[:2] for one, other in pairs)
    assert (found.pairs_found, found.pairs_true, found.pairs_right) == (claimed, true, right)
    assert (found.precision, found.recall) == (right / claimed, right / true)
    nobody = accuracy_across(customers, truth.where("side"))
    assert (nobody.pairs_true, nobody.f1) == (0, 1.0)


def test_accuracy_of_nothing_is_no_error(spark: SparkSession) -> None:
    nobody = spark.createDataFrame([], "record_id string, customer_id string, person_id string")
    assert accuracy(nobody, nobody).f1 == 1.0


def source(**changes: object) -> Source:
    declared: dict[str, object] = {
        "load": "increment",
        "key": ["id"],
        "columns": [
            {"name": "id"},
            {"name": "email"},
            {"name": "given_name"},
            {"name": "born", "type": "date"},
        ],
        "identifiers": {"email": "email"},
        "attributes": {"given_name": "given_name", "birth_on": "born"},
    }
    return source_of(**(declared | changes))


ROW = f"{SILVER_COLUMNS}, id string, email string, given_name string, born date"


def row(record_id: str | None, **values: object) -> dict[str, object]:
    return {"record_id": record_id, "_file_on": date(2026, 3, 1), "_is_deleted": False} | values


def test_a_profile_row_is_a_record_and_a_deleted_one_remembers_nothing(
    spark: SparkSession,
) -> None:
    rows = spark.createDataFrame(
        [
            row("crm:1", email="a@example.com", given_name="Ann", born=date(1980, 1, 2)),
            row("crm:2", email=" ", given_name="Bob"),
            row("crm:3|x", email="c@example.com", given_name="Cleo", _is_deleted=True),
            row(None, email="d@example.com"),
        ],
        ROW,
    )
    found = {each["record_id"]: each for each in records.profile_records(rows, source()).collect()}
    assert set(found) == {"crm:1", "crm:2", "crm:3|x"}
    assert found["crm:1"]["identifiers"] == [("email", "a@example.com")]
    assert set(found["crm:1"]["traits"]) == {"given_name", "birth_on"}
    assert found["crm:1"]["traits"]["birth_on"] == "1980-01-02"
    assert (found["crm:2"]["identifiers"], set(found["crm:2"]["traits"])) == ([], {"given_name"})
    gone = found["crm:3|x"]
    assert (gone["is_active"], gone["identifiers"], gone["traits"]) == (False, [], {})
    assert (gone["source"], gone["source_key"]) == ("crm", "3|x")


def test_events_of_one_set_of_identifiers_are_one_record_since_the_first_of_them(
    spark: SparkSession,
) -> None:
    clicks = source(load="append", attributes={}, key=[])
    rows = spark.createDataFrame(
        [
            row("crm:h", email="a@example.com"),
            row("crm:h", email="a@example.com", _file_on=date(2026, 2, 1)),
            row(None, email="bot@example.com"),
        ],
        ROW,
    )
    found = records.event_records(rows, clicks).collect()
    assert [(each["record_id"], each["first_seen_on"]) for each in found] == [
        ("crm:h", date(2026, 2, 1))
    ]


def test_events_whose_file_was_taken_back_vanish_and_those_conformed_again_stay(
    spark: SparkSession,
) -> None:
    clicks = source(load="append", attributes={}, key=[])
    silver = spark.createDataFrame([row("crm:again", email="a@example.com")], ROW)
    feed = spark.createDataFrame(
        [
            row("crm:again", email="a@example.com", _change_type="delete"),
            row("crm:again", email="a@example.com", _change_type="insert"),
            row("crm:gone", email="g@example.com", _change_type="insert"),
            row("crm:gone", email="g@example.com", _change_type="delete"),
            row("crm:new", email="n@example.com", _change_type="insert"),
        ],
        f"{ROW}, _change_type string",
    )
    lost = records.heard_of(feed, clicks).where("is_lost").select("record_id").distinct()
    found = records.named(
        silver.join(lost, on="record_id", how="left_semi"), lost, clicks
    ).unionByName(records.added(feed, lost, clicks))
    assert {each["record_id"]: each["is_active"] for each in found.collect()} == {
        "crm:again": True,
        "crm:gone": False,
        "crm:new": True,
    }


def test_only_what_differs_counts_as_changed_and_the_first_day_stays(spark: SparkSession) -> None:
    make = lambda of: records.profile_records(spark.createDataFrame(of, ROW), source())  # noqa: E731
    known = (
        make([row("crm:1", email="a@example.com"), row("crm:2", email="b@example.com")])
        .withColumn("keys", F.lit(None).cast("array<bigint>"))
        .withColumn("keyed_by", F.lit(None).cast("string"))
    )
    later = date(2026, 4, 1)
    current = make(
        [
            row("crm:1", email="a@example.com", _file_on=later),
            row("crm:2", email="new@example.com", _file_on=later),
            row("crm:3", email="c@example.com", _file_on=later),
            row("crm:4", _is_deleted=True),
        ]
    )
    found = {each["record_id"]: each for each in records.changed(current, known).collect()}
    assert set(found) == {"crm:2", "crm:3"}
    assert found["crm:2"]["first_seen_on"] == date(2026, 3, 1)
    assert found["crm:2"]["_old_identifiers"] == [("email", "b@example.com")]
    assert not found["crm:3"]["_was_known"]


def test_a_record_that_was_seen_before_it_was_known_is_told_to_be_older(
    spark: SparkSession,
) -> None:
    make = lambda of: records.profile_records(spark.createDataFrame(of, ROW), source())  # noqa: E731
    known = (
        make([row("crm:1", email="a@example.com")])
        .withColumn("keys", F.lit(None).cast("array<bigint>"))
        .withColumn("keyed_by", F.lit(None).cast("string"))
    )
    earlier = date(2026, 2, 1)
    [found] = records.changed(
        make([row("crm:1", email="a@example.com", _file_on=earlier)]), known
    ).collect()
    assert found["first_seen_on"] == earlier
