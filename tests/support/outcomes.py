"""What came of each entry of the catalogue of bad input, as a table at the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

_PROPERTY = "outcome"


@pytest.fixture
def outcome(record_property: Any) -> Callable[[str, str, str], None]:
    """To be told by a test: group, entry, and what came of it."""
    return lambda group, entry, came: record_property(_PROPERTY, (group, entry, came))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table where slow tests were asked for or an entry failed; else a line."""
    told = [
        (*found, report.outcome)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, found in report.user_properties
        if name == _PROPERTY
    ]
    if not told:
        return
    held = sum(result == "passed" for *_, result in told)
    terminalreporter.section("bad input")
    if "slow or not slow" in str(config.option.markexpr) or held < len(told):
        for group, entry, came, result in told:
            mark = "✓" if result == "passed" else "✗"
            terminalreporter.write_line(f"{mark} {group:<12} {entry[:44]:<44} {came[:80]}")
    terminalreporter.write_line(f"{held} of {len(told)} entries came out as the catalogue says")
