"""If it fails: clear the task, or leave it for next week; no night depends on it.

Removes events whose time is over, with their landed files, compacts small files, removes files
that neither a kept generation nor the declared history needs, and shortens logs. What readers see
does not change before the next night, whenever it stops. It skips tables on which an unpublished
build stands, so let the night end first: the schedule leaves it five hours.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param

from goldenlake_dags.project import ENVIRONMENT, declared
from goldenlake_dags.submit import AS_OF, spark_task

with DAG(
    dag_id="goldenlake_maintenance",
    doc_md=__doc__,
    schedule="0 6 * * 0",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={"as_of": Param(None, type=["null", "string"], format="date")},
    tags=["goldenlake", ENVIRONMENT],
):
    spark_task(
        "maintain",
        "--as-of",
        AS_OF,
        task_id="maintain",
        runbook="What readers see is as it was. Clear the task when no night is running; the log "
        "names the table at which it stopped.",
        declared=declared(),
    )
