"""A real, empty lake for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from goldenlake.io.tables import DeltaTables


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> DeltaTables:
    """Tables of a lake that nothing has been written to."""
    return DeltaTables(spark, str(tmp_path / "lake"))


def forget_logs(spark: SparkSession) -> None:
    """As a new process would: a table that was changed behind Delta's back is looked at anew."""
    jvm = spark._jvm
    assert jvm is not None
    jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
