"""Names of all records as codes of tokens, with what the kernels need of each token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from goldenlake.identity.matching import names as naming
from goldenlake.identity.matching.arrays import MISSING, Codes
from goldenlake.identity.matching.attributes import Aliases, Groups, Values, aliases_of
from goldenlake.identity.matching.frequencies import LEAST_HOLDERS
from goldenlake.identity.matching.names import NO_NAME, Name
from goldenlake.identity.matching.texts import Texts, over_distinct

MOST_OTHERS = 6
"""Tokens between given and family name that are compared."""


@dataclass(frozen=True)
class Names:
    """Codes of tokens, MISSING where there is none."""

    given: Codes
    family: Codes
    others: Codes
    """(records, MOST_OTHERS)"""
    texts: Texts
    alias_pairs: Aliases
    """Of tokens, besides the known nicknames."""

    @classmethod
    def of(cls, parsed: Sequence[Name], aliases: Aliases) -> Names:
        """Encode names; ``aliases`` are pairs of tokens besides the known nicknames."""
        texts = Texts.of(
            token
            for name in parsed
            for token in (name.given, name.family, *name.others[:MOST_OTHERS])
            if token
        )
        code: dict[str | None, int] = {token: at for at, token in enumerate(texts.values)}
        others = np.full((len(parsed), MOST_OTHERS), MISSING, dtype=np.int32)
        for at, name in enumerate(parsed):
            for place, token in enumerate(name.others[:MOST_OTHERS]):
                others[at, place] = code[token]
        return cls(
            given=np.array([code.get(name.given, MISSING) for name in parsed], dtype=np.int32),
            family=np.array([code.get(name.family, MISSING) for name in parsed], dtype=np.int32),
            others=others,
            texts=texts,
            alias_pairs=aliases,
        )

    @cached_property
    def aliases(self) -> Groups:
        """What each token can stand for."""
        known = naming.alias_groups(self.texts.values)
        learnt = aliases_of(self.texts, self.alias_pairs)
        return Groups.of([{*one, *two} for one, two in zip(known, learnt, strict=True)])

    @cached_property
    def sounds(self) -> Codes:
        """A code a token: equal for tokens that sound alike."""
        return Values.of([naming.sound(token) for token in self.texts.values]).codes


def parsed_full_names(column: pa.ChunkedArray) -> list[Name]:
    """A name a record; a single token is left among the others."""
    return [name or NO_NAME for name in over_distinct(column, naming.of_full_name)]


def parsed_parts(given: pa.ChunkedArray, family: pa.ChunkedArray) -> list[Name]:
    """A name a record, from two columns."""
    sides = (over_distinct(given, naming.tokens), over_distinct(family, naming.tokens))
    return [naming.of_tokens(one or [], other or []) for one, other in zip(*sides, strict=True)]


def mostly_given(parsed: Iterable[Name]) -> frozenset[str]:
    """Tokens that stand more often as given names than as family names, and not seldom."""
    given, family = Counter[str](), Counter[str]()
    for name in parsed:
        if name.given and name.family:
            given[name.given] += 1
            family[name.family] += 1
    return frozenset(
        token for token, count in given.items() if count > family[token] and count >= LEAST_HOLDERS
    )


def placed(parsed: Sequence[Name], given_names: frozenset[str]) -> list[Name]:
    """Single tokens in the role in which they fit best: the family name, unless known as given."""
    answers = []
    for name in parsed:
        if name.given is None and name.family is None and name.others:
            token, *rest = name.others
            is_given = token in given_names
            name = Name(token if is_given else None, None if is_given else token, tuple(rest))
        answers.append(name)
    return answers
