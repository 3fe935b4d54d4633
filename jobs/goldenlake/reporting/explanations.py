"""One customer explained in the terminal: records, evidence, values, segments, exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from goldenlake.identity.evidence import Link
from goldenlake.identity.merging import Merge
from goldenlake.reporting.links import link_text
from goldenlake.reporting.waterfalls import share

_MOST_RIVALS = 5
"""Values that did not win, an attribute."""

Row = Mapping[str, Any]
Rows = Sequence[Row]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What is known of one customer, as rows of the tables that know it. Personal."""

    asked: str
    customer_id: str
    generation: int
    records: Rows
    links: Sequence[Link]
    merges: Sequence[Merge]
    """What made them one, in order."""
    values: Row
    rules: Mapping[str, str]
    """How the winner of each attribute is chosen, as declared."""
    rivals: Rows
    """What each record says of an attribute, the winner's among them."""
    identifiers: Rows
    consents: Rows
    metrics: Row
    history: Rows
    segments: Rows
    """Each segment on the last day on which it was built, whether they are in it or not."""
    exports: Rows
    held_back: Rows
    rejects: Rows


def explanation_text(found: Explanation) -> Tree:
    """The explanation as a tree; what there is nothing to tell of stands there as none."""
    root = Tree(f"[bold]{escape(found.customer_id)}[/bold] in generation {found.generation}")
    if found.asked != found.customer_id:
        root.label = f"{root.label}, asked for as {escape(found.asked)}"
    provenance = found.values.get("provenance") or {}
    _branch(root, "records", [_record(row) for row in found.records])
    _branch(root, "why they are one", [link_text(link) for link in found.links])
    _branch(root, "how they came together", [_merge(merge) for merge in found.merges])
    _branch(
        root,
        "values and where they came from",
        [
            _value(found, name, won)
            for name, won in sorted(provenance.items())
            if found.values.get(name) is not None
        ],
    )
    _branch(root, "identifiers", [_identifier(row) for row in found.identifiers])
    _branch(root, "consents", [_consent(row) for row in found.consents])
    _branch(
        root,
        "metrics",
        [
            f"{name} = {value}"
            for name, value in found.metrics.items()
            if name != "customer_id" and value is not None
        ],
    )
    _branch(root, "segments", [_segment(row) for row in found.segments if _moves(row)])
    _branch(root, "exports", [_export(row) for row in found.exports])
    _branch(
        root,
        "held back",
        [f"{_aim(row)}: {row['reason']} on {row['as_of']}" for row in found.held_back],
    )
    _branch(
        root,
        "refused by the destination",
        [f"{_aim(row)}: {row['reason']} on {row['rejected_on']}" for row in found.rejects],
    )
    _branch(root, "history of the id", [_event(row) for row in found.history])
    return root


def _branch(root: Tree, title: str, lines: Sequence[str]) -> None:
    branch = root.add(f"[bold]{title}[/bold]" if lines else f"[dim]{title}: none[/dim]")
    for line in lines:
        branch.add(escape(line))


def _record(row: Row) -> str:
    return f"{row['record_id']} ({row['source']}, since {row['assigned_on']})"


def _merge(merge: Merge) -> str:
    by = merge.bridge.identifier
    if merge.probability is not None:
        by = f"the model, at a mean of {share(merge.probability)}"
    left, right = (_part(part) for part in (merge.left, merge.right))
    return f"{left} and {right} by {by}\n  bridge: {link_text(merge.bridge)}"


def _part(records: Sequence[str]) -> str:
    return records[0] if len(records) == 1 else f"the {len(records)} of {records[0]}"


def _value(found: Explanation, name: str, won: Any) -> str:
    value = found.values[name]
    rivals = [
        f"\n  over {row['value']}  ← {_origin(row)}"
        for row in found.rivals
        if row["attribute"] == name and row["value"] != value
    ]
    left_out = len(rivals) - _MOST_RIVALS
    if left_out > 0:
        rivals[_MOST_RIVALS:] = [f"\n  over {left_out} more"]
    rule = f"  ({found.rules[name]})" if name in found.rules else ""
    return f"{name} = {value}  ← {_origin(won)}{rule}{''.join(rivals)}"


def _origin(won: Any) -> str:
    return f"{won['record_id']} of {won['observed_at']}" if won else "unknown"


def _identifier(row: Row) -> str:
    allowed = "" if row["is_linking"] else "  (not allowed to link)"
    return f"{row['identifier']} {row['value']}{allowed}"


def _consent(row: Row) -> str:
    return f"{row['purpose']} by {row['channel']}: {row['status']} on {row['stated_at']}"


def _moves(row: Row) -> bool:
    return bool(row["is_member"] or row["change"])


def _segment(row: Row) -> str:
    change = {"entered": ", new on that day", "exited": ", left on that day"}
    place = "in" if row["is_member"] else "not in"
    return f"{place} {row['segment']} on {row['as_of']}{change.get(row['change'], '')}"


def _aim(row: Row) -> str:
    return f"{row['destination']} / {row['segment']}"


def _export(row: Row) -> str:
    return (
        f"{_aim(row)}: {row['state']} ({row['outcome']}) on {row['acknowledged_on']}, "
        f"delivery {row['delivery']}"
    )


def _event(row: Row) -> str:
    """From the view of the id that the row is about, which may be one that this one absorbed."""
    other = row["other_customer_id"]
    words = {"merged": "into", "split": "from", "moved": "to"}
    to = f" {words.get(row['event'], '')} {other}" if other else ""
    record = f" with {row['record_id']}" if row["record_id"] else ""
    return f"{row['as_of']} {row['customer_id']} {row['event']}{to}{record}"
