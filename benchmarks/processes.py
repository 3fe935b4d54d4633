"""Runs one piece of work in a process of its own, as a night on a server would be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.memory import Peak
from goldenlake.cli.installation import PROJECT
from goldenlake.errors import GoldenlakeError

_BETWEEN_LOOKS = 0.5
_BETWEEN_MOMENTS = 0.1


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

    def started(self, home: Path, work: str, *arguments: object) -> subprocess.Popen[bytes]:
        """A piece of work that goes on, with all its processes in a session of their own."""
        command = [self.python, "-m", self.module, str(home), work, *map(str, arguments)]
        environment = os.environ | self.environment
        return subprocess.Popen(command, cwd=PROJECT, env=environment, start_new_session=True)


NIGHTS = Worker()


def run_worker(home: Path, work: str, *arguments: object, worker: Worker = NIGHTS) -> Finished:
    """Run a piece of work in a fresh process and wait for it.

    Raises:
        GoldenlakeError: the process ended with another code than 0; it said why on stderr.
    """
    answer = home / "answer.json"
    answer.unlink(missing_ok=True)
    peak = Peak()
    begun = time.monotonic()
    process = worker.started(home, work, *arguments)
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
            os.killpg(process.pid, signal.SIGTERM)
    seconds = time.monotonic() - begun
    if code:
        raise GoldenlakeError(f"The work {work!r} ended with code {code}; see above.")
    return Finished(answer=json.loads(answer.read_text()), seconds=seconds, peak=peak)


def kill_worker(
    home: Path, work: str, *arguments: object, worker: Worker, when: Callable[[], bool]
) -> None:
    """Run a piece of work and kill it, with all that it started, as soon as ``when`` says so.

    Raises:
        GoldenlakeError: it ended before.
    """
    process = worker.started(home, work, *arguments)
    try:
        while not when():
            if process.poll() is not None:
                raise GoldenlakeError(f"The work {work!r} ended before it could be killed.")
            time.sleep(_BETWEEN_MOMENTS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
