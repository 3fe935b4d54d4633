"""Which points of a night are disturbed, and the table of what was left of those nights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from support.contents import Difference
from support.faults import Fault, Kind, points_of
from support.told import told

_PROPERTY = "fault"
_COLUMNS = ("injected", "survived", "lost", "doubled", "ids changed", "mixed", "told")
#: Of six points of a stage most are deaths: a dead process is what nobody can catch.
_MIX: tuple[Kind, ...] = ("death", "death", "error", "death", "stall", "death")


@dataclass
class FaultCount:
    """What one fault did."""

    stage: str = ""
    injected: int = 0
    survived: int = 0
    lost: int = 0
    doubled: int = 0
    ids_changed: int = 0
    mixed: int = 0
    """Times that a reader saw tables of two generations."""
    told: int = 0
    """Files that tell of the work, and of people as well."""

    def compare(self, found: Difference) -> None:
        """Take over how a lake differs from the undisturbed one."""
        self.lost += found.lost
        self.doubled += found.doubled
        self.ids_changed += found.ids_changed
        self.survived += not found


def chosen(points: list[str], stage: str, number: int, seed: int) -> Fault:
    """The fault of that number in a stage: another point each, as far as there are so many."""
    of_stage = points_of(stage, points)
    order = Random(f"{seed} {stage}").sample(of_stage, len(of_stage))
    return Fault(_MIX[number % len(_MIX)], order[number % len(order)])


@pytest.fixture
def count(record_property: Any) -> Iterator[FaultCount]:
    """To be filled in by a test; its part of its stage's row in the table."""
    found = FaultCount()
    yield found
    record_property(_PROPERTY, asdict(found))


def pytest_addoption(parser: pytest.Parser) -> None:
    """How a campaign is repeated."""
    group = parser.getgroup("faults")
    group.addoption(
        "--fault", help='only this one: "death at golden/012 merge gold.customers after"'
    )
    group.addoption("--fault-seed", type=int, default=1, help="chooses the points; 1 by default")


class ByFileOrStage(LoadFileScheduling):
    """A process takes tests by the file, but of the campaign, longer than all others, by the stage.

    Its undisturbed night is then had once in each process.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return nodeid.rpartition("-")[0] if file.endswith("/test_campaign.py") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFileOrStage | None:
    """Where tests are shared out by the file."""
    return ByFileOrStage(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table, where anything was injected."""
    rows: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for _, found in told(terminalreporter, _PROPERTY, when="teardown"):
        if found["injected"]:
            for of in (found["stage"], "all"):
                for column in _COLUMNS:
                    rows[of][column] += found[column.replace(" ", "_")]
    if rows:
        rows["all"] = rows.pop("all")  # The last line.
        seed = terminalreporter.config.getoption("--fault-seed")
        terminalreporter.section(f"faults in a night (--fault-seed {seed})")
        for line in table(rows):
            terminalreporter.write_line(line)


def table(rows: dict[str, dict[str, int]]) -> Iterator[str]:
    """A line for each stage."""
    yield f"{'stage':<12}" + "".join(f"{column:>13}" for column in _COLUMNS)
    for name, row in rows.items():
        yield f"{name:<12}" + "".join(f"{row[column]:>13}" for column in _COLUMNS)
