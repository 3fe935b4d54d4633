"""Who takes part, and one contender's run: training, resolving, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.identity.judging import blocking_recall, judged
from benchmarks.identity.ours import ON_SPARK, RESOLVERS, SAME_RULES
from benchmarks.processes import Finished, Worker, run_worker
from goldenlake.cli.installation import PROJECT
from goldenlake.errors import GoldenlakeError
from goldenlake.identity.matching.evaluation import Evaluation
from goldenlake.io.java import java_home

SPLINK_PYTHON = PROJECT / ".venv-splink" / "bin" / "python"


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way from records to clusters; contenders of one trainer share a model."""

    trainer: str
    work: str
    arguments: tuple[str, ...] = ()
    needs_rules: bool = False
    """Runs only where the problem has blocking rules that are shared."""
    aim: float | None = None
    """Of its seconds, against those of the first."""


YARDSTICK = "splink_duckdb"
RIVAL = "splink_spark"
CONTENDERS = {
    YARDSTICK: Contender(trainer="splink", work="duckdb"),
    RIVAL: Contender(trainer="splink", work="spark", needs_rules=True),
    SAME_RULES: Contender(
        trainer="ours", work="resolve", arguments=(SAME_RULES,), needs_rules=True
    ),
    ON_SPARK: Contender(
        trainer="ours", work="resolve", arguments=(ON_SPARK,), needs_rules=True, aim=2.0
    ),
    **{name: Contender(trainer="ours", work="resolve", arguments=(name,)) for name in RESOLVERS},
}
"""In the order in which they run. Ours are held against the first."""

AIMS_BESIDE_RIVAL = {50_000: 1 / 3, 1_000_000: 1 / 5}
"""Of the seconds of ours on Spark against those of Splink on Spark, by records."""

UNITS = {"pairs": "pairs", "seconds": "s", "cpu": "s", "memory": "MiB"}


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one contender made of one problem."""

    contender: str
    resolved: Finished
    verdicts: dict[str, Evaluation]
    """By threshold; ours has none, and one verdict."""
    blocking_recall: float | None

    @property
    def measured(self) -> dict[str, float]:
        """What it took from the file of records to clusters, by the names of ``UNITS``.

        The start of Python or Spark is in the memory alone.
        """
        answer = self.resolved.answer
        return {
            "pairs": answer["pairs"],
            "seconds": sum(answer["seconds"].values()),
            "cpu": answer["cpu"],
            "memory": self.resolved.peak.total,
        }


def worker_of(trainer: str) -> Worker:
    """The process that a trainer's contenders run in.

    Raises:
        GoldenlakeError: Splink's environment is not there.
    """
    if trainer == "ours":
        return Worker(module="benchmarks.identity.ours")
    if not SPLINK_PYTHON.exists():
        raise GoldenlakeError(
            f"{SPLINK_PYTHON.relative_to(PROJECT)} is not there: Splink has an environment of its "
            "own. Install it with: make setup-splink"
        )
    return Worker(
        module="benchmarks.identity.splink_runs",
        python=SPLINK_PYTHON,
        environment={"JAVA_HOME": str(java_home())},
    )


def train(home: Path, trainer: str, problem: Path, records: int) -> Finished:
    """Train on a problem, for as many records as are to be resolved: ``home/model.json``."""
    home.mkdir(parents=True)
    return run_worker(home, "train", problem, records, worker=worker_of(trainer))


def resolve(home: Path, name: str, problem: Path, model: Path) -> Result:
    """Run one contender and judge its clusters."""
    contender = CONTENDERS[name]
    home.mkdir(parents=True)
    finished = run_worker(
        home,
        contender.work,
        problem,
        model,
        *contender.arguments,
        worker=worker_of(contender.trainer),
    )
    answer, truth = finished.answer, problem / "truth.parquet"
    return Result(
        contender=name,
        resolved=finished,
        verdicts={
            threshold: judged(home / clusters, truth)
            for threshold, clusters in answer["clusters"].items()
        },
        blocking_recall=blocking_recall(home / answer["blocked"], truth)
        if answer["blocked"]
        else None,
    )


def figures_of_training(prefix: str, trained: Finished) -> Iterator[Figure]:
    """Seconds of a training, its memory, and what the trainer doubted."""
    answer = trained.answer
    yield Figure(
        figure=f"{prefix}.train",
        value=sum(answer["seconds"].values()),
        unit="s",
        details={
            "cpu": round(answer["cpu"], 1),
            "memory": round(trained.peak.total),
            "findings": answer["findings"],
        },
    )


def figures(prefix: str, result: Result, against: Result | None) -> Iterator[Figure]:
    """All that is told of one contender, beside ``against`` at its first threshold."""
    other = next(iter(against.verdicts.values())) if against else None
    for threshold, found in result.verdicts.items():
        name = f"{prefix}.{result.contender}" + (f".at_{threshold}" if threshold else "")
        yield Figure(
            figure=f"{name}.f1",
            value=found.f1,
            unit="share",
            against=other.f1 if other else None,
            details={
                **_shares(precision=found.precision, recall=found.recall),
                "largest_cluster": found.largest,
                "clusters": sum(found.sizes.values()),
            },
        )
        yield Figure(
            figure=f"{name}.b3_f1",
            value=found.b3_f1,
            unit="share",
            against=other.b3_f1 if other else None,
            details=_shares(precision=found.b3_precision, recall=found.b3_recall),
        )
    answer, peak = result.resolved.answer, result.resolved.peak
    recall = result.blocking_recall
    details = {
        "pairs": {} if recall is None else _shares(blocking_recall=recall),
        "seconds": {
            name: {phase: round(seconds, 2) for phase, seconds in answer[name].items()}
            for name in ("seconds", "apart")
        },
        "cpu": {},
        "memory": {"java": round(peak.java), "python": round(peak.python)},
    }
    others = against.measured if against else {}
    aims = {"seconds": CONTENDERS[result.contender].aim} if against else {}
    for measure, value in result.measured.items():
        yield Figure(
            figure=f"{prefix}.{result.contender}.{measure}",
            value=value,
            unit=UNITS[measure],
            against=others.get(measure),
            aim=aims.get(measure),
            details=details[measure],
        )


def figure_beside_rival(prefix: str, records: int, ours: Result, rival: Result) -> Figure:
    """Seconds of ours on Spark beside those of Splink there."""
    return Figure(
        figure=f"{prefix}.{ours.contender}.beside_{rival.contender}",
        value=ours.measured["seconds"],
        unit="s",
        against=rival.measured["seconds"],
        aim=AIMS_BESIDE_RIVAL.get(records),
    )


def _shares(**shares: float) -> dict[str, float]:
    return {name: round(share, 5) for name, share in shares.items()}
