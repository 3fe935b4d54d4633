"""What every test shares: one Spark in UTC, and a network that ends at this machine.

Both ``jobs/`` and ``tests/`` are import roots (``pythonpath`` in pyproject.toml), so helpers in
``tests/support/`` are imported as ``from support.<module> import ...``. With pytest's importlib
mode test folders need no ``__init__.py``, and two test files may bear the same name.
"""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from pyspark.sql import SparkSession

from goldenlake.declarations.connections import is_this_machine

pytest_plugins = [
    "support.crashes",
    "support.campaign",
    "support.discretion",
    "support.outcomes",
    "support.matrix",
    "support.lake",
    "support.servers",
    "support.live",
    "support.newsletter",
]

ROOT = Path(__file__).resolve().parent.parent

# PySpark takes a main module without a file for a run of its doctests, and ends it; a worker of
# pytest-xdist has none.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__

os.environ["GX_ANALYTICS_ENABLED"] = "false"
os.environ["TZ"] = "UTC"

hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The one session of the run; a test that changes a setting puts it back."""
    from goldenlake.io.spark import SMALL_DATA_CONF, open_session

    session = open_session(
        app_name="tests",
        master="local[2]",
        jars=ROOT / ".jars",
        tmp=tmp_path_factory.mktemp("spark"),
        cache=ROOT / ".cache" / "spark",
        conf={
            **SMALL_DATA_CONF,
            # With the optimising compiler, which a night is too short for: over half an hour of
            # tests it saves a fifth of the CPU.
            "spark.driver.defaultJavaOptions": "-XX:+UseSerialGC",
            "spark.sql.shuffle.partitions": "2",
            "spark.default.parallelism": "2",
            # Each test has a lake of its own, and Delta keeps what it knows of each table for an
            # hour: 2 GB of plans after a thousand tests.
            "spark.databricks.delta.delta.log.cacheSize": "40",
        },
    )
    yield session
    session.stop()


@pytest.fixture(autouse=True, scope="session")
def _only_this_machine() -> Iterator[None]:
    """A test that reaches for another machine fails at once, and says where it wanted to go."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _stays_here(address):
            raise RuntimeError(
                f"A test wants to connect to {address!r}; only 127.0.0.1 is allowed."
            )
        connect(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


def _stays_here(address: object) -> bool:
    return isinstance(address, tuple) and is_this_machine(str(address[0]))
