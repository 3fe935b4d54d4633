"""CRM contacts: a full snapshot every day, with duplicates and everything people mistype."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from goldenlake.sample.draws import Flags, Ints, rare, scattered, stream
from goldenlake.sample.drops import Drops
from goldenlake.sample.files import csv_file
from goldenlake.sample.mess import (
    APOSTROPHE_PHONE,
    DEFAULT_BIRTH_DATE,
    PHONE_STYLES,
    PLACEHOLDER_EMAIL,
    PLACEHOLDER_PHONE,
    day_first,
    decomposed,
    with_typo,
    with_zero_width_space,
    written_phone,
)
from goldenlake.sample.names import GIVEN, LANGUAGES
from goldenlake.sample.options import SampleOptions
from goldenlake.sample.people import NEVER, SECOND, Population, Small
from goldenlake.sample.places import COUNTRIES
from goldenlake.sample.truth import CHUNK, Planted, Records

SOURCE = "crm_contacts"
HEADER = (
    "contact_id first_name last_name email phone birth_date street city postcode country language "
    "customer_number loyalty_card account_id created_at updated_at"
).split()

MOST_CONTACTS = 3
"""A person has at most this many contacts; ``slot`` counts them from 0."""

# What is planted in a column of a contact; the value 0 is always "as it should be".
_EMAIL = ("", "empty_email", "placeholder_email", "second_email", "null_text", "upper_email")
_PHONE = ("", "empty_phone", "placeholder_phone", "null_text")
_BIRTH = ("", "empty_birth_date", "day_first_birth_date", "default_birth_date", "null_text")
_NAME = ("", "typo", "zero_width", "decomposed", "swapped_names")

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
            (self.email, _EMAIL),
            (self.phone, _PHONE),
            (self.birth, _BIRTH),
            (self.name, _NAME),
        ):
            for code in range(1, len(names)):
                add(names[code], values[who] == code)
        add("nickname", self.nickname[who])
        add("latin_spelling", self.latin[who] & people.cyrillic[who])
        add(
            "apostrophe_phone", (self.phone_style[who] == APOSTROPHE_PHONE) & (self.phone[who] == 0)
        )
        add("newline_in_street", self.broken_street[who])
        add("lost_leading_zeros", self.loses_number[who] & people.in_erp[who])
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


def write_contacts(
    drops: Drops,
    people: Population,
    slots: list[Contacts],
    options: SampleOptions,
    day: int,
    planted: Planted,
) -> None:
    """One day's snapshot; a few contacts stand in it twice, corrected later that day."""
    today = options.date_of(day)
    relative = f"crm/contacts_{today}.csv"
    with csv_file(drops.place(relative), HEADER, encoding="utf-8-sig") as file:
        for contacts in slots:
            who = in_snapshot(people, contacts, day)
            rng = stream(options.seed, "contact corrections", day, contacts.slot)
            corrected = who[rare(rng, len(who), 0.0008)] if contacts.slot == 0 else who[:0]
            planted.rows["same_day_corrections"] += len(corrected)
            for at in range(0, len(who), CHUNK):
                chunk = who[at : at + CHUNK]
                rows = _rows(people, contacts, chunk, day)
                for again in np.flatnonzero(np.isin(chunk, corrected))[::-1].tolist():
                    wrong = list(rows[again])
                    right = rows[again]
                    wrong[2] = with_typo(wrong[2], int(contacts.draw[chunk[again]]) // 2 * 2 + 3)
                    wrong[15] = f"{today}T08:{again % 60:02d}:00Z"
                    right[15] = f"{today}T16:{again % 60:02d}:30Z"
                    rows.insert(again, wrong)
                file.write(rows)
    drops.record(SOURCE, relative, file.rows, today)


def _rows(people: Population, contacts: Contacts, who: Ints, day: int) -> list[list[str]]:
    draw = contacts.draw[who].tolist()
    latin = contacts.latin[who]
    country = people.country[who].tolist()
    first = people.given_names(who, latin=latin, nickname=contacts.nickname[who])
    last = people.family_names(who, day, latin=latin)
    version = people.email_version(who, day)
    version = np.where(contacts.email[who] == _EMAIL.index("second_email"), SECOND, version)
    email = people.emails(who, version)
    phone = people.phones(who)
    birth = people.birth_dates(who)
    street, city, postcode = people.addresses(who, day, latin=latin)
    customer = people.customer_numbers(who)
    card = people.loyalty_cards(who)
    account = people.account_ids(who)
    created, updated = _stamps(people, contacts, who, day)

    style = contacts.phone_style[who].tolist()
    for at in np.flatnonzero(contacts.phone_style[who]).tolist():
        phone[at] = written_phone(phone[at], country[at], style[at])
    for at in np.flatnonzero(contacts.phone[who]).tolist():
        kind = _PHONE[contacts.phone[who[at]]]
        phone[at] = {"empty_phone": "", "placeholder_phone": PLACEHOLDER_PHONE}.get(kind, "NULL")
    for at in np.flatnonzero(contacts.email[who]).tolist():
        kind = _EMAIL[contacts.email[who[at]]]
        email[at] = {
            "empty_email": "",
            "placeholder_email": PLACEHOLDER_EMAIL,
            "null_text": "N/A",
            "upper_email": f" {email[at].title()}",
        }.get(kind, email[at])
    for at in np.flatnonzero(contacts.birth[who]).tolist():
        kind = _BIRTH[contacts.birth[who[at]]]
        birth[at] = {
            "empty_birth_date": "",
            "default_birth_date": DEFAULT_BIRTH_DATE,
            "null_text": "N/A",
        }.get(kind, day_first(birth[at]))
    for at in np.flatnonzero(contacts.name[who]).tolist():
        kind = _NAME[contacts.name[who[at]]]
        if kind == "typo" and draw[at] % 3:
            last[at] = with_typo(last[at], draw[at])
        elif kind == "typo":
            first[at] = with_typo(first[at], draw[at])
        elif kind == "zero_width":
            last[at] = with_zero_width_space(last[at])
        elif kind == "decomposed":
            first[at], last[at] = decomposed(first[at]), decomposed(last[at])
        else:
            first[at], last[at] = last[at], first[at]
    for at in np.flatnonzero(contacts.broken_street[who]).tolist():
        street[at] = f"c/o\n{street[at]}"
    for at in np.flatnonzero(contacts.loses_number[who]).tolist():
        customer[at] = customer[at].lstrip("0")
    _blank(customer, ~(people.in_erp[who] & ((contacts.draw[who] // 7 % 10) < 7)))
    _blank(card, ~(people.has_loyalty_card[who] & ((contacts.draw[who] // 70 % 10) < 6)))
    knows_account = (contacts.draw[who] // 700 % 10) < (7 if contacts.slot == 0 else 2)
    _blank(account, ~(people.has_account[who] & knows_account))
    return [
        list(row)
        for row in zip(
            contacts.ids(people, who),
            first,
            last,
            email,
            phone,
            birth,
            street,
            city,
            postcode,
            [COUNTRIES[code] for code in country],
            [LANGUAGES[code] for code in people.language[who].tolist()],
            customer,
            card,
            account,
            created,
            updated,
            strict=True,
        )
    ]


def _blank(values: list[str], where: Flags) -> None:
    for at in np.flatnonzero(where).tolist():
        values[at] = ""


def _stamps(
    people: Population, contacts: Contacts, who: Ints, day: int
) -> tuple[list[str], list[str]]:
    """When each contact was created and last changed, as of ``day``."""
    changed = np.zeros(len(who), dtype=np.int64)
    for changes in (people.email_changes_on, people.surname_changes_on, people.moves_on):
        at = changes[who]
        changed = np.where((at <= day) & (at != NEVER), np.maximum(changed, at), changed)
    joined = people.joined_on[who]
    midnight = datetime.combine(people.start, datetime.min.time())
    second = contacts.draw[who] % 86_400
    created, updated = [], []
    rows = zip(
        np.where(joined > 0, joined, -1 - contacts.created_days_ago[who]).tolist(),
        changed.tolist(),
        second.tolist(),
        strict=True,
    )
    for made_on, changed_on, at_second in rows:
        made = midnight + timedelta(days=made_on, seconds=at_second)
        last = midnight + timedelta(days=changed_on, seconds=at_second)
        created.append(made.isoformat() + "Z")
        if changed_on <= made_on or changed_on == 0:
            last = made + timedelta(days=max(0, -made_on) // 2)
        updated.append(last.isoformat() + "Z")
    return created, updated


def write_contact_truth(
    people: Population,
    slots: list[Contacts],
    options: SampleOptions,
    records: Records,
    planted: Planted,
) -> None:
    """One truth row for every contact that stood in any snapshot."""
    for contacts in slots:
        there = contacts.exists & people.exists(options.days - 1)
        if contacts.slot:
            there &= people.joined_on < 1
        who = np.flatnonzero(there & (people.leaves_crm_on > people.joined_on))
        for at in range(0, len(who), CHUNK):
            chunk = who[at : at + CHUNK]
            traits = contacts.traits(people, chunk)
            for row in traits:
                planted.contacts.update(row)
            records.write(
                SOURCE,
                person_id=people.person_ids(chunk),
                record_key=contacts.ids(people, chunk),
                traits=traits,
            )
