"""Training, profiling, tuning and evaluating on a small lake that a night has resolved."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from goldenlake.declarations.matching import Matching
from goldenlake.errors import ModelRefused, ProfilesMissing, TruthUnfit
from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.provenance import Finding
from goldenlake.identity.matching.splink_models import SplinkModel
from goldenlake.identity.matching.tuning import Threshold
from goldenlake.identity.samples import sampled
from goldenlake.identity.trained import TrainedModel
from goldenlake.io.tables import DeltaTables
from goldenlake.reporting.matching import (
    assessment_text,
    estimates_text,
    import_text,
    model_text,
    profile_text,
    tuning_text,
)
from goldenlake.steps.evaluation import EvaluateAgainstTruth
from goldenlake.steps.labelling import DrawClericalSample, ReadLabels
from goldenlake.steps.profiles import IdentityState, read_profiles
from goldenlake.steps.training import ImportModel, TrainedHere, TrainModel, write_model
from goldenlake.steps.tuning import ProfileMatching, TuneThresholds
from support.matching import ROLES, matching, population
from support.resolving import CRM, RULES, publish, resolve, silver
from support.splink import of_people

DAY = date(2026, 3, 1)
PEOPLE, WHO = population(90, seed=3, household=2)
ROWS = [
    {"contact": f"{at:03}", "account": f"A{who}" if at % 3 == 0 else None, **row}
    for at, (row, who) in enumerate(zip(PEOPLE.to_pylist(), WHO.tolist(), strict=True))
]
PERSONS = {f"crm:{row['contact']}": f"P{who}" for row, who in zip(ROWS, WHO.tolist(), strict=True)}
SILENT = lambda _: None  # noqa: E731


@pytest.fixture(scope="module")
def declared() -> Matching:
    return matching()


@pytest.fixture(scope="module")
def lake(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, declared: Matching
) -> DeltaTables:
    """Everything resolved by identifiers and published."""
    tables = DeltaTables(spark, str(tmp_path_factory.mktemp("lake")))
    silver(tables, CRM, ROWS, DAY)
    resolve(tables, DAY, RULES, {"crm": CRM}, matching=declared)
    publish(tables, DAY)
    return tables


@pytest.fixture(scope="module")
def here(lake: DeltaTables, declared: Matching) -> TrainedHere:
    return TrainModel(matching=declared).run(lake, SILENT)


@pytest.fixture(scope="module")
def model(here: TrainedHere) -> Model:
    return here.trained.model


@pytest.fixture
def truth(tmp_path: Path) -> str:
    rows = [{"record_id": record, "person_id": person} for record, person in PERSONS.items()]
    path = tmp_path / "truth.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


def said(renderable: Any) -> str:
    console = Console(width=400, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115
    console.print(renderable)
    return console.export_text()


def values() -> set[str]:
    """What would tell of a person; short family names may be parts of other words."""
    told = [row[name] for row in ROWS for name in ("born", "postcode", "account", "family")]
    return {value for value in told if value and len(value) > 5}


def test_a_sample_is_that_of_the_smallest_hashes_whatever_the_partitions(
    lake: DeltaTables, declared: Matching
) -> None:
    records = lake.read("identity.records").select("record_id")
    one = {row[0] for row in sampled(records.repartition(7), 20).collect()}
    other = {row[0] for row in sampled(records.orderBy("record_id").coalesce(1), 20).collect()}
    more = {row[0] for row in sampled(records, 30).collect()}
    assert one == other < more
    small = declared.model_copy(
        update={"training": declared.training.model_copy(update={"sample_records": 20})}
    )
    drawn = read_profiles(IdentityState.of(lake), small, SILENT)
    assert set(drawn.table["record_id"].to_pylist()) == one
    assert drawn.table["record_id"].to_pylist() == sorted(one)
    assert (drawn.records, drawn.matchable, drawn.is_all) == (20, len(ROWS), False)


def test_a_lake_without_records_or_profiles_says_what_to_do(
    tables: DeltaTables, declared: Matching
) -> None:
    with pytest.raises(ProfilesMissing, match="goldenlake resolve --as-of DAY"):
        TrainModel(matching=declared).run(tables, SILENT)
    silver(tables, CRM, ROWS[:5], DAY)
    resolve(tables, DAY, RULES, {"crm": CRM})
    with pytest.raises(ProfilesMissing, match="no record has a profile"):
        TrainModel(matching=declared).run(tables, SILENT)


def test_a_column_that_no_profile_has_is_named(lake: DeltaTables) -> None:
    declared = matching({**ROLES, "phone": "phone"})
    with pytest.raises(ProfilesMissing, match="no profile has phone"):
        TrainModel(matching=declared).run(lake, SILENT)


def test_a_model_is_written_with_its_page_and_is_that_of_its_data(
    here: TrainedHere, declared: Matching, tmp_path: Path
) -> None:
    path = tmp_path / "model.json"
    page = write_model(here, path)
    assert page == tmp_path / "model.html"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["model.html", "model.json"]
    TrainedModel(path.read_text()).checked(declared)
    came = json.loads(path.read_text())["provenance"]
    assert came["data_version"] == "generation 1, identity.records version 0"
    assert came["records"] == len(ROWS)


def test_the_page_needs_nothing_from_elsewhere_and_shows_no_value(
    here: TrainedHere, tmp_path: Path
) -> None:
    page = write_model(here, tmp_path / "model.json").read_text()
    for forbidden in ("<script", "http:", "https:", "src=", "@import", "url("):
        assert forbidden not in page
    assert here.trained.model.version in page
    assert not {value for value in values() if value in page}


def test_a_model_that_swallows_people_is_written_only_if_that_is_accepted(
    here: TrainedHere, tmp_path: Path
) -> None:
    doubt = Finding(name="swallowing_component", subject="components", message="It is too large.")
    came = here.trained.model.provenance.model_copy(update={"findings": (doubt,)})
    spoilt = here.trained.model.model_copy(update={"provenance": came})
    trained = type(here.trained)(spoilt, here.trained.resolution, here.trained.records)
    path = tmp_path / "model.json"
    with pytest.raises(ModelRefused, match=r"It is too large\..*--write --accept"):
        write_model(TrainedHere(trained, here.facts), path)
    assert not list(tmp_path.iterdir())
    write_model(TrainedHere(trained, here.facts), path, accept=True)
    assert path.exists()
    assert "It is too large." in said(model_text(spoilt, 10))


@pytest.fixture(scope="module")
def imported(lake: DeltaTables, declared: Matching) -> TrainedHere:
    splink = SplinkModel.from_json(of_people(), declared.columns)
    return ImportModel(matching=declared, splink=splink).run(lake, SILENT)


def test_a_model_of_splink_is_told_in_our_terms_and_written_like_a_trained_one(
    imported: TrainedHere, declared: Matching, tmp_path: Path
) -> None:
    model = imported.trained.model
    told = said(import_text(model, imported.facts.matchable))
    row = next(line for line in told.splitlines() if "family_name" in line)
    assert row.split()[:2] == ["family_name", "family"]
    assert row.split()[-4:] == ["0.9", "0.03", "+4.91", "1"]
    assert "chance of 0.001, -9.96 bits" in told
    assert "given as given_name" in told
    page = write_model(imported, tmp_path / "model.json").read_text()
    assert "A model made with Splink" in page
    assert not {value for value in values() if value in page + told}
    written = TrainedModel((tmp_path / "model.json").read_text()).checked(declared)
    assert written.version == model.version
    assert Model.from_json(written.text) == model
    family = [row["family"] for row in ROWS if row["family"]]
    assert model.frequencies["family_name"].total == len(family)


def test_thresholds_are_tried_on_a_model_of_splink(
    lake: DeltaTables, imported: TrainedHere
) -> None:
    model = imported.trained.model
    at = [Threshold(0.5, 0.5), Threshold(0.999999, 0.999999)]
    _, (low, high) = TuneThresholds(model=model, thresholds=at).run(lake, SILENT)
    assert low.merges > high.merges
    other = model.matching.clustering.model_copy(update={"cut": 0.9})
    own = said(tuning_text(model, other, 9, 9, [low], options="--env moon"))
    assert "`goldenlake identity import --env moon MODEL.json --write`" in own


def test_an_imported_model_that_swallows_people_names_its_own_command(
    lake: DeltaTables, tmp_path: Path
) -> None:
    strict = matching(clustering={"edge": 1e-9, "cut": 0.5, "most_dense": 20})
    splink = SplinkModel.from_json(of_people(), strict.columns)
    found = ImportModel(matching=strict, splink=splink).run(lake, SILENT)
    with pytest.raises(ModelRefused, match=r"identity import m\.json --write --accept"):
        write_model(found, tmp_path / "model.json", command="goldenlake identity import m.json")
    assert not list(tmp_path.iterdir())


def test_a_profile_tells_of_columns_identifiers_and_every_rule(
    lake: DeltaTables, declared: Matching
) -> None:
    chosen = declared.model_copy(
        update={"blocking": declared.blocking.model_copy(update={"rules": ["born"]})}
    )
    found = ProfileMatching(matching=chosen, rules=RULES).run(lake, SILENT)
    (account,) = found.identifiers
    accounts = [row["account"] for row in ROWS if row["account"]]
    most = max(accounts.count(each) for each in accounts)
    assert (account.filled, account.distinct) == (len(accounts), len(set(accounts)))
    assert (account.most_frequent, account.records) == (most, len(ROWS))
    assert [each.column for each in found.columns] == list(ROLES)
    assert len(found.keys) > 10
    told = said(profile_text(found))
    assert "not used" in told
    assert not {value for value in values() if value in told}


def test_thresholds_are_tried_on_what_identifiers_tie(lake: DeltaTables, model: Model) -> None:
    at = [Threshold(0.5, 0.5), Threshold(0.99, 0.99)]
    sample, found = TuneThresholds(model=model, thresholds=at).run(lake, SILENT)
    groups = len({row["account"] or row["contact"] for row in ROWS})
    assert sample.records == len(ROWS)
    for outcome in found:
        assert outcome.clusters + outcome.merges == groups
    own = said(tuning_text(model, model.matching.clustering, 9, 9, found, options="--env moon"))
    assert own.count("in force") == 1
    assert "`goldenlake identity train --env moon --write`" in own
    other = model.matching.clustering.model_copy(update={"cut": 0.9})
    assert "not in force" in said(tuning_text(model, other, 9, 9, found, options=""))


def test_customers_are_held_against_a_truth(
    lake: DeltaTables, declared: Matching, truth: str
) -> None:
    found = EvaluateAgainstTruth(truth=truth, matching=declared).run(lake, SILENT)
    assert found.accuracy.precision == 1.0
    assert 0 < found.accuracy.recall < 1
    assert found.mixed == []
    assert found.blocking is not None
    assert found.blocking.recall > 0.9
    assert sum(size * number for size, number in found.sizes.items()) == len(ROWS)
    person, records, customers, missed = found.divided[0]
    assert records == list(PERSONS.values()).count(person)
    assert 1 < customers <= records
    assert missed >= 1
    assert person in said(assessment_text(found))


def test_a_truth_may_name_source_and_key_instead_of_the_record(
    lake: DeltaTables, truth: str, tmp_path: Path
) -> None:
    path = tmp_path / "truth.csv"
    lines = [f"crm,{record[4:]},{person}" for record, person in PERSONS.items()]
    path.write_text("\n".join(["source,record_key,person_id", *lines, "web,,P1"]))
    by_key = EvaluateAgainstTruth(truth=str(path), matching=None).run(lake, SILENT)
    by_id = EvaluateAgainstTruth(truth=truth, matching=None).run(lake, SILENT)
    assert by_key.accuracy == by_id.accuracy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("record_id,who\ncrm:001,P1\n", "no column person_id"),
        ("record_id,person_id\nmoon:1,P1\n", "none of its records is one of generation 1"),
        ("record_id,person_id\ncrm:001,P1\ncrm:001,P2\n", "1 records to more than one person"),
    ],
)
def test_a_truth_that_cannot_be_used_says_why(
    lake: DeltaTables, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(text)
    with pytest.raises(TruthUnfit, match=message):
        EvaluateAgainstTruth(truth=str(path), matching=None).run(lake, SILENT)


def test_a_clerical_sample_holds_ids_alone_unless_values_are_asked_for(
    lake: DeltaTables, model: Model, tmp_path: Path
) -> None:
    def draw(name: str, **more: Any) -> str:
        step = DrawClericalSample(model=model, out=tmp_path / name, wanted=60, seed=1, **more)
        assert step.run(lake, SILENT) == 60
        return (tmp_path / name).read_text()

    plain = draw("plain.csv")
    assert plain == draw("again.csv")
    for row in csv.DictReader(plain.splitlines()):
        assert row["stratum"].endswith("one customer") == (row["is_one_customer"] == "1")
    assert not {value for value in values() if value in plain}
    (tmp_path / "full.csv").write_text("old")
    (tmp_path / "full.csv").chmod(0o644)
    full = draw("full.csv", with_values=True)
    assert {value for value in values() if value in full}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.csv")} == {0o600}


def test_labels_of_a_sample_estimate_what_the_truth_says(
    lake: DeltaTables, model: Model, tmp_path: Path, truth: str
) -> None:
    path = tmp_path / "pairs.csv"
    DrawClericalSample(model=model, out=path, wanted=100_000, seed=1).run(lake, SILENT)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["label"] = str(int(PERSONS[row["left_record"]] == PERSONS[row["right_record"]]))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    found = ReadLabels(labels=path).run()
    exact = EvaluateAgainstTruth(truth=truth, matching=None).run(lake, SILENT).accuracy
    assert found.precision.value == exact.precision
    drawn = sum(row["label"] == "1" for row in rows)
    assert found.recall.value == pytest.approx(exact.pairs_right / drawn)
    assert np.isclose(drawn, exact.pairs_true, rtol=0.05)
    assert "Wilson" in said(estimates_text(found))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stratum,label\na,1\n", "line 1: there is no column is_one_customer, stratum_pairs"),
        ("stratum,is_one_customer,stratum_pairs,label\na,1,5,perhaps\n", "line 2: the label is"),
        ("stratum,is_one_customer,stratum_pairs,label\na,1,many,1\n", "line 2: stratum_pairs"),
        ("stratum,is_one_customer,stratum_pairs,label\na,1,5,\n", "no pair has a label"),
    ],
)
def test_labels_that_cannot_be_read_say_where(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(TruthUnfit, match=message):
        ReadLabels(labels=path).run()
