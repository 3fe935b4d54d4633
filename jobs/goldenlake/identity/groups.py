"""Groups: customers who share what those who belong together share, as a household does.

Customers are to a group what records are to a customer, so components and ids are found in the
same way, with ``customer_id`` in the place of the record.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from goldenlake.columns.addresses import normalise_postcode
from goldenlake.columns.names import family_name_key, given_name_key
from goldenlake.columns.placeholders import is_placeholder
from goldenlake.columns.streets import street_key
from goldenlake.declarations.groups import Group
from goldenlake.declarations.identity import IdentityRules
from goldenlake.identity import ids
from goldenlake.identity.components import connected

_KEYS: dict[str, Callable[[Column], Column]] = {
    "given_name": given_name_key,
    "family_name": family_name_key,
    "street": street_key,
    "postcode": partial(normalise_postcode, region="ZZ"),
}


def ties(customers: DataFrame, group: Group, identity: IdentityRules) -> DataFrame:
    """Who shares all values of a rule with others: (customer_id, rule, first).

    ``first`` is the smallest customer id among those who share them, and stands for them. Names,
    streets and postcodes agree when their keys do, other values when they differ in case alone.
    What is a placeholder, or shared by more customers than the rule allows, ties nobody.
    """
    keys = customers.select(
        "customer_id", *(_key(name, group, identity).alias(name) for name in group.attributes)
    )
    shared = [
        F.struct(
            F.lit(name).alias("rule"),
            F.lit(rule.most_customers).alias("most"),
            # Null where any of them is.
            F.concat(*(F.concat(F.col(each), F.lit("\x1f")) for each in rule.agree)).alias("key"),
        )
        for name, rule in sorted(group.rules.items())
    ]
    sharing = Window.partitionBy("rule", "key")
    return (
        keys.select("customer_id", F.inline(F.array(*shared)))
        .where(F.col("key").isNotNull())
        .select(
            "customer_id",
            "rule",
            "most",
            F.count(F.lit(1)).over(sharing).alias("_customers"),
            F.min("customer_id").over(sharing).alias("first"),
        )
        .where(F.col("_customers").between(2, F.col("most")))
        .select("customer_id", "rule", "first")
    )


def components(ties: DataFrame) -> DataFrame:
    """Who is tied to whom, over any number of steps: (record_id, component, cluster).

    ``record_id`` is the customer; ``ties`` is read twice.
    """
    edges = ties.where("customer_id <> first").select(
        F.col("first").alias("left_record"), F.col("customer_id").alias("right_record")
    )
    customers = ties.select(F.col("customer_id").alias("record_id")).distinct()
    found = connected(customers, edges)
    return found.select("record_id", "component", F.col("component").alias("cluster"))


def members(
    ties: DataFrame,
    components: DataFrame,
    previous: DataFrame,
    group: Group,
    *,
    base: int,
    as_of: Column,
) -> DataFrame:
    """One row a customer who belongs to another, in the columns of the group's contract.

    ``previous`` are the members so far, in those columns, by today's customer ids; ids are null
    where their column has another name than before, and then none is kept. Groups keep their ids
    as customers do: see ``ids``.
    """
    before = previous.select(
        F.col("customer_id").alias("record_id"),
        F.col(group.id_column).alias("customer_id"),
        F.col(group.since_column).alias("customer_since"),
    )
    owners = ids.owners(components, before)
    assigned = ids.assignments(
        components, owners, base=base, as_of=as_of, prefix=group.id_prefix
    ).select(
        F.col("record_id").alias("customer_id"),
        F.col("customer_id").alias(group.id_column),
        F.col("customer_since").alias(group.since_column),
    )
    rules = ties.groupBy("customer_id").agg(F.array_sort(F.collect_set("rule")).alias("rules"))
    members = Window.partitionBy(group.id_column)
    return assigned.join(rules, on="customer_id", how="inner").select(
        group.id_column,
        "customer_id",
        group.since_column,
        F.count(F.lit(1)).over(members).cast("int").alias("size"),
        "rules",
    )


def _key(name: str, group: Group, identity: IdentityRules) -> Column:
    """What of an attribute must agree; null where there is no value, or none that counts."""
    value = F.col(name).cast("string")
    blocked = [group.placeholders.get(name), identity.identifiers.get(name)]
    for declared in blocked:
        if declared is not None:
            value = F.when(~is_placeholder(value, declared), value)
    return _KEYS.get(name, F.lower)(value)
