"""Examples of sources, and what they bring in from a system night after night."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from ruamel.yaml import YAML

from goldenlake.declarations.connections import System
from goldenlake.declarations.pulls import ApiOrigin
from goldenlake.declarations.source import Source
from goldenlake.io.landing import LocalLanding
from goldenlake.steps.files import FileRow
from goldenlake.steps.pull import Pull
from goldenlake.transforms.conforming import typed
from support.vendors import Outside, Vendor, serving

EXAMPLES = Path(__file__).parents[2] / "examples"
Rows = list[dict[str, Any]]
_DAY = date(2026, 3, 1)


class _Clock:
    """A night."""

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 2, tzinfo=UTC)


@dataclass
class Nights:
    """Nights of one source, one after the other; ``system`` and ``auth`` are the connection's."""

    source: Source
    vendor: Vendor
    folder: Path
    system: System = "other"
    auth: Mapping[str, Any] | None = None
    known: list[FileRow] = field(default_factory=list)

    def night(self) -> Rows:
        """What it lands. The vendor must have had nothing to object to."""
        assert isinstance(self.source.origin, ApiOrigin)
        landing = LocalLanding(self.folder)
        pull = Pull(source=self.source, origin=self.source.origin, as_of=_DAY, run_id="r")
        with serving(self.vendor) as base_url:
            outside = Outside(base_url, self.system, {"auth": self.auth} if self.auth else {})
            landed = pull.run(outside.api("x"), landing, self.known, _Clock())
        assert not self.vendor.violations, self.vendor.violations[:3]
        self.known += landed.files
        found = []
        for row in landed.files:
            with landing.open(row.landed_path) as opened:
                found += [json.loads(line) for line in opened.read().splitlines()]
        return found


def example(name: str) -> Source:
    """The declared source of that name."""
    (path,) = EXAMPLES.glob(f"*/sources/{name}.yml")
    return Source.model_validate(YAML(typ="safe").load(path.read_text()))


def columns_read(source: Source) -> set[str]:
    """Names that records must have."""
    return {each.source or each.name for each in source.columns if not each.derive}


def in_silver(spark: SparkSession, source: Source, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Rows as silver has them, each a record of its own. None may have a flaw."""
    own = [each for each in source.columns if not each.derive]
    ddl = ", ".join(f"`{each.name}` STRING" for each in own)
    texts = [[_text(row.get(each.source or each.name)) for each in own] for row in rows]
    origin = "_file_id STRING, _record BIGINT, _landed_on DATE, _file_on DATE"
    bronze = spark.createDataFrame(
        [(*text, "f", at, _DAY, _DAY) for at, text in enumerate(texts)], f"{ddl}, {origin}"
    )
    silver = typed(bronze, source)
    flawed = silver.where(F.size("_flaws") > 0).select("_flaws").collect()
    assert not flawed, flawed
    return silver.withColumns(
        {
            "record_id": F.concat(F.lit("r"), F.col("_record")),
            "_is_deleted": F.lit(False),
            "_observed_at": F.col("_file_on").cast("timestamp"),
        }
    )


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
