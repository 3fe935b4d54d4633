"""Aliases learnt from clusters: values that one person's records hold side by side.

A nickname list knows Bill and William; that Oldham lies in Greater Manchester, or that Fanny may
be Frances here, the clusters tell themselves.
"""

from __future__ import annotations

import numpy as np

from goldenlake.identity.matching.arrays import MISSING, Codes
from goldenlake.identity.matching.attributes import Categories, Postcodes, Worded
from goldenlake.identity.matching.frequencies import LEAST_HOLDERS
from goldenlake.identity.matching.records import NAME, Records
from goldenlake.identity.matching.texts import Texts

Aliases = dict[str, tuple[tuple[str, str], ...]]


def learnt(records: Records, cluster: Codes, clusters: int, lift: float) -> Aliases:
    """Pairs of values by attribute: together in at least so many clusters, and so many times more
    often than by chance.
    """
    answers: Aliases = {}
    if records.names is not None:
        names = records.names
        given = together(cluster, names.given, names.texts, clusters, lift)
        family = together(cluster, names.family, names.texts, clusters, lift)
        answers[NAME] = tuple(sorted({*given, *family}))
    for column, attribute in records.attributes.items():
        match attribute:
            case Postcodes(values):
                districts = attribute.districts.at(values.codes)
                codes, texts = districts.codes, districts.texts
            case Worded(values) | Categories(values):
                codes, texts = values.codes, values.texts
            case _:
                continue
        answers[column] = tuple(together(cluster, codes, texts, clusters, lift))
    return {attribute: pairs for attribute, pairs in answers.items() if pairs}


def together(
    cluster: Codes, codes: Codes, texts: Texts, clusters: int, lift: float
) -> list[tuple[str, str]]:
    """Pairs of values that meet in clusters, in the order of their texts; none that LEAST_HOLDERS
    clusters do not hold, since a cluster is a person.
    """
    distinct = max(len(texts.values), 1)
    has = codes != MISSING
    held = np.unique(cluster[has].astype(np.int64) * distinct + codes[has])
    owner, value = held // distinct, held % distinct
    holders = np.bincount(value, minlength=distinct)
    owners = len(np.unique(owner))
    meetings = [np.zeros(0, dtype=np.int64)]
    step = 1
    while step < len(owner) and (same := np.flatnonzero(owner[:-step] == owner[step:])).size:
        meetings.append(value[same] * distinct + value[same + step])
        step += 1
    pairs, count = np.unique(np.concatenate(meetings), return_counts=True)
    one, other = pairs // distinct, pairs % distinct
    often = (count >= clusters) & (count * owners >= lift * holders[one] * holders[other])
    often &= np.minimum(holders[one], holders[other]) >= LEAST_HOLDERS
    return [
        (texts.values[a], texts.values[b])
        for a, b in zip(one[often].tolist(), other[often].tolist(), strict=True)
    ]
