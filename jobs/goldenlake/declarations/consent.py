"""``conf/consent.yml``: purposes, channels, and what silence means in each jurisdiction."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldenlake.declarations.base import Declaration, Duration, Slug
from goldenlake.declarations.countries import Country


class Purpose(Declaration):
    """Something that personal data may be used for."""

    description: str
    expires_after: Duration | None = Field(
        default=None, description="A grant older than this no longer counts."
    )


class Channel(Declaration):
    """A way to reach people."""

    addresses: list[Slug] = Field(
        default=[],
        description="Identifiers that say where it reaches a person. What was refused under one of "
        "their values is sent to nobody at that value, whoever bears it.",
    )


class ConsentPolicy(Declaration):
    """Consent fails closed: who said nothing has not agreed, unless the default says otherwise."""

    purposes: dict[Slug, Purpose]
    channels: dict[Slug, Channel]
    default: Literal["denied", "granted"] = Field(
        default="denied",
        description="What silence means for people of whom no country is known, or one that "
        "jurisdictions does not name.",
    )
    jurisdictions: dict[Country, Literal["denied", "granted"]] = Field(
        default={},
        description="What silence means, by country (ISO 3166-1 alpha-2); others use default.",
    )
    gone_sources: list[Slug] = Field(
        default=[],
        description="Sources that are declared no more and whose statements no longer count. While "
        "people are known to have said no through one that is not named here, nothing is "
        "published without it.",
    )
