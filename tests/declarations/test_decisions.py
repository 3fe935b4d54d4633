# ruff: noqa: ISC004
"""What stewards decided, held against itself: each contradiction by file and line."""

from __future__ import annotations

import pytest

from support.conf import Conf

FILE = "identity/decisions.yml"


def entry(verdict: str, left: str, right: str) -> str:
    said = ("reason: they said so", "by: ann", "on: 2026-03-01")
    return "\n    ".join([f"  - {verdict}: [shop:{left}, shop:{right}]", *said]) + "\n"


def problems(conf: Conf, *entries: str) -> list[str]:
    conf.write(FILE, "decisions:\n" + "".join(entries))
    return conf.problems()


def test_decisions_that_agree_are_taken(conf: Conf) -> None:
    assert problems(conf, entry("must", "1", "2"), entry("cannot", "2", "3")) == []
    assert [each.is_must for each in conf.load().decisions] == [True, False]


@pytest.mark.parametrize(("second", "word"), [("must", "same"), ("cannot", "other")])
def test_a_pair_that_is_decided_twice_is_named_where_it_is_repeated(
    conf: Conf, second: str, word: str
) -> None:
    (found,) = problems(conf, entry("must", "1", "2"), entry(second, "2", "1"))
    assert found == (
        f"conf/{FILE}:6: decisions[1]: decides shop:1 and shop:2, which decisions[0] decides in "
        f"the {word} way. Keep one of the two."
    )


def test_who_cannot_be_one_but_must_by_others_is_named_with_those_decisions(conf: Conf) -> None:
    (found,) = problems(
        conf,
        entry("must", "1", "2"),
        entry("must", "8", "9"),
        entry("cannot", "1", "3"),
        entry("must", "2", "3"),
        entry("cannot", "8", "1"),
    )
    assert found == (
        f"conf/{FILE}:10: decisions[2].cannot: shop:1 and shop:3 cannot be one person, but by "
        "decisions[0], decisions[3] together they must. Withdraw one of them."
    )


def test_every_contradiction_is_told_at_once(conf: Conf) -> None:
    found = problems(
        conf,
        entry("must", "1", "2"),
        entry("must", "2", "3"),
        entry("cannot", "1", "3"),
        entry("must", "1", "2"),
    )
    assert [problem.split(":")[1] for problem in found] == ["10", "14"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("  - {must: [shop:1, shop:1], reason: same, by: ann, on: 2026-03-01}\n",
         "2: decisions[0]: names one record twice; name two."),
        ("  - {reason: same, by: ann, on: 2026-03-01}\n",
         "2: decisions[0]: write either must or cannot, with two record ids."),
        ("  - {must: [shop:1, shopp:1], reason: same, by: ann, on: 2026-03-01}\n",
         "2: decisions[0].must: record ids begin with their source, and 'shopp' is none. Did you "
         "mean 'shop'?"),
    ],
)  # fmt: skip
def test_an_entry_that_says_nothing_clear_is_named_by_its_line(
    conf: Conf, text: str, says: str
) -> None:
    assert problems(conf, text) == [f"conf/{FILE}:{says}"]
