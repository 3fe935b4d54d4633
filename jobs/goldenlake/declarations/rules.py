"""Rules on data, declared once: they compile to a row tagger and to a GX suite."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator

from goldenlake.declarations.base import ColumnName, Declaration, Expression, Pattern, Slug


class _Rule(Declaration):
    name: Slug | None = Field(default=None, description="Defaults to <rule>_<column>.")
    severity: Literal["critical", "warning"] = Field(
        default="critical",
        description="critical quarantines a source's row and stops a publication; "
        "warning is reported.",
    )
    reason: str = Field(description="Why this must hold; shown to whoever meets the failure.")


RuleT = TypeVar("RuleT")


def _limited(rule: RuleT, least: object, most: object) -> RuleT:
    if least is None and most is None:
        raise ValueError("says neither least nor most, so everything passes")
    return rule


class NotNull(_Rule):
    """The column has a value."""

    rule: Literal["not_null"]
    column: ColumnName


class InSet(_Rule):
    """The value, where there is one, is among those listed."""

    rule: Literal["in_set"]
    column: ColumnName
    values: list[str | int]


class Matches(_Rule):
    """The whole value, where there is one, matches a regular expression."""

    rule: Literal["matches"]
    column: ColumnName
    pattern: Pattern


class Between(_Rule):
    """The value, where there is one, lies between two limits, both included."""

    rule: Literal["between"]
    column: ColumnName
    least: float | str | None = None
    most: float | str | None = None

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        return _limited(self, self.least, self.most)


class Unique(_Rule):
    """No two rows agree on these columns."""

    rule: Literal["unique"]
    columns: list[ColumnName]


class Holds(_Rule):
    """An expression is true; null counts as broken."""

    rule: Literal["holds"]
    expression: Expression


class RowCount(_Rule):
    """The table has so many rows."""

    rule: Literal["row_count"]
    least: int | None = None
    most: int | None = None

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        return _limited(self, self.least, self.most)


class Complete(_Rule):
    """At least this share of the rows has a value in the column."""

    rule: Literal["complete"]
    column: ColumnName
    least: float = Field(ge=0, le=1)


RowRule = Annotated[NotNull | InSet | Matches | Between | Holds, Field(discriminator="rule")]
"""Rules that can judge a row by itself."""

TableRule = Annotated[
    NotNull | InSet | Matches | Between | Holds | Unique | RowCount | Complete,
    Field(discriminator="rule"),
]
"""Rules that an audit of a whole table can judge."""


def rule_name(rule: RowRule | TableRule) -> str:
    """The name under which a rule is quarantined and reported."""
    if rule.name:
        return rule.name
    if isinstance(rule, Unique):
        return "unique_" + "_".join(rule.columns)
    if isinstance(rule, Holds | RowCount):
        return rule.rule
    return f"{rule.rule}_{rule.column}"
