"""Whether two values of a trait can belong to one person, and what a value group may link.

Plain Python over the members of one group, which are few: groups are bounded by ``most_records``
and only those in which some trait has two values come here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from nicknames import NickNamer
from rapidfuzz.distance import Levenshtein

from goldenlake.columns.namekeys import given_key

#: Endings that tell Paul from Paula and Christian from Christina. Names that differ in nothing
#: else are two people who may well share a phone, and not one person with a typing error.
_TELLING_ENDING = re.compile(r"|[aeioyns]|a[hn]|e[ns]|i[aens]|n[ae]|us|[kl]e|la|in[ae]|elle|ette")


class Member(NamedTuple):
    """A record in a value group, with its traits in the order of ``unless_differ``."""

    record_id: str
    traits: tuple[str | None, ...]


class Verdict(NamedTuple):
    """What one group links: pairs (left < right), and whether any two of its records conflict."""

    pairs: list[tuple[str, str]]
    is_conflicting: bool


def agree(trait: str, one: str, other: str) -> bool:
    """Whether the two values, of names the keys, can be one person's. Symmetric, not transitive."""
    if one == other:
        return True
    return trait == "given_name" and _given_names_agree(*sorted((one, other), key=_by_length))


def verdict(members: Sequence[Member], traits: Sequence[str]) -> Verdict:
    """The pairs that one value group links.

    No two records conflict: all are linked. Otherwise the traits in which some two differ are in
    dispute, and

    - a record that lacks a disputed trait could be either person's: it is linked to none;
    - the others fall into parts that are connected by agreement. Agreement is not transitive
      ("J" agrees with John and with Jane), so a part in which any two conflict is not linked as
      it stands: in it only records with the same values in the disputed traits are linked, and
      records with nothing but an initial are linked to none.

    So no two conflicting records are ever connected by one value, and the pairs depend on nothing
    but the group: neither on the order of its members nor on the night.
    """
    classes: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    for member in members:
        classes[member.traits].append(member.record_id)
    disputed = {
        at
        for one, other in combinations(classes, 2)
        for at, trait in enumerate(traits)
        if _conflict_in(at, trait, one, other)
    }
    if not disputed:
        return Verdict(_star(record for of in classes.values() for record in of), False)
    carriers = [values for values in classes if all(values[at] is not None for at in disputed)]
    pairs: list[tuple[str, str]] = []
    for part in _parts(carriers, traits):
        if not any(_conflict(traits, one, other) for one, other in combinations(part, 2)):
            pairs += _star(record for values in part for record in classes[values])
            continue
        same: dict[Hashable, list[str]] = defaultdict(list)
        for values in part:
            if not any(_is_vague(traits[at], values[at]) for at in disputed):
                same[tuple(values[at] for at in sorted(disputed))] += classes[values]
        for records in same.values():
            pairs += _star(records)
    return Verdict(sorted(pairs), True)


def _conflict_in(
    at: int, trait: str, one: Sequence[str | None], other: Sequence[str | None]
) -> bool:
    left, right = one[at], other[at]
    return left is not None and right is not None and not agree(trait, left, right)


def _conflict(
    traits: Sequence[str], one: Sequence[str | None], other: Sequence[str | None]
) -> bool:
    return any(_conflict_in(at, trait, one, other) for at, trait in enumerate(traits))


def _parts(
    classes: Sequence[tuple[str | None, ...]], traits: Sequence[str]
) -> list[list[tuple[str | None, ...]]]:
    """The classes, split into parts that are connected by agreement."""
    left = list(classes)
    parts = []
    while left:
        part, frontier = [], [left.pop()]
        while frontier:
            reached = frontier.pop()
            part.append(reached)
            frontier += [each for each in left if not _conflict(traits, reached, each)]
            left = [each for each in left if _conflict(traits, reached, each)]
        parts.append(part)
    return parts


def _star(records: Iterable[str]) -> list[tuple[str, str]]:
    first, *others = sorted(set(records))
    return [(first, other) for other in others]


def _is_vague(trait: str, value: str | None) -> bool:
    return trait == "given_name" and value is not None and len(value) == 1


def _by_length(value: str) -> tuple[int, str]:
    return len(value), value


@lru_cache(maxsize=100_000)
def _given_names_agree(shorter: str, longer: str) -> bool:
    if len(shorter) == 1:
        return longer.startswith(shorter)
    # Who mistypes a word hardly ever does so in its first letter (Kukich, "Techniques for
    # automatically correcting words in text", 1992, section 1.2): Jason and Mason are two people.
    if shorter[0] != longer[0]:
        return False
    limit = 2 if len(shorter) >= 8 else 1 if len(shorter) >= 4 else 0
    if Levenshtein.distance(shorter, longer, score_cutoff=limit) > limit:
        return False
    known = _known_given_names()
    return not (shorter in known and longer in known) and not _differ_in_ending(shorter, longer)


def _differ_in_ending(one: str, other: str) -> bool:
    shared = 0
    while shared < min(len(one), len(other)) and one[shared] == other[shared]:
        shared += 1
    return all(_TELLING_ENDING.fullmatch(name[shared:]) for name in (one, other))


@lru_cache(maxsize=1)
def _known_given_names() -> frozenset[str]:
    """Names that are no misspelling of another, as ``given_key`` writes them: John and Joan are two
    people.
    """
    lookup = NickNamer.default_lookup()
    names = {*lookup, *(nick for of in lookup.values() for nick in of)}
    return frozenset(key for name in names if (key := given_key(name)))
