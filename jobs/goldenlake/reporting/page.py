"""The nightly page: one self-contained HTML file."""

from __future__ import annotations

from datetime import date

from jinja2 import Environment, PackageLoader, StrictUndefined

from goldenlake.reporting.facts import NightFacts
from goldenlake.reporting.match_charts import sample_pair, waterfall, weights_chart

_HEADLINES = {
    "good": "A good night",
    "degraded": "The night went on without something",
    "held": "Something waits for a decision",
    "failed": "Something failed",
    "empty": "Nothing has run for this day",
}
_MOST_OVERLAPS = 10
"""Segments in the table of overlaps; more columns are unreadable."""


def night_page(facts: NightFacts) -> str:
    """The page as HTML: no script, no link to elsewhere but the Data Docs; everything escaped."""
    template = environment().get_template("night.html.j2")
    compared = [each for each in facts.segments if each.members][:_MOST_OVERLAPS]
    return template.render(
        night=facts,
        headline=_HEADLINES[facts.verdict],
        compared=compared if facts.overlaps else [],
        ago=_ago,
    )


def environment() -> Environment:
    """Templates with the filters that all pages share; whatever is put in is escaped."""
    found = Environment(
        loader=PackageLoader("goldenlake.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["n"] = lambda number: f"{number:,}".replace(",", "\u202f")
    found.filters["share"] = _share
    found.filters["words"] = lambda name: str(name).replace("_", " ")
    found.filters["day"] = lambda day: f"{day:%A}, {day.day} {day:%B %Y}"
    found.filters["duration"] = _duration
    found.filters["weights_chart"] = weights_chart
    found.filters["sample_waterfall"] = lambda model: waterfall(sample_pair(model))
    return found


def _share(share: float) -> str:
    """A percentage that says 0 and 100 only where it is exactly so."""
    if 0 < share < 0.01:
        return "<1%"
    if 0.99 < share < 1:
        return ">99%"
    return f"{share:.0%}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _ago(day: date, now: date) -> str:
    days = (now - day).days
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days before")
