"""Values that stand for none, such as a made-up address at which nobody is to be found."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from goldenlake.declarations.identity import Placeholders


def is_placeholder(value: Column, declared: Placeholders) -> Column:
    """Whether a value is blocked, its case aside, or begins as one that is; null for null."""
    found = F.lower(value).isin([each.lower() for each in declared.block])
    for pattern in declared.block_patterns:
        found |= value.rlike(rf"\A(?:{pattern})")
    return found
