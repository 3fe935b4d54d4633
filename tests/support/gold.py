"""Golden tables with a handful of made-up people, published as a generation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from goldenlake.ports import Tables
from goldenlake.schemas import CUSTOMERS as IDENTITY_CUSTOMERS
from goldenlake.schemas import HISTORY, PUBLICATIONS, RECORDS
from support.lake import lay

Row = dict[str, Any]

CUSTOMERS = (
    "customer_id STRING, is_known BOOLEAN, given_name STRING, family_name STRING, email STRING, "
    "phone STRING, customer_number STRING, birth_on DATE, postcode STRING, country STRING, "
    "customer_since DATE, sources ARRAY<STRING>"
)
INTERACTIONS = (
    "interaction_id STRING, customer_id STRING, at TIMESTAMP, on DATE, channel STRING, "
    "kind STRING, item STRING, value DOUBLE, is_bot BOOLEAN, properties MAP<STRING, STRING>"
)
PURCHASES = (
    "purchase_line_id STRING, customer_id STRING, at TIMESTAMP, on DATE, channel STRING, "
    "item STRING, amount DECIMAL(18,4), is_cancellation BOOLEAN"
)
CONSENTS = (
    "customer_id STRING, purpose STRING, channel STRING, status STRING, jurisdiction STRING, "
    "stated_at TIMESTAMP, expires_at TIMESTAMP, source STRING, record_id STRING"
)
IDENTIFIERS = "customer_id STRING, identifier STRING, value STRING, is_linking BOOLEAN"
METRICS = (
    "customer_id STRING, orders BIGINT, revenue DECIMAL(18,4), last_purchase_at TIMESTAMP, "
    "last_web_at TIMESTAMP"
)

HISTORY_OF_CUSTOMERS = (
    "customer_id STRING, given_name STRING, email STRING, valid_from DATE, valid_to DATE"
)

SHAPES = {
    "gold.customers": CUSTOMERS,
    "gold.customers_history": HISTORY_OF_CUSTOMERS,
    "gold.interactions": INTERACTIONS,
    "gold.purchases": PURCHASES,
    "gold.consents": CONSENTS,
    "gold.identifiers": IDENTIFIERS,
    "gold.metrics": METRICS,
    "identity.history": HISTORY.ddl,
    "identity.customers": IDENTITY_CUSTOMERS.ddl,
    "identity.records": RECORDS.ddl,
}


def at(text: str) -> datetime:
    """An instant in UTC from ``2024-05-01 12:00``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def customer(name: str, **others: Any) -> Row:
    """A known customer with an e-mail address."""
    return {"customer_id": name, "is_known": True, "email": f"{name}@example.com"} | others


def grant(name: str, status: str = "granted", **others: Any) -> Row:
    """A statement of consent to marketing by e-mail."""
    stated = {"stated_at": at("2024-01-01 00:00"), "purpose": "marketing", "channel": "email"}
    return {"customer_id": name, "status": status} | stated | others


def publish(tables: Tables, as_of: date, contents: Mapping[str, Sequence[Row]]) -> int:
    """Publish a generation: the tables given are new, all others stay; gives its number.

    Metrics are always there; other tables only from when they are first given.
    """
    rows = tables.read_or_empty("ops.publications", PUBLICATIONS.ddl).collect()
    latest = max(rows, key=lambda row: row["generation"], default=None)
    versions = dict(latest["tables"]) if latest else {}
    for name, ddl in SHAPES.items():
        if name in contents or (name == "gold.metrics" and name not in versions):
            versions[name] = lay(tables, name, contents.get(name, []), ddl)
    number = (latest["generation"] if latest else 0) + 1
    row = {"generation": number, "as_of": as_of, "tables": versions}
    lay(tables, "ops.publications", [row], PUBLICATIONS.ddl, adds=True)
    return number
