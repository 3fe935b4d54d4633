"""One installation at work: its declarations, its lake, and the adapters that they ask for."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from goldenlake.cli.options import leading_to
from goldenlake.declarations.catalogue import Catalogue
from goldenlake.declarations.loader import load_catalogue
from goldenlake.errors import ExitCode, GoldenlakeError, SetupError, described
from goldenlake.ports import Api, Clock, FilePlace, Landing, StepResult

if TYPE_CHECKING:
    from goldenlake.identity.trained import TrainedModel
    from goldenlake.io.tables import DeltaTables

log = logging.getLogger(__name__)

PROJECT = Path(__file__).resolve().parents[3]


class SystemClock:
    """``ports.Clock`` of this machine."""

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)


class Installation:
    """What a command works with. Spark starts when ``tables`` is first asked for."""

    def __init__(
        self, catalogue: Catalogue, *, as_of: date, run_id: str | None = None, options: str = ""
    ) -> None:
        """``options`` lead other commands to this installation."""
        self.catalogue = catalogue
        self.as_of = as_of
        self.options = options
        self.run_id = run_id or f"{as_of:%Y%m%d}-{uuid.uuid4().hex[:8]}"
        self.clock: Clock = SystemClock()
        self.results: list[StepResult] = []
        self._started: list[tuple[datetime, float]] = []
        self._noting = Lock()
        self._apis: dict[str, Api] = {}
        self.speaks_json = not sys.stdout.isatty()
        self._console = Console(stderr=True, highlight=False)
        self._begun = time.monotonic()

    @classmethod
    def load(
        cls, conf: Path, env: str, lake: str | None, *, as_of: date, run_id: str | None = None
    ) -> Installation:
        """Read the declarations. Raises DeclarationError."""
        catalogue = load_catalogue(conf, environment=env, lake=lake)
        return cls(catalogue, as_of=as_of, run_id=run_id, options=leading_to(conf, env, lake))

    @classmethod
    def load_newest(
        cls,
        conf: Path,
        env: str,
        lake: str | None,
        *,
        as_of: datetime | None,
        run_id: str | None = None,
    ) -> Installation:
        """Of the given day, else of the newest in the lake. Raises DeclarationError; TableMissing
        where there is none.
        """
        if as_of is not None:
            return cls.load(conf, env, lake, as_of=as_of.date(), run_id=run_id)
        from goldenlake.steps.reading import newest_day

        found = cls.load(conf, env, lake, as_of=SystemClock().now().date())
        with found.hinting():
            return found.for_day(newest_day(found.tables), run_id=run_id)

    def for_day(self, as_of: date, *, run_id: str | None = None) -> Installation:
        """The same installation and Spark session, for another day's run."""
        self.write_runs()
        other = Installation(self.catalogue, as_of=as_of, run_id=run_id, options=self.options)
        other._begun, other.speaks_json = self._begun, self.speaks_json
        if "tables" in self.__dict__:
            other.__dict__["tables"] = self.tables
        return other

    def progress(self, message: str) -> None:
        """``ports.Progress``: one line for a person, with the time since the start."""
        self.say(escape(message))

    def say(self, markup: str) -> None:
        """Like ``progress``, of a text with Rich's markup."""
        passed = int(time.monotonic() - self._begun)
        since = f"[dim]{passed // 60:02d}:{passed % 60:02d}[/dim]"
        self._console.print(f"{since} {markup}", soft_wrap=True)

    @cached_property
    def tables(self) -> DeltaTables:
        """The lake's tables; opens the Spark session."""
        from goldenlake.io.spark import SMALL_DATA_CONF, open_session
        from goldenlake.io.tables import DeltaTables

        spark = self.catalogue.environment.spark
        lake = self.catalogue.environment.lake
        cache = Path(os.environ.get("GOLDENLAKE_CACHE", PROJECT / ".cache"))
        try:
            session = open_session(
                app_name=f"goldenlake {self.run_id}",
                master=spark.master,
                jars=Path(os.environ.get("GOLDENLAKE_JARS", PROJECT / ".jars")),
                tmp=cache / "tmp",
                cache=cache / "spark",
                conf={
                    "spark.sql.shuffle.partitions": str(spark.shuffle_partitions),
                    **(SMALL_DATA_CONF if spark.small_data else {}),
                    **spark.conf,
                },
                driver_memory=spark.memory,
                fast_start=spark.fast_start,
                s3=lake.startswith("s3"),
            )
        except (FileNotFoundError, RuntimeError) as error:
            raise SetupError(str(error), mend="Run `goldenlake doctor`.") from error
        return DeltaTables(session, lake)

    def claimed(self, work: str) -> AbstractContextManager[None]:
        """Work of which a lake has one at a time. Raises LakeBusy on entering."""
        from goldenlake.io.locks import Claims
        from goldenlake.io.tables import local_folder

        folder = local_folder(self.catalogue.environment.lake)
        return Claims(folder / "_locks" if folder else None).held(work, run_id=self.run_id)

    @cached_property
    def landing(self) -> Landing:
        """The landing area."""
        from goldenlake.io.landing import open_landing

        environment = self.catalogue.environment
        return open_landing(environment.landing or f"{environment.lake}/landing")

    @cached_property
    def model(self) -> TrainedModel | None:
        """The model that joins records, if one was trained. Raises ModelUnfit."""
        from goldenlake.identity.trained import TrainedModel

        matching, path = self.catalogue.matching, self.model_path
        if matching is None or not path.is_file():
            return None
        return TrainedModel(path.read_text(encoding="utf-8")).checked(matching)

    @property
    def model_path(self) -> Path:
        """Where ``goldenlake identity train`` writes the model."""
        return self.catalogue.conf / "identity" / "model.json"

    def place(self, name: str) -> FilePlace:
        """A place that conf/env declares. Raises PlaceUnreachable where it does not answer."""
        from goldenlake.io.places import open_place

        return open_place(name, self.catalogue.environment.places[name], self.catalogue.root)

    def api(self, name: str) -> Api:
        """The account of a connection that conf/env declares; one for all that ask for it."""
        from goldenlake.destinations import PUBLISHED
        from goldenlake.io.api import open_api

        with self._noting:
            if name not in self._apis:
                connection = self.catalogue.environment.connections[name]
                self._apis[name] = open_api(name, connection, PUBLISHED[connection.system])
            return self._apis[name]

    @property
    def reports(self) -> Path:
        """Folder of the nightly pages and of the Data Docs."""
        return self.catalogue.root / self.catalogue.environment.reports

    @contextmanager
    def hinting(self) -> Iterator[None]:
        """Errors tell commands that lead to this installation."""
        try:
            yield
        except GoldenlakeError as error:
            error.options = self.options
            raise

    @contextmanager
    def timed(self, step: str, subject: str = "") -> Iterator[list[StepResult]]:
        """Collect a step's results, say each in one line, and keep them for ops.runs.

        A terminal is told in words, whatever else reads standard output in JSON. A step that
        raises leaves a row that says so.
        """
        self.say(f"[bold]{step}[/bold]")
        begun_at, begun = self.clock.now(), time.monotonic()
        found: list[StepResult] = []
        try:
            with self.hinting():
                yield found
        except Exception as error:
            log.debug("%s %s", step, subject, exc_info=error)
            found.append(failure(step, subject, error))
            raise
        finally:
            seconds = time.monotonic() - begun
            for result in found:
                own = float(str(result.details.get("seconds", seconds)))
                with self._noting:
                    self.results.append(result)
                    self._started.append((begun_at, own))
                if self.speaks_json:
                    print(_summary(self, result, own), flush=True)  # noqa: T201
                else:
                    self.say(_words(result, own))
                if result.error:
                    self._console.print(
                        f"      [red]{result.step} {result.subject}[/red]: {escape(result.error)}",
                        soft_wrap=True,
                    )

    @contextmanager
    def kept_runs(self) -> Iterator[None]:
        """What is done meanwhile stands in ``ops.runs`` afterwards, however it ends."""
        try:
            yield
        except BaseException:
            with suppress(Exception):  # what went wrong first is what must be told
                self.write_runs()
            raise
        self.write_runs()

    def write_runs(self) -> None:
        """Append what has been collected to ``ops.runs``, in one commit."""
        if not self.results:
            return
        from goldenlake.schemas import RUNS

        rows = [
            (
                self.run_id, self.as_of, result.step, result.subject, result.status, started,
                seconds, dict(result.counts), json.dumps(dict(result.details), default=str),
                result.error,
            )
            for result, (started, seconds) in zip(self.results, self._started, strict=True)
        ]  # fmt: skip
        self.tables.append("ops.runs", self.tables.frame(rows, RUNS.ddl))
        self.results, self._started = [], []

    def chosen_sources(self, names: Sequence[str] | None) -> list[str]:
        """The named sources, each once, or all. Raises SetupError for one that is not declared."""
        return _chosen("source", names, list(self.catalogue.sources))

    def chosen_destinations(self, names: Sequence[str] | None) -> list[str]:
        """The named destinations, each once, or all. Raises SetupError for an unknown one."""
        return _chosen("destination", names, list(self.catalogue.destinations))


def _chosen(what: str, names: Sequence[str] | None, known: list[str]) -> list[str]:
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        raise SetupError(
            f"{what} {', '.join(unknown)} is not declared.", mend=f"Known: {', '.join(known)}."
        )
    return list(dict.fromkeys(names or known))


def failure(step: str, subject: str, error: Exception) -> StepResult:
    """The result of a step that raised; a transient error keeps its code, so that it is retried."""
    code = error.exit_code if isinstance(error, GoldenlakeError) else ExitCode.FAILED
    details = dict(error.details) if isinstance(error, GoldenlakeError) else {}
    if code in (ExitCode.HELD, ExitCode.TRANSIENT):
        details["exit_code"] = int(code)
    return StepResult(
        step=step,
        subject=subject,
        status="held" if code == ExitCode.HELD else "failed",
        details=details,
        error=described(error),
    )


def _summary(installation: Installation, result: StepResult, seconds: float) -> str:
    return json.dumps(
        {
            "run": installation.run_id,
            "as_of": installation.as_of.isoformat(),
            "step": result.step,
            "subject": result.subject,
            "status": result.status,
            "seconds": round(seconds, 1),
            **dict(result.counts),
        }
    )


def _words(result: StepResult, seconds: float) -> str:
    counts = (f"{of:,} {name.replace('_', ' ')}" for name, of in result.counts.items() if of)
    what = f"{result.step} {result.subject}".rstrip()
    told = ": ".join(filter(None, [f"{what} {result.status}", ", ".join(counts)]))
    return f"  [dim]{escape(told)} ({seconds:.1f} s)[/dim]"
