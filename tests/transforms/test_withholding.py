"""Who is left out of an export although nothing forbids it."""

import hashlib
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldenlake.declarations.destination import Cap
from goldenlake.declarations.segment import HoldOut
from goldenlake.transforms.withholding import at_cap, with_withheld

MEMBERS = "segment STRING, customer_id STRING"
IDS = [f"c_{at:04}" for at in range(3000)]

INTERACTIONS = "customer_id STRING, channel STRING, kind STRING, at TIMESTAMP"
KEYS = "customer_id STRING, key STRING"


def left_out(spark, members, *, hold_outs=None, priority=(), capped=None):
    frame = with_withheld(
        spark.createDataFrame(members, MEMBERS),
        hold_outs=hold_outs or {},
        priority=priority,
        capped=capped,
    )
    return {(row["segment"], row["customer_id"]): row["withheld"] for row in frame.collect()}


def expected(salt, share, customer):
    """By hand: the salted SHA-256 as a share of all numbers that it could be."""
    digest = hashlib.sha256(f"{salt}:{customer}".encode()).hexdigest()
    return int(digest[:13], 16) / 16**13 < share


@pytest.fixture(scope="module")
def groups(spark):
    """Two campaigns of one segment, and another segment without a control group."""
    first, second = HoldOut(share=0.1, salt="spring"), HoldOut(share=0.1, salt="autumn")
    members = [("s", who) for who in IDS] + [("t", IDS[0])]
    return (
        left_out(spark, members, hold_outs={"s": first}),
        left_out(spark, members, hold_outs={"s": second}),
    )


def test_the_control_group_is_the_salted_hash_and_nothing_else(groups):
    held = {who for (segment, who), why in groups[0].items() if why == "hold_out"}
    assert held == {who for who in IDS if expected("spring", 0.1, who)}
    assert 0.08 < len(held) / len(IDS) < 0.12
    assert groups[0]["t", IDS[0]] is None


def test_another_salt_draws_another_group(groups):
    first, second = ({w for (_, w), why in g.items() if why} for g in groups)
    assert len(first & second) / len(first) < 0.25


def test_who_is_in_several_lists_is_sent_in_the_most_important_alone(spark):
    members = [("a", "x"), ("b", "x"), ("b", "y"), ("c", "x"), ("other", "x")]
    found = left_out(spark, members, priority=["b", "a", "c"])
    assert found == {
        ("a", "x"): "priority", ("b", "x"): None, ("b", "y"): None, ("c", "x"): "priority",
        ("other", "x"): None,
    }  # fmt: skip


def test_who_is_held_out_of_the_first_list_does_not_fall_into_the_second(spark):
    everybody = HoldOut(share=0.999999, salt="x")
    found = left_out(
        spark, [("a", "x"), ("b", "x")], hold_outs={"a": everybody}, priority=["a", "b"]
    )
    assert found == {("a", "x"): "hold_out", ("b", "x"): "priority"}


def test_who_is_capped_is_in_no_control_group_before_the_cap_ends(spark):
    everybody = HoldOut(share=0.999999, salt="x")
    capped = spark.createDataFrame([("x",)], "customer_id STRING")
    found = left_out(spark, [("a", "x"), ("a", "y")], hold_outs={"a": everybody}, capped=capped)
    assert found == {("a", "x"): "capped", ("a", "y"): "hold_out"}


def test_an_address_is_at_its_cap_by_what_reached_all_who_share_it(spark):
    day = datetime(2026, 3, 21, 9, tzinfo=UTC)
    rows = [(name, "email", "delivered", day) for name in ("ann", "bob", "bob", "cyd")]
    frame = spark.createDataFrame(rows, INTERACTIONS)
    sent = [("ann", "home"), ("bob", "own"), ("cyd", "alone"), ("dan", "home")]
    keys = spark.createDataFrame(sent, KEYS)
    bearers = spark.createDataFrame([*sent, ("bob", "home")], KEYS)
    capped = at_cap(
        frame,
        Cap(most=3, within="1d"),
        keys=keys,
        bearers=bearers,
        channel="email",
        as_of=day.date(),
    )
    assert sorted(row["customer_id"] for row in capped.collect()) == ["ann", "dan"]


@settings(max_examples=10)
@given(
    times=st.lists(st.integers(0, 20), max_size=8),
    most=st.integers(1, 4),
    days=st.integers(1, 10),
)
def test_a_cap_counts_what_was_delivered_within_its_whole_days(spark, times, most, days):
    day = date(2026, 3, 21)
    rows = [
        ("x", "email", "delivered", datetime(2026, 3, 1 + at, 23, 59, 59, tzinfo=UTC))
        for at in times
    ]
    rows += [("x", "sms", "delivered", datetime(2026, 3, 21, tzinfo=UTC))] * 5
    rows += [("x", "email", "open", datetime(2026, 3, 21, tzinfo=UTC))] * 5
    rows += [("x", "email", "delivered", datetime(2026, 3, 22, tzinfo=UTC))] * 5
    frame = spark.createDataFrame(rows, INTERACTIONS)
    cap = Cap(most=most, within=f"{days}d")
    nobody = spark.createDataFrame([], KEYS)
    capped = at_cap(frame, cap, keys=nobody, bearers=nobody, channel="email", as_of=day)
    found = [row["customer_id"] for row in capped.collect()]
    within = [at for at in times if 20 - days < at <= 20]
    assert found == (["x"] if len(within) >= most else [])
