"""The harness that puts our matching beside Splink; no time is ever asserted."""

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks.answers import Phases
from benchmarks.figures import Figure
from benchmarks.identity import __main__ as bench
from benchmarks.identity import contenders, people
from benchmarks.identity.contenders import CONTENDERS, Result, figures
from benchmarks.identity.judging import blocking_recall, judged
from benchmarks.identity.ours import exact_rule, exclusive
from benchmarks.identity.problems import generated
from benchmarks.identity_data import DataMissing
from benchmarks.memory import Peak
from benchmarks.processes import Finished
from goldenlake.cli.installation import PROJECT
from goldenlake.errors import GoldenlakeError
from goldenlake.identity.matching.blocking import blocks_of, candidates

RECORDS = 1_200


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "problem"
    generated(folder, RECORDS, seed=7)
    return folder


def test_the_same_seed_makes_the_same_people_and_another_seed_others(made_up: Path, tmp_path: Path):
    generated(tmp_path / "again", RECORDS, seed=7)
    generated(tmp_path / "other", RECORDS, seed=8)

    for name in ("records.parquet", "truth.parquet"):
        table = pq.read_table(made_up / name)
        assert table.equals(pq.read_table(tmp_path / "again" / name))
        assert not table.equals(pq.read_table(tmp_path / "other" / name))


def test_every_record_has_one_person_and_a_person_up_to_six_records(made_up: Path):
    records = pq.read_table(made_up / "records.parquet")
    truth = pq.read_table(made_up / "truth.parquet")

    assert records["record_id"].to_pylist() == list(range(RECORDS))
    assert truth["record_id"].to_pylist() == list(range(RECORDS))
    assert "person_id" not in records.column_names
    sizes = np.bincount(truth["person_id"].to_numpy())
    assert (sizes.min(), sizes.max()) == (1, 6)


def test_records_lie_apart_and_are_written_in_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(people, "CHUNK", 500)
    generated(tmp_path / "problem", RECORDS, seed=7)

    assert pq.ParquetFile(tmp_path / "problem" / "records.parquet").num_row_groups == 3
    person = pq.read_table(tmp_path / "problem" / "truth.parquet")["person_id"].to_numpy()
    assert (person[1:] == person[:-1]).mean() < 0.02


def test_without_mistakes_a_person_has_one_birth_date_and_at_most_two_homes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for shares in (people.TYPOS, people.LEFT_OUT):
        for name in shares:
            monkeypatch.setitem(shares, name, 0.0)
    generated(tmp_path / "problem", RECORDS, seed=7)
    records = pq.read_table(tmp_path / "problem" / "records.parquet").to_pandas()
    person = pq.read_table(tmp_path / "problem" / "truth.parquet")["person_id"].to_pandas()

    different = records.groupby(person).nunique()

    assert set(different["birth_date"]) == {1}
    assert set(different["street"]) == {1, 2}
    assert records.notna().all(axis=None)


def test_no_birth_date_is_that_of_many_people(tmp_path: Path):
    born = people.planted(5_000, 7, tmp_path).born

    assert np.unique(born, return_counts=True)[1].max() < 8


@pytest.mark.parametrize("draw", range(0, 40, 3))
@pytest.mark.parametrize("iso", ["1980-02-11", "1999-12-12", "2000-07-31"])
def test_a_mistyped_date_is_another_date(iso: str, draw: int):
    wrong = people.mistyped_date(iso, draw)

    assert wrong != iso
    assert np.datetime64(wrong)


def test_an_exact_rule_pairs_records_that_agree_in_all_its_columns():
    table = pa.table(
        {"name": ["ann", "ann", "ann", None, None, "bob"], "city": ["x", "x", "y", "x", "x", "x"]}
    )

    found = candidates(blocks_of(6, [exact_rule(table, ("name", "city"))], 6))

    assert list(zip(found.left.tolist(), found.right.tolist(), strict=True)) == [(0, 1)]


def test_shared_rules_give_the_pairs_that_agree_in_the_columns_of_any(made_up: Path):
    table = pq.read_table(made_up / "records.parquet").slice(0, 300)
    rows = table.to_pylist()

    rules = [exact_rule(table, rule) for rule in people.RULES]
    found = candidates(blocks_of(300, rules, 300))

    agreeing = {
        (a, b)
        for a, b in combinations(range(300), 2)
        if any(all(rows[a][c] and rows[a][c] == rows[b][c] for c in r) for r in people.RULES)
    }
    assert len(agreeing) > 5
    assert {tuple(sorted(p)) for p in zip(found.left, found.right, strict=True)} == agreeing


def test_sources_that_have_everybody_once_are_told_from_none():
    assert exclusive(pa.table({"record_id": [0, 1]})) is None
    numbers = exclusive(pa.table({"record_id": [0, 1], "source": [0, 1]}))
    assert numbers is not None
    assert numbers.tolist() == [0, 1]


def test_clusters_are_judged_whatever_their_names_and_order(tmp_path: Path):
    truth = tmp_path / "truth.parquet"
    pq.write_table(pa.table({"record_id": [0, 1, 2, 3], "person_id": [5, 5, 5, 6]}), truth)
    clusters = pa.table({"record_id": [0, 2, 3, 1], "cluster": ["a", "b", "c", "a"]})
    pq.write_table(clusters, tmp_path / "clusters.parquet")
    pq.write_table(pa.table({"left": [1, 2], "right": [0, 3]}), tmp_path / "pairs.parquet")

    found = judged(tmp_path / "clusters.parquet", truth)

    assert (found.precision, found.recall, found.largest) == (1.0, pytest.approx(1 / 3), 2)
    assert blocking_recall(tmp_path / "pairs.parquet", truth) == pytest.approx(1 / 3)


@pytest.mark.parametrize("ids", [[0, 1], [0, 1, 1], [0, 1, 2, 3]])
def test_clusters_that_miss_or_repeat_a_record_are_refused(tmp_path: Path, ids: list[int]):
    truth = pa.table({"record_id": [0, 1, 2], "person_id": [5, 5, 6]})
    pq.write_table(truth, tmp_path / "truth.parquet")
    pq.write_table(pa.table({"record_id": ids, "cluster": ids}), tmp_path / "clusters.parquet")

    with pytest.raises(GoldenlakeError, match="Every record needs one cluster"):
        judged(tmp_path / "clusters.parquet", tmp_path / "truth.parquet")


def test_phases_that_others_do_not_have_are_told_apart():
    phases = Phases()
    with phases.counted("read"):
        pass
    with phases.beside("start"):
        pass

    answer = phases.answer()

    assert (list(answer["seconds"]), list(answer["apart"])) == (["read"], ["start"])
    assert answer["cpu"] >= 0


def test_figures_stand_beside_those_of_splink_at_its_first_threshold(tmp_path: Path):
    splink, ours = a_result("splink_duckdb", tmp_path, 4.0), a_result("ours", tmp_path, 2.0)

    found = {each.figure: each for each in figures("people_9", ours, splink)}

    assert found["people_9.ours.seconds"].ratio == 0.5
    assert found["people_9.ours.seconds"].aim is None
    assert found["people_9.ours.f1"].against == 0.0
    assert found["people_9.ours.pairs"].details == {"blocking_recall": 0.5}
    names = {each.figure for each in figures("people_9", splink, None)}
    assert {"people_9.splink_duckdb.at_0.95.f1", "people_9.splink_duckdb.at_0.9.b3_f1"} < names


def test_ours_on_spark_has_aims_beside_splink_wherever_splink_was_measured(tmp_path: Path):
    duckdb, spark, ours = (
        a_result(name, tmp_path, seconds)
        for name, seconds in (("splink_duckdb", 4.0), ("splink_spark", 16.0), ("ours_spark", 6.0))
    )
    prefix = "people_50000"

    beside = {each.figure: each for each in figures(prefix, ours, duckdb)}
    alone = {each.figure: each for each in figures(prefix, ours, None)}
    rival = contenders.figure_beside_rival(prefix, 50_000, ours, spark)

    seconds = f"{prefix}.ours_spark.seconds"
    assert (beside[seconds].ratio, beside[seconds].aim) == (1.5, 2.0)
    assert (alone[seconds].ratio, alone[seconds].aim) == (None, None)
    assert rival.figure == f"{prefix}.ours_spark.beside_splink_spark"
    assert (rival.ratio, rival.aim) == (0.375, 1 / 3)
    assert contenders.figure_beside_rival("people_9", 9, ours, spark).aim is None


def a_result(name: str, folder: Path, seconds: float) -> Result:
    table = pa.table({"record_id": [0, 1, 2], "person_id": [5, 5, 6], "cluster": [0, 1, 1]})
    pq.write_table(table, folder / "t.parquet")
    verdict = judged(folder / "t.parquet", folder / "t.parquet")
    answer = {"seconds": {"a": seconds}, "apart": {"b": 9.0}, "cpu": 1.0, "pairs": 3}
    return Result(
        contender=name,
        resolved=Finished(answer=answer, seconds=9.0, peak=Peak()),
        verdicts={"0.95": verdict, "0.9": verdict} if "splink" in name else {"": verdict},
        blocking_recall=0.5,
    )


def test_what_cannot_be_measured_stops_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    asked: list[str] = []

    def train(home: Path, trainer: str, *_: object) -> Finished:
        asked.append(trainer)
        if trainer == "splink":
            raise GoldenlakeError("The work 'train' ended with code 1; see above.")
        answer = {"seconds": {"train": 1.0}, "apart": {}, "cpu": 1.0, "findings": []}
        return Finished(answer=answer, seconds=1.0, peak=Peak())

    def resolve(_: Path, name: str, *__: object) -> Result:
        return a_result(name, tmp_path, 1.0)

    def missing() -> bench.Contest:
        raise DataMissing("febrl/dataset3.csv is not there")

    monkeypatch.setattr(bench, "train", train)
    monkeypatch.setattr(bench, "resolve", resolve)
    made_up = partial(bench.of_people, tmp_path / "p", 1_000, 7, list(CONTENDERS))

    assert bench.measure({"febrl3": missing, "p": made_up}) == 1

    printed = capsys.readouterr()
    told = {json.loads(line)["figure"] for line in printed.out.splitlines()}
    assert {"p.ours.train", "p.ours.f1", "p.ours_same_rules.memory"} < told
    assert not any("splink" in name for name in told)
    assert "febrl3 was not measured: febrl/dataset3.csv is not there" in printed.err
    assert "p: splink_spark was not measured: the training of splink failed before" in printed.err
    assert asked == ["splink", "ours"]


def test_splink_without_its_environment_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contenders, "SPLINK_PYTHON", PROJECT / ".venv-nowhere/bin/python")

    with pytest.raises(GoldenlakeError, match="make setup-splink"):
        contenders.worker_of("splink")


def test_a_full_run_measures_every_size_by_whom_it_is_meant_for_and_how_ours_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def train(*_: object) -> Finished:
        answer = {"seconds": {"train": 1.0}, "apart": {}, "cpu": 1.0, "findings": []}
        return Finished(answer=answer, seconds=1.0, peak=Peak())

    def resolve(home: Path, name: str, *_: object) -> Result:
        records = int(home.parent.name.removeprefix("people_"))
        return a_result(name, tmp_path, (records / 1_000) ** 2)

    def nights(home: Path, *_: object) -> Iterator[Figure]:
        yield Figure(figure=home.name, value=1.0, unit="s")

    monkeypatch.setattr(bench, "temporary_home", lambda _: nullcontext(tmp_path))
    monkeypatch.setattr(bench, "train", train)
    monkeypatch.setattr(bench, "resolve", resolve)
    monkeypatch.setattr(bench.nights, "measured", nights)
    everybody, alone = ("splink_duckdb", "splink_spark", "ours_spark"), ("ours_spark",)
    monkeypatch.setattr(bench, "FULL", {1_000: everybody, 4_000: alone})
    monkeypatch.setattr(bench, "FULL_NIGHTS", (5_000,))
    monkeypatch.setattr("sys.argv", ["bench", "--full", "--sets", "--records", "2000"])

    assert bench.main() == 0

    found = {line["figure"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    resolved = {tuple(name.split(".")[:2]) for name in found if name.endswith(".seconds")}
    asked = {
        *(("people_1000", name) for name in everybody),
        *(("people_2000", name) for name in CONTENDERS),
        ("people_4000", "ours_spark"),
    }
    assert resolved == asked
    assert found["people_1000.ours_spark.beside_splink_spark"]["ratio"] == 1.0
    grown = {
        name: (figure["value"], figure["aim"], figure["details"])
        for name, figure in found.items()
        if name.endswith(".growth")
    }
    assert grown == {
        "people_2000.ours_spark.growth": (2.0, 1.1, {"since": 1_000}),
        "people_4000.ours_spark.growth": (2.0, 1.1, {"since": 2_000}),
    }
    assert "nights_5000" in found


@pytest.mark.slow
def test_ours_finds_made_up_people_in_processes_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    who = ["ours", "ours_same_rules"]

    assert bench.measure({"p": partial(bench.of_people, tmp_path / "p", RECORDS, 7, who)}) == 0

    found = {line["figure"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["p.ours.f1"]["value"] > 0.95
    assert found["p.ours_same_rules.f1"]["value"] > 0.9
    assert found["p.ours.pairs"]["value"] > found["p.ours_same_rules.pairs"]["value"]
    assert found["p.ours.memory"]["value"] > 100


@pytest.mark.slow
@pytest.mark.skipif(
    not contenders.SPLINK_PYTHON.exists(), reason="no .venv-splink (`make setup-splink`)"
)
def test_splink_and_ours_look_at_the_same_pairs_under_the_shared_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    who = ["splink_duckdb", "ours_same_rules"]

    assert bench.measure({"p": partial(bench.of_people, tmp_path / "p", RECORDS, 7, who)}) == 0

    found = {line["figure"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    splink, ours = found["p.splink_duckdb.pairs"], found["p.ours_same_rules.pairs"]
    assert ours["ratio"] == 1.0
    assert splink["details"] == ours["details"]
    assert found["p.splink_duckdb.at_0.95.f1"]["value"] > 0.8
