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

from goldenlake.cli import privacy, stages
from goldenlake.errors import ExitCode, GoldenlakeError, LakeBusy
from support.campaign import FaultCount, chosen
from support.company import PERSONAL, day, open_company, speak_to_the_desk
from support.contents import Contents, contents, difference, is_mixed
from support.faults import ERASURE, STAGES, UPKEEP, Company, Died, Fault, Line
from support.telling import said, tells_of, told_of_the_work
from support.vendors import serving
from support.vendors.desk import Desk

FIRST, SECOND = day(1), day(2)
EACH = 6
NIGHT = "night"
FORGOTTEN = ("p3@example.com", "+49300000003")
"""The address of somebody who asks to be forgotten, and the number."""
#: Work that is no night, and what may differ after it, by table or by table and column.
BESIDES = {
    # Upkeep that died is undone by the next build, not repeated: it publishes one generation less.
    UPKEEP: frozenset({"ops.publications"}),
    # An erasure that died builds, publishes and counts once more, when the person has left the
    # audiences of past days as well.
    ERASURE: frozenset(
        {
            "ops.publications",
            "ops.stages",
            "segments.sizes",
            "segments.members.generation",
            "activation.settled",
        }
    ),
}

_MARKS = {ERASURE: [pytest.mark.fault("kill during erasure")]}


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
        self.points = company.night(SECOND, entered=self._keep).points
        self.ends[NIGHT] = contents(company.home)
        for work in BESIDES:
            self._keep(work)

    def record_besides(self, work: str) -> None:
        """Upkeep, or an erasure, after that night: once, for those who ask for it."""
        if work in self.ends:
            return
        if work == ERASURE:
            ask_to_be_forgotten(Company(self.folder / "before" / work, self.spark))
        company, line = self.before(work, self.folder / work), Line()
        run(company, work, line)
        self.points += line.points
        self.ends[work] = contents(company.home, but=BESIDES[work])

    def before(self, stage: str, home: Path) -> Company:
        """A copy of the company as it was before a stage."""
        shutil.copytree(self.folder / "before" / start_of(stage), home)
        speak_to_the_desk(home, self._account(home))
        return Company(home, self.spark)

    def _keep(self, stage: str) -> None:
        shutil.copytree(self.folder / "undisturbed", self.folder / "before" / stage)

    def _account(self, home: Path) -> str:
        return self.address + self.desk.account(home)


@pytest.fixture(scope="module")
def night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    desk = Desk()
    with pytest.MonkeyPatch.context() as patch, serving(desk) as address:
        patch.setenv("GOLDENLAKE_TEST_PRIVACY", "a key of pseudonyms in tests")
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
            marks=[pytest.mark.slow, *_MARKS.get(stage, ())],
        )
        for stage in STAGES
        for number in range(EACH)
    ]
    metafunc.parametrize(("stage", "number"), each)


@pytest.fixture
def fault(request: pytest.FixtureRequest, night: Night, stage: str, number: int) -> Fault:
    given = request.config.getoption("--fault")
    found = Fault.of(given) if given else None
    if (work := found.stage if found else stage) in BESIDES:
        night.record_besides(work)
    seed = request.config.getoption("--fault-seed")
    return found or chosen(night.points, stage, number, seed)


@pytest.mark.fault("kill between two stages")
def test_a_night_that_is_disturbed_and_run_again_ends_like_one_that_is_not(
    night: Night, fault: Fault, stage: str, count: FaultCount, tmp_path: Path
) -> None:
    company = night.before(fault.stage, tmp_path / "home")
    count.stage = fault.stage if stage == "given" else stage
    with disturbed(company, fault) as line:
        assert line.was_met, f"{fault}: no call was there; a night passes {night.points}"
        count.injected += 1
    count.mixed += bool(is_mixed(company.home / "lake"))
    told = told_of_the_work(company.home, PERSONAL)
    work = fault.stage if fault.stage in BESIDES else NIGHT
    run(company, work, Line())
    told += told_of_the_work(company.home, PERSONAL)
    count.told += len(told)
    found = difference(contents(company.home, but=BESIDES.get(work, frozenset())), night.ends[work])
    count.compare(found)
    assert not told, f'--fault "{fault}": these tell of people: {told}'
    assert not count.mixed, f'--fault "{fault}" leaves two generations to be read'
    assert not found, f'--fault "{fault}":\n' + "\n".join(found.where)
    if work == ERASURE:
        assert telling(company.home) == [], f'--fault "{fault}"'


def run(company: Company, work: str, line: Line) -> None:
    """Work that must end well."""
    if work in BESIDES:
        assert company.besides(work, SECOND, line) == ExitCode.OK
    else:
        company.night(SECOND)


def ask_to_be_forgotten(company: Company) -> None:
    """Note the request, of which nothing is done yet."""
    installation = company.installation(SECOND, Line())
    subject = privacy.subject_of(installation, [f"email={FORGOTTEN[0]}"])
    privacy.ask(installation, subject, by="dpo", reason="R-1")


def telling(home: Path) -> list[str]:
    """Files of the lake and of the reports that tell of whoever was forgotten."""
    files = said(home, ("lake/**/*", "reports/**/*"))
    return [name for name, data in files if tells_of(data, *FORGOTTEN)]


def start_of(stage: str) -> str:
    """Where an attempt begins that is disturbed in a stage: the report notes what ran before it."""
    return "activate" if stage == "report" else stage


@contextmanager
def disturbed(company: Company, fault: Fault) -> Iterator[Line]:
    """The night as far as it comes; while it stands still another one is tried beside it."""
    line = Line(fault)

    def attempt() -> None:
        with suppress(Died, GoldenlakeError, OSError):
            if fault.stage in BESIDES:
                company.besides(fault.stage, SECOND, line)
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
