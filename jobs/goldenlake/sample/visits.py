"""Browsing: who comes to the shop's site when, with which cookie, and what they do there.

One slice of a day is a structured array of hits ordered by time, about 50,000 of them
whatever the size of the population, from which both the access log and the shop's events
are written.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from goldenlake.sample.draws import Floats, Ints, pick, stream
from goldenlake.sample.options import SampleOptions
from goldenlake.sample.people import CRAWLER, STRANGER, Population
from goldenlake.sample.products import PRODUCTS

KINDS = [
    "home",
    "category",
    "view",
    "search",
    "cart",
    "remove",
    "checkout",
    "purchase",
    "login",
    "register",
    "robots",
    "other",
]
HOME, CATEGORY, VIEW, SEARCH, CART, REMOVE, CHECKOUT, PURCHASE, LOGIN, REGISTER, ROBOTS, OTHER = (
    range(len(KINDS))
)
_BROWSING = [0.11, 0.13, 0.48, 0.09, 0.10, 0.02, 0.02, 0, 0, 0, 0, 0.05]
_CRAWLING = [0.05, 0.25, 0.60, 0, 0, 0, 0, 0, 0, 0, 0.06, 0.04]

HITS_PER_CUSTOMER_EVENT = 0.45
"""Share of a customer's events that are lines of the access log."""
BOT_SHARE = 0.115
_HITS_A_SESSION = 5.6
_SLICE = 50_000
_HOURS = np.array([2, 1, 1, 1, 1, 2, 3, 5, 6, 7, 7, 7, 8, 7, 6, 6, 7, 8, 9, 10, 10, 9, 6, 4], float)

HIT = np.dtype(
    [
        ("second", "i4"),
        ("session", "i8"),
        ("position", "i4"),
        ("person", "i8"),
        ("cookie", "i8"),
        ("account", "i8"),
        ("kind", "i1"),
        ("product", "i4"),
        ("order", "i8"),
        ("agent", "i4"),
        ("address", "i8"),
        ("entry", "i1"),
        ("is_bot", "?"),
    ]
)
"""``person`` -1: nobody of ours; ``cookie`` -1: none; ``account``: the person whose login the
browser shows, or -1; ``agent``: index of a user agent, of a bot's when ``is_bot`` and >= 0,
else a browser's; ``entry``: how the session came (index into referrers)."""

Hits = NDArray[np.void]


def visits(people: Population, options: SampleOptions, day: int) -> Iterator[Hits]:
    """The hits of one day in slices, ordered by time throughout."""
    wanted = people.size * options.events_per_customer_day * HITS_PER_CUSTOMER_EVENT
    slices = max(1, round(wanted / _SLICE))
    late = np.empty(0, dtype=HIT)
    for at in range(slices):
        ends = _clock(np.array([(at + 1) / slices]))[0] if at + 1 < slices else 86_400
        hits = np.concatenate([late, *_sessions(people, options, day, at, slices, wanted)])
        hits = hits[hits["second"] < 86_400]
        later = hits["second"] >= ends
        late = hits[later]
        hits = hits[~later]
        yield hits[np.lexsort((hits["position"], hits["session"], hits["second"]))]


def _clock(share: Floats) -> Ints:
    """The second of the day by which a share of the day's visits has begun."""
    done = np.concatenate([[0.0], np.cumsum(_HOURS) / _HOURS.sum()])
    seconds: Ints = np.interp(share, done, np.arange(25) * 3_600.0).astype(np.int64)
    return seconds


def _sessions(
    people: Population, options: SampleOptions, day: int, at: int, slices: int, wanted: float
) -> list[Hits]:
    rng = stream(options.seed, "visits", day, at)
    wanted_here = wanted / slices
    humans = round(wanted_here * (1 - BOT_SHARE) / _HITS_A_SESSION)
    bots = max(1, round(wanted_here * BOT_SHARE / 15.5)) if wanted_here >= 1 else 0
    newcomers = np.flatnonzero((people.joined_on == day) & people.has_account & (day > 0))
    newcomers = newcomers[newcomers % slices == at]
    first = (day * 1_000 + at) * 1_000_000
    crowd = _human_hits(rng, people, day, humans, newcomers, (at, slices), first)
    return [crowd, _bot_hits(rng, bots, (at, slices), first + 500_000)]


def _human_hits(
    rng: np.random.Generator,
    people: Population,
    day: int,
    n: int,
    newcomers: Ints,
    span: tuple[int, int],
    first: int,
) -> Hits:
    rank = np.floor(people.size * rng.random(n) ** 1.7).astype(np.int64)
    person = (rank * 7_919 + people.seed % 1_000) % people.size
    person = np.where(people.browses[person] & people.exists(day)[person], person, -1)
    person = np.where(rng.random(n) < 0.12, -1, person)
    person = np.concatenate([person, newcomers])
    n = len(person)
    known = person >= 0
    whose = np.where(known, person, 0)
    device = np.floor(rng.random(n) * people.devices[whose]).astype(np.int64)
    owner = np.where(people.family_computer[whose] & (device == 0), whose & ~1, whose)
    nobody = np.floor(2 * people.size * rng.random(n) ** 1.5).astype(np.int64)
    cookie = np.where(known, owner * 4 + device, STRANGER + nobody)

    length = np.minimum(2 + np.floor(rng.exponential(3.8, n)), 40).astype(np.int64)
    may_login = known & people.has_account[whose] & (people.joined_on[whose] < max(day, 1))
    registers = np.zeros(n, dtype=np.bool_)
    registers[n - len(newcomers) :] = True
    habit = rng.random(n)
    remembered = may_login & (habit < 0.22) & ~registers
    logs_in = may_login & (habit >= 0.22) & (habit < 0.45)
    buys = may_login & people.in_erp[whose] & (rng.random(n) < 0.09)
    logs_in |= (buys & ~remembered) | registers
    length = np.where(buys, np.maximum(length, 5), length)
    length = np.where(logs_in, np.maximum(length, 3), length)
    login_at = np.where(logs_in, 1 + np.floor(rng.random(n) * (length - 2)), 99).astype(np.int64)
    login_at = np.where(buys & logs_in, np.minimum(login_at, length - 3), login_at)
    login_at = np.where(remembered, -1, login_at)

    hits = _expanded(rng, length, span, first, 24.0)
    session = hits["session"] - first
    position = hits["position"]
    hits["person"] = person[session]
    hits["cookie"] = cookie[session]
    hits["account"] = np.where(position > login_at[session], person[session], -1)
    hits["agent"] = (cookie % 9_973)[session]
    hits["address"] = np.where(known, owner * 4 + device, 9_000_000 + nobody)[session]
    hits["entry"] = np.floor(rng.random(n) * 16)[session]
    kind = pick(rng.random(len(hits)), _BROWSING)
    from_end = length[session] - position
    kind = np.where(buys[session] & (from_end == 2), CHECKOUT, kind)
    kind = np.where(buys[session] & (from_end == 1), PURCHASE, kind)
    is_login = logs_in[session] & (position == login_at[session])
    kind = np.where(is_login, np.where(registers[session], REGISTER, LOGIN), kind)
    hits["kind"] = kind
    hits["order"] = np.where(buys, np.arange(n) + first, -1)[session]
    return hits


def _bot_hits(rng: np.random.Generator, n: int, span: tuple[int, int], first: int) -> Hits:
    length = 4 + np.floor(rng.exponential(12.0, n)).astype(np.int64)
    hits = _expanded(rng, length, span, first, 2.0)
    session = hits["session"] - first
    unmarked = rng.random(n) < 0.2
    keeps_cookie = unmarked & (rng.random(n) < 0.5)
    which = np.floor(rng.random(n) * 400).astype(np.int64)
    hits["person"] = -1
    hits["cookie"] = np.where(keeps_cookie, CRAWLER + first + np.arange(n), -1)[session]
    hits["account"] = -1
    hits["agent"] = np.where(unmarked, -1 - which % 7, which)[session]
    hits["address"] = (20_000_000 + which)[session]
    hits["kind"] = pick(rng.random(len(hits)), _CRAWLING)
    hits["product"] = (hits["position"] + which[session] * 13) % len(PRODUCTS)
    hits["order"] = -1
    hits["is_bot"] = True
    return hits


def _expanded(
    rng: np.random.Generator, length: Ints, span: tuple[int, int], first: int, pace: float
) -> Hits:
    """One row for each hit of sessions of the given lengths, ``pace`` seconds apart."""
    at, slices = span
    n = len(length)
    starts = _clock((at + rng.random(n)) / slices)
    total = int(length.sum())
    hits = np.zeros(total, dtype=HIT)
    session = np.repeat(np.arange(n), length)
    begins = np.cumsum(length) - length
    position = np.arange(total) - begins[session]
    gaps = 1 + rng.exponential(pace, total)
    gaps[position == 0] = 0
    since = np.cumsum(gaps)
    since -= since[begins][session] if total else 0.0
    hits["second"] = starts[session] + since.astype(np.int64)
    hits["session"] = session + first
    hits["position"] = position
    favourite = (session + first) * 7_919 % len(PRODUCTS)
    other = np.floor(len(PRODUCTS) * rng.random(total) ** 2).astype(np.int64)
    hits["product"] = np.where(rng.random(total) < 0.3, favourite, other)
    return hits


ORDER_LINE = np.dtype(
    [
        ("second", "i4"),
        ("order", "i8"),
        ("line_no", "i4"),
        ("person", "i8"),
        ("product", "i4"),
        ("quantity", "i4"),
        ("hit", "i8"),
    ]
)
"""``hit`` is the row of the hits from which the line was made."""


def order_lines(hits: Hits) -> Hits:
    """One to three lines for every order that these hits finish."""
    done = np.flatnonzero(hits["kind"] == PURCHASE)
    order = hits["order"][done]
    lines = 1 + order % 3
    hit = np.repeat(done, lines)
    begins = np.cumsum(lines) - lines
    line_no = 1 + np.arange(len(hit)) - np.repeat(begins, lines)
    rows = np.zeros(len(hit), dtype=ORDER_LINE)
    rows["hit"] = hit
    rows["second"] = hits["second"][hit]
    rows["order"] = hits["order"][hit]
    rows["line_no"] = line_no
    rows["person"] = hits["person"][hit]
    rows["product"] = (hits["product"][hit] + 37 * (line_no - 1)) % len(PRODUCTS)
    rows["quantity"] = 1 + (rows["order"] + line_no) % 4 // 3
    return rows


def order_numbers(orders: Ints) -> list[str]:
    """The shop's order ids, which are the ERP's order numbers of web orders."""
    return [f"W{order:013d}" for order in orders.tolist()]
