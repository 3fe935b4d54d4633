"""Tests on single values, in three-valued logic: what is missing is neither true nor false."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from goldenlake.declarations.base import parse_duration
from goldenlake.errors import DeclarationError, Problem


def unfit(segment: str, key: str, message: str) -> DeclarationError:
    """A segment asks for something that the tables cannot answer."""
    where = f"conf/segments/{segment}.yml"
    return DeclarationError([Problem(file=where, line=0, key=key, message=message)])


@dataclass(frozen=True)
class Day:
    """The day that a segment is judged for; windows end with it, the whole day included.

    A window of 30d is the thirty days of which this is the last. All instants are UTC.
    """

    as_of: date

    @property
    def end(self) -> datetime:
        """The first instant that is too late."""
        return datetime.combine(self.as_of + timedelta(days=1), time(), UTC)

    def start(self, duration: str) -> datetime:
        """The first instant of a window."""
        return self.end - parse_duration(duration)


def literal(value: Any, of: T.DataType, *, segment: str, key: str) -> Column:
    """A declared value as a literal of the column's type.

    Nothing is converted between text and numbers: a postcode that was declared as a number has
    lost its zeros already. Raises DeclarationError.
    """
    if isinstance(of, T.StringType) and isinstance(value, str):
        return F.lit(value)
    if isinstance(of, T.BooleanType) and isinstance(value, bool):
        return F.lit(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(of, T.NumericType) and is_number:
        return F.lit(Decimal(str(value)) if isinstance(of, T.DecimalType) else value)
    if isinstance(of, T.DateType | T.TimestampType | T.TimestampNTZType) and isinstance(value, str):
        try:
            return F.lit(_moment(value, isinstance(of, T.DateType)))
        except ValueError:
            pass
    shown = "text" if isinstance(value, str) else repr(value)
    hint = " Write it in quotes." if isinstance(of, T.StringType) else ""
    raise unfit(segment, key, f"is {of.simpleString()} and cannot be compared with {shown}.{hint}")


def _moment(text: str, is_date: bool) -> date | datetime:
    if is_date or len(text) == len("2024-01-31"):
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def comparable(
    column: Column, of: T.DataType, values: Sequence[Any], *, segment: str, key: str
) -> tuple[Column, list[Column]]:
    """Both sides of a comparison: an instant that is compared with days is so by its day."""
    if not values:
        raise unfit(segment, key, "lists no value.")
    by_day = isinstance(of, T.TimestampType) and all(
        isinstance(each, str) and len(each) == len("2024-01-31") for each in values
    )
    literals = [literal(each, of, segment=segment, key=key) for each in values]
    return F.to_date(column) if by_day else column, literals


def compare(
    column: Column, of: T.DataType, tests: Mapping[str, Any], day: Day, *, segment: str, key: str
) -> Column:
    """True, false, or null (unknown) where the value is missing.

    Only ``missing`` and ``not_within`` say something about a value that is missing. A value from
    after the day is in no window, nor further back.
    """
    found = [
        _test(column, of, name, value, day, segment=segment, key=key)
        for name, value in tests.items()
    ]
    verdict = found[0]
    for each in found[1:]:
        verdict = verdict & each
    return verdict


def _test(
    column: Column, of: T.DataType, name: str, value: Any, day: Day, *, segment: str, key: str
) -> Column:
    if name == "missing":
        return column.isNull() if value else column.isNotNull()
    if name in ("within", "not_within"):
        start, last = _window(of, day, value, segment=segment, key=key)
        if name == "within":
            return (column >= start) & (column <= last)
        return F.coalesce(column < start, F.lit(True))
    if name == "contains" and isinstance(of, T.ArrayType):
        element = literal(value, of.elementType, segment=segment, key=key)
        return F.array_contains(column, element)
    if name in ("starts_with", "contains"):
        if not isinstance(of, T.StringType):
            raise unfit(segment, key, f"is {of.simpleString()}; {name} needs text.")
        return column.startswith(value) if name == "starts_with" else column.contains(value)

    values = value if isinstance(value, list) else [value]
    left, literals = comparable(column, of, values, segment=segment, key=key)
    match name:
        case "equals" | "one_of":
            return left.isin(literals)
        case "none_of":
            return ~left.isin(literals)
        case "at_least":
            return left >= literals[0]
        case "at_most":
            return left <= literals[0]
        case "above":
            return left > literals[0]
        case "below":
            return left < literals[0]
        case _:
            raise unfit(segment, key, f"knows no test {name!r}.")


def _window(
    of: T.DataType, day: Day, duration: str, *, segment: str, key: str
) -> tuple[Column, Column]:
    """The first and the last value of the column's type in it."""
    start = day.start(duration)
    if isinstance(of, T.DateType):
        return F.lit(start.date()), F.lit(day.as_of)
    if isinstance(of, T.TimestampType):
        return F.lit(start), F.lit(day.end - timedelta(microseconds=1))
    raise unfit(segment, key, f"is {of.simpleString()}; a window needs a date or an instant.")
