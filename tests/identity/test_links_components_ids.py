"""Links, components and ids of many small random worlds at once, against an independent judge.

A world is a prefix of all its record ids and values, so that one Spark run decides hundreds.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from random import Random

import pyarrow as pa
import pytest
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from goldenlake.declarations.identity import IdentityRules
from goldenlake.identity import changes, components, ids, links, refinement
from goldenlake.schemas import RECORDS
from support.identity_reference import Known, partition, survivors

TODAY = date(2026, 3, 1)
RULES = IdentityRules.model_validate(
    {
        "identifiers": {
            "account": {
                "description": "Customer number; 3 is a placeholder.",
                "strength": "unique",
                "block_patterns": [".*-3$"],
            },
            "email": {
                "description": "E-mail address.",
                "strength": "strong",
                "most_records": 4,
                "block": ["None"],
            },
            "phone": {
                "description": "Phone.",
                "strength": "weak",
                "unless_differ": ["given_name", "birth_on"],
            },
            "cookie": {
                "description": "Browser.",
                "strength": "weak",
                "unless_differ": ["account"],
                "block_patterns": [".*x$"],
            },
        },
        "largest_cluster": 6,
    }
)


def world(random: Random, prefix: str) -> list[Known]:
    """Some ten records over few values, so that they collide in every way."""
    found = []
    for at in range(random.randint(2, 11)):
        drawn = {
            "account": random.choice(["1", "2", "3", None, None]),
            "email": random.choice(["a", "b", None]),
            "phone": random.choice(["7", "8", None]),
            "cookie": random.choice(["k", "l", "x", None]),
        }
        identifiers = {name: f"{prefix}{value}" for name, value in drawn.items() if value}
        if random.random() < 0.1:
            identifiers["email"] = "none"
        traits = {
            "given_name": random.choice(["bob", "ann", None]),
            "birth_on": random.choice(["1980-01-01", "1990-01-01", None, None]),
        }
        found.append(
            Known(
                record_id=f"{prefix}{at:02}",
                identifiers=identifiers,
                traits={name: value for name, value in traits.items() if value},
                is_active=random.random() > 0.1,
            )
        )
    return found


def frame(spark: SparkSession, records: list[Known]) -> DataFrame:
    rows = [
        (
            record.record_id,
            "s",
            record.record_id,
            [(name, value) for name, value in sorted(record.identifiers.items())],
            dict(record.traits),
            {},
            [],
            None,
            record.is_active,
            TODAY,
        )
        for record in records
    ]
    return spark.createDataFrame(rows, RECORDS.ddl)


@pytest.fixture(scope="module")
def worlds() -> dict[str, list[Known]]:
    random = Random(20260301)
    return {f"w{at:03}-": world(random, f"w{at:03}-") for at in range(300)}
    # "none" is shared by all worlds and must link nobody.


@pytest.fixture(scope="module")
def built(
    spark: SparkSession, worlds: dict[str, list[Known]]
) -> tuple[DataFrame, DataFrame, DataFrame]:
    records = frame(spark, [record for of in worlds.values() for record in of]).localCheckpoint()
    members = links.members(records, RULES)
    groups = links.value_groups(members, RULES).localCheckpoint()
    judged = links.judged(members, groups)
    contested = links.contested(judged, RULES).localCheckpoint()
    edges = links.edges(judged, contested, RULES).localCheckpoint()
    nodes = records.where("is_active").select("record_id")
    clusters = refinement.clusters(
        nodes, edges, largest=RULES.largest_cluster, columns=[], model=None
    ).localCheckpoint()
    return edges, clusters, links.refusals(groups, contested).localCheckpoint()


def parts(rows: DataFrame, by: str) -> set[frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows.select("record_id", by).collect():
        found[row[by]].add(row["record_id"])
    return {frozenset(part) for part in found.values()}


def test_clusters_are_what_the_rule_says(
    worlds: dict[str, list[Known]], built: tuple[DataFrame, DataFrame, DataFrame]
) -> None:
    expected = set().union(*(partition(records, RULES) for records in worlds.values()))
    assert parts(built[1], "cluster") == expected
    assert any(len(part) > 3 for part in expected)


def test_a_component_is_named_by_its_smallest_record(
    built: tuple[DataFrame, DataFrame, DataFrame],
) -> None:
    smallest = built[1].groupBy("component").agg(F.min("record_id").alias("smallest"))
    assert not smallest.where("smallest <> component").take(1)


def test_every_edge_says_which_rule_and_how_strong(
    built: tuple[DataFrame, DataFrame, DataFrame],
) -> None:
    found = {tuple(row) for row in built[0].select("identifier", "strength", "rule").collect()}
    assert found == {
        ("account", "unique", "same account"),
        ("email", "strong", "same email"),
        ("phone", "weak", "same phone, unless given_name or birth_on differ"),
        ("cookie", "weak", "same cookie, unless account differ"),
    }
    assert not built[0].where("left_record >= right_record").take(1)


def test_every_refusal_has_its_reason(
    worlds: dict[str, list[Known]], built: tuple[DataFrame, DataFrame, DataFrame]
) -> None:
    found = {(row["identifier"], row["reason"]) for row in built[2].collect()}
    assert found >= {
        ("email", "blocked"),
        ("email", "too_many_records"),
        ("cookie", "blocked"),
        ("phone", "conflicting_traits"),
        ("cookie", "conflicting_traits"),
    }
    placeholder = built[2].where("identifier = 'email' AND reason = 'blocked'").collect()
    holders = [r for of in worlds.values() for r in of if r.identifiers.get("email") == "none"]
    assert [row["records"] for row in placeholder] == [sum(r.is_active for r in holders)]


def test_a_chain_of_100_000_links_is_one_component(spark: SparkSession) -> None:
    names = [f"r{at:06}" for at in range(100_000)]
    Random(1).shuffle(names)
    chain = pa.table({"left_record": names[1:], "right_record": names[:-1]})
    edges = spark.createDataFrame(chain).repartition(3)
    records = spark.createDataFrame(pa.table({"record_id": [*names, "alone"]}))
    found = components.connected(records, edges).groupBy("component").count().collect()
    assert {row["component"]: row["count"] for row in found} == {"r000000": 100_000, "alone": 1}
    assert list(components._roots(iter([]))) == []


def test_ids_that_cannot_be_null_are_joined_like_others(spark: SparkSession) -> None:
    named = spark.range(6).select(F.format_string("r%d", "id").alias("record_id"))
    pairs = named.select(F.col("record_id").alias("left_record"), F.lit("r0").alias("right_record"))
    assert not any(field.nullable for field in pairs.schema)
    found = components.connected(named, pairs).collect()
    assert {row["component"] for row in found} == {"r0"}
    assert len(found) == 6


@pytest.mark.slow
def test_ten_million_edges_make_the_components_that_they_were_drawn_within(
    spark: SparkSession,
) -> None:
    people = 4_000_000
    # Groups of 1, 2, 3 and so on up to 1,000 records; their ids are in no order.
    number = F.col("id")
    known = (
        spark.range(people)
        .withColumn("size", F.expr("1 + pmod(hash(id DIV 1000), 1000)"))
        .withColumn("first", number - F.pmod(number, F.lit(1000)))
        .withColumn("first", F.expr("first + (id - first) DIV size * size"))
        .withColumn("end", F.expr("least(first + size, (id DIV 1000 + 1) * 1000)"))
    )

    def named(of: str) -> Column:
        return F.expr(f"format_string('r%010d', pmod(({of}) * 2654435761, 4294967296L))")

    records = known.select(
        named("id").alias("record_id"), F.min(named("id")).over(Window.partitionBy("first"))
    ).toDF("record_id", "wanted")
    chain = known.where("id + 1 < end").select(named("id"), named("id + 1"))
    others = known.where("end - first > 1").select(
        *(named(f"first + pmod(hash(id, {salt}), end - first)") for salt in (1, 2))
    )
    more = known.where("end - first > 1").select(
        named("id"), named("first + pmod(hash(id, 3), end - first)")
    )
    edges = chain.union(others).union(more).toDF("left_record", "right_record")
    assert edges.count() > 10_000_000
    found = components.connected(records, edges)
    wrong = found.where("component != wanted").count()
    assert (wrong, found.count()) == (0, people)


def test_ids_stay_with_the_largest_part_and_the_oldest_survives(spark: SparkSession) -> None:
    random = Random(7)
    before: dict[str, str] = {}
    since: dict[str, date] = {}
    now: dict[str, str] = {}
    for at in range(400):
        for record in range(random.randint(1, 9)):
            name = f"w{at:03}-{record}"
            if random.random() < 0.8:
                before[name] = f"w{at:03}-c{random.randint(0, 3)}"
                since[before[name]] = date(2026, 1, 1 + random.randint(0, 2))
            if random.random() < 0.8:
                now[name] = f"w{at:03}-{random.randint(0, 2)}"
    # One day an id, as in the table.
    previous = spark.createDataFrame(
        [(name, of, since[of], "c", "?", since[of]) for name, of in before.items()],
        "record_id string, customer_id string, customer_since date, component string, "
        "link_group string, assigned_on date",
    ).localCheckpoint()
    clusters = spark.createDataFrame(
        [(name, "c", part, part) for name, part in now.items()],
        "record_id string, component string, cluster string, link_group string",
    ).localCheckpoint()
    owners = ids.owners(clusters, previous).localCheckpoint()
    assigned = ids.assignments(clusters, owners, base=4, as_of=F.lit(TODAY)).localCheckpoint()
    found = {row["record_id"]: row["customer_id"] for row in assigned.collect()}

    held: dict[str, set[str]] = defaultdict(set)
    for name, part in now.items():
        held[part].add(name)
    everybody = {frozenset(records) for records in held.values()}
    kept = survivors(before, {of: day.isoformat() for of, day in since.items()}, everybody)
    for part in everybody:
        bears = {found[name] for name in part}
        assert len(bears) == 1
        assert bears == {kept[part]} if part in kept else bears.isdisjoint(before.values())
    assert len({found[min(part)] for part in everybody}) == len(everybody)
    born = set(found.values()) - set(before.values())
    assert all(
        len(each) == 22 and set(each[2:]) <= set("0123456789abcdefghijklmnopqrstuv")
        for each in born
    )

    events = ids.events(assigned, previous, owners).localCheckpoint()
    rows = events.collect()
    ended = {row["customer_id"] for row in rows if row["event"] in ("merged", "retired")}
    assert ended == set(before.values()) - set(found.values())
    assert {row["customer_id"] for row in rows if row["event"] in ("assigned", "split")} == born
    redirects = {
        row["customer_id"]: row["other_customer_id"] for row in rows if row["event"] == "merged"
    }
    explained = {
        (row["customer_id"], row["other_customer_id"], row["record_id"])
        for row in rows
        if row["event"] == "moved"
    }
    splits = {
        (row["other_customer_id"], row["customer_id"]) for row in rows if row["event"] == "split"
    }
    for name, was in before.items():
        if name in found and found[name] != was:
            assert (
                redirects.get(was) == found[name]
                or (was, found[name]) in splits
                or (was, found[name], name) in explained
            )
    assert all(found[name] == to and before[name] == was for was, to, name in explained)

    changed = changes.customer_changes(assigned, previous, F.lit(TODAY))
    moved = {row["record_id"]: row["customer_id"] for row in changed.collect()}
    assert moved == {name: found.get(name) for name in set(before) | set(found)}, (
        "every group of links has another name here"
    )


def test_a_refused_value_is_told_anew_where_other_records_stand_for_it(spark: SparkSession) -> None:
    columns = "identifier string, link_key string, reason string, records int, "
    columns += "sample_records array<string>"
    before = [("email", key, "blocked", 2, ["a", "b"]) for key in "klm"]
    now = [before[0], ("email", "l", "blocked", 2, ["a", "c"])]
    found = changes.review_changes(
        spark.createDataFrame(now, columns), spark.createDataFrame(before, columns), F.lit(TODAY)
    )
    rows = sorted(
        (row["link_key"], row["reason"], row["sample_records"]) for row in found.collect()
    )
    assert rows == [("l", "blocked", ["a", "c"]), ("m", None, None)]


def test_redirects_lead_to_the_end_of_a_chain(spark: SparkSession) -> None:
    history = spark.createDataFrame(
        [("a", "merged", "b"), ("b", "merged", "c"), ("x", "merged", "c"), ("c", "split", "a")],
        "customer_id string, event string, other_customer_id string",
    )
    found = {row[0]: row[1] for row in ids.redirects(history).collect()}
    assert found == {"a": "c", "b": "c", "x": "c"}


def test_a_record_was_of_a_customer_until_it_left_and_again_once_it_came_back(
    spark: SparkSession,
) -> None:
    cases = {
        "1 c1 assigned - a": "c1",
        "1 c1 assigned - a, 2 c9 split c1 a": "c9",
        "1 c1 assigned - a, 2 c9 split c1 a, 3 c9 merged c1 -": "c1 c9",
        "1 c1 assigned - a, 2 c1 moved c2 a, 3 c2 moved c1 a": "c1",
        "1 c1 assigned - a, 2 c1 merged c2 -, 3 c2 merged c3 -": "c1 c2 c3",
        "1 c1 assigned - a, 2 c1 merged c2 -, 2 c1 moved c3 a": "c3",
        "1 c1 assigned - a, 2 c1 merged c2 -, 3 c2 moved c3 a, 4 c2 merged c4 -": "c1 c3",
        "1 c1 assigned - a, 2 c1 moved c2 a, 3 c1 merged c4 -": "c2",
        "1 c1 assigned - a, 2 c1 moved c2 a, 3 c2 moved c1 a, 4 c1 merged c4 -": "c1 c4",
    }
    rows = []
    for number, happened in enumerate(cases):
        for event in happened.split(", "):
            at, who, what, *others = event.split()
            other, record = (None if name == "-" else f"{number} {name}" for name in others)
            rows.append((f"{number} {who}", what, other, record, int(at)))
    history = spark.createDataFrame(
        rows,
        "customer_id string, event string, other_customer_id string, record_id string, "
        "generation bigint",
    )

    found = {(row["customer_id"], row["record_id"]) for row in ids.were_of(history).collect()}

    for number, (happened, were) in enumerate(cases.items()):
        of_case = {who for who, record in found if record == f"{number} a"}
        assert of_case == {f"{number} {who}" for who in were.split()}, happened
