"""How much memory a process and all that it started hold, from ``/proc``."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PARENT_AFTER_NAME = 1
"""Place of the parent's id among the fields of ``stat`` that follow the name."""


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
            status = _status(pid)
            resident = _mebibytes(status, "VmRSS")
            if status.get("Name") == "java":
                java += resident
                # The kernel's own peak misses nothing between two looks.
                self.java = max(self.java, _mebibytes(status, "VmHWM"))
            else:
                python += resident
        self.python = max(self.python, python)
        self.total = max(self.total, java + python)


def family(root: int) -> list[int]:
    """A process and its descendants, as far as they live."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in _PROC.glob("[0-9]*/stat"):
        try:
            _, _, after_name = entry.read_text().rpartition(")")
        except OSError:
            continue
        children[int(after_name.split()[_PARENT_AFTER_NAME])].append(int(entry.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _status(pid: int) -> dict[str, str]:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _mebibytes(status: dict[str, str], key: str) -> float:
    return int(status.get(key, "0 kB").split()[0]) / 1024
