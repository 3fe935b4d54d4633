"""Every fault of the matrix has a test, and no test is about a fault that is none of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.matrix import ROWS, faults_of

TESTS = Path(__file__).parents[1]


def marked() -> Iterator[str]:
    """The rows that marks name in the sources of the tests, be they slow or skipped."""
    for path in TESTS.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)) if "mark.fault(" in source else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
                yield from (str(ast.literal_eval(each)) for each in node.args)


def test_every_fault_has_a_test() -> None:
    assert set(ROWS) == set(marked())


def test_a_fault_that_is_not_in_the_matrix_is_refused() -> None:
    def item(row: str) -> SimpleNamespace:
        mark = pytest.mark.fault.with_args(row).mark
        return SimpleNamespace(nodeid="test_x", iter_markers=lambda _: [mark])

    assert faults_of(item("two writers")) == ["two writers"]
    with pytest.raises(pytest.UsageError, match="'three writers' is no row of ROWS"):
        faults_of(item("three writers"))
