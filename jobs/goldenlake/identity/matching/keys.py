"""Blocking keys, derived from the roles of the columns: one default serves every data set.

Parts of a person's name, of when and where they were born or live, and what they are; keys are
single parts that are telling by themselves and pairs of parts of different sorts. Broad keys are
admitted because hot ones fall to the cap, and their pairs to the narrower ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from goldenlake.identity.matching import names as naming
from goldenlake.identity.matching.arrays import Hashes
from goldenlake.identity.matching.attributes import (
    Categories,
    Dates,
    Emails,
    Postcodes,
    Values,
    Worded,
    district,
    local_part,
    phone_tail,
)
from goldenlake.identity.matching.name_attribute import Names
from goldenlake.identity.matching.records import Records

MOST_TOKENS = 5
"""Tokens of a name that make keys: given, family and three others."""

Parts = Mapping[str, Hashes]


@dataclass
class _Sorts:
    """Hashes of the records' parts by sort and name; 0 where a record has none."""

    strong: dict[str, Hashes] = field(default_factory=dict)
    when: dict[str, Hashes] = field(default_factory=dict)
    where: dict[str, Hashes] = field(default_factory=dict)
    what: dict[str, Hashes] = field(default_factory=dict)
    tokens: dict[str, Hashes] = field(default_factory=dict)
    sounds: dict[str, Hashes] = field(default_factory=dict)


def keys_of(records: Records, genders: frozenset[str] = frozenset()) -> list[tuple[str, Hashes]]:
    """Rules in the order in which pairs are born: name, and hashes of the records' keys."""
    sorts = _sorted_parts(records, genders)
    dates = {name: part for name, part in sorts.when.items() if not name.endswith((".year", ".day"))}
    partial = {name: part for name, part in sorts.when.items() if name not in dates}
    whole = {name: part for name, part in sorts.where.items() if not name.endswith(".district")}
    narrow = {name: part for name, part in sorts.where.items() if name not in whole}
    rules = list(sorts.strong.items())
    rules += _crossed(dates, sorts.where)
    for name, part in sorts.tokens.items():
        rules.append((f"{name} pair", _pairs_within(part)))
    rules += _crossed(sorts.tokens, dates) + _crossed(sorts.tokens, sorts.where)
    rules += _crossed(sorts.tokens, partial) + _crossed(sorts.tokens, sorts.what)
    rules += _pairwise(whole)
    rules += list(whole.items()) + list(sorts.tokens.items())
    if records.names is not None:
        rules += _sound_rules(records.names, sorts)
    rules += _crossed(partial, sorts.where) + _crossed(dates, sorts.what)
    rules += _crossed(narrow, sorts.what) + list(dates.items())
    return rules


def _sorted_parts(records: Records, genders: frozenset[str]) -> _Sorts:
    sorts = _Sorts()
    if records.names is not None:
        names = records.names
        columns = [names.given[:, None], names.family[:, None], names.others]
        codes = np.concatenate(columns, axis=1)[:, :MOST_TOKENS]
        sorts.tokens["token"] = _looked_up(codes, names.texts.hashes)
        skeletons = Values.of([naming.skeleton(token) for token in names.texts.values])
        by_token = np.append(skeletons.codes, np.int32(-1))
        sorts.sounds["sound"] = _looked_up(by_token[codes[:, :2]], skeletons.texts.hashes)
    for column, attribute in records.attributes.items():
        match attribute:
            case Dates(values):
                sorts.when[column] = _hashes(values)
                sorts.when[f"{column}.year"] = _hashes(values.part(lambda date: date[:4]))
                sorts.when[f"{column}.day"] = _hashes(values.part(_day_of_year))
            case Postcodes(values):
                sorts.where[column] = _hashes(values)
                sorts.where[f"{column}.district"] = _hashes(values.part(district))
            case Worded(values):
                sorts.where[column] = _hashes(values)
            case Emails(values):
                sorts.strong[column] = _hashes(values)
                sorts.strong[f"{column}.local"] = _hashes(values.part(local_part))
            case Categories(values):
                if column not in genders:
                    sorts.what[column] = _hashes(values)
            case Values():
                sorts.strong[column] = _hashes(attribute)
                sorts.what[column] = _hashes(attribute)
    return sorts


def _sound_rules(names: Names, sorts: _Sorts) -> list[tuple[str, Hashes]]:
    initials = Values.of([token[0] for token in names.texts.values])
    initial = _looked_up(
        np.append(initials.codes, np.int32(-1))[names.given], initials.texts.hashes
    )
    sounds = sorts.sounds["sound"]
    coarse = {**sorts.where, **{n: p for n, p in sorts.when.items() if n.endswith(".year")}}
    return [
        ("initial × sound of family", _mixed(initial, sounds[:, 1])),
        ("sounds of both names", _mixed(sounds[:, 0], sounds[:, 1])),
        *_crossed(sorts.sounds, coarse),
    ]


def _day_of_year(date: str) -> str | None:
    return None if date[4:] == "0101" else date[4:]


def _hashes(values: Values) -> Hashes:
    return _looked_up(values.codes, values.texts.hashes)


def _looked_up(codes: np.ndarray, hashes: Hashes) -> Hashes:  # type: ignore[type-arg]
    return np.append(hashes | np.uint64(1), np.uint64(0))[codes]


def _crossed(ones: Parts, others: Parts) -> list[tuple[str, Hashes]]:
    return [
        (f"{one} × {other}", _mixed(a, b))
        for one, a in ones.items()
        for other, b in others.items()
    ]


def _pairwise(parts: Parts) -> list[tuple[str, Hashes]]:
    names = list(parts)
    return [
        (f"{one} × {other}", _mixed(parts[one], parts[other]))
        for at, one in enumerate(names)
        for other in names[at + 1 :]
    ]


def _mixed(one: Hashes, other: Hashes) -> Hashes:
    """Hashes of all combinations of two parts: (records, combinations)."""
    a, b = one.reshape(len(one), -1, 1), other.reshape(len(other), 1, -1)
    mixed = np.where((a == 0) | (b == 0), np.uint64(0), _mix(a, b))
    return mixed.reshape(len(one), a.shape[1] * b.shape[2])


def _pairs_within(parts: Hashes) -> Hashes:
    """Hashes of all unordered pairs of a record's own parts."""
    columns = []
    for at in range(parts.shape[1]):
        for other in range(at + 1, parts.shape[1]):
            low = np.minimum(parts[:, at], parts[:, other])
            high = np.maximum(parts[:, at], parts[:, other])
            columns.append(np.where((low == 0) | (low == high), np.uint64(0), _mix(low, high)))
    return np.stack(columns, axis=1)


def _mix(one: Hashes, other: Hashes) -> Hashes:
    """One hash of two, by the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    z = one * np.uint64(0x9E3779B97F4A7C15) ^ (other + np.uint64(0x632BE59BD9B4E019))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


