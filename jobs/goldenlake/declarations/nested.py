"""Paths into nested JSON, as declarations write them: names of fields with dots between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

FieldPath = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
"""Names of nested fields with dots between them, such as ``paging.next.after``."""


def at(value: Any, path: str) -> Any:
    """The nested field, or element of a list by its number; None where something is not there."""
    for name in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value
