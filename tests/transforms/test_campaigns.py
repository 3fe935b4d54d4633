"""What came of a campaign, against sums and intervals worked out by hand."""

import math
from datetime import date
from decimal import Decimal
from random import Random
from statistics import NormalDist, fmean, variance

import pytest

from goldenlake.transforms.campaigns import campaign_results, newcombe

ASSIGNED = (
    "segment STRING, campaign STRING, customer_id STRING, arm STRING, channel STRING, "
    "destination STRING, assigned_on DATE, until DATE"
)
BOUGHT = (
    "customer_id STRING, channel STRING, on DATE, amount DECIMAL(18,4), is_cancellation BOOLEAN, "
    "currency STRING"
)
DID = "customer_id STRING, channel STRING, on DATE, kind STRING, is_bot BOOLEAN"
FIRST, UNTIL = date(2026, 3, 1), date(2026, 3, 15)


def assigned(who, arm, campaign="spring"):
    return ("s", campaign, who, arm, "email", "crm", FIRST, UNTIL)


def bought(who, amount, currency="EUR", on=date(2026, 3, 3), is_cancellation=False):
    return (who, "web", on, Decimal(amount), is_cancellation, currency)


def results(spark, people, purchases=(), interactions=()):
    rows = campaign_results(
        spark.createDataFrame(people, ASSIGNED),
        spark.createDataFrame(list(interactions), DID),
        spark.createDataFrame(list(purchases), BOUGHT),
    ).collect()
    return {row["campaign"]: row for row in rows}


#: Newcombe (1998), table II, method 10.
@pytest.mark.parametrize(
    ("counts", "bounds"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((10, 10, 0, 10), (0.6075, 1.0000)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
    ],
)
def test_the_interval_of_two_shares_is_that_of_the_paper(spark, counts, bounds):
    frame = spark.createDataFrame([counts], "a LONG, m LONG, b LONG, n LONG")
    found = frame.select(*newcombe("a", "m", "b", "n")).first()
    assert tuple(found) == pytest.approx(bounds, abs=5e-5)


def test_money_that_does_not_fit_is_not_known_and_stops_nothing(spark):
    people = [assigned("a", "sent"), assigned("b", "sent"), assigned("c", "held_out")]
    absurd = [bought("a", "6e13"), bought("a", "6e13"), bought("c", "5")]
    row = results(spark, people, absurd)["spring"]
    assert (row["converted"], row["revenue"], row["revenue_held_out"]) == (1, None, 5)


def test_results_are_those_of_plain_sums(spark):
    random = Random(3)
    people = [assigned(f"s{at}", "sent") for at in range(60)]
    people += [assigned(f"h{at}", "held_out") for at in range(25)]
    spent = {}
    purchases = []
    for _, _, who, arm, *_ in people:
        for _ in range(random.choice([0, 0, 1, 2] if arm == "sent" else [0, 0, 0, 1])):
            amount = Decimal(random.randrange(100, 9000)) / 100
            spent[who] = spent.get(who, 0) + amount
            purchases.append(bought(who, amount, on=date(2026, 3, random.randrange(2, 16))))
    # Neither before, nor on the day itself, nor after, nor what was cancelled.
    before, after = date(2026, 2, 27), date(2026, 3, 16)
    outside = [(before, False), (FIRST, False), (after, False), (UNTIL, True)]
    for on, is_cancelled in outside:
        purchases += [bought(who, 777, "GBP", on, is_cancelled) for who in ("s0", "h0")]
    row = results(spark, people, purchases)["spring"]
    groups = {
        arm: [float(spent.get(who, 0)) for _, _, who, a, *_ in people if a == arm]
        for arm in ("sent", "held_out")
    }
    sent, held = groups["sent"], groups["held_out"]
    assert (row["sent"], row["held_out"]) == (60, 25)
    assert row["converted"] == sum(1 for each in sent if each)
    assert row["converted_held_out"] == sum(1 for each in held if each)
    assert float(row["revenue"]) == pytest.approx(sum(sent))
    assert row["lift"] == pytest.approx(row["converted"] / 60 - row["converted_held_out"] / 25)
    error = math.sqrt(variance(sent) / 60 + variance(held) / 25)
    z = NormalDist().inv_cdf(0.975)
    difference = fmean(sent) - fmean(held)
    assert row["revenue_lift"] == pytest.approx(difference)
    assert row["revenue_lift_low"] == pytest.approx(difference - z * error)
    assert row["revenue_lift_high"] == pytest.approx(difference + z * error)


def test_reactions_count_people_of_the_channel_in_their_time(spark):
    on = date(2026, 3, 3)
    events = [
        ("a", "email", on, "delivered", False), ("a", "email", on, "open", False),
        ("a", "email", on, "open", False), ("b", "email", on, "delivered", False),
        ("b", "email", on, "click", True), ("b", "sms", on, "open", False),
        ("c", "email", FIRST, "open", False), ("h", "email", on, "open", False),
    ]  # fmt: skip
    people = [*(assigned(who, "sent") for who in "abc"), assigned("h", "held_out")]
    row = results(spark, people, interactions=events)["spring"]
    assert (row["delivered"], row["opened"], row["clicked"]) == (2, 1, 0)


def test_who_is_in_both_groups_by_a_merge_is_in_neither(spark):
    people = [assigned("x", "sent"), assigned("x", "held_out"), assigned("y", "sent")]
    assert results(spark, people)["spring"]["sent"] == 1


def test_without_a_control_group_there_is_no_lift(spark):
    found = results(spark, [assigned("x", "sent", ""), assigned("y", "held_out", "other")])
    assert found[""]["lift"] is None
    assert found[""]["revenue_lift_low"] is None
    assert found["other"]["lift_high"] is None


def test_a_campaign_of_nobody_is_no_row(spark):
    assert results(spark, []) == {}


MONEY = ("revenue", "revenue_held_out", "revenue_lift", "revenue_lift_low", "revenue_lift_high")


@pytest.mark.parametrize(
    "purchases",
    [
        [bought("s0", 10, "EUR"), bought("s0", 10, "GBP")],
        [bought("s0", 10, "EUR"), bought("s1", 10, "GBP")],
        [bought("s0", 10, "EUR"), bought("h0", 10, "GBP")],
        [bought("s0", 10, "EUR"), bought("s0", 10, None)],
        [bought("h0", 10, None), bought("h1", 10, "EUR")],
    ],
)
def test_money_of_several_currencies_is_not_added_up(spark, purchases):
    people = [assigned(f"s{at}", "sent") for at in range(3)]
    people += [assigned(f"h{at}", "held_out") for at in range(3)]
    people += [assigned("s0", "sent", "autumn"), assigned("x", "held_out", "autumn")]
    found = results(spark, people, [*purchases, bought("x", 5, "EUR")])
    row = found["spring"]
    assert [row[name] for name in MONEY] == [None] * len(MONEY)
    buyers = {who for who, *_ in purchases}
    assert row["converted"] + row["converted_held_out"] == len(buyers)
    assert row["lift"] is not None


def test_of_campaigns_those_alone_have_no_sum_whose_own_people_paid_in_several_currencies(spark):
    people = [assigned("x", "sent"), assigned("y", "sent", "autumn"), assigned("z", "sent", "may")]
    purchases = [
        bought("x", 10, "EUR"), bought("x", 10, "GBP"), bought("y", 7, None), bought("y", 2, None),
    ]  # fmt: skip
    found = results(spark, people, purchases)
    money = {name: (row["revenue"], row["revenue_held_out"]) for name, row in found.items()}
    assert money == {"spring": (None, None), "autumn": (9, 0), "may": (0, 0)}
