"""A contract that changes while its rows are in the lake: columns come, go, and differ."""

from __future__ import annotations

from typing import Any

import pytest

from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.errors import ColumnRetyped, KeyIsNew
from goldenlake.io.tables import DeltaTables
from goldenlake.transforms.conforming import as_declared
from support.bronze import ingested, source_of
from support.conforming import DAY, conform, silver
from support.golden_world import built

pytestmark = pytest.mark.usefixtures("interpreted")
RULES = IdentityRules.model_validate(
    {
        "identifiers": {
            name: {"description": name, "strength": "strong"} for name in ("email", "phone")
        }
    }
)
LOADS = ("increment", "snapshot", "append")


def contract(load: str, *columns: str, **declared: Any) -> Source:
    """A contract with these columns; ``name:type`` for another type than text."""
    parts = (column.partition(":") for column in ("id", *columns))
    listed = [{"name": name, "type": kind or "string"} for name, _, kind in parts]
    key = {} if load == "append" else {"key": ["id"]}
    return source_of(load=load, columns=listed, snapshot={"least_share": 0}, **key, **declared)


def arrive(tables: DeltaTables, source: Source, n: int, *rows: dict[str, str]) -> None:
    conform(tables, source, ingested(tables, source, f"{n}.csv", rows, file_on=DAY[n]))


@pytest.mark.parametrize("load", LOADS)
def test_a_column_that_is_declared_no_more_is_empty_in_rows_that_are_written_since(
    tables: DeltaTables, load: str
) -> None:
    before, after = contract(load, "name", "tel"), contract(load, "name")
    arrive(tables, before, 0, {"id": "a", "name": "1", "tel": "x"}, {"id": "b", "tel": "y"})
    arrive(tables, after, 1, {"id": "b", "name": "2"}, {"id": "c", "name": "2"})
    rows = set(map(tuple, tables.read("silver.crm").select("id", "name", "tel").collect()))
    assert {("b", "2", None), ("c", "2", None)} <= rows
    # Of a snapshot the contact that left is written, too.
    assert ("a", "1", None if load == "snapshot" else "x") in rows


@pytest.mark.parametrize("load", LOADS)
def test_a_column_of_another_type_stops_its_source_by_name(tables: DeltaTables, load: str) -> None:
    before, after = contract(load, "age"), contract(load, "age:integer")
    arrive(tables, before, 0, {"id": "a", "age": "old"})
    with pytest.raises(ColumnRetyped, match=r"crm: age is string in silver.crm, and bigint in"):
        arrive(tables, after, 1, {"id": "a", "age": "7"})
    assert silver(tables, before, "id", "age") == [("a", "old")]
    arrive(tables, before, 2, {"id": "a", "age": "8"})
    assert ("a", "8") in silver(tables, before, "id", "age")


@pytest.mark.parametrize("load", ["increment", "snapshot"])
def test_a_key_that_no_row_has_yet_stops_its_source_by_name(tables: DeltaTables, load: str) -> None:
    arrive(tables, contract(load, "name"), 0, {"id": "a", "name": "1"})
    keyed = contract(load, "name", "number").model_copy(update={"key": ["number"]})
    with pytest.raises(KeyIsNew, match=r"crm: number is of the key, and no row of silver.crm has"):
        arrive(tables, keyed, 1, {"id": "a", "name": "1", "number": "7"})
    assert tables.read("silver.crm").count() == 1


def test_a_night_goes_on_though_no_file_has_brought_a_new_column_yet(tables: DeltaTables) -> None:
    mapped = {"identifiers": {"email": "mail"}, "attributes": {"email": "mail"}}
    before = contract("increment", "mail", **mapped)
    arrive(tables, before, 0, {"id": "a", "mail": "a@example.com"})
    assert night(tables, before, 0) == [("a@example.com", None)]

    both = {"email": "mail", "phone": "tel"}
    after = contract("increment", "mail", "tel", identifiers=both, attributes=both)
    assert night(tables, after, 1) == [("a@example.com", None)]
    arrive(tables, after, 2, {"id": "a", "mail": "a@example.com", "tel": "+4930123456"})
    assert night(tables, after, 2) == [("a@example.com", "+4930123456")]


def test_what_we_find_in_events_is_empty_until_it_was_looked_for(tables: DeltaTables) -> None:
    plain = contract("append", "at:timestamp", "agent")
    arrive(tables, plain, 0, {"id": "a", "at": "2026-03-01T08:00:00Z", "agent": "x"})
    looked_for = contract(
        "append",
        "at:timestamp",
        "agent",
        bots={"user_agent": "agent"},
        sessions={"by": ["id"], "at": "at", "gap": "30min"},
    )
    [row] = as_declared(tables.read("silver.crm"), looked_for).collect()
    assert (row["id"], row["is_bot"], row["session_id"]) == ("a", None, None)
    arrive(tables, looked_for, 1, {"id": "a", "at": "2026-03-01T08:05:00Z", "agent": "x"})
    found = {row["_file_on"]: row for row in tables.read("silver.crm").collect()}
    assert (found[DAY[0]]["session_id"], found[DAY[0]]["is_bot"]) == (None, None)
    assert (found[DAY[1]]["session_id"] is None, found[DAY[1]]["is_bot"]) == (False, False)


def night(tables: DeltaTables, source: Source, n: int) -> list[tuple]:
    built(tables, [source], RULES, DAY[n])
    return [tuple(row) for row in tables.read("gold.customers").select("email", "phone").collect()]
