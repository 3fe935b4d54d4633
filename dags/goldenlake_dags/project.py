"""Where the project lies, and the few declared facts that decide the shape of a DAG.

Read whenever Airflow parses a DAG file, so: a handful of keys of small YAML files and nothing
else. ``goldenlake check`` is what judges the declarations.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HOME = Path(os.environ.get("GOLDENLAKE_HOME") or Path(__file__).resolve().parents[2])
CONF = Path(os.environ.get("GOLDENLAKE_CONF") or HOME / "conf").absolute()
ENVIRONMENT = os.environ.get("GOLDENLAKE_ENV") or "local"
LAKE = os.environ.get("GOLDENLAKE_LAKE")
"""Another lake than that of the environment."""

# For goldenlake.night and goldenlake.errors, which need nothing but the standard library.
if str(HOME / "jobs") not in sys.path:
    sys.path.append(str(HOME / "jobs"))

#: The C loader reads all declarations in a tenth of the time.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What the DAGs need to know of ``conf/``; defaults are those of the declarations."""

    systems: Mapping[str, str]
    """Every source, and the system that it comes from."""
    destinations: tuple[str, ...]
    lake: str = ""
    schedule: str = "0 1 * * *"
    collect_by: str = "source"
    parallel: int = 2
    memory: str = "3g"
    fast_start: bool = True
    spark_conf: Mapping[str, str] = field(default_factory=dict)

    @property
    def tasks_at_once(self) -> int:
        """``parallel``, but one task on S3, where Delta's own log store excludes threads only: of
        two processes that commit to one table, one may lose its commit without a word.
        """
        has_log_store = any(key.startswith("spark.delta.logStore.s3") for key in self.spark_conf)
        return 1 if self.lake.startswith("s3") and not has_log_store else self.parallel

    def collects(self) -> dict[str, tuple[str, ...]]:
        """One entry a task of the collect stage: its name, and the sources that it collects."""
        if self.collect_by == "source":
            return {source: (source,) for source in sorted(self.systems)}
        if self.collect_by == "all":
            return {"all": tuple(sorted(self.systems))}
        found: dict[str, tuple[str, ...]] = {}
        for source, system in sorted(self.systems.items()):
            found[system] = (*found.get(system, ()), source)
        return found


def declared() -> Declared:
    """Read ``conf/sources``, ``conf/destinations`` and the environment of GOLDENLAKE_ENV.

    Raises ValueError for a file that cannot be read; Airflow shows it as an import error.
    """
    environment = _read(CONF / "env" / f"{ENVIRONMENT}.yml")
    night, spark = environment.get("night") or {}, environment.get("spark") or {}
    known: dict[str, Any] = {
        "lake": LAKE or environment.get("lake"),
        "schedule": night.get("schedule"),
        "collect_by": night.get("collect_by"),
        "parallel": night.get("parallel_sources"),
        "memory": spark.get("memory"),
        "fast_start": spark.get("fast_start"),
    }
    partitions = {"spark.sql.shuffle.partitions": str(spark.get("shuffle_partitions", 4))}
    sources = {
        str(each["source"]): str(each.get("system") or each["source"])
        for each in _all("sources", "source")
    }
    return Declared(
        systems=sources,
        destinations=tuple(
            sorted(str(each["destination"]) for each in _all("destinations", "destination"))
        ),
        spark_conf=partitions | {str(k): str(v) for k, v in (spark.get("conf") or {}).items()},
        **{key: value for key, value in known.items() if value is not None},
    )


def _all(folder: str, key: str) -> Iterator[dict[str, Any]]:
    for path in sorted((CONF / folder).glob("*.yml")):
        content = _read(path)
        if key not in content:
            raise ValueError(f"{path}: {key} is missing. Run `goldenlake check`.")
        yield content


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_bytes(), Loader=_LOADER)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read: {error.strerror}. Check GOLDENLAKE_ENV."
        ) from None
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a mapping. Run `goldenlake check`.")
    return content
