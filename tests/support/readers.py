"""A table as readers without Spark see it: DuckDB, Polars and delta-rs."""

from __future__ import annotations

from pathlib import Path

import duckdb
import duckdb_extension_delta
import polars
from deltalake import DeltaTable, QueryBuilder


def duckdb_with_delta() -> duckdb.DuckDBPyConnection:
    """DuckDB with the Delta extension that came with the package, without the network."""
    duck = duckdb.connect()
    folder = Path(duckdb_extension_delta.__file__).parent / "extensions"
    (extension,) = folder.glob("*/delta.duckdb_extension")
    duck.execute(f"LOAD '{extension}'")
    return duck


def rows_as_read(path: str, version: int) -> dict[str, int]:
    """How many rows each of them finds in one version of a table."""
    rust = QueryBuilder().register("t", DeltaTable(path, version=version))
    counted = rust.execute("SELECT count(*) AS n FROM t").read_all()
    lazily = polars.scan_delta(path, version=version)
    query = f"SELECT count(*) FROM delta_scan('{path}', version => {version})"
    with duckdb_with_delta() as duck:
        ((found,),) = duck.sql(query).fetchall()
    return {
        "delta-rs": counted.column(0).to_pylist()[0],
        "polars": lazily.select(polars.len()).collect().item(),
        "duckdb": found,
    }
