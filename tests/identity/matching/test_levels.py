"""What agrees with what, and how well."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA, JaroWinkler

from goldenlake.identity.matching.records import Vocabulary
from goldenlake.identity.matching.similarity import (
    damerau_levenshtein,
    edits,
    jaro,
    jaro_winkler,
    levenshtein,
)
from goldenlake.identity.matching.texts import Texts
from support.matching import level_of, levels_of

WORDS = st.text(alphabet="abcd", min_size=0, max_size=9)
WRITTEN = st.text(alphabet="abñ", max_size=10)


def name_levels(one: str, other: str) -> list[str]:
    table = pa.table({"name": [one, other], "x": ["a", "b"]})
    levels = levels_of(table, {"name": "full_name", "x": "category"})
    return [level for _, level in levels[:3]]


@given(WORDS, WORDS, st.integers(0, 3))
def test_edits_are_those_of_rapidfuzz_up_to_the_limit(one: str, other: str, limit: int) -> None:
    texts = Texts.of([one, other])
    a, b = texts.codes([one])[0], texts.codes([other])[0]
    if not one or not other:
        return
    found = edits(texts.table[a], texts.lengths[a], texts.table[b], texts.lengths[b], limit)
    assert found == min(OSA.distance(one, other), limit + 1)


@given(WORDS, WORDS)
def test_jaro_winkler_is_that_of_rapidfuzz(one: str, other: str) -> None:
    if not one or not other:
        return
    texts = Texts.of([one, other])
    a, b = texts.codes([one])[0], texts.codes([other])[0]
    found = jaro_winkler(texts.table[a], texts.lengths[a], texts.table[b], texts.lengths[b])
    assert found == pytest.approx(JaroWinkler.similarity(one, other))


@given(WRITTEN, WRITTEN)
@example("john", "jonh")
@example("ca", "abc")
@example("日本", "本日")
@example("", "")
def test_distances_and_similarities_of_bytes_are_those_of_duckdb(one: str, other: str) -> None:
    functions = (levenshtein, damerau_levenshtein, jaro, jaro_winkler)
    names = ("levenshtein", "damerau_levenshtein", "jaro_similarity", "jaro_winkler_similarity")
    asked = ", ".join(f"{name}($1, $2)" for name in names)
    expected = duckdb.execute(f"SELECT {asked}", [one, other]).fetchone()
    a, b = (np.frombuffer(each.encode(), np.uint8) for each in (one, other))
    assert tuple(each(a, len(a), b, len(b)) for each in functions) == expected
    assert tuple(each(b, len(b), a, len(a)) for each in functions) == expected


@pytest.mark.parametrize(
    ("one", "other", "levels"),
    [
        ("John Smith", "john  SMITH", ["exact", "exact", "missing"]),
        ("Sir John Smith", "Dr. John Smith, 1st Baronet", ["exact", "exact", "missing"]),
        ("Bill Turner", "William Turner", ["alias", "exact", "missing"]),
        ("J. Smith", "John Smith", ["initial", "exact", "missing"]),
        ("Jonh Smith", "John Smyth", ["typo", "alias or typo", "missing"]),
        ("Smith John", "John Smith", ["crossed", "crossed", "missing"]),
        ("Smith, John", "John Smith", ["exact", "exact", "missing"]),
        ("Anna Smith-Jones", "Anna Jones", ["exact", "crossed", "missing"]),
        ("Иван Щербаков", "Ivan Shcherbakov", ["exact", "exact", "missing"]),
        ("Hans Müller", "Hans Mueller", ["exact", "alias or typo", "missing"]),
        ("Anna Maria Clark", "Anna M Clark", ["exact", "exact", "similar"]),
        ("Anna Maria Clark", "Anna Maria Hill", ["exact", "differs", "exact"]),
        ("Ann Clark", "Bob Hill", ["differs", "differs", "missing"]),
    ],
)
def test_names_agree_over_titles_nicknames_scripts_and_order(
    one: str, other: str, levels: list[str]
) -> None:
    assert name_levels(one, other) == levels


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("1850-05-12", "18500512", "exact"),
        ("1850-01-01", "1850-01-01", "exact, a default"),
        ("1850-05-12", "1860-05-12", "one digit"),
        ("1850-01-01", "1860-01-01", "one digit, both defaults"),
        ("1850-05-12", "1850-12-05", "day and month swapped"),
        ("1850-05-12", "1850-05-21", "neighbours swapped"),
        ("1850-05-12", "1850-01-01", "same year, a default"),
        ("1850-05-12", "1850-05-27", "same year and month"),
        ("1850-05-12", "1927-05-12", "same month and day"),
        ("1850-05-12", "1850-11-28", "same year"),
        ("1850-05-12", "1851-05-14", "two digits"),
        ("1850-01-01", "1863-01-01", "two digits, both defaults"),
        ("1850-05-12", "1927-01-01", "differs, a default"),
        ("1850-05-12", "1927-11-30", "differs"),
        ("1850-05-12", None, "missing"),
        ("1850-05-12", "unknown", "missing"),
    ],
)
def test_dates_of_birth_agree_digit_by_digit(one: str, other: str | None, level: str) -> None:
    assert level_of("birth_date", one, other) == level


@pytest.mark.parametrize(
    ("role", "one", "other", "level"),
    [
        ("postcode", "SW1A 1AA", "sw1a 1aa", "exact"),
        ("postcode", "SW1A 1AA", "SW1A 1AB", "one edit"),
        ("postcode", "SW1A 1AA", "SW1A 2BB", "same district"),
        ("postcode", "SW1A 1AA", "SW9 2BB", "same area"),
        ("postcode", "SW1A 1AA", "N1 2BB", "differs"),
        ("postcode", "10115", "10199", "same district"),
        ("place", "Newcastle upon Tyne", "newcastle-upon-tyne", "exact"),
        ("place", "Birmingham", "Birmingam", "similar"),
        ("place", "Bristol, City of", "Bristol", "shares a word"),
        ("place", "West Devon", "Devon", "shares a word"),
        ("place", "York City", "London City", "differs"),
        ("email", "Ann@example.org", "ann@example.org", "exact"),
        ("email", "ann.b@example.org", "ann.b@exmaple.org", "typo in domain"),
        ("email", "ann.b@example.org", "ann.b@mail.net", "same local part"),
        ("email", "ann.b@example.org", "anm.b@mail.net", "similar local part"),
        ("email", "ann.b@example.org", "joe@example.org", "differs"),
        ("email", "ann.b@example.org", "none", "missing"),
        ("phone", "+44 20 7946 0018", "+442079460018", "exact"),
        ("phone", "+44 20 7946 0018", "020 7946 0018", "same last digits"),
        ("phone", "+442079460018", "+442079461018", "one digit"),
        ("phone", "+442079460018", "+442079777777", "differs"),
        ("gender", "male", "Male", "exact"),
        ("gender", "male", "female", "differs"),
        ("category", "painter", "poet", "differs"),
        ("code", "1804974", "1804794", "one edit"),
        ("code", "17", "18", "differs"),
        ("code", "17", None, "missing"),
    ],
)
def test_values_agree_by_role(role: str, one: str, other: str | None, level: str) -> None:
    assert level_of(role, one, other) == level


def test_learnt_aliases_agree_but_less_than_equals_do() -> None:
    learnt = {"x": (("kilmarnock", "east ayrshire"),)}
    assert level_of("place", "Kilmarnock", "East Ayrshire") == "differs"
    assert level_of("place", "Kilmarnock", "East Ayrshire", aliases=learnt) == "alias"
    assert level_of("place", "Kilmarnock", "kilmarnock", aliases=learnt) == "exact"


@pytest.mark.parametrize(("one", "other"), [("King", "Bishop"), ("Le", "Do"), ("Earl", "Duke")])
def test_a_family_name_that_could_be_a_title_tells_people_apart(one: str, other: str) -> None:
    table = pa.table({"given": ["Anna", "Anna"], "family": [one, other]})
    columns = {"given": "given_name", "family": "family_name"}
    assert levels_of(table, columns)[:2] == [("given", "exact"), ("family", "differs")]
    table = pa.table({"given": ["Anna", "Anna"], "family": [one, f"Dr. {one}".lower()]})
    assert levels_of(table, columns)[:2] == [("given", "exact"), ("family", "exact")]


def test_a_single_token_takes_the_role_in_which_it_is_known() -> None:
    table = pa.table({"name": ["Louisa", "Louisa Bevington"], "x": ["a", "b"]})
    columns = {"name": "full_name", "x": "category"}
    known = Vocabulary(given_names=frozenset({"louisa"}))
    assert levels_of(table, columns, known)[:2] == [("given", "exact"), ("family", "missing")]
    unknown = levels_of(table, columns)[:2]
    assert unknown == [("given", "missing"), ("family", "crossed")]
