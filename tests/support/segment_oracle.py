"""What a segment means, in plain Python: an independent reading of the declarations."""

from __future__ import annotations

import operator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise, product
from typing import Any

Row = dict[str, Any]
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def members(
    segments: list[Row],
    as_of: date,
    customers: list[Row],
    metrics: dict[str, Row],
    interactions: list[Row],
    purchases: list[Row],
) -> set[tuple[str, str]]:
    """(segment, customer) for segments as they stand in YAML."""
    by_name = {segment["segment"]: segment for segment in segments}
    found = set()
    for customer in customers:
        person = _Person(
            customer, metrics.get(customer["customer_id"]), interactions, purchases, as_of, by_name
        )
        found |= {(name, customer["customer_id"]) for name in by_name if person.belongs(name)}
    return found


def _duration(text: str) -> timedelta:
    unit = text.lstrip("0123456789")
    return int(text.removesuffix(unit)) * _UNITS[unit]


def _at_the_latest(event: Row) -> Row:
    """Shops that tell the day of a purchase alone give it as 00:00: it may have been the last
    thing on that day.
    """
    at = event["at"]
    if event["event"] != "purchase" or at.time() != time.min:
        return event
    return {**event, "at": datetime.combine(at.date(), time.max, UTC)}


class _Person:
    def __init__(
        self,
        customer: Row,
        metrics: Row | None,
        interactions: list[Row],
        purchases: list[Row],
        as_of: date,
        segments: dict[str, Row],
    ) -> None:
        mine = customer["customer_id"]
        self.customer, self.metrics, self.segments = customer, metrics or {}, segments
        self.as_of = as_of
        self.end = datetime.combine(as_of, time(), UTC) + timedelta(days=1)
        self.events = [
            {**e, "event": e["kind"]}
            for e in interactions
            if e["customer_id"] == mine and not e["is_bot"] and e["on"] <= as_of
        ] + [
            {**e, "event": "purchase"}
            for e in purchases
            if e["customer_id"] == mine and not e["is_cancellation"] and e["on"] <= as_of
        ]

    def belongs(self, name: str) -> bool:
        segment = self.segments[name]
        if not (self.customer["is_known"] or segment.get("include_anonymous")):
            return False
        return self.holds(segment["who"]) is True

    def holds(self, condition: Row) -> bool | None:
        if "all" in condition:
            found = [self.holds(each) for each in condition["all"]]
            return False if False in found else None if None in found else True
        if "any" in condition:
            found = [self.holds(each) for each in condition["any"]]
            return True if True in found else None if None in found else False
        if "not" in condition:
            inner = self.holds(condition["not"])
            return None if inner is None else not inner
        if "attribute" in condition:
            return self.passes(self.customer[condition["attribute"]], condition)
        if "metric" in condition:
            return self.passes(self.metrics.get(condition["metric"]), condition)
        if "segment" in condition:
            return self.belongs(condition["segment"])
        if "sequence" in condition:
            return self.followed(condition)
        count = sum(self.matches(e, condition, condition.get("within")) for e in self.events)
        if condition.get("did") is False:
            return count == 0
        return condition.get("at_least", 1) <= count <= condition.get("at_most", 10**9)

    def passes(self, value: Any, condition: Row) -> bool | None:
        comparisons = {
            "at_least": operator.ge,
            "at_most": operator.le,
            "above": operator.gt,
            "below": operator.lt,
            "equals": operator.eq,
        }
        found: list[bool | None] = []
        for name, wanted in condition.items():
            if name in ("attribute", "metric"):
                continue
            if name == "missing":
                found.append((value is None) == wanted)
            elif name == "not_within":
                found.append(value is None or value < self.since(value, wanted))
            elif value is None:
                found.append(None)
            elif name == "within":
                found.append(self.lately(value, wanted))
            elif name == "one_of":
                found.append(value in wanted)
            elif name == "none_of":
                found.append(value not in wanted)
            elif name == "starts_with":
                found.append(value.startswith(wanted))
            elif name == "contains":
                found.append(wanted in value)
            else:
                other = date.fromisoformat(wanted) if isinstance(value, date) else wanted
                found.append(comparisons[name](value, other))
        return False if False in found else None if None in found else True

    def since(self, value: Any, duration: str) -> Any:
        start = self.end - _duration(duration)
        return start if isinstance(value, datetime) else start.date()

    def lately(self, value: Any, duration: str) -> bool:
        last = self.end if isinstance(value, datetime) else self.as_of + timedelta(1)
        return bool(self.since(value, duration) <= value < last)

    def matches(self, event: Row, wanted: Row, within: str | None) -> bool:
        if event["event"] != wanted["event"]:
            return False
        if within is not None:
            length = _duration(within)
            if length % timedelta(days=1):
                if not self.end - length <= event["at"] < self.end:
                    return False
            elif event["on"] < (self.end - length).date():
                return False
        for name, value in wanted.get("where", {}).items():
            if event[name] not in (value if isinstance(value, list) else [value]):
                return False
        for name, value in wanted.get("properties", {}).items():
            got = (event["properties"] or {}).get(name)
            if got not in (value if isinstance(value, list) else [value]):
                return False
        return True

    def followed(self, condition: Row) -> bool:
        """Every chain is tried: slow, and plainly what the words say."""
        within, gap = condition.get("within"), condition.get("gap")
        at_the_latest = [_at_the_latest(e) for e in self.events]
        is_about_buying = condition["sequence"][-1]["event"] == "purchase"
        steps = [
            [
                e["at"]
                for e in (at_the_latest if is_about_buying else self.events)
                if self.matches(e, wanted, within)
            ]
            for wanted in condition["sequence"]
        ]
        undone = condition.get("not_followed_by")
        for chain in product(*steps):
            if any(later <= earlier for earlier, later in pairwise(chain)):
                continue
            if gap is not None and chain[-1] - chain[0] > _duration(gap):
                continue
            if undone and any(
                self.matches(e, undone, within) and e["at"] > chain[-1] for e in at_the_latest
            ):
                continue
            return True
        return False
