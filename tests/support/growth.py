"""How the cost of something grows with what it is given; no time of a machine decides a test."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds of CPU that tell a hang from work: tens of times what a slow machine takes.
HANG = 120

_TIMES = 8
#: Seconds below which a clock tells nothing.
_LEAST = 0.05


def is_in_proportion(run: Callable[[int], object], size: int) -> bool:
    """Whether a run of ``size`` takes no more than thrice as long, for its size, as one of an
    eighth; were it the square, it would take eight times as long.

    Takes the CPU time of this process: what else a machine does, and how fast it is, tell nothing.
    """
    small, large = (_spent(run, each) for each in (size // _TIMES, size))
    return large < 3 * _TIMES * max(small, _LEAST)


def _spent(run: Callable[[int], object], size: int) -> float:
    begun = time.process_time()
    run(size)
    return time.process_time() - begun
