"""A match weight taken apart: how it comes from the prior, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from goldenlake.identity.matching.arrays import Codes
from goldenlake.identity.matching.em import Priors, probability
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.tables import cells_of

Kind = Literal["prior", "comparison", "frequency", "household"]


@dataclass(frozen=True)
class Step:
    """One part of a weight."""

    kind: Kind
    comparisons: tuple[str, ...]
    """Whose part it is; several where they share one table, none for prior and household."""
    levels: tuple[str, ...]
    """The level of each comparison; empty where the step is about no level."""
    bits: float


@dataclass(frozen=True)
class Waterfall:
    """The steps of one pair; their bits add up to its weight."""

    steps: tuple[Step, ...]
    weight: float
    """log2 odds."""
    evidence: float
    """What the comparisons say by themselves, in bits: against a stranger and somebody of the
    household, where each is as likely beforehand as the same person."""

    @property
    def probability(self) -> float:
        """The weight as a probability."""
        return float(probability(np.array(self.weight)))


def waterfalls(scorer: Scorer, left: Codes, right: Codes) -> list[Waterfall]:
    """Take apart the weights of pairs of row numbers.

    A step of kind ``comparison`` stands for each table of the model, also where a value is missing
    and says nothing; one of kind ``frequency`` where the rarity of a value does. ``household`` is
    what the weight loses to the chance that they are two people of one household.
    """
    scores, model = scorer.score(left, right), scorer.model
    odds, plan = model.odds, model.plan
    cells = cells_of(scores.levels, model.layouts)
    match_bits = odds.match_bits[cells]
    rarity = scorer.terms.added_by_each(left, right, scores.levels)
    is_shared = [not comparison.kind.is_personal for comparison in plan.comparisons]
    priors = Priors.of(odds)
    shared = odds.household_bits[cells].sum(axis=1) + rarity[:, is_shared].sum(axis=1)
    lost = np.logaddexp2(0.0, shared + priors.household)
    others = np.logaddexp2(0.0, shared) if np.isfinite(priors.household) else 0.0
    evidence = scores.weights - priors.match + lost - others
    found = []
    for pair, levels in enumerate(scores.levels):
        steps = [Step("prior", (), (), priors.match)]
        for at, layout in enumerate(model.layouts):
            compared = [(plan.comparisons[each], levels[each]) for each in layout.comparisons]
            names = tuple(comparison.name for comparison, _ in compared)
            said = tuple(comparison.kind.levels[level] for comparison, level in compared)
            steps.append(Step("comparison", names, said, float(match_bits[pair, at])))
            steps += [
                Step("frequency", (plan.names[each],), (), float(rarity[pair, each]))
                for each in layout.comparisons
                if rarity[pair, each]
            ]
        if lost[pair]:
            steps.append(Step("household", (), (), -float(lost[pair])))
        found.append(Waterfall(tuple(steps), float(scores.weights[pair]), float(evidence[pair])))
    return found
