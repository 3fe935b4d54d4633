"""Agreement of single values: postcodes, places, codes, e-mails, phones; compiled.

Each kernel takes pairs of records, the code of each record's value (MISSING where it has none),
and what its values are made of; it writes one level a pair. Level 0 is always "missing".
"""

from __future__ import annotations

from goldenlake.identity.matching.arrays import Bytes, Codes, Levels
from goldenlake.identity.matching.compiled import compiled
from goldenlake.identity.matching.similarity import (
    edits,
    is_typing_error,
    jaro_winkler,
    share_group,
)

CATEGORY = ("missing", "exact", "alias", "differs")
CODE = ("missing", "exact", "one edit", "differs")
POSTCODE = (
    "missing",
    "exact",
    "one edit",
    "same district",
    "alias of district",
    "same area",
    "differs",
)
WORDS = ("missing", "exact", "similar", "alias", "shares a word", "differs")
EMAIL = (
    "missing",
    "exact",
    "typo in domain",
    "same local part",
    "similar local part",
    "differs",
)
PHONE = ("missing", "exact", "same last digits", "one digit", "differs")


@compiled
def category_levels(
    left: Codes, right: Codes, codes: Codes, alias_starts: Codes, alias_groups: Codes, out: Levels
) -> None:
    """Levels of CATEGORY."""
    for at in range(len(left)):
        one, other = codes[left[at]], codes[right[at]]
        if one < 0 or other < 0:
            out[at] = 0
        elif one == other:
            out[at] = 1
        elif share_group(alias_starts, alias_groups, one, other):
            out[at] = 2
        else:
            out[at] = 3


@compiled
def code_levels(
    left: Codes, right: Codes, codes: Codes, table: Bytes, lengths: Codes, out: Levels
) -> None:
    """Levels of CODE; codes of fewer than four characters have no typing errors."""
    for at in range(len(left)):
        one, other = codes[left[at]], codes[right[at]]
        if one < 0 or other < 0:
            out[at] = 0
        elif one == other:
            out[at] = 1
        elif min(lengths[one], lengths[other]) >= 4 and (
            edits(table[one], lengths[one], table[other], lengths[other], 1) <= 1
        ):
            out[at] = 2
        else:
            out[at] = 3


@compiled
def postcode_levels(
    left: Codes,
    right: Codes,
    codes: Codes,
    table: Bytes,
    lengths: Codes,
    districts: Codes,
    areas: Codes,
    alias_starts: Codes,
    alias_groups: Codes,
    out: Levels,
) -> None:
    """Levels of POSTCODE; ``districts`` and ``areas`` are codes of a postcode's leading parts."""
    for at in range(len(left)):
        one, other = codes[left[at]], codes[right[at]]
        if one < 0 or other < 0:
            out[at] = 0
        elif one == other:
            out[at] = 1
        elif edits(table[one], lengths[one], table[other], lengths[other], 1) <= 1:
            out[at] = 2
        elif districts[one] == districts[other]:
            out[at] = 3
        elif share_group(alias_starts, alias_groups, districts[one], districts[other]):
            out[at] = 4
        elif areas[one] == areas[other]:
            out[at] = 5
        else:
            out[at] = 6


@compiled
def words_levels(
    left: Codes,
    right: Codes,
    codes: Codes,
    table: Bytes,
    lengths: Codes,
    words: Codes,
    alias_starts: Codes,
    alias_groups: Codes,
    out: Levels,
) -> None:
    """Levels of WORDS; ``words`` (values, most words) holds the codes of telling words."""
    for at in range(len(left)):
        # Jaro-Winkler is not quite symmetric; codes are in the order of the texts.
        one = min(codes[left[at]], codes[right[at]])
        other = max(codes[left[at]], codes[right[at]])
        if one < 0 or other < 0:
            out[at] = 0
        elif one == other:
            out[at] = 1
        elif (
            is_typing_error(table[one], lengths[one], table[other], lengths[other])
            or jaro_winkler(table[one], lengths[one], table[other], lengths[other]) >= 0.92
        ):
            out[at] = 2
        elif share_group(alias_starts, alias_groups, one, other):
            out[at] = 3
        else:
            level = 5
            for word in words[one]:
                if word < 0:
                    break
                for candidate in words[other]:
                    if candidate < 0:
                        break
                    if word == candidate:
                        level = 4
            out[at] = level


@compiled
def email_levels(
    left: Codes,
    right: Codes,
    codes: Codes,
    locals_of: Codes,
    local_table: Bytes,
    local_lengths: Codes,
    domains: Codes,
    domain_table: Bytes,
    domain_lengths: Codes,
    out: Levels,
) -> None:
    """Levels of EMAIL; ``locals_of`` and ``domains`` hold the codes of a value's two parts."""
    for at in range(len(left)):
        one, other = codes[left[at]], codes[right[at]]
        if one < 0 or other < 0:
            out[at] = 0
            continue
        if one == other:
            out[at] = 1
            continue
        a, b = locals_of[one], locals_of[other]
        if a == b:
            host, guest = domains[one], domains[other]
            is_typo = is_typing_error(
                domain_table[host], domain_lengths[host], domain_table[guest], domain_lengths[guest]
            )
            out[at] = 2 if is_typo else 3
        elif is_typing_error(local_table[a], local_lengths[a], local_table[b], local_lengths[b]):
            out[at] = 4
        else:
            out[at] = 5


@compiled
def phone_levels(
    left: Codes, right: Codes, codes: Codes, table: Bytes, lengths: Codes, out: Levels
) -> None:
    """Levels of PHONE; the seven last digits are taken for the subscriber's number."""
    for at in range(len(left)):
        one, other = codes[left[at]], codes[right[at]]
        if one < 0 or other < 0:
            out[at] = 0
        elif one == other:
            out[at] = 1
        else:
            n, m = lengths[one], lengths[other]
            same = 0
            while same < min(n, m) and table[one, n - 1 - same] == table[other, m - 1 - same]:
                same += 1
            if same >= 7:
                out[at] = 2
            elif edits(table[one], n, table[other], m, 1) <= 1:
                out[at] = 3
            else:
                out[at] = 4
