"""Nights of resolve on a small lake: silver that is written straight, without files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import StepResult
from goldenlake.schemas import SILVER_COLUMNS
from goldenlake.steps import generations
from goldenlake.steps.resolve import Resolve
from support.bronze import source_of
from support.matching import ROLES

RULES = IdentityRules.model_validate(
    {"identifiers": {"account": {"description": "Customer number.", "strength": "unique"}}}
)
#: Contacts that are compared by all of ``support.matching.ROLES``, and tied by an account.
CRM = source_of(
    load="increment",
    key=["contact"],
    columns=[{"name": name} for name in ("contact", "account", *ROLES)],
    identifiers={"account": "account"},
    attributes={name: name for name in ROLES},
)


def silver(
    tables: DeltaTables, source: Source, rows: Iterable[Mapping[str, Any]], day: date
) -> None:
    """Upsert rows of a keyed source, or append rows of another, as conform does.

    A row with ``nobody`` is none that ``people`` of its source lets name a person.
    """
    own = ", ".join(f"{name} STRING" for name in source.column_names)
    full = []
    for row in rows:
        values = {name: row.get(name) for name in source.column_names}
        named = "|".join(f"{k}={row[k]}" for k in sorted(source.identifiers) if row.get(k))
        key = row["contact"] if source.is_profile else named
        is_somebody = key and not row.get("nobody")
        values["record_id"] = f"{source.source}:{key}" if is_somebody else None
        values |= {"_file_on": day, "_landed_on": day, "_file_id": row.get("file", day.isoformat())}
        values["_is_deleted"] = row.get("deleted", False)
        full.append(values)
    frame = tables.spark.createDataFrame(full, f"{SILVER_COLUMNS}, {own}")
    table = f"silver.{source.source}"
    if source.key:
        tables.merge(table, frame, on=source.key)
    else:
        tables.append(table, frame)


def resolve(
    tables: DeltaTables,
    day: date,
    rules: IdentityRules,
    sources: Mapping[str, Source],
    **matching: Any,
) -> StepResult:
    step = Resolve(sources=sources, rules=rules, as_of=day, run_id=f"run-{day}", **matching)
    return step.run(tables, lambda _: None)


def publish(tables: DeltaTables, day: date) -> None:
    staged = generations.staged(tables, "resolve")
    assert staged is not None
    at = datetime(day.year, day.month, day.day, 3, tzinfo=UTC)
    generations.publish(tables, [staged], run_id=staged.run_id, as_of=day, published_at=at)


def overtake(tables: DeltaTables) -> None:
    """Publish the newest generation once more, as upkeep does."""
    [*_, last] = generations.publications(tables)
    at = datetime.now(UTC)
    assert generations.repin(tables, last, {}, run_id="upkeep", published_at=at)


def customer_of(tables: DeltaTables) -> dict[str, str]:
    rows = tables.read("identity.customers").collect()
    assert len({row["record_id"] for row in rows}) == len(rows)
    return {row["record_id"]: row["customer_id"] for row in rows}
