"""What tests told of themselves, for tables at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def told(terminalreporter: Any, name: str, *, when: str) -> Iterator[tuple[Any, Any]]:
    """Each report of a phase (``call``, ``teardown``) with what was recorded in it by a name."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == when:
                for key, found in report.user_properties:
                    if key == name:
                        yield report, found
