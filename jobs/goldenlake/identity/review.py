"""What a steward should look at: pairs on which a decision would tell most.

Two sorts. *Uncertain* pairs are matches in the band around one half, in which the model would not
be surprised to be wrong. *Bridges* are what holds a customer's parts together: the strongest tie
across the weakest place, where one wrong tie makes two people one.

A pair's weight in the list is how many pairs of records are expected to be wrong if nobody looks:
the chance that the present answer is wrong, times the pairs of records that would change it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from goldenlake.declarations.matching import Clustering
from goldenlake.identity.evidence import Link, strongest_first
from goldenlake.identity.matches import LIKELY, MATCH, probability
from goldenlake.identity.refinement import MUST, STEWARD, connecting

UNCERTAIN, BRIDGE = "uncertain", "bridge"

TRUST = {"unique": 10.0, "strong": 7.0, "weak": 4.0}
"""log2 odds that a tie of this strength is right, before anything is compared; rough, and for the
order of the list alone."""

_EDGE = ("left_record", "right_record", "identifier", "strength", "rule", "model", "weight")
_BRIDGES = (
    "customer_id string, left_record string, right_record string, identifier string, "
    "strength string, rule string, model string, weight double, affected bigint"
)
_BRIDGES_ARROW = pa.schema(
    [
        ("customer_id", pa.string()),
        *((name, pa.string()) for name in _EDGE[:-1]),
        ("weight", pa.float64()),
        ("affected", pa.int64()),
    ]
)


def uncertain(edges: DataFrame, customers: DataFrame, settings: Clustering) -> DataFrame:
    """Matches in the band around one half that nobody has decided, one for any two customers.

    Gives (kind, left_customer, right_customer, left_record, right_record, identifier, strength,
    rule, model, weight, affected): of two customers, unless a steward holds them apart, the most
    probable pair; inside one, of the pairs that connect, the least.
    """
    found = _owned(edges.where(F.col("identifier").isin(MATCH, STEWARD)), customers)
    is_one = F.col("left_customer") == F.col("right_customer")
    chance = probability(F.col("weight"))
    two = ("_one", "_other")
    named = found.withColumns(
        {
            two[0]: F.least("left_customer", "right_customer"),
            two[1]: F.greatest("left_customer", "right_customer"),
        }
    )
    # A pair that must be one says nothing of other pairs of its customer; one that cannot does.
    decided = named.where(F.col("identifier") == STEWARD)
    apart = decided.where(~is_one).select(*two).distinct()
    together = decided.where(is_one).select("left_record", "right_record").distinct()
    band = chance.between(settings.doubtful, 1 - settings.doubtful)
    nearest = Window.partitionBy(*two).orderBy(
        F.when(is_one, chance).otherwise(-chance), "left_record", "right_record"
    )
    first = (
        named.where((F.col("identifier") == MATCH) & (~is_one | (F.col("strength") == LIKELY)))
        .join(apart, on=list(two), how="left_anti")
        .join(together, on=["left_record", "right_record"], how="left_anti")
        .withColumn("_rank", F.row_number().over(nearest))
        .where((F.col("_rank") == 1) & band)
    )
    affected = F.when(is_one, F.col("left_records") - 1).otherwise(
        F.col("left_records") * F.col("right_records")
    )
    return first.select(
        F.lit(UNCERTAIN).alias("kind"),
        "left_customer",
        "right_customer",
        *_EDGE,
        affected.alias("affected"),
    )


def bridges(edges: DataFrame, customers: DataFrame) -> DataFrame:
    """Of each customer the tie across its weakest place, unless a steward decided it.

    Gives the columns of ``uncertain``.
    """
    inside = connecting(_owned(edges, customers)).where("left_customer = right_customer")
    rows = inside.select(F.col("left_customer").alias("customer_id"), *_EDGE)
    found = rows.repartition("customer_id").mapInArrow(_bridges, _BRIDGES)
    return found.select(
        F.lit(BRIDGE).alias("kind"),
        F.col("customer_id").alias("left_customer"),
        F.col("customer_id").alias("right_customer"),
        *_EDGE,
        "affected",
    )


def expected_wrong() -> Column:
    """Pairs of records that are expected to be wrong as they are, before a model looks at ties."""
    trust = F.lit(0.0)
    for strength, bits in TRUST.items():
        trust = F.when(F.col("strength") == strength, bits).otherwise(trust)
    chance = probability(F.coalesce(F.col("weight"), trust))
    is_one = F.col("left_customer") == F.col("right_customer")
    return F.when(is_one, 1 - chance).otherwise(chance) * F.col("affected")


def weakest(links: Sequence[Link]) -> tuple[Link, int]:
    """The tie across the weakest place of what these links connect, and the pairs across it.

    The last tie of a spanning tree that takes the strongest first (Kruskal 1956): nothing stronger
    holds the two parts together.
    """
    part: dict[str, list[str]] = {}
    last, across = links[0], 0
    for link in sorted(links, key=strongest_first):
        left = part.setdefault(link.left, [link.left])
        right = part.setdefault(link.right, [link.right])
        if left is right:
            continue
        last, across = link, len(left) * len(right)
        left += right
        part |= dict.fromkeys(right, left)
    return last, across


def _owned(edges: DataFrame, customers: DataFrame) -> DataFrame:
    """Edges with the customers of their ends, and how many records those have."""
    sizes = customers.groupBy("customer_id").agg(F.count(F.lit(1)).alias("records"))
    owners = customers.select("record_id", "customer_id").join(sizes, on="customer_id", how="inner")
    for end in ("left", "right"):
        own = owners.select(
            F.col("record_id").alias(f"{end}_record"),
            F.col("customer_id").alias(f"{end}_customer"),
            F.col("records").alias(f"{end}_records"),
        )
        edges = edges.join(own, on=f"{end}_record", how="inner")
    return edges


def _bridges(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    links: dict[str, list[Link]] = defaultdict(list)
    for batch in batches:
        for row in batch.to_pylist():
            customer = row.pop("customer_id")
            left, right = row.pop("left_record"), row.pop("right_record")
            links[customer].append(Link(left=left, right=right, linked_on=None, **row))
    found = []
    for customer, own in links.items():
        link, affected = weakest(own)
        if link.strength != MUST:
            ends = {"left_record": link.left, "right_record": link.right}
            found.append({"customer_id": customer, "affected": affected, **ends, **vars(link)})
    yield pa.RecordBatch.from_pylist(found, schema=_BRIDGES_ARROW)
