"""Real people in twenty shuffled nights are the people of one night, and of no Spark at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.matching import Matching
from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.resolution import resolve as resolve_in_memory
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.training import train
from goldenlake.identity.records import LEAST_COMPARED
from goldenlake.identity.trained import TrainedModel
from goldenlake.io.tables import DeltaTables
from support.bronze import source_of
from support.resolving import customer_of, publish, resolve, silver
from support.scenario import real_data

NIGHTS = 20
FIRST = date(2026, 3, 1)
ROLES = {
    "full_name": "full_name", "dob": "birth_date", "birth_place": "place",
    "postcode_fake": "postcode", "occupation": "category", "gender": "gender",
}  # fmt: skip
MATCHING = Matching.model_validate({"columns": ROLES})
FIGURES = source_of(
    source="figures",
    load="increment",
    key=["contact"],
    columns=[{"name": name} for name in ("contact", *ROLES)],
    attributes={name: name for name in ROLES},
)
RULES = IdentityRules.model_validate(
    {"identifiers": {"account": {"description": "Nobody has one.", "strength": "unique"}}}
)


def partition(of: Mapping[str, str]) -> set[frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for record, customer in of.items():
        found[customer].add(record)
    return {frozenset(records) for records in found.values()}


def after(
    tables: DeltaTables, nights: Sequence[Sequence[Mapping[str, Any]]], model: TrainedModel
) -> dict[str, str]:
    for at, rows in enumerate(nights):
        day = FIRST + timedelta(days=at)
        silver(tables, FIGURES, rows, day)
        sources = {"figures": FIGURES}
        resolve(tables, day, RULES, sources, matching=MATCHING, trained=model, decisions=())
        publish(tables, day)
    return customer_of(tables)


def comparable(people: pa.Table) -> pa.Table:
    """Nothing of those of whom less is known than a comparison takes; a lake compares nobody else,
    whereas the engine alone would.
    """
    known = np.sum([pc.is_valid(column).to_numpy() for column in people.columns], axis=0)
    enough = pa.array(known >= LEAST_COMPARED)
    columns = [pc.if_else(enough, column, None) for column in people.columns]
    return pa.table(columns, names=people.column_names)


@pytest.mark.fault("late and reordered files")
@pytest.mark.slow
def test_twenty_shuffled_nights_of_historical_figures_are_one_night(
    spark: SparkSession, tmp_path: Path
) -> None:
    folder = real_data("historical_50k")
    table = pq.read_table(folder / "historical_figures_with_errors_50k.parquet").select([*ROLES])
    model = TrainedModel(train(table, MATCHING).model.to_json())
    rows = [{"contact": f"{at:05}", **row} for at, row in enumerate(table.to_pylist())]
    shuffled = Random(11).sample(rows, k=len(rows))
    daily = after(
        DeltaTables(spark, str(tmp_path / "daily")),
        [shuffled[at::NIGHTS] for at in range(NIGHTS)],
        model,
    )
    once = after(DeltaTables(spark, str(tmp_path / "once")), [rows], model)
    assert len(daily) == len(rows)
    assert partition(daily) == partition(once)
    scorer = Scorer.of(Model.from_json(model.text), comparable(table))
    labels = resolve_in_memory(scorer).clusters.cluster.tolist()
    in_memory = {f"figures:{at:05}": str(label) for at, label in enumerate(labels)}
    assert partition(once) == partition(in_memory)
