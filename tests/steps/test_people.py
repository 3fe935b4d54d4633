"""What is sent of people, and what is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.io.tables import DeltaTables
from goldenlake.steps.generations import latest_generation
from goldenlake.steps.people import Newest
from support.activation import DAY, POLICY, destination
from support.gold import customer, grant, publish

COUPLES, ALONE = "+4930111111", "+4930222222"
PEOPLE = [
    customer("ann", phone=COUPLES),
    customer("bob", phone=COUPLES),
    customer("cyd", phone=ALONE),
]


def test_nobody_is_found_in_an_audience_by_the_number_of_somebody_who_said_no(
    tables: DeltaTables,
) -> None:
    said = [grant("ann", "withdrawn"), grant("bob"), grant("cyd")]
    publish(tables, DAY, {"gold.customers": PEOPLE, "gold.consents": said})
    assert sent(tables) == {"ann": None, "bob": None, "cyd": ALONE}
    publish(tables, DAY, {"gold.consents": [grant("ann"), *said[1:]]})
    assert sent(tables) == {"ann": COUPLES, "bob": COUPLES, "cyd": ALONE}


def test_a_number_that_was_refused_since_the_plan_was_drawn_is_sent_of_nobody(
    tables: DeltaTables,
) -> None:
    publish(tables, DAY, {"gold.customers": PEOPLE, "gold.consents": [grant("ann"), grant("cyd")]})
    planned = newest(tables).people(everybody(tables)).select("customer_id", "key", "fields")
    rows = tables.frame(planned.collect(), "customer_id STRING, key STRING, fields STRING")
    publish(tables, DAY, {"gold.consents": [grant("ann"), grant("bob", "withdrawn"), grant("cyd")]})
    since = newest(tables)
    upserts = rows.where("customer_id <> 'bob'")
    no_longer = since.no_longer(upserts, after=since.generation.generation - 1).collect()
    assert [row["key"] for row in no_longer] == ["ann@example.com"]


def everybody(tables: DeltaTables) -> DataFrame:
    return tables.read("gold.customers").select("customer_id")


def newest(tables: DeltaTables) -> Newest:
    """As an audience of Google knows people."""
    generation = latest_generation(tables)
    assert generation is not None
    return Newest(
        tables=tables,
        generation=generation,
        destination=destination(
            fields={"phone": "phone"},
            target={
                "kind": "google",
                "connection": "google",
                "account": "1",
                "audiences": {"readers": "7"},
                "identifiers": {"phone": "phone"},
            },
        ),
        consent=POLICY,
        at=datetime(2024, 6, 1, tzinfo=UTC),
    )


def sent(tables: DeltaTables) -> dict[str, str | None]:
    """The telephone number that would be sent of each."""
    found = newest(tables).people(everybody(tables)).select("customer_id", F.col("fields"))
    rows = found.collect()
    assert len(rows) == len({row["customer_id"] for row in rows})
    return {row["customer_id"]: json.loads(row["fields"]).get("phone") for row in rows}
