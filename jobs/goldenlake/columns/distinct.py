"""Python functions of one text as Spark columns, called once a distinct value of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

#: Spark's own stubs leave ``arrow_udf`` out.
_arrow_udf: Any = vars(F)["arrow_udf"]

Judge = Callable[[str], str | None]


def over_distinct(column: Column, function: Judge, *, once: bool = False) -> Column:
    """A text function applied to a column; null stays null.

    ``once`` marks it as not to be repeated: otherwise Spark evaluates it again in every filter
    that it moves below the projection. Such a column may stand in a ``select`` only.
    """
    wrapped = _arrow_udf(_dictionary_wise(function, pa.string()), "string")
    answer: Column = (wrapped.asNondeterministic() if once else wrapped)(column)
    return answer


def over_distinct_flag(column: Column, function: Callable[[str], bool]) -> Column:
    """A yes-or-no function applied to a column; null stays null."""
    wrapped = _arrow_udf(_dictionary_wise(function, pa.bool_()), "boolean")
    answer: Column = wrapped(column)
    return answer


def _dictionary_wise(function: Callable[[str], str | bool | None], kind: pa.DataType) -> Any:
    # Spark reads the annotations to tell an Array-to-Array function, so they are real classes.
    def apply(values: pa.Array) -> pa.Array:
        encoded = values.dictionary_encode()
        answers = pa.array([function(text) for text in encoded.dictionary.to_pylist()], type=kind)
        return answers.take(encoded.indices)

    apply.__annotations__ = {"values": pa.Array, "return": pa.Array}
    return apply
