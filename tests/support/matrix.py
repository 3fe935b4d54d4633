"""The faults that goldenlake is to stand, and what became of the tests of each, as a table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import pytest

from support.told import told

_PROPERTY = "faults"
#: The rows of the matrix; a test says which of them it is about by ``@pytest.mark.fault("<row>")``.
ROWS = (
    "kill between two stages",
    "kill inside a commit",
    "write or rename that fails",
    "disk full",
    "two writers",
    "merge beside optimize",
    "kill between two publications",
    "stale attempt beside its retry",
    "file that grows while it is read",
    "same file under another name",
    "late and reordered files",
    "clock set back, summer time",
    "corrupt data file or log",
    "10,000 small files",
    "429 with Retry-After",
    "500 after applying",
    "half a batch refused",
    "reset, hang, trickle",
    "token that expires in a batch",
    "bad certificate, changed host key",
    "redirect to a link-local address",
    "kill during erasure",
    "pseudonym key missing",
)
_COLUMNS = ("tests", "passed", "failed", "skipped")


def faults_of(item: Any) -> list[str]:
    """The rows that a test is about. Raises UsageError for one that is not in the matrix."""
    found = [row for mark in item.iter_markers("fault") for row in mark.args]
    for row in found:
        if row not in ROWS:
            raise pytest.UsageError(
                f"{item.nodeid}: the fault {row!r} is no row of ROWS in tests/support/matrix.py"
            )
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Have each report tell its rows, be it one of another process."""
    for item in items:
        if found := faults_of(item):
            item.user_properties.append((_PROPERTY, found))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table where slow tests were asked for or one of a row failed; else a line."""
    rows: dict[str, dict[str, str]] = defaultdict(dict)
    for when in ("setup", "call", "teardown"):
        for report, found in told(terminalreporter, _PROPERTY, when=when):
            for row in found:
                if when == "call" or report.outcome != "passed":
                    rows[row][report.nodeid] = report.outcome
    if not rows:
        return
    terminalreporter.section("faults")
    counts = {row: Counter(rows[row].values()) for row in ROWS}
    is_full = "slow or not slow" in str(config.option.markexpr)
    if is_full or any(count["failed"] for count in counts.values()):
        terminalreporter.write_line(f"{'fault':<34}" + "".join(f"{c:>9}" for c in _COLUMNS))
        for row, count in counts.items():
            figures = (count.total(), *(count[column] for column in _COLUMNS[1:]))
            if is_full or count:
                terminalreporter.write_line(f"{row:<34}" + "".join(f"{f:>9}" for f in figures))
    held = sum(count["passed"] > 0 and not count["failed"] for count in counts.values())
    terminalreporter.write_line(f"{held} of {len(ROWS)} faults were met and stood")
