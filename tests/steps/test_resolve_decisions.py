"""Nights with stewards: what they decided holds, leaves the evidence, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from goldenlake.declarations.decisions import Decision
from goldenlake.declarations.identity import IdentityRules
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import StepResult
from goldenlake.steps.resolve import Resolve
from support.bronze import source_of
from support.resolving import customer_of, publish, silver

RULES = IdentityRules.model_validate(
    {
        "identifiers": {
            "account": {"description": "", "strength": "unique"},
            "phone": {"description": "", "strength": "weak"},
        }
    }
)
CRM = source_of(
    load="increment",
    key=["contact"],
    columns=[{"name": name} for name in ("contact", "account", "phone", "name")],
    identifiers={"account": "account", "phone": "phone"},
    attributes={"given_name": "name"},
)
#: Two people whom a shared phone makes one, and two records of somebody that share nothing.
ROWS = [
    {"contact": "1", "account": "x"},
    {"contact": "2", "account": "x"},
    {"contact": "3", "account": "x", "phone": "p"},
    {"contact": "4", "account": "y", "phone": "p"},
    {"contact": "5", "account": "y"},
    {"contact": "6"},
    {"contact": "7"},
]
DAYS = iter(date(2026, 3, day) for day in range(1, 29))


def decided(verdict: str, left: str, right: str) -> Decision:
    said = {"reason": "they told us", "by": "ann", "on": date(2026, 3, 1)}
    return Decision.model_validate({verdict: [f"crm:{left}", f"crm:{right}"], **said})


CANNOT, MUST = decided("cannot", "1", "5"), decided("must", "6", "7")
UNKNOWN = decided("must", "6", "99")


@pytest.fixture
def night(spark: SparkSession) -> Callable[..., tuple[StepResult, list[str]]]:
    def run(tables: DeltaTables, *decisions: Decision) -> tuple[StepResult, list[str]]:
        day, told = next(DAYS), []
        step = Resolve(
            sources={"crm": CRM}, rules=RULES, as_of=day, run_id=f"run-{day}", decisions=decisions
        )
        result = step.run(tables, told.append)
        publish(tables, day)
        return result, told

    return run


def people(tables: DeltaTables) -> dict[str, str]:
    """The customer of each contact."""
    return {record.removeprefix("crm:"): who for record, who in customer_of(tables).items()}


def parts(of: dict[str, str]) -> set[str]:
    return {"".join(sorted(each for each in of if of[each] == who)) for who in set(of.values())}


def edges(tables: DeltaTables) -> set[tuple[str, ...]]:
    said = ("left_record", "right_record", "identifier", "strength")
    return {tuple(row) for row in tables.read("identity.edges").select(*said).collect()}


@pytest.mark.slow
def test_a_decision_splits_and_joins_there_and_nowhere_else_until_it_is_taken_back(
    spark: SparkSession, tmp_path: Path, night: Callable[..., tuple[StepResult, list[str]]]
) -> None:
    tables = DeltaTables(spark, str(tmp_path / "lake"))
    silver(tables, CRM, ROWS, date(2026, 3, 1))
    night(tables)
    first = people(tables)
    evidence = edges(tables)
    assert parts(first) == {"12345", "6", "7"}

    result, told = night(tables, CANNOT, MUST, UNKNOWN)
    assert result.details["mode"] == "incremental"
    assert (result.counts["split_off"], result.counts["merged"]) == (1, 1)
    assert [line for line in told if line.startswith("decisions:")] == [
        "decisions: 1 of 3 are about records that are not there, and wait"
    ]
    apart = people(tables)
    assert parts(apart) == {"123", "45", "67"}
    assert apart["1"] == first["1"]
    assert apart["4"] not in first.values()
    assert apart["6"] in (first["6"], first["7"])
    new = {("crm:1", "crm:5", "steward", "cannot"), ("crm:6", "crm:7", "steward", "must")}
    assert edges(tables) == evidence | new

    # The record that a decision waited for comes.
    silver(tables, CRM, [{"contact": "99"}], date(2026, 3, 3))
    _, told = night(tables, CANNOT, MUST, UNKNOWN)
    assert not [line for line in told if line.startswith("decisions:")]
    assert parts(people(tables)) == {"123", "45", "6799"}

    rebuilt = DeltaTables(spark, str(tmp_path / "rebuilt"))
    silver(rebuilt, CRM, [*ROWS, {"contact": "99"}], date(2026, 3, 3))
    night(rebuilt, CANNOT, MUST, UNKNOWN)
    assert parts(people(rebuilt)) == parts(people(tables))
    assert edges(rebuilt) == edges(tables)

    night(tables)
    again = people(tables)
    assert {each: again[each] for each in "12345"} == {each: first[each] for each in "12345"}
    assert parts(again) == {"12345", "6", "7", "99"}
    assert edges(tables) == evidence
