"""What is sent of people, and what is not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

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


def test_an_address_that_was_refused_since_the_plan_was_drawn_is_sent_of_nobody(
    tables: DeltaTables,
) -> None:
    """She had it when the plan was drawn, and has another one by now; his it still is."""
    shared, said = "home@example.com", [grant("ann"), grant("bob")]
    numbers = {"ann": COUPLES, "bob": ALONE}
    people = [customer(name, email=shared, phone=phone) for name, phone in numbers.items()]
    publish(tables, DAY, {"gold.customers": people, "gold.consents": said})
    planned = of_meta(tables).people(everybody(tables)).select("customer_id", "key", "fields")
    rows = tables.frame(planned.collect(), "customer_id STRING, key STRING, fields STRING")
    moved = [customer("ann", phone=COUPLES), people[1]]
    no = [grant("ann"), grant("bob", "withdrawn")]
    publish(tables, DAY, {"gold.customers": moved, "gold.consents": no})
    since = of_meta(tables)
    refused = since.no_longer(
        rows.where("customer_id = 'ann'"), after=since.generation.generation - 1
    )
    assert [row["key"] for row in refused.collect()] == [COUPLES]


def test_who_has_an_address_that_google_takes_for_a_refused_one_is_not_sent_by_it(
    tables: DeltaTables,
) -> None:
    granted = {"ann": "ann.lee@gmail.com", "cyd": "cyd.ray@example.com"}
    refused = {"bob": "annlee+news@gmail.com", "dan": "cydray@example.com"}
    people = [customer(who, email=email) for who, email in (granted | refused).items()]
    said = [*map(grant, granted), *(grant(who, "withdrawn") for who in refused)]
    publish(tables, DAY, {"gold.customers": people, "gold.consents": said})
    assert opted_out(newest(tables)) == {*refused.values(), granted["ann"]}
    to_meta = known(tables, {"kind": "meta", "key_is": "email"})
    assert opted_out(to_meta) == {*refused.values()}


def opted_out(known: Newest) -> set[str]:
    return {row["key"] for row in known.opted_out.collect()}


def everybody(tables: DeltaTables) -> DataFrame:
    return tables.read("gold.customers").select("customer_id")


def newest(tables: DeltaTables) -> Newest:
    """As an audience of Google knows people."""
    target = {"kind": "google", "account": "1", "identifiers": {"phone": "phone"}}
    return known(tables, target, fields={"phone": "phone"})


def of_meta(tables: DeltaTables) -> Newest:
    """As an audience of Meta knows people, by their numbers first."""
    target = {"kind": "meta", "key_is": "phone", "identifiers": {"email": "EMAIL"}}
    return known(tables, target, key="phone", fields={"EMAIL": "email"})


def known(tables: DeltaTables, target: Mapping[str, Any], **declared: Any) -> Newest:
    """To an audience."""
    generation = latest_generation(tables)
    assert generation is not None
    place = {"connection": "x", "audiences": {"readers": "7"}}
    return Newest(
        tables=tables,
        generation=generation,
        destination=destination(target={**place, **target}, **declared),
        consent=POLICY,
        at=datetime(2024, 6, 1, tzinfo=UTC),
    )


def sent(tables: DeltaTables) -> dict[str, str | None]:
    """The telephone number that would be sent of each."""
    found = newest(tables).people(everybody(tables)).select("customer_id", F.col("fields"))
    rows = found.collect()
    assert len(rows) == len({row["customer_id"] for row in rows})
    return {row["customer_id"]: json.loads(row["fields"]).get("phone") for row in rows}
