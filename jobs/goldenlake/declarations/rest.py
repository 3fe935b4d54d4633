"""``target`` of a system that goldenlake does not know: its calls, declared and nothing else.

Templates are filled in with values and never run: ``{key}``, ``{segment}``, ``{destination}``,
``{fields.<name>}`` for one mapped field and ``{fields}`` for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, StrictFloat, StrictInt, model_validator

from goldenlake.declarations.base import Declaration, Slug

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*(?:\.[a-zA-Z0-9_]+)?)\}")
_OF_A_CALL = frozenset({"destination", "segment"})
_OF_A_RECORD = _OF_A_CALL | {"key"}
WHOLE_BODY = "$"


def _checked_json_path(text: str) -> str:
    if text != WHOLE_BODY and not re.fullmatch(r"[\w$@-]+(\.[\w$@-]+)*", text):
        raise ValueError("is no path; write names with dots between them, such as contact.email")
    return text


JsonPath = Annotated[str, AfterValidator(_checked_json_path)]
"""Where in a body something stands: names with dots between them; a number is a place in a list."""


def _names(template: str) -> set[str]:
    """Raises ValueError for braces that are no placeholder."""
    rest = PLACEHOLDER.sub("", template)
    if "{" in rest or "}" in rest:
        raise ValueError("has a brace that opens no name; write names like {key} or {fields.first}")
    return set(PLACEHOLDER.findall(template))


def _checked(template: str, known: frozenset[str]) -> str:
    if unknown := _names(template) - known:
        listed = ", ".join(f"{{{name}}}" for name in sorted(known))
        raise ValueError(f"has {{{min(unknown)}}}, which is not filled in here. Known: {listed}")
    return template


def _checked_path(text: str) -> str:
    if not text.startswith("/") or text.startswith("//") or ".." in text.split("/"):
        raise ValueError("is no path; write one that begins with / and goes below base_url")
    if "?" in text or "#" in text:
        raise ValueError("has a query; declare it under query")
    return _checked(text, _OF_A_RECORD)


def _checked_of_call(text: str) -> str:
    return _checked(text, _OF_A_CALL)


def _checked_value(template: str) -> str:
    names = _names(template)
    of_fields = {name for name in names if name.partition(".")[0] == "fields"}
    if of_fields and not PLACEHOLDER.fullmatch(template):
        raise ValueError(f"mixes {{{min(of_fields)}}} with text; a field's value stands alone")
    _checked(template, _OF_A_RECORD | of_fields)
    return template


Constant = StrictBool | StrictInt | StrictFloat | None
RecordValue = Annotated[str, AfterValidator(_checked_value)] | Constant
"""A template, or a constant. One placeholder alone keeps the type of what it stands for."""
CallValue = Annotated[str, AfterValidator(_checked_of_call)] | Constant


class RestReply(Declaration):
    """Where a reply to several records says what became of each."""

    results_at: JsonPath = Field(description="The list of results; $ where it is the whole reply.")
    lists: Literal["all", "errors"] = Field(
        description="Whether every record has a result, so that one without is unknown, or those "
        "alone that were refused."
    )
    key_at: JsonPath = Field(description="A result's key.")
    error_at: JsonPath | None = Field(
        default=None, description="A result's error; it was applied where there is none."
    )
    state_at: JsonPath | None = Field(default=None, description="A result's state.")
    done_states: list[str | StrictInt] = Field(
        default=[], description="States of a record that was applied."
    )
    remote_id_at: JsonPath | None = Field(
        default=None, description="What the system calls the record."
    )

    @model_validator(mode="after")
    def _tells_success_from_failure(self) -> Self:
        if self.lists == "all" and not (self.error_at or self.state_at):
            raise ValueError("says of nothing that it failed; name error_at, or state_at")
        if bool(self.state_at) != bool(self.done_states):
            raise ValueError("needs state_at and done_states together")
        return self


class RestCall(Declaration):
    """A call for each record, or for several where ``records_at`` says where they stand."""

    method: Literal["DELETE", "PATCH", "POST", "PUT"]
    path: Annotated[str, AfterValidator(_checked_path)] = Field(
        description="Below base_url; {key}, {segment} and {destination} are filled in."
    )
    query: dict[str, Annotated[str, AfterValidator(_checked_of_call)]] = Field(
        default={}, description="Of the address; keys of people do not belong there."
    )
    body: dict[JsonPath, RecordValue] = Field(
        default={}, description="Of a record: where in the JSON, and what. An absent field is left "
        "out, a cleared one is null."
    )  # fmt: skip
    records_at: JsonPath | None = Field(
        default=None,
        description="Where the list of records stands in the body of a call for several; $ where "
        "it is the whole body. Without it every record has a call.",
    )
    around: dict[JsonPath, CallValue] = Field(
        default={}, description="What stands beside the list of records."
    )
    done_statuses: list[int] = Field(
        default=[], description="Statuses that mean done although they are no success: 404 of a "
        "removal."
    )  # fmt: skip
    reply: RestReply | None = Field(
        default=None,
        description="Of a call for several; without it a success means all of them.",
    )

    @property
    def alike(self) -> Mapping[str, Any]:
        """What it says of every record alike: all that tells from outside where it puts them."""
        body = {path: value for path, value in self.body.items() if not _is_of_a_record(value)}
        told = {"path": self.path, "query": self.query, "around": self.around, "body": body}
        return {name: value for name, value in told.items() if value}

    @property
    def fields(self) -> set[str]:
        """Names of mapped fields that its body has; ``*`` for all of them."""
        found = {
            name
            for value in self.body.values()
            if isinstance(value, str)
            for name in PLACEHOLDER.findall(value)
        }
        return {
            name.partition(".")[2] or "*" for name in found if name.partition(".")[0] == "fields"
        }

    @model_validator(mode="after")
    def _is_for_one_or_for_several(self) -> Self:
        is_for_several = self.records_at is not None
        if is_for_several and "{key}" in self.path:
            raise ValueError("has {key} in its path, but is for several; take out records_at")
        if not is_for_several and (self.reply or self.around):
            raise ValueError("has reply or around, which are of a call for several: add records_at")
        if is_for_several and not self.body:
            raise ValueError("is for several records, but has no body for one of them")
        if self.records_at == WHOLE_BODY and self.around:
            raise ValueError("has around, but its whole body is the list of records")
        places = {*self.around, *([self.records_at] if self.records_at else [])}
        for paths in (set(self.body), places):
            _apart(paths)
        return self


class RestLookUp(Declaration):
    """How to ask what became of one record: found with its fields, or not found."""

    path: Annotated[str, AfterValidator(_checked_path)] = Field(
        description="Of a GET; {key}, {segment} and {destination} are filled in."
    )
    missing_statuses: list[int] = Field(default=[404])
    fields: dict[str, JsonPath] = Field(
        default={}, description="Where the reply has each mapped field."
    )


class RestTarget(Declaration):
    """Any system with an HTTP API that takes JSON. Its limits are those of the connection."""

    kind: Literal["rest"]
    connection: Slug
    upsert: list[RestCall] = Field(
        min_length=1,
        description="Calls that make a record a member, in their order; all of them must take it.",
    )
    remove: list[RestCall] = Field(
        min_length=1, description="Calls that make it a member no longer."
    )
    look_up: RestLookUp | None = Field(
        default=None,
        description="With it, what became of a record whose reply was lost is asked before it is "
        "sent again, and reconcile can compare; without, it is sent again.",
    )
    batch_records: int = Field(
        default=100, ge=1, description="Records of a batch, and so of a call for several."
    )
    batch_bytes: int = Field(
        default=2**20,
        ge=1,
        description="Bytes of a batch: of its fields as JSON. Leave room for what stands around.",
    )
    concurrency: int = Field(default=1, ge=1, description="Batches on their way at one time.")
    clears: StrictBool = Field(default=True, description="Whether a null clears a field.")
    refusing_statuses: list[int] = Field(
        default=[400, 404, 409, 410, 413, 422],
        description="Statuses of a call for one record that refuse this record; others stop the "
        "export.",
    )
    passing_errors: list[str] = Field(
        default=[],
        description="Words in an error after which the record is tried again; others are for good.",
    )

    @property
    def calls(self) -> Mapping[str, list[RestCall]]:
        """By the operation of a record."""
        return {"upsert": self.upsert, "remove": self.remove}

    @model_validator(mode="after")
    def _removes_without_fields(self) -> Self:
        if any(call.fields for call in self.remove):
            raise ValueError("remove has {fields}; a removal knows nothing but the key")
        return self


def _is_of_a_record(value: RecordValue) -> bool:
    alone = PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return alone is not None and alone[1] not in _OF_A_CALL


def _apart(paths: set[str]) -> None:
    """Raises ValueError where one path leads through what another one fills in."""
    for path in sorted(paths):
        parts = path.split(".")
        for at in range(1, len(parts)):
            if ".".join(parts[:at]) in paths:
                raise ValueError(f"fills in {'.'.join(parts[:at])} and {path}: one is in the other")
