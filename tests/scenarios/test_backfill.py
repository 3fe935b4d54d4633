"""Days that come late, shuffled, beside nights that go on: the lake is as if they came in order."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from goldenlake.cli.installation import PROJECT
from goldenlake.errors import ExitCode, LakeBusy
from goldenlake.io.tables import DeltaTables
from support.company import day, open_company
from support.contents import Contents, Rows, contents
from support.scenario import Scenario

PAST, NIGHTS = 30, 4
LAST = PAST + NIGHTS
FEW = 5
"""Days that are cut into two nights, in each of the thirty ways."""
SOURCES = ("people", "tills", "club", "visits")
MEMBERS = range(1, 7)
#: By table and column, each for its reason. All else is compared.
OF_THE_NIGHT: Mapping[str, str] = {
    "gold.customers.customer_since": "the day of the night that first gave the id",
    "gold.customers.updated_on": "the day of the night in which a record joined counts, too",
    "gold.sources.assigned_on": "the day of the night in which a record joined",
    "gold.customers.first_seen_on": "of a keyed source, silver has the newest row alone",
    "gold.customers_history.valid_from": "the day of the night that knew of it",
}

#: Of several snapshots that say the same of a member, the first is named, or the last of one night.
PLACE = ("_file_on", "_file_id", "_record")


@pytest.mark.fault("late and reordered files")
@pytest.mark.slow
def test_days_that_come_late_beside_nights_leave_what_they_leave_in_order(
    spark: SparkSession, tmp_path: Path
) -> None:
    stock = tmp_path / "stock"
    open_stock(stock)
    ordered, late = (company(spark, stock, tmp_path / name) for name in ("ordered", "late"))

    for first, last in ((1, PAST), (PAST + 1, LAST)):
        deliver(stock, ordered, range(first, last + 1))
        night(ordered, last)

    past = random.Random(3).sample(range(1, PAST + 1), PAST)
    deliver(stock, late, [PAST + 1])
    night(late, PAST + 1)
    deliver(stock, late, [*past[:10], PAST + 2])
    night(late, PAST + 2)
    deliver(stock, late, [*past[10:20], PAST + 3])
    beside(late, PAST + 3)
    deliver(stock, late, [*past[20:], LAST])
    night(late, LAST)

    found, wanted = looked_at(late), looked_at(ordered)
    assert wanted.keys() >= {"gold.consents", "gold.interactions", "gold.metrics", "silver.club"}
    assert differing(found, wanted) == {}
    assert found.keys() == wanted.keys()


@pytest.mark.fault("late and reordered files")
@pytest.mark.slow
def test_whichever_days_come_first_the_golden_tables_are_the_same(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Of two nights the order of days within one does not count: they are read by their dates."""
    stock = tmp_path / "stock"
    open_stock(stock)
    days = range(1, FEW + 1)
    ordered = company(spark, stock, tmp_path / "ordered")
    deliver(stock, ordered, days)
    night(ordered, FEW)
    wanted = looked_at(ordered)
    for first in (each for many in range(1, FEW) for each in combinations(days, many)):
        cut = company(spark, stock, tmp_path / "cut")
        deliver(stock, cut, first)
        night(cut, FEW)
        deliver(stock, cut, set(days) - set(first))
        night(cut, FEW + 1)
        assert differing(looked_at(cut), wanted) == {}, f"the days {first} came first"
        shutil.rmtree(cut.home)


def open_stock(stock: Path) -> None:
    """The files of all days, of the small company and of a club and a site that it has besides."""
    open_company(stock, days=LAST)
    shutil.copytree(
        PROJECT / "tests" / "scenarios" / "backfill" / "conf", stock / "conf", dirs_exist_ok=True
    )
    for number in range(1, LAST + 1):
        for source, header, rows in (
            ("club", "member,email,loyalty_card,country,said,updated", club(number)),
            ("visits", "visitor,loyalty_card,page,at", visits(number)),
        ):
            path = stock / "drops" / source / f"{day(number)}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join([header, *rows]) + "\n")


def club(number: int) -> Iterator[str]:
    """Half of the members leave for good one after the other; each is absent every seventh day."""
    for member in MEMBERS:
        has_left = member % 2 and number > 4 * member
        if has_left or not (number + member) % 7:
            continue
        changed = number - (number + member) % 5 if number > 4 else 1
        country, said = ("DE", "FR", "AT")[changed % 3], ("yes", "no")[(changed + member) % 2]
        yield f"M{member},p{member}@example.com,,{country},{said},{day(changed)}T06:00:00Z"


def visits(number: int) -> Iterator[str]:
    """The first visit of a day began on the day before, the last goes on on the day after."""
    before = day(number) - timedelta(days=1)
    for visitor in range(1, 5):
        for at in (f"{day(number)}T00:05:00Z", f"{day(number)}T23:50:00Z"):
            yield f"v{visitor},KARTE{visitor + number % 3},home,{at}"
    # A line of yesterday that the log wrote today.
    yield f"v1,KARTE1,late,{before}T12:00:00Z"


def company(spark: SparkSession, stock: Path, home: Path) -> Scenario:
    shutil.copytree(stock / "conf", home / "conf")
    (home / "exports").mkdir()
    for source in SOURCES:
        (home / "drops" / source).mkdir(parents=True)
    return Scenario(home, DeltaTables(spark, str(home / "lake")))


def deliver(stock: Path, to: Scenario, days: Iterable[int]) -> None:
    for number in days:
        for source in SOURCES:
            name = f"{source}/{day(number)}.csv"
            shutil.copy2(stock / "drops" / name, to.drops / name)


def night(at: Scenario, number: int) -> None:
    assert at.night(day(number), until="publish") is ExitCode.OK


def beside(at: Scenario, number: int) -> None:
    """Past days are caught up by a process; the night that comes meanwhile leaves, and comes
    again.
    """
    with (at.home / "night.log").open("wb") as log:
        catching_up = subprocess.Popen(
            [
                sys.executable, str(Path(sys.executable).with_name("goldenlake")), "nightly",
                "--as-of", str(day(1)), "--until", str(day(PAST)),
                "--conf", str(at.home / "conf"), "--env", "local",
            ],
            env=os.environ | {"PYTHONPATH": str(PROJECT / "jobs")}, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            wait_for_claim(at, catching_up)
            with pytest.raises(LakeBusy) as busy:
                night(at, number)
            assert busy.value.exit_code is ExitCode.TRANSIENT
            assert catching_up.wait(600) == 0, (at.home / "night.log").read_text()
        finally:
            catching_up.kill()
            catching_up.wait()
    night(at, number)


def wait_for_claim(at: Scenario, process: subprocess.Popen[bytes]) -> None:
    claim = at.home / "lake" / "_locks" / "night.claim"
    while str(process.pid) not in claim.read_text():
        assert process.poll() is None, (at.home / "night.log").read_text()
        time.sleep(0.1)


def looked_at(at: Scenario) -> dict[str, Rows]:
    """What is compared: by table, the rows without what tells of nights."""
    found = contents(at.home)
    golden = {name: as_known(found, name) for name in found.published if name.startswith("gold.")}
    silver = {
        f"silver.{source}": without(
            found.tables[f"silver.{source}"], "_landed_on", *(PLACE if source == "club" else ())
        )
        for source in SOURCES
    }
    files = Counter(
        f"{row.path} {row.status} {row.records_accepted} {row.records_quarantined}"
        for source in SOURCES
        for row in at.files(source)
    )
    # Of records of events silver has every row.
    seen = Counter(
        f"{row['record_id']} {row['first_seen_on']}"
        for row in at.read("identity.records").where("source IN ('tills', 'visits')").collect()
    )
    return {**golden, **silver, "ops.files": files, "first_seen_on": seen}


def differing(found: Mapping[str, Rows], wanted: Mapping[str, Rows]) -> dict[str, list[str]]:
    return {name: rows for name in wanted if (rows := told(found[name], wanted[name]))}


def told(ours: Rows, theirs: Rows) -> list[str]:
    return [
        *(f"+ {row}" for row in (ours - theirs).elements()),
        *(f"- {row}" for row in (theirs - ours).elements()),
    ]


def as_known(of: Contents, table: str) -> Rows:
    """Rows of a golden table, in which customers are called by their first record."""
    names: dict[str, str] = {}
    for record, customer in sorted(of.customers.items()):
        names.setdefault(customer, record)
    rows: Rows = Counter()
    for text, count in of.published[table].items():
        row = json.loads(text)
        if row.get("valid_to"):
            continue
        if row["customer_id"]:
            row["customer_id"] = names[row["customer_id"]]
        kept = {name: at for name, at in row.items() if f"{table}.{name}" not in OF_THE_NIGHT}
        rows[json.dumps(kept, sort_keys=True)] += count
    return rows


def without(rows: Rows, *columns: str) -> Rows:
    kept: Rows = Counter()
    for text, count in rows.items():
        row = {name: of for name, of in json.loads(text).items() if name not in columns}
        kept[json.dumps(row, sort_keys=True)] += count
    return kept
