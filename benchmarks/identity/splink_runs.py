"""``python -m benchmarks.identity.splink_runs HOME WORK …``: Splink, under its own environment.

Training is done on DuckDB; what was learnt is read by both back ends, so that they score alike.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import splink
from splink import DuckDBAPI, Linker, SettingsCreator

from benchmarks.answers import Phases, answer
from benchmarks.identity.splink_settings import PUBLISHED, Demonstration, people

THRESHOLDS = (0.95, 0.9)
"""At which connected components are made; the seconds are those of the first."""
_WHOLE = {"left_chunk": (1, 1), "right_chunk": (1, 1)}
_SPARK = {
    "spark.driver.memory": "8g",
    "spark.default.parallelism": "8",
    "spark.sql.shuffle.partitions": "8",
    "spark.ui.enabled": "false",
}


def train(home: Path, problem: str, records: str) -> dict[str, Any]:
    """Train on the records of a problem, for data of ``records`` records: ``HOME/model.json``."""
    folder, phases = Path(problem), Phases()
    shown = _demonstration(folder)
    database = DuckDBAPI()
    tables = _registered_in_duckdb(database, folder, shown)
    with phases.counted("train"):
        linker = Linker(tables, _settings(shown, tables, shown.comparisons()))
        training = linker.training
        training.estimate_probability_two_random_records_match(shown.certain, recall=shown.recall)
        training.estimate_u_using_random_sampling(max_pairs=shown.random_pairs, seed=shown.seed)
        for rule in shown.em_rules:
            training.estimate_parameters_using_expectation_maximisation(
                rule, estimate_without_term_frequencies=shown.fixed_frequencies
            )
    learnt = linker.misc.save_model_to_json()
    share = min(1.0, _records(folder) / int(records))
    model = {
        "prior": learnt["probability_two_random_records_match"] * share,
        "comparisons": [_parameters(each) for each in learnt["comparisons"]],
    }
    (home / "model.json").write_text(json.dumps(model))
    return phases.answer() | {"findings": []}


def on_duckdb(home: Path, problem: str, model: str) -> dict[str, Any]:
    """Link the records of a problem on DuckDB; clusters go to ``HOME``, by threshold."""
    folder, phases = Path(problem), Phases()
    shown = _demonstration(folder)
    database = DuckDBAPI()
    with phases.counted("read"):
        tables = _registered_in_duckdb(database, folder, shown)
    linker, found = _linked(shown, tables, Path(model), phases)
    for threshold, clusters in found.items():
        clusters.as_duckdbpyrelation().project("record_id, cluster_id AS cluster").write_parquet(
            str(home / f"clusters_{threshold}.parquet")
        )
    blocked = _blocked(linker).as_duckdbpyrelation()
    ends = ", ".join(
        f"split_part(join_key_{side}::VARCHAR, '-__-', -1)::BIGINT AS {name}"
        for side, name in (("l", "left"), ("r", "right"))
    )
    blocked.project(ends).write_parquet(str(home / "pairs.parquet"))
    return _answer(phases, len(blocked), "pairs.parquet")


def on_spark(home: Path, problem: str, model: str) -> dict[str, Any]:
    """The same on Spark, on two cores of this machine."""
    from pyspark.sql import SparkSession
    from splink.backends.spark import SparkAPI, similarity_jar_location

    folder, phases = Path(problem), Phases()
    shown = _demonstration(folder)
    with phases.beside("start"):
        builder = SparkSession.builder.master("local[2]")
        for key, value in _SPARK.items():
            builder = builder.config(key, value)
        builder = builder.config("spark.jars", similarity_jar_location())
        builder = builder.config("spark.local.dir", str(home / "local"))
        spark = builder.config("spark.sql.warehouse.dir", str(home / "warehouse")).getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
        spark.sparkContext.setCheckpointDir(str(home / "checkpoints"))
    with phases.counted("read"):
        records = spark.read.parquet(str(folder / "records.parquet")).selectExpr(*shown.columns)
        tables = [SparkAPI(spark_session=spark).register(records.repartition(8))]
    linker, found = _linked(shown, tables, Path(model), phases)
    for threshold, clusters in found.items():
        rows = clusters.as_spark_dataframe().selectExpr("record_id", "cluster_id AS cluster")
        rows.write.parquet(str(home / f"clusters_{threshold}.parquet"))
    pairs = _blocked(linker).as_spark_dataframe().count()
    spark.stop()
    return _answer(phases, pairs, None)


def _linked(
    shown: Demonstration, tables: list[Any], model: Path, phases: Phases
) -> tuple[Linker, dict[float, Any]]:
    """Score, then cluster at each threshold."""
    learnt = json.loads(model.read_text())
    comparisons = [
        comparison.configure(**parameters)
        for comparison, parameters in zip(shown.comparisons(), learnt["comparisons"], strict=True)
    ]
    settings = _settings(shown, tables, comparisons, learnt["prior"])
    with phases.counted("block"):
        linker = Linker(tables, settings)
        _blocked(linker)
    with phases.counted("predict"):
        scored = linker.inference.predict_chunk(
            **_WHOLE, threshold_match_probability=min(THRESHOLDS)
        )
    found = {}
    for threshold in THRESHOLDS:
        timed = phases.counted if threshold == THRESHOLDS[0] else phases.beside
        with timed(f"cluster_{threshold}"):
            found[threshold] = linker.clustering.cluster_pairwise_predictions_at_threshold(
                scored, threshold_match_probability=threshold
            )
    return linker, found


def _blocked(linker: Linker) -> Any:
    """The pairs that are scored; Splink makes them once."""
    return linker.inference.compute_blocked_pairs_for_predict_chunk(**_WHOLE)


def _settings(
    shown: Demonstration, tables: list[Any], comparisons: list[Any], prior: float | None = None
) -> SettingsCreator:
    given = {} if prior is None else {"probability_two_random_records_match": prior}
    return SettingsCreator(
        link_type="dedupe_only" if len(tables) == 1 else "link_only",
        unique_id_column_name="record_id",
        blocking_rules_to_generate_predictions=shown.rules,
        comparisons=comparisons,
        retain_matching_columns=False,
        **given,
    )


def _parameters(comparison: dict[str, Any]) -> dict[str, list[float | None]]:
    """What was learnt of a comparison's levels, but for that of missing values."""
    levels = [each for each in comparison["comparison_levels"] if not each.get("is_null_level")]
    return {
        f"{one}_probabilities": [each.get(f"{one}_probability") for each in levels]
        for one in ("m", "u")
    }


def _registered_in_duckdb(database: Any, folder: Path, shown: Demonstration) -> list[Any]:
    """The records as Splink's table, or as one a source."""
    records = f"SELECT {', '.join(shown.columns)} FROM '{folder / 'records.parquet'}'"
    read = database.duckdb_con.sql
    if "source" not in read(records).columns:
        return [database.register(read(records).to_arrow_table())]
    sources = [
        row[0] for row in read(f"SELECT DISTINCT source FROM ({records}) ORDER BY 1").fetchall()
    ]
    return [
        database.register(
            read(
                f"SELECT * EXCLUDE source FROM ({records}) WHERE source = {source}"
            ).to_arrow_table(),
            dataset_display_name=f"source_{source}",
        )
        for source in sources
    ]


def _demonstration(folder: Path) -> Demonstration:
    noted = json.loads((folder / "problem.json").read_text())
    return people(noted["rules"]) if noted["rules"] else PUBLISHED[noted["name"]]


def _records(folder: Path) -> int:
    return duckdb.sql(f"SELECT count(*) FROM '{folder / 'records.parquet'}'").fetchall()[0][0]


def _answer(phases: Phases, pairs: int, blocked: str | None) -> dict[str, Any]:
    return phases.answer() | {
        "pairs": pairs,
        "clusters": {f"{each}": f"clusters_{each}.parquet" for each in THRESHOLDS},
        "blocked": blocked,
        "version": splink.__version__,
    }


if __name__ == "__main__":
    answer({"train": train, "duckdb": on_duckdb, "spark": on_spark})
