"""The planted population: who exists, what they own, and what becomes of them day by day.

Everything is an array with one entry per person, about 200 bytes a person in all; texts are
derived for the rows that are asked for. An attribute ``…_on`` holds a day number (0 is the
first day) or :data:`NEVER`.
"""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from goldenlake.sample.draws import MULTIPLIER, Flags, Ints, mixed, scattered
from goldenlake.sample.names import FAMILY, GIVEN, NameTable
from goldenlake.sample.places import COUNTRY, postcode

NEVER = 1_000_000
STRANGER = 1 << 40
"""Cookie and person numbers from here on belong to people who are never known."""
CRAWLER = 1 << 41
"""Cookie numbers from here on belong to crawlers that keep cookies."""
FIRST, CHANGED, SECOND = 0, 1, 2
"""Which of a person's e-mail addresses: the first, the one after a change, a second one."""

Small = NDArray[np.int32]

_MAIL_DOMAINS = (
    ("example.com", "example.org", "mail.example.com", "post.example.net"),
    ("inbox.example.net", "example.net"),
    ("work.example.org", "firma.example.com"),
)
_SCRIPTS = np.array([False, False, False, True, True])


@dataclass(frozen=True, kw_only=True)
class Population:
    """People 0 … ``size``-1. Neighbours 2k and 2k+1 may be a family."""

    seed: int
    size: int
    start: date
    language: Small
    country: Small
    female: Flags
    given: Small
    family: Small
    family_after: Small
    born: Small
    """Days since 1970-01-01."""
    place: Small
    place_after: Small
    mailbox_style: Small
    in_family: Flags
    is_child: Flags
    shares_phone: Flags
    shares_email: Flags
    family_computer: Flags
    in_crm: Flags
    in_erp: Flags
    has_account: Flags
    has_loyalty_card: Flags
    on_mailing_list: Flags
    known_to_partner: Flags
    browses: Flags
    states_consent: Flags
    devices: Small
    joined_on: Small
    email_changes_on: Small
    surname_changes_on: Small
    moves_on: Small
    leaves_crm_on: Small
    unsubscribes_on: Small

    @cached_property
    def cyrillic(self) -> Flags:
        """Whether the person's name is natively written in Cyrillic."""
        native: Flags = _SCRIPTS[self.language]
        return native

    @cached_property
    def suffix_range(self) -> int:
        """Modulus of the numbers that keep mailboxes apart."""
        digits = max(4, len(str(self.size)))
        return int(10**digits)

    def exists(self, day: int) -> Flags:
        """Who has joined by ``day``."""
        joined: Flags = self.joined_on <= day
        return joined

    def person_ids(self, who: Ints) -> list[str]:
        """Truth's name of each person."""
        return [f"P{person:08d}" for person in who.tolist()]

    def account_ids(self, who: Ints) -> list[str]:
        """Web-shop logins."""
        return [f"u{number:08d}" for number in scattered(who, 10**8, 31_337).tolist()]

    def customer_numbers(self, who: Ints) -> list[str]:
        """ERP numbers, ten digits with leading zeros."""
        return [f"{number:010d}" for number in scattered(who, 10**8, 90_210).tolist()]

    def loyalty_cards(self, who: Ints) -> list[str]:
        """Thirteen digits with an EAN check digit."""
        return [
            _with_check_digit(f"26{number:010d}")
            for number in scattered(who, 10**10, 5_551_212).tolist()
        ]

    def cookies(self, numbers: Ints) -> list[str]:
        """Visitor cookies, sixteen hexadecimal digits."""
        return [f"{value:016x}" for value in mixed(numbers, self.seed).tolist()]

    def email_version(self, who: Ints, day: int) -> Ints:
        """FIRST until the person changes address, then CHANGED."""
        version: Ints = np.where(self.email_changes_on[who] <= day, CHANGED, FIRST)
        return version

    def email_owner(self, who: Ints, version: Ints) -> Ints:
        """Whose mailbox it is: of the older family member while it is shared."""
        shared = self.shares_email[who] & (version == FIRST)
        owner: Ints = np.where(shared, who & ~1, who)
        return owner

    def emails(self, who: Ints, version: Ints) -> list[str]:
        """The e-mail address of each person in the given version; unique unless shared."""
        owner = self.email_owner(who, version)
        suffix = scattered(owner, self.suffix_range, 4_242)
        style = (self.mailbox_style[owner] + version) % 60
        given, family = GIVEN.mailbox, FAMILY.mailbox
        rows = zip(
            self.given[owner].tolist(),
            (self.family[owner] * 2 + self.female[owner]).tolist(),
            suffix.tolist(),
            style.tolist(),
            version.tolist(),
            strict=True,
        )
        return [
            _mailbox(given[g], family[f], number, shape) + "@" + _domain(kind, shape)
            for g, f, number, shape, kind in rows
        ]

    def stranger_emails(self, numbers: Ints) -> list[str]:
        """Addresses of people who are in no list of ours."""
        return [f"visitor.{n:x}@unknown.example.org" for n in numbers.tolist()]

    def phone_owner(self, who: Ints) -> Ints:
        """Whose line it is: of the older family member while it is shared."""
        owner: Ints = np.where(self.shares_phone[who], who & ~1, who)
        return owner

    def phones(self, who: Ints) -> list[str]:
        """E.164 mobile numbers, valid for the country; unique unless shared."""
        owner = self.phone_owner(who)
        numbers = []
        for country, line in zip(self.country[owner].tolist(), owner.tolist(), strict=True):
            shape = COUNTRY[country]
            number = shape.mobile_from + (line * MULTIPLIER + 77) % shape.mobile_numbers
            numbers.append(
                f"+{shape.dialling_code}{shape.mobile_begins}{number:0{shape.mobile_digits}d}"
            )
        return numbers

    def given_names(self, who: Ints, *, latin: Flags, nickname: Flags) -> list[str]:
        """Given names in the wanted spelling; a nickname where one is known."""
        return _spelled(GIVEN, self.given[who].astype(np.int64), latin, nickname)

    def family_names(self, who: Ints, day: int, *, latin: Flags) -> list[str]:
        """Family names as borne on ``day``, in the form of the person's gender."""
        family = np.where(
            self.surname_changes_on[who] <= day, self.family_after[who], self.family[who]
        )
        row = (family * 2 + self.female[who]).astype(np.int64)
        return _spelled(FAMILY, row, latin, np.zeros(len(who), dtype=np.bool_))

    def addresses(
        self, who: Ints, day: int, *, latin: Flags
    ) -> tuple[list[str], list[str], list[str]]:
        """Street, city and postcode where each person lives on ``day``."""
        place = np.where(self.moves_on[who] <= day, self.place_after[who], self.place[who])
        streets, cities, postcodes = [], [], []
        rows = zip(self.country[who].tolist(), place.tolist(), latin.tolist(), strict=True)
        for country, draw, in_latin in rows:
            shape = COUNTRY[country]
            city, city_latin, begins = shape.cities[draw % len(shape.cities)]
            street = shape.streets[draw // 31 % len(shape.streets)][in_latin]
            streets.append(street.format(draw // 1009 % 180 + 1))
            cities.append(city_latin if in_latin else city)
            postcodes.append(postcode(country, begins, draw // 7))
        return streets, cities, postcodes

    def birth_dates(self, who: Ints) -> list[str]:
        """ISO birth dates."""
        dates: list[str] = np.datetime_as_string(self.born[who].astype("datetime64[D]")).tolist()
        return dates


def _spelled(table: NameTable, rows: Ints, latin: Flags, nickname: Flags) -> list[str]:
    native, spelled_latin = table.native, table.latin
    nick_native, nick_latin = table.nickname_native, table.nickname_latin
    out = []
    for row, in_latin, short in zip(rows.tolist(), latin.tolist(), nickname.tolist(), strict=True):
        if short and nick_native[row]:
            out.append(nick_latin[row] if in_latin else nick_native[row])
        else:
            out.append(spelled_latin[row] if in_latin else native[row])
    return out


def _mailbox(given: str, family: str, number: int, shape: int) -> str:
    if shape < 25:
        return f"{given}.{family}{number}"
    if shape < 38:
        return f"{given[0]}{family}{number}"
    if shape < 48:
        return f"{family}.{given}{number}"
    if shape < 55:
        return f"{given}{number}"
    return f"{given[:3]}_{family[:4]}{number}"


def _domain(version: int, shape: int) -> str:
    domains = _MAIL_DOMAINS[version]
    return domains[shape % len(domains)]


def _with_check_digit(digits: str) -> str:
    weighted = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits))
    return f"{digits}{-weighted % 10}"
