"""Tills of the shops: two dialects of CSV, and workbooks kept by hand."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from goldenlake.sample.draws import Flags, Ints, stream
from goldenlake.sample.drops import Drops
from goldenlake.sample.files import Cell, csv_file, day_stamp, workbook_file
from goldenlake.sample.mess import written_phone
from goldenlake.sample.options import SampleOptions
from goldenlake.sample.people import Population
from goldenlake.sample.products import PRODUCTS, money
from goldenlake.sample.spelling import NOTHING
from goldenlake.sample.truth import CHUNK, Planted, Subjects, email_code

TILLS, WORKBOOKS = "shop_purchases", "shop_workbooks"
HEADER = [
    "shop",
    "receipt_no",
    "line_no",
    "sold_at",
    "sku",
    "product",
    "quantity",
    "unit_price",
    "currency",
    "loyalty_card",
    "phone",
    "email",
]
LINES_PER_CUSTOMER_EVENT = 0.08
"""Share of a customer's events that are lines of a till receipt."""
_SUNDAY = 6


@dataclass(frozen=True)
class Shop:
    """One shop and how its system writes."""

    city: str
    countries: tuple[int, ...]
    currency: str
    encoding: str | None
    """Of its CSV; None writes a workbook."""
    voucher: str
    open_on_sundays: bool = True


SHOPS = (
    Shop("london", (0,), "GBP", "cp1252", "Gift card £10"),
    Shop("berlin", (1,), "EUR", "latin-1", "Gutschein für Gäste", open_on_sundays=False),
    Shop("lyon", (2,), "EUR", "cp1252", "Chèque-cadeau 10 €"),
    Shop("edinburgh", (0,), "GBP", None, "Gift card £10"),
    Shop("sofia", (3, 4), "EUR", None, "Подаръчен ваучер 10 €"),
)


@dataclass(frozen=True)
class _Sales:
    """Lines of one shop's receipts on one day, ordered by time."""

    receipt: Ints
    line_no: Ints
    second: Ints
    product: Ints
    voucher: Flags
    quantity: Ints
    person: Ints
    card: Flags
    phone: Flags
    email: Flags
    style: Ints


def write_shop(
    drops: Drops,
    people: Population,
    options: SampleOptions,
    day: int,
    shop: Shop,
    planted: Planted,
    subjects: Subjects,
    *,
    days_late: int = 0,
) -> str | None:
    """One shop's day, or nothing on a day when it is closed. Returns the relative path."""
    today = options.date_of(day)
    if today.weekday() == _SUNDAY and not shop.open_on_sundays:
        planted.file(
            "closed_on_sunday", f"drops/shops/{shop.city}/purchases_{day_stamp(today)}.csv"
        )
        return None
    sales = _sales(people, options, day, shop)
    planted.rows["returned_lines"] += int((sales.quantity < 0).sum())
    version = people.email_version(sales.person, day)
    subjects.add(
        np.where(sales.card | sales.phone | sales.email, sales.person, NOTHING),
        card=np.where(sales.card, sales.person, NOTHING),
        phone=np.where(sales.phone, sales.person, NOTHING),
        email=np.where(sales.email, email_code(sales.person, version), NOTHING),
    )
    if shop.encoding is None:
        relative = f"shops/{shop.city}/purchases_{today}.xlsx"
        with workbook_file(drops.place(relative), HEADER) as sheet:
            for at in range(0, len(sales.person), CHUNK):
                sheet.write(_typed_rows(people, options, day, shop, sales, at, planted))
        drops.record(WORKBOOKS, relative, sheet.rows, today, days_late=days_late)
        return relative
    relative = f"shops/{shop.city}/purchases_{day_stamp(today)}.csv"
    with csv_file(
        drops.place(relative), HEADER, encoding=shop.encoding, delimiter=";", line_end="\r\n"
    ) as till:
        for at in range(0, len(sales.person), CHUNK):
            till.write(_text_rows(people, options, day, shop, sales, at))
    drops.record(TILLS, relative, till.rows, today, days_late=days_late)
    return relative


def write_correction(
    drops: Drops,
    people: Population,
    options: SampleOptions,
    day: int,
    shop: Shop,
    planted: Planted,
    *,
    days_late: int = 0,
) -> None:
    """The same day again under a ``_v2`` name: the first line only, with another quantity."""
    today = options.date_of(day)
    sales = _sales(people, options, day, shop)
    if shop.encoding is None or not len(sales.person):
        return
    row = list(_text_rows(people, options, day, shop, sales, 0)[0])
    row[HEADER.index("quantity")] = int(sales.quantity[0]) + 2
    relative = f"shops/{shop.city}/purchases_{day_stamp(today)}_v2.csv"
    with csv_file(
        drops.place(relative), HEADER, encoding=shop.encoding, delimiter=";", line_end="\r\n"
    ) as till:
        till.write([row])
    drops.record(TILLS, relative, till.rows, today, days_late=days_late)
    planted.file("corrected_purchases", f"drops/{relative}")


def _sales(people: Population, options: SampleOptions, day: int, shop: Shop) -> _Sales:
    rng = stream(options.seed, "tills", shop.city, day)
    nearby = np.flatnonzero(np.isin(people.country, shop.countries) & people.exists(day))
    shops_here = sum(country in other.countries for other in SHOPS for country in shop.countries)
    share = len(nearby) / people.size * len(shop.countries) / shops_here
    wanted = people.size * options.events_per_customer_day * LINES_PER_CUSTOMER_EVENT * share
    receipts = max(2, round(wanted / 1.9)) if len(nearby) else 0
    person = nearby[np.floor(len(nearby) * rng.random(receipts) ** 1.4).astype(np.int64)]
    person = nearby[(np.searchsorted(nearby, person) * 7_919) % len(nearby)] if receipts else person
    shows = rng.random(receipts)
    has_card = people.has_loyalty_card[person]
    card = has_card & (shows < 0.62)
    phone = (~card & (shows < 0.75)) | (shows < 0.03)
    email = ((shows >= 0.75) & (shows < 0.87)) | ((shows >= 0.03) & (shows < 0.05))
    count = 1 + np.floor(rng.exponential(1.1, receipts)).astype(np.int64)
    second = np.sort(32_400 + np.floor(rng.random(receipts) * 36_000).astype(np.int64))
    receipt = np.repeat(np.arange(receipts), count)
    n = len(receipt)
    begins = np.cumsum(count) - count
    quantity = 1 + np.floor(rng.exponential(0.5, n)).astype(np.int64)
    quantity = np.where(rng.random(n) < 0.02, -quantity, quantity)
    return _Sales(
        receipt=receipt + 1,
        line_no=np.arange(n) - begins[receipt] + 1,
        second=second[receipt],
        product=np.floor(len(PRODUCTS) * rng.random(n) ** 1.5).astype(np.int64),
        voucher=rng.random(n) < 0.03,
        quantity=quantity,
        person=person[receipt],
        card=card[receipt],
        phone=phone[receipt],
        email=email[receipt],
        style=np.floor(rng.random(receipts) * 12).astype(np.int64)[receipt],
    )


def receipt_numbers(options: SampleOptions, day: int, receipts: Ints) -> list[str]:
    """Thirteen digits, the first a zero, which a spreadsheet loses."""
    stamp = options.date_of(day).strftime("0%y%m%d")
    return [f"{stamp}{number:06d}" for number in receipts.tolist()]


def _identifiers(
    people: Population, day: int, sales: _Sales, rows: slice
) -> tuple[list[str], list[str], list[str]]:
    who = sales.person[rows]
    cards, phones = people.loyalty_cards(who), people.phones(who)
    emails = people.emails(who, people.email_version(who, day))
    for values, shown in ((cards, sales.card), (phones, sales.phone), (emails, sales.email)):
        for at in np.flatnonzero(~shown[rows]).tolist():
            values[at] = ""
    return cards, phones, emails


def _text_rows(
    people: Population, options: SampleOptions, day: int, shop: Shop, sales: _Sales, at: int
) -> list[tuple[Cell, ...]]:
    rows = slice(at, at + CHUNK)
    cards, phones, emails = _identifiers(people, day, sales, rows)
    countries = people.country[sales.person[rows]].tolist()
    styles = sales.style[rows].tolist()
    date = options.date_of(day).strftime("%d.%m.%Y")
    out: list[tuple[Cell, ...]] = []
    for i, (receipt, line, second, product, voucher, quantity) in enumerate(
        zip(
            receipt_numbers(options, day, sales.receipt[rows]),
            sales.line_no[rows].tolist(),
            sales.second[rows].tolist(),
            sales.product[rows].tolist(),
            sales.voucher[rows].tolist(),
            sales.quantity[rows].tolist(),
            strict=True,
        )
    ):
        item = PRODUCTS[product]
        phone = phones[i] and written_phone(phones[i], countries[i], styles[i])
        out.append(
            (
                shop.city,
                receipt,
                line,
                f"{date} {second // 3600:02d}:{second // 60 % 60:02d}",
                "SKU-VOUCHER" if voucher else item.sku,
                shop.voucher if voucher else item.name,
                quantity,
                "10,00" if voucher else money(item.cents).replace(".", ","),
                shop.currency,
                cards[i],
                phone,
                emails[i].upper() if styles[i] == 11 else emails[i],
            )
        )
    return out


def _typed_rows(
    people: Population,
    options: SampleOptions,
    day: int,
    shop: Shop,
    sales: _Sales,
    at: int,
    planted: Planted,
) -> list[tuple[Cell, ...]]:
    """Rows as Excel keeps them: long numbers as floats, unless someone made the cell text."""
    rows = slice(at, at + CHUNK)
    cards, phones, emails = _identifiers(people, day, sales, rows)
    countries = people.country[sales.person[rows]].tolist()
    styles = sales.style[rows].tolist()
    midnight = datetime.combine(options.date_of(day), datetime.min.time())
    out: list[tuple[Cell, ...]] = []
    for i, (receipt, line, second, product, voucher, quantity) in enumerate(
        zip(
            receipt_numbers(options, day, sales.receipt[rows]),
            sales.line_no[rows].tolist(),
            sales.second[rows].tolist(),
            sales.product[rows].tolist(),
            sales.voucher[rows].tolist(),
            sales.quantity[rows].tolist(),
            strict=True,
        )
    ):
        item = PRODUCTS[product]
        card: Cell = cards[i]
        phone: Cell = phones[i]
        if card and styles[i] % 2:
            card = float(cards[i])
            planted.rows["card_as_number"] += 1
        if phone and styles[i] == 0:
            phone = float(phones[i][1:])
            planted.rows["phone_as_number"] += 1
        elif phone:
            phone = written_phone(phones[i], countries[i], styles[i])
        out.append(
            (
                shop.city,
                float(receipt),
                line,
                midnight + timedelta(minutes=second // 60),
                "SKU-VOUCHER" if voucher else item.sku,
                shop.voucher if voucher else item.name,
                quantity,
                10.0 if voucher else item.cents / 100,
                shop.currency,
                card,
                phone,
                emails[i],
            )
        )
    return out
