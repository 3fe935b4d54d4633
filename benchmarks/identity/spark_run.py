"""Our matching on Spark, from a file of records to clusters, as a first night does it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_
from pathlib import Path

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from goldenlake.cli.installation import PROJECT
from goldenlake.identity import one_worker
from goldenlake.identity.records import LEAST_COMPARED
from goldenlake.identity.trained import TrainedModel
from goldenlake.io.spark import open_session
from goldenlake.io.tables import DeltaTables

PARTITIONS = 8
_NO_CAP = 1 << 31


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


def clusters_of(
    spark: SparkSession, records: Path, model_text: str, rules: Sequence[Sequence[str]]
) -> pa.Table:
    """The cluster of every record by the rules' pairs: (record_id, cluster)."""
    trained = TrainedModel(model_text)
    columns = list(trained.matching.columns)
    model = spark.sparkContext.broadcast(model_text)
    read = spark.read.parquet(str(records))
    people = read.select(
        F.col("record_id").cast("string"),
        _profile(columns).alias("profile"),
        _keys(rules).alias("keys"),
    )
    links = DeltaTables(spark, "").frame(
        [],
        "left_record string, right_record string, link_key string, strength string, weight double",
    )
    found = one_worker.resolved(
        people, links, cap=_NO_CAP, largest=200, columns=columns, model=model, keep=_kept
    )
    return found.clusters.select(F.col("record_id").cast("bigint"), "cluster").toArrow()


def _keys(rules: Sequence[Sequence[str]]) -> Column:
    """A key for each rule whose columns are all there, as ``matches.keyed`` makes them."""
    keys = [
        F.when(
            reduce(and_, (F.col(column).isNotNull() for column in rule)),
            F.shiftleft(F.lit(number).cast("bigint"), 56).bitwiseOR(
                F.shiftrightunsigned(F.xxhash64(*rule), 8)
            ),
        )
        for number, rule in enumerate(rules)
    ]
    none = F.lit(0).cast("bigint")
    return F.array_remove(F.array(*[F.coalesce(key, none) for key in keys]), 0)


def _profile(columns: list[str]) -> Column:
    known = sum((F.col(name).isNotNull().cast("int") for name in columns), F.lit(0))
    entries = [part for name in columns for part in (F.lit(name), F.col(name))]
    return F.when(known >= LEAST_COMPARED, F.create_map(*entries)).otherwise(F.create_map())


def _kept(rows: DataFrame) -> DataFrame:
    return rows.localCheckpoint(eager=True, storageLevel=StorageLevel.MEMORY_AND_DISK)
