"""``gold.purchases``: what people bought, one row a line of an order."""

from __future__ import annotations

from typing import get_args

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.columns.text import word
from goldenlake.declarations.source import PurchaseChannel, PurchaseMapping, Source
from goldenlake.transforms.golden_events import optional, selected
from goldenlake.transforms.row_ids import event_id

COLUMNS = (
    "purchase_line_id", "order_id", "customer_id", "record_id", "source", "at", "on", "channel",
    "item", "description", "quantity", "unit_price", "amount", "currency", "is_cancellation",
)  # fmt: skip
MONEY = "decimal(18,4)"


def purchases_of(silver: DataFrame, source: Source) -> DataFrame:
    """The purchase lines in a source's rows, without ``customer_id``.

    ``amount`` is quantity × unit price, in the line's currency, negative where goods went back.
    A line whose source cannot say that it is a cancellation is none.
    """
    mapping = source.purchases
    if mapping is None:
        raise ValueError(f"{source.source} declares no purchases")
    at = F.col(mapping.at).try_cast("timestamp")
    quantity = F.col(mapping.quantity).try_cast("double")
    unit_price = F.col(mapping.unit_price).try_cast(MONEY)
    amount = F.try_multiply(quantity.try_cast(MONEY), unit_price).try_cast(MONEY)
    cancelled = optional(mapping.is_cancellation, "boolean")
    return selected(silver, mapping.only).select(
        event_id(source).alias("purchase_line_id"),
        F.col(mapping.order).cast("string").alias("order_id"),
        "record_id",
        F.lit(source.source).alias("source"),
        at.alias("at"),
        at.cast("date").alias("on"),
        _channel(mapping).alias("channel"),
        F.col(mapping.item).cast("string").alias("item"),
        optional(mapping.description, "string").alias("description"),
        quantity.alias("quantity"),
        unit_price.alias("unit_price"),
        amount.alias("amount"),
        _currency(mapping).alias("currency"),
        F.coalesce(cancelled, F.lit(False)).alias("is_cancellation"),
    )


def told_currency() -> Column:
    """A line's currency; that of lines that say none is one of its own. Money is added up only
    where all lines have the same.
    """
    return F.coalesce("currency", F.lit(""))


def _channel(mapping: PurchaseMapping) -> Column:
    said = word(optional(mapping.channel_from, "string"))
    return F.when(said.isin(*get_args(PurchaseChannel)), said).otherwise(F.lit(mapping.channel))


def _currency(mapping: PurchaseMapping) -> Column:
    constant = F.lit(mapping.constant_currency).cast("string")
    return F.coalesce(optional(mapping.currency, "string"), constant)
