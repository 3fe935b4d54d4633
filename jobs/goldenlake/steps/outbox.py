"""What is being sent: written whole before the first call, so that a killed run can be resumed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql import types as T

from goldenlake.ports import Batch, Delivery, OutboundRecord, Tables
from goldenlake.schemas import OUTBOX
from goldenlake.steps.plan import Drawn
from goldenlake.transforms.planning import JSON_OPTIONS, clears

TABLE = "activation.outbox"
#: Records that travel to the driver at once, at most about.
_RECORDS_AT_ONCE = 20_000


@dataclass(frozen=True, kw_only=True)
class OpenDelivery:
    """A delivery that is not finished, and what resuming it needs."""

    delivery: Delivery
    generation: int
    """Whose customer ids its records bear."""
    types: T.StructType
    records: int


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A batch, and what the ledger knew of its records when it was planned, by key."""

    batch: Batch
    before: Mapping[str, Row]


def put(tables: Tables, drawn: Drawn) -> None:
    """Make the changes of a plan the whole outbox of its destination, in one commit."""
    newest, plan = drawn.newest, drawn.plan
    of_segment = {each.segment: each for each in plan.segments}

    def per_segment(values: Mapping[str, Any]) -> Any:
        pairs = [F.lit(each) for pair in sorted(values.items()) for each in pair]
        return F.create_map(*pairs)[F.col("segment")]

    destination = newest.destination
    constants = {
        "destination": F.lit(destination.destination),
        "delivery": per_segment({name: each.delivery_id for name, each in of_segment.items()}),
        "as_of": F.lit(plan.as_of),
        "generation": F.lit(plan.generation).cast("bigint"),
        "mode": F.lit(destination.mode),
        "batches": per_segment({name: each.batches for name, each in of_segment.items()}),
        "types": F.lit(newest.types.json()),
        "clears": F.lit(clears(destination)).cast("array<string>"),
    }
    names = tables.spark.createDataFrame([], OUTBOX.ddl).columns
    rows = drawn.changes().select(*(constants.get(name, F.col(name)).alias(name) for name in names))
    tables.replace_slice(TABLE, rows, where={"destination": destination.destination})


def open_deliveries(tables: Tables, destination: str) -> list[OpenDelivery]:
    """What is in the outbox, by segment."""
    found = (
        _rows(tables, destination)
        .groupBy("segment", "delivery")
        .agg(
            *(
                F.any_value(name).alias(name)
                for name in ("as_of", "generation", "mode", "batches", "types", "clears")
            ),
            F.count(F.lit(1)).alias("records"),
        )
        .collect()
    )
    return [
        _open_delivery(destination, row)
        for row in sorted(found, key=itemgetter("segment", "delivery"))
    ]


def _open_delivery(destination: str, row: Row) -> OpenDelivery:
    types = T.StructType.fromJson(json.loads(row["types"]))
    delivery = Delivery(
        destination=destination,
        segment=row["segment"],
        as_of=row["as_of"],
        delivery_id=row["delivery"],
        mode=row["mode"],
        batches=row["batches"],
        schema={field.name: field.dataType.simpleString() for field in types},
        clears=tuple(row["clears"]),
    )
    return OpenDelivery(
        delivery=delivery, generation=row["generation"], types=types, records=row["records"]
    )


def upserts(tables: Tables, found: OpenDelivery) -> DataFrame:
    """``key, customer_id`` of everybody whom a delivery would add or update."""
    rows = _of(tables, found).where(F.col("operation") == "upsert")
    return rows.select("key", "customer_id")


def outgoing(tables: Tables, found: OpenDelivery, settled: set[int]) -> Iterator[Outgoing]:
    """The batches in the order of their numbers, without those that are settled.

    Only a slice of the delivery is in memory at a time.
    """
    rows = _of(tables, found)
    numbers = range(1, found.delivery.batches + 1)
    first = next((number for number in numbers if number not in settled), numbers.stop)
    rows = rows.where(F.col("batch") >= first)
    slices = max(1, min(found.delivery.batches, -(-found.records // _RECORDS_AT_ONCE)))
    typed = rows.withColumn("values", F.from_json("fields", found.types, JSON_OPTIONS))
    ordered = typed.repartitionByRange(slices, "batch").sortWithinPartitions("batch", "key")
    for number, group in groupby(ordered.toLocalIterator(), key=itemgetter("batch")):
        if number in settled:
            continue
        members = list(group)
        records = [_record(row, found.delivery.clears) for row in members]
        yield Outgoing(
            batch=Batch(number=number, records=records),
            before={row["key"]: row for row in members},
        )


def batch_sizes(tables: Tables, found: OpenDelivery) -> dict[int, int]:
    """How many records each batch has."""
    rows = _of(tables, found).groupBy("batch").count().collect()
    return {row["batch"]: row["count"] for row in rows}


def forget(tables: Tables, found: OpenDelivery, *, is_last: bool) -> None:
    """Forget a delivery that is finished: its receiver may take it away, and no run must miss it.

    The last one takes the destination's partition with it, so that no file is written anew.
    """
    where = {"destination": found.delivery.destination}
    if not is_last:
        where |= {"segment": found.delivery.segment, "delivery": found.delivery.delivery_id}
    nothing = tables.spark.createDataFrame([], OUTBOX.ddl)
    tables.replace_slice(TABLE, nothing, where=where)


def _record(row: Row, clearing: Sequence[str]) -> OutboundRecord:
    values = row["values"].asDict() if row["values"] is not None else {}
    if row["operation"] == "remove":
        values = {}
    return OutboundRecord(
        customer_id=row["customer_id"],
        key=row["key"],
        operation=row["operation"],
        fields={n: v for n, v in values.items() if v is not None or n in clearing},
        desired_hash=row["desired_hash"],
        remote_id=row["remote_id"],
        reason=row["reason"] or "",
    )


def _rows(tables: Tables, destination: str) -> DataFrame:
    outbox = tables.read_or_empty(TABLE, OUTBOX.ddl)
    return outbox.where(F.col("destination") == destination)


def _of(tables: Tables, found: OpenDelivery) -> DataFrame:
    rows = _rows(tables, found.delivery.destination)
    return rows.where(
        (F.col("segment") == found.delivery.segment)
        & (F.col("delivery") == found.delivery.delivery_id)
    )
