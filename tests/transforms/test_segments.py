"""Audiences mean what an independent reading of their declarations says that they mean."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from goldenlake.declarations.segment import Segment
from goldenlake.errors import DeclarationError
from goldenlake.io.tables import local_frame
from goldenlake.transforms.segments import follow_merges, memberships, movements
from support import segment_oracle
from support.gold import CUSTOMERS, INTERACTIONS, METRICS, PURCHASES, at, customer

DAY = date(2024, 5, 31)


def segment(who, name="wanted", **others):
    return {"segment": name, "description": "x", "owner": "crm", "who": who, **others}


def judge(
    spark, segments, customers, metrics=(), interactions=(), purchases=(), as_of=DAY, **others
):
    found = memberships(
        [Segment.model_validate(each) for each in segments],
        as_of=as_of,
        customers=local_frame(spark, customers, CUSTOMERS),
        metrics=local_frame(spark, metrics, METRICS),
        events={
            "gold.interactions": local_frame(spark, interactions, INTERACTIONS),
            "gold.purchases": local_frame(spark, purchases, PURCHASES),
        },
        **others,
    )
    rows = [(row["segment"], row["customer_id"]) for row in found.collect()]
    assert len(rows) == len(set(rows))
    return set(rows)


def seen(who, kind, moment, **others):
    moment = at(moment) if isinstance(moment, str) else moment
    return {
        "interaction_id": f"{who}{kind}{moment}",
        "customer_id": who,
        "kind": kind,
        "at": moment,
        "on": moment.date(),
        "is_bot": False,
    } | others


def bought(who, moment, **others):
    moment = at(moment) if isinstance(moment, str) else moment
    return {
        "customer_id": who,
        "at": moment,
        "on": moment.date(),
        "is_cancellation": False,
    } | others


def test_random_conditions_mean_what_the_plain_reading_says(spark):
    dice = random.Random(20240531)
    people = [
        {
            "customer_id": f"c{n:03}",
            "is_known": dice.random() < 0.9,
            "country": dice.choice(["FR", "DE", "GB", None]),
            "postcode": dice.choice(["75001", "75002", "10115", None]),
            "birth_on": dice.choice([None, date(1980, 5, 1), date(2000, 1, 1)]),
            "customer_since": dice.choice(
                [None] + [DAY + timedelta(days=d) for d in (-60, -30, -29, -1, 0, 1)]
            ),
        }
        for n in range(120)
    ]
    metrics = [
        {
            "customer_id": person["customer_id"],
            "orders": dice.choice([0, 1, 2, 5, None]),
            "last_purchase_at": dice.choice([None, _moment(dice), _moment(dice)]),
        }
        for person in people
        if dice.random() < 0.8
    ]
    interactions = [
        seen(
            person["customer_id"],
            dice.choice(["view", "cart", "open"]),
            _moment(dice),
            item=dice.choice(["a", "b", None]),
            is_bot=dice.choice([False, False, False, None, True]),
            properties=dice.choice([None, {"campaign": "may"}, {"campaign": "april"}]),
        )
        for person in people
        for _ in range(dice.choice([0, 1, 3, 8]))
    ]
    purchases = [
        bought(
            person["customer_id"],
            _moment(dice),
            item=dice.choice(["a", "b"]),
            is_cancellation=dice.random() < 0.2,
        )
        for person in people
        for _ in range(dice.choice([0, 0, 1, 3]))
    ]
    dice.shuffle(interactions)
    segments = []
    for n in range(40):
        who = _condition(dice, 3, [each["segment"] for each in segments])
        anonymous = dice.random() < 0.3
        segments.append(segment(who, f"s{n:02}", include_anonymous=anonymous))
    dice.shuffle(segments)

    got = judge(spark, segments, people, metrics, interactions, purchases)

    wanted = segment_oracle.members(
        segments,
        DAY,
        people,
        {row["customer_id"]: row for row in metrics},
        interactions,
        purchases,
    )
    assert len(wanted) > 400
    wrong = sorted({name for name, _ in got ^ wanted})
    assert not wrong, [each["who"] for each in segments if each["segment"] == wrong[0]]


def _moment(dice):
    """Coarse enough for many ties and for windows that are met exactly; some after the day."""
    hours = dice.choice([0, 6, 12, 18])
    return datetime(2024, 5, 31, tzinfo=UTC) + timedelta(days=dice.randint(-8, 1), hours=hours)


def _event(dice):
    wanted = {"event": dice.choice(["view", "cart", "open", "purchase"])}
    if dice.random() < 0.3:
        wanted["where"] = {"item": dice.choice(["a", ["a", "b"]])}
    if wanted["event"] != "purchase" and dice.random() < 0.2:
        wanted["properties"] = {"campaign": "may"}
    return wanted


def _condition(dice, depth, names):
    kinds = ["attribute", "metric", "did", "did", "sequence", "sequence"]
    kinds += ["all", "any", "not"] * 2 if depth else []
    kinds += ["segment"] if names else []
    window = dice.choice([None, "3d", "1d", "6h", "30h"])
    match dice.choice(kinds):
        case "attribute":
            return dice.choice(
                [
                    {"attribute": "country", "equals": "FR"},
                    {"attribute": "country", "none_of": ["FR", "DE"]},
                    {"attribute": "country", "missing": dice.choice([True, False])},
                    {"attribute": "postcode", "starts_with": "75"},
                    {"attribute": "postcode", "contains": "01"},
                    {"attribute": "birth_on", "at_least": "1990-01-01"},
                    {"attribute": "customer_since", "within": "30d"},
                    {"attribute": "customer_since", "not_within": "30d"},
                ]
            )
        case "metric":
            return dice.choice(
                [
                    {"metric": "orders", "at_least": 1, "below": 5},
                    {"metric": "orders", "one_of": [0, 2]},
                    {"metric": "last_purchase_at", "within": "3d"},
                    {"metric": "last_purchase_at", "not_within": "12h"},
                ]
            )
        case "did":
            extra = dice.choice([{}, {"at_least": 2}, {"at_most": 1}, {"did": False}])
            return {**_event(dice), **extra, **({"within": window} if window else {})}
        case "sequence":
            gap = dice.choice([None, "6h", "24h", "2d"])
            undone = dice.choice([None, _event(dice)])
            return {
                "sequence": [_event(dice) for _ in range(dice.choice([2, 2, 3]))],
                **({"gap": gap} if gap else {}),
                **({"within": window} if window else {}),
                **({"not_followed_by": undone} if undone else {}),
            }
        case "segment":
            return {"segment": dice.choice(names)}
        case "not":
            return {"not": _condition(dice, depth - 1, names)}
        case several:
            inner = [_condition(dice, depth - 1, names) for _ in range(dice.choice([1, 2, 3]))]
            return {several: inner}


def test_whoever_put_in_the_cart_and_did_not_buy_is_found_whatever_arrived_first(spark):
    abandoned = segment(
        {
            "sequence": [{"event": "view"}, {"event": "cart"}],
            "gap": "1h",
            "not_followed_by": {"event": "purchase"},
        }
    )
    found = judge(
        spark,
        [abandoned],
        [customer(name) for name in ("left", "paid", "slow", "reversed")],
        interactions=[
            seen("left", "cart", "2024-05-31 10:30"),
            seen("left", "view", "2024-05-31 10:00"),
            seen("paid", "view", "2024-05-31 10:00"),
            seen("paid", "cart", "2024-05-31 10:30"),
            seen("slow", "view", "2024-05-31 10:00"),
            seen("slow", "cart", "2024-05-31 11:01"),
            seen("reversed", "cart", "2024-05-31 10:00"),
            seen("reversed", "view", "2024-05-31 10:30"),
        ],
        purchases=[bought("paid", "2024-05-31 10:31"), bought("left", "2024-05-31 10:15")],
    )
    assert found == {("wanted", "left")}


@pytest.mark.parametrize(
    ("who", "members"),
    [
        (
            {
                "sequence": [{"event": "view"}, {"event": "cart"}],
                "not_followed_by": {"event": "purchase"},
            },
            {"before", "second", "nothing"},
        ),
        (
            {
                "sequence": [{"event": "view"}, {"event": "cart"}],
                "within": "11h",
                "not_followed_by": {"event": "purchase"},
            },
            {"before", "second", "nothing"},
        ),
        ({"sequence": [{"event": "cart"}, {"event": "purchase"}]}, {"day"}),
        ({"sequence": [{"event": "cart"}, {"event": "purchase"}], "gap": "8h"}, set()),
        (
            {
                "sequence": [{"event": "cart"}, {"event": "purchase"}],
                "not_followed_by": {"event": "purchase"},
            },
            {"day"},
        ),
        ({"sequence": [{"event": "purchase"}, {"event": "cart"}]}, {"day", "before", "second"}),
        ({"sequence": [{"event": "purchase"}, {"event": "purchase"}]}, {"twice"}),
        (
            {"sequence": [{"event": "purchase"}, {"event": "cart"}, {"event": "purchase"}]},
            set(),
        ),
    ],
)
def test_a_purchase_of_which_the_day_alone_is_known_counts_as_the_last_thing_on_it(
    spark, who, members
):
    carted = ("day", "before", "second", "nothing")
    events = [
        seen(name, kind, f"2024-05-31 {time}")
        for name in carted
        for kind, time in (("view", "14:00"), ("cart", "15:00"))
    ]
    purchases = [
        bought("day", "2024-05-31 00:00"),
        bought("day", "2024-05-31 00:00"),
        bought("before", "2024-05-30 00:00"),
        bought("second", "2024-05-31 00:00:01"),
        bought("twice", "2024-05-30 00:00"),
        bought("twice", "2024-05-31 00:00"),
    ]
    found = judge(
        spark,
        [segment(who)],
        [customer(name) for name in (*carted, "twice")],
        interactions=events,
        purchases=purchases,
    )
    assert {name for _, name in found} == members


def test_an_earlier_day_does_not_see_what_came_later(spark):
    wanted = [segment({"event": "view", "at_least": 1})]
    events = [seen("a", "view", "2024-05-31 00:00"), seen("b", "view", "2024-05-30 23:59")]
    people = [customer("a"), customer("b")]
    earlier = judge(spark, wanted, people, interactions=events, as_of=date(2024, 5, 30))
    assert earlier == {("wanted", "b")}


def test_who_bought_after_the_day_has_not_stopped_buying(spark):
    lapsed = segment({"metric": "last_purchase_at", "not_within": "90d"})
    bought = {"a": at("2024-06-01 00:30"), "b": at("2024-05-31 23:30"), "c": at("2024-01-01 08:00")}
    found = judge(
        spark,
        [lapsed],
        [customer(name) for name in ("a", "b", "c", "never")],
        metrics=[{"customer_id": who, "last_purchase_at": when} for who, when in bought.items()],
    )
    assert found == {("wanted", "c"), ("wanted", "never")}


def test_an_instant_of_an_event_is_compared_with_a_day_by_its_day(spark):
    found = judge(
        spark,
        [
            segment({"event": "view", "where": {"at": "2024-05-30"}}, "day"),
            segment({"event": "view", "where": {"at": "2024-05-30T08:00:00"}}, "instant"),
        ],
        [customer("a"), customer("b")],
        interactions=[seen("a", "view", "2024-05-30 08:00"), seen("b", "view", "2024-05-30 09:00")],
    )
    assert found == {("day", "a"), ("day", "b"), ("instant", "a")}


def test_static_members_stay_while_they_are_customers(spark):
    static = segment({"attribute": "country", "equals": "FR"}, kind="static")
    nested = segment({"not": {"segment": "wanted"}}, "others")
    kept = spark.createDataFrame(
        [("wanted", "b"), ("wanted", "gone")], "segment STRING, customer_id STRING"
    )
    people = [customer("a", country="FR"), customer("b", country="DE")]
    found = judge(spark, [static, nested], people, kept=kept, settled={"wanted"})
    assert found == {("wanted", "b"), ("others", "a")}


def test_an_expression_over_both_tables_is_evaluated(spark):
    found = judge(
        spark,
        [segment({"sql": "orders * 2 > 3 AND country = 'FR'"})],
        [customer("a", country="FR"), customer("b", country="FR"), customer("c", country="DE")],
        metrics=[{"customer_id": "a", "orders": 2}, {"customer_id": "c", "orders": 2}],
    )
    assert found == {("wanted", "a")}


def test_what_cannot_be_reckoned_is_unknown_of_one_customer_and_stops_nobody(spark):
    found = judge(
        spark,
        [
            segment({"sql": "revenue / orders > 3"}, "spends"),
            segment({"event": "view", "matching": "cast(item AS INT) = 7"}, "views"),
        ],
        [customer("a"), customer("b")],
        metrics=[
            {"customer_id": "a", "orders": 2, "revenue": Decimal(9)},
            {"customer_id": "b", "orders": 0, "revenue": Decimal(9)},
        ],
        interactions=[
            seen("a", "view", "2024-05-30 08:00", item="x7"),
            seen("b", "view", "2024-05-30 08:00", item="7"),
        ],
    )
    assert found == {("spends", "a"), ("views", "b")}


@pytest.mark.parametrize(
    ("who", "says"),
    [
        ({"attribute": "postcode", "equals": 75001}, "Write it in quotes"),
        ({"attribute": "shoe_size", "equals": 44}, "not a column of gold.customers"),
        ({"attribute": "country", "within": "3d"}, "needs a date"),
        ({"metric": "orders", "at_least": "many"}, "cannot be compared with text"),
        ({"event": "view", "where": {"colour": "red"}}, "no column 'colour'"),
        ({"event": "view", "matching": "colour = 'red'"}, "no column colour"),
        ({"sql": "orders + 1"}, "must be a condition"),
        ({"sql": "shoe_size > 44"}, "shoe_size"),
        ({"segment": "wanted"}, "depends on itself"),
        ({"segment": "nobody"}, "is not declared"),
    ],
)
def test_a_segment_that_does_not_fit_the_tables_is_named(spark, who, says):
    with pytest.raises(DeclarationError, match=says) as caught:
        judge(spark, [segment(who)], [])
    assert "conf/segments/wanted.yml" in str(caught.value)


def test_a_member_who_was_merged_has_neither_left_nor_entered(spark):
    shape = "segment STRING, customer_id STRING"
    history = spark.createDataFrame(
        [
            ("a", "merged", "b", 2),
            ("b", "merged", "c", 3),
            ("x", "merged", "y", 9),
            ("d", "split", "e", 2),
        ],
        "customer_id STRING, event STRING, other_customer_id STRING, generation BIGINT",
    )
    before = spark.createDataFrame([("s", "a"), ("s", "c"), ("s", "x"), ("s", "d")], shape)
    now = spark.createDataFrame([("s", "c"), ("s", "d"), ("s", "new")], shape)
    moved = movements(now, follow_merges(before, history, after=1, to=3))
    assert {tuple(row) for row in moved.collect()} == {
        ("s", "c", "stayed"),
        ("s", "d", "stayed"),
        ("s", "x", "exited"),
        ("s", "new", "entered"),
    }
