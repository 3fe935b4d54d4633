"""What the tests of the steps share."""

from collections.abc import Iterator

import pytest
import stamina
from pyspark.sql import SparkSession


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Passing faults are met with three attempts, one right after the other."""
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
def interpreted(spark: SparkSession) -> Iterator[None]:
    """Compiling a plan costs more than running it on ten rows."""
    settings = {
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }
    before = {name: spark.conf.get(name) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    yield
    for name, value in before.items():
        spark.conf.set(name, value)
