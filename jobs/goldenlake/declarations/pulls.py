"""``origin`` of a source that is asked over HTTP: what to ask, page by page, and from where on."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from goldenlake.declarations.base import Declaration, Duration, Slug, filled_in
from goldenlake.declarations.nested import FieldPath


def _checked_text(text: str) -> str:
    return filled_in(text, {"since", "as_of"}, hint="; a brace of its own is written twice")


Text = Annotated[str, AfterValidator(_checked_text)]
"""Text in which {since} and {as_of} are filled in."""


def _checked_body(value: Any) -> Any:
    for text in _texts(value):
        _checked_text(text)
    return value


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    return [text for each in value for text in _texts(each)] if isinstance(value, list) else []


class OnePage(Declaration):
    """All records come in one reply."""

    kind: Literal["one_page"]


class NextToken(Declaration):
    """The reply bears a token; the next call sends it."""

    kind: Literal["next_token"]
    path: FieldPath = Field(description="Where the token stands in the reply; absent: the end.")
    param: str = Field(description="Its name in the query, or in the body of a POST.")


class NextUrl(Declaration):
    """The reply bears the next call's address, on the same host."""

    kind: Literal["next_url"]
    path: FieldPath


class Offset(Declaration):
    """Calls say how many records to leave out, until nothing comes any more.

    The last record that came is asked for again: where another stands in its place, everything is
    asked for anew.
    """

    kind: Literal["offset"]
    param: str = "offset"
    size_param: str = "limit"
    size: int = Field(default=500, ge=1)
    start: int = 0


class PageNumber(Declaration):
    """Calls say which page they want, until nothing comes any more.

    The order must not change while pages are read, or records are left out: ask for one by id or by
    when records were made, not by when they changed.
    """

    kind: Literal["page"]
    param: str = "page"
    size_param: str = "count"
    size: int = Field(default=500, ge=1)
    start: int = 1


class RangeHeader(Declaration):
    """Calls say which records in a header, ``Range: records=0-100``; RFC 9110, section 14.

    Whether the last one belongs to the range is no matter: the next call goes on from the last
    record that came, and where another stands in its place, everything is asked for anew.
    It ends where ``Content-Range`` says so, with a 416, or when nothing comes any more.
    """

    kind: Literal["range"]
    unit: str = "records"
    size: int = Field(default=100, ge=1)


Paging = Annotated[
    OnePage | NextToken | NextUrl | Offset | PageNumber | RangeHeader, Field(discriminator="kind")
]


class HighWater(Declaration):
    """The field that tells how new a record is; the next night asks from the newest one on."""

    field: FieldPath
    start: str = Field(description="What the first night asks from, such as 2020-01-01T00:00:00Z.")
    overlap: Duration = Field(
        default="1h",
        description="Asked again each night: what was written late, or by a clock that is behind.",
    )
    write: Literal["iso", "epoch", "epoch_millis", "date"] = Field(
        default="iso", description="How {since} is written in the call."
    )
    keyset: bool = Field(
        default=False,
        description="Records come in the order of field: each next page is asked for from the "
        "newest one that came, so that none is missed when others change meanwhile, and what a "
        "system ends after so many pages goes on. Paging is followed within one instant alone.",
    )


class DepartureOrigin(Declaration):
    """Members whom a destination acknowledged and has no longer: they left by themselves.

    Each becomes a JSON line with ``key``, ``segment`` and ``noticed_at``.
    """

    destination: Slug
    most_share: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="With a larger share gone at once (and more than ten) nothing is believed.",
    )

    @property
    def file_date(self) -> None:
        """What is asked is about the day of its run."""


class ApiOrigin(Declaration):
    """Records that are pulled from an account of ``conf/env``, one file of JSON lines a night."""

    connection: Slug
    path: Text
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, Text | list[Text]] = Field(
        default={}, description="A list is sent as one parameter for each of its texts."
    )
    encoded: dict[str, Text] = Field(
        default={},
        description="Parameters that are sent in base64 for addresses: RFC 4648, section 5.",
    )
    body: Annotated[dict[str, Any] | None, AfterValidator(_checked_body)] = None
    headers: dict[str, str] = Field(default={})
    records: FieldPath | None = Field(
        default=None, description="Where the list stands in the reply; left out: the reply is it."
    )
    each: FieldPath | None = Field(
        default=None,
        description="A list within each record: every element becomes a record, as `each` beside "
        "the fields of the whole; a record without any becomes none.",
    )
    fields: dict[str, FieldPath] = Field(
        default={},
        description="Nested fields to be lifted to columns; others come as they are.",
    )
    values: Literal["json", "tryton", "json_api"] = Field(
        default="json",
        description="tryton: days, instants and decimals come as objects with a __class__. "
        "json_api: the data of a relationship becomes what stands under included.",
    )
    paging: Paging = OnePage(kind="one_page")
    high_water: HighWater | None = Field(
        default=None, description="Left out: everything is asked for every night."
    )
    most_pages: int = Field(
        default=100_000,
        ge=1,
        description="Of one night. With high_water the next night goes on, so records must come in "
        "its order; without, more is an error.",
    )

    @property
    def file_date(self) -> None:
        """A pull is about the day of its run."""

    @model_validator(mode="after")
    def _asks_from_somewhere(self) -> Self:
        if "?" in self.path:
            raise ValueError("path has a query; write it under params")
        told = [self.path, *_texts(self.params), *self.encoded.values(), *_texts(self.body)]
        asks = any("{since}" in text for text in told)
        if asks and self.high_water is None:
            raise ValueError("{since} is filled in by high_water, which is missing")
        by_keyset = self.high_water is not None and self.high_water.keyset
        if by_keyset and not isinstance(self.paging, NextToken | NextUrl):
            raise ValueError("high_water.keyset goes with paging by next_token or next_url alone")
        if by_keyset and not asks:
            raise ValueError("high_water.keyset asks from {since}, which stands nowhere")
        if self.body is not None and self.method == "GET":
            raise ValueError("body is sent by method POST alone")
        return self
