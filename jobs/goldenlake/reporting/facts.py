"""What the nightly page tells, as plain values without personal data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """What a source brought on the day, and when it last brought anything."""

    name: str
    system: str
    status: str
    files: int
    read: int
    accepted: int
    quarantined: int
    reasons: Mapping[str, int]
    last_file_on: date | None
    is_overdue: bool
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class SegmentFacts:
    """Size and movement of a segment."""

    name: str
    description: str
    members: int
    entered: int
    exited: int
    stayed: int


@dataclass(frozen=True, kw_only=True)
class ExportFacts:
    """What was sent to a destination, and what was held back."""

    name: str
    status: str
    counts: Mapping[str, int]
    there: int
    """Records that are there because of us."""
    held_back: Mapping[str, int]
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class StepFacts:
    """One step of the night."""

    step: str
    subject: str
    status: str
    seconds: float
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class NightFacts:
    """Everything on the page."""

    as_of: date
    written_at: datetime
    run_id: str
    generation: int | None
    generation_as_of: date | None
    sources: Sequence[SourceFacts]
    identity: Mapping[str, int]
    """The funnel, from records to known customers."""
    cluster_sizes: Sequence[tuple[str, int]]
    events: Mapping[str, int]
    """Events of identity history in this generation."""
    review: Mapping[str, int]
    """Values that were not allowed to link, by reason."""
    completeness: Sequence[tuple[str, float]]
    """Share of the known customers that have an attribute."""
    segments: Sequence[SegmentFacts]
    exports: Sequence[ExportFacts]
    expectations: Sequence[Mapping[str, object]]
    data_docs: str
    steps: Sequence[StepFacts]
    warnings: Sequence[str] = field(default_factory=tuple)

    @property
    def verdict(self) -> str:
        """One word for the whole night."""
        statuses = {step.status for step in self.steps}
        for word in ("failed", "held", "degraded"):
            if word in statuses:
                return word
        return "good"
