"""Resources that name one another by type and id, as JSON:API has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def with_included(
    resources: Iterable[Mapping[str, Any]], included: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The same, where the ``data`` of a relationship is the resource that it names.

    A resource that was not included stays a type and an id.
    Source: https://jsonapi.org/format/1.1/#document-compound-documents
    """
    known = {(each.get("type"), each.get("id")): each for each in included}

    def whole(data: Any) -> Any:
        if isinstance(data, list):
            return [whole(each) for each in data]
        if not isinstance(data, dict):
            return data
        return known.get((data.get("type"), data.get("id")), data)

    for resource in resources:
        related = {
            name: {**each, "data": whole(each["data"])} if "data" in each else each
            for name, each in (resource.get("relationships") or {}).items()
        }
        yield {**resource, "relationships": related}
