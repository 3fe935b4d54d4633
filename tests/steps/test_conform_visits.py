"""Conform, of sources of events: visits, bots, and replays that replace a file's slice."""

from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from goldenlake.io.tables import DeltaTables
from support.bronze import ingested, source_of
from support.conforming import DAY, Rows, conform, silver

VISITS = source_of(
    source="web",
    load="append",
    columns=[
        {"name": "host"},
        {"name": "cookie", "personal": "pseudonym"},
        {"name": "agent"},
        {"name": "at", "type": "timestamp", "formats": ["epoch"], "required": True},
    ],
    identifiers={"cookie": "cookie"},
    sessions={"by": ["host", "cookie"], "at": "at"},
    bots={"user_agent": "agent"},
)


def hits(*minutes: int, host: str = "h", agent: str = "Mozilla/5.0") -> list[dict[str, str]]:
    return [
        {"host": host, "cookie": f"k-{host}", "agent": agent, "at": str(1_700_000_000 + 60 * m)}
        for m in minutes
    ]


def sessions_of(tables: DeltaTables) -> list[tuple[int, ...]]:
    """Minutes of the events of each session."""
    found: dict[str, list[int]] = {}
    rows = tables.read("silver.web").select("session_id", F.unix_seconds("at").alias("s")).collect()
    for row in rows:
        found.setdefault(row["session_id"], []).append((row["s"] - 1_700_000_000) // 60)
    return sorted(tuple(sorted(minutes)) for minutes in found.values())


def test_visits_go_on_across_files_and_a_bridge_that_comes_late_joins_two(
    tables: DeltaTables,
) -> None:
    cut = [hits(0, 10), hits(35, 90), hits(100, 60)]
    files = [ingested(tables, VISITS, f"{n}.log", rows) for n, rows in enumerate(cut)]
    conform(tables, VISITS, files[0])
    conform(tables, VISITS, files[1])
    assert sessions_of(tables) == [(0, 10, 35), (90,)]
    conform(tables, VISITS, files[2])
    assert sessions_of(tables) == [(0, 10, 35, 60, 90, 100)]


@pytest.mark.fault("late and reordered files")
@pytest.mark.parametrize("arrival", [(2, 1, 0), (1, 2, 0)])
def test_visits_are_the_same_however_files_are_cut_and_whenever_they_come(
    tables: DeltaTables, arrival: tuple[int, ...]
) -> None:
    cut = [hits(0, 200, 31) + hits(3, host="g"), hits(61, 62, 170), hits(120, 30, 230)]
    files = [ingested(tables, VISITS, f"{n}.log", rows) for n, rows in enumerate(cut)]
    for n in arrival:
        conform(tables, VISITS, files[n])
    assert sessions_of(tables) == [(0, 30, 31, 61, 62), (3,), (120,), (170, 200, 230)]


def test_a_replay_that_takes_events_out_of_a_visit_cuts_it_again(tables: DeltaTables) -> None:
    bridge = ingested(tables, VISITS, "bridge.log", hits(25))
    conform(tables, VISITS, ingested(tables, VISITS, "a.log", hits(0, 50)))
    conform(tables, VISITS, bridge)
    assert sessions_of(tables) == [(0, 25, 50)]
    strict = VISITS.model_copy(
        update={
            "rules": source_of(
                load="append", columns=[{"name": "at"}],
                rules=[{"rule": "holds", "expression": "false", "reason": "test"}],
            ).rules
        }
    )  # fmt: skip
    conform(tables, strict, bridge)
    assert sessions_of(tables) == [(0,), (50,)]


def test_bots_are_flagged_and_name_nobody(tables: DeltaTables) -> None:
    rows = hits(0) + hits(1, agent="Googlebot/2.1 (+http://www.google.com/bot.html)")
    rows += [{**hits(2)[0], "cookie": None, "agent": None}]  # type: ignore[dict-item]
    conform(tables, VISITS, ingested(tables, VISITS, "a.log", rows))

    found = silver(tables, VISITS, "_record", "is_bot", "record_id")
    assert [(flag, name is None) for _, flag, name in found] == [
        (False, False), (True, True), (False, True),
    ]  # fmt: skip
    assert found[0][2].startswith("web:")
    assert len(found[0][2]) == len("web:") + 24


def test_replaying_events_replaces_the_slice_of_their_file(tables: DeltaTables) -> None:
    files = [ingested(tables, VISITS, f"{n}.log", hits(n, n)) for n in (0, 1)]
    conform(tables, VISITS, *files)
    before = silver(tables, VISITS, "_file_id", "_record", "session_id")
    assert len(before) == 4
    conform(tables, VISITS, files[0])
    assert silver(tables, VISITS, "_file_id", "_record", "session_id") == before


def test_equal_events_under_a_key_are_one_even_across_files_and_count_as_accepted(
    tables: DeltaTables,
) -> None:
    clicks = source_of(
        load="append", key=["id"], order_by=["at"],
        columns=[{"name": "id"}, {"name": "at", "type": "timestamp"}, {"name": "what"}],
    )  # fmt: skip
    one = {"id": "1", "at": "2026-03-01 10:00:00", "what": "open"}
    other = {**one, "what": None}
    first = ingested(tables, clicks, "a.csv", [one, one, other])
    second = ingested(tables, clicks, "b.csv", [one, other, {**one, "id": "2"}])
    [a] = conform(tables, clicks, first)
    [b] = conform(tables, clicks, second)
    assert (a.records_accepted, b.records_accepted) == (3, 3)
    assert sorted(key for (key,) in silver(tables, clicks, "id")) == ["1", "1", "2"]


@pytest.mark.parametrize("arrival", [[[0], [1]], [[1], [0]], [[0, 1]]])
def test_equal_events_that_tell_no_time_are_one_in_whatever_order_their_files_come(
    tables: DeltaTables, arrival: list[list[int]]
) -> None:
    said = source_of(load="append", key=["id"], columns=[{"name": "id"}, {"name": "what"}])
    one = {"id": "1", "what": "open"}
    cut: list[Rows] = [[one], [one, {**one, "id": "2"}]]
    files = [
        ingested(tables, said, f"{day}.csv", rows, file_on=DAY[day]) for day, rows in enumerate(cut)
    ]
    for days in arrival:
        conform(tables, said, *(files[day] for day in days))
    assert silver(tables, said, "id") == [("1",), ("2",)]
