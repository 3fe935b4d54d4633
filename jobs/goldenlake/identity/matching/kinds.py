"""Ready-made comparisons, by name: their levels, and where the frequency of a value counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from goldenlake.identity.matching.arrays import Floats
from goldenlake.identity.matching.date_levels import DATE
from goldenlake.identity.matching.frequencies import MOST_BITS
from goldenlake.identity.matching.name_levels import FAMILY, GIVEN, OTHERS
from goldenlake.identity.matching.value_levels import CATEGORY, CODE, EMAIL, PHONE, POSTCODE, WORDS

_FULLY: Mapping[str, float] = {"exact": 1.0}


@dataclass(frozen=True)
class Kind:
    """A comparison of two values, whatever column they come from."""

    levels: tuple[str, ...]
    """Names; level 0 is "missing" and neutral."""
    start: tuple[float, ...]
    """m of levels 1 and on before training, up to a factor: also the centre of the prior."""
    frequency: Mapping[str, float] = field(default_factory=lambda: _FULLY)
    """Levels at which the frequency of the commoner of two values counts, and how far."""
    most_bits: float = MOST_BITS
    """So much a frequency adds or takes, fully counted."""
    most_bits_at: Mapping[str, float] = field(default_factory=dict)
    """Levels at which it adds at most so much."""
    is_personal: bool = False
    """Whether people of one household differ in it as strangers do."""

    def at_levels(self, named: Mapping[str, float], otherwise: float) -> Floats:
        """A number for each level, ``otherwise`` where it is not named."""
        return np.array([named.get(level, otherwise) for level in self.levels])

    @property
    def start_m(self) -> Floats:
        """``start`` as probabilities."""
        start = np.array(self.start)
        return np.asarray(start / start.sum())


KINDS: Mapping[str, Kind] = {
    "given": Kind(
        GIVEN,
        (60, 10, 10, 5, 5, 10),
        {**_FULLY, "alias": 0.5, "typo": 0.5, "crossed": 0.5},
        is_personal=True,
    ),
    "family": Kind(FAMILY, (75, 10, 5, 10), {**_FULLY, "alias or typo": 0.5, "crossed": 0.5}),
    "others": Kind(OTHERS, (60, 20, 20), is_personal=True),
    "date": Kind(
        DATE,
        (45, 25, 10, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1),
        {**_FULLY, "exact, a default": 1.0},
        is_personal=True,
    ),
    "postcode": Kind(POSTCODE, (70, 5, 10, 3, 5, 10)),
    "words": Kind(WORDS, (70, 10, 3, 5, 15), {**_FULLY, "similar": 0.5}),
    "category": Kind(CATEGORY, (80, 3, 20)),
    "gender": Kind(CATEGORY, (90, 1, 9), {}, is_personal=True),
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
