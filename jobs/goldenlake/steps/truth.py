"""How right the customers of a made-up company are: the lake against its sample's planted truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.identity.accuracy import Accuracy, PairAccuracy, accuracy, accuracy_across
from goldenlake.identity.matches import MATCH
from goldenlake.ports import StepResult, Tables
from goldenlake.steps.generations import Generation, read
from goldenlake.steps.reading import generation_of

STEP = "accuracy"
WAYS = {"links": "links alone", "model": "with the model"}
"""What customers were made by, in words."""
_NAMES = {
    "account_id": "account",
    "cookie": "cookie",
    "customer_number": "customer_number",
    "email": "email",
    "email_sha256": "email_sha256",
    "loyalty_card": "loyalty_card",
    "phone": "phone",
    "phone_sha256": "phone_sha256",
}
"""Identifiers by their column in the truth, in the order in which a record has them."""


@dataclass(frozen=True, kw_only=True)
class MeasureAccuracy:
    """Measure the newest generation, by its links alone and with what a model joined.

    ``systems`` tells the system of each source. The details of the result are ``parts``: name, and
    a dict for ``links`` and, where a model took part, for ``model``, of ``precision``, ``recall``,
    ``f1`` and ``pairs``, the true ones.
    """

    truth: Path
    systems: Mapping[str, str]

    def run(self, tables: Tables) -> StepResult:
        """Raises TableMissing before the first publication."""
        generation = generation_of(tables)
        customers = read(tables, generation, "identity.customers")
        edges = read(tables, generation, "identity.edges")
        found = {"links": customers}
        if not edges.where(F.col("identifier") == MATCH).isEmpty():
            alone = customers.select("record_id", F.col("link_group").alias("customer_id"))
            found = {"links": alone, "model": customers}
        told = told_records(tables, generation, self.truth).localCheckpoint()
        sides = {
            "web to shops": self._in_system("web", "shops"),
            "Cyrillic to Latin": F.col("is_latin"),
        }
        parts = [{"part": "all", **{by: _measured(of, told) for by, of in found.items()}}]
        parts += [
            {
                "part": name,
                **{
                    by: _shares(accuracy_across(of, told.withColumn("side", side)))
                    for by, of in found.items()
                },
            }
            for name, side in sides.items()
        ]
        return StepResult(step=STEP, details={"parts": parts})

    def _in_system(self, one: str, other: str) -> Column:
        sources = {
            system: [name for name, of in self.systems.items() if of == system]
            for system in (one, other)
        }
        return F.when(F.col("source").isin(sources[one]), True).when(
            F.col("source").isin(sources[other]), False
        )


def truth_accuracy(tables: Tables, truth: Path) -> Accuracy:
    """Accuracy over the records whose source has a key of its own, so that the truth names them."""
    generation = generation_of(tables)
    told = told_records(tables, generation, truth)
    return accuracy(read(tables, generation, "identity.customers"), told.where("is_keyed"))


def told_records(tables: Tables, generation: Generation, truth: Path) -> DataFrame:
    """Records of which the truth tells one person.

    (record_id, source, person_id, is_keyed, is_latin). The truth speaks of (source, record key),
    or of the identifiers that a source of events gives; a cookie of several persons is nobody's.
    ``is_latin`` is null but for records of people whose name is natively in Cyrillic: it says
    whether theirs is spelled in Latin letters.
    """
    spark = tables.spark
    persons = spark.read.parquet(str(truth.with_name("persons.parquet")))
    said = (
        spark.read.parquet(str(truth))
        .where("person_id IS NOT NULL")
        .join(persons.select("person_id", "cyrillic"), on="person_id", how="left")
        .withColumn(
            "is_latin", F.when(F.col("cyrillic"), F.array_contains("traits", "latin_spelling"))
        )
    )
    records = read(tables, generation, "identity.records").where("is_active")
    keyed = said.where("record_key IS NOT NULL").withColumn("source_key", F.col("record_key"))
    given = [
        F.struct(F.lit(name).alias("name"), F.col(column).alias("value"))
        for column, name in _NAMES.items()
    ]
    subjects = said.where("record_key IS NULL").withColumn(
        "identifiers", F.filter(F.array(*given), lambda pair: pair["value"].isNotNull())
    )
    told = [
        records.select("record_id", "source", by)
        .join(rows.select("source", by, "person_id", "is_latin"), on=["source", by], how="inner")
        .select("record_id", "source", "person_id", F.lit(is_keyed).alias("is_keyed"), "is_latin")
        for by, rows, is_keyed in (("source_key", keyed, True), ("identifiers", subjects, False))
    ]
    return (
        told[0]
        .unionByName(told[1])
        .groupBy("record_id", "source", "is_keyed")
        .agg(
            F.min("person_id").alias("person_id"),
            F.max("person_id").alias("_another"),
            F.max("is_latin").alias("is_latin"),
        )
        .where(F.col("person_id") == F.col("_another"))
        .drop("_another")
    )


def _measured(customers: DataFrame, told: DataFrame) -> dict[str, float]:
    found = accuracy(customers, told.where("is_keyed"))
    return {
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
        "pairs": found.pairs_true,
        "b3_f1": found.b3_f1,
        "records": found.records,
        "persons": found.persons,
        "customers": found.customers,
    }


def _shares(found: PairAccuracy) -> dict[str, float]:
    return {
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
        "pairs": found.pairs_true,
    }
