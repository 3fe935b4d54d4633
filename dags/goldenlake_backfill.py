"""If it fails: trigger it again with the same days; what was done is found done and skipped.

Catches up a span of days in one pass: all files that arrived by the last day are collected, one
generation is built and published as of that day, and one export is made for each destination.
That costs about as much as one large night, not as much as one night for each day.

Do not run it while `goldenlake_nightly` runs: the later of the two to publish would be refused
and have to begin again. More in docs/runbooks/catching_up.md.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param

from goldenlake_dags.project import ENVIRONMENT, declared
from goldenlake_dags.submit import spark_task

with DAG(
    dag_id="goldenlake_backfill",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={
        "from": Param(type="string", format="date", description="The first day to catch up."),
        "until": Param(type="string", format="date", description="The last day to catch up."),
    },
    tags=["goldenlake", ENVIRONMENT],
):
    spark_task(
        "nightly",
        "--as-of",
        "{{ params['from'] }}",
        "--until",
        "{{ params.until }}",
        task_id="catch_up",
        runbook="Code 3: a source or destination was left out and the rest is done; the log names "
        "it. Code 4: a guard or an audit held it, see docs/runbooks/. Otherwise mend what the log "
        "names and clear this task: what was done is found done and skipped.",
        declared=declared(),
    )
