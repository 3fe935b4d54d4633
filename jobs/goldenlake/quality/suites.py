"""Rules of a table as a Great Expectations suite, in the JSON that GX itself reads and writes.

Compiling needs no Great Expectations, whose import takes some eleven seconds. The suites lie
under ``expectations/`` so that a change of a rule shows in review as what will be judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from goldenlake.declarations.expressions import lenient
from goldenlake.declarations.rules import (
    Between,
    Complete,
    Holds,
    InSet,
    Matches,
    NotNull,
    RowCount,
    TableRule,
    Unique,
    rule_name,
)
from goldenlake.declarations.table import Table


def suite_of(table: Table) -> dict[str, Any]:
    """The table's suite: one expectation a rule, with its severity and its reason."""
    return {
        "name": table.table,
        "meta": {"declared_in": table.declared_in, "grain": table.grain},
        "expectations": [expectation_of(rule) for rule in table.rules],
    }


def expectation_of(rule: TableRule) -> dict[str, Any]:
    """One rule as GX's JSON of an expectation."""
    type_, kwargs = _judged_by(rule)
    return {
        "type": type_,
        "kwargs": kwargs,
        "severity": rule.severity,
        "meta": {
            "rule": rule_name(rule),
            "reason": rule.reason,
            "notes": {"format": "markdown", "content": [rule.reason]},
        },
    }


def _judged_by(rule: TableRule) -> tuple[str, dict[str, Any]]:
    match rule:
        case NotNull():
            return "expect_column_values_to_not_be_null", {"column": rule.column}
        case Complete():
            return (
                "expect_column_values_to_not_be_null",
                {"column": rule.column, "mostly": rule.least},
            )
        case InSet():
            return (
                "expect_column_values_to_be_in_set",
                {"column": rule.column, "value_set": list(rule.values)},
            )
        case Matches():
            # GX looks for the pattern anywhere; a rule is about the whole value.
            return (
                "expect_column_values_to_match_regex",
                {"column": rule.column, "regex": rf"\A(?:{rule.pattern})\z"},
            )
        case Between():
            return (
                "expect_column_values_to_be_between",
                {"column": rule.column} | _limits(rule.least, rule.most),
            )
        case Unique():
            if len(rule.columns) == 1:
                return "expect_column_values_to_be_unique", {"column": rule.columns[0]}
            return "expect_compound_columns_to_be_unique", {"column_list": list(rule.columns)}
        case RowCount():
            return "expect_table_row_count_to_be_between", _limits(rule.least, rule.most)
        case Holds():
            return "unexpected_rows_expectation", {"unexpected_rows_query": _broken_rows(rule)}


def _limits(least: float | str | None, most: float | str | None) -> dict[str, float | str]:
    given = {"min_value": least, "max_value": most}
    return {name: limit for name, limit in given.items() if limit is not None}


def _broken_rows(rule: Holds) -> str:
    """Selects a constant, so that GX never holds a person's row in its hands."""
    expression = lenient(rule.expression).replace("{", "{{").replace("}", "}}")
    return f"SELECT 1 AS broken FROM {{batch}} WHERE NOT COALESCE({expression}, FALSE)"


def suite_text(table: Table) -> str:
    """The suite as it stands in its file."""
    return json.dumps(suite_of(table), indent=2, ensure_ascii=False) + "\n"


def suite_path(folder: Path, table: str) -> Path:
    """``<folder>/gold/customers.json`` for ``gold.customers``."""
    layer, name = table.split(".")
    return folder / layer / f"{name}.json"


def write_suites(declared: Iterable[Table], folder: Path) -> list[Path]:
    """Write the suite of every table, remove those of tables that are no more; gives the files."""
    written = []
    for table in declared:
        path = suite_path(folder, table.table)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(suite_text(table), encoding="utf-8")
        written.append(path)
    for path in folder.glob("*/*.json"):
        if path not in written:
            path.unlink()
    return sorted(written)


def _main() -> None:
    """``python -m goldenlake.quality.suites [conf] [expectations]``: write all suites anew."""
    import sys

    from goldenlake.declarations.loader import load_catalogue

    conf, folder = [*sys.argv[1:], *("conf", "expectations")[len(sys.argv) - 1 :]]
    for path in write_suites(load_catalogue(Path(conf)).tables.values(), Path(folder)):
        print(path)  # noqa: T201


if __name__ == "__main__":
    _main()
