"""The publish step: audit what was staged, and make it the generation that everybody reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.environment import BlastRadius
from goldenlake.declarations.source import Source
from goldenlake.declarations.table import Table
from goldenlake.errors import PublicationRefused, StagedForAnotherDay, StageMissing
from goldenlake.ports import Clock, Progress, StepResult, Tables
from goldenlake.quality.audit import Verdict, audit
from goldenlake.quality.suites import suite_of
from goldenlake.steps.blast_radius import BlastGate, lost_refusals
from goldenlake.steps.generations import (
    IDENTITY_TABLES,
    Generation,
    Stage,
    fingerprint,
    golden_of,
    latest_generation,
    publish,
    read,
    refuse_overtaken,
    staged,
)
from goldenlake.steps.reading import write_pointer


@dataclass(frozen=True, kw_only=True)
class Publish:
    """Audit, gate, publish: in this order, and the last in one commit."""

    declared: Mapping[str, Table]
    blast_radius: BlastRadius
    sources: Sequence[Source]
    consent: ConsentPolicy
    as_of: date
    run_id: str
    docs: Path
    """Folder of the Data Docs; one folder a day in it, replaced when the day is judged again."""
    accept_blast_radius: bool = False
    """A person has looked at what would merge, split, move, retire or grow, and wants it so."""

    def run(self, tables: Tables, clock: Clock, progress: Progress) -> StepResult:
        """Publish what resolve and golden staged; skipped where they staged nothing.

        Only tables that differ from the last generation are judged, all of them when rules have
        changed. Raises PublicationRefused where a critical rule is broken, too many customers
        would merge, split, move or retire, one would be too large, or who said no would not be
        heard any more: readers keep the generation before. Raises StageMissing where golden was
        not built on what resolve staged, StagedForAnotherDay, and GenerationMoved where another
        generation overtook what they staged.
        """
        refuse_overtaken(tables, "resolve")
        base = latest_generation(tables)
        resolved, golden = staged(tables, "resolve"), staged(tables, "golden")
        if golden is None:
            if resolved is not None:
                raise StageMissing(step="golden")
            refuse_overtaken(tables, "golden")
            if base is not None:
                write_pointer(tables, base)
            return StepResult(step="publish", status="skipped", details={"why": "nothing staged"})
        _check_pair(golden, resolved or base)
        if golden.as_of != self.as_of:
            raise StagedForAnotherDay(staged=golden.as_of.isoformat())
        names = self._judged(golden)
        rules = fingerprint({}, {name: suite_of(self.declared[name]) for name in names})
        changed = [
            name
            for name in names
            if base is None
            or base.fingerprint_of("audit") != rules
            or base.tables.get(name) != golden.tables.get(name)
        ]
        docs = self.docs / self.as_of.isoformat()
        frames = [(self.declared[name], read(tables, golden, name)) for name in changed]
        verdicts = audit(frames, docs=docs, progress=progress) if frames else []
        gate = BlastGate(
            limits=self.blast_radius,
            tables=tables,
            resolved=resolved,
            golden=golden,
            base=base,
        )
        reasons = [str(verdict) for verdict in verdicts if verdict.stops]
        reasons += lost_refusals(tables, base, golden, sources=self.sources, policy=self.consent)
        if not self.accept_blast_radius:
            reasons += gate.reasons()
        details = {
            "verdicts": [verdict.as_detail() for verdict in verdicts],
            "warnings": _warnings(verdicts),
            "data_docs": str(docs / "index.html") if frames else "",
        }
        if reasons:
            day = self.as_of.isoformat()
            raise PublicationRefused(as_of=day, reasons=reasons, details=details)
        counts = {
            "rules_judged": len(verdicts),
            "rules_broken": sum(not verdict.passed for verdict in verdicts),
            "tables_judged": len(changed),
            **gate.counts,
        }
        judged = Stage(
            step="audit",
            as_of=self.as_of,
            run_id=self.run_id,
            base=golden.base,
            tables={},
            inputs={},
            fingerprint=rules,
            counts={},
        )
        stages = [stage for stage in (resolved, golden, judged) if stage is not None]
        generation = publish(
            tables,
            stages,
            run_id=self.run_id,
            as_of=self.as_of,
            published_at=clock.now(),
            counts=counts,
        )
        write_pointer(tables, generation)
        progress(f"published generation {generation.generation}")
        return StepResult(
            step="publish",
            counts=counts | {"generation": generation.generation},
            details=details,
        )

    def _judged(self, golden: Stage) -> list[str]:
        return [name for name in golden_of(golden.tables) if name in self.declared]


def _check_pair(golden: Stage, identity: Generation | Stage | None) -> None:
    """Raise StageMissing unless golden was built on exactly these identity tables, for their day.

    Between the two somebody may have staged another day's.
    """
    used = {name: golden.inputs.get(name) for name in IDENTITY_TABLES}
    given = {name: identity.tables.get(name) if identity else None for name in IDENTITY_TABLES}
    is_of_another_day = isinstance(identity, Stage) and identity.as_of != golden.as_of
    if used != given or is_of_another_day:
        raise StageMissing(step="golden")


def _warnings(verdicts: Sequence[Verdict]) -> list[str]:
    return [str(each) for each in verdicts if not each.passed and not each.stops]
