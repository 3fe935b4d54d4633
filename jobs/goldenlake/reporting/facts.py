"""What the nightly page tells, as plain values without personal data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any


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
    ahead: int = 0
    """Files that are not taken in because they are dated after today."""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class DriftFacts:
    """One way in which the newest files of a source differ from its contract."""

    source: str
    column: str
    kind: str
    """new, missing, reordered, respelled or doubled."""
    since: date
    files: int
    """How many of the newest files."""


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
class MatchingFacts:
    """What a trained model does to the customers that readers see."""

    version: str
    likely: int
    """Pairs that connect."""
    doubtful: int
    """Pairs that are kept for stewards and connect nothing."""
    joined: int
    """How many customers more there would be without it."""
    keys_left_out: int
    """Blocking keys that made no pairs on the day, since too many records have them."""
    model: Mapping[str, Any]
    """Its file."""


@dataclass(frozen=True, kw_only=True)
class AccuracyFacts:
    """How right customers are where the truth is known: in a part, by links alone or a model."""

    part: str
    by: str
    precision: float
    recall: float
    f1: float
    pairs: int


@dataclass(frozen=True, kw_only=True)
class CampaignFacts:
    """What came of a segment's exports, beside those who were held out; see gold.campaigns."""

    segment: str
    campaign: str
    until: date
    sent: int
    held_out: int
    delivered: int
    opened: int
    clicked: int
    converted: int
    converted_held_out: int
    revenue: float | None
    lift: float | None
    lift_low: float | None
    lift_high: float | None

    @property
    def shows_an_effect(self) -> bool:
        """Whether the interval of the lift leaves zero out."""
        low, high = self.lift_low, self.lift_high
        return low is not None and high is not None and not low <= 0 <= high


@dataclass(frozen=True, kw_only=True)
class GenerationFacts:
    """What a published generation tells of itself: the same until the next one."""

    mark: str = ""
    """Of what it was counted, and how."""
    identity: Mapping[str, int] = field(default_factory=dict)
    """The funnel, from records to known customers."""
    cluster_sizes: Sequence[tuple[str, int]] = ()
    events: Mapping[str, int] = field(default_factory=dict)
    """Events of identity history in this generation."""
    review: Mapping[str, int] = field(default_factory=dict)
    """Values that were not allowed to link, by reason."""
    completeness: Sequence[tuple[str, float]] = ()
    """Share of the known customers that have an attribute."""
    stewards: Mapping[str, int] = field(default_factory=dict)
    """Decisions in force and waiting, and pairs that wait for one."""
    matched: Mapping[str, int] = field(default_factory=dict)
    """``likely``, ``doubtful`` and ``joined`` of MatchingFacts; empty without a model."""


@dataclass(frozen=True, kw_only=True)
class Attention:
    """One thing that a person should look at."""

    kind: str
    """failed, held, degraded, overdue or warning: the worst first."""
    subject: str
    message: str


_WORST_FIRST = ("failed", "held", "degraded")


@dataclass(frozen=True, kw_only=True)
class NightFacts:
    """Everything on the page."""

    as_of: date
    written_at: datetime
    run_id: str
    generation: int | None
    generation_as_of: date | None
    sources: Sequence[SourceFacts]
    segments: Sequence[SegmentFacts]
    exports: Sequence[ExportFacts]
    expectations: Sequence[Mapping[str, object]]
    data_docs: str
    """Where the Data Docs are, as seen from the page; empty without them."""
    steps: Sequence[StepFacts]
    unheard: Sequence[str] = field(default_factory=tuple)
    """Stages, with their source or destination, whose turn it was and that left no word."""
    warnings: Sequence[str] = field(default_factory=tuple)
    abandoned: Mapping[str, int] = field(default_factory=dict)
    """Records at destinations that are declared no more, by name."""
    overlaps: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Customers who are members of both segments, for each pair of two different ones."""
    drift: Sequence[DriftFacts] = field(default_factory=tuple)
    published: GenerationFacts = field(default_factory=GenerationFacts)
    """Of the generation that readers see."""
    matching: MatchingFacts | None = None
    accuracy: Sequence[AccuracyFacts] = field(default_factory=tuple)
    campaigns: Sequence[CampaignFacts] = field(default_factory=tuple)

    @property
    def verdict(self) -> str:
        """One word for the whole night: good, degraded, held, failed; or empty, if none was."""
        statuses = {step.status for step in self.steps}
        if self.unheard:
            return "failed"
        for word in _WORST_FIRST:
            if word in statuses:
                return word
        return "good" if statuses else "empty"

    @property
    def attention(self) -> list[Attention]:
        """What a person should look at, the worst first."""
        stopped = [
            Attention(
                kind=step.status,
                subject=f"{step.step} {step.subject}".strip(),
                message=step.error or "no reason was given",
            )
            for step in self.steps
            if step.status in _WORST_FIRST
        ]
        unheard = [
            Attention(
                kind="failed",
                subject=subject,
                message="it has not run for this day, or was killed before it could say how it "
                "ended. Its log, or that of the machine, tells more.",
            )
            for subject in self.unheard
        ]
        stopped = sorted([*stopped, *unheard], key=lambda each: _WORST_FIRST.index(each.kind))
        overdue = [
            Attention(
                kind="overdue",
                subject=source.name,
                message=f"its last sound file is of {source.last_file_on}."
                if source.last_file_on
                else "no sound file of it has ever come.",
            )
            for source in self.sources
            if source.is_overdue
        ]
        ahead = [
            Attention(
                kind="warning",
                subject=source.name,
                message=f"{source.ahead:,} files are dated after today and are left lying until "
                "that day. Ask their owner for the right names, or mend origin.file_date.",
            )
            for source in self.sources
            if source.ahead
        ]
        abandoned = [
            Attention(
                kind="warning",
                subject=name,
                message=f"it is declared no more, and {count:,} records are there: who says no "
                "from now on is not taken out. Declare it again with `segments: []`, which takes "
                "them out, or see to it there.",
            )
            for name, count in self.abandoned.items()
        ]
        warnings = [
            Attention(kind="warning", subject="expectation", message=text) for text in self.warnings
        ]
        return stopped + overdue + ahead + abandoned + warnings

    def shared(self, left: str, right: str) -> int:
        """How many customers are members of both segments."""
        return self.overlaps.get((left, right), self.overlaps.get((right, left), 0))
