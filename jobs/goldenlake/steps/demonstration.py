"""What the demonstration's lake holds, measured against the truth of its sample."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.identity.accuracy import Accuracy, accuracy
from goldenlake.ports import Tables
from goldenlake.schemas import LEDGER, RUNS, SIZES
from goldenlake.steps.generations import latest_generation, read


def summary_of(tables: Tables, truth: Path, as_of: date) -> dict[str, str]:
    """Lines for a person: sizes of the golden table, segments and exports, and the accuracy."""
    generation = latest_generation(tables)
    if generation is None:
        return {"generation": "none was published"}
    customers = read(tables, generation, "gold.customers").groupBy("is_known").count().collect()
    known = {row["is_known"]: row["count"] for row in customers}
    found = {
        "generation": f"{generation.generation} of {generation.as_of}",
        "customers": f"{known.get(True, 0):,} known, {known.get(False, 0):,} anonymous",
    }
    for name in ("gold.purchases", "gold.interactions", "gold.consents"):
        found[name] = f"{read(tables, generation, name).count():,} rows"
    sizes = tables.read_or_empty("segments.sizes", SIZES.ddl).where(F.col("as_of") == F.lit(as_of))
    for row in sizes.orderBy(F.desc("members")).collect():
        found[f"segment {row['segment']}"] = (
            f"{row['members']:,} members (+{row['entered']:,} −{row['exited']:,})"
        )
    ledger = tables.read_or_empty("activation.ledger", LEDGER.ddl).where("state = 'present'")
    sent = _sent(tables, as_of)
    for row in ledger.groupBy("destination").count().orderBy("destination").collect():
        last = sent.get(row["destination"], 0)
        found[f"export {row['destination']}"] = f"{row['count']:,} there, {last:,} sent last night"
    return found | _accuracy_lines(tables, truth)


def is_sent(tables: Tables, as_of: date, destinations: Iterable[str]) -> bool:
    """Whether a night went to its end: every destination has what the day wanted there."""
    ran = tables.read_or_empty("ops.runs", RUNS.ddl).where(
        (F.col("step") == "activate")
        & (F.col("as_of") == F.lit(as_of))
        & F.col("status").isin("done", "skipped")
    )
    return {row["subject"] for row in ran.select("subject").collect()} >= set(destinations)


def sent_since(tables: Tables, instant: datetime) -> int:
    """How many records exports have sent or removed since, of whatever day."""
    runs = tables.read_or_empty("ops.runs", RUNS.ddl).where(
        (F.col("step") == "activate") & (F.col("started_at") >= F.lit(instant))
    )
    counts = [row["counts"] or {} for row in runs.collect()]
    return sum(each.get("sent", 0) + each.get("removed", 0) for each in counts)


def _sent(tables: Tables, as_of: date) -> dict[str, int]:
    runs = tables.read_or_empty("ops.runs", RUNS.ddl).where(
        (F.col("step") == "activate") & (F.col("as_of") == F.lit(as_of))
    )
    latest: dict[str, int] = {}
    for row in sorted(runs.collect(), key=lambda row: row["started_at"]):
        counts = row["counts"] or {}
        latest[row["subject"]] = counts.get("sent", 0) + counts.get("removed", 0)
    return latest


def _accuracy_lines(tables: Tables, truth: Path) -> dict[str, str]:
    measured = truth_accuracy(tables, truth)
    return {
        "accuracy against the planted truth": (
            f"precision {measured.precision:.4f}, recall {measured.recall:.4f}, "
            f"F1 {measured.f1:.4f} over pairs; B³ F1 {measured.b3_f1:.4f}"
        ),
        "": f"{measured.records:,} records, {measured.persons:,} persons, "
        f"{measured.customers:,} customers",
    }


def truth_accuracy(tables: Tables, truth: Path) -> Accuracy:
    """Accuracy over the records whose source has a key of its own, so that the truth names them.

    The truth speaks of (source, record key); ``gold.sources`` says which record that is.
    """
    generation = latest_generation(tables)
    assert generation is not None
    persons = planted_persons(tables, truth)
    sources = read(tables, generation, "gold.sources")
    records = sources.join(persons, on=["source", "source_key"], how="inner").select(
        "record_id", "person_id"
    )
    return accuracy(sources.select("record_id", "customer_id"), records)


def planted_persons(tables: Tables, truth: Path) -> DataFrame:
    """(source, source_key, person_id) of the truth's keyed records."""
    return (
        tables.spark.read.parquet(str(truth))
        .where("record_key IS NOT NULL AND person_id IS NOT NULL")
        .select("source", F.col("record_key").alias("source_key"), "person_id")
        .distinct()
    )
