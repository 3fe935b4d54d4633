"""What a lake and its receivers hold, read without Spark, to be compared with another."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

Rows = Counter[str]

#: Left out of the comparison, by column or by table and column, each for its reason.
IGNORED: Mapping[str, str] = {
    "_run": "each run has a name of its own",
    "run_id": "each run has a name of its own",
    "ops.files.modified_at": "of what was pulled, the clock on the wall",
    "attempt": "counts tries, of which a disturbed night has more",
    "ops.publications.published_at": "the clock on the wall",
    "ops.publications.tables": "Delta's versions: work that was repeated has more of them",
    "ops.publications.inputs": "Delta's versions",
    "ops.publications.fingerprint": "a hash over Delta's versions",
    "ops.stages.tables": "Delta's versions",
    "ops.stages.inputs": "Delta's versions",
    "ops.stages.fingerprint": "a hash over Delta's versions",
    "segments.sizes.fingerprint": "a hash over Delta's versions",
    "activation.settled.fingerprint": "a hash over Delta's versions",
    "activation.settled.ledger": "a hash over rows of the ledger, in which names of runs stand",
    "activation.settled.judged_at": "the clock on the wall",
    "privacy.requests.told": "the clock; bytes that were searched; what a dead run removed",
    "privacy.requests.done_at": "the clock on the wall",
}
#: Tables that tell of attempts rather than of their outcome.
DIARIES: Mapping[str, str] = {"ops.runs": "one row for each try of a step"}


@dataclass
class Contents:
    """Of a lake and its receivers."""

    tables: dict[str, Rows] = field(default_factory=dict)
    """Of every table the rows as it is now."""
    published: dict[str, Rows] = field(default_factory=dict)
    """Of every table of the newest generation the rows of the version that it pins."""
    customers: dict[str, str] = field(default_factory=dict)
    """The customer id of each record in the newest generation."""
    files: dict[str, bytes] = field(default_factory=dict)
    """What the receivers have, by path."""


@dataclass(frozen=True)
class Difference:
    """How a lake that was disturbed differs from one that was not."""

    lost: int = 0
    doubled: int = 0
    """Rows, and deliveries, that there should not be."""
    ids_changed: int = 0
    where: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.ids_changed or self.where)


def contents(home: Path, *, but: frozenset[str] = frozenset()) -> Contents:
    """All that is to be compared, but some tables, and columns as ``<table>.<column>``."""
    lake = home / "lake"
    found = Contents(files=sent(home))
    for log in sorted(lake.glob("*/*/_delta_log")):
        name = f"{log.parent.parent.name}.{log.parent.name}"
        if name not in DIARIES and name not in but:
            found.tables[name] = _rows(log.parent, name, but=but)
    for name, version in published_versions(lake).items():
        layer, short = name.split(".")
        found.published[name] = _rows(lake / layer / short, name, version, but=but)
        if name == "identity.customers":
            rows = _read(lake / layer / short, version)
            found.customers = {row["record_id"]: row["customer_id"] for row in rows}
    return found


def sent(home: Path) -> dict[str, bytes]:
    """What the receivers have, by path."""
    found = sorted(path for path in (home / "exports").rglob("*") if path.is_file())
    return {str(path.relative_to(home)): path.read_bytes() for path in found}


def published_versions(lake: Path) -> dict[str, int]:
    """The versions that the newest row of ops.publications names."""
    log = lake / "ops" / "publications"
    # The folder of a log is there a moment before its first commit.
    rows = _read(log) if any(log.glob("_delta_log/*.json")) else []
    newest: dict[str, Any] = max(rows, key=lambda row: row["generation"], default={})
    return dict(newest.get("tables", ()))


def is_mixed(lake: Path) -> bool | None:
    """Whether the published tables are of more than one generation; None before the first.

    Every customer of identity stands in gold and the other way round, which no two generations of
    a company share that has somebody new each day.
    """
    versions = published_versions(lake)
    if not versions:
        return None
    ids = (
        {
            row["customer_id"]
            for row in _read(lake / "identity" / "customers", versions["identity.customers"])
        },
        {
            row["customer_id"]
            for row in _read(lake / "gold" / "customers", versions["gold.customers"])
        },
    )
    return ids[0] != ids[1]


def difference(found: Contents, wanted: Contents) -> Difference:
    """Row by row, id by id, byte by byte."""
    lost = doubled = 0
    where: list[str] = []
    for kind in ("tables", "published"):
        ours, theirs = getattr(found, kind), getattr(wanted, kind)
        for name in sorted({*ours, *theirs}):
            missing = theirs.get(name, Counter()) - ours.get(name, Counter())
            strange = ours.get(name, Counter()) - theirs.get(name, Counter())
            lost, doubled = lost + missing.total(), doubled + strange.total()
            if missing or strange:
                where.append(f"{kind} {name}: -{missing.total()} +{strange.total()}")
                where += [f"  - {row}" for row in list(missing)[:2]]
                where += [f"  + {row}" for row in list(strange)[:2]]
    for path in sorted({*found.files, *wanted.files}):
        if found.files.get(path) != wanted.files.get(path):
            where.append(f"file {path}")
            lost, doubled = lost + (path not in found.files), doubled + (path in found.files)
    records = {*found.customers, *wanted.customers}
    ids = sum(found.customers.get(each) != wanted.customers.get(each) for each in records)
    return Difference(lost, doubled, ids, tuple(where))


def _read(table: Path, version: int | None = None) -> list[dict[str, Any]]:
    return DeltaTable(str(table), version=version).to_pyarrow_table().to_pylist()


def _rows(table: Path, name: str, version: int | None = None, *, but: frozenset[str]) -> Rows:
    ignored = but.union(IGNORED)
    return Counter(
        json.dumps(
            {
                column: _plain(value)
                for column, value in row.items()
                if column not in ignored and f"{name}.{column}" not in ignored
            },
            sort_keys=True,
            default=str,
        )
        for row in _read(table, version)
    )


def _plain(value: Any) -> Any:
    """Maps come as pairs, in no order."""
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return sorted(value, key=lambda pair: str(pair[0]))
    return value
