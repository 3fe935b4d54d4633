"""Any number of records of made-up people, with their truth: the people of the sample, mistyped.

A person has one to six records in random places of the file. Between records people move, change
their name or their address, give nicknames and initials, and leave things out; relatives share
names, homes and telephones. The same seed and number give the same records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from goldenlake.sample.draws import Flags, Floats, Ints, pick, stream
from goldenlake.sample.mess import with_typo
from goldenlake.sample.options import SampleOptions
from goldenlake.sample.people import Population
from goldenlake.sample.planting import population

CHUNK = 100_000
LATER = 40
"""The day of a person's later records; the earlier ones are of day 0."""
DAYS_OF_THE_YOUNGEST = 3_000
RECORDS_A_PERSON = (0.35, 0.30, 0.17, 0.10, 0.05, 0.03)
"""Shares of people with one, two, … records."""
TYPOS = {
    "given_name": 0.04,
    "family_name": 0.06,
    "birth_date": 0.04,
    "email": 0.02,
    "phone": 0.02,
    "street": 0.06,
    "city": 0.02,
    "postcode": 0.02,
}
"""Share of a column's values with an error."""
LEFT_OUT = {"birth_date": 0.20, "email": 0.35, "phone": 0.40, "address": 0.12}
NICKNAMES, INITIALS, SWAPPED = 0.08, 0.03, 0.01
COLUMNS = tuple(TYPOS)
RULES = (
    ("email",),
    ("phone",),
    ("family_name", "birth_date"),
    ("given_name", "birth_date"),
    ("birth_date", "street"),
    ("birth_date", "postcode"),
    ("given_name", "postcode"),
    ("family_name", "postcode"),
    ("given_name", "family_name", "city"),
    ("street", "postcode"),
    ("family_name", "street"),
    ("given_name", "street"),
)
"""Exact blocking rules that contenders share: columns in which two records agree."""

Texts = list[str | None]


def write_people(folder: Path, records: int, seed: int) -> None:
    """Write ``records.parquet`` (record_id and COLUMNS) and ``truth.parquet`` (… and person_id).

    Texts are made a chunk at a time; a record that waits for its chunk takes 16 bytes, a person
    about 200.
    """
    person, day = owners(records, seed)
    people = planted(int(person.max()) + 1, seed, folder)
    ids = pa.array(np.arange(records))
    pq.write_table(pa.table({"record_id": ids, "person_id": person}), folder / "truth.parquet")
    schema = pa.schema([("record_id", pa.int64()), *((name, pa.string()) for name in COLUMNS)])
    with pq.ParquetWriter(folder / "records.parquet", schema) as file:
        for number, at in enumerate(range(0, records, CHUNK)):
            rows = slice(at, at + CHUNK)
            texts = written(people, person[rows], day[rows], _Draws(seed, number))
            columns = {"record_id": ids[at : at + CHUNK], **texts}
            file.write_table(pa.table(columns, schema=schema))


def planted(size: int, seed: int, out: Path) -> Population:
    """The sample's people; its youngest are not all born on one day, as they are there."""
    people = population(SampleOptions(customers=size, days=LATER + 1, seed=seed, out=out))
    youngest = people.born == people.born.max()
    earlier = np.arange(size, dtype=np.int32) % DAYS_OF_THE_YOUNGEST
    return replace(people, born=np.where(youngest, people.born - earlier, people.born))


def owners(records: int, seed: int) -> tuple[Ints, Ints]:
    """Whose each record is, and of which day: 0 or ``LATER``."""
    draws = _Draws(seed, "owners")
    each = 1 + pick(draws("records a person", records), list(RECORDS_A_PERSON))
    person = np.repeat(np.arange(records), each)[:records]
    person = stream(seed, "matching", "order").permutation(person)
    return person, np.where(draws("day", records) < 0.5, 0, LATER)


def written(people: Population, who: Ints, day: Ints, draws: _Draws) -> dict[str, Texts]:
    """The columns of some records."""
    count = len(who)
    texts = {name: [""] * count for name in COLUMNS}
    nickname = draws.chance("nickname", count, NICKNAMES)
    for today in (0, LATER):
        at = np.flatnonzero(day == today)
        latin = np.ones(len(at), dtype=np.bool_)
        street, city, postcode = people.addresses(who[at], today, latin=latin)
        of_today = {
            "given_name": people.given_names(who[at], latin=latin, nickname=nickname[at]),
            "family_name": people.family_names(who[at], today, latin=latin),
            "birth_date": people.birth_dates(who[at]),
            "email": people.emails(who[at], people.email_version(who[at], today)),
            "phone": people.phones(who[at]),
            "street": street,
            "city": city,
            "postcode": postcode,
        }
        for name, values in of_today.items():
            for place, value in zip(at.tolist(), values, strict=True):
                texts[name][place] = value
    _mistype(texts, draws, count)
    return _left_out(texts, draws, count)


def mistyped_date(iso: str, draw: int) -> str:
    """A date with another last digit of its year, or with day and month in each other's place."""
    year, month, day = iso.split("-")
    if draw % 2 and int(day) <= 12 and day != month:
        return f"{year}-{day}-{month}"
    return f"{year[:3]}{(int(year[3]) + 1 + draw // 2 % 9) % 10}-{month}-{day}"


class _Draws:
    """Draws of one chunk, for each purpose from a stream of its own."""

    def __init__(self, seed: int, chunk: object) -> None:
        self._seed, self._chunk = seed, chunk

    def __call__(self, purpose: str, count: int) -> Floats:
        return stream(self._seed, "matching", self._chunk, purpose).random(count)

    def chance(self, purpose: str, count: int, share: float) -> Flags:
        flags: Flags = self(purpose, count) < share
        return flags

    def where(self, purpose: str, count: int, share: float) -> Iterator[tuple[int, int]]:
        """Places that a share of ``count`` falls on, each with a number to decide by."""
        at = np.flatnonzero(self.chance(purpose, count, share))
        numbers = stream(self._seed, "matching", self._chunk, purpose, "how").integers(
            0, 2**31, len(at)
        )
        return zip(at.tolist(), numbers.tolist(), strict=True)


def _mistype(texts: dict[str, list[str]], draws: _Draws, count: int) -> None:
    for name, share in TYPOS.items():
        wrong: Callable[[str, int], str] = mistyped_date if name == "birth_date" else with_typo
        column = texts[name]
        for place, how in draws.where(f"typo in {name}", count, share):
            column[place] = wrong(column[place], how)
    given, family = texts["given_name"], texts["family_name"]
    for place, _ in draws.where("initial", count, INITIALS):
        given[place] = given[place][:1]
    for place, _ in draws.where("swapped", count, SWAPPED):
        given[place], family[place] = family[place], given[place]


def _left_out(texts: dict[str, list[str]], draws: _Draws, count: int) -> dict[str, Texts]:
    kept: dict[str, Texts] = {name: list(column) for name, column in texts.items()}
    for name, share in LEFT_OUT.items():
        columns = ("street", "city", "postcode") if name == "address" else (name,)
        for place, _ in draws.where(f"no {name}", count, share):
            for column in columns:
                kept[column][place] = None
    return kept
