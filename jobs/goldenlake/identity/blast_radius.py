"""Whether a build changes more customers in one night than anybody would believe."""

from __future__ import annotations

from collections.abc import Mapping

from goldenlake.declarations.environment import BlastRadius


def blast_radius(counts: Mapping[str, int], limits: BlastRadius) -> list[str]:
    """Reasons not to publish, for PublicationRefused; none where all is within its limit.

    ``counts`` are those of resolve. Shares are of the customers before the build: ids that were
    merged into another, ids split off from another, and ids retired.
    """
    before = counts.get("customers_before", 0)
    if before < limits.least_customers:
        return []
    judged = (
        ("merged", counts.get("merged", 0), limits.merged),
        ("split", counts.get("split_off", 0), limits.split),
        ("retired", counts.get("retired", 0), limits.retired),
    )
    return [
        f"{count} of {before} customers would be {what} ({count / before:.1%}, limit {limit:.1%})."
        for what, count, limit in judged
        if count > limit * before
    ]
