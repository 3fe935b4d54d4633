"""What stewards decided, and what waits for them, as counts."""

from __future__ import annotations

from pyspark.sql import functions as F

from goldenlake.declarations.catalogue import Catalogue
from goldenlake.identity import review
from goldenlake.identity.refinement import CANNOT, MUST, STEWARD
from goldenlake.ports import Tables
from goldenlake.steps.generations import Generation, read


def steward_counts(tables: Tables, generation: Generation, catalogue: Catalogue) -> dict[str, int]:
    """Decisions in force and waiting, and pairs waiting for one; empty where there are neither.

    A decision waits until its two records are there, and a new one for the next night.
    """
    edges = read(tables, generation, "identity.edges")
    counts: dict[str, int] = {}
    if catalogue.decisions:
        decided = edges.where(F.col("identifier") == STEWARD).groupBy("strength").count().collect()
        in_force = {row["strength"]: row["count"] for row in decided}
        counts = {
            "pairs that must be one person": in_force.get(MUST, 0),
            "pairs that cannot be one person": in_force.get(CANNOT, 0),
            "decisions that wait for their records": len(catalogue.decisions)
            - sum(in_force.values()),
        }
    if catalogue.matching is not None:
        customers = read(tables, generation, "identity.customers")
        settings = catalogue.matching.clustering
        waiting = review.uncertain(edges, customers, settings).count()
        counts["uncertain pairs that wait for a decision"] = waiting
    return counts if any(counts.values()) else {}
