"""What the tests of the steps share."""

from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Passing faults are met with three attempts, one right after the other."""
    with stamina.set_testing(True, attempts=3):
        yield
