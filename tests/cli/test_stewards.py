"""Commands that show personal values: what they write is for their owner alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from goldenlake.cli.installation import Installation
from goldenlake.errors import ExitCode
from goldenlake.identity.evidence import Link
from goldenlake.reporting.pairs import PairExplanation
from goldenlake.reporting.private import write_private
from goldenlake.reporting.reviews import ReviewPair
from goldenlake.steps import explain_pair, review

LINK = Link(
    left="shop:1", right="shop:2", identifier="phone", strength="weak", rule="same phone",
    linked_on=None,
)  # fmt: skip
FOUND = ReviewPair(
    kind="bridge", left="shop:1", right="shop:2", link=LINK, left_customer="c_1",
    right_customer="c_1", bits=2.0, affected=4,
    left_values={"email": "ann@example.com"}, right_values={}, waterfall=None,
)  # fmt: skip
EXPLAINED = PairExplanation(
    left="shop:1", right="shop:2", left_customer="c_1", right_customer="c_1",
    is_one_component=True, generation=3, left_values={"email": "ann@example.com"},
    right_values={}, waterfall=None, scored=None, model=None, keys=(), values=(), links=(LINK,),
    path=(LINK,), decisions=(), apart=(),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _no_lake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Installation, "tables", None)
    monkeypatch.setattr(review.Review, "run", lambda *_: [FOUND])
    monkeypatch.setattr(explain_pair.ExplainPair, "run", lambda *_: EXPLAINED)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_review_is_readable_by_its_owner_alone_and_says_that_it_is_personal(
    goldenlake: Any, conf: Any, tmp_path: Path
) -> None:
    out = tmp_path / "asked"
    ended = goldenlake("identity", "review", "--out", str(out), "--conf", str(conf.path))
    assert ended.code == 0
    files = sorted(out.iterdir())
    assert [file.name for file in files] == ["review.csv", "review.html", "review.parquet"]
    assert {mode(file) for file in files} == {0o600}
    assert "ann@example.com" in (out / "review.html").read_text()
    assert "ann@example.com" not in ended.out + ended.err
    assert "the files hold personal values" in " ".join(ended.err.split())
    assert "hold personal values" in goldenlake("identity", "review", "--help").out


def test_the_page_of_a_pair_is_readable_by_its_owner_alone(
    goldenlake: Any, conf: Any, tmp_path: Path
) -> None:
    page = tmp_path / "pages" / "pair.html"
    ended = goldenlake("explain", "shop:1", "shop:2", "--html", str(page), "--conf", str(conf.path))
    assert ended.code == 0
    assert "shop:1 — shop:2: one person, c_1, in generation 3" in ended.out
    assert mode(page) == 0o600
    assert "ann@example.com" not in ended.err


def test_a_page_is_for_two_records(goldenlake: Any, conf: Any) -> None:
    ended = goldenlake("explain", "shop:1", "--html", "x.html", "--conf", str(conf.path))
    assert ended.code == ExitCode.DECLARATION
    assert "Name a second record id" in ended.err


def test_a_private_file_stays_private_where_an_open_one_stood(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [path]
