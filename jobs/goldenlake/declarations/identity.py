"""``conf/identity/identifiers.yml``: what ties records to one person, and what must not."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldenlake.declarations.base import Declaration, Pattern, Slug


class Placeholders(Declaration):
    """Values that link nobody, whoever has them."""

    block: list[str] = Field(default=[], description="Placeholder values that link nobody.")
    block_patterns: list[Pattern] = Field(
        default=[],
        description="Regular expressions; a value that begins with a match links nobody. Begin "
        "with .* to look inside it, and end with $ for the whole value.",
    )


class Identifier(Placeholders):
    """A value that, shared by two records, says that they are one person."""

    description: str
    strength: Literal["unique", "strong", "weak"] = Field(
        description="unique: issued to one person; strong: usually one person's; weak: often "
        "shared. Orders the evidence, and decides which links survive in too large a cluster."
    )
    most_records: int = Field(
        default=25, ge=2, description="A value on more records than this links nobody."
    )
    unless_differ: list[Slug] = Field(
        default=[],
        description="Traits or identifiers: two records that both have one and differ in it are "
        "not linked by this value, and records without it are then tied to neither.",
    )
    personal: Literal["pseudonym", "contact"] = "contact"


class IdentityRules(Declaration):
    """All identifiers, and the limits of what they may join."""

    identifiers: dict[Slug, Identifier]
    largest_cluster: int = Field(
        default=200,
        ge=2,
        description="In a component of more records only unique identifiers link; it is reported.",
    )
