"""Clocks that stand wrong, leap or change to summer time lose nothing and remove nothing."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import types as T

from faults.chaos import night as night_in_a_process
from goldenlake.cli import stages
from goldenlake.cli.installation import SystemClock
from goldenlake.errors import DayTooFar
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import StepResult
from goldenlake.steps.generations import Stage, publish, refuse_a_leap
from goldenlake.steps.outbox import _record
from goldenlake.steps.plan import EPOCH
from support.company import PERSONAL, day, open_company
from support.contents import Contents, contents, difference
from support.faults import Company, Line
from support.telling import told_of_the_work

#: From one end of the world to the other; Anchorage changes to summer time on the company's eighth
#: day, between two of its sales; St John's counts half hours.
ZONES = ("Pacific/Kiritimati", "America/Anchorage", "America/St_Johns", "Pacific/Pago_Pago")
CHANGES = (
    datetime(2026, 3, 8, 10, tzinfo=UTC),  # Anchorage, an hour before it leaps
    datetime(2026, 3, 29, 0, tzinfo=UTC),  # Berlin
    datetime(2026, 10, 24, 23, tzinfo=UTC),
    datetime(2026, 11, 1, 9, tzinfo=UTC),  # Anchorage, back
)
_TOLD = ("customer_id", "key", "desired_hash", "remote_id", "reason")
"""What an outgoing record tells besides its fields."""


@pytest.fixture
def zone() -> Iterator[Callable[[str], None]]:
    """Puts this process into a zone, as if the machine stood there."""
    before = os.environ["TZ"]

    def put(name: str) -> None:
        os.environ["TZ"] = name
        time.tzset()

    yield put
    put(before)


@pytest.mark.fault("clock set back, summer time")
@pytest.mark.parametrize("name", [*ZONES, "Europe/Berlin"])
def test_an_instant_stays_the_same_through_tables_wherever_the_machine_stands(
    tables: DeltaTables, zone: Callable[[str], None], name: str
) -> None:
    zone(name)
    shape = "at TIMESTAMP, on DATE"
    instants = [change + timedelta(minutes=20 * third) for change in CHANGES for third in range(12)]
    rows: Sequence[Any] = [{"at": at, "on": at.date()} for at in instants]
    for table in ("ops.first", "ops.second"):
        tables.append(table, tables.frame(rows, shape))
        rows = tables.rows(table, shape)
        found = sorted((row["at"].astimezone(UTC), row["on"]) for row in rows)
        assert found == [(at, at.date()) for at in instants], table


@pytest.mark.fault("clock set back, summer time")
@pytest.mark.parametrize("name", [*ZONES, "Europe/Berlin"])
def test_an_instant_is_sent_as_what_it_is_wherever_the_machine_stands(
    zone: Callable[[str], None], name: str
) -> None:
    zone(name)
    instant, wall = T.TimestampType(), T.TimestampNTZType()
    types = T.StructType([T.StructField("at", instant), T.StructField("on_the_wall", wall)])
    for change in CHANGES:
        for at in (change + timedelta(minutes=20 * third) for third in range(12)):
            micros = (at - EPOCH) // timedelta(microseconds=1)
            values = Row(at=instant.fromInternal(micros), on_the_wall=wall.fromInternal(micros))
            row = Row(values=values, operation="upsert", **dict.fromkeys(_TOLD, "x"))
            sent = _record(row, [], types).fields
            assert sent == {"at": at, "on_the_wall": at.replace(tzinfo=None)}


def two_nights_in(zone: str, home: Path) -> Contents:
    """What is there after a first night and one a week later, of processes that stand in a zone."""
    open_company(home, days=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", zone)
        for number in (1, 8):
            night_in_a_process(home, number)
    assert told_of_the_work(home, PERSONAL) == []
    return contents(home)


@pytest.fixture(scope="module")
def in_utc(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """Where the machine of all other tests stands."""
    return two_nights_in("UTC", tmp_path_factory.mktemp("utc"))


@pytest.mark.fault("clock set back, summer time")
@pytest.mark.slow
@pytest.mark.parametrize("name", ZONES)
def test_a_night_is_the_same_wherever_the_machine_stands(
    tmp_path: Path, in_utc: Contents, name: str
) -> None:
    found = difference(two_nights_in(name, tmp_path), in_utc)
    assert not found, "\n".join(found.where)


class Leaping(SystemClock):
    """Each look at it is off by up to two years, this way or that."""

    chance = random.Random(7)

    def now(self) -> datetime:
        return super().now() + timedelta(days=self.chance.uniform(-730, 730))


@pytest.mark.fault("clock set back, summer time")
@pytest.mark.slow
def test_nights_beneath_a_leaping_clock_end_like_any_others(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    for clock in (SystemClock, Leaping):
        monkeypatch.setattr("goldenlake.cli.installation.SystemClock", clock)
        company = Company(tmp_path / clock.__name__, spark)
        open_company(company.home, days=2)
        for number in (1, 2):
            company.night(day(number))
        assert told_of_the_work(company.home, PERSONAL) == []
        ends.append(contents(company.home))
    found = difference(ends[1], ends[0])
    assert not found, "\n".join(found.where)


@pytest.mark.fault("clock set back, summer time")
def test_upkeep_for_a_day_that_nothing_vouches_for_is_refused(
    spark: SparkSession, tmp_path: Path
) -> None:
    company = Company(tmp_path / "home", spark)
    open_company(company.home, days=1)
    tables = company.installation(day(1), Line()).tables
    built = Stage(
        step="golden", as_of=date(2026, 1, 1), run_id="r", base=0, tables={}, inputs={},
        fingerprint="", counts={},
    )  # fmt: skip
    publish(tables, [built], run_id="r", as_of=built.as_of, published_at=datetime.now(UTC))
    far = company.installation(date(2062, 1, 1), Line())
    with pytest.raises(DayTooFar, match=r"2062-01-01 is more than 31 days after.* 2026-01-01"):
        stages.maintain(far)
    assert [(each.step, each.status) for each in far.results] == [("expire", "held")]
    refuse_a_leap(tables, date(2026, 2, 1))
    # A night that found nothing to publish vouches for its day as well.
    with far.timed("publish") as found:
        found.append(StepResult(step="publish", status="skipped"))
    far.write_runs()
    refuse_a_leap(tables, date(2062, 2, 1))
    with pytest.raises(DayTooFar, match="days after the last night, 2062-01-01"):
        refuse_a_leap(tables, date(2062, 2, 2))
