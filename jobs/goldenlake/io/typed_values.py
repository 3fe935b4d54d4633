"""Values that JSON has not, as Tryton writes them: objects that say of which class they are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any


def plain(value: Any) -> Any:
    """The same with days and instants in ISO 8601 (instants are in UTC there), decimals and times
    of day as text, and spans in seconds. Objects of other classes stay as they are.
    """
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    match value.get("__class__"):
        case "Decimal":
            return value["decimal"]
        case "date":
            return date(value["year"], value["month"], value["day"]).isoformat()
        case "datetime":
            return _instant(value).isoformat()
        case "time":
            return _instant({"year": 1, "month": 1, "day": 1, **value}).time().isoformat()
        case "timedelta":
            return timedelta(seconds=value["seconds"]).total_seconds()
    return {name: plain(each) for name, each in value.items()}


def _instant(value: dict[str, Any]) -> datetime:
    parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return datetime(**{name: int(value[name]) for name in parts}, tzinfo=UTC)
