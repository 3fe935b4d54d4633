"""From text to types: null where the text is not of the type, never a guess and never an error."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from goldenlake.declarations.base import carries_offset

#: Spark's type of each declared type. Money has two decimals and unit prices three or four; what
#: a spreadsheet adds beyond them (2.5500000000000003) is rounded away.
SPARK_TYPES = {
    "string": "string",
    "integer": "bigint",
    "double": "double",
    "decimal": "decimal(18,4)",
    "date": "date",
    "timestamp": "timestamp",
    "boolean": "boolean",
}
_TRUE = ("true", "t", "yes", "y", "1", "1.0", "on", "ja", "j", "oui", "да")
_FALSE = ("false", "f", "no", "n", "0", "0.0", "off", "nein", "non", "нет", "не")
_ISO_DATE = r"\A\d{4}-\d{2}-\d{2}(?:[T ][0-9:.,]+)?(?: ?(?:Z|UTC|[+-]\d{2}(?::?\d{2})?))?\z"
_ISO_TIME = (
    r"\A\d{4}-\d{2}-\d{2}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)?"
    r"(?: ?(?:Z|UTC|[+-]\d{2}(?::?\d{2})?))?\z"
)
_HAS_OFFSET = r"\d:\d{2}[0-9:.,]* ?(?:Z|UTC|[+-]\d{2}(?::?\d{2})?)\z"
#: Seconds up to the end of year 9999; milliseconds have more digits and are not guessed.
_EPOCH = r"\A-?\d{1,11}(?:\.\d{1,6})?\z"
_LAST_SECOND = 253_402_300_799


def cast_text(
    text: Column,
    kind: str,
    *,
    formats: Sequence[str] = (),
    timezone: str = "UTC",
    decimal_comma: bool = False,
) -> Column:
    """The text as a declared type; null where it is none.

    The session's time zone must be UTC. ``formats`` are Spark's date patterns, tried in turn, or
    ``epoch`` for seconds since 1970; none: ISO 8601. ``timezone`` is that of times which carry no
    offset. A local time that daylight saving skips is taken as the same distance after midnight
    of a day without the skip, so 02:30 becomes 03:30; of two, the earlier instant is taken.
    """
    trimmed = F.btrim(text, F.lit(" \t\r\n"))
    if kind == "integer":
        return to_integer(trimmed, decimal_comma=decimal_comma)
    if kind in ("double", "decimal"):
        return to_number(trimmed, SPARK_TYPES[kind], decimal_comma=decimal_comma)
    if kind == "boolean":
        return to_boolean(trimmed)
    if kind == "date":
        return to_date(trimmed, formats, timezone)
    if kind == "timestamp":
        return to_timestamp(trimmed, formats, timezone)
    return text


def to_integer(text: Column, *, decimal_comma: bool = False) -> Column:
    """A whole number; ``17850.0`` is one, since spreadsheets write it so, and ``1E5`` is not.

    With a decimal comma it is ``17850,0``, and ``1.000`` may be one or a thousand.
    """
    point = "," if decimal_comma else r"\."
    digits = F.regexp_extract(text, rf"\A([+-]?\d+)(?:{point}0*)?\z", 1)
    return F.nullif(digits, F.lit("")).try_cast("bigint")


def to_number(text: Column, spark_type: str, *, decimal_comma: bool = False) -> Column:
    """A finite number.

    Thousands separators are accepted only where nothing else can be meant: dots in front of a
    declared decimal comma. ``1,5`` without that declaration is refused rather than read as 15.
    """
    if decimal_comma:
        plain = text.rlike(r"\A[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+(?=,))(?:,\d+)?\z")
        number = F.replace(F.replace(text, F.lit("."), F.lit("")), F.lit(","), F.lit("."))
    else:
        plain = text.rlike(r"\A[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?\z")
        number = text
    value = F.when(plain, number).try_cast(spark_type)
    if spark_type != "double":
        return value
    return F.when(F.abs(value) < F.lit(float("inf")), value)


def to_boolean(text: Column) -> Column:
    """Yes and no in a few languages."""
    word = F.lower(text)
    return F.when(word.isin(*_TRUE), F.lit(True)).when(word.isin(*_FALSE), F.lit(False))


def to_date(text: Column, formats: Sequence[str] = (), timezone: str = "UTC") -> Column:
    """A day. A time beside it is cut off as it stands: the day is the one that was written."""
    return F.coalesce(*(_day(text, pattern, timezone) for pattern in formats or ["iso"]))


def to_timestamp(text: Column, formats: Sequence[str] = (), timezone: str = "UTC") -> Column:
    """An instant; see ``cast_text``."""
    return F.coalesce(*(_instant(text, pattern, timezone) for pattern in formats or ["iso"]))


def _day(text: Column, pattern: str, timezone: str) -> Column:
    if pattern == "iso":
        return F.when(text.rlike(_ISO_DATE), F.substring(text, 1, 10)).try_cast("date")
    if pattern == "epoch":
        return F.from_utc_timestamp(_instant(text, pattern, timezone), timezone).cast("date")
    return _instant(text, pattern, "UTC").cast("date")


def _instant(text: Column, pattern: str, timezone: str) -> Column:
    if pattern == "epoch":
        seconds = F.when(text.rlike(_EPOCH), text).try_cast("decimal(20,6)")
        return F.timestamp_seconds(F.when(F.abs(seconds) <= _LAST_SECOND, seconds))
    if pattern == "iso":
        written = F.when(text.rlike(_ISO_TIME), F.replace(text, F.lit(","), F.lit(".")))
        parsed = written.try_cast("timestamp")
        if timezone == "UTC":
            return parsed
        return F.when(text.rlike(_HAS_OFFSET), parsed).otherwise(
            F.to_utc_timestamp(parsed, timezone)
        )
    parsed = F.try_to_timestamp(text, F.lit(pattern))
    return parsed if carries_offset(pattern) else F.to_utc_timestamp(parsed, timezone)
