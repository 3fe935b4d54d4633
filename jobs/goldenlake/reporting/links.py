"""Links between records in words."""

from __future__ import annotations

from goldenlake.identity.evidence import Link


def link_text(link: Link) -> str:
    """One line: what ties the two, how strongly, and by which rule."""
    weighed = (
        f", weight {link.weight:+.1f} by model {link.model}" if link.weight is not None else ""
    )
    bridge = ", the only tie between two parts" if link.is_bridge else ""
    nothing = "" if link.connects else ", connects nothing"
    return (
        f"{link.left} — {link.right}: {link.identifier} ({link.strength}){weighed}{nothing}{bridge}"
        f"; rule: {link.rule}"
    )
