"""What a published generation tells of itself on the page, counted once and remembered."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pyspark.sql import functions as F

from goldenlake.declarations.catalogue import Catalogue
from goldenlake.identity.refinement import connecting
from goldenlake.ports import Tables
from goldenlake.reporting.facts import GenerationFacts
from goldenlake.steps.generations import Generation, fingerprint, read
from goldenlake.steps.matched import matched
from goldenlake.steps.stewards import steward_counts

#: Raise it when the code counts differently: what was remembered is counted anew then.
LOGIC = 1
_SIZES = ((1, "1"), (2, "2"), (3, "3"), (5, "4–5"), (10, "6–10"), (25, "11–25"), (10**9, "26+"))
_NAME = "published"
_FACTS = TypeAdapter(GenerationFacts)


def remembered(facts: GenerationFacts) -> dict[str, Any]:
    """For the details of a run of ``report``; nothing where nothing is published."""
    return {_NAME: _FACTS.dump_python(facts, mode="json")} if facts.mark else {}


@dataclass(frozen=True, kw_only=True)
class Counting:
    """How a generation's facts are come by."""

    generation: Generation
    catalogue: Catalogue
    is_matched: bool
    """Whether a model joined its customers."""

    @property
    def mark(self) -> str:
        """Equal marks, equal facts."""
        of, matching = self.generation, self.catalogue.matching
        return fingerprint(
            of.tables,
            LOGIC,
            of.generation,
            of.fingerprint,
            self._attributes,
            len(self.catalogue.decisions),
            matching.clustering if matching else None,
            self.is_matched,
        )

    @property
    def _attributes(self) -> list[str]:
        return [each.name for each in self.catalogue.tables["gold.customers"].attributes]

    def among(self, details: Iterable[str | None]) -> GenerationFacts | None:
        """The facts, if they stand in these details of runs (JSON)."""
        mark = self.mark
        told = (json.loads(text or "{}").get(_NAME) or {} for text in details)
        found = (_facts(each) for each in told if each.get("mark") == mark)
        return next((facts for facts in found if facts), None)

    def of(self, tables: Tables) -> GenerationFacts:
        """The facts, from the tables."""
        customers, sizes, completeness = self._customers(tables)
        edges = connecting(read(tables, self.generation, "identity.edges"))
        links = edges.groupBy("identifier").count().collect()
        links_by = sorted(links, key=lambda row: -row["count"])
        history = read(tables, self.generation, "identity.history")
        events = history.where(F.col("generation") == self.generation.generation)
        review = read(tables, self.generation, "identity.review")
        return GenerationFacts(
            mark=self.mark,
            identity={
                "records": customers["records"],
                "links": sum(row["count"] for row in links),
                **{name: customers[name] for name in ("customers", "known customers")},
                "anonymous visitors": customers["customers"] - customers["known customers"],
                **{f"links by {row['identifier']}": row["count"] for row in links_by},
            },
            cluster_sizes=sizes,
            events=_counts(events.groupBy("event").count().collect()),
            review=_counts(review.groupBy("reason").count().collect()),
            completeness=completeness,
            stewards=steward_counts(tables, self.generation, self.catalogue),
            matched=matched(tables, self.generation) if self.is_matched else {},
        )

    def _customers(
        self, tables: Tables
    ) -> tuple[dict[str, int], list[tuple[str, int]], list[tuple[str, float]]]:
        attributes = self._attributes
        bucket = F.lit(_SIZES[-1][1])
        for most, label in reversed(_SIZES[:-1]):
            bucket = F.when(F.col("records") <= most, label).otherwise(bucket)
        rows = (
            read(tables, self.generation, "gold.customers")
            .groupBy("is_known", bucket.alias("bucket"))
            .agg(
                F.count(F.lit(1)).alias("customers"),
                F.sum("records").alias("records"),
                *(F.count(name).alias(f"has_{name}") for name in attributes),
            )
            .collect()
        )
        known = [row for row in rows if row["is_known"]]
        totals = {
            "records": sum(row["records"] for row in rows),
            "customers": sum(row["customers"] for row in rows),
            "known customers": sum(row["customers"] for row in known),
        }
        sizes = [
            (label, sum(row["customers"] for row in rows if row["bucket"] == label))
            for _, label in _SIZES
        ]
        of_all = max(totals["known customers"], 1)
        shares = [(name, sum(row[f"has_{name}"] for row in known) / of_all) for name in attributes]
        return totals, sizes, shares


def _facts(told: Any) -> GenerationFacts | None:
    """None where another version, or somebody's hand, wrote them otherwise."""
    try:
        return _FACTS.validate_python(told)
    except ValidationError:
        return None


def _counts(rows: Iterable[Any]) -> dict[str, int]:
    return {row[0]: row["count"] for row in rows}
