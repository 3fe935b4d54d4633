"""The parts that can be chosen by name, each giving its figures."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property, partial
from pathlib import Path
from statistics import median

from benchmarks.exports import VENDORS, Exports, Vendor
from benchmarks.figures import Figure
from benchmarks.homes import ACCESS_LINES, World, access_logs, make_home
from benchmarks.processes import Finished, run_worker
from benchmarks.protections import declare
from goldenlake.errors import GoldenlakeError

_WARM_UP = 0.01
_FEWEST_MEMBERS = 500
_SHARE_OF_PROTECTED = 0.1


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One run of the benchmarks in one folder; a night that several parts need is played once."""

    home: Path
    scale: float
    rounds: int
    seed: int
    spark: Mapping[str, object]
    _failed: list[str] = field(default_factory=list, init=False)

    def spark_start(self) -> Iterator[Figure]:
        """Seconds until a session is open, in fresh processes; the first one is cold."""
        home = self._home("spark_start")
        seconds = []
        for number in range(self.rounds):
            say(f"spark_start {number + 1} of {self.rounds}")
            seconds.append(float(run_worker(home, "spark_start").answer["spark_start"]))
        rounds = [round(one, 2) for one in seconds]
        yield Figure(
            figure="spark_start", value=median(seconds), unit="s", details={"rounds": rounds}
        )

    def ingest(self) -> Iterator[Figure]:
        """Access logs to silver, against bare Spark."""
        home = self._home("ingest")
        lines = round(ACCESS_LINES * self.scale)
        say(f"ingest: a sample of {lines:,} lines")
        warm_up = access_logs(home, "warm_up", max(400, round(lines * _WARM_UP)), self.seed + 1)
        drops = access_logs(home, "logs", lines, self.seed)
        say(f"ingest: {self.rounds} rounds of both ways")
        answer = run_worker(home, "ingest", warm_up, drops, self.rounds).answer
        ours, bare = float(answer.pop("ours")), float(answer.pop("bare"))
        yield Figure(figure="ingest", value=ours, unit="s", against=bare, aim=1.5, details=answer)

    def night(self) -> Iterator[Figure]:
        """The first night, from the start of its process to its end, and each stage of it."""
        yield _total("night", self._first)
        yield from _stages("night", self._first)

    def memory(self) -> Iterator[Figure]:
        """The most memory that the JVM and all Pythons of the first night held at once."""
        peak = self._first.peak
        yield Figure(
            figure="memory",
            value=peak.total,
            unit="MiB",
            details={"java": round(peak.java), "python": round(peak.python)},
        )

    def identity_accuracy(self) -> Iterator[Figure]:
        """How right the customers of the newest night are, over the truth of the first day."""
        details: dict[str, object] = {"outcome": self._first.answer["outcome"]}
        say("identity_accuracy")
        answer = run_worker(self._nights.home, "accuracy", self._nights.truth).answer
        details |= {k: answer[k] for k in ("records", "persons", "customers", "largest_customer")}
        for name in ("precision", "recall", "f1", "b3_f1"):
            yield Figure(
                figure=f"identity_accuracy.{name}",
                value=float(answer[name]),
                unit="share",
                details=details,
            )

    def next_night(self) -> Iterator[Figure]:
        """The night after the first one, with a hundredth of its events."""
        yield _total("next_night", self._next, against=self._first.seconds, aim=0.2)
        yield from _stages("next_night", self._next)

    def idle(self) -> Iterator[Figure]:
        """The day after the last night that was played, without a new file; Spark's start apart."""
        idle = self._idle
        start = float(idle.answer["spark_start"])
        yield Figure(
            figure="idle",
            value=idle.seconds - start,
            unit="s",
            aim=20.0,
            details={"spark_start": round(start, 2), **_outcome(idle)},
        )
        yield from _stages("idle", idle)

    def protections(self) -> Iterator[Figure]:
        """A night with what protects it against one without, in turns, a tenth of the size."""
        seconds: dict[str, list[float]] = {"protected": [], "bare": []}
        for number in range(self.rounds):
            for name in sorted(seconds, reverse=bool(number % 2)):
                world = World(
                    home=self._home(f"{name}_{number}"),
                    scale=self.scale * _SHARE_OF_PROTECTED,
                    seed=self.seed,
                )
                declare(world.home, protected=name == "protected")
                say(f"protections: {name}, {number + 1} of {self.rounds}")
                if name == "protected":
                    run_worker(world.home, "forget")
                work = "night" if name == "protected" else "bare_night"
                seconds[name].append(run_worker(world.home, work, world.first_day()).seconds)
        yield Figure(
            figure="protections",
            value=median(seconds["protected"]),
            unit="s",
            against=median(seconds["bare"]),
            aim=1.15,
            details={name: [round(each, 1) for each in found] for name, found in seconds.items()},
        )

    def exports(self, vendor: Vendor) -> Iterator[Figure]:
        """Exports of many members to one vendor."""
        yield from Exports(
            home=self.home / "exports" / vendor.name,
            vendor=vendor,
            members=max(_FEWEST_MEMBERS, round(vendor.members * self.scale)),
            spark=self.spark,
            say=say,
        ).figures()

    @cached_property
    def _nights(self) -> World:
        return World(home=self._home("nights"), scale=self.scale, seed=self.seed)

    @cached_property
    def _first(self) -> Finished:
        say("night: a sample")
        return self._play("night", self._nights.first_day)

    @cached_property
    def _next(self) -> Finished:
        say(f"next_night: a sample, after a first night of {self._first.seconds:.0f} s")
        return self._play("next_night", self._nights.next_day)

    @cached_property
    def _idle(self) -> Finished:
        last = self._next if "_next" in self.__dict__ else self._first
        day = date.fromisoformat(last.answer["as_of"]) + timedelta(days=1)
        return self._play("idle", lambda: day)

    def _play(self, name: str, drop: Callable[[], date]) -> Finished:
        """Play the night of the day whose files are dropped; after one that failed, none is."""
        if self._failed:
            raise GoldenlakeError(f"{self._failed[0]} failed before.")
        try:
            as_of = drop()
            say(f"{name}: {as_of}")
            return run_worker(self._nights.home, "night", as_of)
        except GoldenlakeError:
            self._failed.append(name)
            raise

    def _home(self, name: str) -> Path:
        make_home(self.home / name, self.spark)
        return self.home / name


PARTS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "spark_start": Bench.spark_start,
    "ingest": Bench.ingest,
    "night": Bench.night,
    "memory": Bench.memory,
    "identity_accuracy": Bench.identity_accuracy,
    "next_night": Bench.next_night,
    "idle": Bench.idle,
    "protections": Bench.protections,
    **{f"exports.{each.name}": partial(Bench.exports, vendor=each) for each in VENDORS},
}
"""In the order in which they are measured, whatever the order of the arguments."""


def chosen(names: Sequence[str]) -> list[str]:
    """The parts that names mean; ``exports`` means all of its vendors."""
    return [part for part in PARTS if {part, part.partition(".")[0]} & set(names)]


_begun = time.monotonic()


def say(message: str) -> None:
    """A line of progress on stderr, with the minutes and seconds since the start."""
    passed = int(time.monotonic() - _begun)
    print(f"[{passed // 60:02d}:{passed % 60:02d}] {message}", file=sys.stderr, flush=True)


def _total(
    name: str, night: Finished, *, against: float | None = None, aim: float | None = None
) -> Figure:
    start = round(float(night.answer["spark_start"]), 2)
    return Figure(
        figure=name,
        value=night.seconds,
        unit="s",
        against=against,
        aim=aim,
        details={"spark_start": start, **_outcome(night)},
    )


def _stages(name: str, night: Finished) -> Iterator[Figure]:
    for stage, seconds in night.answer["stages"].items():
        yield Figure(figure=f"{name}.{stage}", value=float(seconds), unit="s")


def _outcome(night: Finished) -> dict[str, object]:
    return {"outcome": night.answer["outcome"], **night.answer["counts"]}
