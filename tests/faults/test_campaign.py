"""Whatever a night dies of, the next one ends where an undisturbed night ends.

The points are chosen by ``--fault-seed``. One fault is repeated, as its failure tells, with

    pytest tests/faults/test_campaign.py --fault "death at golden/012 merge gold.customers after"
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from goldenlake.cli import stages
from goldenlake.errors import ExitCode, GoldenlakeError, LakeBusy
from support.campaign import FaultCount, chosen
from support.company import day, open_company, speak_to_the_desk
from support.contents import Contents, contents, difference, is_mixed
from support.faults import STAGES, UPKEEP, Company, Died, Fault, Line
from support.vendors import serving
from support.vendors.desk import Desk

FIRST, SECOND = day(1), day(2)
EACH = 6
#: Upkeep that died is undone by the next build, not repeated: it publishes one generation less.
REPINNED = frozenset({"ops.publications"})


@dataclass
class Night:
    """The second night of the company, undisturbed: its points, and the lake at each stage."""

    folder: Path
    spark: SparkSession
    desk: Desk
    address: str
    points: list[str] = field(default_factory=list)
    ends: dict[str, Contents] = field(default_factory=dict)
    """What is there after the night, and after the upkeep that follows it."""

    def record(self) -> None:
        """Run it, and keep a copy of the company's folder from before each stage."""
        company = Company(self.folder / "undisturbed", self.spark)
        open_company(company.home, days=2, desk=self._account(company.home))
        company.night(FIRST)

        def keep(stage: str) -> None:
            shutil.copytree(company.home, self.folder / "before" / stage)

        self.points = company.night(SECOND, entered=keep).points
        self.ends["night"] = contents(company.home)
        keep(UPKEEP)

    def record_upkeep(self) -> None:
        """Once, for those who ask for it."""
        if UPKEEP not in self.ends:
            company, line = Company(self.folder / "undisturbed", self.spark), Line()
            company.upkeep(SECOND, line)
            self.points += line.points
            self.ends[UPKEEP] = contents(company.home, but=REPINNED)

    def before(self, stage: str, home: Path) -> Company:
        """A copy of the company as it was before a stage."""
        shutil.copytree(self.folder / "before" / start_of(stage), home)
        speak_to_the_desk(home, self._account(home))
        return Company(home, self.spark)

    def _account(self, home: Path) -> str:
        return self.address + self.desk.account(home)


@pytest.fixture(scope="module")
def night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    desk = Desk()
    with serving(desk) as address:
        found = Night(tmp_path_factory.mktemp("company"), spark, desk, address)
        found.record()
        yield found
    assert not desk.violations, "\n".join(desk.violations[:3])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "number" not in metafunc.fixturenames:
        return
    if metafunc.config.getoption("--fault"):
        metafunc.parametrize(("stage", "number"), [pytest.param("given", 0, id="given")])
        return
    each = [
        pytest.param(
            stage,
            number,
            id=f"{stage}-{number}",
            marks=pytest.mark.slow,
        )
        for stage in STAGES
        for number in range(EACH)
    ]
    metafunc.parametrize(("stage", "number"), each)


@pytest.fixture
def fault(request: pytest.FixtureRequest, night: Night, stage: str, number: int) -> Fault:
    given = request.config.getoption("--fault")
    if stage == UPKEEP or (given and Fault.of(given).stage == UPKEEP):
        night.record_upkeep()
    if given:
        return Fault.of(given)
    return chosen(night.points, stage, number, request.config.getoption("--fault-seed"))


@pytest.mark.fault("kill between two stages")
def test_a_night_that_is_disturbed_and_run_again_ends_like_one_that_is_not(
    night: Night, fault: Fault, count: FaultCount, tmp_path: Path
) -> None:
    company = night.before(fault.stage, tmp_path / "home")
    count.stage = fault.stage
    with disturbed(company, fault) as line:
        assert line.was_met, f"{fault}: no call was there; a night passes {night.points}"
        count.injected += 1
    count.mixed += bool(is_mixed(company.home / "lake"))
    if fault.stage == UPKEEP:
        company.upkeep(SECOND, Line())
    else:
        company.night(SECOND)
    end, but = (UPKEEP, REPINNED) if fault.stage == UPKEEP else ("night", frozenset[str]())
    found = difference(contents(company.home, but=but), night.ends[end])
    count.compare(found)
    assert not count.mixed, f'--fault "{fault}" leaves two generations to be read'
    assert not found, f'--fault "{fault}":\n' + "\n".join(found.where)


def start_of(stage: str) -> str:
    """Where an attempt begins that is disturbed in a stage: the report notes what ran before it."""
    return "activate" if stage == "report" else stage


@contextmanager
def disturbed(company: Company, fault: Fault) -> Iterator[Line]:
    """The night as far as it comes; while it stands still another one is tried beside it."""
    line = Line(fault)

    def attempt() -> None:
        with suppress(Died, GoldenlakeError, OSError):
            if fault.stage == UPKEEP:
                company.upkeep(SECOND, line)
            else:
                company.attempt(SECOND, line, start=start_of(fault.stage))

    if fault.kind != "stall":
        attempt()
        yield line
        return
    stalled = threading.Thread(target=attempt)
    stalled.start()
    assert line.stands.wait(300), f"{fault}: no call was there"
    try:
        beside(company)
    finally:
        line.goes_on.set()
        stalled.join()
    yield line


def beside(company: Company) -> None:
    """Another night leaves while one stands still, for it may go on at any moment."""
    installation = company.installation(SECOND, Line())
    try:
        code = stages.night(installation)
    except LakeBusy as error:
        code = error.exit_code
    assert code is ExitCode.TRANSIENT
