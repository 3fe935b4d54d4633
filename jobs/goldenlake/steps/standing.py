"""How a destination stands: what its ledger holds, and what was decided about one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.destinations import capabilities_of
from goldenlake.identity.evidence import customer_named
from goldenlake.identity.ids import redirects
from goldenlake.ports import Tables
from goldenlake.schemas import REJECTS
from goldenlake.steps import ledger
from goldenlake.steps.generations import read
from goldenlake.steps.plan import PlanExport
from goldenlake.steps.reading import generation_of

_TOLD = (
    "segment", "state", "outcome", "error", "attempt", "delivery", "batch", "run_id",
    "acknowledged_on",
)  # fmt: skip


def ledger_counts(tables: Tables, destination: str) -> list[dict[str, Any]]:
    """``segment, state, outcome, records, newest``: how many records stand how."""
    rows = (
        ledger.records_of(tables, destination)
        .groupBy("segment", "state", "outcome")
        .agg(F.count(F.lit(1)).alias("records"), F.max("acknowledged_on").alias("newest"))
        .orderBy("segment", "state", "outcome")
        .collect()
    )
    return [row.asDict() for row in rows]


@dataclass(frozen=True, kw_only=True)
class PersonStanding:
    """One person at one destination. Customer ids and reasons only, no other value."""

    customer_id: str
    decisions: Sequence[dict[str, Any]]
    """``segment, action, reason`` of each segment that the person is in, or has a record of."""
    ledger: Sequence[dict[str, Any]]
    rejects: Sequence[dict[str, Any]]
    absent_from: Sequence[str]
    """Segments of the destination that the person is not in."""
    objections: Sequence[str]
    """What the guards object to in the plan as a whole: nobody is sent until it is approved."""


def person_standing(tables: Tables, planner: PlanExport, who: str) -> PersonStanding:
    """What the plan, drawn now, decides about a person, and what happened before.

    ``who`` is a customer id, also one that was merged into another, or a record id.
    Raises CustomerUnknown; SegmentNotBuilt; TableMissing before the first publication.
    """
    generation = generation_of(tables)
    history = read(tables, generation, "identity.history")
    customer_id = customer_named(who, read(tables, generation, "identity.customers"), history)
    became = redirects(history).where(F.col("current_customer_id") == customer_id)
    # What happened before a merge stands under the ids of then.
    ids = [customer_id, *(row["customer_id"] for row in became.collect())]
    destination = planner.destination
    with planner.drawn(tables, capabilities_of(destination)) as drawn:
        rows = (
            drawn.rows.where(F.col("customer_id") == customer_id)
            .select("segment", "action", "reason")
            .orderBy("segment", "action")
            .collect()
        )
        objections = [] if drawn.plan.is_approved else drawn.plan.objections
    decisions = [row.asDict() for row in rows]
    seen = {each["segment"] for each in decisions}

    def told(ours: DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
        found = ours.where(F.col("customer_id").isin(ids)).select(*columns)
        return [row.asDict() for row in found.orderBy(*columns).collect()]

    name = destination.destination
    rejects = tables.read_or_empty("activation.rejects", REJECTS.ddl)

    return PersonStanding(
        customer_id=customer_id,
        decisions=decisions,
        ledger=told(ledger.records_of(tables, name), _TOLD),
        rejects=told(
            rejects.where(F.col("destination") == name),
            ("segment", "reason", "is_permanent", "rejected_on"),
        ),
        absent_from=[name for name in destination.segments if name not in seen],
        objections=objections,
    )
