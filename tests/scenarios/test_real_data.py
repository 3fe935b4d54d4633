"""Whole nights over real files, judged by independent computations."""

from __future__ import annotations

import re
import shutil
import tarfile
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from goldenlake.errors import ExitCode
from goldenlake.io.tables import DeltaTables
from support.scenario import Scenario, real_data, scenario

#: What nothing but a browser says of itself.
BROWSER = re.compile(
    r"Mozilla/5\.0 \((Windows|Macintosh|X11)[^)]*\) "
    r"(AppleWebKit/[\d.]+ \(KHTML, like Gecko\) Chrome/[\d.]+ Safari/[\d.]+"
    r"|Gecko/\d+ Firefox/[\d.]+)"
)


def accounted(at: Scenario, source: str) -> tuple[int, int, int]:
    """(read, accepted, quarantined) of a source's files, each of which must add up."""
    files = [file for file in at.files(source) if file.status == "conformed"]
    for file in files:
        assert file.records_read == (file.records_accepted or 0) + (file.records_quarantined or 0)
    return (
        sum(file.records_read or 0 for file in files),
        sum(file.records_accepted or 0 for file in files),
        sum(file.records_quarantined or 0 for file in files),
    )


@pytest.mark.slow
def test_a_year_of_retail_is_the_same_whether_it_comes_daily_or_at_once(
    tables: DeltaTables, tmp_path: Path
) -> None:
    """305 daily drops: twenty nights one by one, all the rest caught up in one run."""
    folder = real_data("online_retail_by_day")
    everything = tmp_path / "all"
    with tarfile.open(folder / "by-day.tar.gz") as archive:
        archive.extractall(everything, filter="data")
    drops = sorted(everything.rglob("*.csv"))
    assert len(drops) == 305
    at = scenario("online_retail", tmp_path / "home", tables)
    for drop in drops[:20]:
        shutil.copy(drop, at.drops)
        assert at.night(date.fromisoformat(drop.stem), until="publish") == ExitCode.OK
    for drop in drops[20:]:
        shutil.copy(drop, at.drops)
    assert at.night(date(2011, 12, 9)) == ExitCode.OK

    read, accepted, quarantined = accounted(at, "retail")
    assert read == 541_909 == accepted + quarantined
    lines = f"read_csv('{everything}/**/*.csv', all_varchar = true, header = true)"
    oracle = duckdb.sql(
        f"""
        SELECT count(DISTINCT CustomerID),
               sum(CAST(Quantity AS BIGINT) * CAST(UnitPrice AS DECIMAL(18, 4))),
               count(DISTINCT InvoiceNo) FILTER (InvoiceNo LIKE 'C%'),
               count(*) FILTER (InvoiceNo LIKE 'C%')
        FROM {lines}
        """
    ).fetchone()
    ours = (
        at.read("gold.purchases")
        .selectExpr(
            "count(DISTINCT customer_id)",
            "sum(amount)",
            "count(DISTINCT CASE WHEN is_cancellation THEN order_id END)",
            "count_if(is_cancellation)",
        )
        .first()
    )
    assert quarantined == 0
    assert ours is not None
    assert tuple(ours) == oracle
    assert at.read("gold.customers").count() == 4_372


def test_access_logs_are_accounted_for_and_cut_into_visits(
    tables: DeltaTables, tmp_path: Path
) -> None:
    folder = real_data("apache_logs")
    at = scenario("apache_logs", tmp_path / "home", tables)
    shutil.copy(folder / "apache_access.log", at.drops)
    assert at.night(date(2015, 5, 20), until="publish") == ExitCode.OK

    read, accepted, quarantined = accounted(at, "access_log")
    assert (read, accepted + quarantined) == (10_000, 10_000)
    hits, bad = parsed(folder / "apache_access.log")
    assert quarantined == bad
    silver = at.read("silver.access_log")
    assert silver.where("session_id IS NOT NULL").select("session_id").distinct().count() == (
        visits_in(hits)
    )
    agents = {
        row["user_agent"]: row["is_bot"]
        for row in silver.select("user_agent", "is_bot").distinct().collect()
    }
    named = re.compile("bot|crawl|spider|slurp", re.IGNORECASE)
    assert all(is_bot for agent, is_bot in agents.items() if agent and named.search(agent))
    assert not any(is_bot for agent, is_bot in agents.items() if agent and BROWSER.fullmatch(agent))
    # 2,583 of them, by the user agents of the file.
    assert 0.25 < silver.where("is_bot").count() / accepted < 0.27


def parsed(log: Path) -> tuple[list[tuple[str, str, datetime]], int]:
    """(host, user agent, time) of every well-formed line, and the number of others."""
    form = re.compile(
        r'(\S+) \S+ \S+ \[([^\]]+)\] "((?:[^"\\]|\\.)*)" \d{3} (?:\d+|-) '
        r'"((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"'
    )
    hits, bad = [], 0
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        found = form.fullmatch(line)
        if found is None:
            bad += 1
            continue
        at = datetime.strptime(found[2], "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
        hits.append((found[1], found[5], at))
    return hits, bad


def visits_in(hits: list[tuple[str, str, datetime]]) -> int:
    """How many visits, when one ends after 30 minutes of silence."""
    times: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for host, agent, at in hits:
        times[host, agent].append(at)
    return sum(
        1 + sum(b - a > timedelta(minutes=30) for a, b in pairwise(ordered))
        for ordered in (sorted(found) for found in times.values())
    )


def test_shop_events_lose_nothing_and_the_cut_off_line_is_quarantined(
    tables: DeltaTables, tmp_path: Path
) -> None:
    folder = real_data("rees46_events")
    at = scenario("rees46_events", tmp_path / "home", tables)
    shutil.copy(folder / "2019-Oct_first3h.csv", at.drops)
    assert at.night(date(2019, 10, 1), until="publish") == ExitCode.OK

    lines = (folder / "2019-Oct_first3h.csv").read_text().splitlines()[1:]
    read, accepted, quarantined = accounted(at, "shop_events")
    assert read == len(lines) == accepted + quarantined
    assert quarantined == sum(line.count(",") != 8 for line in lines) == 1
    users = {line.split(",")[7] for line in lines if line.count(",") == 8}
    assert at.read("gold.customers").count() == len(users)
    kinds = {
        row["kind"]: row["count"]
        for row in at.read("gold.interactions").groupBy("kind").count().collect()
    }
    assert kinds == {
        kind: sum(line.split(",")[1] == kind for line in lines if line.count(",") == 8)
        for kind in ("view", "cart", "purchase")
    }
