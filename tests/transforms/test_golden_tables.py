"""The pure parts of the golden tables: history, consents, purchases, metrics, changes."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, product
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from goldenlake.declarations.source import Source
from goldenlake.io.tables import local_frame
from goldenlake.schemas import SILVER_COLUMNS
from goldenlake.transforms.golden_changes import difference
from goldenlake.transforms.golden_consents import COLUMNS as CONSENT_COLUMNS
from goldenlake.transforms.golden_consents import latest_consents, statements_of
from goldenlake.transforms.golden_events import last_state
from goldenlake.transforms.golden_history import history_changes
from goldenlake.transforms.golden_interactions import interactions_of
from goldenlake.transforms.golden_metrics import golden_metrics
from goldenlake.transforms.golden_purchases import purchases_of

NOON = datetime(2024, 3, 4, 12)  # noqa: DTZ001 - as Spark gives it back
MONDAY, TUESDAY = date(2024, 3, 4), date(2024, 3, 5)


@pytest.fixture(scope="module")
def consents(spark: SparkSession) -> dict[str, str]:
    """Status by customer, after statements (customer, status, hours after noon, expiry)."""
    said = [
        ("later", "granted", 0, None),
        ("later", "withdrawn", 1, None),
        ("again", "withdrawn", 0, None),
        ("again", "granted", 1, None),
        ("tie", "granted", 0, None),
        ("tie", "withdrawn", 0, None),
        ("suppressed", "suppressed", 0, None),
        ("suppressed", "granted", 5, None),
        ("expiry", "granted", 0, None),
        ("expiry", "granted", 0, 1),
    ]
    rows = [
        (
            who, "marketing", "email", status, "GB", NOON + timedelta(hours=at),
            NOON + timedelta(days=days) if days else None, "crm", f"crm:{place}",
        )
        for place, (who, status, at, days) in enumerate(said)
    ]  # fmt: skip
    ddl = "stated_at TIMESTAMP, expires_at TIMESTAMP"
    columns = ", ".join(
        next((part for part in ddl.split(", ") if part.startswith(name)), f"{name} STRING")
        for name in CONSENT_COLUMNS
    )
    latest = latest_consents(spark.createDataFrame(rows, columns)).collect()
    assert len(latest) == len({row["customer_id"] for row in latest}), "one row a question"
    return {
        row["customer_id"]: f"{row['status']} until {row['expires_at']}"
        if row["expires_at"]
        else row["status"]
        for row in latest
    }


def test_the_later_statement_wins(consents: dict[str, str]) -> None:
    assert consents["later"] == "withdrawn"
    assert consents["again"] == "granted"


def test_of_two_statements_at_one_time_the_stricter_wins(consents: dict[str, str]) -> None:
    assert consents["tie"] == "withdrawn"
    assert consents["expiry"].startswith("granted until")


def test_no_later_grant_undoes_a_suppression(consents: dict[str, str]) -> None:
    assert consents["suppressed"] == "suppressed"


def source(**given: Any) -> Source:
    return Source.model_validate(
        {
            "source": "esp", "description": "", "system": "esp", "owner": "data",
            "origin": {"place": "drops", "files": "*"}, "format": {"kind": "csv"},
            "load": "append",
            "columns": [{"name": "at"}, {"name": "word"}, {"name": "is_test"}],
        }
        | given
    )  # fmt: skip


def silver(spark: SparkSession, rows: list[tuple[Any, ...]]) -> DataFrame:
    filled = [
        (at, word, is_test, f"esp:{place}", NOON, MONDAY, "f", place, MONDAY, False, [], "")
        for place, (at, word, is_test) in enumerate(rows)
    ]
    return spark.createDataFrame(
        filled, f"at STRING, word STRING, is_test STRING, {SILVER_COLUMNS}"
    )


def test_a_word_without_a_meaning_states_nothing(spark: SparkSession) -> None:
    esp = source(
        consents=[
            {
                "at": "at",
                "constant_purpose": "marketing",
                "constant_channel": "email",
                "status": "word",
                "statuses": {"out": "withdrawn"},
                "only": "is_test = 'no'",
            }
        ]
    )
    rows = [
        ("2024-03-04T10:00:00Z", "out", "no"),
        ("not a time", "out", "no"),
        ("2024-03-04T10:00:00Z", "maybe", "no"),
        ("2024-03-04T10:00:00Z", "out", "yes"),
    ]
    found = statements_of(silver(spark, rows), esp).orderBy("record_id").collect()
    assert [(row["record_id"], row["status"], row["stated_at"].hour) for row in found] == [
        ("esp:0", "withdrawn", 10),
        ("esp:1", "withdrawn", 12),
    ]


def test_a_no_of_which_the_day_alone_is_known_comes_after_any_yes_of_that_day(
    spark: SparkSession,
) -> None:
    said = {"at": "at", "constant_purpose": "ads", "constant_channel": "email", "status": "word"}
    days = [(day, word, None) for day in ("2024-03-04", None) for word in ("withdrawn", "granted")]
    rows = silver(spark, days).withColumns({"at": F.to_date("at"), "_observed_at": F.lit(None)})
    found = statements_of(rows, source(consents=[said])).orderBy("record_id").collect()
    assert [row["stated_at"].hour for row in found] == [23, 0, 23, 0]


@pytest.mark.parametrize(("load", "first"), [("increment", 1970), ("append", 2024)])
def test_a_yes_that_is_dated_ahead_of_its_file_is_no_later_than_a_no(
    spark: SparkSession, load: str, first: int
) -> None:
    said = {"at": "at", "constant_purpose": "ads", "constant_channel": "email", "status": "word"}
    rows = [
        ("2062-03-04T10:00:00Z", "granted", None),
        ("2024-03-04T14:00:00Z", "withdrawn", None),
        ("2024-03-06T23:59:59Z", "granted", None),
        ("2062-03-04T10:00:00Z", "withdrawn", None),
    ]
    declared = source(consents=[said], load=load, key=["at"])
    found = statements_of(silver(spark, rows), declared).orderBy("record_id").collect()
    assert [row["stated_at"].year for row in found] == [first, 2024, 2024, 2062]
    of_one = [row for row in found if row["record_id"] in ("esp:0", "esp:1")]
    assert max(of_one, key=lambda row: row["stated_at"])["status"] == "withdrawn"


@pytest.mark.parametrize(
    ("at", "timezone", "ends"),
    [
        ("2024-03-04", "UTC", "2024-03-04T23:59:59.999999"),
        ("2024-03-04T00:00:01", "UTC", "2024-03-04T00:00:01"),
        ("2024-03-03T22:00:00", "Europe/Sofia", "2024-03-04T21:59:59.999999"),
        # A day of 25 hours.
        ("2024-10-26T21:00:00", "Europe/Sofia", "2024-10-27T21:59:59.999999"),
        (None, "UTC", "2024-03-04T23:59:59.999999"),
    ],
)
def test_so_does_one_whose_day_came_as_a_time_or_is_that_of_its_file(
    spark: SparkSession, at: str | None, timezone: str, ends: str
) -> None:
    said = {"at": "at", "constant_purpose": "ads", "constant_channel": "email", "status": "word"}
    rows = silver(spark, [(at, "withdrawn", None), (at, "granted", None)])
    corrected = F.timestamp_micros(F.unix_micros(F.col("_file_on").cast("timestamp")) + 2)
    rows = rows.withColumns({"at": F.to_timestamp("at"), "_observed_at": corrected})
    declared = source(consents=[said], timezone=timezone)
    no, yes = statements_of(rows, declared).orderBy("record_id").collect()
    assert no["stated_at"].isoformat() == ends
    assert yes["stated_at"] < no["stated_at"] or at == "2024-03-04T00:00:01"


def test_kinds_are_told_in_our_words(spark: SparkSession) -> None:
    esp = source(
        interactions={"at": "at", "kind": "word", "kinds": {"opened": "open"}, "channel": "email"}
    )
    rows = [("2024-03-04T10:00:00Z", "opened", None), ("nonsense", "click", None)]
    found = interactions_of(silver(spark, rows), esp).orderBy("interaction_id").collect()
    assert [(row["interaction_id"], row["kind"], row["on"]) for row in found] == [
        ("esp:f:0", "open", MONDAY),
        ("esp:f:1", "click", None),
    ]


def test_a_change_feed_leaves_the_last_state_of_each_row(spark: SparkSession) -> None:
    feed = [
        ("f", 0, "insert", 1, "new"),
        ("f", 1, "delete", 2, "old"),
        ("f", 1, "insert", 2, "replaced"),
        ("f", 2, "delete", 1, "gone"),
        ("f", 3, "insert", 1, "came"),
        ("f", 3, "delete", 2, "and went"),
    ]
    rows = spark.createDataFrame(
        feed,
        "_file_id STRING, _record BIGINT, _change_type STRING, _commit_version BIGINT, v STRING",
    )
    found = {row["_record"]: row for row in last_state(rows, source()).collect()}
    assert [found[0]["v"], found[1]["v"]] == ["new", "replaced"]
    assert [found[n]["_is_gone"] for n in range(4)] == [False, False, True, True]
    assert [found[n]["_is_new"] for n in range(4)] == [True, False, False, False]


HISTORY = "customer_id STRING, name STRING, valid_from DATE, valid_to DATE"


def test_history_closes_what_was_and_opens_what_is(spark: SparkSession) -> None:
    current = spark.createDataFrame(
        [
            ("same", "a", MONDAY, None),
            ("changed", "a", MONDAY, None),
            ("vanished", "a", MONDAY, None),
            ("today", "a", TUESDAY, None),
            ("undone", "a", TUESDAY, None),
        ],
        HISTORY,
    )
    customers = spark.createDataFrame(
        [("same", "a"), ("changed", "b"), ("new", "c"), ("today", "d"), ("nameless", None)],
        "customer_id STRING, name STRING",
    )
    found = history_changes(current, customers, ["name"], as_of=TUESDAY).collect()
    assert sorted(
        (row["customer_id"], row["name"], row["valid_from"], str(row["valid_to"])) for row in found
    ) == [
        ("changed", "a", MONDAY, "2024-03-05"),
        ("changed", "b", TUESDAY, "None"),
        ("new", "c", TUESDAY, "None"),
        ("today", "d", TUESDAY, "None"),
        ("undone", "a", TUESDAY, "2024-03-04"),
        ("vanished", "a", MONDAY, "2024-03-05"),
    ]


@pytest.mark.parametrize("days", [(2, 3, 1, 4), (3, 1, 2, 2), (1, 4, 4, 3), (4, 3, 2, 1)])
def test_whichever_days_are_run_again_a_history_tells_one_thing_of_each_day(
    spark: SparkSession, days: tuple[int, ...]
) -> None:
    """One customer for each way in which four builds can speak of one."""
    told = {f"{number}": said for number, said in enumerate(product((None, "a", "b"), repeat=4))}
    history: dict[tuple[str, date], Any] = {}

    def changes() -> list[Row]:
        current = local_frame(spark, history.values(), HISTORY)
        customers = local_frame(spark, now.items(), "customer_id STRING, name STRING")
        return history_changes(current, customers, ["name"], as_of=day).collect()

    for at, number in enumerate(days):
        day = MONDAY + timedelta(days=number)
        now = {who: said[at] for who, said in told.items() if said[at]}
        for row in changes():
            key = row["customer_id"], row["valid_from"]
            history[key] = tuple(row)
            if row["valid_to"] and row["valid_to"] < row["valid_from"]:
                del history[key]
        spans = sorted((who, start, end, name) for who, name, start, end in history.values())
        assert {who: name for who, _, end, name in spans if end is None} == now
        assert all(end is None or start < end for _, start, end, _ in spans)
        for (who, _, end, _), (other, start, *_) in pairwise(spans):
            assert who != other or (end is not None and end <= start)
        assert changes() == []


def test_who_is_there_again_on_a_day_that_is_run_again_was_never_away(spark: SparkSession) -> None:
    wednesday = TUESDAY + timedelta(days=1)
    current = spark.createDataFrame(
        [("same", "a", MONDAY, TUESDAY), ("other", "a", MONDAY, wednesday)], HISTORY
    )
    customers = spark.createDataFrame(
        [("same", "a"), ("other", "b")], "customer_id STRING, name STRING"
    )
    found = history_changes(current, customers, ["name"], as_of=TUESDAY).collect()
    assert sorted(map(tuple, found), key=str) == [
        ("other", "a", MONDAY, TUESDAY),
        ("other", "b", TUESDAY, None),
        ("same", "a", MONDAY, None),
    ]


def test_only_differences_are_merged(spark: SparkSession) -> None:
    ddl = "id STRING, value INT, marks MAP<STRING, STRING>"
    old = spark.createDataFrame(
        [("same", 1, {"a": "1", "b": "2"}), ("changed", 1, {"a": "1"}), ("gone", 1, {})], ddl
    )
    new = spark.createDataFrame(
        [("same", 1, {"b": "2", "a": "1"}), ("changed", 1, {"a": "2"}), ("new", None, {})], ddl
    )
    found = {
        row["id"]: (row["value"], row["marks"]) for row in difference(new, old, on=["id"]).collect()
    }
    assert found == {"changed": (1, {"a": "2"}), "gone": (None, None), "new": (None, {})}


def test_a_map_with_its_entries_in_another_order_is_no_difference(spark: SparkSession) -> None:
    # Not from dicts: on their way to Spark they lose the order of their entries.
    old = spark.sql("SELECT 'same' AS id, map('a', '1', 'b', '2') AS marks")
    new = spark.sql("SELECT 'same' AS id, map('b', '2', 'a', '1') AS marks")
    assert difference(new, old, on=["id"]).collect() == []


INTERACTIONS = (
    "interaction_id STRING, customer_id STRING, source STRING, at TIMESTAMP, channel STRING, "
    "kind STRING, session_id STRING, is_bot BOOLEAN"
)
PURCHASES = (
    "customer_id STRING, source STRING, order_id STRING, at TIMESTAMP, channel STRING, "
    "quantity DOUBLE, amount DECIMAL(18,4), currency STRING, is_cancellation BOOLEAN"
)


def test_metrics_leave_out_machines_our_own_mail_and_cancellations(spark: SparkSession) -> None:
    later, last = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    did = [
        ("1", "c", "web", NOON, "web", "view", "v1", False),
        ("2", "c", "web", later, "web", "view", "v1", False),
        ("3", "c", "web", last, "web", "view", "v9", True),
        ("4", "c", "esp", last, "email", "delivered", None, False),
        ("5", "c", "esp", later, "email", "open", None, False),
        ("6", "c", "crm", NOON, "phone", "call", None, False),
    ]
    bought = [
        ("c", "shop", "o1", NOON, "store", 2.0, Decimal(10), "EUR", False),
        ("c", "shop", "o1", NOON, "store", 1.0, Decimal(5), "EUR", False),
        ("c", "shop", "o2", later, "store", -1.0, Decimal(-5), "EUR", True),
        ("mixed", "shop", "o3", NOON, "store", 1.0, Decimal(5), "EUR", False),
        ("mixed", "shop", "o4", NOON, "store", 1.0, Decimal(5), "GBP", False),
    ]
    customers = spark.createDataFrame([("c",), ("mixed",), ("idle",)], "customer_id STRING")
    rows = {
        row["customer_id"]: row.asDict()
        for row in golden_metrics(
            customers,
            spark.createDataFrame(did, INTERACTIONS),
            spark.createDataFrame(bought, PURCHASES),
        ).collect()
    }
    assert rows["c"] == {
        "customer_id": "c", "interactions": 4, "first_seen_at": NOON, "last_seen_at": later,
        "last_web_at": later, "last_email_at": later, "last_phone_at": NOON,
        "last_store_at": later, "orders": 1, "items": 3.0, "revenue": 15, "cancelled_revenue": 5,
        "first_purchase_at": NOON,
        "last_purchase_at": NOON, "average_order": 15, "emails_opened": 1, "emails_clicked": 0,
        "sessions": 1,
    }  # fmt: skip
    assert (rows["mixed"]["orders"], rows["mixed"]["revenue"]) == (2, None)
    assert (rows["idle"]["interactions"], rows["idle"]["revenue"]) == (0, 0)
    assert rows["idle"]["last_seen_at"] is None


@pytest.mark.parametrize(
    ("currencies", "revenue"),
    [(("EUR", None), None), ((None, None), 10), (("EUR", "EUR"), 10), (("EUR", "GBP"), None)],
)
def test_a_line_that_says_no_currency_is_not_added_to_those_that_say_one(
    spark: SparkSession, currencies: tuple[str | None, ...], revenue: int | None
) -> None:
    bought = [
        ("c", "shop", f"o{at}", NOON, "store", 1.0, Decimal(5), currency, False)
        for at, currency in enumerate(currencies)
    ]
    [row] = golden_metrics(
        spark.createDataFrame([("c",)], "customer_id STRING"),
        spark.createDataFrame([], INTERACTIONS),
        spark.createDataFrame(bought, PURCHASES),
    ).collect()
    average = None if revenue is None else revenue / 2
    assert (row["orders"], row["revenue"], row["average_order"]) == (2, revenue, average)


def test_money_that_does_not_fit_is_not_known_and_none_is_none(spark: SparkSession) -> None:
    bought = [
        ("rich", "shop", f"o{at}", NOON, "store", 1.0, Decimal("6e13"), "EUR", False)
        for at in range(2)
    ]
    found = golden_metrics(
        spark.createDataFrame([("rich",), ("poor",)], "customer_id STRING"),
        spark.createDataFrame([], INTERACTIONS),
        spark.createDataFrame(bought, PURCHASES),
    ).collect()
    told = {row["customer_id"]: (row["orders"], row["revenue"]) for row in found}
    assert told == {"rich": (2, None), "poor": (0, 0)}


def test_the_channel_of_a_purchase_is_the_one_that_its_row_names(spark: SparkSession) -> None:
    erp = source(
        purchases={
            "at": "at", "order": "word", "item": "word", "quantity": "word", "unit_price": "word",
            "channel": "erp", "channel_from": "is_test",
        }
    )  # fmt: skip
    rows = [("2024-03-04T10:00:00Z", "1", said) for said in ("web", " Phone", "fax", "", None)]
    found = purchases_of(silver(spark, rows), erp).orderBy("purchase_line_id").collect()
    assert [row["channel"] for row in found] == ["web", "phone", "erp", "erp", "erp"]


def test_two_keys_are_two_lines_though_a_bar_stands_in_one(spark: SparkSession) -> None:
    till = source(
        load="increment",
        key=["word", "is_test"],
        purchases={
            "at": "at", "order": "word", "item": "word", "quantity": "word", "unit_price": "word",
            "channel": "store",
        },
    )  # fmt: skip
    keys = [("A|1", "2"), ("A", "1|2"), ("A\\", "1")]
    rows = silver(spark, [("2024-03-04T10:00:00Z", *key) for key in keys])
    found = purchases_of(rows, till).collect()
    assert {row["purchase_line_id"]: row["order_id"] for row in found} == {
        r"esp:A\|1|2": "A|1",
        r"esp:A|1\|2": "A",
        r"esp:A\\|1": "A\\",
    }
    feed = rows.withColumns({"_change_type": F.lit("insert"), "_commit_version": F.lit(1)})
    assert last_state(feed, till).count() == len(keys)
