"""Groups, as households are, of many small random worlds over several nights, against a judge.

A world is a part of all its ids, postcodes and phone numbers, so that one Spark run decides
hundreds.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations, pairwise
from random import Random
from typing import Any

import networkx as nx
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from goldenlake.declarations.groups import Group
from goldenlake.declarations.identity import IdentityRules
from goldenlake.identity import groups
from support.identity_reference import survivors

TODAY = date(2026, 3, 1)
HOUSEHOLDS = Group.model_validate(
    {
        "group": "households",
        "description": "Who lives together.",
        "owner": "data",
        "singular": "household",
        "prefix": "h",
        "rules": {
            "name_and_address": {"agree": ["family_name", "street", "postcode"]},
            "phone": {"agree": ["phone"], "most_customers": 3},
            "address": {"agree": ["street", "postcode"], "most_customers": 3},
        },
        "placeholders": {"street": {"block": ["unknown 1"]}},
    }
)
IDENTITY = IdentityRules.model_validate(
    {
        "identifiers": {
            "phone": {"description": "Phone.", "strength": "weak", "block_patterns": [".*0{6}$"]}
        }
    }
)
#: What is one value however it is written, to the judge, and the ways to write it.
SPELLINGS = {
    "muller": ["Müller", "Mueller", "MULLER"],
    "hill": ["Hill", "hill"],
    "high": ["12 High Street", "High St 12", "12, high st."],
    "haupt": ["Hauptstraße 5", "Haupt-Str. 5"],
    "nowhere": ["unknown 1", "Unknown 1"],
}
CUSTOMERS = "customer_id string, family_name string, street string, postcode string, phone string"
MEMBERS = "customer_id string, household_id string, household_since date"


@dataclass(frozen=True)
class Customer:
    """What the judge knows of a customer: values by meaning, not by spelling."""

    customer_id: str
    family_name: str | None
    street: str | None
    postcode: str | None
    phone: str | None


def world(random: Random, number: int) -> list[Customer]:
    """Some ten customers over few values, so that they collide in every way."""
    return [
        Customer(
            customer_id=f"c_{number:03}_{at:02}",
            family_name=random.choice(["muller", "hill", None]),
            street=random.choice(["high", "haupt", "haupt", "nowhere", None]),
            postcode=random.choice(
                [f"{10_000 + number}", f"{10_000 + number}", f"{20_000 + number}", None]
            ),
            phone=random.choice([*(f"+44{number:03}{n}" for n in range(4)), "+44000000", None]),
        )
        for at in range(random.randint(2, 14))
    ]


def judged(customers: list[Customer]) -> tuple[set[frozenset[str]], dict[str, set[str]]]:
    """The households, and the rules that tie each customer."""
    graph, tying = nx.Graph(), defaultdict(set)
    for name, rule in HOUSEHOLDS.rules.items():
        groups = defaultdict(list)
        for customer in customers:
            values = [getattr(customer, each) for each in rule.agree]
            if not {None, "nowhere", "+44000000"} & set(values):
                groups[tuple(values)].append(customer.customer_id)
        for group in groups.values():
            if 2 <= len(group) <= rule.most_customers:
                graph.add_edges_from(combinations(group, 2))
                for member in group:
                    tying[member].add(name)
    return {frozenset(part) for part in nx.connected_components(graph)}, dict(tying)


def frame(spark: SparkSession, customers: list[Customer]) -> DataFrame:
    random = Random(len(customers))

    def written(value: str | None) -> str | None:
        return random.choice(SPELLINGS[value]) if value else None

    rows = [
        (each.customer_id, written(each.family_name), written(each.street), each.postcode,
         each.phone)
        for each in customers
    ]  # fmt: skip
    return spark.createDataFrame(rows, CUSTOMERS)


def build(customers: DataFrame, previous: list[Row], *, night: int) -> list[Row]:
    spark = customers.sparkSession
    before = [(row["customer_id"], row["household_id"], row["household_since"]) for row in previous]
    tied = groups.ties(customers, HOUSEHOLDS, IDENTITY).localCheckpoint()
    rows = groups.members(
        tied,
        groups.components(tied).localCheckpoint(),
        spark.createDataFrame(before, MEMBERS),
        HOUSEHOLDS,
        base=night,
        as_of=F.lit(TODAY + timedelta(days=night)),
    )
    return rows.collect()


def parts(rows: list[Row]) -> dict[str, frozenset[str]]:
    found = defaultdict(set)
    for row in rows:
        found[row["household_id"]].add(row["customer_id"])
    return {household: frozenset(those) for household, those in found.items()}


@pytest.fixture(scope="module")
def nights(spark: SparkSession) -> list[tuple[list[Customer], list[Row]]]:
    """Each night's customers, who have moved and come and gone, and their households."""
    random, rows = Random(20260301), []
    found: list[tuple[list[Customer], list[Row]]] = []
    customers: dict[str, Customer] = {}
    for night in range(3):
        drawn = [each for number in range(150) for each in world(random, number)]
        stay = {name: each for name, each in customers.items() if random.random() < 0.7}
        customers = {each.customer_id: each for each in drawn if random.random() < 0.8} | stay
        rows = build(frame(spark, list(customers.values())), rows, night=night)
        found.append((list(customers.values()), rows))
    return found


def test_households_are_what_the_rules_say(
    nights: list[tuple[list[Customer], list[Row]]],
) -> None:
    for customers, rows in nights:
        expected, tying = judged(customers)
        assert set(parts(rows).values()) == expected
        assert {row["customer_id"]: set(row["rules"]) for row in rows} == tying
        assert all(row["rules"] == sorted(row["rules"]) for row in rows)
    assert {len(part) for part in expected} > {2, 3, 4, 5}


def test_no_customer_is_in_two_households_and_none_lives_alone(
    nights: list[tuple[list[Customer], list[Row]]],
) -> None:
    for _, rows in nights:
        assert len({row["customer_id"] for row in rows}) == len(rows)
        sizes = {household: len(members) for household, members in parts(rows).items()}
        assert all(row["size"] == sizes[row["household_id"]] >= 2 for row in rows)


def test_an_id_stays_with_the_largest_part_and_the_oldest_survives(
    nights: list[tuple[list[Customer], list[Row]]],
) -> None:
    used: set[str] = set()
    merged = split = 0
    for (_, before), (_, rows) in pairwise(nights):
        held = {row["customer_id"]: row["household_id"] for row in before}
        since = {row["household_id"]: row["household_since"] for row in before}
        used |= set(since)
        now = {members: household for household, members in parts(rows).items()}
        kept = survivors(held, {name: str(day) for name, day in since.items()}, set(now))
        for members, household in now.items():
            assert household == kept[members] if members in kept else household not in used
            merged += len({held[each] for each in members if each in held}) > 1
        split += sum(len({now for now in parts(rows).values() if now & was}) > 1
                     for was in parts(before).values())  # fmt: skip
        assert all(
            row["household_since"] == since[row["household_id"]]
            for row in rows
            if row["household_id"] in since
        )
    assert min(merged, split) > 20, "the worlds have both"


def test_a_rerun_changes_nothing(
    spark: SparkSession, nights: list[tuple[list[Customer], list[Row]]]
) -> None:
    customers, rows = nights[-1]
    again = build(frame(spark, list(reversed(customers))), rows, night=3)
    assert sorted(again) == sorted(rows)


def test_ids_tell_nothing(nights: list[tuple[list[Customer], list[Row]]]) -> None:
    letters = set("0123456789abcdefghijklmnopqrstuv")
    ids = {row["household_id"] for _, rows in nights for row in rows}
    assert all(len(each) == 22 and each[:2] == "h_" and set(each[2:]) <= letters for each in ids)


@pytest.mark.parametrize(("customers", "households"), [(3, 1), (4, 0)])
def test_what_too_many_share_ties_nobody(
    spark: SparkSession, customers: int, households: int
) -> None:
    office: list[dict[str, Any]] = [
        {"customer_id": f"c_{at}", "phone": "+441632960000"} for at in range(customers)
    ]
    rows = build(spark.createDataFrame(office, CUSTOMERS), [], night=0)
    assert len(parts(rows)) == households


def test_without_a_tie_there_is_no_household(spark: SparkSession) -> None:
    assert build(spark.createDataFrame([], CUSTOMERS), [], night=0) == []
