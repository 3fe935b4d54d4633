"""``python -m benchmarks.identity.ours HOME WORK …``: our side, in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.answers import Phases, answer
from goldenlake.declarations.matching import Matching
from goldenlake.identity.matching.arrays import MISSING, Codes
from goldenlake.identity.matching.blocking import Candidates, blocks_of, candidates
from goldenlake.identity.matching.clustering import Decisions
from goldenlake.identity.matching.keys import Rule
from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.resolution import blocked, refined
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.texts import Texts, distinct
from goldenlake.identity.matching.training import train as trained


@dataclass(frozen=True)
class Resolved:
    """What one way of ours makes of a file of records."""

    clusters: pa.Table
    """(record_id, cluster), each record once."""
    pairs: int
    """How many blocking gave."""
    blocked: pa.Table | None = None
    """Those pairs as (left, right) record ids, where they are at hand."""


Rules = Sequence[Sequence[str]]
"""Blocking rules: columns in which two records agree."""
Resolver = Callable[[Path, Path], Resolved]
"""From the Parquet file of the records and the JSON file of a model to clusters."""


def in_memory(records: Path, model_json: Path, rules: Rules | None = None) -> Resolved:
    """The engine without Spark; with ``rules``, of these instead of its own keys."""
    table = pq.read_table(records)
    scorer = Scorer.of(Model.from_json(model_json.read_text()), table, threads=2)
    decisions = Decisions(exclusive=exclusive(table))
    pairs = blocked(scorer, decisions) if rules is None else exact_pairs(table, rules)
    probabilities = scorer.score(pairs.left, pairs.right).probabilities
    clustering = scorer.model.matching.clustering
    found = refined(scorer, pairs.left, pairs.right, probabilities, clustering, decisions)
    return Resolved(
        pa.table({"record_id": table["record_id"], "cluster": found.clusters.cluster}),
        len(pairs.left),
        pa.table({"left": pairs.left, "right": pairs.right}),
    )


RESOLVERS: Mapping[str, Resolver] = {"ours": in_memory}
"""The ways of ours by name that run in this process alone."""
ON_SPARK = "ours_spark"
"""On Spark, on the problem's shared rules."""
SAME_RULES = "ours_same_rules"
"""The engine without Spark on the problem's shared rules, so that pairs are those of the others."""


def exclusive(table: pa.Table) -> Codes | None:
    """The numbers of the records' sources, where each has every person once."""
    if "source" not in table.column_names:
        return None
    return np.asarray(table["source"].to_numpy(), dtype=np.int32)


def exact_pairs(table: pa.Table, rules: Rules) -> Candidates:
    """The pairs that the rules give, those of one source left out where each has a person once."""
    exact = [exact_rule(table, rule) for rule in rules]
    return candidates(blocks_of(table.num_rows, exact, table.num_rows), exclusive(table))


def exact_rule(table: pa.Table, columns: Sequence[str]) -> Rule:
    """A blocking rule: the columns agree, and none is missing."""
    joined = np.zeros(table.num_rows, dtype=np.uint64)
    missing = np.zeros(table.num_rows, dtype=np.bool_)
    for column in columns:
        texts, codes = distinct(table[column])
        hashes = np.append(Texts(tuple(texts.to_pylist())).hashes, np.uint64(0))[codes]
        joined = joined * np.uint64(0x9E3779B97F4A7C15) + hashes
        missing |= codes == MISSING
    return " × ".join(columns), np.where(missing, np.uint64(0), joined | np.uint64(1))


def train(home: Path, problem: str, records: str) -> dict[str, Any]:
    """Train on the records of a problem, for data of ``records`` records: ``HOME/model.json``."""
    folder, phases = Path(problem), Phases()
    noted = json.loads((folder / "problem.json").read_text())
    table = pq.read_table(folder / "records.parquet")
    matching = Matching.model_validate(noted["matching"])
    with phases.counted("train"):
        model = trained(table, matching, exclusive=exclusive(table)).model
    (home / "model.json").write_text(for_more(model, int(records)).to_json())
    findings = [f"{each.name}: {each.subject}" for each in model.provenance.findings]
    return phases.answer() | {"findings": findings}


def for_more(model: Model, records: int) -> Model:
    """A model for more records than it was trained on.

    Of n times the records a pair is a match n times as seldom: a record has as many matches.
    """
    share = min(1.0, model.provenance.records / records)
    return model.model_copy(
        update={"prior": model.prior * share, "household_prior": model.household_prior * share}
    )


def run(home: Path, problem: str, model: str, resolver: str) -> dict[str, Any]:
    """Resolve the records of a problem; clusters go to ``HOME/clusters.parquet``."""
    folder, phases = Path(problem), Phases()
    noted = json.loads((folder / "problem.json").read_text())
    if resolver == ON_SPARK:
        return run_on_spark(home, folder, Path(model), noted["rules"])
    ways = {**RESOLVERS, SAME_RULES: partial(in_memory, rules=noted["rules"])}
    with phases.counted("resolve"):
        found = ways[resolver](folder / "records.parquet", Path(model))
    pq.write_table(found.clusters, home / "clusters.parquet")
    if found.blocked is not None:
        pq.write_table(found.blocked, home / "pairs.parquet")
    return phases.answer() | {
        "pairs": found.pairs,
        "clusters": {"": "clusters.parquet"},
        "blocked": "pairs.parquet" if found.blocked is not None else None,
    }


def run_on_spark(home: Path, problem: Path, model: Path, rules: Rules) -> dict[str, Any]:
    """As ``run``; what Spark needs to start, and to count the pairs, is told apart."""
    from benchmarks.identity import spark_run

    phases, records = Phases(), problem / "records.parquet"
    with phases.beside("start"):
        spark = spark_run.session(home)
    with phases.counted("resolve"):
        clusters = spark_run.clusters_of(spark, records, model.read_text(), rules)
    spark.stop()
    pq.write_table(clusters, home / "clusters.parquet")
    with phases.beside("count"):
        pairs = exact_pairs(pq.read_table(records), rules)
    pq.write_table(pa.table({"left": pairs.left, "right": pairs.right}), home / "pairs.parquet")
    return phases.answer() | {
        "pairs": len(pairs.left),
        "clusters": {"": "clusters.parquet"},
        "blocked": "pairs.parquet",
    }


def run_nights(home: Path, problem: str, model: str) -> dict[str, Any]:
    """Two nights on Spark; see ``nights.played``."""
    from benchmarks.identity.nights import played

    return played(home, problem, model)


if __name__ == "__main__":
    answer({"train": train, "resolve": run, "nights": run_nights})
