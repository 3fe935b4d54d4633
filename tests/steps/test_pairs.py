"""Two records explained, and those that a steward is asked about."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from rich.console import Console
from ruamel.yaml import YAML

from goldenlake.declarations.decisions import Decision
from goldenlake.declarations.identity import IdentityRules
from goldenlake.errors import RecordUnknown, SetupError
from goldenlake.identity.evidence import Link
from goldenlake.identity.matching.training import train
from goldenlake.identity.trained import TrainedModel
from goldenlake.io.tables import DeltaTables
from goldenlake.reporting.pairs import PairExplanation, pair_page, pair_text
from goldenlake.reporting.reviews import ReviewPair, review_csv, review_page, review_parquet
from goldenlake.steps.explain_pair import ExplainPair
from goldenlake.steps.review import Review
from support.bronze import source_of
from support.matching import ROLES, matching, population
from support.pages import Reader
from support.resolving import publish, resolve, silver

DAY = date(2026, 3, 1)
RULES = IdentityRules.model_validate(
    {
        "identifiers": {
            "account": {"description": "", "strength": "unique", "block": ["none"]},
            "phone": {"description": "", "strength": "weak", "unless_differ": ["given_name"]},
            "email": {"description": "", "strength": "strong", "most_records": 2},
        }
    }
)
CRM = source_of(
    load="increment",
    key=["contact"],
    columns=[{"name": name} for name in ("contact", "account", "phone", "email", *ROLES)],
    identifiers={"account": "account", "phone": "phone", "email": "email"},
    attributes={**{name: name for name in ROLES}, "given_name": "given"},
)
ANNA = {
    "given": "anna",
    "family": "walkerson",
    "born": "1980-05-17",
    "postcode": "A11 1XY",
    "town": "leeds",
}
ANNE = {**ANNA, "born": "1980-05-19", "town": None}
PAUL = {**ANNA, "given": "paul", "born": "1951-11-02"}
EMMA = {
    "given": "emma",
    "family": "kinghill",
    "born": "1991-02-03",
    "postcode": "C40 4XY",
    "town": "york",
}
ROWS = [
    {"contact": "anna", **ANNA, "phone": "1", "account": "none"},
    {"contact": "anne", **ANNE, "account": "none"},
    {"contact": "paul", **PAUL, "phone": "1"},
    {"contact": "emma", **EMMA, "account": "7", "email": "e"},
    {"contact": "web", "account": "7", "email": "e"},
    {"contact": "shop", "email": "e"},
    {"contact": "twin", **EMMA},
]
APART = Decision(
    cannot=["crm:emma", "crm:twin"], reason="two sisters", by="ann@example.com", on=DAY
)


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    return TrainedModel(train(population(150, household=2)[0], matching()).model.to_json())


@pytest.fixture(scope="module")
def tables(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, trained: TrainedModel
) -> DeltaTables:
    tables = DeltaTables(spark, str(tmp_path_factory.mktemp("lake")))
    silver(tables, CRM, ROWS, DAY)
    more = {"matching": matching(), "trained": trained, "decisions": (APART,)}
    resolve(tables, DAY, RULES, {"crm": CRM}, **more)
    publish(tables, DAY)
    return tables


@pytest.fixture
def explain(tables: DeltaTables, trained: TrainedModel) -> Any:
    def explained(left: str, right: str, **parts: Any) -> PairExplanation:
        given = {"trained": trained, "decisions": (APART,), **parts}
        step = ExplainPair(left=f"crm:{left}", right=f"crm:{right}", rules=RULES, **given)
        return step.run(tables)

    return explained


def told(found: PairExplanation) -> str:
    out = io.StringIO()
    Console(file=out, width=220, no_color=True).print(pair_text(found))
    return out.getvalue()


def test_a_match_is_told_with_its_rule_its_weights_and_the_model(explain: Any) -> None:
    found = explain("anna", "anne")
    (link,) = found.links
    assert (link.strength, link.model) == ("likely", found.model)
    assert link.weight == pytest.approx(found.waterfall.weight, abs=1e-6)
    assert found.found_by.rule == link.rule
    assert found.apart == ()
    text = told(found)
    assert "one person, c_" in text
    assert "account none: is a placeholder and links nobody" in text
    assert f"{link.rule}: on 2 records, the rule that found the pair" in text
    assert "two records at random" in text
    assert "given, family" in text
    assert "how rare family is" in text
    assert "together" in text
    assert "1980-05-17  1980-05-19" in text


def test_people_of_one_household_are_apart_for_what_differs(explain: Any) -> None:
    found = explain("anna", "paul")
    assert "two people, " in told(found)
    assert [step.kind for step in found.waterfall.steps][-1] == "household"
    apart = " | ".join(found.apart)
    assert "their common phone does not tie them, for they differ in given_name" in apart
    assert "the mean is 0.0" in apart
    assert "joined from 0.5 on" in apart
    assert "pairs connect from 0.5 on" in apart


def test_who_share_nothing_are_told_to_share_nothing(explain: Any) -> None:
    found = explain("paul", "emma")
    assert found.apart[:2] == (
        "they share no value of an identifier",
        "they share no blocking key, so nobody has compared them",
    )
    assert not found.is_one_component


def test_a_record_with_little_to_compare_is_judged_by_identifiers_alone(explain: Any) -> None:
    found = explain("emma", "web")
    assert found.waterfall is None
    assert [link.identifier for link in found.links] == ["account"]
    text = told(found)
    assert "account 7: ties them" in text
    assert "email e: is on 3 records, more than 2: it links nobody" in text
    assert "One of the two has too little to compare" in pair_page(found)
    apart = explain("shop", "web").apart
    assert "their common email is on 3 records, more than 2: it links nobody" in apart
    assert "one of them has too little to compare, so the model says nothing of them" in apart


def test_a_value_in_common_that_does_not_hold_two_together_is_told_to_be_no_tie(
    spark: SparkSession, tmp_path: Path
) -> None:
    tables = DeltaTables(spark, str(tmp_path))
    values = [("e1", None), ("e1", "p1"), ("e2", "p1"), ("e2", "p2"), (None, "p2")]
    rows = [
        {"contact": f"{at}", "email": email, "phone": phone, "account": "7" if at > 2 else None}
        for at, (email, phone) in enumerate(values)
    ]
    rows += [{"contact": at, "account": "8"} for at in "56"]
    silver(tables, CRM, rows, DAY)
    rules = RULES.model_copy(update={"largest_cluster": 4})
    apart = Decision(cannot=["crm:5", "crm:6"], reason="sisters", by="ann", on=DAY)
    resolve(tables, DAY, rules, {"crm": CRM}, decisions=(apart,))
    publish(tables, DAY)
    found = ExplainPair(left="crm:0", right="crm:1", rules=rules).run(tables)
    said = "is in a group of more than 4 records, in which only unique identifiers link"
    assert f"their common email {said}" in found.apart
    assert f"email e1: {said}" in told(found)
    tied = ExplainPair(left="crm:3", right="crm:4", rules=rules).run(tables)
    assert tied.apart == ()
    assert "account 7: ties them" in told(tied)
    decided = ExplainPair(left="crm:5", right="crm:6", rules=rules).run(tables)
    assert "account 8: gives way to what a steward decided" in told(decided)


def test_a_decision_is_what_keeps_look_alikes_apart(explain: Any) -> None:
    found = explain("twin", "emma")
    assert found.apart[0] == (
        "crm:emma and crm:twin cannot be one person: decided by ann@example.com on 2026-03-01: "
        "two sisters"
    )
    assert found.scored.mean > 0.9
    assert "two people: decided by" in told(found)
    withdrawn = explain("web", "twin", decisions=())
    assert withdrawn.apart[0] == found.apart[0]


def test_a_decision_of_today_is_told_to_wait_for_the_night(explain: Any) -> None:
    new = Decision(must=["crm:paul", "crm:emma"], reason="he says so", by="ann", on=DAY)
    assert "the next night will hear of it" in told(explain("paul", "emma", decisions=(new,)))


def test_without_a_model_only_identifiers_speak(explain: Any) -> None:
    found = explain("anna", "paul", trained=None)
    assert found.keys == []
    assert found.apart[-1] == (
        "no model is trained, so only identifiers and decisions join records"
    )
    assert "No model is trained" in pair_page(found)


def test_the_page_is_whole_says_that_it_is_personal_and_draws_every_step(explain: Any) -> None:
    found = explain("anna", "anne")
    page = Reader(pair_page(found))
    assert page.open == []
    assert page.tags.count("rect") == len(found.waterfall.steps) + 1
    assert "Personal: this page shows values of people" in page.text
    assert not {"script", "img", "link"} & set(page.tags)


def test_a_record_that_is_not_there_and_a_pair_of_one_are_named_errors(explain: Any) -> None:
    with pytest.raises(RecordUnknown, match="crm:nobody"):
        explain("anna", "nobody")
    with pytest.raises(SetupError, match="Name two different record ids"):
        explain("anna", "anna")


def test_stewards_are_asked_first_where_most_is_expected_to_be_wrong(
    tables: DeltaTables, trained: TrainedModel
) -> None:
    found = Review(trained=trained, most=9).run(tables, lambda _: None)
    wrong = [pair.expected_wrong for pair in found]
    assert wrong == sorted(wrong, reverse=True)
    asked = {(pair.left, pair.right): pair for pair in found}
    assert asked["crm:anna", "crm:anne"].kind == "bridge"
    assert asked["crm:anna", "crm:anne"].waterfall.weight == pytest.approx(
        asked["crm:anna", "crm:anne"].bits, abs=1e-6
    )
    assert ("crm:emma", "crm:web") not in asked
    assert ("crm:emma", "crm:twin") not in asked
    assert len(Review(trained=trained, most=1).run(tables, lambda _: None)) == 1


def test_an_entry_for_the_decisions_is_ready_to_be_copied(
    tables: DeltaTables, trained: TrainedModel
) -> None:
    found = Review(trained=trained, most=9).run(tables, lambda _: None)
    page = Reader(review_page(found, DAY))
    assert page.open == []
    assert "Personal: this page shows values of people" in page.text
    entry = '- cannot: ["crm:anna", "crm:anne"]\n  reason: "…"\n  by: "…"\n  on: 2026-03-01'
    assert entry in page.text
    written = YAML(typ="safe").load(entry.replace('"…"', "they told us"))
    assert Decision.model_validate(written[0]).records == ("crm:anna", "crm:anne")


def test_a_value_that_a_spreadsheet_would_run_is_harmless_in_the_table_of_a_review() -> None:
    link = Link(
        left="crm:a", right="crm:b", identifier="match", strength="likely", rule="name",
        linked_on=None, weight=-1.0, model="m",
    )  # fmt: skip
    evil = {"given": "=1+1", "family": "@SUM(A1)"}
    pair = ReviewPair(
        kind="uncertain", left="crm:a", right="crm:b", link=link, left_customer="c_a",
        right_customer="c_b", bits=-1.0, affected=1, left_values=evil, right_values={},
        waterfall=None,
    )  # fmt: skip
    row = next(csv.DictReader(io.StringIO(review_csv([pair]).decode())))
    assert (row["left_given"], row["left_family"]) == ("'=1+1", "'@SUM(A1)")
    assert float(row["probability"]) == pytest.approx(1 / 3, abs=1e-6)


def test_the_table_of_a_review_holds_both_records_side_by_side(
    tables: DeltaTables, trained: TrainedModel
) -> None:
    found = Review(trained=trained, most=9).run(tables, lambda _: None)
    rows = list(csv.DictReader(io.StringIO(review_csv(found).decode())))
    row = next(row for row in rows if row["left_record"] == "crm:anna")
    assert (row["left_born"], row["right_born"]) == ("1980-05-17", "1980-05-19")
    assert "given, family = exact, exact +" in row["weights"]
    table = pq.read_table(io.BytesIO(review_parquet(found))).to_pylist()
    assert [each["right_record"] for each in table] == [each["right_record"] for each in rows]
    assert review_csv([]).decode().startswith("kind,left_record")
    assert "Nothing is uncertain" in review_page([], DAY)
