"""Why a customer is who they are, and what was done with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.declarations.table import TableColumn
from goldenlake.identity.evidence import customer_named, evidence, links_among
from goldenlake.identity.ids import redirects
from goldenlake.identity.matching.model import Model
from goldenlake.identity.merging import Component, Merge, merges
from goldenlake.identity.profiles import profile_table
from goldenlake.identity.trained import TrainedModel
from goldenlake.ports import Tables
from goldenlake.reporting.explanations import Explanation
from goldenlake.steps.generations import Generation, read
from goldenlake.steps.pinned import pinned
from goldenlake.steps.reading import generation_of
from goldenlake.steps.story import activation_story
from goldenlake.transforms.survivorship import observations


@dataclass(frozen=True, kw_only=True)
class Explain:
    """Everything that a published generation and the ledgers know of one customer.

    ``who`` is a customer id, also one that has been merged into another, or a record id. What is
    given holds personal data: it is for the eyes of the person who asked.

    Args:
        attributes: of gold.customers; their survivorship is told with the values.
        sources: whose records are asked for the values that did not win.
        rules: what may link; without them it is not told how the customer came together.
        trained: the model that joins records; None without one.
    """

    who: str
    attributes: Sequence[TableColumn] = ()
    sources: Sequence[Source] = ()
    rules: IdentityRules | None = None
    trained: TrainedModel | None = None

    def run(self, tables: Tables) -> Explanation:
        """Raises CustomerUnknown; TableMissing before the first publication."""
        generation = generation_of(tables)
        customers = read(tables, generation, "identity.customers")
        history = read(tables, generation, "identity.history")
        customer_id = customer_named(self.who, customers, history)
        edges = read(tables, generation, "identity.edges")
        found = evidence(customer_id, customers, edges)
        golden = _rows(read(tables, generation, "gold.customers"), customer_id)

        def of(table: str) -> list[dict[str, Any]]:
            if table not in generation.tables:
                return []
            return _rows(read(tables, generation, table), customer_id)

        past = (F.col("customer_id") == customer_id) | (F.col("other_customer_id") == customer_id)
        became = redirects(history).where(F.col("current_customer_id") == customer_id)
        earlier = sorted(row["customer_id"] for row in became.collect())
        story = activation_story(tables, customer_id, earlier=earlier)
        return Explanation(
            asked=self.who,
            customer_id=customer_id,
            generation=generation.generation,
            records=sorted(of("gold.sources"), key=lambda row: str(row["record_id"])),
            links=found.links,
            merges=self._merges(tables, generation, found.records),
            values=golden[0] if golden else {},
            rules={each.name: str(each.survivorship) for each in self.attributes},
            rivals=self._rivals(tables, generation, found.records),
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

    def _merges(
        self, tables: Tables, generation: Generation, records: Sequence[str]
    ) -> list[Merge]:
        """What made these records one, found by refining their component once more."""
        if len(records) < 2 or self.rules is None:
            return []
        customers = read(tables, generation, "identity.customers")
        reached = customers.where(F.col("record_id") == records[0]).select("component")
        people = customers.join(F.broadcast(reached), on="component", how="left_semi")
        model = Model.from_json(self.trained.text) if self.trained else None
        rows = (
            read(tables, generation, "identity.records")
            .join(F.broadcast(people), on="record_id", how="left_semi")
            .select("record_id", "profile")
            .collect()
        )
        rows = sorted(rows, key=lambda row: str(row["record_id"]))
        compared = list(model.matching.columns) if model else []
        table = profile_table([row["profile"] for row in rows], compared)
        ids = pa.array([row["record_id"] for row in rows])
        component = Component(
            pa.table([ids, *table.columns], names=["record_id", *compared]),
            links_among(people, read(tables, generation, "identity.edges")),
            self.rules.largest_cluster,
            model,
        )
        own = set(records)
        return [merge for merge in merges(component) if own.issuperset(merge.left)]

    def _rivals(
        self, tables: Tables, generation: Generation, records: Sequence[str]
    ) -> list[dict[str, Any]]:
        """What each of the records says, as it was when the generation was built."""
        said = [
            observations(
                silver.where(F.col("record_id").isin(list(records))), source, self.attributes
            )
            for source in self.sources
            if any(each.name in source.attributes for each in self.attributes)
            and (silver := pinned(tables, generation.inputs, source)) is not None
        ]
        if not said:
            return []
        rows = reduce(DataFrame.unionByName, said).orderBy("record_id").collect()
        return [
            {"attribute": each.name, "record_id": row["record_id"], **row[each.name].asDict()}
            for row in rows
            for each in self.attributes
            if row[each.name] is not None
        ]


def _rows(frame: DataFrame, customer_id: str) -> list[dict[str, Any]]:
    return [row.asDict() for row in frame.where(F.col("customer_id") == customer_id).collect()]
