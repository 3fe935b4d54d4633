"""Airflow in processes of its own: its environment and the jobs' one exclude each other."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from support.servers import free_port

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".venv-airflow" / "bin" / "airflow"


@dataclass(frozen=True)
class Airflow:
    """Airflow with a home of its own; its database is made by the first night."""

    home: Path

    def script(self, command: str, *, timeout: int = 900, **variables: str) -> tuple[int, str]:
        """Run a line of bash from the project's root; gives its code and all that it printed."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=ROOT,
            env=self._environment(variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        return done.returncode, done.stdout

    @contextlib.contextmanager
    def server(self, **variables: str) -> Iterator[Server]:
        """API server, scheduler and DAG processor, as ``make airflow`` starts them."""
        port = free_port()
        variables["GOLDENLAKE_AIRFLOW_PORT"] = str(port)
        log = self.home / "server.log"
        with log.open("w") as said:
            process = subprocess.Popen(
                ["bash", "infra/airflow/standalone.sh"],
                cwd=ROOT,
                env=self._environment(variables),
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        try:
            while "Ctrl-C ends Airflow" not in log.read_text():
                assert process.poll() is None, log.read_text()
                time.sleep(0.5)
            passwords = json.loads((self.home / "passwords.json").read_text())
            server = Server.logged_in(f"http://127.0.0.1:{port}", passwords["admin"])
            with contextlib.closing(server.api):
                yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        ours = ("AIRFLOW", "GOLDENLAKE", "SPARK_", "PYSPARK_")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        return clean | {"AIRFLOW_HOME": str(self.home)} | variables


@dataclass(frozen=True)
class Server:
    """What a person does in the pages of a running Airflow, through the API behind them."""

    api: httpx.Client

    @classmethod
    def logged_in(cls, address: str, password: str) -> Server:
        api = httpx.Client(base_url=address, trust_env=False, timeout=60)
        answer = api.post("/auth/token", json={"username": "admin", "password": password})
        api.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
        return cls(api)

    def switch_on(self, dag: str) -> bool:
        """Whether the DAG is known by now, and runs."""
        return self.api.patch(f"/api/v2/dags/{dag}", json={"is_paused": False}).is_success

    def trigger(self, dag: str, **conf: str) -> str:
        """Start a run by hand; gives its id."""
        path = f"/api/v2/dags/{dag}/dagRuns"
        answer = self.api.post(path, json={"logical_date": None, "conf": conf})
        return str(answer.raise_for_status().json()["dag_run_id"])

    def state(self, dag: str, run: str) -> str:
        """Of a run; empty where there is none."""
        answer = self.api.get(f"/api/v2/dags/{dag}/dagRuns/{quote(run)}")
        return str(answer.json()["state"]) if answer.is_success else ""

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        """How each task of a run ended; of one that was made several times, the last."""
        answer = self.api.get(f"/api/v2/dags/{dag}/dagRuns/{quote(run)}/taskInstances")
        found = answer.raise_for_status().json()["task_instances"]
        return {each["task_id"]: each["state"] for each in found}

    def question(self, dag: str, run: str) -> dict[str, Any] | None:
        """That a run asks and nobody has answered yet."""
        answer = self.api.get(
            f"/api/v2/dags/{dag}/dagRuns/{quote(run)}/hitlDetails",
            params={"response_received": False},
        )
        found = answer.json()["hitl_details"] if answer.is_success else []
        return found[0] if found else None

    def answer(self, question: dict[str, Any], option: str, **values: str) -> None:
        """Choose an option, with values for the form beside it; no sooner than the scheduler has
        noted that the task waits, which a person takes longer for. Airflow 3.3 fails a task that is
        answered before, for a `state mismatch`.
        """
        noted = datetime.fromisoformat(question["created_at"]) + timedelta(seconds=1)
        until(lambda: self._scheduler_seen_at() > noted)
        of = question["task_instance"]
        run = f"/api/v2/dags/{of['dag_id']}/dagRuns/{quote(of['dag_run_id'])}"
        path = f"{run}/taskInstances/{of['task_id']}/{of['map_index']}/hitlDetails"
        given = {"chosen_options": [option], "params_input": values}
        self.api.patch(path, json=given).raise_for_status()

    def _scheduler_seen_at(self) -> datetime:
        health = self.api.get("/api/v2/monitor/health").raise_for_status().json()
        return datetime.fromisoformat(health["scheduler"]["latest_scheduler_heartbeat"])


def until(found: Callable[[], T | None], seconds: float = 240) -> T:
    """What is found in the end."""
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        if answer := found():
            return answer
        time.sleep(1)
    raise AssertionError("it did not come about in time")


def stand_in(folder: Path, script: str) -> None:
    """A script in the place of spark-submit, for GOLDENLAKE_BIN."""
    program = folder / "spark-submit"
    program.write_text(script)
    program.chmod(0o755)


def conf_of_names(folder: Path, *, sources: Sequence[str], destinations: Sequence[str]) -> Path:
    """Declarations with as much in them as a DAG reads."""
    contents: dict[str, dict[str, Any]] = {
        **{f"sources/{name}.yml": {"source": name} for name in sources},
        **{f"destinations/{name}.yml": {"destination": name} for name in destinations},
        "env/local.yml": {"lake": "lake", "night": {"schedule": "30 2 * * *"}},
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content))  # JSON is YAML
    return folder
