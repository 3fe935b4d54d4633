"""Who is in which group of a campaign does not depend on which export is the faster one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from goldenlake.declarations.segment import Segment
from goldenlake.io.tables import DeltaTables
from goldenlake.steps.assignments import note_held_out
from goldenlake.transforms.withholding import HOLD_OUT
from support.activation import DAY, Killed, night, silent, step
from support.destinations import Remembering
from support.gold import customer, grant

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


def test_who_was_sent_to_is_noted_though_the_process_died_right_after_the_last_answer(
    tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["ann", "bob"]
    night(tables, DAY, [customer(n) for n in names], [grant(n) for n in names], {"readers": names})
    told = {"segment": "readers", "description": "x", "owner": "x", "who": {"sql": "TRUE"}}
    segments, kind = {"readers": Segment.model_validate(told)}, Remembering()
    with monkeypatch.context() as patch:
        patch.setattr("goldenlake.steps.activate.assignments.note_sent", Mock(side_effect=Killed))
        with pytest.raises(Killed):
            step(segments=segments).run(tables, kind, silent)

    later = step(segments=segments).run(tables, kind, silent)

    assert (later.counts["unchanged"], len(kind.sent)) == (2, 1), "nothing is sent again"
    noted = tables.read("activation.assignments").collect()
    assert {(row["customer_id"], row["assigned_on"]) for row in noted} == {
        (name, DAY) for name in names
    }
