"""If it fails: nothing was sent; draw the plan again and decide in a terminal, as the runbook says.

Asks a person whether an export that a guard held may be sent all the same. `goldenlake_nightly`
starts one run for each plan that it held, and does not wait for the answer. The question stands
under Required Actions, with the guard's words and the plan's hash. Approve lets exactly that plan
pass and sends it; Reject, or no answer within a day, sends nothing. More in
docs/runbooks/export_held.md.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from goldenlake_dags.asking import APPROVAL, approval_tasks
from goldenlake_dags.project import ENVIRONMENT, declared

with DAG(
    dag_id=APPROVAL,
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    is_paused_upon_creation=False,  # Without a schedule it starts nothing by itself.
    tags=["goldenlake", ENVIRONMENT],
):
    approval_tasks(declared())
