"""Fixtures of all tests: one Spark session for the whole run, in UTC, on this machine alone.

``jobs`` and ``tests`` are on the path, so a test imports ``goldenlake…`` and ``support…``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

os.environ["GX_ANALYTICS_ENABLED"] = "false"
pytest_plugins = ["support.lake"]

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The one session of the run: two cores, quick to start."""
    from goldenlake.io.spark import open_session

    session = open_session(
        app_name="goldenlake tests",
        master="local[2]",
        jars=PROJECT / ".jars",
        tmp=tmp_path_factory.mktemp("spark"),
        cache=PROJECT / ".cache",
        driver_memory="2g",
        fast_start=True,
    )
    yield session
    session.stop()
