"""Visits against an independent count in plain Python."""

from __future__ import annotations

import os
import random
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from goldenlake.declarations.source import Sessions
from goldenlake.transforms.sessions import session_start, with_session_id

DATA = Path(os.environ.get("GOLDENLAKE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
BY_HOST = Sessions(by=["host", "agent"], at="at", gap="30min")
DDL = "event BIGINT, host STRING, agent STRING, at TIMESTAMP"
Event = tuple[int, str | None, str | None, datetime | None]


def counted_by_hand(events: Iterable[Event], gap_seconds: int = 1800) -> set[frozenset[int]]:
    """Events of each visit: nothing here is shared with the code under test."""
    of_visitor: dict[tuple[str | None, str | None], list[tuple[datetime, int]]] = defaultdict(list)
    for event, host, agent, at in events:
        if at is not None and (host is not None or agent is not None):
            of_visitor[host, agent].append((at, event))
    visits: set[frozenset[int]] = set()
    for seen in of_visitor.values():
        visit: list[int] = []
        last = None
        for at, event in sorted(seen):
            if last is not None and (at - last).total_seconds() > gap_seconds:
                visits.add(frozenset(visit))
                visit = []
            visit.append(event)
            last = at
        visits.add(frozenset(visit))
    return visits


def counted(frame: DataFrame) -> set[frozenset[int]]:
    found = defaultdict(list)
    for row in frame.select("event", "session_id").collect():
        if row["session_id"] is not None:
            found[row["session_id"]].append(row["event"])
    return {frozenset(events) for events in found.values()}


def test_visits_of_random_visitors_are_those_counted_by_hand(spark: SparkSession) -> None:
    dice = random.Random(7)
    visitors = [(h, a) for h in ("h1", "h2", None, "") for a in ("x", None, "", "h1")]
    events: list[Event] = []
    for host, agent in visitors:
        minute = 0.0
        for _ in range(dice.randint(1, 25)):
            # Gaps of exactly 30 minutes, just above, just below, and none at all.
            minute += dice.choice([0, 5, 29.99, 30, 30.01, 45, 600])
            at = datetime.fromtimestamp(1_700_000_000 + round(60 * minute, 3), UTC)
            events.append((len(events), host, agent, at))
    events.append((len(events), "h1", "x", None))
    dice.shuffle(events)
    told = with_session_id(spark.createDataFrame(events, DDL), BY_HOST)
    assert counted(told) == counted_by_hand(events)


def test_an_id_says_when_the_visit_began_and_an_earlier_start_is_taken_over(
    spark: SparkSession,
) -> None:
    at = [datetime.fromtimestamp(1_700_000_000 + 60 * m, UTC) for m in (0, 20, 100)]
    events = [(n, "h", "a", when, -5 if n == 0 else None) for n, when in enumerate(at)]
    frame = spark.createDataFrame(events, DDL + ", _known_start BIGINT")
    told = with_session_id(frame, BY_HOST).select("event", session_start(F.col("session_id")))
    assert dict(told.collect()) == {0: -5, 1: -5, 2: 1_700_006_000_000_000}


def test_visits_in_a_real_access_log_are_those_counted_by_hand(spark: SparkSession) -> None:
    log = DATA / "apache_logs" / "apache_access.log"
    if not log.is_file():
        pytest.skip(f"no {log}: set GOLDENLAKE_DATA to where the public data sets lie")
    line = re.compile(r'(\S+) \S+ \S+ \[([^\]]+)\] ".*?(?<!\\)" \d+ \S+ ".*?" "(.*?)"?$')
    events: list[Event] = []
    for number, text in enumerate(log.read_text(encoding="utf-8").splitlines()):
        found = line.match(text)
        if found:
            at = datetime.strptime(found[2], "%d/%b/%Y:%H:%M:%S %z")
            events.append((number, found[1], found[3], at))
    assert len(events) > 9_900
    told = with_session_id(spark.createDataFrame(events, DDL), BY_HOST)
    assert counted(told) == counted_by_hand(events)
