"""Personal values as analysts see them who need not know whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from goldenlake.columns.distinct import over_distinct
from goldenlake.columns.traces import pseudonym


def masked(frame: DataFrame, classes: Mapping[str, str], key: bytes) -> DataFrame:
    """The frame with every column of a class but ``none`` masked.

    Texts of the classes ``contact`` and ``pseudonym`` become keyed pseudonyms: equal ones stay
    equal, over all tables and columns, so that they can be counted and joined. What is sensitive,
    and whatever is no text, is null. A column without a class is taken for sensitive.

    Args:
        classes: of the columns, by their names.
        key: of the pseudonyms.
    """
    return frame.select(
        *(_masked(of, classes.get(of.name, "sensitive"), key) for of in frame.schema)
    )


def _masked(of: T.StructField, kind: str, key: bytes) -> Column:
    if kind == "none":
        return F.col(of.name)
    if kind == "sensitive" or not isinstance(of.dataType, T.StringType):
        return F.lit(None).cast(of.dataType).alias(of.name)
    return over_distinct(F.col(of.name), partial(pseudonym, key, "value")).alias(of.name)
