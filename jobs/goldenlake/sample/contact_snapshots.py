"""The CRM's daily snapshot of all contacts, and whose they are."""

from collections.abc import Callable

import numpy as np

from goldenlake.sample.contacts import BIRTH, EMAIL, NAME, PHONE, Contacts, in_snapshot
from goldenlake.sample.draws import Flags, Ints, rare, stream
from goldenlake.sample.drops import Drops
from goldenlake.sample.files import csv_file
from goldenlake.sample.mess import (
    DEFAULT_BIRTH_DATE,
    PLACEHOLDER_EMAIL,
    PLACEHOLDER_PHONE,
    day_first,
    decomposed,
    with_typo,
    with_zero_width_space,
    written_phone,
)
from goldenlake.sample.names import LANGUAGES
from goldenlake.sample.options import SampleOptions
from goldenlake.sample.people import NEVER, SECOND, Population
from goldenlake.sample.places import COUNTRIES
from goldenlake.sample.truth import CHUNK, Planted, Records

SOURCE = "crm_contacts"
HEADER = [
    "contact_id",
    "first_name",
    "last_name",
    "email",
    "phone",
    "birth_date",
    "street",
    "city",
    "postcode",
    "country",
    "language",
    "customer_number",
    "loyalty_card",
    "account_id",
    "created_at",
    "updated_at",
]


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
    version = np.where(contacts.email[who] == EMAIL.index("second_email"), SECOND, version)
    email = people.emails(who, version)
    phone = people.phones(who)
    birth = people.birth_dates(who)
    street, city, postcode = people.addresses(who, day, latin=latin)
    tenth = contacts.draw[who]
    knows_account = (tenth // 700 % 10) < (7 if contacts.slot == 0 else 2)
    customer = _where(people.in_erp[who] & (tenth // 7 % 10 < 7), who, people.customer_numbers)
    card = _where(people.has_loyalty_card[who] & (tenth // 70 % 10 < 6), who, people.loyalty_cards)
    account = _where(people.has_account[who] & knows_account, who, people.account_ids)
    created, updated = _stamps(people, contacts, who, day)

    style = contacts.phone_style[who].tolist()
    for at in np.flatnonzero(contacts.phone_style[who]).tolist():
        phone[at] = written_phone(phone[at], country[at], style[at])
    for at in np.flatnonzero(contacts.phone[who]).tolist():
        kind = PHONE[contacts.phone[who[at]]]
        phone[at] = {"empty_phone": "", "placeholder_phone": PLACEHOLDER_PHONE}.get(kind, "NULL")
    for at in np.flatnonzero(contacts.email[who]).tolist():
        kind = EMAIL[contacts.email[who[at]]]
        email[at] = {
            "empty_email": "",
            "placeholder_email": PLACEHOLDER_EMAIL,
            "null_text": "N/A",
            "upper_email": f" {email[at].title()}",
        }.get(kind, email[at])
    for at in np.flatnonzero(contacts.birth[who]).tolist():
        kind = BIRTH[contacts.birth[who[at]]]
        birth[at] = {
            "empty_birth_date": "",
            "default_birth_date": DEFAULT_BIRTH_DATE,
            "null_text": "N/A",
        }.get(kind, day_first(birth[at]))
    for at in np.flatnonzero(contacts.name[who]).tolist():
        kind = NAME[contacts.name[who[at]]]
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


def _where(shown: Flags, who: Ints, spell: Callable[[Ints], list[str]]) -> list[str]:
    texts = np.full(len(who), "", dtype=object)
    texts[shown] = spell(who[shown])
    values: list[str] = texts.tolist()
    return values


def _stamps(
    people: Population, contacts: Contacts, who: Ints, day: int
) -> tuple[list[str], list[str]]:
    """When each contact was created and last changed, as of ``day``."""
    changed = np.zeros(len(who), dtype=np.int64)
    for changes in (people.email_changes_on, people.surname_changes_on, people.moves_on):
        at = changes[who]
        changed = np.where((at <= day) & (at != NEVER), np.maximum(changed, at), changed)
    joined = people.joined_on[who]
    made_on = np.where(joined > 0, joined, -1 - contacts.created_days_ago[who]).astype(np.int64)
    touched = made_on + np.maximum(0, -made_on) // 2
    last_on = np.where((changed <= made_on) | (changed == 0), touched, changed)
    at_second = (contacts.draw[who] % 86_400).astype("timedelta64[s]")
    midnight = np.datetime64(people.start, "s")

    def written(day_number: Ints) -> list[str]:
        instants = midnight + day_number.astype("timedelta64[D]") + at_second
        texts: list[str] = np.datetime_as_string(instants, timezone="UTC").tolist()
        return texts

    return written(made_on), written(last_on)


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
