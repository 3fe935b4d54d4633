"""Resolve: from silver's changes to who is who, staged for golden to build on.

What golden must look at stands in ``identity.touched``, written anew by each build: a customer
whose ``change`` is ``membership`` needs all of its rows again, one with ``data`` the new rows of
silver, and one that is ``gone`` has none. Customers not in it are as in the generation before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from goldenlake.declarations.decisions import Decision
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.matching import Matching
from goldenlake.declarations.source import Source
from goldenlake.identity import records as record_rows
from goldenlake.identity.trained import TrainedModel
from goldenlake.ports import Progress, StepResult, Tables
from goldenlake.schemas import conformed
from goldenlake.steps.generations import (
    IDENTITY_TABLES,
    begin,
    data_mark,
    discard,
    fingerprint,
    follows,
    latest_generation,
    of_sources,
    stage,
    staged,
)
from goldenlake.steps.record_ids import renew_ids
from goldenlake.steps.resolution import Resolution

STEP = "resolve"
#: Raise it when the code decides differently from the same declarations: everything is rebuilt.
LOGIC = 7


@dataclass(frozen=True, kw_only=True)
class Resolve:
    """Build the identity tables of the next generation from silver as it is now.

    ``sources`` are all sources by name: the versions of all their silver tables are pinned for
    the generation, and those that name people become records. ``trained`` is the model that joins
    records without a shared identifier, ``matching`` what it compares, ``decisions`` those of
    stewards: a new one costs no more than the components that it is about. Counts of the result:
    ``records_changed``, ``edges_changed``, ``keys_left_out`` (with a model: blocking keys on too
    many records), ``records_resolved`` (rows of identity.customers that changed), ``customers``,
    ``customers_before``, ``customers_touched``, ``split_off``, and rows
    of history by event: ``assigned``, ``merged``, ``split``, ``moved``, ``retired``.
    """

    sources: Mapping[str, Source]
    rules: IdentityRules
    as_of: date
    run_id: str
    matching: Matching | None = None
    trained: TrainedModel | None = None
    decisions: Sequence[Decision] = ()

    def run(self, tables: Tables, progress: Progress) -> StepResult:
        """Stage a build; ``skipped`` where silver and declarations are those of the last one, and
        that is no return to an earlier one: nothing is sent from a return before it is built on.
        """
        renew_ids(tables, self.sources.values(), progress)
        pinned = self._pinned(tables)
        if not pinned:
            discard(tables, STEP)
            return StepResult(step=STEP, status="skipped", details={"reason": "silver is empty"})
        decided = fingerprint({}, *self.decisions)
        mark = f"{self._data_mark(tables, pinned)}.{decided}"
        base = latest_generation(tables)
        if base and base.fingerprint_of(STEP) == mark and not base.returns_to:
            discard(tables, STEP)
            return StepResult(step=STEP, status="skipped", details={"reason": "nothing changed"})
        done = staged(tables, STEP)
        if done and done.fingerprint == mark and done.as_of == self.as_of:
            now = ((name, tables.version(name)) for name in IDENTITY_TABLES)
            if done.tables == {name: version for name, version in now if version is not None}:
                return StepResult(step=STEP, counts=done.counts, details={"reason": "was staged"})

        base = begin(tables, IDENTITY_TABLES)
        inputs = of_sources(base.inputs) if base else {}
        mark_before, _, decided_before = (base.fingerprint_of(STEP) if base else "").partition(".")
        is_incremental = (
            base is not None
            and follows(pinned, inputs)
            and mark_before == self._data_mark(tables, inputs)
        )
        counts = Resolution(
            sources=self.sources,
            rules=self.rules,
            matching=self.matching,
            trained=self.trained,
            decisions=self.decisions,
            as_of=self.as_of,
            tables=tables,
            progress=progress,
            base=base,
            pinned=pinned,
            base_inputs=inputs,
            is_incremental=is_incremental,
            is_decided_anew=decided != decided_before,
        ).run()
        stage(
            tables,
            STEP,
            names=IDENTITY_TABLES,
            as_of=self.as_of,
            run_id=self.run_id,
            base=base,
            inputs=pinned,
            fingerprint=mark,
            counts=counts,
        )
        mode = "incremental" if is_incremental else "everything"
        return StepResult(step=STEP, counts=counts, details={"mode": mode})

    def _pinned(self, tables: Tables) -> dict[str, int]:
        names = [name for source in sorted(self.sources) for name in conformed(source)]
        return {name: at for name in names if (at := tables.version(name)) is not None}

    def _data_mark(self, tables: Tables, inputs: Mapping[str, int]) -> str:
        mapped = {
            name: {
                "load": source.load,
                "key": source.key,
                "identifiers": source.identifiers,
                "attributes": source.attributes,
                "people": source.people,
                "bots": source.bots,
            }
            for name, source in self.sources.items()
            if record_rows.names_people(source)
        }
        compared = self.matching.columns if self.matching else {}
        model = self.trained.keyed_by if self.trained else ""
        return data_mark(tables, inputs, LOGIC, self.rules, mapped, compared, model)
