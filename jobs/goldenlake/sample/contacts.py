"""The contacts people have in the CRM: duplicates, and everything that is mistyped."""

from dataclasses import dataclass

import numpy as np

from goldenlake.sample.draws import Flags, Ints, scattered, stream
from goldenlake.sample.mess import (
    APOSTROPHE_PHONE,
    PHONE_STYLES,
)
from goldenlake.sample.names import GIVEN
from goldenlake.sample.options import SampleOptions
from goldenlake.sample.people import Population, Small

MOST_CONTACTS = 3
"""A person has at most this many contacts; ``slot`` counts them from 0."""

# What is planted in a column of a contact; the value 0 is always "as it should be".
EMAIL = ("", "empty_email", "placeholder_email", "second_email", "null_text", "upper_email")
PHONE = ("", "empty_phone", "placeholder_phone", "null_text")
BIRTH = ("", "empty_birth_date", "day_first_birth_date", "default_birth_date", "null_text")
NAME = ("", "typo", "zero_width", "decomposed", "swapped_names")

_CLEAN_SHARES = {
    "email": [0.89, 0.06, 0.015, 0.0, 0.01, 0.025],
    "phone": [0.88, 0.09, 0.015, 0.015],
    "birth": [0.90, 0.05, 0.02, 0.015, 0.015],
    "name": [0.97, 0.02, 0.002, 0.004, 0.004],
}
_DUPLICATE_SHARES = {
    "email": [0.48, 0.27, 0.01, 0.20, 0.02, 0.02],
    "phone": [0.60, 0.36, 0.02, 0.02],
    "birth": [0.72, 0.20, 0.03, 0.03, 0.02],
    "name": [0.66, 0.30, 0.01, 0.01, 0.02],
}


@dataclass(frozen=True, kw_only=True)
class Contacts:
    """Traits of every person's contact in one slot, one array entry a person."""

    slot: int
    exists: Flags
    latin: Flags
    nickname: Flags
    email: Small
    phone: Small
    birth: Small
    name: Small
    phone_style: Small
    broken_street: Flags
    loses_number: Flags
    draw: Small
    created_days_ago: Small

    def ids(self, people: Population, who: Ints) -> list[str]:
        """Contact ids; those of a person's contacts are not neighbours."""
        numbers = scattered(who + self.slot * people.size, 10**8, 1_234_567)
        return [f"C{number:08d}" for number in numbers.tolist()]

    def traits(self, people: Population, who: Ints) -> list[list[str]]:
        """Names of what is planted in each contact."""
        rows: list[list[str]] = [[] for _ in range(len(who))]

        def add(trait: str, flags: Flags) -> None:
            for at in np.flatnonzero(flags).tolist():
                if trait not in rows[at]:
                    rows[at].append(trait)

        for values, names in (
            (self.email, EMAIL),
            (self.phone, PHONE),
            (self.birth, BIRTH),
            (self.name, NAME),
        ):
            for code in range(1, len(names)):
                add(names[code], values[who] == code)
        add("nickname", self.nickname[who])
        add("latin_spelling", self.latin[who] & people.cyrillic[who])
        add(
            "apostrophe_phone", (self.phone_style[who] == APOSTROPHE_PHONE) & (self.phone[who] == 0)
        )
        add("newline_in_street", self.broken_street[who])
        shows_number = people.in_erp[who] & (self.draw[who] // 7 % 10 < 7)
        add("lost_leading_zeros", self.loses_number[who] & shows_number)
        if self.slot:
            add("duplicate", np.ones(len(who), dtype=np.bool_))
        return rows


def contacts_of(people: Population, options: SampleOptions) -> list[Contacts]:
    """Plant every person's contacts."""
    slots = []
    exists = people.in_crm
    for slot in range(MOST_CONTACTS):
        rng = stream(options.seed, "contacts", slot)
        n = people.size + people.size % 2
        if slot:
            exists = exists & (rng.random(n)[: people.size] < (0, 0.13, 0.15)[slot])
        shares = _DUPLICATE_SHARES if slot else _CLEAN_SHARES

        def code(part: str, rng: np.random.Generator = rng, n: int = n) -> Small:
            edges = np.cumsum(shares[part])  # noqa: B023
            drawn = np.searchsorted(edges[:-1], rng.random(n), side="right")
            return drawn[: people.size].astype(np.int32)

        def chance(share: float, rng: np.random.Generator = rng, n: int = n) -> Flags:
            flags: Flags = rng.random(n)[: people.size] < share
            return flags

        def whole(high: int, rng: np.random.Generator = rng, n: int = n) -> Small:
            return (rng.random(n)[: people.size] * high).astype(np.int32)

        writes_latin = chance(0.35 if slot == 0 else 0.65)
        has_nickname = np.array([bool(name) for name in GIVEN.nickname_native])[people.given]
        style = whole(2 * PHONE_STYLES)
        slots.append(
            Contacts(
                slot=slot,
                exists=exists,
                latin=~people.cyrillic | writes_latin,
                nickname=chance(0.06 if slot == 0 else 0.45) & has_nickname,
                email=code("email"),
                phone=code("phone"),
                birth=code("birth"),
                name=code("name"),
                phone_style=np.where(style < PHONE_STYLES, style, 0).astype(np.int32),
                broken_street=chance(0.002),
                loses_number=chance(0.02),
                draw=whole(2_000_000_000),
                created_days_ago=whole(1_500),
            )
        )
    return slots


def in_snapshot(people: Population, contacts: Contacts, day: int) -> Ints:
    """Whose contact of this slot stands in the snapshot of ``day``."""
    there = contacts.exists & people.exists(day) & (people.leaves_crm_on > day)
    if contacts.slot:
        there &= people.joined_on < 1
    who: Ints = np.flatnonzero(there)
    return who
