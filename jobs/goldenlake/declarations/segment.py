"""``conf/segments/<name>.yml``: an audience, as conditions over what is known of a customer."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, StrictBool, Tag, model_validator

from goldenlake.declarations.base import ColumnName, Days, Declaration, Duration, Expression, Slug

Scalar = str | int | float | bool


class Comparison(Declaration):
    """Tests that a value must pass; all that are given must hold. Null passes only ``missing``."""

    equals: Scalar | None = None
    one_of: list[Scalar] | None = None
    none_of: list[Scalar] | None = None
    at_least: Scalar | None = None
    at_most: Scalar | None = None
    above: Scalar | None = None
    below: Scalar | None = None
    starts_with: str | None = None
    contains: str | None = None
    missing: StrictBool | None = Field(
        default=None, description="true: has no value; false: has one."
    )
    within: Duration | None = Field(
        default=None, description="A date or time not further back than this from the day."
    )
    not_within: Duration | None = Field(default=None, description="Further back, or never.")

    def tests(self) -> dict[str, Any]:
        """The tests that were given, by name."""
        return {
            name: value
            for name in Comparison.model_fields
            if (value := getattr(self, name)) is not None
        }

    @model_validator(mode="after")
    def _tests_something(self) -> Self:
        if not self.tests():
            raise ValueError("names no test; add one such as equals, at_least or missing")
        return self


class AttributeCondition(Comparison):
    """A column of gold.customers."""

    attribute: ColumnName


class MetricCondition(Comparison):
    """A column of gold.metrics."""

    metric: ColumnName


class EventFilter(Declaration):
    """Which events count: a table, a kind, and tests on the event's columns."""

    event: str = Field(
        description="A kind in gold.interactions (view, cart, open, click …), or purchase for "
        "lines of gold.purchases that were not cancelled."
    )
    where: dict[ColumnName, Scalar | list[Scalar]] = Field(
        default={}, description="Columns of the event and the value, or values, they must have."
    )
    properties: dict[str, str | list[str]] = Field(
        default={}, description="Properties of an interaction, and the value or values they have."
    )
    matching: Expression | None = Field(default=None, description="A test on the event's columns.")


class DidCondition(EventFilter):
    """How often something happened in a window that ends with the day."""

    did: Literal[True] = True
    at_least: int = Field(default=1, ge=1)
    at_most: int | None = Field(default=None, ge=1)
    within: Duration | None = None


class DidNotCondition(EventFilter):
    """Something did not happen in a window that ends with the day."""

    did: Literal[False]
    within: Duration | None = None


class SequenceCondition(Declaration):
    """Events that happened one after the other, the last within ``gap`` of the first."""

    sequence: list[EventFilter] = Field(min_length=2)
    gap: Duration | None = None
    within: Duration | None = None
    not_followed_by: EventFilter | None = Field(
        default=None, description="And this did not happen after the last of them."
    )


class SegmentCondition(Declaration):
    """Membership of another segment."""

    segment: Slug


class SqlCondition(Declaration):
    """An expression over columns of gold.customers and gold.metrics."""

    sql: Expression


class AllOf(Declaration):
    """Every condition holds."""

    all: list[Condition] = Field(min_length=1)


class AnyOf(Declaration):
    """At least one condition holds."""

    any: list[Condition] = Field(min_length=1)


class Not(Declaration):
    """The condition does not hold (nor is it unknown)."""

    not_: Condition = Field(alias="not")


_BY_KEY = {
    "all": "all", "any": "any", "not": "not", "attribute": "attribute", "metric": "metric",
    "sequence": "sequence", "segment": "segment", "sql": "sql", "event": "did",
}  # fmt: skip


def _kind(value: Any) -> str | None:
    """The condition's kind, told by the one key that only it has."""
    if isinstance(value, dict):
        if "event" in value:
            return "did_not" if value.get("did") is False else "did"
        return next((kind for key, kind in _BY_KEY.items() if key in value), None)
    return next((tag for tag, model in _MODELS.items() if type(value) is model), None)


Condition = Annotated[
    Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[AttributeCondition, Tag("attribute")]
    | Annotated[MetricCondition, Tag("metric")]
    | Annotated[DidCondition, Tag("did")]
    | Annotated[DidNotCondition, Tag("did_not")]
    | Annotated[SequenceCondition, Tag("sequence")]
    | Annotated[SegmentCondition, Tag("segment")]
    | Annotated[SqlCondition, Tag("sql")],
    Discriminator(
        _kind,
        custom_error_type="condition",
        custom_error_message="names no condition; use one of all, any, not, attribute, metric, "
        "event, sequence, segment, sql",
    ),
]

_MODELS: dict[str, type[Declaration]] = {
    "all": AllOf, "any": AnyOf, "not": Not, "attribute": AttributeCondition,
    "metric": MetricCondition, "did": DidCondition, "did_not": DidNotCondition,
    "sequence": SequenceCondition, "segment": SegmentCondition, "sql": SqlCondition,
}  # fmt: skip


class HoldOut(Declaration):
    """A control group: members who are sent nothing, so that the effect on the others shows."""

    share: float = Field(gt=0, lt=1, description="Of the members; 0.1 is one in ten.")
    salt: str = Field(
        min_length=1, description="Another text draws another group; keep it for a campaign's life."
    )


class Segment(Declaration):
    """An audience."""

    segment: Slug
    description: str
    owner: str = Field(description="Team that answers for this audience.")
    kind: Literal["dynamic", "static"] = Field(
        default="dynamic",
        description="dynamic: judged anew every night; static: judged once, then kept.",
    )
    include_anonymous: StrictBool = Field(
        default=False, description="Whether visitors that nobody knows yet can be members."
    )
    hold_out: HoldOut | None = None
    attribution: Days = Field(
        default="14d",
        description="Days after somebody was first sent to, or held out, in which what they do "
        "counts as a result; see gold.campaigns.",
    )
    who: Condition


for _model in (AllOf, AnyOf, Not, Segment):
    _model.model_rebuild()
