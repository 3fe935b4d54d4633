"""Our matching on Spark, from a file of records to clusters, as a first night does it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from goldenlake.cli.installation import PROJECT
from goldenlake.identity import components, matches, refinement
from goldenlake.identity.trained import TrainedModel
from goldenlake.io.spark import open_session

RULES = (
    "email",
    "phone",
    "birth_date × street",
    "birth_date × postcode",
    "two of token",
    "token × birth_date",
    "token × street",
    "token × postcode",
    "street × postcode",
)
"""Ours among the blocking rules that come nearest to the shared ones."""
PARTITIONS = 8
KEYS_A_PART = 4_000_000


def session(scratch: Path) -> SparkSession:
    """Spark with two cores, as the others have it."""
    spark = open_session(
        app_name="matching",
        master="local[2]",
        jars=PROJECT / ".jars",
        tmp=scratch,
        cache=PROJECT / ".cache" / "spark",
        driver_memory="6g",
        conf={"spark.sql.shuffle.partitions": str(PARTITIONS)},
    )
    spark.range(1).count()
    return spark


def clusters_of(spark: SparkSession, records: Path, model_text: str) -> pa.Table:
    """The cluster of every record: (record_id, cluster)."""
    trained = TrainedModel(model_text)
    columns, settings = list(trained.matching.columns), trained.matching.clustering
    model = spark.sparkContext.broadcast(model_text)
    read = spark.read.parquet(str(records)).select(
        F.col("record_id").cast("string"), _profile(columns).alias("profile")
    )
    people = _kept(read.repartition(PARTITIONS))
    keyed = _kept(matches.keyed(people, columns, model))
    total = keyed.agg(F.sum(F.size("keys"))).first()
    holders = matches.holders(keyed)
    found = _kept(
        matches.scored(
            holders,
            matches.sizes(holders),
            keyed,
            None,
            columns,
            model,
            cap=trained.matching.blocking.most_records,
            least=settings.doubtful,
            parts=max(2, (total[0] if total else 0) // KEYS_A_PART),
        )
    )
    strength = matches.strength(F.col("weight"), settings.edge)
    edges = found.select("left_record", "right_record", strength.alias("strength"), "weight")
    component = _kept(components.connected(keyed.select("record_id"), refinement.connecting(edges)))
    clusters = refinement.clusters(
        component, edges, keyed, largest=200, columns=columns, model=model
    )
    return clusters.select(F.col("record_id").cast("bigint"), "cluster").toArrow()


def _profile(columns: list[str]) -> Column:
    entries = [F.struct(F.lit(name).alias("key"), F.col(name).alias("value")) for name in columns]
    return F.map_from_entries(F.filter(F.array(*entries), lambda each: each["value"].isNotNull()))


def _kept(rows: DataFrame) -> DataFrame:
    return rows.localCheckpoint(eager=True, storageLevel=StorageLevel.MEMORY_AND_DISK)
