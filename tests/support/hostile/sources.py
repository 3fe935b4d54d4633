"""The sources of the catalogue, their entries, and one good file for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goldenlake.declarations.source import Source
from support.hostile import (
    ADDRESS,
    Entry,
    access_logs,
    archives,
    delimited,
    json_lines,
    parquets,
    workbooks,
)
from support.landed import source

COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "id", "required": True, "normalise": "code"},
    {"name": "name", "normalise": "person_name"},
    {"name": "email", "normalise": "email"},
    {"name": "phone", "normalise": "phone"},
    {"name": "paid", "type": "decimal"},
    {"name": "seen_on", "type": "date"},
    {"name": "seen_at", "type": "timestamp"},
    {"name": "note"},
)
LOG_COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "host"},
    {"name": "seen_at", "from": "time", "type": "timestamp", "formats": ["dd/MMM/yyyy:HH:mm:ss Z"]},
    {"name": "target"},
    {"name": "agent", "from": "user_agent"},
    {"name": "chain", "from": "x_forwarded_for"},
)
CODES = {"rule": "matches", "column": "id", "pattern": r"C?\d+", "reason": "What the CRM issues."}


def drop(name: str, kind: str, columns: Sequence[dict[str, Any]] = COLUMNS, **settings: Any) -> Any:
    """A source of one format; files may lack every column that is not required."""
    optional = [{"optional_in_file": "required" not in each, **each} for each in columns]
    return source(
        *optional,
        source=name,
        format={"kind": kind, **settings},
        load="append",
        origin={"place": "drops", "files": f"{name}/*"},
        order_by=["seen_at"],
        timezone="Europe/Berlin",
        region="GB",
        most_quarantined=1,
        rules=[CODES] if "id" in [each["name"] for each in columns] else [],
    )


TOLD = {"encoding": "latin-1", "header": False, "delimiter": ";", "decimal_comma": True}
IN_ORDER = [COLUMNS[at] for at in (0, 1, 2, 4)] + [{**COLUMNS[5], "formats": ["dd/MM/yy"]}]
NOT_READ = [{"name": "seen_at", "type": "timestamp", "derive": "null"}]
SOURCES: dict[str, Source] = {
    "csv": drop("csv", "csv"),
    "declared": drop("declared", "csv", [*IN_ORDER, *NOT_READ], **TOLD),
    "jsonl": drop("jsonl", "jsonl"),
    "logs": drop("logs", "access_log", LOG_COLUMNS, log_format=access_logs.FORMAT),
    "xlsx": drop("xlsx", "xlsx"),
    "parquet": drop("parquet", "parquet"),
}
#: Archives are another wrapping of the same: their own source would only cost time.
SOURCE_OF = {**{name: name for name in SOURCES}, "archives": "csv"}
CATALOGUE: dict[str, list[Entry]] = {
    "csv": delimited.ENTRIES,
    "declared": delimited.DECLARED,
    "jsonl": json_lines.ENTRIES,
    "logs": access_logs.ENTRIES,
    "xlsx": workbooks.ENTRIES,
    "archives": archives.ENTRIES,
    "parquet": parquets.ENTRIES,
}
GOOD = {
    "csv": f"id,email,note\nC41,{ADDRESS},whole\nC42,{ADDRESS},\n".encode(),
    "declared": f"C41;Ann;{ADDRESS};1,50;01/02/23\nC42;Bo;;2;\n".encode(),
    "jsonl": f'{{"id": "C41", "email": "{ADDRESS}"}}\n{{"id": "C42"}}\n'.encode(),
    "logs": (access_logs.line(host="C41") + access_logs.line(host="C42")).encode(),
    "xlsx": workbooks.workbook(
        workbooks.rows(
            workbooks.head("id"), [workbooks.text("A2", "C41")], [workbooks.text("A3", "C42")]
        )
    ),
    "archives": archives.zipped({"a.csv": b"id\nC41\n", "b.csv": b"id\nC42\n"}),
    "parquet": parquets.parquet({"id": ["C41", "C42"]}),
}
"""Two records each: C41 and C42."""
CASES = [(group, entry) for group, entries in CATALOGUE.items() for entry in entries]
