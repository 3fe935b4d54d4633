"""Nights with a trained model and with stewards: any cut into nights gives the same people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from goldenlake.declarations.decisions import Decision
from goldenlake.declarations.matching import Matching
from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.resolution import resolve as resolve_in_memory
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.splink_models import SplinkModel
from goldenlake.identity.matching.training import train
from goldenlake.identity.trained import TrainedModel
from goldenlake.io.tables import DeltaTables
from goldenlake.steps.explain_pair import ExplainPair
from support.matching import matching, population
from support.resolving import CRM, RULES, customer_of, publish, resolve, silver
from support.splink import of_people

SOURCES = {"crm": CRM}
DAYS = [date(2026, 3, day) for day in range(1, 9)]
#: Narrow enough that some values come to be on too many records, and on few again.
CAP = 12


@pytest.fixture(scope="module")
def people() -> pa.Table:
    return population(45, seed=3, household=3)[0]


@pytest.fixture(scope="module")
def declared() -> Matching:
    return matching(blocking={"most_records": CAP})


@pytest.fixture(scope="module")
def model(declared: Matching) -> TrainedModel:
    return TrainedModel(train(population(150, household=2)[0], declared).model.to_json())


@pytest.fixture(scope="module")
def imported(people: pa.Table, declared: Matching) -> Model:
    return SplinkModel.from_json(of_people(), declared.columns).over(people, declared).model


def contacts(people: pa.Table) -> list[dict[str, Any]]:
    return [{"contact": f"{at:03}", **row} for at, row in enumerate(people.to_pylist())]


def nights(
    tables: DeltaTables,
    cut: Iterable[list[dict[str, Any]]],
    declared: Matching,
    model: TrainedModel,
    decisions: tuple[Decision, ...] = (),
) -> None:
    for day, rows in zip(DAYS, cut, strict=False):
        silver(tables, CRM, rows, day)
        resolve(tables, day, RULES, SOURCES, matching=declared, trained=model, decisions=decisions)
        publish(tables, day)


def partition(of: Mapping[str, str]) -> set[frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for record, customer in of.items():
        found[customer].add(record)
    return {frozenset(records) for records in found.values()}


def matches(tables: DeltaTables) -> set[tuple[Any, ...]]:
    rows = tables.read("identity.edges").where("identifier = 'match'")
    said = ("left_record", "right_record", "strength", "rule", "weight", "model")
    return {tuple(row) for row in rows.select(*said).collect()}


def expected(rows: list[dict[str, Any]], model: TrainedModel) -> set[frozenset[str]]:
    """All at once and without Spark."""
    ordered = sorted(rows, key=lambda row: str(row["contact"]))
    table = pa.Table.from_pylist(ordered)
    found = resolve_in_memory(Scorer.of(Model.from_json(model.text), table))
    who = {
        f"crm:{row['contact']}": str(label)
        for row, label in zip(ordered, found.clusters.cluster.tolist(), strict=True)
    }
    return partition(who)


def test_a_night_resolves_by_a_model_of_splink(
    spark: SparkSession, tmp_path: Path, people: pa.Table, declared: Matching, imported: Model
) -> None:
    model, trained = imported, TrainedModel(imported.to_json())
    rows = contacts(people)
    tables = DeltaTables(spark, str(tmp_path))
    nights(tables, [rows], declared, trained)
    assert partition(customer_of(tables)) == expected(rows, trained)
    at = {f"crm:{row['contact']}": number for number, row in enumerate(rows)}
    found = sorted(matches(tables))
    ends = np.array([[at[one], at[other]] for one, other, *_ in found], dtype=np.int32)
    weights = Scorer.of(model, people).score(ends[:, 0], ends[:, 1]).weights
    assert [weight for *_, weight, _ in found] == pytest.approx(weights.tolist(), abs=1e-6)
    assert {version for *_, version in found} == {model.version}
    assert len(found) > 40
    one, other, *_ = found[0]
    explained = ExplainPair(left=one, right=other, rules=RULES, trained=trained).run(tables)
    assert explained.waterfall.weight == pytest.approx(found[0][4], abs=1e-6)
    said = {step.comparisons for step in explained.waterfall.steps if step.kind == "comparison"}
    assert said == {(each.name,) for each in model.comparisons}


ANNA = {"given": "anna", "family": "walkerson", "born": "1980-05-17", "postcode": "A11 1XY"}
PAUL = {"given": "paul", "family": "kingley", "born": "1951-11-02", "postcode": "D44 7XY"}


def test_who_has_nothing_to_compare_any_more_speaks_for_nobody_from_that_night_on(
    spark: SparkSession, tmp_path: Path, declared: Matching, model: TrainedModel
) -> None:
    """No edge tells of it: the record is tied by its account alone, before and after."""
    tables = DeltaTables(spark, str(tmp_path))
    lent = {"contact": "1", "account": "x", **PAUL}
    others = [{"contact": "2", "account": "x", **ANNA}, {"contact": "3", **ANNA}]
    nights(tables, [[lent, *others]], declared, model)
    assert partition(customer_of(tables)) == {frozenset({"crm:1", "crm:2"}), frozenset({"crm:3"})}
    emptied = {"contact": "1", "account": "x", "given": "paul"}
    silver(tables, CRM, [emptied], DAYS[1])
    result = resolve(tables, DAYS[1], RULES, SOURCES, matching=declared, trained=model)
    assert result.details["mode"] == "incremental"
    assert partition(customer_of(tables)) == {frozenset({"crm:1", "crm:2", "crm:3"})}


@pytest.mark.fault("late and reordered files")
@pytest.mark.slow
@pytest.mark.parametrize("made", ["here", "with Splink"])
def test_any_cut_into_nights_gives_the_people_of_one_night(
    spark: SparkSession,
    tmp_path: Path,
    people: pa.Table,
    declared: Matching,
    model: TrainedModel,
    imported: Model,
    made: str,
) -> None:
    model = model if made == "here" else TrainedModel(imported.to_json())
    random = Random(7)
    final = contacts(people)
    random.shuffle(final)
    first, second = final[: len(final) // 2], final[len(final) // 2 :]
    # Some come with the values of others first, and are corrected; some go.
    wrong = [{**row, **{name: final[-1][name] for name in ("family", "town")}} for row in first[:6]]
    gone = [{**row, "contact": f"9{row['contact']}"} for row in second[:4]]
    cut = [
        [*first[6:], *wrong, *gone],
        second,
        [*first[:6], *({**row, "deleted": True} for row in gone)],
    ]
    daily = DeltaTables(spark, str(tmp_path / "daily"))
    nights(daily, cut, declared, model)
    once = DeltaTables(spark, str(tmp_path / "once"))
    nights(once, [final], declared, model)
    living = {record: of for record, of in customer_of(daily).items() if ":9" not in record}
    assert partition(living) == partition(customer_of(once)) == expected(final, model)
    assert matches(daily) == matches(once)
    assert len(matches(once)) > 40
