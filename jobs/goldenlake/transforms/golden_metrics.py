"""``gold.metrics``: what a customer did and bought, in numbers that no passing day changes."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.transforms.golden_purchases import MONEY, told_currency

COLUMNS = (
    "customer_id", "interactions", "first_seen_at", "last_seen_at", "last_web_at",
    "last_email_at", "last_phone_at", "last_store_at", "orders", "items", "revenue",
    "cancelled_revenue", "first_purchase_at", "last_purchase_at", "average_order", "emails_opened",
    "emails_clicked", "sessions",
)  # fmt: skip
#: Kinds that say what we did to a customer, not what the customer did.
OURS = ("send", "sent", "processed", "deliver", "delivered", "deferred", "dropped", "bounce")


def golden_metrics(
    customers: DataFrame, interactions: DataFrame, purchases: DataFrame
) -> DataFrame:
    """One row a customer in ``customers``, zeros for those who did nothing.

    Bots' visits count for nobody. Mail that we sent is no sign of life. Cancelled lines are kept
    out of orders, items and revenue, and summed up by themselves. Money of several currencies, of
    which one that is not told is one, cannot be added: revenue, cancelled revenue and average order
    are then null.
    """
    did = interactions.where(
        ~F.col("is_bot") & ~F.coalesce(F.col("kind").isin(*OURS), F.lit(False))
    )
    return (
        customers.select("customer_id")
        .join(_interacted(did), "customer_id", how="left")
        .join(_bought(purchases), "customer_id", how="left")
        .select(
            "customer_id",
            F.coalesce("interactions", F.lit(0)).alias("interactions"),
            F.least("_first_at", "_first_line_at").alias("first_seen_at"),
            F.greatest("_last_at", "_last_line_at").alias("last_seen_at"),
            *(
                F.greatest(f"_did_{channel}_at", f"_bought_{channel}_at").alias(
                    f"last_{channel}_at"
                )
                for channel in _CHANNELS
            ),
            F.coalesce("orders", F.lit(0)).alias("orders"),
            F.coalesce("items", F.lit(0.0)).alias("items"),
            _unless_mixed("_revenue").alias("revenue"),
            _unless_mixed("_cancelled").alias("cancelled_revenue"),
            "first_purchase_at",
            "last_purchase_at",
            F.when(
                F.col("orders") > 0, (_unless_mixed("_revenue") / F.col("orders")).cast(MONEY)
            ).alias("average_order"),
            *(
                F.coalesce(name, F.lit(0)).alias(name)
                for name in ("emails_opened", "emails_clicked", "sessions")
            ),
        )
        .select(*COLUMNS)
    )


_CHANNELS: Mapping[str, tuple[str, ...]] = {
    "web": ("web", "app"),
    "email": ("email",),
    "phone": ("phone", "sms"),
    "store": ("store",),
}


def _last_by_channel(prefix: str) -> list[Column]:
    return [
        F.max(F.when(F.col("channel").isin(*channels), F.col("at"))).alias(f"{prefix}_{name}_at")
        for name, channels in _CHANNELS.items()
    ]


def _interacted(did: DataFrame) -> DataFrame:
    is_email = F.col("channel") == "email"
    return (
        _of_somebody(did)
        .groupBy("customer_id")
        .agg(
            F.count("interaction_id").alias("interactions"),
            F.min("at").alias("_first_at"),
            F.max("at").alias("_last_at"),
            *_last_by_channel("_did"),
            F.count_if(is_email & (F.col("kind") == "open")).alias("emails_opened"),
            F.count_if(is_email & (F.col("kind") == "click")).alias("emails_clicked"),
            _distinct(
                F.when(F.col("session_id").isNotNull(), F.struct("source", "session_id"))
            ).alias("sessions"),
        )
    )


def _bought(purchases: DataFrame) -> DataFrame:
    kept = ~F.col("is_cancellation")
    order = F.struct("source", "order_id")
    return (
        _of_somebody(purchases)
        .groupBy("customer_id")
        .agg(
            F.min("at").alias("_first_line_at"),
            F.max("at").alias("_last_line_at"),
            *_last_by_channel("_bought"),
            _distinct(F.when(kept, order)).alias("orders"),
            F.sum(F.when(kept, F.col("quantity"))).alias("items"),
            F.sum(F.when(kept, F.col("amount"))).alias("_revenue"),
            F.sum(F.when(~kept, F.abs("amount"))).alias("_cancelled"),
            F.min(F.when(kept, F.col("at"))).alias("first_purchase_at"),
            F.max(F.when(kept, F.col("at"))).alias("last_purchase_at"),
            (F.min(told_currency()) != F.max(told_currency())).alias("_is_mixed"),
        )
    )


def _of_somebody(events: DataFrame) -> DataFrame:
    """Without this all that nobody did would be one group, in one task."""
    return events.where(F.col("customer_id").isNotNull())


def _distinct(values: Column) -> Column:
    """A set a customer is small; ``count_distinct`` would send each row through two shuffles."""
    return F.size(F.collect_set(values)).cast("bigint")


def _unless_mixed(name: str) -> Column:
    total = F.coalesce(F.col(name), F.lit(0)).try_cast(MONEY)
    return F.when(~F.coalesce(F.col("_is_mixed"), F.lit(False)), total)
