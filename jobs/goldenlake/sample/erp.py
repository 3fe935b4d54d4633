"""The ERP: customers (whole on the first day, then what changed) and order lines."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from goldenlake.sample.draws import Flags, Floats, Ints, stream
from goldenlake.sample.drops import Drops
from goldenlake.sample.files import parquet_file
from goldenlake.sample.mess import written_phone
from goldenlake.sample.options import SampleOptions
from goldenlake.sample.people import Population
from goldenlake.sample.places import COUNTRIES
from goldenlake.sample.products import CENTS, PRODUCTS
from goldenlake.sample.truth import CHUNK, Records, Subjects
from goldenlake.sample.visits import Hits, order_numbers

CUSTOMERS, ORDERS = "erp_customers", "erp_orders"
_INSTANT = pa.timestamp("us", tz="UTC")
CUSTOMER_SCHEMA = pa.schema(
    [
        ("customer_number", pa.string()),
        ("name", pa.string()),
        ("email", pa.string()),
        ("phone", pa.string()),
        ("street", pa.string()),
        ("city", pa.string()),
        ("postcode", pa.string()),
        ("country", pa.string()),
        ("vat_number", pa.string()),
        ("credit_limit", pa.decimal128(12, 2)),
        ("created_at", _INSTANT),
        ("updated_at", _INSTANT),
    ]
)
ORDER_SCHEMA = pa.schema(
    [
        ("order_number", pa.string()),
        ("line_no", pa.int32()),
        ("customer_number", pa.string()),
        ("ordered_at", _INSTANT),
        ("sku", pa.string()),
        ("quantity", pa.int32()),
        ("unit_price", pa.decimal128(12, 2)),
        ("currency", pa.string()),
        ("status", pa.string()),
        ("channel", pa.string()),
    ]
)
_PHONE_ORDERS_A_DAY = 0.004
_STATUS = ("placed", "placed", "shipped", "cancelled")
_DAY = 86_400_000_000


def write_erp_customers(
    drops: Drops, people: Population, options: SampleOptions, day: int, records: Records
) -> None:
    """Everybody on the first day; then who joined, moved, or changed name or e-mail."""
    today = options.date_of(day)
    relative = f"erp/customers_{today}.parquet"
    there = people.in_erp & people.exists(day)
    is_new = there if day == 0 else people.in_erp & (people.joined_on == day)
    changed = is_new.copy()
    for changes in (people.email_changes_on, people.surname_changes_on, people.moves_on):
        changed |= there & (changes == day)
    who = np.flatnonzero(changed)
    latin = ~people.cyrillic | (_draws(people, options)[0, : people.size] < 0.4)
    with parquet_file(drops.place(relative), CUSTOMER_SCHEMA) as file:
        for at in range(0, len(who), CHUNK):
            chunk = who[at : at + CHUNK]
            file.write(_customer_columns(people, options, chunk, latin[chunk], day))
            fresh = chunk[is_new[chunk]]
            records.write(
                CUSTOMERS,
                person_id=people.person_ids(fresh),
                record_key=people.customer_numbers(fresh),
                traits=[
                    ["latin_spelling"] if in_latin else []
                    for in_latin in (people.cyrillic & latin)[fresh].tolist()
                ],
            )
    drops.record(CUSTOMERS, relative, file.rows, today)


def _draws(people: Population, options: SampleOptions) -> Floats:
    return stream(options.seed, "erp", "traits").random((6, people.size + people.size % 2))


def _customer_columns(
    people: Population, options: SampleOptions, who: Ints, latin: Flags, day: int
) -> dict[str, object]:
    trait = _draws(people, options)[:, who]
    given = people.given_names(who, latin=latin, nickname=np.zeros(len(who), dtype=np.bool_))
    family = people.family_names(who, day, latin=latin)
    street, city, postcode = people.addresses(who, day, latin=latin)
    country = people.country[who].tolist()
    phone = people.phones(who)
    style = np.where(trait[2] < 0.4, trait[2] * 18, 0).astype(np.int64).tolist()
    midnight = _micros(options, 0)
    joined = people.joined_on[who].astype(np.int64)
    created = np.where(
        joined > 0,
        midnight + joined * _DAY + 36_000_000_000,
        midnight - ((1 + trait[3] * 2_000) * _DAY).astype(np.int64),
    )
    changes = np.zeros(len(who), dtype=np.int64)
    for when in (people.email_changes_on, people.surname_changes_on, people.moves_on):
        at = when[who].astype(np.int64)
        changes = np.where(at <= day, np.maximum(changes, at), changes)
    updated = np.where(changes > 0, midnight + changes * _DAY + 43_200_000_000, created)
    cents = np.floor(trait[4] * 40).astype(np.int64) * 25_000
    return {
        "customer_number": people.customer_numbers(who),
        "name": [
            f"{last}, {first}" if comma else f"{first} {last}"
            for first, last, comma in zip(given, family, (trait[1] < 0.6).tolist(), strict=True)
        ],
        "email": _thinned(people.emails(who, people.email_version(who, day)), trait[5] < 0.12),
        "phone": _thinned(
            [written_phone(*row) for row in zip(phone, country, style, strict=True)],
            trait[5] > 0.85,
        ),
        "street": street,
        "city": city,
        "postcode": postcode,
        "country": [COUNTRIES[code] for code in country],
        "vat_number": [
            f"{COUNTRIES[code]}{person * 7_919 % 10**9:09d}" if trades else None
            for code, person, trades in zip(
                country, who.tolist(), (trait[4] < 0.03).tolist(), strict=True
            )
        ],
        "credit_limit": _decimals(cents),
        "created_at": created,
        "updated_at": np.maximum(updated, created),
    }


def write_erp_orders(
    drops: Drops,
    people: Population,
    options: SampleOptions,
    day: int,
    web_lines: Hits,
    subjects: Subjects,
) -> None:
    """One day's order lines: the shop's orders as the ERP booked them, and orders by phone."""
    today = options.date_of(day)
    relative = f"erp/orders_{today}.parquet"
    rng = stream(options.seed, "phone orders", day)
    callers = np.flatnonzero(people.in_erp & people.exists(day))
    n = max(1, round(_PHONE_ORDERS_A_DAY * people.size)) if len(callers) else 0
    caller = callers[np.floor(len(callers) * rng.random(n)).astype(np.int64)]
    second = np.sort(np.floor(28_800 + rng.random(n) * 36_000).astype(np.int64))
    product = np.floor(len(PRODUCTS) * rng.random(n)).astype(np.int64)
    quantity = 1 + np.floor(rng.exponential(1.0, n)).astype(np.int64)
    stamp = today.strftime("%y%m%d")
    with parquet_file(drops.place(relative), ORDER_SCHEMA) as file:
        for at in range(0, len(web_lines), CHUNK):
            rows = web_lines[at : at + CHUNK]
            file.write(
                _order_columns(
                    people,
                    options,
                    day,
                    rows["person"],
                    rows["second"],
                    rows["product"],
                    rows["quantity"],
                    (order_numbers(rows["order"]), rows["line_no"], "web"),
                )
            )
        numbers = [f"P{stamp}{i:06d}" for i in range(n)]
        told = (numbers, np.ones(n, dtype=np.int64), "phone")
        file.write(_order_columns(people, options, day, caller, second, product, quantity, told))
    subjects.add(web_lines["person"], customer=web_lines["person"])
    subjects.add(caller, customer=caller)
    drops.record(ORDERS, relative, file.rows, today)


def _order_columns(
    people: Population,
    options: SampleOptions,
    day: int,
    who: Ints,
    second: Ints,
    product: Ints,
    quantity: Ints,
    told: tuple[list[str], Ints, str],
) -> dict[str, object]:
    numbers, line_no, channel = told
    return {
        "order_number": numbers,
        "line_no": line_no,
        "customer_number": people.customer_numbers(who),
        "ordered_at": _micros(options, day) + second.astype(np.int64) * 1_000_000,
        "sku": [PRODUCTS[item].sku for item in product.tolist()],
        "quantity": quantity,
        "unit_price": _decimals(CENTS[product]),
        "currency": ["GBP" if code == 0 else "EUR" for code in people.country[who].tolist()],
        "status": [_STATUS[value] for value in ((who + product + second) % 4).tolist()],
        "channel": [channel] * len(who),
    }


def _micros(options: SampleOptions, day: int) -> int:
    midnight = datetime.combine(options.date_of(day), datetime.min.time(), tzinfo=UTC)
    return int(midnight.timestamp()) * 1_000_000


def _decimals(cents: Ints) -> pa.Array:
    """Exact decimals with two places: Arrow's own cast from integers would need a division."""
    words = np.zeros((len(cents), 2), dtype=np.int64)
    words[:, 0] = cents
    words[:, 1] = np.where(cents < 0, -1, 0)
    return pa.Array.from_buffers(
        pa.decimal128(12, 2), len(cents), [None, pa.py_buffer(words.tobytes())]
    )


def _thinned(texts: list[str], where: Flags) -> list[str | None]:
    return [None if gone else text for text, gone in zip(texts, where.tolist(), strict=True)]
