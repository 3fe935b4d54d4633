"""What the demonstration's lake holds, in lines for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pyspark.sql import functions as F

from goldenlake.ports import Tables
from goldenlake.schemas import LEDGER, RUNS, SIZES
from goldenlake.steps.generations import latest_generation, read
from goldenlake.steps.truth import WAYS


def summary_of(tables: Tables, as_of: date) -> dict[str, str]:
    """Lines for a person: sizes of the golden table, segments and exports."""
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
    return found


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


def accuracy_lines(parts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What ``MeasureAccuracy`` found, for a person: a line for each part and way."""
    found = {}
    for part in parts:
        for way, words in WAYS.items():
            if measured := part.get(way):
                b3 = f"; B³ F1 {measured['b3_f1']:.4f}" if "b3_f1" in measured else ""
                found[f"accuracy, {part['part']}, {words}"] = (
                    f"precision {measured['precision']:.4f}, recall {measured['recall']:.4f}, "
                    f"F1 {measured['f1']:.4f} over {measured['pairs']:,} true pairs{b3}"
                )
    return found
