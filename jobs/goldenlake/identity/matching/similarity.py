"""Similarity of short texts, compiled: rows of a byte table, so that no Python object is touched.

A text is a row of ``uint8`` and a length. All measures are symmetric.
"""

from __future__ import annotations

import numpy as np

from goldenlake.identity.matching.arrays import Bytes, Codes
from goldenlake.identity.matching.compiled import compiled


@compiled
def edits(one: Bytes, n: int, other: Bytes, m: int, limit: int) -> int:
    """Edits from one text to the other, at most ``limit + 1``.

    Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, where
    no part is edited twice (Damerau 1964). Gives up as soon as the limit cannot be kept.
    """
    if abs(n - m) > limit:
        return limit + 1
    before = np.zeros(m + 1, dtype=np.int32)
    last = np.arange(m + 1).astype(np.int32)
    row = np.zeros(m + 1, dtype=np.int32)
    for i in range(1, n + 1):
        row[0] = i
        best = i
        for j in range(1, m + 1):
            cost = 0 if one[i - 1] == other[j - 1] else 1
            value = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost)
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                value = min(value, before[j - 2] + 1)
            row[j] = value
            best = min(best, value)
        if best > limit:
            return limit + 1
        before, last, row = last, row, before
    return min(int(last[m]), limit + 1)


@compiled
def levenshtein(one: Bytes, n: int, other: Bytes, m: int) -> int:
    """Insertions, deletions and substitutions from one text to the other (Levenshtein 1966)."""
    row = np.arange(m + 1)
    for i in range(n):
        before = row[0]
        row[0] = i + 1
        for j in range(m):
            cost = 0 if one[i] == other[j] else 1
            value = min(row[j] + 1, row[j + 1] + 1, before + cost)
            before = row[j + 1]
            row[j + 1] = value
    return int(row[m])


@compiled
def damerau_levenshtein(one: Bytes, n: int, other: Bytes, m: int) -> int:
    """As ``levenshtein``, with swaps of neighbours, between which there may be edits.

    Lowrance and Wagner 1975: "ca" becomes "abc" by two, where ``edits`` takes three.
    """
    table = np.full((n + 2, m + 2), n + m)
    table[1, 1:] = np.arange(m + 1)
    table[1:, 1] = np.arange(n + 1)
    row_of = np.zeros(256, dtype=np.int64)
    for i in range(1, n + 1):
        column = 0
        for j in range(1, m + 1):
            above, aside = row_of[other[j - 1]], column
            cost = 1
            if one[i - 1] == other[j - 1]:
                cost = 0
                column = j
            table[i + 1, j + 1] = min(
                table[i, j] + cost,
                table[i + 1, j] + 1,
                table[i, j + 1] + 1,
                table[above, aside] + (i - above - 1) + 1 + (j - aside - 1),
            )
        row_of[one[i - 1]] = i
    return int(table[n + 1, m + 1])


@compiled
def jaro(one: Bytes, n: int, other: Bytes, m: int) -> float:
    """Jaro similarity from 0 to 1 (Jaro 1989)."""
    if n == 0 or m == 0:
        return 0.0
    window = max(max(n, m) // 2 - 1, 0)
    used_one = np.zeros(n, dtype=np.bool_)
    used_other = np.zeros(m, dtype=np.bool_)
    common = 0
    for i in range(n):
        for j in range(max(0, i - window), min(m, i + window + 1)):
            if not used_other[j] and one[i] == other[j]:
                used_one[i] = True
                used_other[j] = True
                common += 1
                break
    if common == 0:
        return 0.0
    swapped = 0
    j = 0
    for i in range(n):
        if used_one[i]:
            while not used_other[j]:
                j += 1
            if one[i] != other[j]:
                swapped += 1
            j += 1
    return (common / n + common / m + (common - swapped // 2) / common) / 3.0


@compiled
def jaro_winkler(one: Bytes, n: int, other: Bytes, m: int) -> float:
    """Jaro-Winkler similarity from 0 to 1 (Winkler 1990), prefix weight 0.1 for up to 4 letters."""
    similarity = jaro(one, n, other, m)
    if similarity <= 0.7:
        return similarity
    prefix = 0
    while prefix < min(4, n, m) and one[prefix] == other[prefix]:
        prefix += 1
    return similarity + prefix * 0.1 * (1.0 - similarity)


@compiled
def is_typing_error(one: Bytes, n: int, other: Bytes, m: int) -> bool:
    """Whether one text may be the other, mistyped: one edit from 3 letters on, two from 7 on."""
    shorter = min(n, m)
    if shorter < 3:
        return False
    limit = 2 if shorter >= 7 else 1
    return edits(one, n, other, m, limit) <= limit


@compiled
def share_group(starts: Codes, groups: Codes, one: int, other: int) -> bool:
    """Whether two tokens share a group; each token's groups are sorted."""
    i, i_end = starts[one], starts[one + 1]
    j, j_end = starts[other], starts[other + 1]
    while i < i_end and j < j_end:
        if groups[i] == groups[j]:
            return True
        if groups[i] < groups[j]:
            i += 1
        else:
            j += 1
    return False
