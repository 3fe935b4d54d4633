"""The blast-radius gate: what a build would do to customers, and who would be behind it; and
whether it forgets what they said no to, which nobody can accept.

Reasons name customers by their ids and say how many records they have, and nothing else of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.environment import BlastRadius
from goldenlake.declarations.source import Source
from goldenlake.ports import Tables
from goldenlake.steps.generations import Generation, Stage, read
from goldenlake.transforms.consent import ANY

_GATED = {
    "merged": "merged into others",
    "split": "split",
    "moved": "left by records that move to others",
    "retired": "retired",
}
"""Events of identity.history that have a limit, and what they say to a person."""
_MOST_NAMED = 5
_ALL_IS_GONE = (
    "Declare it again, with its consents; it need not get files. Where it is gone for good and "
    "what it said shall no longer count, name it in gone_sources of conf/consent.yml."
)
_PART_IS_GONE = "Declare these consents again; its files need not tell of them."
_SIZES = "customer_id string, records int"


@dataclass(frozen=True, kw_only=True)
class BlastGate:
    """One staged build, held against the limits."""

    limits: BlastRadius
    tables: Tables
    resolved: Stage | None
    golden: Stage
    base: Generation | None

    @cached_property
    def moves(self) -> dict[str, int]:
        """How many customers this build merged, split, moved and retired."""
        if self.resolved is None or "identity.history" not in self.resolved.tables:
            return {}
        rows = (
            self._events.groupBy("event")
            .agg(F.count_distinct("customer_id").alias("customers"))
            .collect()
        )
        return {row["event"]: row["customers"] for row in rows}

    @cached_property
    def before(self) -> int:
        """Customers of the generation that readers see."""
        if self.base is None or "gold.customers" not in self.base.tables:
            return 0
        return read(self.tables, self.base, "gold.customers").count()

    @property
    def counts(self) -> dict[str, int]:
        """For the result of the step."""
        moved = {f"customers_{event}": self.moves.get(event, 0) for event in _GATED}
        return {"customers_before": self.before, **moved}

    def reasons(self) -> list[str]:
        """Why the build must not be published; costs next to nothing where there is no reason."""
        return [*self._too_wide(), *self._too_large()]

    def _too_wide(self) -> list[str]:
        before = self.before
        if before < max(1, self.limits.least_customers):
            return []
        limits = {event: float(getattr(self.limits, event)) for event in _GATED}
        return [
            f"{self.moves[event]} of {before} customers ({self.moves[event] / before:.1%}) "
            f"would be {said}; the limit is {limits[event]:.1%} (blast_radius.{event} in "
            f"conf/env). Most of it: {self._behind(event)}."
            for event, said in _GATED.items()
            if self.moves.get(event, 0) > limits[event] * before
        ]

    def _behind(self, event: str) -> str:
        """The customers that gain most by an event, or that are no more, with their records.

        Merges and moves are told by whom they lead to, splits by whom they come from; who retires
        has the records that it had.
        """
        concerned = (
            self._events.where(F.col("event") == event)
            .groupBy(F.coalesce("other_customer_id", "customer_id").alias("customer_id"))
            .agg(F.count(F.lit(1)).alias("events"))
        )
        now = self._sizes(self.golden).withColumnRenamed("records", "_now")
        was = self._sizes(self.base).withColumnRenamed("records", "_was")
        told = (
            concerned.join(now, on="customer_id", how="left")
            .join(was, on="customer_id", how="left")
            .withColumn("records", F.coalesce("_now", "_was", F.lit(0)))
        )
        return _named(told, F.desc("events"))

    def _too_large(self) -> list[str]:
        table, most = "gold.customers", self.limits.largest_customer
        version = self.golden.tables.get(table)
        if version is None or (self.base and self.base.tables.get(table) == version):
            return []
        large = self._sizes(self.golden).where(F.col("records") > most)
        was = self._sizes(self.base).where(F.col("records") > most)
        grown = large.join(
            was.withColumnRenamed("records", "_was"), on="customer_id", how="left"
        ).where(F.col("records") > F.coalesce("_was", F.lit(0)))
        count = grown.count()
        if not count:
            return []
        said = f"{count} customers of more than {most:,} records would be new or have grown"
        where = "blast_radius.largest_customer in conf/env"
        return [f"{said} ({where}). Largest: {_named(grown)}."]

    @property
    def _events(self) -> DataFrame:
        """Of this build, those that have a limit."""
        assert self.resolved is not None
        number = (self.base.generation if self.base else 0) + 1
        return read(self.tables, self.resolved, "identity.history").where(
            (F.col("generation") == number) & F.col("event").isin(*_GATED)
        )

    def _sizes(self, of: Stage | Generation | None) -> DataFrame:
        """Customers with the number of their records."""
        if of is None or "gold.customers" not in of.tables:
            return self.tables.frame([], _SIZES)
        return read(self.tables, of, "gold.customers").select("customer_id", "records")


def lost_refusals(
    tables: Tables,
    base: Generation | None,
    golden: Stage,
    *,
    sources: Sequence[Source],
    policy: ConsentPolicy,
) -> list[str]:
    """Why a build must not be published which drops what people said no to, since by the
    declarations their source says nothing of it any more: they would be sent to again on an older
    yes. What can be sent for no purpose, or by no channel, that there is may go.
    """
    table = "gold.consents"
    if base is None or base.tables.get(table) in (None, golden.tables.get(table)):
        return []
    said = read(tables, base, table).where(F.col("status") != "granted")
    said = said.where(~F.col("source").isin(*policy.gone_sources))
    stating = {source.source: source.consents for source in sources if source.consents}
    lost: Counter[tuple[str, str]] = Counter()
    for row in said.groupBy("source", "purpose", "channel").count().collect():
        source, purpose, channel = row["source"], row["purpose"], row["channel"]
        if source not in stating:
            lost[source, ""] += row["count"]
            continue
        can_be_sent = purpose in (ANY, *policy.purposes) and channel in (ANY, *policy.channels)
        is_heard = any(each.may_be_about(purpose, channel) for each in stating[source])
        if can_be_sent and not is_heard:
            lost[source, f"to {purpose} by {channel} "] += row["count"]
    return [
        f"{source} states consent {about}no more by conf/sources, and {count:,} times somebody "
        "said no through it, which would not be heard any more. "
        + (_PART_IS_GONE if about else _ALL_IS_GONE)
        for (source, about), count in sorted(lost.items())
    ]


def _named(customers: DataFrame, *first: Column) -> str:
    rows = customers.orderBy(*first, F.desc("records"), "customer_id").limit(_MOST_NAMED).collect()
    return ", ".join(f"{row['customer_id']} of {row['records']:,} records" for row in rows)
