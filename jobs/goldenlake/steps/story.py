"""What was decided about one customer: in which audiences, sent where, held back why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from goldenlake.ports import Tables
from goldenlake.schemas import CHANGES, HELD_BACK, LEDGER, REJECTS, SIZES

_LEDGER = (
    "destination", "segment", "state", "outcome", "error", "attempt", "delivery", "batch",
    "acknowledged_on",
)  # fmt: skip
_REJECTS = (
    "destination", "segment", "reason", "is_permanent", "delivery", "rejected_on"
)  # fmt: skip


def activation_story(
    tables: Tables, customer_id: str, *, earlier: Sequence[str] = ()
) -> dict[str, list[dict[str, Any]]]:
    """The decisions about a customer as plain rows; keys and other personal values are left out.

    ``earlier`` are ids that became this one: what was decided before a merge stands under them.

    ``segments``: each segment on the last day on which it was built, whether the customer is in
    it, and the change of that day; ``held_back``: the reasons of the last day of each destination
    and segment; ``ledger``: what destinations acknowledged; ``rejects``: what they refused.
    """
    ids = [*earlier, customer_id]

    def ours(table: str, ddl: str) -> DataFrame:
        return tables.read_or_empty(table, ddl).where(F.col("customer_id").isin(ids))

    def later(row: Row) -> tuple[Any, ...]:
        return row["as_of"], row["customer_id"] == customer_id

    newest: dict[str, Row] = {}
    sizes = tables.read_or_empty("segments.sizes", SIZES.ddl).select("segment", "as_of")
    for row in sorted(sizes.collect()):
        newest[row["segment"]] = row
    changes = {
        (row["segment"], row["as_of"]): row["change"]
        for row in sorted(ours("segments.changes", CHANGES.ddl).collect(), key=later)
    }
    segments = [
        {
            "segment": name,
            "as_of": row["as_of"],
            "is_member": changes.get((name, row["as_of"])) in ("entered", "stayed"),
            "change": changes.get((name, row["as_of"])),
        }
        for name, row in sorted(newest.items())
    ]
    held: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(ours("activation.held_back", HELD_BACK.ddl).collect(), key=later):
        held[row["destination"], row["segment"]] = row.asDict()
    return {
        "segments": segments,
        "held_back": [
            {name: row[name] for name in ("destination", "segment", "as_of", "reason")}
            for _, row in sorted(held.items())
        ],
        "ledger": _rows(ours("activation.ledger", LEDGER.ddl), _LEDGER),
        "rejects": _rows(ours("activation.rejects", REJECTS.ddl), _REJECTS),
    }


def _rows(frame: DataFrame, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    found = frame.select(*columns).orderBy(*columns).collect()
    return [row.asDict() for row in found]
