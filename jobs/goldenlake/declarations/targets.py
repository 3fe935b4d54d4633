"""``target`` of a destination: which kind of system it is, and what that kind needs to know."""

from __future__ import annotations

from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictBool

from goldenlake.declarations.base import Declaration, Delimiter, PathInside, Slug

OWN_COLUMNS = ("operation", "key")
"""Columns that every file of a delivery has, before the declared fields."""


def _filled_in(text: str, known: set[str]) -> str:
    try:
        names = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise ValueError(f"is no text with names in braces: {error}") from error
    if unknown := names - known:
        listed = ", ".join(f"{{{name}}}" for name in sorted(known))
        raise ValueError(f"has {{{min(unknown)}}}, which nothing fills in. Known: {listed}")
    return text


def _checked_path(text: str) -> str:
    return _filled_in(text, {"destination", "segment", "as_of"})


def _checked_name(text: str) -> str:
    return _filled_in(text, {"destination", "segment"})


AudienceName = Annotated[str, AfterValidator(_checked_name), Field(min_length=1)]
"""What a segment is called there; {destination} and {segment} are filled in."""


class FilesTarget(Declaration):
    """Files in a folder, on an SFTP server or in S3, each delivery closed by a manifest."""

    kind: Literal["files"]
    place: Slug
    path: Annotated[PathInside, AfterValidator(_checked_path)] = Field(
        default="{destination}/{segment}/{as_of}",
        description="Folder of a delivery; {destination}, {segment} and {as_of} are filled in.",
    )
    format: Literal["csv", "jsonl", "parquet"] = "csv"
    delimiter: Delimiter = ","
    spreadsheet_guard: StrictBool = Field(
        default=True,
        description="Prefix cells that a spreadsheet would run as a formula; for people who open "
        "the file. Turn it off for machines: the file is then byte-exact.",
    )
    batch_records: int = Field(default=10_000, ge=1, description="Records in one file.")


class HubspotTarget(Declaration):
    """Contacts of HubSpot, and a manual list for each segment."""

    kind: Literal["hubspot"]
    connection: Slug
    id_property: str = Field(
        default="email",
        description="Property with unique values by which a contact is known; the key is its "
        "value.",
    )
    list: AudienceName = Field(
        default="{segment}", description="Name of the list; made as a manual one where absent."
    )
    create_properties: StrictBool = Field(
        default=False, description="Make properties of contacts that the mapping names."
    )
    property_group: str = Field(
        default="contactinformation", description="Group of the properties that are made."
    )
    gone: Literal["keep", "archive"] = Field(
        default="keep",
        description="What becomes of the contact of a customer who exists no longer, besides "
        "leaving the list: one that was merged into another.",
    )


Target = Annotated[FilesTarget | HubspotTarget, Field(discriminator="kind")]
