"""The data dictionary, as Markdown, from the declarations of the gold tables."""

from __future__ import annotations

from collections.abc import Iterable

from goldenlake.declarations.table import Table

_MADE = "Made from `conf/tables` and `conf/groups` by `make docs`; edit it there."


def data_dictionary(tables: Iterable[Table]) -> str:
    """One section a table: its grain, its key, every column with type, class and meaning."""
    lines = ["# Data dictionary", "", _MADE, ""]
    for table in sorted(tables, key=lambda table: table.table):
        lines += [f"## {table.table}", "", table.description, ""]
        lines += [f"One row: {table.grain} Key: {', '.join(f'`{c}`' for c in table.key)}.", ""]
        lines += ["| column | type | personal | meaning |", "|---|---|---|---|"]
        for column in table.columns:
            wins = column.survivorship
            how = f" Survivorship: {wins.rule.replace('_', ' ')}." if wins else ""
            if wins and wins.sources:
                how = f"{how[:-1]} ({', then '.join(wins.sources)})."
            cells = (f"`{column.name}`", column.type, column.personal, f"{column.doc}{how}")
            lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    """A text that cannot end its cell or its line."""
    return " ".join(text.split()).replace("|", "\\|")
