"""What the CRM records about contacts: deals, calls and tickets, as daily increments."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from goldenlake.sample.contacts import Contacts
from goldenlake.sample.draws import Floats, Ints, stream
from goldenlake.sample.drops import Drops
from goldenlake.sample.files import Cell, csv_file, lines_file
from goldenlake.sample.mess import PHONE_STYLES, written_phone
from goldenlake.sample.options import SampleOptions
from goldenlake.sample.people import Population
from goldenlake.sample.places import COUNTRIES
from goldenlake.sample.products import PRODUCTS, money
from goldenlake.sample.truth import Records

DEALS, CALLS, TICKETS = "crm_deals", "crm_calls", "crm_tickets"
DEALS_HEADER = [
    "deal_id",
    "contact_id",
    "title",
    "stage",
    "amount",
    "currency",
    "created_at",
    "updated_at",
]
TICKETS_HEADER = [
    "ticket_id",
    "contact_id",
    "email",
    "subject",
    "status",
    "priority",
    "opened_at",
    "updated_at",
]

_DEALS_A_DAY, _CALLS_A_DAY, _TICKETS_A_DAY = 0.008, 0.012, 0.008
_LONGEST = 8
"""Days after which a deal or a ticket no longer changes."""
_CURRENCY = {"GB": "GBP", "DE": "EUR", "FR": "EUR", "BG": "EUR", "RU": "RUB"}
_SUBJECTS = ("Late delivery", "Refund, please", "Wrong size", 'Login says "locked"', "Invoice copy")
_AGENTS = ("agent-07", "agent-12", "agent-19", "agent-23")
_OUTCOMES = ("answered", "voicemail", "callback", "no answer")
_OFFSETS = {"GB": "+00:00", "DE": "+01:00", "FR": "+01:00", "BG": "+02:00", "RU": "+03:00"}


@dataclass(frozen=True)
class _Opened:
    """Deals or tickets opened on one day, one array entry each."""

    day: int
    who: Ints
    closes_after: Ints
    draws: Floats


def _opened(
    people: Population, options: SampleOptions, what: str, day: int, a_day: float
) -> _Opened:
    rng = stream(options.seed, what, day)
    eligible = np.flatnonzero(people.in_crm & people.exists(max(day, 0)))
    n = round(people.size * a_day) if eligible.size else 0
    who = eligible[(rng.random(n) * eligible.size).astype(np.int64)]
    closes_after = 1 + (rng.random(n) * 1.6 * _LONGEST).astype(np.int64)
    return _Opened(day=day, who=who, closes_after=closes_after, draws=rng.random((4, n)))


def _told_on(
    people: Population, options: SampleOptions, what: str, day: int, a_day: float
) -> list[tuple[_Opened, Ints]]:
    """What an increment tells: all that opened today, and all that closed today.

    The first increment also tells what was opened in the days before.
    """
    told = []
    for opened_on in range(day - _LONGEST, day + 1):
        if opened_on < -_LONGEST:
            continue
        opened = _opened(people, options, what, opened_on, a_day)
        if opened_on == day or day == 0:
            rows = np.arange(len(opened.who))
        else:
            rows = np.flatnonzero(opened.day + opened.closes_after == day)
        told.append((opened, rows))
    return told


def _instant(options: SampleOptions, day: int, draw: float) -> datetime:
    midnight = datetime.combine(options.date_of(day), datetime.min.time())
    return midnight + timedelta(seconds=int(28_800 + draw * 36_000))


def write_deals(
    drops: Drops,
    people: Population,
    contacts: Contacts,
    options: SampleOptions,
    day: int,
    records: Records,
) -> None:
    """One day's new and changed deals."""
    today = options.date_of(day)
    relative = f"crm/deals_{today}.csv"
    with csv_file(drops.place(relative), DEALS_HEADER) as file:
        for opened, rows in _told_on(people, options, "deals", day, _DEALS_A_DAY):
            ids = [f"D{opened.day + 100:04d}{at:06d}" for at in rows.tolist()]
            who = opened.who[rows]
            contact_ids = contacts.ids(people, who)
            lines: list[list[Cell]] = []
            for at, deal_id, contact_id in zip(rows.tolist(), ids, contact_ids, strict=True):
                a, b, c, d = opened.draws[:, at].tolist()
                product = PRODUCTS[int(a * len(PRODUCTS))]
                closes_on = opened.day + int(opened.closes_after[at])
                created = _instant(options, opened.day, b)
                closed = closes_on <= day
                stage = ("won" if c < 0.45 else "lost") if closed else "open"
                updated = _instant(options, closes_on, d) if closed else created
                country = COUNTRIES[people.country[opened.who[at]]]
                lines.append(
                    [
                        deal_id,
                        contact_id,
                        f"{product.name}, {int(d * 40) + 2} pieces",
                        stage,
                        money(product.cents * (int(d * 40) + 2)),
                        _CURRENCY[country],
                        created.isoformat() + "Z",
                        updated.isoformat() + "Z",
                    ]
                )
            file.write(lines)
            if opened.day == day or day == 0:
                records.write(DEALS, person_id=people.person_ids(who), record_key=ids)
    drops.record(DEALS, relative, file.rows, today)


def write_tickets(
    drops: Drops,
    people: Population,
    contacts: Contacts,
    options: SampleOptions,
    day: int,
    records: Records,
) -> None:
    """One day's new and solved tickets; a third know only the e-mail they came from."""
    today = options.date_of(day)
    relative = f"crm/tickets_{today}.csv.gz"
    with csv_file(drops.place(relative), TICKETS_HEADER) as file:
        for opened, rows in _told_on(people, options, "tickets", day, _TICKETS_A_DAY):
            ids = [f"T{opened.day + 100:04d}{at:06d}" for at in rows.tolist()]
            who = opened.who[rows]
            contact_ids = contacts.ids(people, who)
            emails = people.emails(who, people.email_version(who, max(opened.day, 0)))
            lines: list[list[Cell]] = []
            for at, ticket_id, contact_id, email in zip(
                rows.tolist(), ids, contact_ids, emails, strict=True
            ):
                a, b, c, d = opened.draws[:, at].tolist()
                closes_on = opened.day + int(opened.closes_after[at])
                opened_at = _instant(options, opened.day, b)
                closed = closes_on <= day
                lines.append(
                    [
                        ticket_id,
                        "" if a < 0.33 else contact_id,
                        "" if a > 0.85 else email,
                        _SUBJECTS[int(c * len(_SUBJECTS))],
                        "solved" if closed else "open",
                        ("low", "normal", "high", "urgent")[int(d * 4)],
                        opened_at.isoformat() + "Z",
                        (_instant(options, closes_on, d) if closed else opened_at).isoformat()
                        + "Z",
                    ]
                )
            file.write(lines)
            if opened.day == day or day == 0:
                records.write(TICKETS, person_id=people.person_ids(who), record_key=ids)
    drops.record(TICKETS, relative, file.rows, today)


def write_calls(
    drops: Drops,
    people: Population,
    contacts: Contacts,
    options: SampleOptions,
    day: int,
    records: Records,
    *,
    days_late: int,
) -> str:
    """One day's calls; a twentieth come from strangers. Returns the file's relative path."""
    today = options.date_of(day)
    relative = f"crm/calls_{today}.jsonl"
    calls = _opened(people, options, "calls", day, _CALLS_A_DAY)
    draws = calls.draws
    order = np.argsort(draws[1], kind="stable")
    who = calls.who[order]
    stranger = draws[0][order] < 0.05
    phones = people.phones(who)
    contact_ids = contacts.ids(people, who)
    call_ids = [f"L{day:04d}{at:06d}" for at in range(len(who))]
    lines = []
    for at, (a, b, c, d) in enumerate(draws[:, order].T.tolist()):
        country = int(people.country[who[at]])
        phone = written_phone(phones[at], country, int(d * PHONE_STYLES))
        if stranger[at]:
            phone = f"07700 900{int(d * 1000):03d}"
        contact = "null" if stranger[at] or a < 0.3 else f'"{contact_ids[at]}"'
        started = _instant(options, day, b).isoformat() + _OFFSETS[COUNTRIES[country]]
        lines.append(
            f'{{"call_id":"{call_ids[at]}","contact_id":{contact},"phone":"{phone}",'
            f'"direction":"{"in" if c < 0.6 else "out"}","started_at":"{started}",'
            f'"duration_s":{int(c * d * 900)},"agent":"{_AGENTS[int(c * 4)]}",'
            f'"outcome":"{_OUTCOMES[int(d * 4)]}"}}'
        )
    with lines_file(drops.place(relative)) as file:
        file.write(lines)
    drops.record(CALLS, relative, file.rows, today, days_late=days_late)
    person_ids = [
        None if strange else person
        for person, strange in zip(people.person_ids(who), stranger.tolist(), strict=True)
    ]
    records.write(CALLS, person_id=person_ids, record_key=call_ids)
    return relative
