"""``goldenlake identity``: what it refuses before Spark starts, and what it says to do."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
import typer

from goldenlake.cli.identity import threshold_of
from goldenlake.cli.installation import Installation
from goldenlake.errors import ModelMissing, with_options
from goldenlake.steps import training
from goldenlake.steps.profiles import ProfileSample
from support.splink import exact, level, null, otherwise, saved

COLUMNS = "columns: {email: email, birth_on: birth_date}\n"


def at(conf) -> tuple[str, ...]:
    return ("--conf", str(conf.path))


@pytest.mark.parametrize("command", ["train", "profile", "tune"])
def test_without_a_declaration_nothing_is_matched_and_that_is_said(
    goldenlake, conf, command: str
) -> None:
    ended = goldenlake("identity", command, *at(conf))
    assert ended.code == 2
    assert "conf/identity/matching.yml does not exist" in ended.err
    assert "docs/guides/matching.md" in ended.err


def test_without_a_model_thresholds_are_of_nothing(goldenlake, conf) -> None:
    conf.write("identity/matching.yml", COLUMNS)
    conf.change("sources/shop.yml", "attributes:\n", "attributes:\n  birth_on: id\n")
    ended = goldenlake("identity", "tune", *at(conf))
    assert ended.code == 2
    assert f"`goldenlake identity train --env local --conf {conf.path} --write`" in ended.err


def test_check_looks_at_rules_and_model(goldenlake, conf) -> None:
    conf.write("identity/matching.yml", COLUMNS + "blocking: {rules: [emial]}\n")
    conf.write("identity/model.json", "{")
    conf.change("sources/shop.yml", "attributes:\n", "attributes:\n  birth_on: id\n")
    ended = goldenlake("check", *at(conf))
    assert ended.code == 2
    assert "conf/identity/matching.yml:2: blocking.rules[0]: 'emial' is no rule" in ended.err
    assert "conf/identity/model.json: " in ended.err


def test_a_command_of_a_group_gets_its_options_where_it_takes_them() -> None:
    told = with_options(str(ModelMissing()), "--env moon")
    assert "`goldenlake identity train --env moon --write`" in told
    assert with_options(told, "--env moon") == told


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--truth", "a.csv", "--labels", "b.csv"),
        ("--sample", "100"),
        ("--truth", "a.csv", "--out", "b.csv"),
        ("--truth", "a.csv", "--values"),
    ],
)
def test_what_does_not_go_together_is_refused(goldenlake, conf, options) -> None:
    assert goldenlake("identity", "evaluate", *options, *at(conf)).code == 2


def test_a_threshold_is_one_probability_or_two() -> None:
    assert threshold_of("0.9") == (0.9, 0.9)
    assert threshold_of("0.5/0.8") == (0.5, 0.8)


@pytest.mark.parametrize("text", ["", "high", "0", "1.5", "0.5/", "0.1/0.2/0.3"])
def test_what_is_no_probability_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        threshold_of(text)


@pytest.fixture
def matched(conf, monkeypatch: pytest.MonkeyPatch):
    """An installation that matches, with the profiles of two people in its lake."""
    conf.write("identity/matching.yml", COLUMNS)
    conf.change("sources/shop.yml", "attributes:\n", "attributes:\n  birth_on: id\n")
    rows = [
        {"record_id": f"shop:{at}", "email": email, "birth_on": day}
        for at, (email, day) in enumerate([("ann@example.com", "1980-05-17")] * 3)
    ]
    rows.append({"record_id": "shop:9", "email": "bob@example.com", "birth_on": None})
    sample = ProfileSample(pa.Table.from_pylist(rows), len(rows), "generation 3")
    monkeypatch.setattr(Installation, "tables", None)
    monkeypatch.setattr(training.IdentityState, "of", lambda _: None)
    monkeypatch.setattr(training, "read_profiles", lambda *_: sample)
    return conf


def of_splink(folder: Path, *, condition: str = '"email_l" = "email_r"') -> Path:
    path = folder / "splink.json"
    born = [null("birth_on"), exact("birth_on", 0.9, 0.01), otherwise(0.1, 0.99)]
    mail = [null("email"), level(condition, 0.8, 0.001), otherwise(0.2, 0.999)]
    path.write_text(saved(1e-3, mail=mail, born=born))
    return path


def test_a_model_of_splink_comes_into_force_only_if_it_is_written(
    goldenlake, matched, tmp_path: Path
) -> None:
    file = of_splink(tmp_path)
    ours = [matched.path / "identity" / name for name in ("model.html", "model.json")]
    tried = goldenlake("identity", "import", file, *at(matched))
    assert tried.code == 0, tried.err
    assert "email as email, birth_on as birth_date" in tried.out
    again = f"`goldenlake identity import --env local --conf {matched.path} {file} --write`"
    assert again in tried.out
    assert not [path for path in ours if path.exists()]
    written = goldenlake("identity", "import", file, "--write", *at(matched))
    assert written.code == 0, written.err
    assert f"{ours[1]} is written, and model.html beside it" in written.out
    model = json.loads(ours[1].read_text())
    assert [each["name"] for each in model["comparisons"]] == ["mail", "born"]
    assert model["prior"] == 1e-3
    assert "ann@example.com" not in tried.out + written.out + ours[0].read_text()


def test_what_is_not_supported_of_a_model_of_splink_is_named_before_the_lake_is_opened(
    goldenlake, matched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Installation, "tables", property(lambda _: pytest.fail("it was opened")))
    file = of_splink(tmp_path, condition='soundex("email_l") = soundex("email_r")')
    ended = goldenlake("identity", "import", file, "--write", *at(matched))
    assert ended.code == 2
    assert 'comparison mail: the condition soundex("email_l") = soundex("email_r")' in ended.err
    assert not (matched.path / "identity" / "model.json").exists()


def test_an_import_of_no_file_is_refused(goldenlake, matched) -> None:
    ended = goldenlake("identity", "import", matched.path / "nowhere.json", *at(matched))
    assert ended.code == 2
    assert "does not exist" in ended.err
