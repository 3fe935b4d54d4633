"""From codes to texts, each distinct code spelled once."""

from collections.abc import Callable

import numpy as np

from goldenlake.sample.draws import Ints

NOTHING = -1
"""The code of an identifier that was not given."""


def spelled(
    codes: Ints, spell: Callable[[Ints], list[str]], missing: str | None = None
) -> list[str | None]:
    """The text of every code, and ``missing`` for :data:`NOTHING`."""
    distinct, where = np.unique(codes, return_inverse=True)
    texts = np.full(len(distinct), missing, dtype=object)
    given = distinct != NOTHING
    if given.any():
        texts[given] = spell(distinct[given])
    every: list[str | None] = texts[where].tolist()
    return every


CLOCK = np.array(
    [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_400)], dtype=object
)
"""``HH:MM:SS`` for every second of a day."""
