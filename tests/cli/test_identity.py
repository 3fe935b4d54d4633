"""``goldenlake identity``: what it refuses before Spark starts, and what it says to do."""

from __future__ import annotations

import pytest
import typer

from goldenlake.cli.identity import threshold_of
from goldenlake.errors import ModelMissing, with_options

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
