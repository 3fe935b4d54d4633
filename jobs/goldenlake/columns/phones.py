"""Phone numbers in E.164."""

from __future__ import annotations

import re

import phonenumbers
from pyspark.sql import Column
from pyspark.sql import functions as F

from goldenlake.columns.distinct import over_distinct
from goldenlake.columns.text import SCIENTIFIC, shown

_ALL_THE_SAME = re.compile(r"\A\D*(\d)(?:\D*\1)*\D*\Z")
_E164 = re.compile(r"\A\+[1-9][0-9]{6,14}\Z")
_FORMULA = re.compile(r'\A="?(.*?)"?\Z', re.DOTALL)


def normalise_phone(phone: Column, *, region: Column | str) -> Column:
    """The number in E.164, read as ``region`` (ISO 3166) dials it; null where it is none.

    A spreadsheet's apostrophe is taken off; a number that it has rounded (``1.2E+11``) is refused,
    and so are placeholders such as 0000000. Extensions are cut off: they reach no one by text.
    """
    home = F.lit(region) if isinstance(region, str) else F.coalesce(region, F.lit("ZZ"))
    return over_distinct(F.concat(home, F.lit(":"), phone), _with_region, once=True)


def _with_region(text: str) -> str | None:
    region, _, phone = text.partition(":")
    return e164(phone, region=region)


def e164(text: str, *, region: str) -> str | None:
    """``normalise_phone`` for one text."""
    bare = (shown(text) or "").lstrip("'’`").strip()
    found = _FORMULA.match(bare)
    if found:
        bare = found[1]
    if SCIENTIFIC.match(bare) or _ALL_THE_SAME.match(bare):
        return None
    bare = re.sub(r"\.0\Z", "", bare)
    numbers = [number for text in _readings(bare) if (number := _parsed(text, region))]
    for number in numbers:
        if phonenumbers.is_valid_number(number):
            return _written(number)
    # Ranges are opened faster than their lists are shipped; only who writes + or 00 is believed.
    if numbers and bare.startswith(("+", "00")) and phonenumbers.is_possible_number(numbers[-1]):
        return _written(numbers[-1])
    return None


def ways_to_write(number: str) -> frozenset[str]:
    """The digits by which people dial a number that is in E.164: with its country, with the way
    abroad before it, and as at home. None for what is no such number.

    At home some countries begin with no zero; fewer than ten digits then are no phone number
    before they are a date or the number of an order.
    """
    if not _E164.match(number) or (parsed := _parsed(number, "ZZ")) is None:
        return frozenset()
    form = phonenumbers.PhoneNumberFormat.NATIONAL
    home = re.sub(r"\D", "", phonenumbers.format_number(parsed, form))
    country = str(parsed.country_code)
    abroad = number[1:]
    ways = {abroad, f"00{abroad}", f"011{abroad}"}
    if home.startswith("0"):
        ways |= {home, country + home}
    elif len(home) >= 10:
        ways.add(home)
    return frozenset(ways)


def _parsed(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _written(number: phonenumbers.PhoneNumber) -> str:
    number.extension = None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _readings(bare: str) -> list[str]:
    """As it stands; ``00`` is the way abroad nearly everywhere; a lost ``+`` comes last."""
    readings = [bare]
    if bare.startswith("00"):
        readings.append("+" + bare[2:])
    elif re.fullmatch(r"[1-9]\d{10,14}", bare):
        readings.append("+" + bare)
    return readings
