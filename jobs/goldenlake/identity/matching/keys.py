"""Blocking keys, derived from the roles of the columns: one default serves every data set.

Parts of a person's name, of when and where they were born or live, and what they are; keys are
single parts that are telling by themselves and pairs of parts of different sorts. Broad keys are
admitted because hot ones fall to the cap, and their pairs to the narrower ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial

import numpy as np
import pyarrow as pa

from goldenlake.declarations.matching import Matching
from goldenlake.errors import ModelUnfit
from goldenlake.identity.matching import names as naming
from goldenlake.identity.matching.arrays import MISSING, Codes, Hashes
from goldenlake.identity.matching.attributes import (
    Categories,
    Dates,
    Emails,
    Phones,
    Postcodes,
    Values,
    Worded,
    district,
    local_part,
    phone_tail,
)
from goldenlake.identity.matching.name_attribute import Names
from goldenlake.identity.matching.records import (
    Attribute,
    Records,
    Vocabulary,
    encoded,
    values_of,
)

MOST_TOKENS = 5
"""Tokens of a name that make keys: given, family and three others."""
MOST_RULES = 127
"""The rule is the first byte of a key, and a key is a signed number in tables: so keys of later
rules are greater there, too."""

Rule = tuple[str, Hashes]
Recipe = Callable[[], Hashes]
"""Gives hashes of the records' parts or keys, (records,) or (records, several), 0 where one has
none. Most rules are never asked for where a declaration names a few."""
Recipes = Mapping[str, Recipe]


def keys_of(records: Records, matching: Matching) -> list[Rule]:
    """Rules in the order in which pairs are born: name, and hashes of the records' keys.

    Raises ModelUnfit where ``blocking.rules`` names one that there is not, or where there are more
    than MOST_RULES.
    """
    recipes = _recipes(records, matching)
    chosen = matching.blocking.rules or list(recipes)
    if unknown := [name for name in chosen if name not in recipes]:
        raise ModelUnfit(
            f"blocking.rules names {', '.join(unknown)}; there are {', '.join(recipes)}"
        )
    if len(chosen) > MOST_RULES:
        raise ModelUnfit(
            f"its columns make {len(chosen)} blocking rules, of which {MOST_RULES} can be told "
            f"apart: name those that count in blocking.rules. There are {', '.join(chosen)}"
        )
    return [(name, recipe()) for name, recipe in recipes.items() if name in chosen]


def _recipes(records: Records, matching: Matching) -> Recipes:
    attributes = {
        column: attribute
        for column, attribute in records.attributes.items()
        if matching.columns[column] != "gender"
    }
    strong = _parts(attributes, _strong_parts)
    dates, years = _parts(attributes, _dates), _parts(attributes, _parts_of_dates)
    where, districts = _parts(attributes, _places), _parts(attributes, _districts)
    what = _parts(attributes, _categories)
    tokens, sounds = _name_parts(records.names)
    anywhere = {**where, **districts}
    return {
        **strong,
        **_crossed(dates, anywhere),
        **{f"two of {name}": partial(_pairs_within, part) for name, part in tokens.items()},
        **_crossed(tokens, {**dates, **anywhere, **years, **what}),
        **_pairwise(where),
        **where,
        **tokens,
        **_sound_pairs(records.names),
        **_crossed(sounds, {**anywhere, **years}),
        **_crossed(years, anywhere),
        **_crossed({**dates, **districts}, what),
        **dates,
    }


def rule_names(matching: Matching) -> tuple[str, ...]:
    """The names of the rules, in order."""
    nobody = pa.table({column: pa.array([None], pa.string()) for column in matching.columns})
    return tuple(name for name, _ in keys_of(encoded(nobody, matching, Vocabulary()), matching))


def _parts(
    attributes: Mapping[str, Attribute], reading: Callable[[str, Attribute], Recipes]
) -> dict[str, Recipe]:
    found: dict[str, Recipe] = {}
    for column, attribute in attributes.items():
        found.update(reading(column, attribute))
    return found


def _strong_parts(column: str, attribute: Attribute) -> Recipes:
    match attribute:
        case Emails(values):
            return {
                column: _whole(values),
                f"local part of {column}": _partly(values, local_part),
            }
        case Phones(values):
            return {
                column: _whole(values),
                f"end of {column}": _partly(values, phone_tail),
            }
        case Values():
            return {column: _whole(attribute)}
        case _:
            return {}


def _dates(column: str, attribute: Attribute) -> Recipes:
    return {column: _whole(attribute.values)} if isinstance(attribute, Dates) else {}


def _parts_of_dates(column: str, attribute: Attribute) -> Recipes:
    if not isinstance(attribute, Dates):
        return {}
    return {
        f"year of {column}": _partly(attribute.values, lambda date: date[:4]),
        f"day of {column}": _partly(attribute.values, _telling_day),
    }


def _telling_day(date: str) -> str | None:
    return None if date[4:] == "0101" else date[4:]


def _places(column: str, attribute: Attribute) -> Recipes:
    is_place = isinstance(attribute, Postcodes | Worded)
    return {column: _whole(values_of(attribute))} if is_place else {}


def _districts(column: str, attribute: Attribute) -> Recipes:
    if not isinstance(attribute, Postcodes):
        return {}
    return {f"district of {column}": _partly(attribute.values, district)}


def _categories(column: str, attribute: Attribute) -> Recipes:
    is_category = isinstance(attribute, Categories | Values)
    return {column: _whole(values_of(attribute))} if is_category else {}


def _name_parts(names: Names | None) -> tuple[Recipes, Recipes]:
    """Tokens of the name, and sounds of given and family name."""
    if names is None:
        return {}, {}

    @cache
    def tokens() -> Hashes:
        columns = [names.given[:, None], names.family[:, None], names.others]
        return _looked_up(np.concatenate(columns, axis=1)[:, :MOST_TOKENS], names.texts.hashes)

    @cache
    def sounds() -> Hashes:
        return np.stack([_sounds(names, names.given), _sounds(names, names.family)], axis=1)

    return {"token": tokens}, {"sound": sounds}


def _sound_pairs(names: Names | None) -> Recipes:
    if names is None:
        return {}

    def initials() -> Hashes:
        first = Values.of([token[0] for token in names.texts.values])
        initial = _looked_up(_of_tokens(first, names.given), first.texts.hashes)
        return _mixed(initial, _sounds(names, names.family))

    return {
        "initial × sound of family name": initials,
        "sounds of both names": lambda: _mixed(
            _sounds(names, names.given), _sounds(names, names.family)
        ),
    }


def _sounds(names: Names, tokens: Codes) -> Hashes:
    skeletons = Values.of([naming.skeleton(token) for token in names.texts.values])
    return _looked_up(_of_tokens(skeletons, tokens), skeletons.texts.hashes)


def _of_tokens(by_token: Values, tokens: Codes) -> Codes:
    return np.append(by_token.codes, np.int32(MISSING))[tokens]


def _whole(values: Values) -> Recipe:
    return cache(lambda: _hashes(values))


def _partly(values: Values, reading: Callable[[str], str | None]) -> Recipe:
    return cache(lambda: _hashes(values.part(reading)))


def _hashes(values: Values) -> Hashes:
    return _looked_up(values.codes, values.texts.hashes)


def _looked_up(codes: Codes, hashes: Hashes) -> Hashes:
    return np.append(hashes | np.uint64(1), np.uint64(0))[codes]


def _crossed(ones: Recipes, others: Recipes) -> Recipes:
    return {
        f"{one} × {other}": partial(_both, a, b)
        for one, a in ones.items()
        for other, b in others.items()
    }


def _pairwise(parts: Recipes) -> Recipes:
    names = list(parts)
    return {
        f"{one} × {other}": partial(_both, parts[one], parts[other])
        for at, one in enumerate(names)
        for other in names[at + 1 :]
    }


def _both(one: Recipe, other: Recipe) -> Hashes:
    return _mixed(one(), other())


def _mixed(one: Hashes, other: Hashes) -> Hashes:
    """Hashes of all combinations of two parts: (records, combinations)."""
    a, b = one.reshape(len(one), -1, 1), other.reshape(len(other), 1, -1)
    mixed = np.where((a == 0) | (b == 0), np.uint64(0), _mix(a, b))
    return mixed.reshape(len(one), a.shape[1] * b.shape[2])


def _pairs_within(recipe: Recipe) -> Hashes:
    """Hashes of all unordered pairs of a record's own parts."""
    parts, columns = recipe(), []
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
    return np.asarray(z ^ (z >> np.uint64(31)), dtype=np.uint64)
