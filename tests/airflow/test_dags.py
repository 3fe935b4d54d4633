"""The DAGs are what the graph and the declarations say; parsing them is cheap and reads no data."""

from __future__ import annotations

import itertools
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from goldenlake.errors import with_options
from goldenlake.night import NIGHT

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = Path(__file__).with_name("commands")

pytestmark = pytest.mark.airflow

DAGS = (
    "goldenlake_nightly",
    "goldenlake_backfill",
    "goldenlake_maintenance",
    "goldenlake_approval",
)


def declared(folder: str) -> list[dict[str, Any]]:
    return [YAML(typ="safe").load(path) for path in sorted((ROOT / "conf" / folder).glob("*"))]


def task_ids(stage: str, each: str) -> set[str]:
    """What a stage becomes, told apart from how the DAG makes it; local collects by system."""
    if each == "source":
        systems = {source["system"] for source in declared("sources")}
        return {f"{stage}.{system}" for system in systems}
    if each == "destination":
        names = {one["destination"] for one in declared("destinations")}
        return {f"{stage}.{name}" for name in names}
    return {stage}


def test_every_dag_is_there_and_none_is_broken(looked_at: dict[str, Any]) -> None:
    assert looked_at["errors"] == {}
    assert sorted(looked_at["dags"]) == sorted(DAGS)


def test_parsing_loads_nothing_that_only_jobs_need(looked_at: dict[str, Any]) -> None:
    for library in ("pyspark", "delta", "great_expectations", "pydantic_settings", "typer"):
        assert library not in looked_at["modules"], library


def test_the_night_has_the_tasks_and_the_order_of_the_graph(looked_at: dict[str, Any]) -> None:
    tasks = looked_at["dags"]["goldenlake_nightly"]["tasks"]
    ids = {stage.name: task_ids(stage.name, stage.each) for stage in NIGHT}
    every = set().union(*ids.values())
    assert set(tasks) == every | {"complete", "held", "ask"}
    for stage in NIGHT:
        before = set().union(*(ids[name] for name in stage.after)) if stage.after else set()
        for task in ids[stage.name]:
            assert set(tasks[task]["upstream"]) == before, task
            rule = "all_done" if stage.goes_on else "all_success"
            assert tasks[task]["trigger_rule"] == rule, task
    # A run in which a source was left out must not look green.
    assert set(tasks["complete"]["upstream"]) == every
    assert tasks["complete"]["trigger_rule"] == "all_success"
    # Who was held is asked about whatever became of the others, and no night waits for an answer.
    assert set(tasks["held"]["upstream"]) == ids["activate"]
    assert tasks["held"]["trigger_rule"] == "all_done"
    assert tasks["ask"]["upstream"] == ["held"]


def test_every_source_is_collected_by_exactly_one_task(looked_at: dict[str, Any]) -> None:
    tasks = looked_at["dags"]["goldenlake_nightly"]["tasks"]
    named: list[str] = []
    for name, task in tasks.items():
        words = task["command"]
        if name.startswith("collect."):
            named += [word for flag, word in itertools.pairwise(words) if flag == "--source"]
    assert sorted(named) == sorted(source["source"] for source in declared("sources"))


def test_sources_are_collected_alone_by_system_or_all_together(looked_at: dict[str, Any]) -> None:
    assert looked_at["collects"] == {
        "source": {"contacts": ["contacts"], "deals": ["deals"], "visits": ["visits"]},
        "system": {"crm": ["contacts", "deals"], "web": ["visits"]},
        "all": {"all": ["contacts", "deals", "visits"]},
    }


def test_every_page_begins_with_what_to_do(looked_at: dict[str, Any]) -> None:
    here = f"--conf {ROOT}/conf --env local"
    books = {stage.name: with_options(stage.runbook, here) for stage in NIGHT}
    assert f"`goldenlake approve {here} DESTINATION" in books["activate"]
    for name, dag in looked_at["dags"].items():
        assert dag["doc"].startswith("If it fails"), name
        for task_id, task in dag["tasks"].items():
            assert task["doc"].startswith("If it fails"), task_id
            book = books.get(task_id.split(".")[0])
            if book and name == "goldenlake_nightly":
                assert book in task["doc"], task_id


def test_nothing_runs_twice_or_in_arrears(looked_at: dict[str, Any]) -> None:
    for name, dag in looked_at["dags"].items():
        assert dag["catchup"] is False, name
        # One question does not wait for the answer to another.
        assert (dag["max_active_runs"] == 1) == (name != "goldenlake_approval"), name
    night = looked_at["dags"]["goldenlake_nightly"]
    assert night["schedule"] == "0 1 * * *"
    assert night["max_active_tasks"] == 2


def test_processes_write_side_by_side_only_where_no_commit_can_be_lost(
    looked_at: dict[str, Any],
) -> None:
    assert looked_at["at_once"] == {"folder": 6, "s3": 1, "s3 with a log store": 6, "gcs": 6}


def test_a_lake_in_s3_that_a_variable_names_is_written_by_one_process_at_a_time(
    looked_at: dict[str, Any], looked_at_on_s3: dict[str, Any]
) -> None:
    dags = looked_at_on_s3["dags"]
    assert dags["goldenlake_nightly"]["max_active_tasks"] == 1
    for dag in dags.values():
        for task in filter(lambda task: task["command"], dag["tasks"].values()):
            words = task["command"]
            assert words[words.index("--lake") + 1] == "s3a://bucket/lake"
            # Several runs of the approval may be there at once; of the others one alone.
            assert dag["max_active_runs"] == 1 or task["at_once_in_all_runs"] == 1
    approval = looked_at["dags"]["goldenlake_approval"]["tasks"]
    assert {task["at_once_in_all_runs"] for task in approval.values()} == {None}


def test_declared_jvm_options_are_added_to_those_of_set_up(looked_at: dict[str, Any]) -> None:
    assert looked_at["conf"]["spark.ui.enabled"] == "true"
    assert looked_at["conf"]["spark.driver.defaultJavaOptions"].endswith(" -Xss4m")
    assert "spark.driver.extraJavaOptions" not in looked_at["conf"]


def test_the_day_of_a_run_is_known_however_it_was_started(looked_at: dict[str, Any]) -> None:
    assert looked_at["as_of"] == {
        "logical date": "2026-01-02",
        "no logical date": "2026-01-03",
        "param": "2025-12-24",
    }


def test_the_driver_runs_in_the_jobs_environment(looked_at: dict[str, Any]) -> None:
    for dag in looked_at["dags"].values():
        for task in dag["tasks"].values():
            if task["command"]:
                variables = task["variables"]
                assert variables["PYSPARK_PYTHON"] == f"{ROOT}/.venv/bin/python"
                assert Path(variables["SPARK_HOME"], "jars").is_dir()
                assert Path(variables["JAVA_HOME"], "bin", "java").exists()
                assert variables["GX_ANALYTICS_ENABLED"] == "false"


def test_a_worker_that_names_no_java_takes_the_one_that_set_up_brought(
    looked_at: dict[str, Any],
) -> None:
    assert looked_at["java"] == [str(ROOT), None]


@pytest.mark.parametrize("dag", DAGS)
def test_every_command_is_the_one_that_was_reviewed(looked_at: dict[str, Any], dag: str) -> None:
    """After an intended change: GOLDENLAKE_KEEP_COMMANDS=1 writes the files anew; read the diff."""
    lines = [
        f"{name}: {shlex.join(task['command'])}".replace(str(ROOT), "$GOLDENLAKE_HOME")
        for name, task in looked_at["dags"][dag]["tasks"].items()
        if task["command"]
    ]
    kept = COMMANDS / f"{dag}.txt"
    now = "\n".join(lines) + "\n"
    if os.environ.get("GOLDENLAKE_KEEP_COMMANDS"):
        kept.write_text(now)
    assert now == kept.read_text()
