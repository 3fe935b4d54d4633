"""The rows of sources that a generation, or a build, was made of."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame

from goldenlake.declarations.source import Source
from goldenlake.ports import Tables
from goldenlake.transforms.conforming import as_declared


def pinned(
    tables: Tables, inputs: Mapping[str, int], source: Source, layer: str = "silver"
) -> DataFrame | None:
    """A source's rows at the version in ``inputs``, with the columns that its contract has by now;
    None where it had brought none.
    """
    table = f"{layer}.{source.source}"
    if table not in inputs:
        return None
    return as_declared(tables.read(table, version=inputs[table]), source)
