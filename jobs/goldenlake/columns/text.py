"""Text as people mean it: without invisible characters, in one Unicode form, evenly spaced."""

from __future__ import annotations

import re
import unicodedata

from pyspark.sql import Column
from pyspark.sql import functions as F

from goldenlake.columns.distinct import over_distinct
from goldenlake.columns.marks import with_few_marks

#: What a spreadsheet makes of a long number; the last digits are gone for good.
SCIENTIFIC = re.compile(r"\A\s*[+-]?\d+(?:[.,]\d+)?[eE]\+?\d+\s*\Z")
_APOSTROPHES = "'’`"
#: Blanks of any kind and what is invisible, at either end.
_AROUND = r"\A[\s\p{Z}\p{C}]+|[\s\p{Z}\p{C}]+\z"


def clean_text(text: Column) -> Column:
    """The text without invisible characters, in NFC, with single spaces; null where none is left.

    Look-alike letters of other scripts stay what they are: to fold them would make two
    different names, or addresses, the same.
    """
    return over_distinct(text, shown, once=True)


def clean_code(text: Column) -> Column:
    """An issued number or code: upper case, without spaces or a spreadsheet's apostrophe.

    Null where a spreadsheet has turned it into scientific notation. Leading zeros that were lost
    on the way cannot be known, so they stay lost.
    """
    return over_distinct(text, code, once=True)


def word(text: Column) -> Column:
    """A word of an enumeration as words are compared: without blanks around it, in lower case."""
    return F.lower(F.regexp_replace(text, _AROUND, ""))


def shown(text: str) -> str | None:
    """``clean_text`` for one text."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(
            " " if char.isspace() else char
            for char in text
            if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf")
        )
        # Of one mark NFC may make two.
        text = with_few_marks(unicodedata.normalize("NFC", with_few_marks(text)))
    return " ".join(text.split()) or None


def code(text: str) -> str | None:
    """``clean_code`` for one text."""
    bare = (shown(text) or "").replace(" ", "").lstrip(_APOSTROPHES)
    if SCIENTIFIC.match(bare):
        return None
    return unicodedata.normalize("NFC", bare.upper()) or None
