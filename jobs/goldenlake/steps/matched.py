"""What a model did to the customers of a generation."""

from __future__ import annotations

from pyspark.sql import functions as F

from goldenlake.identity.matches import DOUBTFUL, LIKELY
from goldenlake.ports import Tables
from goldenlake.steps.generations import Generation, read


def matched(tables: Tables, generation: Generation) -> dict[str, int]:
    """Pairs by strength, ``likely`` and ``doubtful``, and how many customers the likely ones saved:
    ``joined`` is how many more links alone would make of the records.
    """
    edges = read(tables, generation, "identity.edges")
    rows = edges.where(F.col("strength").isin(LIKELY, DOUBTFUL)).groupBy("strength").count()
    counts = dict.fromkeys((LIKELY, DOUBTFUL), 0) | {row[0]: row[1] for row in rows.collect()}
    customers = read(tables, generation, "identity.customers")
    # A generation that an earlier release built does not know.
    if "link_group" not in customers.columns:
        return counts | {"joined": 0}
    more = F.count_distinct("link_group") - F.count_distinct("customer_id")
    ((joined,),) = customers.agg(more).collect()
    return counts | {"joined": joined}
