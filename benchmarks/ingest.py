"""Files to silver, against the least that Spark can do with the same access logs."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.homes import ACCESS_FILES, ENVIRONMENT, START
from goldenlake.cli import stages
from goldenlake.cli.installation import Installation
from goldenlake.errors import GoldenlakeError
from goldenlake.io.tables import DeltaTables

SOURCE = "web_access"
_TEXT = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_LINE = (
    r'^(\S+) \S+ \S+ \[([^\]]+)\] "([A-Z_]+) ([^ ?"]*)(\?[^ "]*)?(?: HTTP/[0-9.]+)?" '
    rf"(\d{{3}}) (\d+|-) {_TEXT} {_TEXT} {_TEXT} {_TEXT}$"
)
_COLUMNS = (
    "host", "at", "method", "page", "query", "status", "bytes", "referer", "user_agent",
    "visitor", "account",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Both ways in one session, warmed up on a few lines, then in turns."""

    home: Path
    spark: SparkSession
    rounds: int

    def run(self, warm_up: Path, drops: Path) -> dict[str, object]:
        """Seconds of every round, their medians, and the rows of both tables."""
        self._round(warm_up, 0)
        rounds = [self._round(drops, number) for number in range(self.rounds)]
        ours = [seconds["ours"] for seconds in rounds]
        bare = [seconds["bare"] for seconds in rounds]
        return {
            "ours": median(ours),
            "bare": median(bare),
            "ours_rounds": [round(one, 2) for one in ours],
            "bare_rounds": [round(one, 2) for one in bare],
            **self._rows(),
        }

    def _round(self, drops: Path, number: int) -> dict[str, float]:
        """Seconds of both ways over the same files, into empty lakes; they begin in turns."""
        place = self.home / "var" / "drops"
        shutil.rmtree(place)
        shutil.copytree(drops, place)
        ways = {"ours": self._ours, "bare": self._bare}
        seconds = {}
        for name in sorted(ways, reverse=number % 2 == 0):
            shutil.rmtree(self._lake(name), ignore_errors=True)
            begun = time.monotonic()
            ways[name]()
            seconds[name] = time.monotonic() - begun
        return seconds

    def _lake(self, name: str) -> Path:
        return self.home / "var" / name

    def _ours(self) -> None:
        """Land, ingest and conform."""
        last = START + timedelta(days=ACCESS_FILES - 1)
        lake = str(self._lake("ours"))
        installation = Installation.load(self.home / "conf", ENVIRONMENT, lake, as_of=last)
        # The session is the one that is open; only the lake is new.
        installation.__dict__["tables"] = DeltaTables(self.spark, lake)
        results = stages.collect(installation, [SOURCE])
        if any(result.status != "done" for result in results):
            raise GoldenlakeError(f"Collecting {SOURCE} did not end well; see above.")

    def _bare(self) -> None:
        """Read, parse, write one Delta table."""
        files = sorted(map(str, (self.home / "var" / "drops" / "web").glob("access_*.log.gz")))
        lines = self.spark.read.text(files)
        parsed(lines).write.format("delta").save(str(self._lake("bare")))

    def _rows(self) -> dict[str, int]:
        """Rows of both tables; a line that bare Spark could not parse is null throughout."""
        silver = DeltaTables(self.spark, str(self._lake("ours"))).read(f"silver.{SOURCE}")
        bare = self.spark.read.format("delta").load(str(self._lake("bare")))
        return {"rows": silver.count(), "bare_rows": bare.where("status IS NOT NULL").count()}


def parsed(lines: DataFrame) -> DataFrame:
    """Typed columns of access-log lines in ``value``; a line of another form gives nulls."""
    texts = {
        name: F.nullif(F.regexp_extract("value", _LINE, number), F.lit(""))
        for number, name in enumerate(_COLUMNS, start=1)
    }
    typed = {
        "at": F.try_to_timestamp(texts["at"], F.lit("dd/MMM/yyyy:HH:mm:ss Z")),
        "status": texts["status"].try_cast("int"),
        "bytes": texts["bytes"].try_cast("int"),
    }
    return lines.select([column.alias(name) for name, column in (texts | typed).items()])
