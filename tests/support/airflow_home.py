"""Airflow in processes of its own: its environment and the jobs' one exclude each other."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".venv-airflow" / "bin" / "airflow"


@dataclass(frozen=True)
class Airflow:
    """Airflow with a home of its own; its database is made by the first night."""

    home: Path

    def script(self, command: str, *, timeout: int = 900, **variables: str) -> tuple[int, str]:
        """Run a line of bash from the project's root; gives its code and all that it printed."""
        ours = ("AIRFLOW", "GOLDENLAKE", "SPARK_", "PYSPARK_")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=ROOT,
            env=clean | {"AIRFLOW_HOME": str(self.home)} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        return done.returncode, done.stdout
