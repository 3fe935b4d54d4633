"""Agreement of names: given name, family name and the tokens between them, compiled.

All functions take codes of tokens. ``table`` and ``lengths`` spell the tokens; ``starts`` and
``groups`` say which of them are aliases; ``sounds`` holds one code for all that sound alike.
"""

from __future__ import annotations

from goldenlake.identity.matching.arrays import Bytes, Codes, Levels
from goldenlake.identity.matching.compiled import compiled
from goldenlake.identity.matching.similarity import is_typing_error, share_group

GIVEN = ("missing", "exact", "alias", "typo", "initial", "crossed", "differs")
FAMILY = ("missing", "exact", "alias or typo", "crossed", "differs")
OTHERS = ("missing", "exact", "similar", "differs")


@compiled
def _is_among(token: int, tokens: Codes) -> bool:
    for other in tokens:
        if other == token:
            return True
        if other < 0:
            return False
    return False


@compiled
def _is_initial(one: int, other: int, table: Bytes, lengths: Codes) -> bool:
    is_short = lengths[one] == 1 or lengths[other] == 1
    return bool(is_short and table[one, 0] == table[other, 0])


@compiled
def _given_level(
    one: int, other: int, table: Bytes, lengths: Codes, starts: Codes, groups: Codes
) -> int:
    if one == other:
        return 1
    if share_group(starts, groups, one, other):
        return 2
    if _is_initial(one, other, table, lengths):
        return 4
    if is_typing_error(table[one], lengths[one], table[other], lengths[other]):
        return 3
    return 6


@compiled
def _family_level(
    one: int,
    other: int,
    table: Bytes,
    lengths: Codes,
    starts: Codes,
    groups: Codes,
    sounds: Codes,
) -> int:
    if one == other:
        return 1
    if sounds[one] == sounds[other] or share_group(starts, groups, one, other):
        return 2
    if is_typing_error(table[one], lengths[one], table[other], lengths[other]):
        return 2
    return 4


@compiled
def _others_level(
    ones: Codes, others: Codes, table: Bytes, lengths: Codes, starts: Codes, groups: Codes
) -> int:
    if ones[0] < 0 or others[0] < 0:
        return 0
    level = 3
    for one in ones:
        if one < 0:
            break
        for other in others:
            if other < 0:
                break
            pair = _given_level(one, other, table, lengths, starts, groups)
            if pair == 1:
                return 1
            if pair < 6:
                level = 2
    return level


@compiled
def name_levels(
    left: Codes,
    right: Codes,
    given: Codes,
    family: Codes,
    others: Codes,
    table: Bytes,
    lengths: Codes,
    starts: Codes,
    groups: Codes,
    sounds: Codes,
    out: Levels,
) -> None:
    """Levels of GIVEN, FAMILY and OTHERS for pairs of records, into ``out`` (pairs, 3).

    ``given``, ``family`` (records,) and ``others`` (records, most tokens) hold codes of tokens. A
    name is crossed where one record has it elsewhere: swapped, in a compound, or in the middle.
    """
    for at in range(len(left)):
        a, b = left[at], right[at]
        ga, gb, fa, fb = given[a], given[b], family[a], family[b]
        level = 0
        if ga >= 0 and gb >= 0:
            level = _given_level(ga, gb, table, lengths, starts, groups)
            if level == 6 and (
                ga == fb or gb == fa or _is_among(ga, others[b]) or _is_among(gb, others[a])
            ):
                level = 5
        out[at, 0] = level
        level = 0
        if fa >= 0 and fb >= 0:
            level = _family_level(fa, fb, table, lengths, starts, groups, sounds)
            if level == 4 and (
                fa == gb or fb == ga or _is_among(fa, others[b]) or _is_among(fb, others[a])
            ):
                level = 3
        out[at, 1] = level
        out[at, 2] = _others_level(others[a], others[b], table, lengths, starts, groups)
