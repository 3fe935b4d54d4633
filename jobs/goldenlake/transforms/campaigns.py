"""``gold.campaigns``: what came of a segment's exports, beside those who were held out of it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.transforms.golden_purchases import MONEY, told_currency

SENT, HELD_OUT = "sent", "held_out"
_Z = 1.959963984540054
"""Of the normal distribution, for intervals of 95%."""
_CAMPAIGN = ("segment", "campaign")
_REACTIONS = {"delivered": ("delivered",), "opened": ("open",), "clicked": ("click",)}


def campaign_results(
    assignments: DataFrame, interactions: DataFrame, purchases: DataFrame
) -> DataFrame:
    """One row a segment and campaign.

    Args:
        assignments: ``activation.assignments``, by today's customer ids. Who is in both groups of
            a campaign, by a merge, is in neither.
        interactions: gold.interactions; purchases: gold.purchases.

    What somebody did counts from the day after they were assigned to ``until``. ``lift`` is the
    difference of the shares who bought, with the interval of Newcombe (1998, method 10); the
    difference of revenue a head has Welch's standard error with the normal quantile. Both are null
    without a control group. Money of several currencies cannot be added: where those of one
    campaign paid in them, whichever group they are in, all that is money is null.
    """
    people = _people(assignments)
    judged = (
        people.join(_bought(people, purchases), [*_CAMPAIGN, "customer_id"], how="left")
        .join(_reacted(people, interactions), [*_CAMPAIGN, "customer_id"], how="left")
        .withColumn("revenue", F.coalesce("revenue", F.lit(0).cast(MONEY)))
        .withColumn("_spent", F.col("revenue").cast("double"))
    )
    is_sent, is_held = F.col("arm") == SENT, F.col("arm") == HELD_OUT
    bought = F.col("revenue").isNotNull() & F.col("_has_bought")
    counted = judged.groupBy(*_CAMPAIGN).agg(
        F.min("assigned_on").alias("first_on"),
        F.max("assigned_on").alias("last_on"),
        F.max("until").alias("until"),
        F.count_if(is_sent).alias("sent"),
        F.count_if(is_held).alias("held_out"),
        *(F.count_if(is_sent & F.col(name)).alias(name) for name in _REACTIONS),
        F.count_if(is_sent & bought).alias("converted"),
        F.count_if(is_held & bought).alias("converted_held_out"),
        *(
            F.coalesce(F.sum(F.when(arm, F.col("revenue"))), F.lit(0)).try_cast(MONEY).alias(name)
            for name, arm in (("revenue", is_sent), ("revenue_held_out", is_held))
        ),
        (F.min("_least_currency") != F.max("_greatest_currency")).alias("_is_mixed"),
        *(
            of(F.when(arm, F.col("_spent"))).alias(f"_{what}_{name}")
            for name, arm in (("sent", is_sent), ("held", is_held))
            for what, of in (("mean", F.avg), ("variance", F.var_samp))
        ),
    )
    lift = F.col("converted") / F.col("sent") - F.col("converted_held_out") / F.col("held_out")
    low, high = newcombe("converted", "sent", "converted_held_out", "held_out")
    more = F.col("_mean_sent") - F.col("_mean_held")
    error = F.sqrt(
        F.col("_variance_sent") / F.col("sent") + F.col("_variance_held") / F.col("held_out")
    )
    has_both = (F.col("sent") > 0) & (F.col("held_out") > 0)
    adds_up = ~F.coalesce("_is_mixed", F.lit(False))
    return counted.select(
        *_CAMPAIGN,
        "first_on",
        "last_on",
        "until",
        "sent",
        "held_out",
        *_REACTIONS,
        "converted",
        "converted_held_out",
        F.when(adds_up, F.col("revenue")).alias("revenue"),
        F.when(adds_up, F.col("revenue_held_out")).alias("revenue_held_out"),
        F.when(has_both, lift).alias("lift"),
        F.when(has_both, low).alias("lift_low"),
        F.when(has_both, high).alias("lift_high"),
        F.when(has_both & adds_up, more).alias("revenue_lift"),
        F.when(has_both & adds_up, more - _Z * error).alias("revenue_lift_low"),
        F.when(has_both & adds_up, more + _Z * error).alias("revenue_lift_high"),
    )


def newcombe(hits: str, of: str, other_hits: str, other_of: str) -> tuple[Column, Column]:
    """Bounds of the difference of two shares: Newcombe, Statistics in Medicine 17 (1998), 873-890,
    method 10, from Wilson's bounds of each.
    """
    share, other = F.col(hits) / F.col(of), F.col(other_hits) / F.col(other_of)
    low, high = _wilson(hits, of)
    other_low, other_high = _wilson(other_hits, other_of)
    difference = share - other
    return (
        difference - F.sqrt(F.pow(share - low, 2) + F.pow(other_high - other, 2)),
        difference + F.sqrt(F.pow(high - share, 2) + F.pow(other - other_low, 2)),
    )


def _wilson(hits: str, of: str) -> tuple[Column, Column]:
    share, number, z2 = F.col(hits) / F.col(of), F.col(of), _Z * _Z
    middle = (share + z2 / (2 * number)) / (1 + z2 / number)
    half = (
        _Z * F.sqrt(share * (1 - share) / number + z2 / (4 * number * number)) / (1 + z2 / number)
    )
    return middle - half, middle + half


def _people(assignments: DataFrame) -> DataFrame:
    """One row a campaign and customer, of those who are in one group alone."""
    return (
        assignments.groupBy(*_CAMPAIGN, "customer_id")
        .agg(
            F.min("arm").alias("arm"),
            F.max("arm").alias("_other"),
            F.min("assigned_on").alias("assigned_on"),
            F.min("until").alias("until"),
            F.min("channel").alias("channel"),
        )
        .where(F.col("arm") == F.col("_other"))
        .drop("_other")
    )


def _within(people: DataFrame, events: DataFrame) -> DataFrame:
    """Events of people within their time."""
    joined = people.join(
        events.withColumnRenamed("customer_id", "_who").withColumnRenamed("channel", "_by"),
        F.col("customer_id") == F.col("_who"),
        how="inner",
    )
    return joined.where((F.col("on") > F.col("assigned_on")) & (F.col("on") <= F.col("until")))


def _bought(people: DataFrame, purchases: DataFrame) -> DataFrame:
    lines = purchases.where(~F.col("is_cancellation")).select(
        "customer_id", "channel", "on", "amount", told_currency().alias("_currency")
    )
    return (
        _within(people, lines)
        .groupBy(*_CAMPAIGN, "customer_id")
        .agg(
            F.sum("amount").alias("revenue"),
            F.lit(True).alias("_has_bought"),
            F.min("_currency").alias("_least_currency"),
            F.max("_currency").alias("_greatest_currency"),
        )
    )


def _reacted(people: DataFrame, interactions: DataFrame) -> DataFrame:
    kinds = [kind for named in _REACTIONS.values() for kind in named]
    events = interactions.where(F.col("kind").isin(kinds) & ~F.col("is_bot")).select(
        "customer_id", "channel", "on", "kind"
    )
    same = _within(people, events).where(F.col("_by") == F.col("channel"))
    return same.groupBy(*_CAMPAIGN, "customer_id").agg(
        *(F.max(F.col("kind").isin(*of)).alias(name) for name, of in _REACTIONS.items())
    )
