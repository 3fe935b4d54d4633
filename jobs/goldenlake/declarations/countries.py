"""Countries, by their codes of ISO 3166-1."""

from __future__ import annotations

from typing import Annotated

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, WithJsonSchema

DIALLED = frozenset(SUPPORTED_REGIONS)
"""Countries that have telephone numbers of their own."""
COUNTRIES = DIALLED | {"AQ", "BV", "GS", "HM", "PN", "TF", "UM"}
NO_COUNTRY = "ZZ"
"""The code that ISO 3166-1 leaves to its users; here: none is known."""

_OTHER_CODES = {"UK": "GB", "EL": "GR"}


def _checked_country(text: str) -> str:
    if text not in COUNTRIES:
        raise ValueError(f"is {text!r}, no country of ISO 3166-1; {_mend(text)}")
    return text


def _checked_region(text: str) -> str:
    if text not in DIALLED and text != NO_COUNTRY:
        raise ValueError(
            f"is {text!r}, no country of ISO 3166-1 with telephone numbers; {_mend(text)}, or "
            f"{NO_COUNTRY} to read international numbers only"
        )
    return text


def _mend(text: str) -> str:
    meant = _OTHER_CODES.get(text.upper(), text.upper())
    if meant in COUNTRIES:
        return f"write {meant!r}"
    return "write its two capital letters, such as GB"


_CODE = WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2}$"})

Country = Annotated[str, AfterValidator(_checked_country), _CODE]
"""A country's two letters, such as ``GB``."""

Region = Annotated[str, AfterValidator(_checked_region), _CODE]
"""A country's two letters, or ``ZZ`` for none."""
