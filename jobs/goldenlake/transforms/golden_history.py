"""``gold.customers_history``: what a customer's attributes were, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

#: A written row for which this holds is to be removed: it was opened and overtaken on one day.
OVERTAKEN = "new.valid_to < new.valid_from"


def history_changes(
    current: DataFrame, customers: DataFrame, names: Sequence[str], *, as_of: date
) -> DataFrame:
    """Rows to merge into the history by ``customer_id`` and ``valid_from``; no rows: no change.

    ``current`` holds the rows of the history and ``customers`` those of ``gold.customers``, both of
    the customers in question. Intervals include ``valid_from`` and exclude ``valid_to``. Several
    generations of one day, or of an earlier day, replace the last row of who is there in place
    where it begins or ends no sooner, so that intervals never overlap. Customers without any
    attribute have no history.
    """
    day = F.lit(as_of)
    begun, until, last = F.col("last.valid_from"), F.col("last.valid_to"), F.col("last.values")
    row = F.struct("valid_from", "valid_to", F.struct(*names).alias("values"))
    old = (
        current.where(F.col("valid_to").isNull() | (F.col("valid_to") >= day))
        .groupBy("customer_id")
        .agg(F.max_by(row, "valid_from").alias("last"))
    )
    new = customers.where(_any_value(names)).select("customer_id", F.struct(*names).alias("new"))
    is_gone, is_same = F.col("new").isNull(), last.eqNullSafe(F.col("new"))
    is_told = F.when(is_gone, until.isNotNull()).otherwise(is_same & until.isNull())
    changed = old.join(new, "customer_id", how="full").where(~is_told)
    in_place = F.coalesce(begun >= day, F.lit(False)) | is_same
    closed = F.when(F.col("last").isNotNull() & ~in_place, _row(last, names, begun, day))
    opened = F.when(
        ~is_gone,
        _row(
            F.col("new"),
            names,
            F.when(in_place, begun).otherwise(day),
            F.lit(None).cast("date"),
        ),
    )
    overtaken = F.when(is_gone & in_place, _row(last, names, begun, F.date_sub(begun, 1)))
    rows = F.filter(F.array(closed, opened, overtaken), lambda row: row.isNotNull())
    return changed.select("customer_id", F.explode(rows).alias("row")).select(
        "customer_id", "row.*"
    )


def _row(values: Column, names: Sequence[str], start: Column, end: Column) -> Column:
    return F.struct(
        *(values[name].alias(name) for name in names),
        start.alias("valid_from"),
        end.alias("valid_to"),
    )


def _any_value(names: Sequence[str]) -> Column:
    return reduce(Column.__or__, (F.col(name).isNotNull() for name in names), F.lit(False))
