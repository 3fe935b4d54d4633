"""If it fails: open the red task, its page says what to do, and its log which file, rule or guard.

Nothing that readers see is half-done: they keep the last published generation until `publish`
has put the next one in its place, and exports go on after the last acknowledged batch. So
clearing a task is always safe.

A red `collect` task alone means that its sources were left out and the night went on without
them: `complete` is then red too, and so is the run. Code 75 (a passing fault) has been tried
again by itself; code 4 (held) waits for a person's decision.

Missed nights need no runs of their own: the next run takes everything that has arrived. To catch
up at once, trigger `goldenlake_backfill`. More in docs/runbooks/.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param

from goldenlake_dags.graph import night_tasks
from goldenlake_dags.project import ENVIRONMENT, declared

found = declared()

with DAG(
    dag_id="goldenlake_nightly",
    doc_md=__doc__,
    schedule=found.schedule,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=found.tasks_at_once,
    params={
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date",
            description="The day that the run is for; the run's own date when left out.",
        )
    },
    tags=["goldenlake", ENVIRONMENT],
):
    night_tasks(found)
