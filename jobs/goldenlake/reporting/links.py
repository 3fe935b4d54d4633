"""Two records in words: what ties them, and what each says."""

from __future__ import annotations

from collections.abc import Mapping

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


def side_by_side(left: Mapping[str, str], right: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What either says, by name: (name, left, right), empty where one says nothing."""
    names = dict.fromkeys([*left, *right])
    return [(name, left.get(name, ""), right.get(name, "")) for name in names]
