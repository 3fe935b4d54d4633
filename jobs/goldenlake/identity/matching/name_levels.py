"""Agreement of names: given name, family name and the tokens between them, compiled."""

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
def name_levels(
    left: Codes,
    right: Codes,
    given: Codes,
    family: Codes,
    others: Codes,
    table: Bytes,
    lengths: Codes,
    alias_starts: Codes,
    alias_groups: Codes,
    sounds: Codes,
    out: Levels,
) -> None:
    """Levels of GIVEN, FAMILY and OTHERS for pairs, into ``out`` (pairs, 3).

    ``given``, ``family`` (records) and ``others`` (records, most tokens) hold codes of tokens;
    ``table`` and ``lengths`` spell them, ``sounds`` holds one code for all that sound alike.
    """
    for at in range(len(left)):
        a, b = left[at], right[at]
        ga, gb, fa, fb = given[a], given[b], family[a], family[b]
        if ga < 0 or gb < 0:
            level = 0
        elif ga == gb:
            level = 1
        elif share_group(alias_starts, alias_groups, ga, gb):
            level = 2
        elif (lengths[ga] == 1 or lengths[gb] == 1) and table[ga, 0] == table[gb, 0]:
            level = 4
        elif is_typing_error(table[ga], lengths[ga], table[gb], lengths[gb]):
            level = 3
        elif ga == fb or gb == fa or _is_among(ga, others[b]) or _is_among(gb, others[a]):
            level = 5
        else:
            level = 6
        out[at, 0] = level

        if fa < 0 or fb < 0:
            level = 0
        elif fa == fb:
            level = 1
        elif sounds[fa] == sounds[fb] or is_typing_error(
            table[fa], lengths[fa], table[fb], lengths[fb]
        ):
            level = 2
        elif share_group(alias_starts, alias_groups, fa, fb):
            level = 2
        elif fa == gb or fb == ga or _is_among(fa, others[b]) or _is_among(fb, others[a]):
            level = 3
        else:
            level = 4
        out[at, 1] = level

        if others[a, 0] < 0 or others[b, 0] < 0:
            out[at, 2] = 0
            continue
        level = 3
        for one in others[a]:
            if one < 0:
                break
            if _is_among(one, others[b]):
                level = 1
                break
            for other in others[b]:
                if other < 0:
                    break
                if level == 2:
                    continue
                if (lengths[one] == 1 or lengths[other] == 1) and table[one, 0] == table[other, 0]:
                    level = 2
                elif share_group(alias_starts, alias_groups, one, other) or is_typing_error(
                    table[one], lengths[one], table[other], lengths[other]
                ):
                    level = 2
        out[at, 2] = level
