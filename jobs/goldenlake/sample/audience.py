"""A partner's weekly audience: hashed keys, half of which we may never meet."""

from datetime import timedelta

import numpy as np

from goldenlake.sample.draws import stream
from goldenlake.sample.drops import Drops
from goldenlake.sample.files import csv_file
from goldenlake.sample.options import SampleOptions
from goldenlake.sample.people import FIRST, STRANGER, Population
from goldenlake.sample.truth import CHUNK, Records, sha256_of

SOURCE = "audience_partner"
HEADER = ["email_sha256", "phone_sha256", "segment", "score", "valid_until"]
_SEGMENTS = ("home-owners", "frequent-travellers", "young-families", "gardeners", "coffee-lovers")
_STRANGERS = 0.4
"""Strangers for each person known to the partner."""


def write_audience(
    drops: Drops, people: Population, options: SampleOptions, day: int, records: Records
) -> None:
    """The week's whole file, keyed by the first e-mail and the phone of each person.

    Truth has a row for each person and one for each stranger, written on the first day;
    strangers stay the same.
    """
    today = options.date_of(day)
    relative = f"audience/partner_{today}.csv"
    who = np.flatnonzero(people.known_to_partner)
    who = np.concatenate([who, STRANGER + np.arange(round(_STRANGERS * len(who)))])
    draws = stream(options.seed, "audience").random((2, len(who)))
    scores = stream(options.seed, "audience scores", day).random(len(who))
    valid_until = today + timedelta(days=28)
    with csv_file(drops.place(relative), HEADER) as file:
        for at in range(0, len(who), CHUNK):
            rows = slice(at, at + CHUNK)
            chunk, keys, segment = who[rows], draws[0, rows], draws[1, rows]
            ours = chunk[chunk < STRANGER]
            strange = chunk[chunk >= STRANGER] - STRANGER
            emails = people.emails(ours, np.full(len(ours), FIRST))
            emails += people.stranger_emails(strange)
            phones = people.phones(ours) + [f"+447700900{n % 1000:03d}" for n in strange.tolist()]
            email_keys = [
                None if draw < 0.10 else sha256_of(email)
                for email, draw in zip(emails, keys.tolist(), strict=True)
            ]
            phone_keys = [
                sha256_of(phone) if draw < 0.55 and person < STRANGER else None
                for phone, draw, person in zip(phones, keys.tolist(), chunk.tolist(), strict=True)
            ]
            file.write(
                [
                    (email, phone, _SEGMENTS[int(which * 5)], f"{score:.3f}", str(valid_until))
                    for email, phone, which, score in zip(
                        email_keys, phone_keys, segment.tolist(), scores[rows].tolist(), strict=True
                    )
                    if email or phone
                ]
            )
            if day == 0:
                keep = [i for i in range(len(chunk)) if email_keys[i] or phone_keys[i]]
                persons: list[str | None] = [*people.person_ids(ours), *[None] * len(strange)]
                records.write(
                    SOURCE,
                    person_id=[persons[i] for i in keep],
                    email_sha256=[email_keys[i] for i in keep],
                    phone_sha256=[phone_keys[i] for i in keep],
                )
    drops.record(SOURCE, relative, file.rows, today)
