"""A person's answer to an export that a guard held, in a run of its own: no night waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, TriggerRule, task

from goldenlake_dags.project import Declared
from goldenlake_dags.submit import AS_OF, HELD, spark_task

APPROVAL = "goldenlake_approval"
ANSWERED_WITHIN = timedelta(hours=23)
"""The next night draws a plan of its own, so an older question is moot."""
_UNASKED = (
    "If it fails: no question was asked; decide in a terminal, as the red task of `activate` says."
)


def ask_about(exports: Sequence[Any]) -> None:
    """Start one run of ``APPROVAL`` for each of these tasks that was held; often there is none.

    A plan is asked about once, however often the night's tasks are cleared.
    """

    @task(
        trigger_rule=TriggerRule.ALL_DONE,
        doc_md=_UNASKED,
    )
    def held(as_of: str, ti: Any = None) -> list[dict[str, Any]]:
        """What to start, one entry a held export."""
        found = ti.xcom_pull(task_ids=[each.task_id for each in exports], key=HELD)
        return [
            {
                "trigger_run_id": f"{each['destination']}.{as_of}.{each['plan']}",
                "conf": {**each, "as_of": as_of},
            }
            for each in found or ()
            if each
        ]

    questions = held(as_of=AS_OF)
    exports >> questions
    TriggerDagRunOperator.partial(
        task_id="ask",
        trigger_dag_id=APPROVAL,
        logical_date=None,
        skip_when_already_exists=True,
        openlineage_inject_parent_info=False,
        doc_md=f"{_UNASKED} Skipped where nothing was held, or the question was asked before.",
    ).expand_kwargs(questions)


def approval_tasks(declared: Declared) -> None:
    """Add to the DAG at hand: the question, the approval of that very plan, and its sending."""
    conf = "{{ dag_run.conf['%s'] }}"
    # ``max_active_tasks`` counts the tasks of one run, and every question is a run of its own.
    apart = {"max_active_tis_per_dag": 1} if declared.tasks_at_once == 1 else {}
    answered = "ti.xcom_pull(task_ids='decide')"
    decide = ApprovalOperator(
        task_id="decide",
        subject=f"Send to {conf % 'destination'} what a guard held on {conf % 'as_of'}?",
        body=f"{conf % 'words'}\n\nPlan `{conf % 'plan'}`: if anything in it changes before it is "
        "sent, it is held again.",
        params={
            "reason": Param("", type="string", title="Why", description="Kept with the approval.")
        },
        defaults="Reject",
        response_timeout=ANSWERED_WITHIN,
        doc_md="If it fails: nothing was sent. Clear it, and the question is asked again.",
    )
    approve = spark_task(
        "approve",
        conf % "destination",
        "--plan",
        conf % "plan",
        "--as-of",
        conf % "as_of",
        "--by={{ " + answered + "['responded_by_user'].name or 'airflow' }}",
        "--reason={{ " + answered + "['params_input'].reason or 'approved in Airflow' }}",
        task_id="approve",
        runbook="Nothing was sent. Code 2: the plan is another one by now, since the data or the "
        "declarations changed; the log names it. Leave it to the next night, or decide with "
        "`goldenlake approve DESTINATION --plan HASH --as-of DAY --reason …`.",
        declared=declared,
        is_run=False,
        **apart,
    )
    activate = spark_task(
        "activate",
        "--destination",
        conf % "destination",
        "--as-of",
        conf % "as_of",
        task_id="activate",
        runbook="Code 4: something changed after the approval, and nothing was sent. Any other "
        "code: clear the task; it goes on after the last acknowledged batch.",
        declared=declared,
        **apart,
    )
    decide >> approve >> activate
