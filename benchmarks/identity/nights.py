"""Two nights of ``resolve`` on a lake of made-up people: all of them, then a hundredth more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from benchmarks.answers import Phases
from benchmarks.figures import Figure
from benchmarks.identity import spark_run
from benchmarks.identity.contenders import train, worker_of
from benchmarks.identity.problems import generated_to_train
from benchmarks.parts import say
from benchmarks.processes import run_worker
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.identity.trained import TrainedModel
from goldenlake.io.tables import DeltaTables
from goldenlake.steps import generations
from goldenlake.steps.resolve import Resolve

DAY = date(2026, 3, 1)
SHARE = 100
"""One record in so many comes in the second night."""


def measured(home: Path, records: int, seed: int) -> Iterator[Figure]:
    """Seconds of both nights beyond the start of Spark, and their memory."""
    home.mkdir(parents=True)
    say(f"{home.name}: generating, training")
    generated_to_train(home, records, seed)
    train(home / "model", "ours", home / "training", records)
    say(f"{home.name}: two nights")
    model = home / "model" / "model.json"
    finished = run_worker(home, "nights", home / "problem", model, worker=worker_of("ours"))
    answer, peak = finished.answer, finished.peak
    seconds = answer["seconds"]
    yield Figure(
        figure=f"{home.name}.all", value=seconds["all"], unit="s", details=answer["counts"]["all"]
    )
    yield Figure(
        figure=f"{home.name}.more",
        value=seconds["more"],
        unit="s",
        against=seconds["all"],
        aim=0.05,
        details=answer["counts"]["more"],
    )
    yield Figure(
        figure=f"{home.name}.memory",
        value=peak.total,
        unit="MiB",
        details={"java": round(peak.java), "python": round(peak.python)},
    )


def played(home: Path, problem: str, model: str) -> dict[str, Any]:
    """Resolve all but a hundredth of the records, then the rest: seconds of each, and counts."""
    phases, spark = Phases(), spark_run.session(home)
    tables, trained = DeltaTables(spark, str(home / "lake")), TrainedModel(Path(model).read_text())
    columns = list(trained.matching.columns)
    read = spark.read.parquet(str(Path(problem) / "records.parquet"))
    is_late = F.pmod(F.hash("record_id"), F.lit(SHARE)) == 0
    nights = {"all": read.where(~is_late), "more": read.where(is_late)}
    counts: dict[str, dict[str, int]] = {}
    for at, (name, rows) in enumerate(nights.items()):
        day = DAY + timedelta(days=at)
        tables.append("silver.people", _silver(rows, columns, day))
        step = Resolve(
            sources={"people": _source(columns)},
            rules=_rules(),
            as_of=day,
            run_id=name,
            matching=trained.matching,
            trained=trained,
        )
        with phases.counted(name):
            counts[name] = dict(step.run(tables, lambda _: None).counts)
        _publish(tables, day)
    spark.stop()
    return phases.answer() | {"counts": counts}


def _source(columns: list[str]) -> Source:
    return Source.model_validate(
        {
            "source": "people",
            "description": "Made-up people",
            "system": "made_up",
            "owner": "benchmarks",
            "origin": {"place": "drops", "files": "*.csv"},
            "format": {"kind": "csv"},
            "load": "increment",
            "key": ["number"],
            "columns": [{"name": name} for name in ("number", *columns)],
            "identifiers": {"email": "email"},
            "attributes": {name: name for name in columns},
        }
    )


def _rules() -> IdentityRules:
    return IdentityRules.model_validate(
        {"identifiers": {"email": {"description": "E-mail address.", "strength": "weak"}}}
    )


def _silver(rows: DataFrame, columns: list[str], day: date) -> DataFrame:
    number = F.col("record_id").cast("string")
    system: dict[str, Column] = {
        "_file_on": F.lit(day),
        "_landed_on": F.lit(day),
        "_file_id": F.lit(day.isoformat()),
        "_is_deleted": F.lit(False),
    }
    return rows.select(
        number.alias("number"),
        F.concat(F.lit("people:"), number).alias("record_id"),
        *columns,
        *[value.alias(name) for name, value in system.items()],
    )


def _publish(tables: DeltaTables, day: date) -> None:
    staged = generations.staged(tables, "resolve")
    assert staged is not None
    at = datetime(day.year, day.month, day.day, 3, tzinfo=UTC)
    generations.publish(tables, [staged], run_id=staged.run_id, as_of=day, published_at=at)
