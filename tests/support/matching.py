"""Small populations and short ways for the tests of probabilistic matching."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from goldenlake.declarations.matching import Matching
from goldenlake.identity.matching.comparisons import compare, plan_of
from goldenlake.identity.matching.records import Vocabulary, encoded

_GIVEN = ("john", "mary", "peter", "anna", "paul", "laura", "mark", "emma", "olga", "ivan", "clara")
_FAMILY = ("smith", "jones", "brown", "clark", "lewis", "walker", "young", "king", "wright", "hill")
_TOWNS = ("leeds", "york", "bath", "derby", "hull", "ripon", "ely", "wells")

ROLES = {
    "given": "given_name",
    "family": "family_name",
    "born": "birth_date",
    "postcode": "postcode",
    "town": "place",
}


def matching(columns: dict[str, str] | None = None, **parts: object) -> Matching:
    """A declaration with small defaults for tests."""
    training = {"random_pairs": 100_000, **dict(parts.pop("training", {}))}  # type: ignore[call-overload]
    return Matching.model_validate({"columns": columns or ROLES, "training": training, **parts})


def level_of(role: str, one: str | None, other: str | None, **more: object) -> str:
    """The name of the level at which two values of one role agree."""
    columns = {"x": role, "other": "category"}
    table = pa.table({"x": pa.array([one, other], pa.string()), "other": ["a", "b"]})
    vocabulary = Vocabulary(**more)  # type: ignore[arg-type]
    return levels_of(table, columns, vocabulary)[0][1]


def levels_of(
    table: pa.Table, columns: dict[str, str], vocabulary: Vocabulary | None = None
) -> list[tuple[str, str]]:
    """Comparisons and the names of their levels, for the first two records of a table."""
    declared = matching(columns)
    plan = plan_of(declared)
    records = encoded(table, declared, vocabulary or Vocabulary())
    one, other = np.array([0], dtype=np.int32), np.array([1], dtype=np.int32)
    levels = compare(records, plan, one, other)[0]
    assert (levels == compare(records, plan, other, one)[0]).all(), "comparisons are symmetric"
    return [
        (comparison.name, comparison.kind.levels[level])
        for comparison, level in zip(plan.comparisons, levels, strict=True)
    ]


def population(
    persons: int, seed: int = 1, *, household: int = 1
) -> tuple[pa.Table, NDArray[np.int64]]:
    """Two or three records of each person, some with errors, and who is who.

    People of a household share family name, postcode and town.
    """
    draw = random.Random(seed)
    rows: list[dict[str, str | None]] = []
    who: list[int] = []
    home: dict[str, str] = {}
    for person in range(persons):
        if person % household == 0:
            postcode = f"{draw.choice('ABCDE')}{draw.randrange(10, 60)} {draw.randrange(10)}XY"
            family = f"{draw.choice(_FAMILY)}{draw.choice(['', 'son', 'ley', 'ton'])}"
            home = {"family": family, "postcode": postcode, "town": draw.choice(_TOWNS)}
        born = f"{draw.randrange(1930, 2010)}-{draw.randrange(2, 13):02}-{draw.randrange(2, 29):02}"
        true = {"given": draw.choice(_GIVEN), "born": born, **home}
        for _ in range(draw.choice((2, 2, 3))):
            rows.append({column: _mistaken(value, draw) for column, value in true.items()})
            who.append(person)
    order = list(range(len(rows)))
    draw.shuffle(order)
    return pa.Table.from_pylist([rows[at] for at in order]), np.array([who[at] for at in order])


def _mistaken(value: str, draw: random.Random) -> str | None:
    chance = draw.random()
    if chance < 0.05:
        return None
    if chance < 0.12:
        at = draw.randrange(len(value))
        return value[:at] + draw.choice("abcdefgh12345") + value[at + 1 :]
    return value
