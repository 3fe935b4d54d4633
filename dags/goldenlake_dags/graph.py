"""The tasks of the night, made from ``goldenlake.night.NIGHT``."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import TaskGroup, TriggerRule

from goldenlake_dags.asking import ask_about
from goldenlake_dags.project import Declared
from goldenlake_dags.submit import AS_OF, repeated, spark_task

from goldenlake.night import NIGHT, Stage  # isort: skip - project puts it on the path

COMPLETE = "complete"


def night_tasks(declared: Declared) -> None:
    """Add the night to the DAG at hand: its stages, and a last task that flags an incomplete one.

    A stage that goes on regardless would leave the run green, although a source was left out.
    ``complete`` runs nothing and fails unless all stages succeeded, and so does the run. What asks
    about held exports is a leaf of its own.
    """
    made: dict[str, list[Any]] = {}
    for stage in NIGHT:
        before = [task for name in stage.after for task in made[name]]
        tasks = _tasks_of(stage, declared)
        for task in tasks:
            before >> task
        # Where nothing is declared to be done in it, what comes after waits for what came before.
        made[stage.name] = tasks or before
    complete = EmptyOperator(
        task_id=COMPLETE,
        doc_md="If it fails: it runs nothing itself. Some task above it failed, or left a source "
        "or a destination out; that task says what to do.",
    )
    [task for tasks in made.values() for task in tasks] >> complete
    ask_about(made["activate"])


def _tasks_of(stage: Stage, declared: Declared) -> list[Any]:
    def task(task_id: str, *arguments: str) -> Any:
        return spark_task(
            stage.name,
            "--as-of",
            AS_OF,
            *arguments,
            task_id=task_id,
            runbook=stage.runbook,
            declared=declared,
            trigger_rule=TriggerRule.ALL_DONE if stage.goes_on else TriggerRule.ALL_SUCCESS,
        )

    if not stage.each:
        return [task(stage.name)]
    each = {
        "source": {
            name: repeated("--source", sources) for name, sources in declared.collects().items()
        },
        "destination": {name: ["--destination", name] for name in declared.destinations},
    }[stage.each]
    with TaskGroup(group_id=stage.name, tooltip=stage.summary):
        return [task(name, *arguments) for name, arguments in each.items()]
