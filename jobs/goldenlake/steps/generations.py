"""Generations: how the tables of identity and gold are built, staged and published together.

A build begins at the versions of the last published generation, so whatever a crash or a refused
audit left behind is undone first, and the same input gives the same tables again. Between two
processes the staged versions travel in ``ops.stages``, one row a step. One row appended to
``ops.publications`` makes everything visible at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from goldenlake.errors import (
    DayTooFar,
    GenerationClosed,
    GenerationIsOld,
    GenerationMoved,
    TableMissing,
    TableUnreadable,
)
from goldenlake.ports import Tables
from goldenlake.schemas import (
    CONFORMED_LAYERS,
    GOLD_TABLES,
    PUBLICATIONS,
    RUNS,
    STAGES,
    SYSTEM_TABLES,
    conformed,
    table_shape,
)

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row

IDENTITY_TABLES = (
    "identity.records",
    "identity.edges",
    "identity.customers",
    "identity.history",
    "identity.review",
    "identity.touched",
)
_NOWHERE = -1
RETURNS_TO = "returns_to"
"""Among the counts of a publication."""
FARTHEST = timedelta(days=31)
"""How long after the last night's day upkeep may remove what is past its retention."""


def lake_tables(tables: Tables, sources: Iterable[str]) -> list[str]:
    """Every table that there is of some sources, of identity, gold, and our own; by name."""
    names = {*SYSTEM_TABLES, *generation_tables(tables), *source_tables(sources)}
    return [name for name in sorted(names) if tables.exists(name)]


def source_tables(sources: Iterable[str]) -> list[str]:
    """Those of every layer; some may not be there."""
    return [
        name
        for source in sources
        for name in (f"bronze.{source}", f"quarantine.{source}", *conformed(source))
    ]


def generation_tables(tables: Tables) -> set[str]:
    """Tables of identity and gold, with those of every group that was ever published or staged,
    be it declared no more; some may not be there.
    """
    rows = [*publications(tables), *tables.rows("ops.stages", STAGES.ddl)]
    return {*IDENTITY_TABLES, *GOLD_TABLES}.union(*(row["tables"] or {} for row in rows))


def of_sources(inputs: Mapping[str, int]) -> dict[str, int]:
    """The inputs that are of sources: tables of ``CONFORMED_LAYERS``."""
    return {name: at for name, at in inputs.items() if name.split(".")[0] in CONFORMED_LAYERS}


def follows(inputs: Mapping[str, int], before: Mapping[str, int]) -> bool:
    """Whether ``before`` came to be ``inputs`` by what was written since: every table is still
    there, and none at an earlier version, as after a restore from a backup.
    """
    return all(name in inputs and at <= inputs[name] for name, at in before.items())


def golden_of(names: Iterable[str]) -> list[str]:
    """The golden tables among some, in the order of ``GOLD_TABLES``, then those of groups."""
    golden = {name for name in names if name.startswith("gold.")}
    ours = [name for name in GOLD_TABLES if name in golden]
    return [*ours, *sorted(golden.difference(ours))]


@dataclass(frozen=True, kw_only=True)
class Generation:
    """One published state of all tables: what readers see."""

    generation: int
    """Counts from 1, without gaps."""
    as_of: date
    tables: Mapping[str, int] = field(default_factory=dict)
    """The version of every table in it."""
    inputs: Mapping[str, int] = field(default_factory=dict)
    """The version of every table that it was built from, as of silver."""
    fingerprint: str = ""
    """One ``step:hash`` a step, joined by blanks; see ``fingerprint_of``."""
    returns_to: int = 0
    """The generation that this one has the tables of, where it was rolled back to; else 0."""

    @property
    def is_closed(self) -> bool:
        """Whether an erasure has purged what it pinned, and took the names of it away."""
        return not self.tables

    def fingerprint_of(self, step: str) -> str:
        """What ``fingerprint`` gave when that step built this generation; empty: unknown."""
        return _fingerprints(self).get(step, "")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a step built on top of a published generation, not yet visible to readers."""

    step: str
    as_of: date
    run_id: str
    base: int
    """The generation that it was built on; 0 before the first."""
    tables: Mapping[str, int]
    inputs: Mapping[str, int]
    fingerprint: str
    counts: Mapping[str, int]


def latest_generation(tables: Tables) -> Generation | None:
    """The generation that readers see now; None before the first publication."""
    published = generations(tables)
    return published[-1] if published else None


def generations(tables: Tables) -> list[Generation]:
    """All that were published, oldest first."""
    return [
        Generation(
            generation=row["generation"],
            as_of=row["as_of"],
            tables=dict(row["tables"] or {}),
            inputs=dict(row["inputs"] or {}),
            fingerprint=row["fingerprint"] or "",
            returns_to=(row["counts"] or {}).get(RETURNS_TO, 0),
        )
        for row in publications(tables)
    ]


def publications(tables: Tables) -> list[Row]:
    """The rows of ops.publications, oldest first."""
    rows = tables.rows("ops.publications", PUBLICATIONS.ddl)
    return sorted(rows, key=itemgetter("generation", "published_at", "run_id"))


def begin(tables: Tables, names: Iterable[str]) -> Generation | None:
    """Put the named tables back to the last published generation, and give that generation.

    A table that is not in it is emptied. Each step names the tables that it writes, all of them:
    a build that was killed half-way then leaves nothing behind. Raises TableMissing where
    publications are lost: as in a new lake, everybody would get another id.
    """
    base = latest_generation(tables)
    if base is None and (lost := lost_generation(tables)):
        raise TableMissing(
            "ops.publications",
            mend=f"But generation {lost} was built on. Nothing was changed; restore the table's "
            "folder from a backup: see docs/runbooks/lake_corrupted.md.",
        )
    for name in names:
        if tables.exists(name):
            tables.restore(name, base.tables.get(name) if base else None)
    return base


def lost_generation(tables: Tables) -> int:
    """The newest generation that something was staged on, though none is published; else 0."""
    built_on = (row["base"] for row in tables.rows("ops.stages", STAGES.ddl))
    return 0 if publications(tables) else max([0, *built_on])


def stage(
    tables: Tables,
    step: str,
    *,
    names: Iterable[str],
    as_of: date,
    run_id: str,
    base: Generation | None,
    inputs: Mapping[str, int],
    fingerprint: str,
    counts: Mapping[str, int],
) -> Stage:
    """Leave word of what a step built: the newest versions of the tables that it owns.

    One row a step, in one commit: staging again replaces it.
    """
    versions = {name: version for name in names if (version := tables.version(name)) is not None}
    row = Stage(
        step=step,
        as_of=as_of,
        run_id=run_id,
        base=base.generation if base else 0,
        tables=versions,
        inputs=dict(inputs),
        fingerprint=fingerprint,
        counts=dict(counts),
    )
    _leave_word(tables, row)
    return row


def announce(tables: Tables, step: str, *, names: Iterable[str], as_of: date, run_id: str) -> None:
    """Leave word of tables that a step is about to make for the first time, built on no generation:
    where it is killed, and never comes back to them, they are known by this row alone.
    """
    row = Stage(
        step=step,
        as_of=as_of,
        run_id=run_id,
        base=_NOWHERE,
        tables={name: tables.version(name) or 0 for name in names},
        inputs={},
        fingerprint="",
        counts={},
    )
    _leave_word(tables, row)


def _leave_word(tables: Tables, row: Stage) -> None:
    rows = tables.frame([asdict(row)], STAGES.ddl)
    tables.replace_slice("ops.stages", rows, where={"step": row.step})


def staged(tables: Tables, step: str) -> Stage | None:
    """What a step staged on top of the latest generation; None where it staged nothing on it.

    A row that was built on an older generation is stale: it has been published, or overtaken
    (``refuse_overtaken``). Where it has been published, the step after it takes the latest
    generation's tables as they are.
    """
    found, latest = _last_word(tables, step), latest_generation(tables)
    return found if found and found.base == (latest.generation if latest else 0) else None


def refuse_overtaken(tables: Tables, step: str) -> None:
    """Raises GenerationMoved where a step staged what was never published, and the generation that
    it was built on is no longer the latest: that one does not know what was staged.
    """
    if (found := _overtaken(tables, step)) is not None:
        latest = latest_generation(tables)
        number = latest.generation if latest else 0
        raise GenerationMoved(step=step, base=found.base, latest=number)


def _overtaken(tables: Tables, step: str) -> Stage | None:
    found, latest = _last_word(tables, step), latest_generation(tables)
    if found is None or found.base in (_NOWHERE, latest.generation if latest else 0):
        return None
    is_published = latest is not None and latest.fingerprint_of(step) == found.fingerprint
    return None if is_published else found


def _last_word(tables: Tables, step: str) -> Stage | None:
    """The row of a step, whatever has become of what it staged."""
    rows = [row for row in tables.rows("ops.stages", STAGES.ddl) if row["step"] == step]
    if not rows:
        return None
    row = rows[0]
    return Stage(
        step=row["step"],
        as_of=row["as_of"],
        run_id=row["run_id"],
        base=row["base"],
        tables=dict(row["tables"] or {}),
        inputs=dict(row["inputs"] or {}),
        fingerprint=row["fingerprint"],
        counts=dict(row["counts"] or {}),
    )


def discard(tables: Tables, step: str) -> None:
    """Take back what a step staged, be it overtaken, because the published generation is what it
    would build.

    Its row stays, built on no generation: a group that was never published is known by it alone.
    """
    if (found := staged(tables, step) or _overtaken(tables, step)) is not None:
        _leave_word(tables, replace(found, base=_NOWHERE))


def publish(
    tables: Tables,
    stages: Sequence[Stage],
    *,
    run_id: str,
    as_of: date,
    published_at: datetime,
    counts: Mapping[str, int] | None = None,
) -> Generation:
    """Make staged tables the next generation, in one commit.

    Tables and fingerprints that no stage names stay as they were in the generation before; so do
    inputs where no stage names any. Otherwise one that none names is built from no more, as of a
    source that is declared no more. Raises GenerationMoved where another build was published since
    these began.
    """
    base = latest_generation(tables)
    number = base.generation if base else 0
    for built in stages:
        if built.base != number:
            raise GenerationMoved(step=built.step, base=built.base, latest=number)
    versions = dict(base.tables) if base else {}
    inputs: dict[str, int] = {}
    fingerprints = _fingerprints(base) if base else {}
    totals: dict[str, int] = {}
    for built in stages:
        versions |= built.tables
        inputs |= built.inputs
        fingerprints[built.step] = built.fingerprint
        totals |= built.counts
    if base and not inputs:
        inputs = dict(base.inputs)
    generation = Generation(
        generation=number + 1,
        as_of=as_of,
        tables=versions,
        inputs=inputs,
        fingerprint=" ".join(f"{step}:{of}" for step, of in sorted(fingerprints.items())),
    )
    row = {
        "generation": generation.generation,
        "as_of": as_of,
        "run_id": run_id,
        "tables": versions,
        "inputs": inputs,
        "fingerprint": generation.fingerprint,
        "counts": totals | dict(counts or {}),
        "published_at": published_at,
    }
    if not publish_next(tables, row):
        raise GenerationMoved(step=stages[-1].step, base=number, latest=generation.generation)
    return generation


def roll_back(tables: Tables, to: Generation, *, run_id: str, published_at: datetime) -> Generation:
    """Publish an earlier generation again, as one further generation, in one commit.

    Readers see its tables at once. The next build starts from it and from its inputs, so whatever
    has come in since is built again, by today's declarations: mend what was wrong before.
    Raises TableUnreadable where a table of it is gone, GenerationClosed where all are, and
    GenerationMoved where it is the newest.
    """
    if to.is_closed:
        raise GenerationClosed(generation=to.generation)
    latest = latest_generation(tables)
    if latest is None or latest.generation == to.generation:
        raise GenerationMoved(step="rollback", base=to.generation, latest=to.generation)
    for name, version in {**to.inputs, **to.tables}.items():
        read_whole(tables, name, version)
    row: dict[str, Any] = {
        "generation": latest.generation + 1,
        "as_of": to.as_of,
        "run_id": run_id,
        "tables": dict(to.tables),
        "inputs": dict(to.inputs),
        "fingerprint": to.fingerprint,
        "counts": {RETURNS_TO: to.generation},
        "published_at": published_at,
    }
    if not publish_next(tables, row):
        raise GenerationMoved(step="rollback", base=latest.generation, latest=row["generation"])
    return replace(to, generation=latest.generation + 1, returns_to=to.generation)


def refuse_a_return(tables: Tables) -> None:
    """Raises GenerationIsOld where the newest generation was rolled back to and no night has built
    on it since: somebody may have withdrawn their consent.
    """
    latest = latest_generation(tables)
    if latest is not None and latest.returns_to:
        raise GenerationIsOld(generation=latest.generation, returns_to=latest.returns_to)


def refuse_a_leap(tables: Tables, as_of: date) -> None:
    """Raises DayTooFar where the day is long after that of the last night, which published or found
    nothing to publish.
    """
    latest = latest_generation(tables)
    if latest is None:
        return
    is_idle = (F.col("step") == "publish") & (F.col("status") == "skipped")
    newest = max(latest.as_of, last_day_run(tables, is_idle) or latest.as_of)
    if as_of - newest > FARTHEST:
        raise DayTooFar(as_of=as_of, newest=newest, most=FARTHEST)


def last_day_run(tables: Tables, which: Column) -> date | None:
    """The last day among some rows of ``ops.runs``."""
    rows = tables.read_or_empty("ops.runs", RUNS.ddl).where(which).agg(F.max("as_of")).collect()
    return cast("date | None", rows[0][0])


def read_whole(tables: Tables, name: str, version: int | None = None) -> None:
    """Read every value of a table's version, and keep none. Raises TableUnreadable."""
    try:
        tables.read(name, version=version).write.format("noop").mode("overwrite").save()
    except (PySparkException, Py4JJavaError) as error:
        kind = getattr(error, "getCondition", lambda: None)() or type(error).__name__
        raise TableUnreadable(name, version=version, kind=kind) from error


def repin(
    tables: Tables,
    last: Row,
    versions: Mapping[str, int],
    *,
    run_id: str,
    published_at: datetime,
) -> bool:
    """Publish what the row of the newest publication pins once more, with other versions of some
    of its tables; False where somebody else has published meanwhile.
    """
    row = last.asDict() | {
        "generation": last["generation"] + 1,
        "tables": dict(last["tables"]) | dict(versions),
        "run_id": run_id,
        "published_at": published_at,
    }
    return publish_next(tables, row)


def publish_next(tables: Tables, row: Mapping[str, Any]) -> bool:
    """The one commit that makes a generation visible; False where its number is taken.

    The newest generation was read before: whoever stood still since then comes too late.
    """
    rows = tables.frame([row], PUBLICATIONS.ddl)
    return tables.append_next("ops.publications", rows, number=row["generation"])


def read(tables: Tables, generation: Generation | Stage, table: str) -> DataFrame:
    """A table as a generation, or a stage, pins it. Raises TableMissing where it does not.

    A table of identity that never had a row to write was not made; it is empty.
    """
    if table not in generation.tables:
        if table in IDENTITY_TABLES:
            return tables.frame([], table_shape(table).ddl)
        raise TableMissing(table, mend="It is not part of the generation. Run the night first.")
    return tables.read(table, version=generation.tables[table])


def fingerprint(inputs: Mapping[str, int], *declarations: Any) -> str:
    """A hash over input versions and everything declared that a build depends on.

    Equal to the last generation's: nothing has changed. ``fingerprint(base.inputs, *now)`` equal
    to it: only data has changed, and the build may be incremental.
    ``declarations`` are models or plain values of JSON; the order of keys does not matter.
    """
    content = {"inputs": dict(inputs), "declarations": [_plain(each) for each in declarations]}
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def data_mark(tables: Tables, inputs: Mapping[str, int], *declarations: Any) -> str:
    """``fingerprint``, also over the commits that the versions are of: a table that was removed and
    made anew, or restored from a backup, comes to the same numbers once more, with other rows.
    """
    made = {name: tables.commit_id(name, at) for name, at in inputs.items()}
    return fingerprint(inputs, made, *declarations)


def _fingerprints(generation: Generation) -> dict[str, str]:
    return dict(part.split(":", 1) for part in generation.fingerprint.split() if ":" in part)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(each) for each in value)
    return value
