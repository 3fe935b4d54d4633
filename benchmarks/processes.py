"""Runs one piece of work in a process of its own, as a night on a server would be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.memory import Peak
from goldenlake.cli.installation import PROJECT
from goldenlake.errors import GoldenlakeError

_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a worker answered, the seconds from its start to its end, and its memory."""

    answer: dict[str, Any]
    seconds: float
    peak: Peak


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A module that answers (``benchmarks.answers``), and the Python that runs it."""

    module: str = "benchmarks.worker"
    python: Path = Path(sys.executable)
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to that of this process."""


NIGHTS = Worker()


def run_worker(home: Path, work: str, *arguments: object, worker: Worker = NIGHTS) -> Finished:
    """Run a piece of work in a fresh process and wait for it.

    Raises:
        GoldenlakeError: the process ended with another code than 0; it said why on stderr.
    """
    answer = home / "answer.json"
    answer.unlink(missing_ok=True)
    command = [worker.python, "-m", worker.module, str(home), work, *map(str, arguments)]
    peak = Peak()
    begun = time.monotonic()
    process = subprocess.Popen(command, cwd=PROJECT, env=os.environ | worker.environment)
    try:
        while True:
            peak.look(process.pid)
            try:
                code = process.wait(timeout=_BETWEEN_LOOKS)
                break
            except subprocess.TimeoutExpired:
                continue
    finally:
        if process.poll() is None:
            process.terminate()
    seconds = time.monotonic() - begun
    if code:
        raise GoldenlakeError(f"The work {work!r} ended with code {code}; see above.")
    return Finished(answer=json.loads(answer.read_text()), seconds=seconds, peak=peak)
