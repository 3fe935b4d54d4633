"""Contracts of vendors that publish no machine-readable specification, written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from typing import Any

import jsonschema
from werkzeug import Request

from support.vendors import Answer, Handler, Vendor

Schema = Mapping[str, Any]


def closed(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """An object of these properties and no others."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def several(items: Schema, *, most: int | None = None, least: int = 1) -> Schema:
    """A list that is not empty."""
    bounds = {"minItems": least} | ({"maxItems": most} if most else {})
    return {"type": "array", "items": items, **bounds}


def reading(
    paths: Mapping[str, tuple[Mapping[str, Schema], Schema]], *, media: str = "application/json"
) -> Schema:
    """A specification (OpenAPI) of calls that read.

    Of each path, what is asked under which name, all of it required, and what is answered. Names
    in braces stand in the path.
    """
    return {
        "openapi": "3.0.2",
        "info": {"title": "by hand", "version": "1"},
        "paths": {
            path: {
                "get": {
                    "parameters": [
                        {
                            "name": name, "schema": schema, "required": True, "explode": False,
                            "in": "path" if f"{{{name}}}" in path else "query",
                        }
                        for name, schema in asks.items()
                    ],
                    "responses": {
                        "200": {"description": "", "content": {media: {"schema": answers}}},
                        "4XX": {"description": ""},
                    },
                }
            }
            for path, (asks, answers) in paths.items()
        },
    }  # fmt: skip


def judged(*, asks: Schema | None = None, answers: Schema | None = None) -> Any:
    """A handler whose requests and good answers, as JSON, are held to schemas."""

    def marked(handler: Handler) -> Handler:
        @wraps(handler)
        def held(self: Vendor, request: Request, **values: str) -> Answer:
            problem = _problem(asks, request.get_json() if asks else None)
            if problem:
                self.violations.append(f"{request.method} {request.path}: {problem}")
                return self.refusal(400, problem)
            answer = handler(self, request, **values)
            if answer.status < 300 and (problem := _problem(answers, answer.body)):
                self.violations.append(f"answer to {request.method} {request.path}: {problem}")
            return answer

        return held

    return marked


def _problem(schema: Schema | None, told: Any) -> str:
    if schema is None:
        return ""
    found = jsonschema.Draft202012Validator(schema).iter_errors(told)
    return "; ".join(f"{error.json_path}: {error.message}" for error in found)[:500]
