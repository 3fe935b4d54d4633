"""``ports.Tables`` for reading rows that stand in a test; nothing touches a disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession

from goldenlake.errors import TableMissing
from goldenlake.io.tables import local_frame
from goldenlake.ports import Query
from goldenlake.schemas import SYSTEM_TABLES

Rows = Mapping[str, list[dict[str, Any]]]


class Frames:
    """Tables by name; ``shapes`` tells those that goldenlake does not own itself."""

    def __init__(self, spark: SparkSession, rows: Rows, shapes: Mapping[str, str]) -> None:
        self.spark, self._rows = spark, rows
        self._shapes = {name: shape.ddl for name, shape in SYSTEM_TABLES.items()} | dict(shapes)

    def read(self, table: str, *, version: int | None = None) -> DataFrame:
        """The rows, whichever version is asked for."""
        if table not in self._rows:
            raise TableMissing(table)
        return self.read_or_empty(table, self._shapes[table])

    def read_or_empty(self, table: str, ddl: str) -> DataFrame:
        """The rows, or none."""
        return self.frame(self._rows.get(table, []), ddl)

    def frame(self, rows: Iterable[dict[str, Any]], ddl: str) -> DataFrame:
        """See ``ports.Tables.frame``."""
        return local_frame(self.spark, rows, ddl)

    def rows(self, table: str, ddl: str, query: Query | None = None) -> list[Row]:
        """The rows, or none, or what a query over them gives, at once."""
        frame = self.read_or_empty(table, ddl)
        return (query(frame) if query else frame).collect()
