"""Text as people mean it: without invisible characters, in one Unicode form, evenly spaced."""

from __future__ import annotations

import unicodedata

from pyspark.sql import Column
from pyspark.sql import functions as F

from goldenlake.columns.distinct import over_distinct

#: Control and format characters (zero-width, bidirectional, soft hyphen, BOM), not white space.
INVISIBLE = r"[\p{Cf}[\p{Cc}&&[^\t\n\x0b\f\r\x85]]]"
SPACES = r"[\s\p{Z}\x85]+"
#: What a spreadsheet makes of a long number; the last digits are gone for good.
SCIENTIFIC = r"\A[+-]?\d+(?:[.,]\d+)?[eE]\+?\d+\z"


def clean_text(text: Column) -> Column:
    """The text without invisible characters, in NFC, with single spaces; null where none is left.

    Look-alike letters of other scripts stay what they are: to fold them would make two
    different names, or addresses, the same.
    """
    shown = F.regexp_replace(text, INVISIBLE, "")
    spaced = F.btrim(F.regexp_replace(shown, SPACES, " "))
    return F.nullif(composed(spaced), F.lit(""))


def composed(text: Column) -> Column:
    """NFC: é as one code point. Plain ASCII never leaves the JVM."""
    beyond_ascii = text.rlike(r"[^\x00-\x7f]")
    return F.when(beyond_ascii, over_distinct(F.when(beyond_ascii, text), _nfc)).otherwise(text)


def clean_code(text: Column) -> Column:
    """An issued number or code: upper case, without spaces or a spreadsheet's apostrophe.

    Null where a spreadsheet has turned it into scientific notation. Leading zeros that were lost
    on the way cannot be known, so they stay lost.
    """
    bare = F.regexp_replace(clean_text(text), r"\A['’`]+|\s", "")
    code = F.upper(bare)
    return F.when(~bare.rlike(SCIENTIFIC), F.nullif(code, F.lit("")))


def _nfc(text: str) -> str | None:
    return unicodedata.normalize("NFC", text)
