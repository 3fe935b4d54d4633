"""The nightly page: one self-contained HTML file."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from goldenlake.reporting.facts import NightFacts

_HEADLINES = {
    "good": "A good night",
    "degraded": "The night went on without something",
    "held": "Something waits for a decision",
    "failed": "Something failed",
}


def night_page(facts: NightFacts) -> str:
    """The page as HTML: no script, no link to elsewhere but the Data Docs; everything escaped."""
    environment = Environment(
        loader=PackageLoader("goldenlake.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["n"] = lambda number: f"{number:,}".replace(",", "\u202f")
    environment.filters["share"] = lambda share: f"{share:.0%}"
    environment.filters["words"] = lambda name: str(name).replace("_", " ")
    template = environment.get_template("night.html.j2")
    return template.render(night=facts, headline=_HEADLINES[facts.verdict])
