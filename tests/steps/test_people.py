"""What is sent of people, and what is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from pyspark.sql import functions as F

from goldenlake.io.tables import DeltaTables
from goldenlake.steps.generations import latest_generation
from goldenlake.steps.people import Newest
from support.activation import DAY, POLICY, destination
from support.gold import customer, grant, publish

COUPLES, ALONE = "+4930111111", "+4930222222"


def test_nobody_is_found_in_an_audience_by_the_number_of_somebody_who_said_no(
    tables: DeltaTables,
) -> None:
    people = [
        customer("ann", phone=COUPLES),
        customer("bob", phone=COUPLES),
        customer("cyd", phone=ALONE),
    ]
    said = [grant("ann", "withdrawn"), grant("bob"), grant("cyd")]
    publish(tables, DAY, {"gold.customers": people, "gold.consents": said})
    assert sent(tables) == {"ann": None, "bob": None, "cyd": ALONE}
    publish(tables, DAY, {"gold.consents": [grant("ann"), *said[1:]]})
    assert sent(tables) == {"ann": COUPLES, "bob": COUPLES, "cyd": ALONE}


def sent(tables: DeltaTables) -> dict[str, str | None]:
    """The telephone number that would be sent of each."""
    generation = latest_generation(tables)
    assert generation is not None
    newest = Newest(
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
    everybody = tables.read("gold.customers").select("customer_id")
    rows = newest.people(everybody).select("customer_id", F.col("fields")).collect()
    assert len(rows) == len({row["customer_id"] for row in rows})
    return {row["customer_id"]: json.loads(row["fields"]).get("phone") for row in rows}
