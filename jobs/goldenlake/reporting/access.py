"""All that is known about one person, as JSON and as a page that opens offline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from goldenlake.reporting.page import environment


@dataclass(frozen=True, kw_only=True)
class Section:
    """Rows of one table, or records of one source. Personal.

    Attributes:
        rows: a record of a source lacks the columns in which it says nothing.
        purposes: what a source's data may be used for, as declared.
    """

    name: str
    title: str
    rows: Sequence[Mapping[str, Any]]
    purposes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known about a person, as one generation has it and as sources said it. Personal."""

    customer_ids: Sequence[str]
    generation: int
    as_of: date
    golden: Sequence[Section]
    records: Sequence[Section]


def access_json(known: Known) -> str:
    """For a program: portable, in the names of the tables and of the sources' columns."""
    return json.dumps(asdict(known), indent=2, ensure_ascii=False, default=str) + "\n"


def access_page(known: Known) -> str:
    """For a person; everything escaped, without a script or a link."""
    return environment().get_template("access.html.j2").render(known=known, columns=_columns)


def _columns(section: Section) -> list[str]:
    """Columns in which any row has a value, in their order."""
    return [
        name
        for name in dict.fromkeys(name for row in section.rows for name in row)
        if any(row.get(name) not in (None, "", [], {}) for row in section.rows)
    ]
