"""``conf/destinations/<name>.yml``: where members of segments are sent, and how carefully."""

from __future__ import annotations

from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictBool, Tag, field_validator

from goldenlake.declarations.base import ColumnName, Declaration, Delimiter, PathInside, Slug

OWN_COLUMNS = ("operation", "key")
"""Columns that every file of a delivery has, before the declared fields."""
_PATH_NAMES = {"destination", "segment", "as_of"}


class Guards(Declaration):
    """Limits beyond which nothing is sent until a person approves the plan."""

    largest_change: float = Field(
        default=0.30, ge=0, description="Share of the acknowledged members that may change."
    )
    most_removals: int = Field(default=500, ge=0)
    most_removals_share: float = Field(
        default=0.05, ge=0, le=1, description="Removals up to the larger of both limits pass."
    )
    allow_empty: StrictBool = Field(
        default=False, description="Whether an audience may become empty."
    )
    least_members: int = Field(
        default=50,
        ge=0,
        description="The share of change is judged from this many acknowledged members on.",
    )


class Retries(Declaration):
    """How a batch that met a passing fault is tried again."""

    attempts: int = Field(default=5, ge=1)
    longest_wait_seconds: float = Field(default=60.0, gt=0)


class FilesTarget(Declaration):
    """Files in a folder, on an SFTP server or in S3, each delivery closed by a manifest."""

    kind: Literal["files"]
    place: Slug
    path: PathInside = Field(
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

    @field_validator("path")
    @classmethod
    def _fills_in_what_is_known(cls, path: str) -> str:
        try:
            names = {name for _, name, _, _ in Formatter().parse(path) if name is not None}
        except ValueError as error:
            raise ValueError(f"is not a path with names in braces: {error}") from error
        if unknown := names - _PATH_NAMES:
            known = ", ".join(f"{{{name}}}" for name in sorted(_PATH_NAMES))
            raise ValueError(f"has {{{min(unknown)}}}, which nothing fills in. Known: {known}")
        return path


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
    segments: list[Slug] = Field(min_length=1)
    mode: Literal["mirror", "upsert", "append"] = Field(
        default="mirror",
        description="mirror: also remove those who left, of those that we added; upsert: add and "
        "update; append: only add.",
    )
    purpose: Slug = Field(description="Consent that a member must have granted.")
    channel: Slug
    key: ColumnName = Field(description="Attribute that names a person there; without it: held.")
    fields: dict[str, FieldSource]
    target: FilesTarget
    guards: Guards = Guards()
    retries: Retries = Retries()

    @property
    def mapping(self) -> dict[str, MappedField]:
        """Every field, written out in full."""
        return {
            field: source if isinstance(source, MappedField) else MappedField(attribute=source)
            for field, source in self.fields.items()
        }
