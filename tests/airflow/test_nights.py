"""Nights through the real DAG and the real operator, as ``infra/airflow/night.sh`` runs them."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from goldenlake.sample import SampleOptions, arrived, generate
from support.airflow_home import ROOT, Airflow, conf_of_names, stand_in
from support.company import PERSONAL, day, open_company
from support.readers import rows_as_read
from support.telling import said, told_of_the_work

pytestmark = pytest.mark.airflow

DAY = date(2026, 1, 1)
#: Airflow's database, its logs, and whatever else it leaves.
ALL = ("**/*",)
ADDRESS = re.compile(rb"[\w.+-]+@[\w-]+\.[a-z]{2,}")

#: Stands in for spark-submit: notes what it was asked for, and fails where the test wants it to.
PRETENDER = """#!/usr/bin/env bash
echo "${*#*run.py }" >>"$PRETENDER/calls"
case "$*" in
  *"--source wobbly"*)
    if [[ ! -e $PRETENDER/before ]]; then touch "$PRETENDER/before"; exit 75; fi ;;
  *"--source broken"*) echo "broken: a.csv: 3 columns are missing"; exit 3 ;;
  *"run.py segments"*) exit 1 ;;
esac
"""


def test_only_passing_faults_are_tried_again_and_a_lost_source_does_not_stop_the_night(
    airflow: Airflow, tmp_path: Path
) -> None:
    stand_in(tmp_path, PRETENDER)
    conf = conf_of_names(tmp_path / "conf", sources=["wobbly", "broken"], destinations=["mail"])

    code, said = airflow.script(
        f"infra/airflow/night.sh {DAY}",
        GOLDENLAKE_BIN=str(tmp_path),
        GOLDENLAKE_CONF=str(conf),
        GOLDENLAKE_RETRY_SECONDS="0",
        PRETENDER=str(tmp_path),
    )

    calls = [line.split() for line in (tmp_path / "calls").read_text().splitlines()]
    times = {
        what: sum(what in words for words in calls)
        for what in ("wobbly", "broken", "resolve", "golden", "publish", "segments", "activate")
    }
    # Code 75 twice, until it passed; codes 3 and 1 once; what needs segments never.
    assert times == {
        "wobbly": 2, "broken": 1, "resolve": 1, "golden": 1, "publish": 1, "segments": 1,
        "activate": 0,
    }, said  # fmt: skip
    assert sum("report" in words for words in calls) == 1
    assert all(words[words.index("--as-of") + 1] == DAY.isoformat() for words in calls)
    # The night went on, and yet it does not count as done.
    assert code != 0
    lines = {line.split()[1]: line for line in said.splitlines() if len(line.split()) > 4}
    assert "failed: exit code 3" in lines["collect.broken"]
    assert "Mend the file or the contract" in lines["collect.broken"]
    assert "collect.wobbly" in said
    assert "will be tried again: exit code 75" in said
    assert "failed: exit code 1" in lines["segments"]
    assert lines["resolve"].endswith("done")
    assert "not run, since what they need failed: activate.mail, complete" in said
    assert "columns are missing" not in said, "the log is for the file, not for the screen"
    kept = [airflow.home / "airflow.db", *(airflow.home / "logs").rglob("*.log")]
    assert not [each for each in kept if each.stat().st_mode & 0o007], "anybody may read it"
    log = next((airflow.home / "logs").glob("night-local-*.log"))
    assert "broken: a.csv: 3 columns are missing" in log.read_text()
    assert str(log) in said


def test_days_of_a_small_company_are_caught_up_in_one_task(
    airflow: Airflow, tmp_path: Path
) -> None:
    open_company(tmp_path, days=2)
    days = json.dumps({"from": f"{day(1)}", "until": f"{day(2)}"})
    code, said = airflow.script(
        "source infra/airflow/environment.sh && migrate_when_needed &&"
        f" airflow dags test goldenlake_backfill {day(2)} --conf '{days}'",
        GOLDENLAKE_CONF=str(tmp_path / "conf"),
    )
    assert code == 0, said
    rows = rows_of_a_first_generation(tmp_path, day(2))
    assert PERSONAL.search(said) is None
    company_is_there_and_told_of_nowhere(rows, airflow, tmp_path)


@pytest.mark.slow
def test_a_whole_night_of_a_small_company(airflow: Airflow, tmp_path: Path) -> None:
    open_company(tmp_path, days=1)
    rows = rows_after_a_night(airflow, tmp_path, day(1), conf=tmp_path / "conf", env="local")
    company_is_there_and_told_of_nowhere(rows, airflow, tmp_path)


@pytest.mark.slow
def test_a_whole_night_by_the_declarations_that_come_with_the_project(
    airflow: Airflow, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    sample = SampleOptions(customers=50, days=1, seed=7, out=tmp_path / "sample", start=DAY)
    generate(sample)
    home = tmp_path / "var" / "demo"
    (home / "exports").mkdir(parents=True)
    arrived(sample.out, DAY, home / "drops")
    rows = rows_after_a_night(airflow, home, DAY, conf=tmp_path / "conf", env="demo")
    empty = {name for name, count in rows.items() if not count}
    assert empty <= {"identity.review", "identity.touched", "gold.campaigns"}
    addresses = {each for _, data in said(home / "drops") for each in ADDRESS.findall(data)}
    assert len(addresses) >= 50
    personal = re.compile("|".join(re.escape(each.decode()) for each in sorted(addresses)))
    assert told_of_the_work(home, personal) == []
    assert told_of_the_work(airflow.home, personal, ALL) == []


def company_is_there_and_told_of_nowhere(
    rows: dict[str, int], airflow: Airflow, home: Path
) -> None:
    empty = {name for name, count in rows.items() if not count}
    assert not empty & {"identity.customers", "gold.customers", "gold.purchases"}
    assert told_of_the_work(home, PERSONAL) == []
    assert told_of_the_work(airflow.home, PERSONAL, ALL) == []


def rows_after_a_night(
    airflow: Airflow, home: Path, as_of: date, *, conf: Path, env: str
) -> dict[str, int]:
    """The rows of each table of a first generation, made by a night that did all its work."""
    code, said = airflow.script(
        f"infra/airflow/night.sh {as_of}",
        timeout=1200,
        GOLDENLAKE_CONF=str(conf),
        GOLDENLAKE_ENV=env,
    )
    assert code == 0, said
    return rows_of_a_first_generation(home, as_of)


def rows_of_a_first_generation(home: Path, as_of: date) -> dict[str, int]:
    """The rows of each of its tables, be it read by whom it may; its report and its exports must
    be there.
    """
    pointer = json.loads((home / "lake" / "generation.json").read_text())
    assert pointer["generation"] == 1
    assert pointer["as_of"] == as_of.isoformat()
    found = {}
    for name, of in pointer["tables"].items():
        rows = rows_as_read(of["path"], of["version"])
        assert len(set(rows.values())) == 1, (name, rows)
        found[name] = rows["polars"]
    assert found.keys() >= {"identity.customers", "gold.customers", "gold.purchases"}
    page = (home / "reports" / f"{as_of}.html").read_text()
    assert len(page) > 10_000
    assert "A good night" in page
    assert any(path.is_file() for path in (home / "exports").rglob("*"))
    return found
