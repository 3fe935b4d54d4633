"""How clean values go wrong on their way through forms, call centres and spreadsheets.

Every function is pure: the ``draw`` it takes decides what happens, so that a record keeps
its flaw from one snapshot to the next.
"""

import unicodedata
from itertools import pairwise

from goldenlake.sample.places import COUNTRY

PLACEHOLDER_EMAIL = "noemail@example.com"
PLACEHOLDER_PHONE = "000000000"
DEFAULT_BIRTH_DATE = "1900-01-01"
PHONE_STYLES = 8
APOSTROPHE_PHONE = 4
"""The style a spreadsheet leaves behind: ``'+44…``."""

_KEYBOARDS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю")


def _keyboard_neighbours() -> dict[str, str]:
    neighbours: dict[str, str] = {}
    for row in _KEYBOARDS:
        neighbours |= dict(pairwise(row))
        neighbours[row[-1]] = row[-2]
    return neighbours


_NEIGHBOUR = _keyboard_neighbours()


def with_typo(text: str, draw: int) -> str:
    """A neighbouring key, two letters swapped, a letter dropped or doubled; never the first.

    A text of fewer than three letters is too short to be mistyped here. Swapping equal
    letters would change nothing, so such a draw drops a letter instead.
    """
    if len(text) < 3:
        return text
    at = 1 + draw // 4 % (len(text) - 2)
    kind = draw % 4
    letter = text[at]
    if kind == 0 and letter.lower() in _NEIGHBOUR:
        return text[:at] + _NEIGHBOUR[letter.lower()] + text[at + 1 :]
    if kind == 1 and letter != text[at + 1]:
        return text[:at] + text[at + 1] + letter + text[at + 2 :]
    if kind == 2:
        return text[:at] + letter + text[at:]
    return text[:at] + text[at + 1 :]


def written_phone(e164: str, country: int, style: int) -> str:
    """One of :data:`PHONE_STYLES` ways in which people and systems write a phone number."""
    shape = COUNTRY[country]
    national = e164[1 + len(shape.dialling_code) :]
    if style == 1:
        return f"{shape.trunk_prefix}{national[:3]} {national[3:6]} {national[6:]}"
    if style == 2:
        return (
            f"{shape.trunk_prefix}({national[:3]}) {national[3:6]}-{national[6:8]}-{national[8:]}"
        )
    if style == 3:
        dials_out = "00" if shape.trunk_prefix == "0" else "+"
        return f"{dials_out}{shape.dialling_code} {national[:4]} {national[4:]}"
    if style == APOSTROPHE_PHONE:
        return "'" + e164
    if style == 5 and shape.trunk_prefix == "0":
        return f"+{shape.dialling_code} (0) {national[:4]} {national[4:]}"
    if style == 6:
        return f"{shape.trunk_prefix}{national}"
    if style == 7:
        return f" {e164[:3]}.{e164[3:6]}.{e164[6:9]}.{e164[9:]} "
    return e164


def decomposed(text: str) -> str:
    """NFD: é as two code points, as some file systems and phones send it."""
    return unicodedata.normalize("NFD", text)


def with_zero_width_space(text: str) -> str:
    """Pasted from a web page: an invisible character inside the word."""
    return text[:1] + "\u200b" + text[1:]


def day_first(iso_date: str) -> str:
    """2001-02-03 as 03/02/2001."""
    year, month, day = iso_date.split("-")
    return f"{day}/{month}/{year}"
