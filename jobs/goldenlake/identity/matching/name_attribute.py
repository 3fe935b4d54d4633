"""Names of all records as codes of tokens, with what the kernels need of each token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import pyarrow as pa

from goldenlake.identity.matching import names as naming
from goldenlake.identity.matching.arrays import MISSING, Codes
from goldenlake.identity.matching.attributes import Aliases, Groups, Values, aliases_of
from goldenlake.identity.matching.frequencies import LEAST_HOLDERS
from goldenlake.identity.matching.names import NO_NAME, Name
from goldenlake.identity.matching.texts import Texts, distinct

MOST_OTHERS = 6
"""Tokens between given and family name that are compared."""


@dataclass(frozen=True)
class Parsed:
    """The names of all records, each name once."""

    names: Sequence[Name]
    which: Codes
    """For each record the place of its name."""

    def counts(self) -> Codes:
        """Of how many records each name is."""
        return np.bincount(self.which, minlength=len(self.names)).astype(np.int32)


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
    def of(cls, parsed: Parsed, aliases: Aliases) -> Names:
        """Encode names; ``aliases`` are pairs of tokens besides the known nicknames."""
        given = [name.given for name in parsed.names]
        family = [name.family for name in parsed.names]
        others = [name.others[:MOST_OTHERS] for name in parsed.names]
        texts = Texts.of([token for token in (*given, *family, *chain(*others)) if token])
        return cls(
            given=texts.codes(given)[parsed.which],
            family=texts.codes(family)[parsed.which],
            others=texts.padded(others, MOST_OTHERS)[parsed.which],
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


def parsed_full_names(column: pa.ChunkedArray) -> Parsed:
    """A name a record; a single token is left among the others."""
    texts, which = distinct(column)
    names = [naming.of_full_name(text) for text in texts.to_pylist()]
    return Parsed([*names, NO_NAME], np.where(which == MISSING, len(names), which))


def parsed_parts(given: pa.ChunkedArray, family: pa.ChunkedArray) -> Parsed:
    """A name a record, from two columns."""
    sides = [distinct(given), distinct(family)]
    (givens, one), (families, other) = (
        ([*map(naming.tokens_of_part, texts.to_pylist()), []], which) for texts, which in sides
    )
    # MISSING is -1, and the last of each list is of those that are missing.
    numbers = one.astype(np.int64) * len(families) + other
    _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
    names = [naming.of_tokens(givens[one[at]], families[other[at]]) for at in first.tolist()]
    return Parsed(names, which)


def mostly_given(parsed: Parsed) -> frozenset[str]:
    """Tokens that stand more often as given names than as family names, and not seldom."""
    given, family = Counter[str](), Counter[str]()
    for name, count in zip(parsed.names, parsed.counts().tolist(), strict=True):
        if name.given and name.family:
            given[name.given] += count
            family[name.family] += count
    return frozenset(
        token for token, count in given.items() if count > family[token] and count >= LEAST_HOLDERS
    )


def placed(parsed: Parsed, given_names: frozenset[str]) -> Parsed:
    """Single tokens in the role in which they fit best: the family name, unless known as given."""
    answers = []
    for name in parsed.names:
        if name.given is None and name.family is None and name.others:
            token, *rest = name.others
            is_given = token in given_names
            name = Name(token if is_given else None, None if is_given else token, tuple(rest))
        answers.append(name)
    return Parsed(answers, parsed.which)
