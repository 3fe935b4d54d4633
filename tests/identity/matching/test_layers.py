"""Matching runs where Spark is not."""

from __future__ import annotations

import subprocess
import sys


def test_matching_imports_no_spark() -> None:
    code = (
        "import sys\n"
        "from goldenlake.identity.matching import resolution, splink_models, training\n"
        "assert training and resolution and splink_models\n"
        "sys.exit('pyspark' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
