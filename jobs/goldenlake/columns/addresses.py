"""Postcodes and countries in one spelling."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from phonenumbers.geodata.locale import LOCALE_DATA
from pyspark.sql import Column
from pyspark.sql import functions as F

from goldenlake.columns.distinct import over_distinct
from goldenlake.columns.marks import with_few_marks
from goldenlake.columns.text import code

_GB = re.compile(r"(GIR|[A-Z]{1,2}[0-9][A-Z0-9]?)([0-9][A-Z]{2})")
#: Countries whose postcodes have five digits, the first of which may be zero.
_FIVE_DIGITS = frozenset({"DE", "FR", "ES", "IT", "US", "FI", "HR", "EE", "MX", "TR", "UA", "RS"})
_LANGUAGES = ("aa", "en", "de", "fr", "es", "it", "nl", "pl", "ru", "pt", "sv", "da", "fi", "bg")
_OTHER_NAMES = {
    "GB": "UK, Great Britain, England, Scotland, Wales, Northern Ireland, Großbritannien, "
    "Grande-Bretagne, Великобритания, U.K.",
    "US": "USA, U.S.A., U.S., United States of America, Etats-Unis, Vereinigte Staaten, США",
    "DE": "BRD, Federal Republic of Germany, Bundesrepublik Deutschland",
    "NL": "Holland, The Netherlands",
    "IE": "Eire, Republic of Ireland",
    "CZ": "Czech Republic, Czechia, Česko",
    "RU": "Russian Federation, Россия",
    "BG": "България, Bulgarien",
    "FR": "République française",
    "AT": "Oesterreich",
    "ZA": "RSA",
    "AE": "UAE",
    "KR": "South Korea, Korea",
    "CH": "Swiss Confederation",
}
_ALPHA_3 = (
    "GBR=GB USA=US DEU=DE GER=DE FRA=FR NLD=NL IRL=IE ESP=ES ITA=IT AUT=AT CHE=CH BEL=BE POL=PL "
    "CZE=CZ BGR=BG RUS=RU UKR=UA PRT=PT SWE=SE DNK=DK NOR=NO FIN=FI GRC=GR ROU=RO HUN=HU SVK=SK "
    "SVN=SI HRV=HR SRB=RS LUX=LU CAN=CA AUS=AU NZL=NZ JPN=JP CHN=CN IND=IN BRA=BR TUR=TR ISR=IL "
    "EST=EE LVA=LV LTU=LT CYP=CY MLT=MT ISL=IS MEX=MX"
)


def normalise_postcode(postcode: Column, *, region: Column | str) -> Column:
    """Upper case; British ones with their one space, others without any; null where none.

    Zeros that a spreadsheet took off are put back where ``region`` has five-digit postcodes.
    """
    home = F.lit(region) if isinstance(region, str) else F.coalesce(region, F.lit("ZZ"))
    return over_distinct(F.concat(home, F.lit(":"), postcode), _with_region, once=True)


def _with_region(text: str) -> str | None:
    region, _, postcode = text.partition(":")
    return spaced_postcode(postcode, region=region)


def spaced_postcode(text: str, *, region: str) -> str | None:
    """``normalise_postcode`` for one text."""
    bare = (code(text) or "").removesuffix(".0")
    if region in _FIVE_DIGITS and re.fullmatch(r"[0-9]{3,4}", bare):
        return bare.zfill(5)
    british = _GB.fullmatch(bare)
    return f"{british[1]} {british[2]}" if british else bare or None


def normalise_country(country: Column) -> Column:
    """ISO 3166-1 alpha-2 of a code or of a name in one of several languages; null if unknown."""
    return over_distinct(country, alpha_2, once=True)


def alpha_2(text: str) -> str | None:
    """``normalise_country`` for one text."""
    key = _key(text)
    if len(key) == 2 and key.isascii():
        short = {"UK": "GB", "EL": "GR"}.get(key.upper(), key.upper())
        return short if short in LOCALE_DATA else None
    return _names().get(key)


def _key(text: str) -> str:
    plain = unicodedata.normalize("NFKD", with_few_marks(text.casefold()))
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", letters)).removeprefix("the ")


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    names: dict[str, str] = {}
    for short, spellings in sorted(LOCALE_DATA.items()):
        for language in _LANGUAGES:
            name = spellings.get(language, "")
            if name and not name.startswith("*"):
                names.setdefault(_key(name), short)
    for short, others in _OTHER_NAMES.items():
        names |= {_key(name): short for name in others.split(", ")}
    pairs = (pair.split("=") for pair in _ALPHA_3.split())
    return names | {_key(long): alpha for long, alpha in pairs}
