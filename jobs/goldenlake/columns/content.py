"""What tells whether two sets of rows are the same, whatever their order."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def content_of(*columns: Column, only: Column | None = None) -> Column:
    """An aggregate: two sums over hashes of the rows, of those for which ``only`` holds; empty
    where there are none.

    ``xxhash64`` passes over nulls: give a column that may be null another value for them.
    """
    which = F.lit(True) if only is None else only
    total = F.sum(F.when(which, F.xxhash64(*columns).cast("decimal(38,0)")))
    check = F.bit_xor(F.when(which, F.xxhash64(F.lit("check"), *columns)))
    return F.concat_ws(" ", total, check)
