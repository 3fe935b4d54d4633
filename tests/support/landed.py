"""Files in a landing area and their ledger rows, for tests of what comes after landing."""

from __future__ import annotations

import hashlib
import io
import os
from datetime import UTC, date, datetime
from pathlib import Path

from goldenlake.declarations.source import Source
from goldenlake.io.landing import LocalLanding
from goldenlake.steps.files import FileRow

DAY = date(2024, 3, 1)
DATA = Path(os.environ.get("GOLDENLAKE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def source(*columns: str, format: object = None, **fields: object) -> Source:
    """A source ``shop`` of text columns; ``name?`` may be absent from a file."""
    return Source.model_validate(
        {
            "source": "shop",
            "description": "Test shop.",
            "system": "shops",
            "owner": "tests",
            "origin": {"place": "drop", "files": "**/*"},
            "format": format or {"kind": "csv"},
            "load": "append",
            "columns": [
                {"name": column.rstrip("?"), "optional_in_file": column.endswith("?")}
                if isinstance(column, str)
                else column
                for column in columns
            ],
            **fields,
        }
    )


def land(landing: LocalLanding, name: str, content: bytes, *, on: date = DAY) -> FileRow:
    """Put one file into the landing area as the land step would."""
    sha256, landed_path, size = landing.put("shop", name, io.BytesIO(content))
    assert sha256 == hashlib.sha256(content).hexdigest()
    return FileRow(
        source="shop",
        path=name,
        size_bytes=size,
        sha256=sha256,
        modified_at=datetime(2024, 3, 1, 12, tzinfo=UTC),
        file_id=sha256,
        file_on=on,
        landed_path=landed_path,
        landed_on=on,
        run_id="r0",
    )
