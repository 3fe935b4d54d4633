"""What protects a night, and the same night without it.

Protected are whoever was forgotten (fifty tombstones, asked for at every record), every commit (a
lock for its table), every kind of work (a claim), and every page of a data file (its checksum).
What cannot be taken out without another design, such as tables that are built before they are
published, is not among them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

from benchmarks.homes import ENVIRONMENT, START
from goldenlake.io.locks import Claims, TableLocks
from goldenlake.ports import Tables
from goldenlake.steps.tombstones import bury

KEY = "a key of the benchmarks"
FORGOTTEN = 50
_CHECKSUMS = "spark.hadoop.parquet.page.verify-checksum.enabled"


def declare(home: Path, *, protected: bool) -> None:
    """Declare the key of tombstones, or that no checksum is looked at."""
    (home / "key").write_text(KEY)
    path = home / "conf" / "env" / f"{ENVIRONMENT}.yml"
    declared = json.loads(path.read_text())
    if protected:
        declared["privacy"] = {"key": {"file": str(home / "key")}}
    else:
        declared["spark"]["conf"] = declared["spark"].get("conf", {}) | {_CHECKSUMS: "false"}
    path.write_text(json.dumps(declared, indent=2))


def forget(tables: Tables) -> None:
    """Tombstones of people whom nobody knows."""
    named = [("email", f"nobody{number}@example.com") for number in range(FORGOTTEN)]
    bury(tables, KEY.encode(), request="bench", named=named, on=START)


@contextmanager
def without() -> Iterator[None]:
    """Neither locks nor claims."""
    with ExitStack() as stack:
        for kind in (TableLocks, Claims):
            stack.enter_context(patch.object(kind, "held", lambda *_, **__: nullcontext()))
        yield
