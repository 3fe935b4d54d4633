"""Who was first sent to for a segment, and who was held out of it: what results are compared by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.base import parse_duration
from goldenlake.ports import Tables
from goldenlake.schemas import ASSIGNMENTS
from goldenlake.steps import ledger
from goldenlake.steps.plan import EPOCH, PlanExport
from goldenlake.steps.settled import changed_since
from goldenlake.transforms.campaigns import HELD_OUT, SENT
from goldenlake.transforms.planning import SUPPRESS, per_segment
from goldenlake.transforms.withholding import HOLD_OUT, is_in_control_group

TABLE = "activation.assignments"
_KEY = ("segment", "campaign", "customer_id")


def note_held_out(tables: Tables, planner: PlanExport, rows: DataFrame) -> None:
    """Those whom a plan holds out; ``rows`` are those of the plan."""
    if planner.hold_outs:
        held = rows.where((F.col("action") == "held") & (F.col("reason") == HOLD_OUT))
        held = held.withColumn("_on", F.lit(planner.as_of))
        _note(tables, planner, held, HELD_OUT, _begun(tables, planner))


def note_there(tables: Tables, planner: PlanExport, rows: DataFrame) -> None:
    """Members who are there already and in no group of a campaign yet, from the day of the plan.

    Where a control group is drawn in a running audience, or drawn anew, nothing is sent to most of
    the others: they are there unchanged. Whom a run that died sent to within the campaign counts
    from that day. ``rows`` are those of the plan.
    """
    if not planner.hold_outs or planner.destination.mode == SUPPRESS:
        return
    begun = _begun(tables, planner)
    earlier = _assigned(tables, planner).where(F.col("assigned_on") < F.lit(planner.as_of))
    there = rows.where(
        F.col("is_wanted")
        & (F.col("state") == "present")
        & F.col("segment").isin(list(planner.hold_outs))
    ).join(earlier, ["segment", "customer_id"], how="left_anti")
    since = changed_since(tables, planner.destination.destination) or planner.as_of
    first = F.greatest(F.lit(since), per_segment(begun))
    on = F.when(F.col("acknowledged_on") >= first, F.col("acknowledged_on"))
    people = there.withColumn("_on", F.coalesce(on, F.lit(planner.as_of)))
    if not people.isEmpty():
        _note(tables, planner, people, SENT, begun)


def note_sent(tables: Tables, planner: PlanExport, *, since: date) -> None:
    """Those who are there by what was acknowledged from that day on, by a run that died as well;
    for a campaign, not before it began.
    """
    if not planner.segments:
        return
    begun = _begun(tables, planner)
    sent = ledger.records_of(tables, planner.destination.destination).where(
        (F.col("state") == "present")
        & (F.col("acknowledged_on") >= F.greatest(F.lit(since), per_segment(begun)))
        & F.col("segment").isin(list(planner.segments))
        & ~is_in_control_group(planner.hold_outs)
    )
    if not sent.isEmpty():
        _note(tables, planner, sent.withColumn("_on", F.col("acknowledged_on")), SENT, begun)


def _assigned(tables: Tables, planner: PlanExport) -> DataFrame:
    """All who are in a group of the planner's campaigns."""
    campaigns = {name: of.salt for name, of in planner.hold_outs.items()}
    rows = tables.read_or_empty(TABLE, ASSIGNMENTS.ddl).where(F.col("segment").isin(*campaigns))
    return rows.where(F.col("campaign") == per_segment(campaigns))


def _begun(tables: Tables, planner: PlanExport) -> Mapping[str, date]:
    """By segment the day before which nobody is assigned: the first of its campaign, that of the
    plan where it begins now; none that matters where nobody is held out.
    """
    days = {
        name: planner.as_of if name in planner.hold_outs else EPOCH.date()
        for name in planner.segments
    }
    if planner.hold_outs:
        first = _assigned(tables, planner).groupBy("segment").agg(F.min("assigned_on"))
        days |= dict(map(tuple, first.collect()))
    return days


def _note(
    tables: Tables, planner: PlanExport, people: DataFrame, arm: str, begun: Mapping[str, date]
) -> None:
    """The first assignment stays; of destinations on one day, whose exports may overtake each
    other, the first by name counts.
    """
    lasts = {name: parse_duration(of.attribution).days for name, of in planner.segments.items()}
    campaigns = {name: of.salt for name, of in planner.hold_outs.items()}
    first = people.groupBy("segment", "customer_id").agg(F.min("_on").alias("_on"))
    rows = first.withColumn("_on", F.greatest("_on", per_segment(begun))).select(
        "segment",
        per_segment({name: campaigns.get(name, "") for name in planner.segments}).alias("campaign"),
        "customer_id",
        F.lit(arm).alias("arm"),
        F.lit(planner.destination.channel).alias("channel"),
        F.lit(planner.destination.destination).alias("destination"),
        F.col("_on").alias("assigned_on"),
        F.date_add("_on", per_segment(lasts)).alias("until"),
    )
    overtaken = "new.assigned_on = old.assigned_on AND new.destination < old.destination"
    tables.merge(TABLE, rows, on=_KEY, update_when=overtaken)
