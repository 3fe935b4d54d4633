from pathlib import Path

import pytest

from support.conf import Conf


@pytest.fixture
def conf(tmp_path: Path) -> Conf:
    return Conf(tmp_path)
