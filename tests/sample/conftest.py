"""The one world that the tests of the sample look at."""

from __future__ import annotations

import pytest

from goldenlake.sample import SampleSummary
from support.sample_files import make


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    """600 people from a Thursday to a Sunday."""
    return make(tmp_path_factory.mktemp("world") / "out", customers=600, days=4)
