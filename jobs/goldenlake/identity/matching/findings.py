"""What a trainer can see of its own faults without labels, and what to do about each."""

from __future__ import annotations

from collections.abc import Sequence

from goldenlake.identity.matching.arrays import Floats
from goldenlake.identity.matching.comparisons import Comparison, Plan
from goldenlake.identity.matching.em import Estimate
from goldenlake.identity.matching.provenance import Finding, Provenance
from goldenlake.identity.matching.tables import Layout, complete_marginal

MOST_DIFFERING = 0.35
"""An m above this for "differs" is implausible: the records of one person do not differ in every
third given name, family name or date of birth."""

LARGEST_SHARE = 0.05
"""A component with more of the records than this is not one of people."""

SWALLOWING = "swallowing_component"
"""With this finding a model would join people by the thousands."""

FEWEST_MATCHES = 20.0
MOST_CHANGE = 0.01
"""EM that stops while an m moves by more than this has not converged."""


def of_estimate(estimate: Estimate, plan: Plan, layouts: Sequence[Layout]) -> list[Finding]:
    """Doubts about what EM found."""
    found = []
    if not estimate.rounds or estimate.change > MOST_CHANGE:
        found.append(
            Finding(
                name="not_converged",
                subject="em",
                message=f"m still moves by {estimate.change:.2g} after {estimate.rounds} rounds. "
                "Raise most_rounds; if that does not help, the columns tell too little.",
            )
        )
    matches = estimate.odds.expected_matches
    if matches < FEWEST_MATCHES:
        found.append(
            Finding(
                name="too_few_matches",
                subject="em",
                message=f"only {matches:.1f} matches are expected among the pairs. "
                "Train on a larger sample, or on one that holds duplicates.",
            )
        )
    for layout, m, u in zip(layouts, estimate.odds.m, estimate.odds.u, strict=True):
        for axis, number in enumerate(layout.comparisons):
            shares = (complete_marginal(table, layout, axis) for table in (m, u))
            found += _of_comparison(plan.comparisons[number], *shares)
    return found


def of_components(sizes: Sequence[int], most_dense: int) -> list[Finding]:
    """Doubts about what the edges connect."""
    largest, records = max(sizes, default=0), sum(sizes)
    if largest > max(LARGEST_SHARE * records, 50) or largest > most_dense:
        return [
            Finding(
                name=SWALLOWING,
                subject="components",
                message=f"one component holds {largest} of {records} records. Look at the "
                "m of what agrees there; drop a weak column, or raise clustering.edge.",
            )
        ]
    return []


def between(before: Provenance, after: Provenance) -> list[Finding]:
    """Doubts about a pass: what the one before did not raise, or very different matches."""
    known = {(finding.name, finding.subject) for finding in before.findings}
    new = [each for each in after.findings if (each.name, each.subject) not in known]
    if 0.67 * before.expected_matches <= after.expected_matches <= 1.5 * before.expected_matches:
        return new
    drift = Finding(
        name="drift",
        subject=f"pass {after.passes}",
        message=f"expected matches went from {before.expected_matches:.0f} to "
        f"{after.expected_matches:.0f}; the pass before was kept. Check whether columns agree for "
        "reasons other than identity.",
    )
    return [*new, drift]


def _of_comparison(comparison: Comparison, m: Floats, u: Floats) -> list[Finding]:
    found = []
    if comparison.kind_name in ("given", "family", "date") and m[-1] > MOST_DIFFERING:
        found.append(
            Finding(
                name="implausible_m",
                subject=comparison.name,
                message=f"m of “differs” is {m[-1]:.2f}: what EM took for one person differs here "
                "too often. Remove columns that households share, or add a stronger one.",
            )
        )
    if m[1] / u[1] < 1.0:
        found.append(
            Finding(
                name="agreement_against_match",
                subject=comparison.name,
                message="exact agreement counts against a match. The column is no trait of a "
                "person in these data: leave it out.",
            )
        )
    return found
