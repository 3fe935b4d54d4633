"""What a steward should look at: pairs on which a decision would tell most.

Two sorts. *Uncertain* pairs are matches in the band around one half, in which the model would not
be surprised to be wrong. *Bridges* are what holds a customer's parts together: the strongest tie
across the weakest place, where one wrong tie makes two people one.

A pair's weight in the list is how many pairs of records are expected to be wrong if nobody looks:
the chance that the present answer is wrong, times the pairs of records that would change it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from goldenlake.declarations.matching import Clustering
from goldenlake.identity.evidence import Link, strongest_first
from goldenlake.identity.matches import LIKELY, MATCH, probability
from goldenlake.identity.records import is_matchable
from goldenlake.identity.refinement import MUST, STEWARD, connecting

UNCERTAIN, BRIDGE = "uncertain", "bridge"

TRUST = {"unique": 10.0, "strong": 7.0, "weak": 4.0}
"""log2 odds that a tie of this strength is right, before anything is compared; rough, and for the
order of the list alone."""

_TIE = ("identifier", "strength", "rule", "model", "weight")
_COLUMNS = {
    **dict.fromkeys(("left_record", "right_record", "left_end", "right_end"), "string"),
    **dict.fromkeys(_TIE[:-1], "string"),
    "weight": "double",
    "affected": "bigint",
}
_BRIDGES = ", ".join(
    f"{name} {kind}" for name, kind in {"customer_id": "string", **_COLUMNS}.items()
)
_ARROW = {"string": pa.string(), "double": pa.float64(), "bigint": pa.int64()}
_BRIDGES_ARROW = pa.schema(
    {"customer_id": pa.string(), **{name: _ARROW[kind] for name, kind in _COLUMNS.items()}}
)


def uncertain(edges: DataFrame, customers: DataFrame, settings: Clustering) -> DataFrame:
    """Matches in the band around one half that nobody has decided, one for any two customers.

    Gives (kind, left_customer, right_customer, left_record, right_record, left_end, right_end,
    identifier, strength, rule, model, weight, affected); the ends are those of the tie, here the
    records themselves. Of two customers, unless a steward holds them apart, the most probable pair;
    inside one, of the pairs that connect, the least.
    """
    found = _owned(edges.where(F.col("identifier").isin(MATCH, STEWARD)), customers)
    is_one = F.col("left_customer") == F.col("right_customer")
    is_steward = F.col("identifier") == STEWARD
    two = Window.partitionBy("_one", "_other")
    named = found.withColumns(
        {
            "_one": F.least("left_customer", "right_customer"),
            "_other": F.greatest("left_customer", "right_customer"),
        }
    )
    # A pair that must be one says nothing of other pairs of its customer; one that cannot does.
    pair = Window.partitionBy("left_record", "right_record")
    open_ones = (
        named.withColumn("_is_decided", F.bool_or(is_steward & is_one).over(pair))
        .withColumn("_is_decided", F.col("_is_decided") | F.bool_or(is_steward & ~is_one).over(two))
        .where((F.col("identifier") == MATCH) & ~F.col("_is_decided"))
        .where(~is_one | (F.col("strength") == LIKELY))
    )
    chance = probability(F.col("weight"))
    nearest = two.orderBy(F.when(is_one, chance).otherwise(-chance), "left_record", "right_record")
    band = chance.between(settings.doubtful, 1 - settings.doubtful)
    first = open_ones.withColumn("_rank", F.row_number().over(nearest)).where(
        (F.col("_rank") == 1) & band
    )
    affected = F.when(is_one, F.col("left_records") - 1).otherwise(
        F.col("left_records") * F.col("right_records")
    )
    return first.select(
        F.lit(UNCERTAIN).alias("kind"),
        "left_customer",
        "right_customer",
        "left_record",
        "right_record",
        F.col("left_record").alias("left_end"),
        F.col("right_record").alias("right_end"),
        *_TIE,
        affected.alias("affected"),
    )


def bridges(edges: DataFrame, customers: DataFrame, records: DataFrame) -> DataFrame:
    """Of each customer the tie across its weakest place, unless a steward decided it.

    Only places count that have something to compare on both sides, by which a person can judge;
    ``records`` are those of ``identity.records``. Gives the columns of ``uncertain``: the ends are
    those of the tie, the records such as can be compared.
    """
    inside = connecting(_owned(edges, customers)).where("left_customer = right_customer")
    for end in ("left", "right"):
        compared = records.where(is_matchable()).select(
            F.col("record_id").alias(f"{end}_record"), F.lit(True).alias(f"{end}_is_compared")
        )
        inside = inside.join(compared, on=f"{end}_record", how="left")
    rows = inside.select(
        F.col("left_customer").alias("customer_id"),
        "left_record",
        "right_record",
        "left_is_compared",
        "right_is_compared",
        *_TIE,
    )
    found = rows.repartition("customer_id").mapInArrow(_bridges, _BRIDGES)
    return found.select(
        F.lit(BRIDGE).alias("kind"),
        F.col("customer_id").alias("left_customer"),
        F.col("customer_id").alias("right_customer"),
        *_COLUMNS,
    )


def expected_wrong() -> Column:
    """Pairs of records that are expected to be wrong as they are, before a model looks at ties."""
    trust = F.lit(0.0)
    for strength, bits in TRUST.items():
        trust = F.when(F.col("strength") == strength, bits).otherwise(trust)
    chance = probability(F.coalesce(F.col("weight"), trust))
    is_one = F.col("left_customer") == F.col("right_customer")
    return F.when(is_one, 1 - chance).otherwise(chance) * F.col("affected")


@dataclass(frozen=True)
class Place:
    """Where a customer could fall in two."""

    tie: Link
    """The strongest across it."""
    left: str
    """A record on the left end's side that can be compared; the end itself, if it can."""
    right: str
    affected: int
    """Pairs of records across it."""


def weakest(links: Sequence[Link], compared: Collection[str]) -> Place | None:
    """The weakest place with ``compared`` records on both sides; None where there is none.

    The last tie of a spanning tree that takes the strongest first (Kruskal 1956) and joins two
    parts with such records: nothing stronger holds the two together.
    """
    part: dict[str, list[str]] = {}
    found = None
    for link in sorted(links, key=strongest_first):
        left = part.setdefault(link.left, [link.left])
        right = part.setdefault(link.right, [link.right])
        if left is right:
            continue
        one, other = (
            end if end in compared else min((each for each in side if each in compared), default="")
            for end, side in ((link.left, left), (link.right, right))
        )
        if one and other:
            found = Place(link, one, other, len(left) * len(right))
        left += right
        part |= dict.fromkeys(right, left)
    return found


def _owned(edges: DataFrame, customers: DataFrame) -> DataFrame:
    """Edges with the customers of their ends, and how many records those have."""
    size = F.count(F.lit(1)).over(Window.partitionBy("customer_id"))
    owners = customers.select("record_id", "customer_id", size.alias("records"))
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
    compared: set[str] = set()
    for batch in batches:
        for row in batch.to_pylist():
            ends = {end: row[f"{end}_record"] for end in ("left", "right")}
            compared.update(record for end, record in ends.items() if row[f"{end}_is_compared"])
            tie = {name: row[name] for name in _TIE}
            links[row["customer_id"]].append(Link(**ends, **tie, linked_on=None))
    found = []
    for customer, own in links.items():
        place = weakest(own, compared)
        if place is not None and place.tie.strength != MUST:
            sides = {"left_record": place.left, "right_record": place.right}
            ends = {"left_end": place.tie.left, "right_end": place.tie.right}
            row = {"customer_id": customer, "affected": place.affected, **sides, **ends}
            found.append(row | {name: getattr(place.tie, name) for name in _TIE})
    yield pa.RecordBatch.from_pylist(found, schema=_BRIDGES_ARROW)
