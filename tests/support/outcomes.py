"""What came of each entry of the catalogue of bad input, as a table at the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.told import told

_PROPERTY = "outcome"


@pytest.fixture
def outcome(record_property: Any) -> Callable[[str, str, str], None]:
    """To be told by a test: group, entry, and what came of it."""
    return lambda group, entry, came: record_property(_PROPERTY, (group, entry, came))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table where slow tests were asked for or an entry failed; else a line."""
    entries = [
        (*found, report.outcome) for report, found in told(terminalreporter, _PROPERTY, when="call")
    ]
    if not entries:
        return
    held = sum(result == "passed" for *_, result in entries)
    terminalreporter.section("bad input")
    if "slow or not slow" in str(config.option.markexpr) or held < len(entries):
        for group, entry, came, result in entries:
            mark = "✓" if result == "passed" else "✗"
            terminalreporter.write_line(f"{mark} {group:<12} {entry[:44]:<44} {came[:80]}")
    terminalreporter.write_line(f"{held} of {len(entries)} entries came out as the catalogue says")
