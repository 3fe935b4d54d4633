"""One customer explained in the terminal: records, evidence, values, segments, exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.tree import Tree

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What is known of one customer, as rows of the tables that know it. Personal."""

    asked: str
    customer_id: str
    generation: int
    records: Rows
    links: Rows
    values: Mapping[str, Any]
    identifiers: Rows
    consents: Rows
    metrics: Mapping[str, Any]
    history: Rows
    segments: Rows
    changes: Rows
    exports: Rows
    held_back: Rows
    rejects: Rows


def explanation_text(found: Explanation) -> Tree:
    """The explanation as a tree."""
    root = Tree(f"[bold]{found.customer_id}[/bold] in generation {found.generation}")
    if found.asked != found.customer_id:
        root.label = f"{root.label}, asked for as {escape(found.asked)}"
    _branch(
        root,
        "records",
        [
            f"{row['record_id']} ({row['source']}, since {row['assigned_on']})"
            for row in found.records
        ],
    )
    _branch(root, "why they are one", [_link(link) for link in found.links])
    provenance = found.values.get("provenance") or {}
    _branch(
        root,
        "values and where they came from",
        [
            f"{name} = {found.values.get(name)}  ← {_origin(won)}"
            for name, won in sorted(provenance.items())
        ],
    )
    _branch(
        root,
        "identifiers",
        [
            f"{row['identifier']} {row['value']}"
            + ("" if row["is_linking"] else "  (not allowed to link)")
            for row in found.identifiers
        ],
    )
    _branch(
        root,
        "consents",
        [
            f"{row['purpose']} by {row['channel']}: {row['status']} on {row['stated_at']}"
            for row in found.consents
        ],
    )
    _branch(
        root,
        "metrics",
        [
            f"{name} = {value}"
            for name, value in found.metrics.items()
            if name != "customer_id" and value is not None
        ],
    )
    _branch(root, "segments", [_segment(row, found.changes) for row in found.segments])
    _branch(
        root,
        "exports",
        [
            f"{row['destination']} / {row['segment']}: {row['state']} ({row['outcome']}) on "
            f"{row['acknowledged_on']}, delivery {row['delivery']}"
            for row in found.exports
        ],
    )
    _branch(
        root,
        "held back",
        [f"{row['destination']} / {row['segment']}: {row['reason']}" for row in found.held_back],
    )
    _branch(
        root,
        "refused by the destination",
        [f"{row['destination']} / {row['segment']}: {row['reason']}" for row in found.rejects],
    )
    _branch(
        root,
        "history of the id",
        [
            f"{row['as_of']} {row['event']} {row['other_customer_id'] or ''} "
            f"{row['record_id'] or ''}".rstrip()
            for row in found.history
        ],
    )
    return root


def _branch(root: Tree, title: str, lines: Sequence[str]) -> None:
    branch = root.add(f"[bold]{title}[/bold]" if lines else f"[dim]{title}: none[/dim]")
    for line in lines:
        branch.add(escape(line))


def _link(link: Mapping[str, Any]) -> str:
    bridge = ", the only tie between two parts" if link["is_bridge"] else ""
    return f"{link['left']} — {link['right']}: {link['identifier']} ({link['strength']}){bridge}"


def _origin(won: Any) -> str:
    return f"{won['record_id']} of {won['observed_at']}" if won else "unknown"


def _segment(row: Mapping[str, Any], changes: Rows) -> str:
    change = next((each["change"] for each in changes if each["segment"] == row["segment"]), "")
    return f"{row['segment']} on {row['as_of']}" + (f" ({change})" if change else "")
