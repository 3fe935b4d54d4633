"""One writer at a time for each table, one process at a time for each kind of work.

Two Spark drivers that commit to one Delta table on a local file system can both be told that they
succeeded while one commit is lost: the log store guards its check-then-rename only by a lock inside
one JVM. So every commit to a local lake holds an exclusive ``flock`` for its table. The kernel lets
go of it when the process ends, however it ends. On an object store only threads of one process wait
for each other here. Between processes Delta's own log store decides, and on S3 that one does not:
one driver at a time may write there (docs.delta.io, Storage configuration).

Work is claimed for as long as it takes, and nobody waits for it. A claim has no term: it ends with
its process alone. So a process that stands still keeps it, and nobody can take over what it may
still go on with.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from goldenlake.errors import LakeBusy


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


class Claims:
    """Work in a lake that one process at a time may do; ``folder`` as in ``TableLocks``."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @contextmanager
    def held(self, work: str, *, run_id: str) -> Iterator[None]:
        """Have the work to oneself. Raises LakeBusy, naming who has it."""
        if self._folder is None:
            yield
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        handle = os.open(self._folder / f"{work}.claim", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LakeBusy(work=work, holder=_holder(handle)) from None
            since = datetime.now(UTC).isoformat(timespec="seconds")
            told = {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "run": run_id}
            os.truncate(handle, 0)
            os.pwrite(handle, json.dumps(told).encode(), 0)
            yield
        finally:
            os.close(handle)


def _holder(handle: int) -> str:
    """As the claim's file tells; it is empty for a moment after it was taken."""
    with suppress(ValueError, KeyError):
        told = json.loads(os.pread(handle, 4096, 0))
        return f"run {told['run']}, process {told['pid']} on {told['host']}, since {told['since']}"
    return "another process, since just now"
