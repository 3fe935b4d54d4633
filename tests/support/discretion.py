"""Nothing that is printed or logged tells of anybody, looked at after every test of faults.

Spark's own log comes from its JVM, which writes to where the tests' output goes.
"""

from __future__ import annotations

import re
from collections.abc import Generator

import pytest

from support.company import PERSONAL
from support.hostile import CANARY

LOOKED_AT = "faults"
_PERSONAL = re.compile(rf"{PERSONAL.pattern}|{CANARY}|[\w.]+@example\.(?:com|org|net)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that passed, where it or what it called told of people."""
    report = yield
    if report.passed and LOOKED_AT in item.path.parts:
        lines = (report.capstdout + report.capstderr + report.caplog).splitlines()
        told = [line[:300] for line in lines if _PERSONAL.search(line)]
        if told:
            report.outcome = "failed"
            report.longrepr = "\n".join([f"{len(told)} lines tell of people:", *told[:5]])
    return report
