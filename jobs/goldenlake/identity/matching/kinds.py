"""Ready-made comparisons, by name: their levels, and where the frequency of a value counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from goldenlake.identity.matching.arrays import Flags, Floats
from goldenlake.identity.matching.date_levels import DATE
from goldenlake.identity.matching.name_levels import FAMILY, GIVEN, OTHERS
from goldenlake.identity.matching.value_levels import CATEGORY, CODE, EMAIL, PHONE, POSTCODE, WORDS


@dataclass(frozen=True)
class Kind:
    """A comparison of two values, whatever column they come from."""

    levels: tuple[str, ...]
    """Names; level 0 is "missing" and neutral."""
    start: tuple[float, ...]
    """m of levels 1 and on before training, up to a factor: also the centre of the prior."""
    full: frozenset[str] = frozenset({"exact"})
    """Levels at which the frequency of the value counts fully."""
    half: frozenset[str] = frozenset()
    """Levels at which the frequency of the commoner of two values counts half."""
    is_personal: bool = False
    """Whether people of one household differ in it as strangers do."""

    def flags(self, names: frozenset[str]) -> Flags:
        """Which levels are among ``names``."""
        return np.array([level in names for level in self.levels], dtype=np.bool_)

    @property
    def start_m(self) -> Floats:
        """``start`` as probabilities."""
        start = np.array(self.start)
        return np.asarray(start / start.sum())


KINDS: Mapping[str, Kind] = {
    "given": Kind(
        GIVEN,
        (60, 10, 10, 5, 5, 10),
        half=frozenset({"alias", "typo", "crossed"}),
        is_personal=True,
    ),
    "family": Kind(FAMILY, (75, 10, 5, 10), half=frozenset({"alias or typo", "crossed"})),
    "others": Kind(OTHERS, (60, 20, 20), is_personal=True),
    "date": Kind(
        DATE,
        (45, 25, 10, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1),
        full=frozenset({"exact", "exact, a default"}),
        is_personal=True,
    ),
    "postcode": Kind(POSTCODE, (70, 5, 10, 3, 5, 10)),
    "words": Kind(WORDS, (70, 10, 3, 5, 15), half=frozenset({"similar"})),
    "category": Kind(CATEGORY, (80, 3, 20)),
    "gender": Kind(CATEGORY, (90, 1, 9), full=frozenset(), is_personal=True),
    "code": Kind(CODE, (80, 10, 10)),
    "email": Kind(EMAIL, (70, 5, 5, 5, 15)),
    "phone": Kind(PHONE, (70, 10, 5, 15)),
}
"""m's order of size is common knowledge (most values of one person agree); EM finds the rest."""

KIND_OF_ROLE: Mapping[str, str] = {
    "birth_date": "date",
    "email": "email",
    "phone": "phone",
    "postcode": "postcode",
    "place": "words",
    "address": "words",
    "gender": "gender",
    "category": "category",
    "code": "code",
}
