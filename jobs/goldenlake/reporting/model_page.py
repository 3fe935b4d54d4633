"""The page of a model: one self-contained HTML file beside it, with figures and no values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf

from goldenlake.identity.matching.blocking import RuleReport
from goldenlake.identity.matching.charts import Band, ComparisonFigures
from goldenlake.identity.matching.em import Priors
from goldenlake.identity.matching.frequencies import LEAST_HOLDERS
from goldenlake.identity.matching.model import Model
from goldenlake.reporting.page import environment


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """A model, and what it makes of the records that it was trained on."""

    model: Model
    matchable: int
    """Records of which the sample was drawn."""
    figures: Sequence[ComparisonFigures]
    unlinkable: Sequence[tuple[float, float]]
    """Probabilities, and the share of records that do not reach them even against themselves."""
    bands: Sequence[Band]
    """Pairs of blocking."""
    rules: Sequence[RuleReport]
    sizes: Mapping[int, int]
    """Clusters of each size, in the sample."""

    @property
    def most_bits(self) -> int:
        """What the charts of weights reach, up and down."""
        bits = (abs(level.bits) for each in self.figures for level in each.levels)
        return ceil(max(bits, default=1.0)) or 1

    @property
    def clusters(self) -> int:
        """Those of one record too."""
        return sum(self.sizes.values())

    @property
    def largest(self) -> int:
        """Records of the largest cluster."""
        return max(self.sizes, default=0)


def model_page(facts: ModelFacts) -> str:
    """The page as HTML: no script, nothing from elsewhere, everything escaped."""
    found = environment()
    found.filters["bits"] = lambda bits: f"{bits:+.1f}".replace("-", "−")
    found.filters["chance"] = _chance
    found.filters["range"] = _range
    return found.get_template("model.html.j2").render(
        facts=facts,
        model=facts.model,
        came=facts.model.provenance,
        prior_bits=Priors.of(facts.model.odds).match,
        least_holders=LEAST_HOLDERS,
    )


def _chance(share: float) -> str:
    """A percentage with digits enough for the small shares of strangers."""
    if 0.9995 <= share < 1:
        return ">99.9%"
    if share >= 0.1:
        return f"{share:.1%}"
    return f"{share:.2%}" if share >= 0.0001 else "<0.01%"


def _range(band: Band) -> str:
    if band.low == -inf:
        return f"below {_plain(band.high)}"
    if band.high == inf:
        return f"from {_plain(band.low)}"
    return f"{_plain(band.low)} to {_plain(band.high)}"


def _plain(bits: float) -> str:
    return f"{bits:g}".replace("-", "−")
