"""Who is in which group of a campaign does not depend on which export is the faster one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from goldenlake.io.tables import DeltaTables
from goldenlake.steps.assignments import note_held_out
from goldenlake.transforms.withholding import HOLD_OUT

FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)


def planner(destination: str, as_of: date = FIRST) -> Any:
    return SimpleNamespace(
        as_of=as_of,
        segments={"readers": SimpleNamespace(attribution="14d")},
        hold_outs={"readers": SimpleNamespace(salt="spring")},
        destination=SimpleNamespace(destination=destination, channel="email"),
    )


def noted(tables: DeltaTables, planners: Sequence[Any]) -> list[tuple[Any, ...]]:
    plan = "segment STRING, customer_id STRING, action STRING, reason STRING"
    for each in planners:
        rows = tables.spark.createDataFrame([("readers", "c1", "held", HOLD_OUT)], plan)
        note_held_out(tables, each, rows)
    kept = tables.read("activation.assignments").select("customer_id", "destination", "assigned_on")
    return [tuple(row) for row in kept.collect()]


@pytest.mark.parametrize("order", [("agency", "letter"), ("letter", "agency")])
def test_of_two_exports_of_a_day_the_same_one_counts_whichever_ends_first(
    tables: DeltaTables, order: tuple[str, str]
) -> None:
    planners = [planner(name) for name in order]
    assert noted(tables, [*planners, *planners]) == [("c1", "agency", FIRST)]


def test_the_first_day_counts(tables: DeltaTables) -> None:
    planners = [planner("letter"), planner("agency", SECOND)]
    assert noted(tables, planners) == [("c1", "letter", FIRST)]
