"""How a worker answers: a work by name, its answer in a file, all else that is said on stderr.

Needs nothing but the standard library, so that workers of other environments answer so too.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.memory import cpu_seconds

Work = Callable[..., dict[str, Any]]


def answer(works: Mapping[str, Work]) -> None:
    """Do the work that the arguments HOME WORK … name; its answer goes to HOME/answer.json."""
    os.dup2(2, 1)
    home, work, *arguments = sys.argv[1:]
    found = works[work](Path(home), *arguments)
    (Path(home) / "answer.json").write_text(json.dumps(found))


class Phases:
    """Seconds of the phases of one work, in their order, and its processor time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.apart: dict[str, float] = {}
        """Of what no other contender has to do."""
        self.cpu = 0.0
        """Processor time of the counted phases, with that of processes they started."""

    @contextmanager
    def counted(self, phase: str) -> Iterator[None]:
        """Time a phase that belongs to the work."""
        begun = cpu_seconds(os.getpid())
        with _timed(self.seconds, phase):
            yield
        self.cpu += cpu_seconds(os.getpid()) - begun

    def beside(self, phase: str) -> AbstractContextManager[None]:
        """Time a phase that is told apart."""
        return _timed(self.apart, phase)

    def answer(self) -> dict[str, Any]:
        """As part of a worker's answer."""
        return {"seconds": self.seconds, "apart": self.apart, "cpu": self.cpu}


@contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    seconds[phase] = time.monotonic() - begun
