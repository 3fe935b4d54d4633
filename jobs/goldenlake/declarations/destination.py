"""``conf/destinations/<name>.yml``: where members of segments are sent, and how carefully."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, StrictBool, Tag, model_validator

from goldenlake.declarations.base import ColumnName, Days, Declaration, Slug
from goldenlake.declarations.targets import MailmanTarget, Target, TrytonTarget

_OF_MAILMAN = {"display_name"}


class Guards(Declaration):
    """Limits beyond which nothing is sent until a person approves the plan."""

    largest_change: float = Field(
        default=0.30,
        ge=0,
        description="Additions and removals together, as a share of the acknowledged members; "
        "changed fields do not count.",
    )
    most_removals: int = Field(
        default=500,
        ge=0,
        description="Removals of a segment up to this many pass, and so do more of them up to "
        "most_removals_share.",
    )
    most_removals_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="As a share of the acknowledged members; removals up to the larger of both "
        "limits pass.",
    )
    allow_empty: StrictBool = Field(
        default=False, description="Whether an audience may become empty."
    )
    add_despite_unread_consents: StrictBool = Field(
        default=False,
        description="Whether people are added while a file that states consent is broken: somebody "
        "may have said no in it.",
    )
    largest_match_drop: float = Field(
        default=0.2,
        ge=0,
        description="How much smaller, as a share, the part of the members with a key may be than "
        "at the last export.",
    )
    least_members: int = Field(
        default=50,
        ge=0,
        description="The share of change is judged from this many acknowledged members on.",
    )


class Cap(Declaration):
    """How often a person may be reached by the channel, whoever sent it."""

    most: int = Field(ge=1, description="Who was reached so often is left out for now.")
    within: Days = Field(default="7d", description="Whole days, the day itself included.")
    kinds: list[str] = Field(
        default=["delivered"],
        min_length=1,
        description="Kinds of gold.interactions that count, of the destination's channel.",
    )


class Retries(Declaration):
    """How a batch that met a passing fault is tried again."""

    attempts: int = Field(
        default=5,
        ge=1,
        description="Tries of a batch, the first one included; waiting for a throttle or a job is "
        "none.",
    )
    longest_wait_seconds: float = Field(
        default=60.0, gt=0, description="Between two tries; the first wait is about a second."
    )


class MappedField(Declaration):
    """Where a field's value comes from."""

    attribute: ColumnName
    overwrite_with_null: StrictBool = Field(
        default=False, description="Whether a missing value clears what the destination has."
    )


def _field_form(value: Any) -> str:
    return "column" if isinstance(value, str) else "mapped"


FieldSource = Annotated[
    Annotated[ColumnName, Tag("column")] | Annotated[MappedField, Tag("mapped")],
    Discriminator(_field_form),
]
"""An attribute's name, or the attribute with its options."""


class Destination(Declaration):
    """A place that audiences are sent to."""

    destination: Slug
    description: str
    owner: str
    segments: list[Slug] = Field(
        description="Whose members are sent. None at all: nobody is sent any more, and mode mirror "
        "takes out all whom we added; a destination can be taken away then."
    )
    mode: Literal["mirror", "upsert", "append", "suppress"] = Field(
        default="mirror",
        description="mirror: also remove those who left, of those that we added; upsert: add and "
        "update; append: only add; suppress: tell the system of members who said no, so that it "
        "sends them nothing either.",
    )
    purpose: Slug = Field(description="Consent that a member must have granted.")
    channel: Slug
    key: ColumnName = Field(description="Attribute that names a person there; without it: held.")
    fields: dict[str, FieldSource]
    target: Target
    priority: list[Slug] = Field(
        default=[],
        description="Segments, the most important first: a member of several of them is sent in "
        "the first alone.",
    )
    cap: Cap | None = None
    guards: Guards = Guards()
    retries: Retries = Retries()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        unknown = [name for name in self.priority if name not in self.segments]
        if unknown:
            raise ValueError(f"priority names {unknown[0]!r}, which is not among its segments")
        if isinstance(self.target, MailmanTarget) and (others := set(self.fields) - _OF_MAILMAN):
            raise ValueError(
                f"fields names {min(others)!r}, but Mailman keeps of a member display_name alone"
            )
        if isinstance(self.target, TrytonTarget) and self.target.key in self.fields:
            raise ValueError(f"fields names {self.target.key!r}, which is the key already")
        if self.mode == "suppress" and self.fields:
            raise ValueError("mode suppress sends the key alone; leave fields empty")
        return self

    @property
    def mapping(self) -> dict[str, MappedField]:
        """Every field, written out in full."""
        return {
            field: source if isinstance(source, MappedField) else MappedField(attribute=source)
            for field, source in self.fields.items()
        }
