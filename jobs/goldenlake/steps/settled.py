"""What the last export of a destination judged: while that is the same, there is nothing to send.

An export that was acknowledged whole leaves its destination as its plan wanted it. Drawing the plan
of the same generation, members, declarations and consents over the same ledger would find nothing,
until a grant begins or ends. Of one that was not, it is kept as well where people were sent and how
many there were, for the next plan is compared with that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from goldenlake.ports import Tables
from goldenlake.schemas import SETTLED
from goldenlake.steps import ledger
from goldenlake.steps.plan import EPOCH

TABLE = "activation.settled"


@dataclass(frozen=True, kw_only=True)
class Settled:
    """One destination's last export, with what the result of one that finds nothing says."""

    destination: str
    as_of: date
    counts: Mapping[str, int]
    details: Mapping[str, Any]


def still_settled(tables: Tables, destination: str, *, basis: str, at: datetime) -> Settled | None:
    """The last export, if one that judges ``basis`` at that instant would find the same."""
    row = _row(tables, destination)
    if row is None or not basis or row["fingerprint"] != basis:
        return None
    micros = (at - EPOCH) // timedelta(microseconds=1)
    until = row["until_micros"]
    if micros < row["judged_micros"] or (until is not None and micros >= until):
        return None
    if ledger.mark(tables, destination) != row["ledger"]:
        return None
    return Settled(
        destination=destination,
        as_of=row["as_of"],
        counts=dict(row["counts"]),
        details=json.loads(row["details"]),
    )


def changed_since(tables: Tables, destination: str) -> date | None:
    """The day of the last export that came to its end, if the ledger has changed since, be it
    by a run that died; a day before all others where there was none; None where it is the same.
    """
    row = _row(tables, destination)
    if row is None:
        return EPOCH.date()
    return None if ledger.mark(tables, destination) == row["ledger"] else row["as_of"]


def settle(
    tables: Tables, found: Settled, *, basis: str, at: datetime, good_until: datetime | None
) -> None:
    """Note how an export ended; ``basis`` is empty where not all that its plan wanted was
    acknowledged.
    """
    row = {
        "destination": found.destination,
        "as_of": found.as_of,
        "fingerprint": basis,
        "ledger": ledger.mark(tables, found.destination),
        "judged_at": at,
        "good_until": good_until,
        "counts": dict(found.counts),
        "details": json.dumps(dict(found.details)),
    }
    _put(tables, row)


def note_places(tables: Tables, destination: str, places: Mapping[str, str | None]) -> None:
    """Note, by segment, where people are about to be sent, whatever becomes of the export. Costs
    nothing where that is known.
    """
    row = _row(tables, destination)
    told: dict[str, Any] = json.loads(row["details"]) if row else {"segments": {}}
    known = dict(told["segments"])
    for segment, place in places.items():
        if place is not None:
            known[segment] = {**known.get(segment, {}), "where": place}
    if known == told["segments"]:
        return
    noted = {
        "destination": destination,
        "as_of": row["as_of"] if row else EPOCH.date(),
        "fingerprint": "",
        "ledger": row["ledger"] if row else "",
        "details": json.dumps({**told, "segments": known}),
    }
    _put(tables, noted)


def _row(tables: Tables, destination: str) -> Row | None:
    rows = tables.rows(TABLE, SETTLED.ddl, _in_micros)
    return next((each for each in rows if each["destination"] == destination), None)


def _put(tables: Tables, row: Mapping[str, Any]) -> None:
    where = {"destination": row["destination"]}
    tables.replace_slice(TABLE, tables.frame([row], SETTLED.ddl), where=where)


def _in_micros(rows: DataFrame) -> DataFrame:
    """Instants as numbers: Spark hands them out in the zone of the process."""
    return rows.select(
        "*",
        F.unix_micros("judged_at").alias("judged_micros"),
        F.unix_micros("good_until").alias("until_micros"),
    )
