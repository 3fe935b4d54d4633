"""Who is in which group of a campaign does not depend on which export is the faster one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from goldenlake.declarations.segment import Segment
from goldenlake.io.tables import DeltaTables
from goldenlake.steps.assignments import note_held_out
from goldenlake.transforms.withholding import HOLD_OUT
from support.activation import DAY, Killed, destination, members_are, night, silent, step
from support.destinations import Remembering
from support.gold import customer, grant, publish

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


NAMES = [f"reader{at:02}" for at in range(12)]
LATER = DAY + timedelta(days=9)
GENEROUS = {"largest_change": 100, "allow_empty": True}


def held_out_of(salt: str, people: Collection[str] = NAMES) -> set[str]:
    """The quarter that a salt draws, by hand."""

    def number(name: str) -> int:
        return int(hashlib.sha256(f"{salt}:{name}".encode()).hexdigest()[:13], 16)

    held = {name for name in people if number(name) < 16**13 / 4}
    assert 0 < len(held) < len(people)
    return held


def readers(salt: str = "") -> Mapping[str, Segment]:
    """The audience, a quarter of it being held out where there is a salt."""
    told = {"segment": "readers", "description": "x", "owner": "x", "who": {"sql": "TRUE"}}
    group = {"hold_out": {"share": 0.25, "salt": salt}} if salt else {}
    return {"readers": Segment.model_validate(told | group)}


def export(
    tables: DeltaTables,
    as_of: date = DAY,
    salt: str = "",
    members: Collection[str] = NAMES,
    kind: Remembering | None = None,
    **others: Any,
) -> None:
    """A night's export to somebody who says yes to all."""
    members_are(tables, as_of, {"readers": members}, publish(tables, as_of, {}))
    declared = destination(**{"guards": GENEROUS, **others})
    step(as_of, destination=declared, segments=readers(salt)).run(
        tables, kind or Remembering(), silent
    )


def groups(tables: DeltaTables, campaign: str) -> dict[str, tuple[str, date]]:
    rows = tables.read("activation.assignments").where(f"campaign = '{campaign}'").collect()
    assert len(rows) == len({row["customer_id"] for row in rows})
    return {row["customer_id"]: (row["arm"], row["assigned_on"]) for row in rows}


def drawn_on(day: date, salt: str, people: Collection[str] = NAMES) -> dict[str, tuple[str, date]]:
    """Everybody in a group since that day."""
    held = held_out_of(salt)
    return {who: ("held_out" if who in held else "sent", day) for who in people}


@pytest.fixture
def audience(tables: DeltaTables) -> DeltaTables:
    """A running audience of whom nobody is held out."""
    grants = [grant(name) for name in NAMES]
    night(tables, DAY, [customer(name) for name in NAMES], grants, {"readers": NAMES})
    return tables


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["mirror", "upsert"])
def test_of_a_running_audience_all_are_in_a_group_from_the_day_on_which_one_is_drawn(
    audience: DeltaTables, mode: str
) -> None:
    export(audience, mode=mode)
    export(audience, LATER, "spring", mode=mode)
    assert groups(audience, "spring") == drawn_on(LATER, "spring")
    export(audience, LATER + timedelta(days=1), "autumn", mode=mode)
    assert groups(audience, "autumn") == drawn_on(LATER + timedelta(days=1), "autumn")
    assert groups(audience, "") == dict.fromkeys(NAMES, ("sent", DAY))


def test_who_joins_later_counts_from_the_day_on_which_they_were_sent(
    audience: DeltaTables,
) -> None:
    first, last = NAMES[:8], NAMES[8:]
    export(audience, members=first)
    export(audience, LATER, "spring", members=first)
    day = LATER + timedelta(days=2)
    export(audience, day, "spring")
    assert groups(audience, "spring") == (
        drawn_on(LATER, "spring", first) | drawn_on(day, "spring", last)
    )


@pytest.mark.slow
def test_whom_a_run_that_died_had_sent_to_count_from_that_day_and_from_none_before_the_campaign(
    audience: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = NAMES[:8], NAMES[8:]
    kind = Remembering()
    export(audience, members=first[:6], kind=kind)
    died_before, died, mended = (LATER + timedelta(days=days) for days in (-1, 0, 2))
    with monkeypatch.context() as patch:
        patch.setattr("goldenlake.steps.activate.assignments.note_sent", Mock(side_effect=Killed))
        with pytest.raises(Killed):
            export(audience, died_before, members=first, kind=kind)
        with pytest.raises(Killed):
            export(audience, died, "spring", kind=kind)

    export(audience, mended, "spring", kind=kind)

    assert groups(audience, "spring") == drawn_on(died, "spring", [*first, *last])


@pytest.mark.slow
def test_who_is_in_a_list_of_another_destination_alone_is_in_a_group_as_well(
    audience: DeltaTables,
) -> None:
    letter = {"destination": "letter"}
    export(audience, members=NAMES[:6])
    export(audience, **letter)
    export(audience, LATER, "spring", members=NAMES[:6])
    export(audience, LATER, "spring", **letter)
    assert groups(audience, "spring") == drawn_on(LATER, "spring")
    names = {row["destination"] for row in audience.read("activation.assignments").collect()}
    assert names == {"crm", "letter"}


@pytest.mark.slow
def test_who_left_an_audience_that_takes_nobody_out_is_in_no_group(audience: DeltaTables) -> None:
    export(audience, mode="upsert")
    export(audience, LATER, "spring", members=NAMES[:8], mode="upsert")
    assert groups(audience, "spring") == drawn_on(LATER, "spring", NAMES[:8])


@pytest.mark.slow
def test_who_is_told_of_as_somebody_who_said_no_is_in_no_group(audience: DeltaTables) -> None:
    export(audience)
    said_no = [grant(name, "withdrawn") for name in NAMES]
    publish(audience, LATER, {"gold.consents": said_no})
    export(audience, LATER, "spring", mode="suppress", fields={})
    assert groups(audience, "spring") == {}


@pytest.mark.slow
def test_a_day_before_the_campaign_that_is_exported_late_begins_nothing(
    audience: DeltaTables,
) -> None:
    export(audience, LATER, "spring", members=NAMES[:8])
    export(audience, DAY, "spring", destination="letter")
    assert {day for _, day in groups(audience, "spring").values()} == {LATER}
