"""A real, empty lake for each test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from goldenlake.io.tables import DeltaTables, arrow_rows
from goldenlake.ports import Tables
from goldenlake.schemas import table_shape


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> DeltaTables:
    """Tables of a lake that nothing has been written to."""
    return DeltaTables(spark, str(tmp_path / "lake"))


def lay(
    tables: Tables,
    table: str,
    rows: Sequence[Mapping[str, Any] | Sequence[Any]],
    ddl: str,
    *,
    instead_of: str | None = None,
    adds: bool = False,
) -> int:
    """Make these rows the whole of a table, or of what ``instead_of`` says, or add them; gives its
    version.

    A commit of Spark takes half a second, and a test is about few of those that go before it.
    """
    shape, place = table_shape(table), tables.location(table)
    properties = {"delta.dataSkippingNumIndexedCols": "0"}
    if shape.change_feed:
        properties["delta.enableChangeDataFeed"] = "true"
    write_deltalake(
        place,
        arrow_rows(rows, ddl),
        mode="append" if adds else "overwrite",
        schema_mode="merge" if adds or instead_of else "overwrite",
        predicate=instead_of if tables.exists(table) else None,
        partition_by=list(shape.partition_by) or None,
        configuration=properties,
    )
    version = tables.version(table)
    assert version is not None
    return version


def forget_logs(spark: SparkSession) -> None:
    """As a new process would: a table that was changed behind Delta's back is looked at anew."""
    jvm = spark._jvm
    assert jvm is not None
    jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
