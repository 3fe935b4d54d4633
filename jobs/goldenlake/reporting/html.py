"""What all pages share: self-contained HTML, in which every value is escaped."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def html() -> Environment:
    """Templates of this package, with the filters that any page needs."""
    environment = Environment(
        loader=PackageLoader("goldenlake.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["n"] = lambda number: f"{number:,}".replace(",", "\u202f")
    environment.filters["share"] = _share
    environment.filters["words"] = lambda name: str(name).replace("_", " ")
    return environment


def _share(share: float) -> str:
    """A percentage that says 0 and 100 only where it is exactly so."""
    if 0 < share < 0.01:
        return "<1%"
    if 0.99 < share < 1:
        return ">99%"
    return f"{share:.0%}"
