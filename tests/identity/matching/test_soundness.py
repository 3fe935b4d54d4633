"""Matching that could not be done is told before the night."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goldenlake.identity.matching.soundness import matching_problems

CONF = Path(__file__).parents[3] / "conf"


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    shutil.copytree(CONF / "identity", tmp_path / "conf" / "identity")
    return tmp_path / "conf"


def _told(conf: Path) -> list[str]:
    return [str(problem) for problem in matching_problems(conf)]


def test_what_is_committed_is_sound(conf: Path) -> None:
    assert _told(conf) == []


def test_without_matching_nothing_is_wrong_with_it(tmp_path: Path) -> None:
    assert _told(tmp_path) == []


def test_a_blocking_rule_that_no_column_makes_is_a_problem(conf: Path) -> None:
    path = conf / "identity" / "matching.yml"
    path.write_text(path.read_text() + "\nblocking:\n  rules:\n    - email\n    - emial\n")

    (problem,) = _told(conf)

    line = path.read_text().splitlines().index("    - emial") + 1
    assert problem == (
        f"conf/identity/matching.yml:{line}: blocking.rules[1]: 'emial' is no rule that these "
        "columns make. Did you mean 'email'?"
    )


def _of_table(key: str, value: float) -> Callable[[dict[str, Any]], None]:
    def change(model: dict[str, Any]) -> None:
        model["tables"][0][key][0] = value

    return change


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda model: model.pop("tables"), "tables"),
        (lambda model: model.update(prior=1.5), "prior"),
        (lambda model: model.update(prior="ann@example.com"), "prior"),
        (_of_table("m", 1.5), "tables[0].m[0]"),
        (_of_table("u", -0.1), "tables[0].u[0]"),
        (_of_table("households", float("nan")), "tables[0].households[0]"),
        (lambda model: model["tables"][0]["m"].pop(), ""),
        (lambda model: model["matching"]["columns"].popitem(), ""),
    ],
)
def test_a_broken_model_is_a_problem(
    conf: Path, change: Callable[[dict[str, Any]], None], key: str
) -> None:
    path = conf / "identity" / "model.json"
    model = json.loads(path.read_text())
    change(model)
    path.write_text(json.dumps(model))

    (problem,) = _told(conf)

    assert problem.startswith(f"conf/identity/model.json: {key}{': ' if key else ''}")
    assert "Train one with `goldenlake identity train`" in problem
    assert "ann@example.com" not in problem


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_model_that_is_no_json_is_a_problem(conf: Path, content: bytes) -> None:
    (conf / "identity" / "model.json").write_bytes(content)

    (problem,) = _told(conf)

    assert problem.startswith("conf/identity/model.json: ")
