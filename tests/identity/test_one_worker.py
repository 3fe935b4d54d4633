"""One worker makes of all records what many make of parts of them."""

from __future__ import annotations

from random import Random

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from goldenlake.identity import matches, one_worker, refinement
from goldenlake.identity.matching.training import train
from support.matching import ROLES, matching, population

CAP, LARGEST = 12, 5
"""So low that values come to be on too many records, and groups are cut."""
STRENGTHS = ("must", "unique", "strong", "weak", "cannot")


@pytest.fixture(scope="module")
def model(spark: SparkSession) -> object:
    declared = matching(blocking={"most_records": CAP})
    trained = train(population(150, household=2)[0], declared).model
    return spark.sparkContext.broadcast(trained.to_json())


@pytest.fixture(scope="module")
def records(spark: SparkSession, model: object) -> DataFrame:
    random = Random(3)
    rows = [
        (f"crm:{at:03}", _known(row, random.choice([0, 1, *[len(row)] * 18])))
        for at, row in enumerate(population(120, seed=3, household=3)[0].to_pylist())
    ]
    people = spark.createDataFrame(rows, "record_id string, profile map<string,string>")
    keyed = matches.keyed(people, list(ROLES), model)
    # Of some that are linked no key is known, so that only links bring them before the model.
    has_none = F.col("record_id").endswith("7")
    keys = F.when(has_none, matches.no_keys()).otherwise(F.col("keys"))
    return keyed.withColumn("keys", keys).localCheckpoint()


@pytest.fixture(scope="module")
def links(spark: SparkSession, records: DataFrame) -> DataFrame:
    random = Random(4)
    ids = [row["record_id"] for row in records.select("record_id").collect()]
    rows = [
        (*sorted(random.sample(ids, 2)), random.choice("pq"), random.choice(STRENGTHS), None)
        for _ in range(90)
    ]
    rows.append((ids[0], "crm:gone", "p", "unique", None))
    rows.append(("crm:away", ids[0], "p", "unique", None))
    return spark.createDataFrame(
        rows,
        "left_record string, right_record string, link_key string, strength string, weight double",
    ).localCheckpoint()


def told(rows: DataFrame) -> set[tuple[object, ...]]:
    return {tuple(row) for row in rows.collect()}


def test_one_worker_finds_the_pairs_and_the_people_of_many(
    spark: SparkSession, records: DataFrame, links: DataFrame, model: object
) -> None:
    columns = list(ROLES)
    found = one_worker.resolved(
        records,
        links,
        cap=CAP,
        largest=LARGEST,
        columns=columns,
        model=model,
        keep=lambda rows: rows.localCheckpoint(),
    )
    refused = matches.refused(records, CAP)
    pairs = matches.scored(
        matches.comparable(records),
        spark.sparkContext.broadcast(refused["key"].to_numpy()),
        None,
        columns,
        model,
        parts=7,
    ).localCheckpoint()
    edges = links.unionByName(pairs.withColumn("link_key", F.lit("")).select(links.columns))
    people = refinement.clusters(records, edges, largest=LARGEST, columns=columns, model=model)
    assert found.refused().equals(refused.cast(found.refused().schema))
    assert refused.num_rows > 3
    assert told(found.pairs) == told(pairs)
    assert {row.strength for row in found.pairs.collect()} == {"likely", "doubtful"}
    assert told(found.clusters) == told(people)
    clusters = found.clusters.collect()
    assert any(row.is_cut for row in clusters)
    assert 50 < len({row.cluster for row in clusters}) < len(clusters)

    afterwards = one_worker.resolved(
        records.withColumn("keys", matches.no_keys()),
        edges,
        cap=CAP,
        largest=LARGEST,
        columns=columns,
        model=model,
        keep=lambda rows: rows,
    )
    assert told(afterwards.clusters) == told(people)


def test_without_a_model_one_worker_finds_the_people_that_links_make(
    records: DataFrame, links: DataFrame
) -> None:
    found = one_worker.resolved(
        records, links, cap=CAP, largest=LARGEST, columns=[], model=None, keep=lambda rows: rows
    )
    people = refinement.clusters(records, links, largest=LARGEST, columns=[], model=None)
    assert told(found.clusters) == told(people)
    assert found.pairs.isEmpty()


def test_nobody_is_nobody_in_one_worker_too(
    records: DataFrame, links: DataFrame, model: object
) -> None:
    found = one_worker.resolved(
        records.limit(0),
        links,
        cap=CAP,
        largest=LARGEST,
        columns=list(ROLES),
        model=model,
        keep=lambda rows: rows,
    )
    assert found.clusters.count() == found.pairs.count() == found.refused().num_rows == 0


def _known(row: dict[str, str | None], most: int) -> dict[str, str]:
    known = {name: value for name, value in row.items() if value is not None}
    return dict(list(known.items())[:most])
