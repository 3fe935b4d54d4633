"""The e-mail service: what became of each message."""

import numpy as np

from goldenlake.sample.draws import pick, stream
from goldenlake.sample.drops import Drops
from goldenlake.sample.files import lines_file
from goldenlake.sample.options import SampleOptions
from goldenlake.sample.people import STRANGER, Population
from goldenlake.sample.products import PRODUCTS
from goldenlake.sample.spelling import CLOCK, NOTHING, spelled
from goldenlake.sample.truth import Subjects, email_code, email_of

SOURCE = "esp_events"
EVENTS_PER_CUSTOMER_EVENT = 0.17
"""Share of a customer's events that the e-mail service tells."""
TYPES = ("delivered", "open", "click", "bounce", "complaint", "unsubscribe")
_SHARES = [0.66, 0.23, 0.08, 0.022, 0.002, 0.006]
_UNSUBSCRIBE = TYPES.index("unsubscribe")
_CAMPAIGNS = ("winter-sale", "new-arrivals", "loyalty-week", "we-miss-you", "birthday")
_SLICE = 50_000
_SECONDS = 86_400


def write_esp(
    drops: Drops,
    people: Population,
    options: SampleOptions,
    day: int,
    subjects: Subjects,
    *,
    days_late: int,
) -> str:
    """One day's events, ordered by time. Returns the file's relative path.

    Some systems behind the service tell the time in epoch seconds, others in ISO; a
    thirtieth of the addresses belong to nobody we know.
    """
    today = options.date_of(day)
    relative = f"esp/events_{today}.jsonl.gz"
    subscribed = np.flatnonzero(
        people.on_mailing_list & people.exists(day) & (people.unsubscribes_on >= day)
    )
    leaving = np.flatnonzero(people.on_mailing_list & (people.unsubscribes_on == day))
    wanted = people.size * options.events_per_customer_day * EVENTS_PER_CUSTOMER_EVENT
    if not len(subscribed):
        wanted = 0
    slices = max(1, round(wanted / _SLICE))
    midnight = int(np.datetime64(today, "s").astype(np.int64))
    with lines_file(drops.place(relative)) as file:
        for at in range(slices):
            rng = stream(options.seed, "esp", day, at)
            n = round(wanted / slices)
            said = leaving[leaving % slices == at]
            person = subscribed[np.floor(len(subscribed) * rng.random(n)).astype(np.int64)]
            kind = pick(rng.random(n), _SHARES)
            kind = np.where(kind == _UNSUBSCRIBE, 0, kind)
            stranger = rng.random(n) < 1 / 30
            number = np.floor(people.size * rng.random(n)).astype(np.int64)
            code = email_code(person, people.email_version(person, day))
            code = np.where(stranger, STRANGER + number, code)
            person = np.where(stranger, NOTHING, person)
            said_code = email_code(said, people.email_version(said, day))
            person, code = np.concatenate([person, said]), np.concatenate([code, said_code])
            kind = np.concatenate([kind, np.full(len(said), _UNSUBSCRIBE)])
            n = len(kind)
            span = _SECONDS / slices
            second = np.sort(np.floor((at + rng.random(n)) * span).astype(np.int64))
            which = np.floor(rng.random(n) * 1_000).astype(np.int64)
            subjects.add(person, email=code)
            lines = []
            for i, (what, email, when, clock, luck) in enumerate(
                zip(
                    kind.tolist(),
                    spelled(code, lambda codes: email_of(people, codes)),
                    second.tolist(),
                    CLOCK[second].tolist(),
                    which.tolist(),
                    strict=True,
                )
            ):
                address = email.upper() if luck % 50 == 7 and email else email
                product_id = PRODUCTS[luck % len(PRODUCTS)].product_id
                url = f'"https://shop.example.com/product/{product_id}"'
                bounce = '"hard"' if luck < 350 else '"soft"'
                stamp = f'"{today}T{clock}+00:00"' if luck % 3 == 0 else midnight + when
                lines.append(
                    f'{{"event_id":"m{day:04d}{at:04d}{i:06d}","at":{stamp},"type":"{TYPES[what]}",'
                    f'"email":"{address}","campaign":"{_CAMPAIGNS[luck % 5]}",'
                    f'"url":{url if what == 2 else "null"},'
                    f'"bounce_class":{bounce if what == 3 else "null"}}}'
                )
            file.write(lines)
    drops.record(SOURCE, relative, file.rows, today, days_late=days_late)
    return relative
