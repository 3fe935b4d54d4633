"""``conf/tables/<table>.yml``: the contract of a gold table, and its documentation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldenlake.declarations.base import ColumnName, Declaration, Slug
from goldenlake.declarations.rules import TableRule
from goldenlake.declarations.source import PersonalClass


class Survivorship(Declaration):
    """Which record's value wins when a customer's records disagree.

    Ties always fall to the more recent value, then to the better-ranked source, then to the
    smaller record id, so that the same records give the same winner in any order of arrival.
    """

    rule: Literal["most_trusted", "most_recent", "most_frequent", "most_complete"]
    sources: list[Slug] = Field(
        default=[], description="Best first; sources not listed come after those listed."
    )

    def __str__(self) -> str:
        """The rule in words, for people who ask why a value won."""
        ranked = f"; sources: {', '.join(self.sources)}, then others" if self.sources else ""
        return f"{self.rule.replace('_', ' ')}{ranked}"


class TableColumn(Declaration):
    """A column of a gold table."""

    name: ColumnName
    type: str = Field(description="Spark SQL type.")
    doc: str
    personal: PersonalClass = "none"
    survivorship: Survivorship | None = Field(
        default=None, description="Present on attributes of gold.customers."
    )


class Table(Declaration):
    """The contract of a gold table."""

    table: str = Field(pattern=r"^[a-z_]+\.[a-z][a-z0-9_]*$")
    description: str
    grain: str = Field(description="What one row is.")
    key: list[ColumnName]
    columns: list[TableColumn]
    rules: list[TableRule] = Field(default=[])

    @property
    def declared_in(self) -> str:
        """The file in which it is changed."""
        return f"conf/tables/{self.table}.yml"

    @property
    def attributes(self) -> list[TableColumn]:
        """Columns that survivorship fills."""
        return [column for column in self.columns if column.survivorship]

    @property
    def ddl(self) -> str:
        """The columns as Spark DDL."""
        return ", ".join(f"{column.name} {column.type}" for column in self.columns)
