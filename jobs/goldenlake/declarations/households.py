"""``conf/identity/households.yml``: which customers probably live together."""

from __future__ import annotations

from pydantic import Field

from goldenlake.declarations.base import ColumnName, Declaration, Slug
from goldenlake.declarations.identity import Placeholders


class HouseholdRule(Declaration):
    """What two customers must share to be taken for one household."""

    agree: list[ColumnName] = Field(
        min_length=1,
        description="Attributes of gold.customers: both customers have all of them, and all agree.",
    )
    most_customers: int = Field(
        default=10,
        ge=2,
        description="What more customers than this share links nobody: an office, a hotel.",
    )


class HouseholdRules(Declaration):
    """All rules; any one of them links. Households are a grouping and never merge customers."""

    rules: dict[Slug, HouseholdRule] = Field(min_length=1)
    placeholders: dict[ColumnName, Placeholders] = Field(
        default={},
        description="By attribute; what identifiers.yml blocks of an identifier of the same name "
        "is blocked here as well.",
    )

    @property
    def attributes(self) -> list[str]:
        """Every attribute that a rule compares, in alphabetical order."""
        return sorted({name for rule in self.rules.values() for name in rule.agree})
