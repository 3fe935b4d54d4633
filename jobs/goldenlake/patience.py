"""How long whoever throttles us is waited for, whether we ask or send."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from goldenlake.errors import Throttled

LONGEST_WAIT = 900.0
"""Seconds that a system may have us wait; beyond them a later run tries again."""
MOST_WAITS = 1000
"""Waits for one call."""

Result = TypeVar("Result")
Sleep = Callable[[float], None]


def patiently(call: Callable[[], Result], *, sleep: Sleep, longest: float = LONGEST_WAIT) -> Result:
    """What a call gives after the waits that it asks for.

    Raises Throttled, where a wait is longer than ``longest`` or there were ``MOST_WAITS`` of them.
    """
    for _ in range(MOST_WAITS):
        try:
            return call()
        except Throttled as wait:
            if wait.seconds > longest:
                raise
            sleep(max(wait.seconds, 0.0))
    return call()
