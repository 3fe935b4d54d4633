"""``gold.sources``: which records make up a customer; the membership that all else builds on."""

from __future__ import annotations

from pyspark.sql import DataFrame


def memberships(records: DataFrame, customers: DataFrame) -> DataFrame:
    """Active records with their customer, from ``identity.records`` and ``identity.customers``.

    ``record_id``, ``customer_id``, ``assigned_on``, ``customer_since``, ``source``,
    ``source_key``, ``identifiers``, ``first_seen_on``.
    """
    active = records.where("is_active").select(
        "record_id", "source", "source_key", "identifiers", "first_seen_on"
    )
    return customers.join(active, "record_id", how="inner")


def golden_sources(members: DataFrame) -> DataFrame:
    """One row a record that belongs to a customer."""
    return members.select("customer_id", "record_id", "source", "source_key", "assigned_on")
