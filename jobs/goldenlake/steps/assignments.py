"""Who was first sent to for a segment, and who was held out of it: what results are compared by."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.base import parse_duration
from goldenlake.ports import Tables
from goldenlake.steps import ledger
from goldenlake.steps.plan import PlanExport
from goldenlake.transforms.campaigns import HELD_OUT, SENT
from goldenlake.transforms.planning import per_segment
from goldenlake.transforms.withholding import HOLD_OUT

TABLE = "activation.assignments"
_KEY = ("segment", "campaign", "customer_id")


def note_held_out(tables: Tables, planner: PlanExport, rows: DataFrame) -> None:
    """Those whom a plan holds out; ``rows`` are those of the plan."""
    if planner.hold_outs:
        held = rows.where((F.col("action") == "held") & (F.col("reason") == HOLD_OUT))
        _note(tables, planner, held.withColumn("_on", F.lit(planner.as_of)), HELD_OUT)


def note_sent(tables: Tables, planner: PlanExport, *, since: date) -> None:
    """Those who are there by what was acknowledged from that day on, by a run that died as well."""
    if not planner.segments:
        return
    sent = ledger.records_of(tables, planner.destination.destination).where(
        (F.col("state") == "present")
        & (F.col("acknowledged_on") >= F.lit(since))
        & F.col("segment").isin(list(planner.segments))
    )
    if not sent.isEmpty():
        _note(tables, planner, sent.withColumn("_on", F.col("acknowledged_on")), SENT)


def _note(tables: Tables, planner: PlanExport, people: DataFrame, arm: str) -> None:
    """The first assignment stays; of destinations on one day, whose exports may overtake each
    other, the first by name counts.
    """
    lasts = {name: parse_duration(of.attribution).days for name, of in planner.segments.items()}
    campaigns = {name: of.salt for name, of in planner.hold_outs.items()}
    rows = people.select(
        "segment",
        per_segment({name: campaigns.get(name, "") for name in planner.segments}).alias("campaign"),
        "customer_id",
        F.lit(arm).alias("arm"),
        F.lit(planner.destination.channel).alias("channel"),
        F.lit(planner.destination.destination).alias("destination"),
        F.col("_on").alias("assigned_on"),
        F.date_add("_on", per_segment(lasts)).alias("until"),
    ).dropDuplicates(list(_KEY))
    overtaken = "new.assigned_on = old.assigned_on AND new.destination < old.destination"
    tables.merge(TABLE, rows, on=_KEY, update_when=overtaken)
