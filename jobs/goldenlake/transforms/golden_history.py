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

    ``current`` holds the open rows (``valid_to`` is null) and ``customers`` the rows of
    ``gold.customers``, both of the customers in question. Intervals include ``valid_from`` and
    exclude ``valid_to``. Several generations of one day, or of an earlier day, replace the open
    row in place, so that intervals never overlap. Customers without any attribute have no history.
    """
    day = F.lit(as_of)
    old = current.where("valid_to IS NULL").select(
        "customer_id", "valid_from", F.struct(*names).alias("old")
    )
    new = customers.where(_any_value(names)).select("customer_id", F.struct(*names).alias("new"))
    changed = old.join(new, "customer_id", how="full").where(~F.col("old").eqNullSafe(F.col("new")))
    in_place = F.coalesce(F.col("valid_from") >= day, F.lit(False))
    closed = F.when(
        F.col("old").isNotNull() & ~in_place,
        _row(F.col("old"), names, F.col("valid_from"), day),
    )
    opened = F.when(
        F.col("new").isNotNull(),
        _row(
            F.col("new"),
            names,
            F.when(in_place, F.col("valid_from")).otherwise(day),
            F.lit(None).cast("date"),
        ),
    )
    overtaken = F.when(
        F.col("new").isNull() & in_place,
        _row(F.col("old"), names, F.col("valid_from"), F.date_sub("valid_from", 1)),
    )
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
