"""A bound on the memory that reading one file may take, held by the kernel."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

_STATM = Path("/proc/self/statm")
_DATA = 5
_ONE_AT_A_TIME = Lock()


class BoundedMemory:
    """No more memory than now and ``size`` bytes, while it is held: what asks for more gets
    MemoryError. For libraries that believe what a file says of its own sizes.

    The limit is the process's own, so it is held for short and by one thread at a time; a program
    that is started meanwhile keeps it. Where there is no ``/proc``, as on macOS, nothing is held.
    """

    def __init__(self, size: int) -> None:
        self._most = _in_use() + size if _STATM.exists() else resource.RLIM_INFINITY

    @contextmanager
    def held(self) -> Iterator[None]:
        """Raises MemoryError for what is asked for within."""
        with _ONE_AT_A_TIME:
            soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
            limits = [each for each in (self._most, soft) if each != resource.RLIM_INFINITY]
            resource.setrlimit(
                resource.RLIMIT_DATA, (min(limits, default=resource.RLIM_INFINITY), hard)
            )
            try:
                yield
            finally:
                resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _in_use() -> int:
    """Bytes that count for RLIMIT_DATA (proc(5), setrlimit(2)): private and writable."""
    return int(_STATM.read_text().split()[_DATA]) * resource.getpagesize()
