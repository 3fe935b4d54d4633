"""Statements of consent: what was granted before, then what is granted or withdrawn each day."""

from datetime import date, timedelta

import numpy as np

from goldenlake.sample.contacts import Contacts
from goldenlake.sample.draws import Floats, Ints, pick, stream
from goldenlake.sample.drops import Drops
from goldenlake.sample.files import csv_file
from goldenlake.sample.options import SampleOptions
from goldenlake.sample.people import Population
from goldenlake.sample.places import COUNTRIES
from goldenlake.sample.truth import CHUNK, Records

SOURCE = "consents"
HEADER = [
    "consent_id",
    "subject_email",
    "subject_phone",
    "contact_id",
    "purpose",
    "channel",
    "status",
    "jurisdiction",
    "stated_at",
    "expires_at",
    "source_of_statement",
]
_WHERE = ("web form", "call centre", "shop counter", "preference centre")
_WITHDRAWN_A_DAY = 0.003

# Statement number k of a person: purpose, channel, share of the stating persons who make it.
_STATEMENTS = (
    ("marketing", "email", 0.86),
    ("profiling", "any", 0.35),
    ("marketing", "sms", 0.22),
    ("personalisation", "any", 0.18),
    ("marketing", "phone", 0.06),
    ("marketing", "post", 0.05),
)
_WITHDRAWAL = len(_STATEMENTS)
"""The number of the statement by which marketing by e-mail is withdrawn."""


def write_consents(
    drops: Drops,
    people: Population,
    contacts: Contacts,
    options: SampleOptions,
    day: int,
    records: Records,
) -> None:
    """What was stated before the first day, or on this day."""
    today = options.date_of(day)
    relative = f"consents/consents_{today}.csv"
    states = people.states_consent & (people.exists(0) if day == 0 else people.joined_on == day)
    size = people.size + people.size % 2
    with csv_file(drops.place(relative), HEADER) as file:
        for number, (_, _, share) in enumerate(_STATEMENTS):
            draws = stream(options.seed, "consents", number).random((5, size))[:, : people.size]
            who = np.flatnonzero(states & (draws[0] < share))
            for at in range(0, len(who), CHUNK):
                chunk = who[at : at + CHUNK]
                rows = _rows(people, contacts, options, day, number, chunk, draws[:, chunk])
                file.write(rows)
                _truth(people, records, chunk, rows)
        if day > 0:
            draws = stream(options.seed, "consents", "withdrawn").random((5, size))
            draws = draws[:, : people.size]
            draws[0] /= _WITHDRAWN_A_DAY
            stays = people.states_consent & people.exists(0)
            leaves = people.on_mailing_list & (people.unsubscribes_on == day)
            who = np.flatnonzero((stays & (np.floor(draws[0]) + 1 == day)) | leaves)
            draws[0] = 0.5
            rows = _rows(people, contacts, options, day, _WITHDRAWAL, who, draws[:, who])
            file.write(rows)
            _truth(people, records, who, rows)
    drops.record(SOURCE, relative, file.rows, today)


def _rows(
    people: Population,
    contacts: Contacts,
    options: SampleOptions,
    day: int,
    number: int,
    who: Ints,
    draws: Floats,
) -> list[list[str]]:
    withdrawal = number == _WITHDRAWAL
    purpose, channel, _ = _STATEMENTS[0 if withdrawal else number]
    shares = [0.62, 0.18, 0.20]
    names_by = pick(draws[1], shares)
    names_by = np.where((names_by == 2) & ~contacts.exists[who], 0, names_by)
    if channel in ("sms", "phone"):
        names_by = np.where(names_by == 0, 1, names_by)
    emails = people.emails(who, people.email_version(who, day))
    phones = people.phones(who)
    contact_ids = contacts.ids(people, who)
    refused = draws[2] < 0.06
    kind = "W" if withdrawal else str(number)
    rows = []
    for person, by, country, email, phone, contact_id, no, when, place in zip(
        who.tolist(),
        names_by.tolist(),
        people.country[who].tolist(),
        emails,
        phones,
        contact_ids,
        refused.tolist(),
        draws[3].tolist(),
        draws[4].tolist(),
        strict=True,
    ):
        days_ago = 1 + int(when * 1_000) if day == 0 else 0
        stated = options.date_of(day) - timedelta(days=days_ago)
        rows.append(
            [
                f"K{kind}{person * 7_919 % 10**9:09d}{day if withdrawal else 0:03d}",
                email if by == 0 else "",
                phone if by == 1 else "",
                contact_id if by == 2 else "",
                purpose,
                channel,
                "withdrawn" if withdrawal or no else "granted",
                COUNTRIES[country],
                f"{stated}T{8 + int(place * 12):02d}:{int(when * 60):02d}:00Z",
                _expiry(stated, place),
                _WHERE[int(place * len(_WHERE))],
            ]
        )
    return rows


def _expiry(stated: date, draw: float) -> str:
    return str(stated + timedelta(days=730)) if draw < 0.25 else ""


def _truth(people: Population, records: Records, who: Ints, rows: list[list[str]]) -> None:
    records.write(SOURCE, person_id=people.person_ids(who), record_key=[row[0] for row in rows])
