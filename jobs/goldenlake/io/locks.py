"""One writer at a time for each table, across processes.

Two Spark drivers that commit to one Delta table on a local file system can both be told that they
succeeded while one commit is lost: the log store guards its check-then-rename only by a lock inside
one JVM. So every commit to a local lake holds an exclusive ``flock`` for its table. The kernel lets
go of it when the process ends, however it ends. On an object store only threads of one process wait
for each other here. Between processes Delta's own log store decides, and on S3 that one does not:
one driver at a time may write there (docs.delta.io, Storage configuration).
"""

from __future__ import annotations

import fcntl
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock


class TableLocks:
    """Locks of a lake; ``folder`` is None where the store itself excludes other processes.

    ``before_first`` is called once, before the first is held, and again as long as it raises.
    """

    def __init__(
        self, folder: Path | None, before_first: Callable[[], None] = lambda: None
    ) -> None:
        self._folder = folder
        self._before_first: Callable[[], None] | None = before_first
        self._proving = Lock()
        self._of_threads: defaultdict[str, Lock] = defaultdict(Lock)

    @contextmanager
    def held(self, table: str) -> Iterator[None]:
        """Hold the table's lock; waits while another process or thread holds it."""
        with self._proving:
            if self._before_first is not None:
                self._before_first()
                self._before_first = None
        if self._folder is None:
            with self._of_threads[table]:
                yield
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        handle = os.open(self._folder / f"{table}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
