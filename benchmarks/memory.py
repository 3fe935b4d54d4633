"""How much memory and processor time a process and all that it started take, from ``/proc``."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PARENT_AFTER_NAME = 1
_TICKS_AFTER_NAME = slice(11, 13)
"""Places of the parent's id, and of the ticks in user and kernel mode, among the fields of ``stat``
that follow the name."""


@dataclass
class Peak:
    """The largest amounts seen so far, in MiB; all zero where there is no ``/proc``.

    Amounts are resident sizes. Pages that Python workers share are counted for each of them, so
    ``total`` is an upper bound.
    """

    total: float = 0.0
    java: float = 0.0
    python: float = 0.0

    def look(self, root: int) -> None:
        """Add one look at the process ``root`` and its descendants."""
        java = python = 0.0
        for pid in family(root):
            status, is_java = _status(pid), _program(pid) == "java"
            if is_java and _program(_parent(pid)) == "java":
                continue  # The JVM as it starts another program: its pages, under another id.
            resident = _mebibytes(status, "VmRSS")
            # The kernel's own peak of a process misses nothing between two looks.
            highest = _mebibytes(status, "VmHWM")
            if is_java:
                java += resident
                self.java = max(self.java, highest)
            else:
                python += resident
                self.python = max(self.python, highest)
        self.python = max(self.python, python)
        self.total = max(self.total, java + python, self.java, self.python)


def cpu_seconds(root: int) -> float:
    """Processor time of a process and its descendants so far, those apart that have ended."""
    ticks = 0
    for pid in family(root):
        ticks += sum(map(int, _stat(pid)[_TICKS_AFTER_NAME]))
    return float(ticks / os.sysconf("SC_CLK_TCK"))


def family(root: int) -> list[int]:
    """A process and its descendants, as far as they live."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in _PROC.glob("[0-9]*"):
        pid = int(entry.name)
        if fields := _stat(pid):
            children[int(fields[_PARENT_AFTER_NAME])].append(pid)
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _stat(pid: int) -> list[str]:
    """The fields that follow the name; none of a process that is gone."""
    try:
        _, _, after_name = (_PROC / str(pid) / "stat").read_text().rpartition(")")
    except OSError:
        return []
    return after_name.split()


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[_PARENT_AFTER_NAME]) if fields else 0


def _program(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "exe").readlink().name
    except OSError:
        return ""


def _status(pid: int) -> dict[str, str]:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _mebibytes(status: dict[str, str], key: str) -> float:
    return int(status.get(key, "0 kB").split()[0]) / 1024
