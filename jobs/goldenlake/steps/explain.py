"""Why a customer is who they are, and what was done with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.errors import CustomerUnknown
from goldenlake.identity.evidence import customer_of, evidence
from goldenlake.identity.ids import redirects
from goldenlake.ports import Tables
from goldenlake.reporting.explanations import Explanation
from goldenlake.steps.generations import read
from goldenlake.steps.reading import generation_of
from goldenlake.steps.story import activation_story


@dataclass(frozen=True, kw_only=True)
class Explain:
    """Everything that a published generation and the ledgers know of one customer.

    ``who`` is a customer id, also one that has been merged into another, or a record id. What is
    given holds personal data: it is for the eyes of the person who asked.
    """

    who: str

    def run(self, tables: Tables) -> Explanation:
        """Raises CustomerUnknown; TableMissing before the first publication."""
        generation = generation_of(tables)
        customers = read(tables, generation, "identity.customers")
        history = read(tables, generation, "identity.history")
        customer_id = self._resolved(customers, history)
        found = evidence(customer_id, customers, read(tables, generation, "identity.edges"))
        golden = _rows(read(tables, generation, "gold.customers"), customer_id)

        def of(table: str) -> list[dict[str, Any]]:
            if table not in generation.tables:
                return []
            return _rows(read(tables, generation, table), customer_id)

        past = (F.col("customer_id") == customer_id) | (F.col("other_customer_id") == customer_id)
        story = activation_story(tables, customer_id)
        return Explanation(
            asked=self.who,
            customer_id=customer_id,
            generation=generation.generation,
            records=sorted(of("gold.sources"), key=lambda row: str(row["record_id"])),
            links=[vars(link) for link in found.links],
            values=golden[0] if golden else {},
            identifiers=sorted(
                of("gold.identifiers"), key=lambda row: (row["identifier"], row["value"])
            ),
            consents=sorted(of("gold.consents"), key=lambda row: (row["purpose"], row["channel"])),
            metrics=next(iter(of("gold.metrics")), {}),
            history=[
                row.asDict()
                for row in history.where(past)
                .orderBy("generation", "event", "customer_id", "other_customer_id", "record_id")
                .collect()
            ],
            segments=story["segments"],
            exports=story["ledger"],
            held_back=story["held_back"],
            rejects=story["rejects"],
        )

    def _resolved(self, customers: DataFrame, history: DataFrame) -> str:
        by_record = customer_of(customers, self.who)
        if by_record:
            return by_record
        if not customers.where(F.col("customer_id") == self.who).isEmpty():
            return self.who
        moved = redirects(history).where(F.col("customer_id") == self.who).first()
        if moved is None:
            raise CustomerUnknown(self.who)
        return str(moved[1])


def _rows(frame: DataFrame, customer_id: str) -> list[dict[str, Any]]:
    return [row.asDict() for row in frame.where(F.col("customer_id") == customer_id).collect()]
