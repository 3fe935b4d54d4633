"""How telling each column is, from counts alone: no value of a record is given."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from goldenlake.declarations.matching import Matching


@dataclass(frozen=True)
class ColumnFill:
    """One column that matching compares, over some records."""

    column: str
    role: str
    records: int
    filled: int
    distinct: int
    most_frequent: int
    """Records with the value that most of them have."""

    @property
    def completeness(self) -> float:
        """The share of records that have it."""
        return self.filled / self.records if self.records else 0.0


def column_fill(table: pa.Table, matching: Matching) -> list[ColumnFill]:
    """The declared columns of a table, in their order."""
    found = []
    for column, role in matching.columns.items():
        counts = pc.value_counts(table[column].drop_null()).field("counts")
        filled = table.num_rows - table[column].null_count
        most = pc.max(counts).as_py() or 0
        found.append(ColumnFill(column, role, table.num_rows, filled, len(counts), most))
    return found
