"""A night that ends, errs or stands still at any call through a port, and what is left of it.

Production code knows nothing of this: what is wrapped are the adapters that an installation hands
to its steps. Each write has two points, named ``<stage>/<number> <operation> <subject> before`` (or
``after``), the same in every night over the same files.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

from typer.testing import CliRunner

from goldenlake import destinations
from goldenlake.cli import stages
from goldenlake.cli.app import app
from goldenlake.cli.installation import Installation
from goldenlake.errors import ExitCode, PlaceUnreachable
from goldenlake.io.tables import DeltaTables
from goldenlake.night import NIGHT
from goldenlake.ports import FilePlace, StepResult
from goldenlake.steps import golden, maintain

Kind = Literal["death", "error", "stall"]
KINDS: tuple[Kind, ...] = ("death", "error", "stall")
FEEDBACK, UPKEEP, ERASURE = "feedback", "maintain", "erase"
ANSWERS = "answers"
"""The source of the company that brings what people answered."""
KEPT_UP = ("gold.customers", "identity.customers", "ops.files", "silver.people")
STAGES = (*(stage.name for stage in NIGHT), FEEDBACK, UPKEEP, ERASURE)
_TABLES = ("append", "overwrite", "replace_slice", "delete_slice", "merge", "restore", "optimize",
           "vacuum", "append_next", "rewrite", "purge")  # fmt: skip


class Died(BaseException):
    """The process is gone: nothing that it would do afterwards happens."""


@dataclass(frozen=True)
class Fault:
    """What happens at a point; ``str`` of it is what ``--fault`` takes."""

    kind: Kind
    point: str

    def __str__(self) -> str:
        return f"{self.kind} at {self.point}"

    @classmethod
    def of(cls, text: str) -> Fault:
        """As ``str`` gives it; a point alone is a death there."""
        kind, at, point = text.partition(" at ")
        return cls(kind, point) if at and kind in KINDS else cls("death", text)  # type: ignore[arg-type]

    @property
    def stage(self) -> str:
        """In which it happens."""
        return self.point.split("/")[0]


def points_of(stage: str, points: list[str]) -> list[str]:
    """Those of a stage. What comes back from other systems is collected like any source."""
    if stage == FEEDBACK:
        return [point for point in points_of("collect", points) if ANSWERS in point]
    return [point for point in points if point.startswith(f"{stage}/")]


@dataclass
class Line:
    """The one line on which all calls of an attempt pass, in their order."""

    fault: Fault | None = None
    stage: str = ""
    points: list[str] = field(default_factory=list)
    """Those that were passed."""
    was_met: bool = False
    is_dead: bool = False
    stands: threading.Event = field(default_factory=threading.Event)
    """Set while the attempt stands still."""
    goes_on: threading.Event = field(default_factory=threading.Event)

    def passing(self, what: str, call: Callable[[], Any]) -> Any:
        """A write, between its two points."""
        of_stage = sum(point.startswith(f"{self.stage}/") for point in self.points)
        name = f"{self.stage}/{of_stage // 2 + 1:03d} {what}"
        self._pass(f"{name} before")
        done = call()
        self._pass(f"{name} after")
        return done

    def check(self) -> None:
        """Every call of a dead process raises."""
        if self.is_dead:
            raise Died

    def _pass(self, point: str) -> None:
        self.check()
        self.points.append(point)
        if self.fault is None or self.was_met or self.fault.point != point:
            return
        self.was_met = True
        match self.fault.kind:
            case "death":
                self.is_dead = True
                raise Died
            case "error" if " os." in point:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            case "error":
                raise PlaceUnreachable(place="anywhere", what="injected")
            case "stall":
                self.stands.set()
                self.goes_on.wait()


class Ported:
    """An adapter on a line: ``writes`` are points, other calls only need a living process."""

    def __init__(self, line: Line, inner: Any, writes: tuple[str, ...], subject: str = "") -> None:
        self._line, self._inner, self._writes, self._subject = line, inner, writes, subject

    def __reduce__(self) -> Any:
        """Spark's workers are other processes: they get the adapter itself."""
        return copy, (self._inner,)

    def __getattr__(self, name: str) -> Any:
        self._line.check()
        found = getattr(self._inner, name)
        if name not in self._writes:
            return found

        def write(*args: Any, **kwargs: Any) -> Any:
            subject = self._subject or (args[0] if args and isinstance(args[0], str) else "")
            return self._line.passing(f"{name} {subject}".rstrip(), partial(found, *args, **kwargs))

        return write


class FaultyInstallation(Installation):
    """An installation whose ports are on a line; ``entered`` is told each stage that begins."""

    line: Line
    whole: str = ""
    """The one stage that all belongs to, of work that is no night."""
    entered: Callable[[str], None] = staticmethod(lambda _stage: None)

    @contextmanager
    def timed(self, step: str, subject: str = "") -> Iterator[list[StepResult]]:
        """See ``Installation.timed``."""
        self.enter(step)
        with super().timed(step, subject) as found:
            yield found

    def write_runs(self) -> None:
        """See ``Installation.write_runs``: after the segments, and again with the report."""
        if self.line.stage == "activate":
            self.enter("report")
        super().write_runs()

    def enter(self, stage: str) -> None:
        """Note the stage, and tell of it the first time."""
        stage = self.whole or stage
        if stage != self.line.stage:
            self.line.stage = stage
            self.entered(stage)

    def place(self, name: str) -> FilePlace:
        """See ``Installation.place``."""
        return Ported(self.line, super().place(name), ("write", "remove"))  # type: ignore[return-value]


@dataclass(frozen=True, kw_only=True)
class Upkeep(maintain.Maintain):
    """Of as many tables as are needed to tell: to vacuum one takes seconds."""

    many_files: int = 2


@dataclass(frozen=True)
class Company:
    """The folder of a company, and the Spark session of the tests."""

    home: Path
    spark: Any

    def installation(self, as_of: date, line: Line) -> FaultyInstallation:
        """A process of its own, as far as one process can hold several."""
        found = FaultyInstallation.load(self.home / "conf", "local", None, as_of=as_of)
        assert isinstance(found, FaultyInstallation)
        found.line = line
        lake = found.catalogue.environment.lake
        found.__dict__["tables"] = Ported(line, DeltaTables(self.spark, lake), _TABLES)
        found.__dict__["landing"] = Ported(line, found.landing, ("put", "remove"))
        return found

    def attempt(self, as_of: date, line: Line, *, start: str) -> None:
        """The stages of a night from one on, as far as the line lets them; an error is tried again
        before others go on.
        """
        installation = self.installation(as_of, line)
        with installation.claimed(stages.NIGHT_WORK), _on_line(line, self.home):
            for stage in NIGHT[[each.name for each in NIGHT].index(start) :]:
                if stage.name in ("activate", "report"):
                    installation.write_runs()
                stages.runs_of(stage, installation)()
                if line.was_met and line.fault and line.fault.kind == "error":
                    break
            installation.write_runs()

    def night(self, as_of: date, *, entered: Callable[[str], None] | None = None) -> Line:
        """A whole night without a fault, which must end well; gives its points."""
        line = Line()
        installation = self.installation(as_of, line)
        if entered:
            installation.entered = entered
        with _on_line(line, self.home):
            code = stages.night(installation)
            installation.write_runs()
        assert code is ExitCode.OK, f"the night ended with {code!r}: {installation.results}"
        return line

    def besides(self, work: str, as_of: date, line: Line) -> int:
        """Work that is no night, UPKEEP or ERASURE; gives its code."""
        installation = self.installation(as_of, line)
        installation.whole = work
        with _on_line(line, self.home):
            return _upkeep(installation) if work == UPKEEP else _erasure(installation)


def _upkeep(installation: Installation) -> int:
    """Maintenance of a few tables, which finds two files worth its while."""
    with (
        patch.object(maintain, "Maintain", Upkeep),
        patch.object(maintain, "lake_tables", lambda *_: list(KEPT_UP)),
    ):
        return stages.code_of(stages.maintain(installation))


def _erasure(installation: Installation) -> int:
    """What is left to do of the requests that are open."""
    with patch.object(Installation, "load_newest", lambda *_, **__: installation):
        done = CliRunner().invoke(app, ["erase", "--resume"])
    print(done.output)  # noqa: T201 - looked at for what it tells of people
    return done.exit_code


@contextmanager
def _on_line(line: Line, home: Path) -> Iterator[None]:
    """Destinations and the renaming of files are on the line too; golden writes one by one."""
    opened, replace, unlink = destinations.open_destination, os.replace, os.unlink

    def open_destination(*args: Any) -> Any:
        return Ported(line, opened(*args), ("send", "finish"), args[0].destination)

    def replaced(source: Any, target: Any, **kwargs: Any) -> None:
        if Path(target).is_relative_to(home):
            named = Path(target).name
            line.passing(f"os.replace {named}", partial(replace, source, target, **kwargs))
        else:
            replace(source, target, **kwargs)

    def unlinked(path: Any, **kwargs: Any) -> None:
        if isinstance(path, (str, Path)) and Path(path).is_relative_to(home):
            line.check()
        unlink(path, **kwargs)

    with (
        patch.object(destinations, "open_destination", open_destination),
        patch.object(golden, "WRITERS", 1),
        patch("os.replace", replaced),
        patch("os.unlink", unlinked),
    ):
        yield
