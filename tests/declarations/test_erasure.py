"""Every table has a word about how a person leaves it."""

import pytest

from goldenlake.declarations.erasure import TABLES, erasure_of
from goldenlake.schemas import GOLD_TABLES, SYSTEM_TABLES

NAMES = sorted({*SYSTEM_TABLES, *GOLD_TABLES, "gold.households"})


@pytest.mark.parametrize("table", NAMES)
def test_a_table_is_in_the_registry_and_its_columns_are_its_own(table: str) -> None:
    found = erasure_of(table)

    assert found.by if found.holds == "residue" else not found.by
    assert bool(found.why) == (found.holds == "nobody")
    assert bool(found.key) == (found.others == "rows")
    if table in SYSTEM_TABLES:
        columns = (*found.by, *found.key)
        assert all(f"{column} STRING" in SYSTEM_TABLES[table].ddl for column in columns)


@pytest.mark.parametrize("table", [name for name in NAMES if name in SYSTEM_TABLES])
def test_a_table_that_names_customers_or_records_does_not_count_as_nobodys(table: str) -> None:
    ddl = SYSTEM_TABLES[table].ddl
    names = any(column in ddl for column in ("customer_id STRING", "record_id STRING"))

    assert not (names and erasure_of(table).holds == "nobody")


def test_the_registry_has_no_table_that_is_gone() -> None:
    assert {name for name in TABLES if not name.endswith(".*")} <= set(NAMES)


def test_a_table_that_nobody_thought_of_is_an_error() -> None:
    with pytest.raises(KeyError):
        erasure_of("loyalty.points")
