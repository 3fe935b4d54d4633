"""What is being sent: written whole before the first call, so that a killed run can be resumed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from functools import reduce
from itertools import groupby
from operator import itemgetter
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql import types as T

from goldenlake.declarations.targets import whereabouts
from goldenlake.ports import Batch, Delivery, OutboundRecord, Scalar, Tables
from goldenlake.schemas import JOBS, OUTBOX
from goldenlake.steps.plan import Drawn
from goldenlake.transforms.planning import JSON_OPTIONS, clears, per_segment

TABLE = "activation.outbox"
JOBS_TABLE = "activation.jobs"
#: Records that travel to the driver at once, at most about.
_RECORDS_AT_ONCE = 20_000


@dataclass(frozen=True, kw_only=True)
class Open:
    """The deliveries of one plan that are not finished, and what resuming them needs."""

    destination: str
    deliveries: Sequence[Delivery]
    """In the order of their segments."""
    generation: int
    """Whose customer ids the records bear."""
    types: T.StructType
    records: int
    places: Mapping[str, str | None]
    """Where the people of a segment are at the destination, as ``whereabouts`` tells it; None of
    what was written before that was kept.
    """

    @property
    def mode(self) -> str:
        """In which they are delivered, whatever is declared by now."""
        return self.deliveries[0].mode


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A batch, and what the ledger knew of its records when it was planned, by key."""

    delivery: Delivery
    batch: Batch
    before: Mapping[str, Row]


#: What all rows of a delivery tell alike.
_TOLD = ("as_of", "generation", "mode", "batches", "types", "clears", "place")


def put(tables: Tables, drawn: Drawn) -> Open:
    """Make the changes of a plan the whole outbox of its destination, in one commit."""
    newest, plan = drawn.newest, drawn.plan
    destination = newest.destination
    changed = [each for each in plan.segments if each.changes]

    types = newest.types.json()
    places = {
        each.segment: whereabouts(
            destination.target, destination=plan.destination, segment=each.segment
        )
        for each in changed
    }
    constants = {
        "destination": F.lit(plan.destination),
        "delivery": per_segment({each.segment: each.delivery_id for each in changed}),
        "as_of": F.lit(plan.as_of),
        "generation": F.lit(plan.generation).cast("bigint"),
        "mode": F.lit(destination.mode),
        "batches": per_segment({each.segment: each.batches for each in changed}),
        "types": F.lit(types),
        "clears": F.lit(clears(destination)).cast("array<string>"),
        "place": per_segment(places),
    }
    names = tables.frame([], OUTBOX.ddl).columns
    rows = drawn.changes().select(*(constants.get(name, F.col(name)).alias(name) for name in names))
    tables.replace_slice(TABLE, rows, where={"destination": plan.destination})
    told = [
        {
            "segment": each.segment,
            "delivery": each.delivery_id,
            "as_of": plan.as_of,
            "generation": plan.generation,
            "mode": destination.mode,
            "batches": each.batches,
            "types": types,
            "clears": clears(destination),
            "place": places[each.segment],
            "records": each.changes,
        }
        for each in changed
    ]
    return _open(plan.destination, told)


def left_open(tables: Tables, destination: str) -> Open | None:
    """What an earlier run left in the outbox; None where it holds nothing."""
    if (destination,) not in tables.rows(TABLE, OUTBOX.ddl, _destinations):
        return None
    rows = (
        _rows(tables, destination)
        .groupBy("segment", "delivery")
        .agg(*(F.any_value(name).alias(name) for name in _TOLD), F.count(F.lit(1)).alias("records"))
        .collect()
    )
    return _open(destination, [row.asDict() for row in rows])


def _open(destination: str, told: Sequence[Mapping[str, Any]]) -> Open:
    """From what the rows of each delivery tell; all are of one plan."""
    types = T.StructType.fromJson(json.loads(told[0]["types"]))
    return Open(
        destination=destination,
        deliveries=[
            Delivery(
                destination=destination,
                segment=each["segment"],
                as_of=each["as_of"],
                delivery_id=each["delivery"],
                mode=each["mode"],
                batches=each["batches"],
                schema={field.name: field.dataType.simpleString() for field in types},
                clears=tuple(each["clears"]),
            )
            for each in sorted(told, key=itemgetter("segment", "delivery"))
        ],
        generation=told[0]["generation"],
        types=types,
        records=sum(each["records"] for each in told),
        places={each["segment"]: each["place"] for each in told},
    )


def upserts(tables: Tables, found: Open) -> DataFrame:
    """``key, customer_id, fields`` of everybody whom the deliveries would add or update."""
    rows = _rows(tables, found.destination).where(F.col("operation") == "upsert")
    return rows.select("key", "customer_id", "fields")


def outgoing(
    tables: Tables, found: Open, wanted: Mapping[str, Collection[int]]
) -> Iterator[Outgoing]:
    """The wanted batches, by delivery id: the removals of all deliveries, then the others, each in
    the order of deliveries and of their numbers.

    A segment that is called otherwise may be in the place where another was: what that one takes
    out, this one puts there again. Only a slice of them is in memory at a time.
    """
    slices = [
        (F.col("delivery") == name) & (F.col("batch") >= min(numbers))
        for name, numbers in wanted.items()
        if numbers
    ]
    if not slices:
        return
    rows = _rows(tables, found.destination).where(reduce(Column.__or__, slices))
    typed = rows.withColumn("values", F.from_json("fields", found.types, JSON_OPTIONS))
    parts = -(-found.records // _RECORDS_AT_ONCE)
    order = ("operation", "segment", "delivery", "batch")
    typed = typed.repartitionByRange(parts, *order) if parts > 1 else typed.coalesce(1)
    ordered = typed.sortWithinPartitions(*order, "key").toLocalIterator()
    deliveries = {each.delivery_id: each for each in found.deliveries}
    for (name, number), group in groupby(ordered, key=itemgetter("delivery", "batch")):
        if number not in wanted[name]:
            continue
        members = list(group)
        records = [_record(row, deliveries[name].clears, found.types) for row in members]
        yield Outgoing(
            delivery=deliveries[name],
            batch=Batch(number=number, records=records),
            before={row["key"]: row for row in members},
        )


def note_job(tables: Tables, outgoing: Outgoing, job: str, *, run_id: str, on: date) -> None:
    """Keep the name of the job that works on a batch. The last one noted counts."""
    delivery, number = outgoing.delivery, outgoing.batch.number
    row = (delivery.destination, delivery.delivery_id, number, job, run_id, on)
    tables.replace_slice(
        JOBS_TABLE,
        tables.frame([row], JOBS.ddl),
        where={
            "destination": delivery.destination,
            "delivery": delivery.delivery_id,
            "batch": number,
        },
    )


def jobs(tables: Tables, found: Open) -> dict[tuple[str, int], str]:
    """Jobs that an earlier run left, by delivery id and number of the batch."""
    names = [each.delivery_id for each in found.deliveries]
    rows = tables.rows(JOBS_TABLE, JOBS.ddl)
    return {
        (row["delivery"], row["batch"]): row["job"]
        for row in rows
        if row["destination"] == found.destination and row["delivery"] in names
    }


def batch_sizes(tables: Tables, found: Open) -> dict[tuple[str, int], int]:
    """How many records each batch has, by delivery id and number."""
    rows = _rows(tables, found.destination).groupBy("delivery", "batch").count().collect()
    return {(row["delivery"], row["batch"]): row["count"] for row in rows}


def forget(tables: Tables, found: Open, finished: Sequence[Delivery]) -> None:
    """Forget deliveries that are finished: their receiver may take them away, and no run must
    miss them. All of them together take the destination's partition along, without a job.
    """
    if not finished:
        return
    where: dict[str, str | Sequence[Scalar]] = {"destination": found.destination}
    if len(finished) < len(found.deliveries):
        where["delivery"] = [each.delivery_id for each in finished]
    tables.delete_slice(TABLE, where=where)
    if tables.exists(JOBS_TABLE):
        tables.delete_slice(JOBS_TABLE, where=where)


def _record(row: Row, clearing: Sequence[str], types: T.StructType) -> OutboundRecord:
    values = row["values"].asDict() if row["values"] is not None else {}
    if row["operation"] == "remove":
        values = {}
    for name, value in values.items():
        # Spark hands instants out as times of the process's zone, without saying so.
        if value is not None and isinstance(types[name].dataType, T.TimestampType):
            values[name] = value.astimezone(UTC)
    return OutboundRecord(
        customer_id=row["customer_id"],
        key=row["key"],
        operation=row["operation"],
        fields={n: v for n, v in values.items() if v is not None or n in clearing},
        desired_hash=row["desired_hash"],
        remote_id=row["remote_id"],
        reason=row["reason"] or "",
    )


def _destinations(rows: DataFrame) -> DataFrame:
    return rows.select("destination").distinct()


def _rows(tables: Tables, destination: str) -> DataFrame:
    outbox = tables.read_or_empty(TABLE, OUTBOX.ddl)
    return outbox.where(F.col("destination") == destination)
