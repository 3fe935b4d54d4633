"""What must be merged into a golden table to make it what it should be; no rows: nothing."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import MapType

from goldenlake.declarations.table import Table
from goldenlake.errors import DeclarationError, Problem


def difference(new: DataFrame, old: DataFrame, *, on: Sequence[str]) -> DataFrame:
    """Rows to merge by ``on`` to turn ``old`` into ``new``.

    Rows that are new or differ come whole; of rows that are gone only the key has values. Columns
    that ``old`` lacks count as null in it.
    """
    rest = [name for name in new.columns if name not in on]
    maps = {field.name for field in new.schema.fields if isinstance(field.dataType, MapType)}
    known = set(old.columns)
    before = old.select(
        *on,
        F.struct(
            *(
                (
                    F.col(name) if name in known else F.lit(None).cast(new.schema[name].dataType)
                ).alias(name)
                for name in rest
            )
        ).alias("_old"),
    )
    after = new.select(*on, F.struct(*rest).alias("_new"))

    def comparable(row: str) -> Column:
        values = (
            F.array_sort(F.map_entries(F.col(row)[name])) if name in maps else F.col(row)[name]
            for name in rest
        )
        return F.when(F.col(row).isNotNull(), F.struct(*values))

    differs = ~comparable("_old").eqNullSafe(comparable("_new"))
    return (
        before.join(after, list(on), how="full")
        .where(differs)
        .select(*on, *(F.col("_new")[name].alias(name) for name in rest))
        .select(*new.columns)
    )


def shaped(rows: DataFrame, table: Table) -> DataFrame:
    """The rows with the declared columns and types, in the declared order.

    Raises DeclarationError where a column is declared that nothing fills.
    """
    unfilled = [column.name for column in table.columns if column.name not in rows.columns]
    if unfilled:
        raise DeclarationError(
            [
                Problem(
                    file=table.declared_in,
                    line=0,
                    key=f"columns.{name}",
                    message="nothing fills this column. Give it a survivorship, or remove it.",
                )
                for name in unfilled
            ]
        )
    return rows.select(
        *(F.col(column.name).cast(column.type).alias(column.name) for column in table.columns)
    )
