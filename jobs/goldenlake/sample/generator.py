"""The order in which a sample is written."""

import shutil
from collections.abc import Callable

import numpy as np

from goldenlake.sample.audience import write_audience
from goldenlake.sample.consents import write_consents
from goldenlake.sample.contact_snapshots import write_contact_truth, write_contacts
from goldenlake.sample.contacts import Contacts, contacts_of
from goldenlake.sample.dealings import CALLS, write_calls, write_deals, write_tickets
from goldenlake.sample.drops import Drops
from goldenlake.sample.erp import ORDERS, write_erp_customers, write_erp_orders
from goldenlake.sample.esp import SOURCE as ESP
from goldenlake.sample.esp import write_esp
from goldenlake.sample.files import parquet_file
from goldenlake.sample.options import SampleOptions, SampleSummary
from goldenlake.sample.people import NEVER, Population
from goldenlake.sample.planting import population
from goldenlake.sample.shops import SHOPS, TILLS, WORKBOOKS, write_correction, write_shop
from goldenlake.sample.truth import (
    CHUNK,
    PERSON_CHANGES,
    PERSON_TRAITS,
    PERSONS,
    RECORDS,
    Planted,
    Records,
    Subjects,
    person_columns,
)
from goldenlake.sample.web import ACCESS, EVENTS, write_web

OnProgress = Callable[[str, int, int], None]
_DAYS_A_WEEK = 7
_DAYS_BETWEEN_CORRECTIONS = 5


def generate(options: SampleOptions, on_progress: OnProgress | None = None) -> SampleSummary:
    """Write a sample under ``options.out``: ``drops/``, ``arrivals.csv`` and ``truth/``.

    The same options give the same bytes. ``on_progress`` is called with a label, how many
    steps are done and how many there are. Memory grows with the customers and with the
    distinct subjects met (56 bytes each), not with the events.

    Raises:
        SetupError: the folder already holds a sample.
    """
    drops = Drops(options.out)
    planted = Planted()
    people = population(options)
    slots = contacts_of(people, options)
    subjects = {
        source: Subjects(source) for source in (ACCESS, EVENTS, TILLS, WORKBOOKS, ESP, ORDERS)
    }
    steps_a_day = 5
    steps = steps_a_day * options.days + 1
    done = 0

    def step(label: str) -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(label, done, steps)

    truth = options.out / "truth"
    truth.mkdir(parents=True, exist_ok=True)
    with parquet_file(truth / "records.parquet", RECORDS) as rows:
        records = Records(rows)
        for day in range(options.days):
            today = options.date_of(day)
            write_contacts(drops, people, slots, options, day, planted)
            step(f"{today} contacts")
            _write_dealings(drops, people, slots[0], options, day, records, planted)
            write_consents(drops, people, slots[0], options, day, records)
            if day % _DAYS_A_WEEK == 0:
                write_audience(drops, people, options, day, records)
            step(f"{today} dealings, consents, audiences")
            ordered = write_web(
                drops, people, options, day, planted, subjects[ACCESS], subjects[EVENTS]
            )
            step(f"{today} web")
            write_erp_customers(drops, people, options, day, records)
            write_erp_orders(drops, people, options, day, ordered, subjects[ORDERS])
            step(f"{today} ERP")
            _write_shops(drops, people, options, day, planted, subjects)
            late = _days_late(options, day, 2)
            relative = write_esp(drops, people, options, day, subjects[ESP], days_late=late)
            _note_late(planted, relative, late)
            step(f"{today} shops, e-mail")
        write_contact_truth(people, slots, options, records, planted)
        for seen in subjects.values():
            seen.write(people, records)
    _write_persons(people, slots, options, planted)
    planted.write(truth / "planted.json")
    drops.write_arrivals()
    step("truth")
    return SampleSummary(
        out=options.out,
        rows=dict(sorted(drops.rows.items())),
        files=drops.files,
        size_bytes=drops.size_bytes,
    )


def _days_late(options: SampleOptions, day: int, turn: int) -> int:
    """A file of each system in turn is a day late; none would arrive after the last day."""
    return int(day % 4 == turn - 1 and day + 1 < options.days)


def _note_late(planted: Planted, relative: str | None, days_late: int) -> None:
    if relative is not None and days_late:
        planted.file("late", f"drops/{relative}")


def _write_dealings(
    drops: Drops,
    people: Population,
    contacts: Contacts,
    options: SampleOptions,
    day: int,
    records: Records,
    planted: Planted,
) -> None:
    write_deals(drops, people, contacts, options, day, records)
    write_tickets(drops, people, contacts, options, day, records)
    late = _days_late(options, day, 1)
    relative = write_calls(drops, people, contacts, options, day, records, days_late=late)
    _note_late(planted, relative, late)
    if day % _DAYS_A_WEEK == min(1, options.days - 1):
        again = relative.replace("calls_", "calls_resent_")
        shutil.copyfile(drops.place(relative), drops.place(again))
        lines = drops.place(again).read_bytes().count(b"\n")
        next_day = int(day + 1 < options.days)
        drops.record(CALLS, again, lines, options.date_of(day), days_late=next_day)
        planted.file("resent", f"drops/{again}")


def _write_shops(
    drops: Drops,
    people: Population,
    options: SampleOptions,
    day: int,
    planted: Planted,
    subjects: dict[str, Subjects],
) -> None:
    for at, shop in enumerate(SHOPS):
        late = _days_late(options, day, 1 + (at + 2) % len(SHOPS))
        seen = subjects[TILLS if shop.encoding else WORKBOOKS]
        relative = write_shop(drops, people, options, day, shop, planted, seen, days_late=late)
        _note_late(planted, relative, late)
        if at == 0 and day % _DAYS_BETWEEN_CORRECTIONS == 0:
            write_correction(drops, people, options, day, shop, planted, days_late=late)


def _write_persons(
    people: Population, slots: list[Contacts], options: SampleOptions, planted: Planted
) -> None:
    count = sum(contacts.exists.astype(np.int64) for contacts in slots)
    count = np.asarray(count)
    nicknamed = np.logical_or.reduce([c.exists & c.nickname for c in slots])
    with parquet_file(options.out / "truth" / "persons.parquet", PERSONS) as file:
        for at in range(0, people.size, CHUNK):
            who = np.arange(at, min(at + CHUNK, people.size))
            file.write(person_columns(people, who, count[who], nicknamed[who]))
    planted.persons["nickname"] = int(nicknamed.sum())
    for trait in PERSON_TRAITS:
        planted.persons[trait] = int(getattr(people, trait).sum())
    for change in PERSON_CHANGES:
        when = getattr(people, change)
        planted.persons[change] = int(((when > 0) & (when != NEVER)).sum())
