"""The catalogue of bad input: files as systems really send them, and what must come of each.

One module a format. ``CANARY`` stands for a person in every file that has records: it may come to
rest in bronze, silver and the row that quarantine keeps, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CANARY = "canarybird"
ADDRESS = f"{CANARY}@example.com"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file of the catalogue, and its expected outcome."""

    name: str
    content: bytes
    broken: str = ""
    """Words of the reason for which the file as a whole is refused."""
    accepted: int = 0
    rules: Mapping[str, int] = field(default_factory=dict)
    """Of quarantined records: how many broke each rule."""
    quarantined: int | None = None
    """Records, where one of them breaks several rules."""
    landed: Sequence[Mapping[str, Any]] = ()
    """What silver has of the first accepted records, where it matters."""
    drift: frozenset[tuple[str, str]] = frozenset()
    """Differences from the contract that must be noticed: (kind, column)."""

    @property
    def records_quarantined(self) -> int:
        """As many as rules were broken, unless the entry says otherwise."""
        return sum(self.rules.values()) if self.quarantined is None else self.quarantined

    @property
    def outcome(self) -> str:
        """In one line, for the table."""
        if self.broken:
            return f"broken: {self.broken}"
        told = ", ".join(f"{count:,} {rule}" for rule, count in sorted(self.rules.items()))
        return f"{self.accepted:,} accepted" + (f"; {told}" if told else "")
