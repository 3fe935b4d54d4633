"""One factory for every task: a goldenlake command under spark-submit, and what its end means."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NoReturn

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from goldenlake_dags.project import CONF, ENVIRONMENT, HOME, LAKE, Declared

from goldenlake.errors import ExitCode, export_held, with_options  # isort: skip - project puts it on the path
from goldenlake.io.java import FAST_START  # isort: skip

#: The day that a run is for. Runs started by an asset or through the API have no logical date,
#: and so no ``ds``.
AS_OF = "{{ params.as_of or (dag_run.logical_date or dag_run.run_after) | ds }}"

#: Brought by ``make setup`` where the machine has none that Spark can use; see goldenlake.io.java.
JAVA = HOME / ".venv" / "share" / "java-for-spark"
KILLED = (
    "spark-submit was killed from outside, most often for want of memory: lower spark.memory or "
    "night.parallel_sources in conf/env"
)
_OPTIONS = "spark.driver.extraJavaOptions"
_BEFORE = "spark.driver.defaultJavaOptions"
"""Spark puts these before the others."""
_RUN = ["--run-id", "{{ dag_run.run_id }}"]
_INSTALLATION = ["--conf", str(CONF), "--env", ENVIRONMENT, *(["--lake", LAKE] if LAKE else [])]
RETRIES = 3
RETRY_DELAY = timedelta(seconds=float(os.environ.get("GOLDENLAKE_RETRY_SECONDS") or 300))
LONGEST = timedelta(hours=6)
HELD = "held"
"""Key of what a task leaves whose export was held: destination, plan, and the words for it."""


class TryAgain(AirflowException):
    """A passing fault: Airflow tries the task again after its delay."""


class SubmitGoldenlake(SparkSubmitOperator):
    """A goldenlake command under spark-submit; only ``ExitCode.TRANSIENT`` is tried again.

    In client mode, and on ``local[*]``, spark-submit ends with the exit code of its Python
    driver. In cluster mode it does not, and then every failure waits for a person.
    """

    def __init__(self, *, runbook: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.runbook = runbook

    def execute(self, context: Any) -> None:
        """Run the command. Raises TryAgain, or AirflowFailException with the runbook."""
        try:
            super().execute(context)
        except AirflowException as error:
            process = getattr(self._hook, "_submit_sp", None)
            if process is None or not process.returncode:
                raise
            if held := export_held(str(error)):
                context["ti"].xcom_push(HELD, held)
            self._fail(process.returncode)

    def _fail(self, code: int) -> NoReturn:
        if code in list(ExitCode):
            ended = f"exit code {code}: {ExitCode(code).meaning}."
        elif code in (-9, 137):
            ended = f"{KILLED} (code {code})."
        else:
            ended = f"spark-submit ended with code {code}; the log says why."
        # The log above holds the command's own words; without this cut they would stand twice.
        if code == ExitCode.TRANSIENT:
            raise TryAgain(ended) from None
        raise AirflowFailException(f"{ended} {self.runbook}") from None


def spark_task(
    command: str,
    *arguments: str,
    task_id: str,
    runbook: str,
    declared: Declared,
    is_run: bool = True,
    **operator: Any,
) -> SubmitGoldenlake:
    """A task that runs ``goldenlake COMMAND ARGUMENTS…``; its page begins with the runbook, of
    which every command is for this environment. A command that is a run is told its name.
    """
    runbook = with_options(runbook, shlex.join(_INSTALLATION))
    return SubmitGoldenlake(
        task_id=task_id,
        runbook=runbook,
        doc_md=f"If it fails: {runbook}",
        conn_id="spark_default",
        application=str(HOME / "jobs" / "run.py"),
        application_args=[command, *arguments, *(_RUN if is_run else ()), *_INSTALLATION],
        name=f"goldenlake {command}" + ("" if task_id == command else f" {task_id}"),
        properties_file=_setting("GOLDENLAKE_SUBMIT_PROPERTIES", ".cache/spark/submit.properties"),
        driver_memory=declared.memory,
        conf=_spark_conf(declared),
        env_vars=_variables(),
        retries=RETRIES,
        retry_delay=RETRY_DELAY,
        retry_exponential_backoff=2.0,
        max_retry_delay=timedelta(hours=1),
        execution_timeout=LONGEST,
        **operator,
    )


def repeated(option: str, values: Sequence[str]) -> list[str]:
    """``--option value`` for each value."""
    return [word for value in values for word in (option, value)]


def _spark_conf(declared: Declared) -> dict[str, str]:
    """Declared JVM options go beside those of the properties file, which they would replace: quiet
    logs and UTC.
    """
    conf = dict(declared.spark_conf)
    options = [*(FAST_START if declared.fast_start else ())]
    options += filter(None, (conf.pop(key, "") for key in (_BEFORE, _OPTIONS)))
    if options:
        conf[_BEFORE] = " ".join(options)
    return conf


def _variables() -> dict[str, str]:
    """The jobs' environment: Airflow's own Python must not start the driver or its workers."""
    python = _setting("PYSPARK_PYTHON", ".venv/bin/python")
    variables = {
        "SPARK_HOME": _setting("SPARK_HOME", ".venv/lib/python3.11/site-packages/pyspark"),
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
        "GX_ANALYTICS_ENABLED": "false",
    }
    if java := os.environ.get("JAVA_HOME"):
        variables["JAVA_HOME"] = java
    elif JAVA.is_dir():
        variables["JAVA_HOME"] = str(JAVA)
    return variables


def _setting(name: str, default: str) -> str:
    return os.environ.get(name) or str(HOME / default)
