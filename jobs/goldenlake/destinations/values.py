"""Values as systems take them that know text alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from goldenlake.ports import FieldValue


def text(value: FieldValue) -> str:
    """A value as text, the same on every machine: ``true``, ``12.50``, ``2024-05-31``; nothing for
    none. Instants are in UTC.
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case Decimal():
            return format(value, "f")
        case int() | float():
            return repr(value)
        case _:
            return moment(value)


def plain(value: FieldValue) -> str | int | float | bool | None:
    """A value as JSON has it; what JSON has not, as text. Decimals are text, so that no reader
    rounds them.
    """
    if isinstance(value, Decimal | date):
        return text(value)
    return value


def counted(value: FieldValue) -> str | int | float | bool | None:
    """A value as JSON has it, decimals as numbers: for systems that compare and add them up."""
    return float(value) if isinstance(value, Decimal) else plain(value)


def moment(value: date) -> str:
    """A day, or an instant in UTC, in ISO 8601."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC).isoformat()
    return value.isoformat()
