"""``conf/groups/<group>.yml``: customers who belong together without being one."""

from __future__ import annotations

from pydantic import Field

from goldenlake.declarations.base import ColumnName, Declaration, Slug
from goldenlake.declarations.identity import Placeholders
from goldenlake.declarations.rules import Between, Holds, NotNull, TableRule, Unique
from goldenlake.declarations.table import Table, TableColumn


class GroupRule(Declaration):
    """What two customers must share to belong together."""

    agree: list[ColumnName] = Field(
        min_length=1,
        description="Attributes of gold.customers: both customers have all of them, and all agree.",
    )
    most_customers: int = Field(
        default=10,
        ge=2,
        description="What more customers than this share links nobody: a switchboard, a hotel.",
    )


class Group(Declaration):
    """A grouping of customers, which makes the table gold.<group>. It never merges them."""

    group: Slug = Field(description="In the plural: households, companies.")
    description: str = Field(description="Who belongs together; stands in the data dictionary.")
    owner: str = Field(description="Team that answers for this grouping.")
    singular: str = Field(
        pattern="^[a-z][a-z0-9_]{0,31}$",
        description="One of them: household names the columns household_id and household_since.",
    )
    prefix: str | None = Field(
        default=None,
        pattern="^[a-z][a-z0-9_]{0,31}$",
        description="What ids begin with, before a further _; by default as singular.",
    )
    largest: int | None = Field(
        default=None, ge=2, description="A larger one is a warning when the table is audited."
    )
    rules: dict[Slug, GroupRule] = Field(min_length=1, description="Any one of them links.")
    placeholders: dict[ColumnName, Placeholders] = Field(
        default={},
        description="By attribute; what identifiers.yml blocks of an identifier of the same name "
        "is blocked here as well.",
    )

    @property
    def table(self) -> str:
        """The table that it makes."""
        return f"gold.{self.group}"

    @property
    def attributes(self) -> list[str]:
        """Every attribute that a rule compares, in alphabetical order."""
        return sorted({name for rule in self.rules.values() for name in rule.agree})

    @property
    def id_prefix(self) -> str:
        """What ids begin with."""
        return f"{self.prefix or self.singular}_"

    @property
    def id_column(self) -> str:
        """The column of the group's id."""
        return f"{self.singular}_id"

    @property
    def since_column(self) -> str:
        """The column of the day on which that id was first given."""
        return f"{self.singular}_since"

    @property
    def contract(self) -> Table:
        """The contract of its table."""
        one = self.singular.replace("_", " ")
        id_, since = self.id_column, self.since_column
        return GroupTable(
            table=self.table,
            description=self.description,
            grain=f"A customer who is in one {one} with others.",
            key=["customer_id"],
            columns=[
                TableColumn(
                    name=id_,
                    type="STRING",
                    doc=f"Our opaque name of the {one}; stable while customers come and go.",
                    personal="pseudonym",
                ),
                TableColumn(
                    name="customer_id",
                    type="STRING",
                    doc="The customer, as gold.customers names it.",
                    personal="pseudonym",
                ),
                TableColumn(
                    name=since,
                    type="DATE",
                    doc=f"The day on which this {id_} was first given; of several that merge, "
                    "the oldest is kept.",
                ),
                TableColumn(name="size", type="INT", doc=f"How many customers are in the {one}."),
                TableColumn(
                    name="rules",
                    type="ARRAY<STRING>",
                    doc=f"The rules by which this customer is tied to others of the {one}, in "
                    "alphabetical order.",
                ),
            ],
            rules=[
                NotNull(rule="not_null", column=id_, reason="A row without it says nothing."),
                NotNull(
                    rule="not_null",
                    column="customer_id",
                    reason="Every other table refers to customers by it.",
                ),
                Unique(
                    rule="unique",
                    columns=["customer_id"],
                    reason="Nobody is in two at once; sizes would be wrong.",
                ),
                NotNull(
                    rule="not_null",
                    column=since,
                    reason="Which id survives a merge is decided by it.",
                ),
                Between(
                    rule="between",
                    column="size",
                    least=2,
                    reason="One customer alone is no group.",
                ),
                *self._not_too_large(),
                Holds(
                    name="tied_by_a_rule",
                    rule="holds",
                    expression="size(rules) >= 1",
                    reason="A member whom nothing ties should have been left out.",
                ),
            ],
        )

    def _not_too_large(self) -> list[TableRule]:
        if self.largest is None:
            return []
        return [
            Holds(
                name="not_too_large",
                rule="holds",
                expression=f"size <= {self.largest}",
                severity="warning",
                reason="Chains of shared values grow where placeholders or most_customers are "
                "missing.",
            )
        ]


class GroupTable(Table):
    """The contract of a group's table, as the group gives it."""

    @property
    def declared_in(self) -> str:
        """The group's file."""
        return f"conf/groups/{self.table.removeprefix('gold.')}.yml"
