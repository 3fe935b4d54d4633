"""JSON Schemas of all declarations, for editors that complete and check YAML while it is typed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.decisions import Decisions
from goldenlake.declarations.destination import Destination
from goldenlake.declarations.environment import Environment
from goldenlake.declarations.groups import Group
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.matching import Matching
from goldenlake.declarations.segment import Segment
from goldenlake.declarations.source import Source
from goldenlake.declarations.table import Table

MODELS: Mapping[str, type[BaseModel]] = {
    "consent": ConsentPolicy,
    "decisions": Decisions,
    "destination": Destination,
    "environment": Environment,
    "group": Group,
    "identity": IdentityRules,
    "matching": Matching,
    "segment": Segment,
    "source": Source,
    "table": Table,
}
"""A schema's name and the model that it describes."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of files that declare such a model."""
    return {"$schema": _DIALECT, **model.model_json_schema(by_alias=True)}


def schema_texts() -> dict[str, str]:
    """File name to content, byte for byte the same whenever the models are."""
    return {
        f"{name}.schema.json": json.dumps(schema_of(model), indent=2, ensure_ascii=False) + "\n"
        for name, model in MODELS.items()
    }


def write_schemas(folder: Path) -> list[Path]:
    """Write all schemas into a folder, ``conf/schemas``; gives those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in schema_texts().items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
            changed.append(path)
    return changed
