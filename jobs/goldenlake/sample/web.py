"""The shop's web server and its click stream: two views of the same visits."""

from urllib.parse import quote

import numpy as np

from goldenlake.sample.agents import BOTS, BROWSERS, addresses
from goldenlake.sample.draws import Ints, rare, stream
from goldenlake.sample.drops import Drops
from goldenlake.sample.files import Lines, lines_file
from goldenlake.sample.options import SampleOptions
from goldenlake.sample.people import Population
from goldenlake.sample.products import CATEGORIES, PRODUCTS, money
from goldenlake.sample.spelling import CLOCK, NOTHING, spelled
from goldenlake.sample.truth import Planted, Subjects, email_code, email_of
from goldenlake.sample.visits import (
    CART,
    HOME,
    KINDS,
    LOGIN,
    ORDER_LINE,
    PURCHASE,
    REGISTER,
    REMOVE,
    SEARCH,
    VIEW,
    Hits,
    order_lines,
    order_numbers,
    visits,
)

ACCESS, EVENTS = "web_access", "web_events"
_SITE = "https://shop.example.com"
_QUERIES = ("coffee", "blanket", "bike+light", "th%C3%A9", "Kopfh%C3%B6rer", "%D1%87%D0%B0%D0%B9")
_CAMPAIGNS = ("winter-sale", "new-arrivals", "loyalty-week", "we-miss-you")
_REQUESTS_OF = {
    "home": ("GET / HTTP/1.1",),
    "category": tuple(f"GET /category/{name} HTTP/1.1" for name in CATEGORIES),
    "view": tuple(f"GET /product/{product.product_id} HTTP/1.1" for product in PRODUCTS),
    "search": tuple(f"GET /search?q={query} HTTP/1.1" for query in _QUERIES),
    "cart": tuple(f"POST /cart/add/{product.product_id} HTTP/1.1" for product in PRODUCTS),
    "remove": tuple(f"POST /cart/remove/{product.product_id} HTTP/1.1" for product in PRODUCTS),
    "checkout": ("GET /checkout HTTP/1.1",),
    "purchase": ("POST /checkout/confirm HTTP/1.1",),
    "login": ("POST /account/login HTTP/1.1",),
    "register": ("POST /account/register HTTP/1.1",),
    "robots": ("GET /robots.txt HTTP/1.1", "GET /sitemap.xml HTTP/1.1"),
    "other": ("GET /static/app.css HTTP/1.1", "GET /favicon.ico HTTP/1.1", "GET /about HTTP/1.1"),
}
_REQUESTS = np.array([r for kind in KINDS for r in _REQUESTS_OF[kind]], dtype=object)
_WIDTH = np.array([len(_REQUESTS_OF[kind]) for kind in KINDS])
_BEGINS = np.cumsum(_WIDTH) - _WIDTH
_REFERRERS = np.array(
    [f"{_SITE}/"] * 1 + ["-"] * 8 + ["https://www.google.com/"] * 5 + ["https://www.bing.com/"] * 3,
    dtype=object,
)
_MALFORMED = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
    b'100.64.7.7 - - [01/Jan/2026:00:00:00 +0000] "GET /product/p00001\n',
    b"server reached MaxRequestWorkers setting\n",
)
_STATUS = np.array(["200"] * 93 + ["304"] * 4 + ["404"] * 2 + ["500"], dtype=object)
_EVENT_KINDS = np.isin(np.arange(len(KINDS)), [VIEW, SEARCH, CART, REMOVE, LOGIN, REGISTER])


def write_web(
    drops: Drops,
    people: Population,
    options: SampleOptions,
    day: int,
    planted: Planted,
    access_subjects: Subjects,
    event_subjects: Subjects,
) -> Hits:
    """One day's access log and shop events. Returns the lines of the day's orders."""
    today = options.date_of(day)
    access, events = f"web/access_{today}.log.gz", f"web/events_{today}.jsonl"
    cut_short = day == min(1, options.days - 1)
    ordered = [np.empty(0, dtype=ORDER_LINE)]
    with lines_file(drops.place(access)) as log, lines_file(drops.place(events)) as clicks:
        held: list[str] = []
        for at, hits in enumerate(visits(people, options, day)):
            ordered.append(order_lines(hits))
            _write_log(log, people, options, day, at, hits, planted)
            access_subjects.add(hits["person"], cookie=hits["cookie"], account=hits["account"])
            clicks.write(held)
            held = _event_lines(people, options, day, at, hits, planted, event_subjects, cut_short)
        if cut_short and held:
            planted.file("truncated_last_line", f"drops/{events}")
            *held, last = held
            clicks.write(held)
            clicks.write_broken(last[: len(last) // 2].encode())
        else:
            clicks.write(held)
    drops.record(ACCESS, access, log.rows, today)
    drops.record(EVENTS, events, clicks.rows, today)
    return np.concatenate(ordered)


def _write_log(
    log: Lines,
    people: Population,
    options: SampleOptions,
    day: int,
    at: int,
    hits: Hits,
    planted: Planted,
) -> None:
    rng = stream(options.seed, "responses", day, at)
    n = len(hits)
    kind = hits["kind"]
    request = _REQUESTS[_BEGINS[kind] + hits["product"] % _WIDTH[kind]]
    entry = hits["entry"].astype(np.int64)
    begins = (hits["position"] == 0) & ~hits["is_bot"]
    for row in np.flatnonzero(begins & (entry < 3)).tolist():
        campaign = _CAMPAIGNS[int(hits["session"][row]) % 4]
        path = request[row].split(" ")[1]
        joined = "&" if "?" in path else "?"
        request[row] = (
            f"GET {path}{joined}utm_source=newsletter&utm_medium=email&utm_campaign={campaign} "
            "HTTP/1.1"
        )
    told = np.flatnonzero((hits["account"] >= 0) & (kind == HOME) & (hits["session"] % 41 == 0))
    who = hits["person"][told]
    emails = people.emails(who, people.email_version(who, day))
    for row, email in zip(told.tolist(), emails, strict=True):
        request[row] = f"GET /newsletter/confirm?email={quote(email)} HTTP/1.1"
    planted.rows["email_in_url"] += len(told)
    referrer = _REFERRERS[np.where(begins, 1 + entry, np.where(hits["is_bot"], 1, 0))]
    agent = hits["agent"]
    agents = np.where(
        hits["is_bot"] & (agent >= 0),
        np.array(BOTS, dtype=object)[agent % len(BOTS)],
        np.array(BROWSERS, dtype=object)[np.abs(agent) % len(BROWSERS)],
    )
    status = _STATUS[np.floor(rng.random(n) * 100).astype(np.int64)]
    status[np.isin(kind, [LOGIN, REGISTER, PURCHASE])] = "200"
    sizes = np.floor(400 + rng.exponential(14_000, n)).astype(np.int64).astype(str).astype(object)
    sizes[(status == "304") | (rng.random(n) < 0.01)] = "-"
    date = options.date_of(day).strftime("%d/%b/%Y")
    planted.rows["bot_hits"] += int(hits["is_bot"].sum())
    log.write(
        [
            f'{host} - - [{date}:{clock} +0000] "{line}" {code} {size} "{came}" "{who}" '
            f'"{cookie}" "{account}"'
            for host, clock, line, code, size, came, who, cookie, account in zip(
                spelled(hits["address"], addresses),
                CLOCK[hits["second"]].tolist(),
                request.tolist(),
                status.tolist(),
                sizes.tolist(),
                referrer.tolist(),
                agents.tolist(),
                spelled(hits["cookie"], people.cookies, "-"),
                spelled(hits["account"], people.account_ids, "-"),
                strict=True,
            )
        ]
    )
    if n:
        log.write_broken(_MALFORMED[(day + at) % len(_MALFORMED)])
        planted.rows["malformed_log_lines"] += 1


def _event_lines(
    people: Population,
    options: SampleOptions,
    day: int,
    at: int,
    hits: Hits,
    planted: Planted,
    subjects: Subjects,
    cut_short: bool,
) -> list[str]:
    """Events of one slice; ``cut_short`` keeps the last one out of the truth's subjects."""
    single = np.flatnonzero(_EVENT_KINDS[hits["kind"]] & ~hits["is_bot"])
    bought = order_lines(hits)
    row = np.concatenate([single, bought["hit"]])
    line_no = np.concatenate([np.zeros(len(single), np.int64), bought["line_no"]])
    product = np.concatenate([hits["product"][single], bought["product"]])
    quantity = np.concatenate([np.ones(len(single), np.int64), bought["quantity"]])
    order = np.lexsort((line_no, row))
    row, line_no, product, quantity = row[order], line_no[order], product[order], quantity[order]
    of = hits[row]
    kind = of["kind"]
    signs_in = (kind == LOGIN) | (kind == REGISTER)
    account = np.where(signs_in, of["person"], of["account"])
    tells_email = (kind == REGISTER) | ((kind == LOGIN) & (of["session"] % 2 == 0))
    version = people.email_version(np.maximum(of["person"], 0), day)
    email = np.where(tells_email, email_code(of["person"], version), NOTHING)
    known = len(of) - 1 if cut_short and len(of) else len(of)
    subjects.add(
        of["person"][:known],
        cookie=of["cookie"][:known],
        account=account[:known],
        email=email[:known],
    )
    lines = _json_events(people, options, day, of, line_no, product, quantity, account, email)
    twice = rare(stream(options.seed, "double events", day, at), max(0, known - 1), 0.0004)
    planted.rows["duplicate_events"] += len(twice)
    for repeated in twice[::-1].tolist():
        lines.insert(repeated, lines[repeated])
    return lines


def _json_events(
    people: Population,
    options: SampleOptions,
    day: int,
    of: Hits,
    line_no: Ints,
    product: Ints,
    quantity: Ints,
    account: Ints,
    email: Ints,
) -> list[str]:
    date = options.date_of(day).isoformat()
    in_pounds = (of["person"] >= 0) & (people.country[np.maximum(of["person"], 0)] == 0)
    has_product = np.isin(of["kind"], [VIEW, CART, REMOVE, PURCHASE]).tolist()
    orders = np.where(of["kind"] == PURCHASE, of["order"], NOTHING)
    lines = []
    for (
        kind,
        session,
        position,
        line,
        clock,
        cookie,
        login,
        mail,
        item,
        many,
        pounds,
        shown,
        order,
    ) in zip(
        of["kind"].tolist(),
        of["session"].tolist(),
        of["position"].tolist(),
        line_no.tolist(),
        CLOCK[of["second"]].tolist(),
        spelled(of["cookie"], people.cookies),
        spelled(account, lambda codes: _quoted(people.account_ids(codes)), "null"),
        spelled(email, lambda codes: _quoted(email_of(people, codes)), "null"),
        product.tolist(),
        quantity.tolist(),
        in_pounds.tolist(),
        has_product,
        spelled(orders, lambda codes: _quoted(order_numbers(codes)), "null"),
        strict=True,
    ):
        lines.append(
            f'{{"event_id":"e{session:x}-{position:x}-{line}","at":"{date}T{clock}Z",'
            f'"type":"{KINDS[kind]}","visitor_id":"{cookie}","account_id":{login},"email":{mail},'
            f"{_PRODUCT_FIELDS[item] if shown else _NO_PRODUCT},"
            f'"quantity":{many if shown else "null"},'
            f'"currency":{_CURRENCY[pounds] if shown else "null"},'
            f'"order_id":{order},"session_id":"s{session:x}"}}'
        )
    return lines


def _quoted(texts: list[str]) -> list[str]:
    return [f'"{text}"' for text in texts]


_PRODUCT_FIELDS = tuple(
    f'"product_id":"{p.product_id}","category":"{p.category}","brand":"{p.brand}",'
    f'"price":{money(p.cents)}'
    for p in PRODUCTS
)
_CURRENCY = ('"EUR"', '"GBP"')
_NO_PRODUCT = '"product_id":null,"category":null,"brand":null,"price":null'
