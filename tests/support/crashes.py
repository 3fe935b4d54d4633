"""What became of processes that died while they sent, as a table at the end of the run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from support.told import told

_PROPERTY = "crashes"


@dataclass
class CrashCount:
    """Of one seed: how often a process died, and how the destination differs in the end."""

    connector: str = ""
    died: int = 0
    lost: int = 0
    """Who should be there, and is not."""
    strays: int = 0
    """Who should not be there, and is."""
    doubled: int = 0

    def compare(self, wanted: set[str], there: set[str]) -> None:
        """Count what differs between the desired state and the destination's."""
        self.lost += len(wanted - there)
        self.strays += len(there - wanted)


@pytest.fixture
def crashes(record_property: Any) -> Iterator[CrashCount]:
    """To be filled in by a test; its connector's row of the table."""
    count = CrashCount()
    yield count
    record_property(_PROPERTY, asdict(count))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table, where anything was counted."""
    rows: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for report, found in told(terminalreporter, _PROPERTY, when="teardown"):
        row = rows[found["connector"] or report.nodeid]
        row["seeds"] += 1
        for key in ("died", "lost", "strays", "doubled"):
            row[key] += found[key]
    if not rows:
        return
    columns = ("seeds", "died", "lost", "strays", "doubled")
    terminalreporter.section("processes that died while they sent")
    terminalreporter.write_line(f"{'connector':<16}" + "".join(f"{c:>9}" for c in columns))
    for name, row in sorted(rows.items()):
        terminalreporter.write_line(f"{name:<16}" + "".join(f"{row[c]:>9}" for c in columns))
