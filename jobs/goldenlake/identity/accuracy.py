"""How right an assignment of records to customers is, where the truth is known.

Counts come from the contingency table of customer × person: with n records in a cell, n·(n−1)/2
pairs are in it, so that no pair is ever enumerated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.identity.matching.evaluation import harmonic, share


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Shares between 0 and 1; a share of nothing is 1: nothing was claimed wrongly, or missed."""

    records: int
    customers: int
    persons: int
    largest_customer: int
    largest_person: int
    pairs_found: int
    pairs_true: int
    pairs_right: int
    precision: float
    recall: float
    f1: float
    b3_precision: float
    b3_recall: float
    b3_f1: float


def accuracy(customers: DataFrame, truth: DataFrame) -> Accuracy:
    """Pairwise and B³ precision, recall and F1 of customers against persons.

    ``customers`` are (record_id, customer_id), ``truth`` (record_id, person_id); records that only
    one of them has are left out. B³ (Bagga and Baldwin 1998) is the mean, over records, of the
    share of its customer (its person) that is rightly with it. Two Spark jobs at most.
    """
    cells = _cells(customers, truth)
    by_customer = cells.groupBy("customer_id").agg(
        F.sum("n").alias("size"), F.sum(F.col("n") * F.col("n")).alias("squares")
    )
    by_person = cells.groupBy("person_id").agg(
        F.sum("n").alias("size"), F.sum(F.col("n") * F.col("n")).alias("squares")
    )
    side = by_customer.select(F.lit("customer").alias("side"), "size", "squares").unionByName(
        by_person.select(F.lit("person").alias("side"), "size", "squares")
    )
    totals = {
        row["side"]: row
        for row in side.groupBy("side")
        .agg(
            F.count(F.lit(1)).alias("groups"),
            F.sum("size").alias("records"),
            F.max("size").alias("largest"),
            F.sum(_pairs(F.col("size"))).alias("pairs"),
            F.sum((F.col("squares") - F.col("size")) / 2).cast("bigint").alias("right"),
            F.sum(F.col("squares") / F.col("size")).alias("b3"),
        )
        .collect()
    }
    if not totals:
        return Accuracy(
            records=0, customers=0, persons=0, largest_customer=0, largest_person=0,
            pairs_found=0, pairs_true=0, pairs_right=0,
            precision=1.0, recall=1.0, f1=1.0, b3_precision=1.0, b3_recall=1.0, b3_f1=1.0,
        )  # fmt: skip
    found, true = totals["customer"], totals["person"]
    precision = share(found["right"], found["pairs"])
    recall = share(found["right"], true["pairs"])
    b3_precision = found["b3"] / found["records"]
    b3_recall = true["b3"] / true["records"]
    return Accuracy(
        records=found["records"],
        customers=found["groups"],
        persons=true["groups"],
        largest_customer=found["largest"],
        largest_person=true["largest"],
        pairs_found=found["pairs"],
        pairs_true=true["pairs"],
        pairs_right=found["right"],
        precision=precision,
        recall=recall,
        f1=harmonic(precision, recall),
        b3_precision=b3_precision,
        b3_recall=b3_recall,
        b3_f1=harmonic(b3_precision, b3_recall),
    )


def mixed(customers: DataFrame, truth: DataFrame) -> DataFrame:
    """Customers of more than one person, the worst first: (customer_id, records, persons, wrong).

    ``wrong`` are pairs of different people.
    """
    return _impure(_cells(customers, truth), "customer_id", "person_id", "persons")


def divided(customers: DataFrame, truth: DataFrame) -> DataFrame:
    """Persons with more than one customer, the worst first: (person_id, records, customers, wrong).

    ``wrong`` are pairs of records that were not brought together.
    """
    return _impure(_cells(customers, truth), "person_id", "customer_id", "customers")


def _cells(customers: DataFrame, truth: DataFrame) -> DataFrame:
    """The contingency table: (customer_id, person_id, n)."""
    return (
        customers.select("record_id", "customer_id")
        .join(truth.select("record_id", "person_id"), on="record_id", how="inner")
        .groupBy("customer_id", "person_id")
        .agg(F.count(F.lit(1)).alias("n"))
    )


def _impure(cells: DataFrame, of: str, by: str, named: str) -> DataFrame:
    together = F.sum(_pairs(F.col("n")))
    return (
        cells.groupBy(of)
        .agg(
            F.sum("n").alias("records"),
            F.count(by).alias(named),
            (_pairs(F.sum("n")) - together).alias("wrong"),
        )
        .where(F.col(named) > 1)
        .orderBy(F.desc("wrong"), of)
    )


@dataclass(frozen=True, kw_only=True)
class PairAccuracy:
    """Of some of all pairs; shares as in ``Accuracy``."""

    pairs_found: int
    pairs_true: int
    pairs_right: int

    @property
    def precision(self) -> float:
        """Share of the pairs found that are right."""
        return share(self.pairs_right, self.pairs_found)

    @property
    def recall(self) -> float:
        """Share of the true pairs that are found."""
        return share(self.pairs_right, self.pairs_true)

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        return harmonic(self.precision, self.recall)


def accuracy_across(customers: DataFrame, truth: DataFrame) -> PairAccuracy:
    """Pairwise accuracy over the pairs that have one record on each of two sides.

    ``customers`` are (record_id, customer_id), ``truth`` (record_id, person_id, side) with true or
    false as the side; records without one are left out. One Spark job.
    """
    cells = (
        customers.select("record_id", "customer_id")
        .join(truth.where("side IS NOT NULL"), on="record_id", how="inner")
        .groupBy("customer_id", "person_id")
        .agg(F.count_if("side").alias("one"), F.count_if(~F.col("side")).alias("other"))
    )
    grouped = [
        ("found", cells.groupBy("customer_id").agg(F.sum("one"), F.sum("other"))),
        ("true", cells.groupBy("person_id").agg(F.sum("one"), F.sum("other"))),
        ("right", cells),
    ]
    products = [
        rows.toDF(*rows.columns[:-2], "one", "other").select(
            F.lit(name).alias("name"), (F.col("one") * F.col("other")).alias("pairs")
        )
        for name, rows in grouped
    ]
    totals = reduce(DataFrame.unionByName, products).groupBy("name").agg(F.sum("pairs"))
    pairs = {row[0]: row[1] for row in totals.collect()}
    return PairAccuracy(**{f"pairs_{name}": pairs.get(name, 0) for name, _ in grouped})


def _pairs(count: Column) -> Column:
    return (count * (count - 1) / 2).cast("bigint")
