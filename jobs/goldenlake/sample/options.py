"""What is asked of the generator, and what it answers."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

LARGEST_POPULATION = 5_000_000
"""Beyond it the Bulgarian mobile range no longer gives every person numbers of their own."""


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """A sample world: so many people, watched for so many days.

    ``events_per_customer_day`` counts access-log lines, shop events, store purchase lines
    and ESP events together; snapshots and master data come on top.
    """

    customers: int
    days: int
    seed: int
    out: Path
    start: date = date(2026, 1, 1)
    events_per_customer_day: float = 3.0

    def __post_init__(self) -> None:
        if not 1 <= self.customers <= LARGEST_POPULATION:
            raise ValueError(f"customers must be between 1 and {LARGEST_POPULATION:,}")
        if self.days < 1:
            raise ValueError("days must be at least 1")
        if self.events_per_customer_day < 0:
            raise ValueError("events_per_customer_day must not be negative")

    def date_of(self, day: int) -> date:
        """The calendar date of day 0, 1, …"""
        return self.start + timedelta(days=day)


@dataclass(frozen=True, kw_only=True)
class SampleSummary:
    """What was written: records for each source (malformed lines not counted), files, bytes."""

    out: Path
    rows: dict[str, int]
    files: int
    size_bytes: int

    @property
    def total_rows(self) -> int:
        """Records in all sources together."""
        return sum(self.rows.values())
