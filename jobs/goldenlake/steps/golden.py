"""The golden step: staged golden tables from silver and identity, for touched customers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any

from goldenlake.declarations.groups import Group
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.declarations.table import Table
from goldenlake.ports import Progress, StepResult, Tables
from goldenlake.schemas import GOLD_TABLES
from goldenlake.steps.generations import (
    IDENTITY_TABLES,
    Generation,
    Stage,
    announce,
    begin,
    data_mark,
    discard,
    follows,
    generation_tables,
    golden_of,
    latest_generation,
    of_sources,
    refuse_overtaken,
    stage,
    staged,
)
from goldenlake.steps.golden_build import Build, Written
from goldenlake.steps.golden_tables import waves

#: Counted up when the meaning of a golden table changes, so that all of it is built anew.
LOGIC = 12
#: Writers at one time: a commit on a small table is mostly waiting.
WRITERS = 3


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Build the golden tables on top of the last generation, and stage them."""

    sources: Sequence[Source]
    declared: Mapping[str, Table]
    rules: IdentityRules
    groups: Sequence[Group]
    as_of: date
    run_id: str

    def run(self, tables: Tables, progress: Progress) -> StepResult:
        """Golden tables for what ``resolve`` staged; for touched customers where that will do.

        All customers are computed anew before the first publication and when declarations have
        changed. Skipped where the published generation is what would be built. Raises
        GenerationMoved where another generation overtook what ``resolve`` staged.
        """
        refuse_overtaken(tables, "resolve")
        base = latest_generation(tables)
        resolved = staged(tables, "resolve")
        identity: Generation | Stage | None = resolved or base
        if identity is None:
            return StepResult(step="golden", status="skipped", details={"why": "no customers yet"})
        declared = self._declared()
        inputs = of_sources(identity.inputs) | {
            name: identity.tables[name] for name in IDENTITY_TABLES if name in identity.tables
        }
        silver = of_sources(inputs)
        mark = data_mark(tables, silver, declared)
        is_same = base is not None and (
            follows(silver, before := of_sources(base.inputs))
            and data_mark(tables, before, declared) == base.fingerprint_of("golden")
            and set(self._built) <= set(base.tables)
        )
        if is_same and resolved is None:
            discard(tables, "golden")
            return StepResult(step="golden", status="skipped", details={"why": "nothing changed"})
        names = golden_of({*generation_tables(tables), *self._built})
        done = staged(tables, "golden")
        if done and (done.fingerprint, done.inputs, done.as_of) == (mark, inputs, self.as_of):
            now = {name: tables.version(name) for name in names if tables.exists(name)}
            if done.tables == now:
                return StepResult(
                    step="golden", counts=done.counts, details={"why": "it was staged before"}
                )

        if not all(tables.exists(group.table) for group in self.groups):
            announce(tables, "golden", names=names, as_of=self.as_of, run_id=self.run_id)
        base = begin(tables, names)
        if not is_same:
            self._empty_what_is_declared_no_more(tables, names)
        build = Build(
            tables=tables,
            sources=self.sources,
            declared=self.declared,
            rules=self.rules,
            as_of=self.as_of,
            base=base,
            identity=identity,
            is_incremental=is_same,
        )
        written: dict[str, Written] = {}
        with build, ThreadPoolExecutor(WRITERS, thread_name_prefix="golden") as pool:
            for wave in waves(self.groups):
                futures = [pool.submit(write, build) for write in wave]
                for future in futures:
                    written |= future.result()
                progress(f"golden: {len(written)} of {len(self._built)} tables")
        totals, completeness = build.profile()
        counts = totals | {
            f"{name.removeprefix('gold.')}_{what}": number
            for name, of in written.items()
            if not of.is_anew
            for what, number in (("written", of.written), ("removed", of.removed))
        }
        stage(
            tables,
            "golden",
            names=names,
            as_of=self.as_of,
            run_id=self.run_id,
            base=base,
            inputs=inputs,
            fingerprint=mark,
            counts=counts,
        )
        return StepResult(
            step="golden",
            counts=counts,
            details={
                "is_incremental": is_same,
                "completeness": completeness,
                "unchanged": sorted(name for name, of in written.items() if not of.is_changed),
            },
        )

    @property
    def _built(self) -> tuple[str, ...]:
        """The tables that there are to be."""
        absent = {"gold.campaigns"} - set(self.declared)
        ours = (name for name in GOLD_TABLES if name not in absent)
        return (*ours, *(group.table for group in self.groups))

    def _empty_what_is_declared_no_more(self, tables: Tables, names: Sequence[str]) -> None:
        """Tables of groups, whose versions of earlier generations stay as they are."""
        for name in set(names).difference(GOLD_TABLES, self._built):
            tables.restore(name, None)

    def _declared(self) -> dict[str, Any]:
        """What in the declarations decides the golden tables; texts and owners do not."""
        mapped = {
            "source", "load", "snapshot", "key", "identifiers", "attributes", "interactions",
            "purchases", "consents", "people", "bots",
        }  # fmt: skip
        decisive = {"singular", "prefix", "rules", "placeholders"}
        return {
            "logic": LOGIC,
            "sources": {
                source.source: source.model_dump(mode="json", by_alias=True, include=mapped)
                | {"sessions": bool(source.sessions)}
                for source in self.sources
            },
            "tables": {
                name: [
                    (
                        column.name,
                        column.type,
                        column.survivorship and column.survivorship.model_dump(),
                    )
                    for column in self.declared[name].columns
                ]
                for name in GOLD_TABLES
                if name in self.declared
            },
            "identity": self.rules.model_dump(mode="json", by_alias=True),
            "groups": {
                group.group: group.model_dump(mode="json", include=decisive)
                for group in self.groups
            },
        }
