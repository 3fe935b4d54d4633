"""Gather what the nightly page tells, and write it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from goldenlake.declarations.base import parse_duration
from goldenlake.declarations.catalogue import Catalogue
from goldenlake.identity.trained import TrainedModel
from goldenlake.night import unheard
from goldenlake.ports import Clock, StepResult, Tables
from goldenlake.reporting.facts import (
    AccuracyFacts,
    CampaignFacts,
    ExportFacts,
    GenerationFacts,
    MatchingFacts,
    NightFacts,
    SegmentFacts,
    SourceFacts,
    StepFacts,
)
from goldenlake.reporting.page import night_page
from goldenlake.schemas import CONFORMED, LEDGER, MEMBERS, RUNS, SIZES
from goldenlake.steps.files import FileRow, read_files, standing_drift
from goldenlake.steps.generations import Generation, latest_generation, read
from goldenlake.steps.published import Counting, remembered
from goldenlake.steps.truth import STEP as ACCURACY
from goldenlake.steps.truth import WAYS

STEP = "report"
_REMEMBERED = timedelta(days=7)
"""How long what was counted of a generation is looked for among the pages of days before."""


@dataclass(frozen=True, kw_only=True)
class WriteReport:
    """The page of one day, ``<folder>/<as_of>.html``; writing it again replaces it."""

    catalogue: Catalogue
    as_of: date
    run_id: str
    folder: Path
    trained: TrainedModel | None = None
    """The model whose matches the page is to tell of."""

    def run(self, tables: Tables, clock: Clock) -> StepResult:
        """Write the page; it opens without a network and holds no personal data."""
        facts = self.gather(tables, clock)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.as_of}.html"
        part = path.with_suffix(".part")
        part.write_text(night_page(facts), encoding="utf-8")
        os.replace(part, path)
        details = {"path": str(path), "verdict": facts.verdict}
        return StepResult(step=STEP, details=details | remembered(facts.published))

    def gather(self, tables: Tables, clock: Clock) -> NightFacts:
        """Everything that the page tells."""
        rows = self._rows(tables)
        runs = self._runs(rows)
        files = [file for file in read_files(tables) if file.source in self.catalogue.sources]
        generation = latest_generation(tables)
        published = self._published(tables, generation, rows)
        publish = next((r for r in runs if r["step"] == "publish" and r["details"]), None)
        audit = json.loads(publish["details"]) if publish else {}
        present = _present(tables)
        return NightFacts(
            as_of=self.as_of,
            written_at=clock.now(),
            run_id=self.run_id,
            generation=generation.generation if generation else None,
            generation_as_of=generation.as_of if generation else None,
            sources=self._sources(files, runs),
            drift=standing_drift(tables, files, until=self.as_of),
            published=published,
            segments=self._segments(tables),
            overlaps=self._overlaps(tables),
            exports=self._exports(present, runs),
            abandoned={
                name: count
                for name, count in sorted(present.items())
                if name not in self.catalogue.destinations
            },
            expectations=audit.get("verdicts", []),
            data_docs=self._data_docs(),
            steps=[
                StepFacts(
                    step=row["step"],
                    subject=row["subject"] or "",
                    status=row["status"],
                    seconds=row["seconds"],
                    error=row["error"] or "",
                )
                for row in runs
                if row["step"] not in (STEP, ACCURACY)
            ],
            unheard=unheard(
                [(row["step"], row["subject"] or "", row["status"]) for row in runs],
                source=self.catalogue.sources,
                destination=self.catalogue.destinations,
            ),
            warnings=audit.get("warnings", []),
            matching=self._matching(published, runs),
            accuracy=_accuracy(runs),
            campaigns=_campaigns(tables, generation) if generation else (),
        )

    def _rows(self, tables: Tables) -> list[Any]:
        """Of ``ops.runs``: the day's, and those of pages of the days before."""
        day, is_report = F.col("as_of"), F.col("step") == STEP
        is_before = is_report & day.between(self.as_of - _REMEMBERED, self.as_of)
        rows = tables.read_or_empty("ops.runs", RUNS.ddl)
        found = rows.where((day == F.lit(self.as_of)) | is_before).collect()
        return sorted(found, key=lambda row: row["started_at"])

    def _published(
        self, tables: Tables, generation: Generation | None, rows: Sequence[Any]
    ) -> GenerationFacts:
        """Counted once a generation: it is most of the work, and most nights change little."""
        if generation is None:
            return GenerationFacts()
        counting = Counting(
            generation=generation, catalogue=self.catalogue, is_matched=self.trained is not None
        )
        pages = (row["details"] for row in reversed(rows) if row["step"] == STEP)
        return counting.among(pages) or counting.of(tables)

    def _runs(self, rows: Sequence[Any]) -> list[Any]:
        """The row that counts of every step and subject on the day, in the order in which they ran.

        That is the latest. A rerun that had nothing to do only shows that a fault has passed: it
        does not hide what the night did, nor files that are still as they were.
        """
        latest: dict[tuple[str, str], Any] = {}
        lasting: dict[tuple[str, str], Any] = {}
        for row in (row for row in rows if row["as_of"] == self.as_of):
            key = row["step"], row["subject"]
            if row["status"] == "done" or json.loads(row["details"] or "{}").get("lasts"):
                lasting[key] = row
            latest[key] = lasting.get(key, row) if row["status"] == "skipped" else row
        return sorted(latest.values(), key=lambda row: row["started_at"])

    def _sources(self, files: Sequence[FileRow], runs: Sequence[Any]) -> list[SourceFacts]:
        ran = {row["subject"]: row for row in runs if row["step"] == "collect"}
        found = []
        for name, source in sorted(self.catalogue.sources.items()):
            own = [file for file in files if file.source == name and file.file_on <= self.as_of]
            # What tells no day is about that of its run, be it as late as it may.
            tells_day = source.origin.file_date is not None
            came = [(file.landed_on if tells_day else file.file_on, file) for file in own]
            today = [file for day, file in came if day == self.as_of]
            good = {file.sha256 for file in own if file.status == CONFORMED}
            # A duplicate of one that was taken in shows that the source is alive.
            last = max((file.file_on for file in own if file.sha256 in good), default=None)
            reasons: dict[str, int] = {}
            for file in today:
                for rule, count in file.reasons.items():
                    reasons[rule] = reasons.get(rule, 0) + count
            cadence = parse_duration(source.cadence) + timedelta(days=1)
            run = ran.get(name)
            found.append(
                SourceFacts(
                    name=name,
                    system=source.system,
                    status=run["status"] if run else "not run",
                    files=len(today),
                    read=sum(file.records_read or 0 for file in today),
                    accepted=sum(file.records_accepted or 0 for file in today),
                    quarantined=sum(file.records_quarantined or 0 for file in today),
                    reasons=dict(sorted(reasons.items(), key=lambda pair: -pair[1])),
                    last_file_on=last,
                    is_overdue=last is None or self.as_of - last >= cadence,
                    ahead=(run["counts"] or {}).get("files_ahead", 0) if run else 0,
                    error=(run["error"] if run else "") or "",
                )
            )
        return found

    def _matching(self, published: GenerationFacts, runs: Sequence[Any]) -> MatchingFacts | None:
        """None without a model, or before the first publication."""
        if self.trained is None or not published.matched:
            return None
        resolved = [row["counts"] or {} for row in runs if row["step"] == "resolve"]
        return MatchingFacts(
            version=self.trained.version,
            **published.matched,
            keys_left_out=sum(counts.get("keys_left_out", 0) for counts in resolved),
            model=json.loads(self.trained.text),
        )

    def _segments(self, tables: Tables) -> list[SegmentFacts]:
        rows = (
            tables.read_or_empty("segments.sizes", SIZES.ddl)
            .where(F.col("as_of") == F.lit(self.as_of))
            .collect()
        )
        return [
            SegmentFacts(
                name=row["segment"],
                description=declared.description,
                members=row["members"],
                entered=row["entered"],
                exited=row["exited"],
                stayed=row["stayed"],
            )
            for row in sorted(rows, key=lambda row: -row["members"])
            if (declared := self.catalogue.segments.get(row["segment"]))
        ]

    def _overlaps(self, tables: Tables) -> dict[tuple[str, str], int]:
        """Customers in both of two segments; counted over the few combinations that occur."""
        rows = (
            tables.read_or_empty("segments.members", MEMBERS.ddl)
            .where(F.col("as_of") == F.lit(self.as_of))
            .groupBy("customer_id")
            .agg(F.sort_array(F.collect_set("segment")).alias("segments"))
            .where(F.size("segments") > 1)
            .groupBy("segments")
            .count()
            .collect()
        )
        found: Counter[tuple[str, str]] = Counter()
        for row in rows:
            for pair in combinations(row["segments"], 2):
                found[pair] += row["count"]
        return dict(found)

    def _data_docs(self) -> str:
        """The Data Docs of the day as seen from the page, of a refused generation too."""
        path = Path("data_docs") / self.as_of.isoformat() / "index.html"
        return path.as_posix() if (self.folder / path).exists() else ""

    def _exports(self, present: Mapping[str, int], runs: Sequence[Any]) -> list[ExportFacts]:
        return [
            ExportFacts(
                name=row["subject"],
                status=row["status"],
                counts=row["counts"] or {},
                there=present.get(row["subject"], 0),
                held_back=_held_back(row["details"]),
                error=row["error"] or "",
            )
            for row in runs
            if row["step"] == "activate"
        ]


def _present(tables: Tables) -> dict[str, int]:
    """How many records each destination has, or was told of."""
    there = (
        tables.read_or_empty("activation.ledger", LEDGER.ddl)
        # Those who were told of count, too: suppressed, or unknown if we had added them.
        .where("state = 'present' OR (state <> 'absent' AND outcome = 'acknowledged')")
        .groupBy("destination")
        .count()
        .collect()
    )
    return {row["destination"]: row["count"] for row in there}


def _campaigns(tables: Tables, generation: Generation) -> list[CampaignFacts]:
    if "gold.campaigns" not in generation.tables:
        return []
    results = read(tables, generation, "gold.campaigns")
    results = results.withColumn("revenue", F.col("revenue").cast("double"))
    rows = results.orderBy("segment", "campaign").collect()
    names = [each.name for each in fields(CampaignFacts)]
    found = [{name: row[name] for name in names} for row in rows]
    return [CampaignFacts(**each) for each in found]


def _accuracy(runs: Sequence[Any]) -> list[AccuracyFacts]:
    """What the demonstration measured on the day, if it did."""
    measured = [row["details"] for row in runs if row["step"] == ACCURACY]
    return [
        AccuracyFacts(
            part=part["part"],
            by=words,
            **{name: part[way][name] for name in ("precision", "recall", "f1", "pairs")},
        )
        for details in measured
        for part in json.loads(details)["parts"]
        for way, words in WAYS.items()
        if way in part
    ]


def _held_back(details: str) -> dict[str, int]:
    """How many members an export held back, by reason."""
    found: Counter[str] = Counter()
    for segment in json.loads(details or "{}").get("segments", {}).values():
        found.update(segment["held_back"])
    return dict(found)
