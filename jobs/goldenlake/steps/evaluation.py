"""How right the published customers are, where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.matching import Matching
from goldenlake.errors import ProfilesMissing, TruthUnfit
from goldenlake.identity.accuracy import accuracy, divided, mixed
from goldenlake.identity.matching.blocking import blocks_of, candidates
from goldenlake.identity.matching.evaluation import pair_recall
from goldenlake.identity.matching.keys import keys_of
from goldenlake.identity.matching.records import encoded, vocabulary_of
from goldenlake.ports import Progress, Tables
from goldenlake.reporting.matching import Assessment, BlockingRecall
from goldenlake.steps.generations import read
from goldenlake.steps.profiles import IdentityState, ProfileSample, read_profiles
from goldenlake.steps.reading import generation_of
from goldenlake.steps.tuning import labels

WORST = 10
"""Customers and persons that are told of."""


@dataclass(frozen=True, kw_only=True)
class EvaluateAgainstTruth:
    """Figures of the published customers against a file that says which record is whose.

    ``truth`` is CSV or Parquet with ``person_id`` and either ``record_id`` or ``source`` and
    ``record_key``. What is given holds ids alone.
    """

    truth: str
    matching: Matching | None

    def run(self, tables: Tables, progress: Progress) -> Assessment:
        """Raises TruthUnfit; TableMissing before the first publication."""
        generation = generation_of(tables)
        truth = self._persons(tables).cache()
        customers = read(tables, generation, "identity.customers")
        known = truth.join(customers.select("record_id"), on="record_id", how="left_semi")
        if known.isEmpty():
            raise TruthUnfit(
                file=self.truth,
                what=f"none of its records is one of generation {generation.generation}.",
                mend="Record ids look like <source>:<key>.",
            )
        progress(f"generation {generation.generation} is held against the truth")
        found = accuracy(customers, truth)
        sizes = customers.groupBy("customer_id").count().groupBy("count").count()
        return Assessment(
            generation=generation.generation,
            accuracy=found,
            truth_records=truth.count(),
            sizes={row[0]: row[1] for row in sizes.collect()},
            blocking=self._blocking(tables, truth, progress),
            mixed=[tuple(row) for row in mixed(customers, truth).limit(WORST).collect()],
            divided=[tuple(row) for row in divided(customers, truth).limit(WORST).collect()],
        )

    def _persons(self, tables: Tables) -> DataFrame:
        rows = _read_file(tables, self.truth)
        if {"source", "record_key"} <= set(rows.columns) and "record_id" not in rows.columns:
            rows = rows.withColumn("record_id", F.concat_ws(":", "source", "record_key")).where(
                "record_key IS NOT NULL"
            )
        if missing := sorted({"record_id", "person_id"} - set(rows.columns)):
            raise TruthUnfit(
                file=self.truth,
                what=f"it has no column {' and no column '.join(missing)}.",
                mend="It needs record_id (or source and record_key) and person_id.",
            )
        given = rows.where("record_id IS NOT NULL AND person_id IS NOT NULL")
        persons = given.select("record_id", F.col("person_id").cast("string")).distinct()
        several = persons.groupBy("record_id").count().where("count > 1").count()
        if several:
            raise TruthUnfit(
                file=self.truth,
                what=f"it gives {several:,} records to more than one person.",
                mend="Leave one line a record.",
            )
        return persons

    def _blocking(
        self, tables: Tables, truth: DataFrame, progress: Progress
    ) -> BlockingRecall | None:
        if self.matching is None:
            return None
        try:
            sample = read_profiles(IdentityState.of(tables), self.matching, progress)
        except ProfilesMissing:
            return None
        known = pc.is_in(sample.table["record_id"], _ids(truth, sample))
        some = ProfileSample(sample.table.filter(known), sample.matchable, sample.version)
        person = labels(some, truth)
        records = encoded(some.table, self.matching, vocabulary_of(some.table, self.matching))
        keys = keys_of(records, self.matching)
        pairs = candidates(blocks_of(records.count, keys, self.matching.blocking.most_records))
        return BlockingRecall(
            records=some.records,
            pairs=len(pairs.left),
            recall=pair_recall(pairs.left, pairs.right, person),
        )


def _ids(truth: DataFrame, sample: ProfileSample) -> pa.Array:
    ids = truth.sparkSession.createDataFrame(sample.table.select(["record_id"]))
    found = ids.join(truth.select("record_id"), on="record_id", how="left_semi").toArrow()
    return found["record_id"].combine_chunks()


def _read_file(tables: Tables, path: str) -> DataFrame:
    read = tables.spark.read
    try:
        if path.endswith(".csv"):
            return read.option("header", True).csv(path)
        return read.parquet(path)
    except AnalysisException as error:
        raise TruthUnfit(
            file=path, what="it cannot be read.", mend="Name a .csv with a header, or Parquet."
        ) from error
