"""What is printed: one figure a line, with what it is measured against and on which machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

_KIB = 1024


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured value.

    ``against`` is a second value in the same unit. ``aim`` is meant for the ratio where there is
    one, else for the value; a lower one is better either way.
    """

    figure: str
    value: float
    unit: str
    against: float | None = None
    aim: float | None = None
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """``value`` as a multiple of ``against``; None where there is nothing to divide by."""
        return self.value / self.against if self.against else None

    def line(self, machine: Mapping[str, object]) -> str:
        """The figure as one JSON object on one line."""
        return json.dumps(
            {
                "figure": self.figure,
                "value": _rounded(self.value),
                "unit": self.unit,
                "against": _rounded(self.against),
                "ratio": _rounded(self.ratio),
                "aim": _rounded(self.aim),
                "machine": dict(machine),
                "details": dict(self.details),
            },
            ensure_ascii=False,
        )


def _rounded(value: float | None) -> float | None:
    """Three decimals; ``round`` alone would keep an int an int."""
    return None if value is None else round(float(value), 3)


def machine() -> dict[str, object]:
    """Cores that this process may use, memory in GiB, and how busy the machine is just now."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _KIB**3
    return {"cores": cores, "memory": round(memory, 1), "load": round(os.getloadavg()[0], 1)}
