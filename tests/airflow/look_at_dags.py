"""Run by Airflow's own Python: what the DAGs are, as JSON, in one process for all tests."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# What Airflow itself costs is not the DAGs' affair.
import airflow.providers.apache.spark.operators.spark_submit
import airflow.providers.standard.operators.empty  # noqa: F401
from airflow.dag_processing.dagbag import BundleDagBag

DAY = datetime(2026, 1, 3, 1, tzinfo=UTC)


class Run:
    """As much of a run as the templates ask for."""

    def __init__(self, logical_date: datetime | None) -> None:
        self.logical_date = logical_date
        self.run_after = DAY
        self.run_id = "the-run"
        self.conf = {"destination": "mail", "plan": "0a1b2c", "as_of": "2026-01-03", "words": "Why"}


class Answered:
    """The task instance, once a person has answered."""

    def xcom_pull(self, task_ids: str) -> dict[str, Any]:
        assert task_ids == "decide"
        return {"responded_by_user": {"name": "ann"}, "params_input": {"reason": "it is right"}}


def command(task: Any, **params: Any) -> list[str]:
    """The command line that the operator would start; a connection is read, nothing is run."""
    task = task.prepare_for_execution() if hasattr(task, "prepare_for_execution") else task
    defaults = {name: param.value for name, param in task.dag.params.items()}
    context = {"params": {**defaults, **params}, "dag_run": Run(DAY), "task": task}
    context["ti"] = Answered()
    task.render_template_fields(context)
    hook = task._get_hook()
    return hook._build_spark_submit_command(task.application)


def as_of(task: Any, logical_date: datetime | None, value: str | None) -> str:
    """How the day comes out of a run."""
    template = task.application_args[task.application_args.index("--as-of") + 1]
    environment = task.dag.get_template_env()
    run = Run(logical_date)
    return environment.from_string(template).render(params={"as_of": value}, dag_run=run)


def java_by_default(submit: Any) -> list[str | None]:
    """Of a worker that names none: where set-up brought one, and where it brought none."""
    os.environ.pop("JAVA_HOME", None)
    found = []
    for submit.JAVA in (Path.cwd(), Path("/nowhere")):
        found.append(submit._variables().get("JAVA_HOME"))
    return found


def main() -> None:
    folder = Path(sys.argv[1]).absolute()
    bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
    dags: dict[str, Any] = {}
    for dag in bag.dags.values():
        params = {"from": "2026-01-01", "until": "2026-01-03"} if "from" in dag.params else {}
        dags[dag.dag_id] = {
            "doc": dag.doc_md,
            "schedule": getattr(dag.timetable, "expression", None),
            "catchup": dag.catchup,
            "max_active_runs": dag.max_active_runs,
            "max_active_tasks": dag.max_active_tasks,
            "tasks": {
                task.task_id: {
                    "doc": task.doc_md,
                    "upstream": sorted(task.upstream_task_ids),
                    "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
                    "retries": task.retries,
                    "at_once_in_all_runs": task.max_active_tis_per_dag,
                    "command": command(task, **params) if hasattr(task, "env_vars") else [],
                    "variables": getattr(task, "env_vars", {}),
                }
                for task in dag.tasks
            },
        }
    task = bag.dags["goldenlake_nightly"].get_task("resolve")
    from goldenlake_dags import submit
    from goldenlake_dags.project import Declared

    options = {"spark.driver.extraJavaOptions": "-Xss4m", "spark.ui.enabled": "true"}
    systems = {"contacts": "crm", "deals": "crm", "visits": "web"}
    found = {
        "collects": {
            by: Declared(systems=systems, destinations=(), collect_by=by).collects()
            for by in ("source", "system", "all")
        },
        "at_once": {
            name: Declared(
                systems={},
                destinations=(),
                parallel=6,
                lake=lake,
                spark_conf=dict.fromkeys(conf, "x"),
            ).tasks_at_once
            for name, lake, conf in (
                ("folder", "var/lake", ()),
                ("s3", "s3a://bucket/lake", ()),
                ("s3 with a log store", "s3a://bucket/lake", ("spark.delta.logStore.s3a.impl",)),
                ("gcs", "gs://bucket/lake", ()),
            )
        },
        "conf": submit._spark_conf(Declared(systems={}, destinations=(), spark_conf=options)),
        "java": java_by_default(submit),
        "errors": bag.import_errors,
        "modules": sorted({name.split(".")[0] for name in sys.modules}),
        "dags": dags,
        "as_of": {
            "logical date": as_of(task, datetime(2026, 1, 2, tzinfo=UTC), None),
            "no logical date": as_of(task, None, None),
            "param": as_of(task, None, "2025-12-24"),
        },
    }
    Path(sys.argv[2]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
