"""Tell a person how far `infra/airflow/night.sh` is: one line a task, on the descriptor it names.

Does nothing where ``GOLDENLAKE_PROGRESS_FD`` is not set, so a server may load it too.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

_BEGUN = time.monotonic()
_started: dict[str, float] = {}


def _say(message: str, *, is_passing: bool = False) -> None:
    descriptor = int(os.environ["GOLDENLAKE_PROGRESS_FD"])
    is_terminal = os.isatty(descriptor)
    if is_passing and not is_terminal:
        return
    passed = int(time.monotonic() - _BEGUN)
    line = f"  {passed // 60:02d}:{passed % 60:02d}  {message}"
    ending = "" if is_passing else "\n"
    os.write(descriptor, (f"\r\x1b[K{line}{ending}" if is_terminal else line + ending).encode())


def _ended(task_instance: Any, state: str) -> None:
    now = time.monotonic()
    seconds = now - _started.get(task_instance.task_id, now)
    _say(f"{task_instance.task_id:<28} {seconds:6.1f} s  {state}")


def _in_short(error: object) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 400 else text[:399] + "…"


@hookimpl
def on_task_instance_running(task_instance: Any) -> None:
    """Remember when it began."""
    _started[task_instance.task_id] = time.monotonic()
    _say(f"{task_instance.task_id:<28} …", is_passing=True)


@hookimpl
def on_task_instance_success(task_instance: Any) -> None:
    """One line."""
    _ended(task_instance, "done")


@hookimpl
def on_task_instance_failed(task_instance: Any, error: object) -> None:
    """One line, with the reason."""
    again = type(error).__name__ == "TryAgain"
    _ended(task_instance, f"{'will be tried again' if again else 'failed'}: {_in_short(error)}")


@hookimpl
def on_dag_run_failed(dag_run: Any) -> None:
    """Name what never ran."""
    states = {each.task_id: str(each.state) for each in dag_run.get_task_instances()}
    left = sorted(task for task, state in states.items() if state == "upstream_failed")
    if left:
        _say(f"not run, since what they need failed: {', '.join(left)}")


class NightProgress(AirflowPlugin):
    """Registers the listeners above."""

    name = "night_progress"
    listeners = [sys.modules[__name__]] if os.environ.get("GOLDENLAKE_PROGRESS_FD") else []
