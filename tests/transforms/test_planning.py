"""A plan sends what is desired and not yet acknowledged, and takes back only what we sent."""

from datetime import date
from functools import reduce

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.transforms.planning import changed_fields, numbered, plan_rows, summary

PEOPLE = (
    "customer_id STRING, key STRING, consent STRING, fields STRING, desired_hash STRING, "
    "customer_since DATE, country STRING, until TIMESTAMP, marks STRING"
)
LEDGER = (
    "segment STRING, key STRING, customer_id STRING, owner_then STRING, state STRING, "
    "desired_hash STRING, acknowledged_hash STRING, remote_id STRING, attempt INT, "
    "outcome STRING, delivery STRING, acknowledged_on DATE, acknowledged_marks STRING"
)


MONDAY, TUESDAY = date(2024, 6, 3), date(2024, 6, 4)
NOW = '{"name": "0A", "orders": "1B", "phone": "2C"}'
THEN = '{"name": "0A", "orders": "FF"}'


def person(name, consent="granted", key=None, since=None):
    return (name, key or f"k_{name}", consent, "{}", f"h_{name}", since, None, None, NOW)


def known(key, owner, state="present", now=None, acknowledged=None, outcome="acknowledged"):
    hash_of = acknowledged or f"h_{owner}"
    told = (owner, state, hash_of, hash_of, None, 0, outcome, "d", TUESDAY, THEN)
    return ("s", key, now or owner, *told)


#: name: (is member, person today or None, what the ledger has or None)
CASES = {
    "new": (True, person("new"), None),
    "same": (True, person("same", since=date(2020, 1, 1)), known("k_same", "same")),
    "changed": (True, person("changed"), known("k_changed", "changed", acknowledged="old")),
    "readded": (True, person("readded"), known("k_readded", "readded", state="absent")),
    "doubt": (True, person("doubt"), known("k_doubt", "doubt", state="unknown")),
    "refused": (
        True,
        person("refused"),
        known("k_refused", "refused", "absent", outcome="rejected"),
    ),
    "mended": (
        True,
        person("mended"),
        known("k_mended", "mended", "absent", acknowledged="old", outcome="rejected"),
    ),
    "no": (True, person("no", "withdrawn"), known("k_no", "no")),
    "never": (True, person("never", "suppressed"), None),
    "silent": (True, person("silent", "no_consent"), None),
    "nokey": (True, ("nokey", None, "granted", "{}", "h", None, None, None, NOW), None),
    "moved": (True, person("moved", key="k_elsewhere"), known("k_old", "moved")),
    "left": (False, person("left"), known("k_left", "left")),
    "leftno": (False, person("leftno", "withdrawn"), known("k_leftno", "leftno")),
    "leftdoubt": (False, person("leftdoubt"), known("k_leftdoubt", "leftdoubt", state="unknown")),
    "leftlong": (False, person("leftlong"), known("k_leftlong", "leftlong", state="absent")),
    "erased": (True, None, known("k_erased", "erased")),
    "namesake": (True, person("namesake", key="k_same", since=date(2021, 1, 1)), None),
    "shadow": (True, person("shadow", key="k_shadow"), known("k_shadow", "shadow")),
    "heir": (True, person("heir"), known("k_heir", "gone_one", now="heir", acknowledged="h_heir")),
    "spared": (True, person("spared"), known("k_spared", "spared")),
    "control": (True, person("control"), None),
}
WITHHELD = {"spared": "capped", "control": "hold_out"}

MIRROR = {
    ("k_new", "add", None),
    ("k_elsewhere", "add", None),
    ("k_same", "unchanged", None),
    ("k_changed", "update", None),
    ("k_readded", "add", None),
    ("k_doubt", "update", None),
    ("k_refused", "held", "rejected_before"),
    ("k_mended", "add", None),
    ("k_no", "held", "withdrawn"),
    ("k_no", "remove", "withdrawn"),
    ("k_never", "held", "suppressed"),
    ("k_silent", "held", "no_consent"),
    (None, "held", "no_key"),
    ("k_old", "remove", "key_changed"),
    ("k_left", "remove", "left"),
    ("k_leftno", "remove", "withdrawn"),
    ("k_leftdoubt", "remove", "left"),
    (None, "held", "gone"),
    ("k_erased", "remove", "gone"),
    ("k_same", "held", "duplicate_key"),
    ("k_shadow", "held", "key_opted_out"),
    ("k_shadow", "remove", "key_opted_out"),
    ("k_heir", "unchanged", None),
    ("k_spared", "held", "capped"),
    ("k_spared", "remove", "capped"),
    ("k_control", "held", "hold_out"),
}


MODES = ("mirror", "upsert", "append", "suppress")


def planned(spark, mode, cases=CASES, **others):
    """The cases under one mode."""
    members = spark.createDataFrame(
        [("s", n, WITHHELD.get(n)) for n, (is_member, _, _) in cases.items() if is_member],
        "segment STRING, customer_id STRING, withheld STRING",
    )
    people = spark.createDataFrame([p for _, p, _ in cases.values() if p], PEOPLE)
    ledger = spark.createDataFrame([k for _, _, k in cases.values() if k], LEDGER)
    opted_out = spark.createDataFrame([("k_shadow",), ("k_no",)], "key STRING")
    return plan_rows(
        members=members, people=people, ledger=ledger, opted_out=opted_out, mode=mode, **others
    )


def test_where_nobody_is_to_be_added_those_who_are_there_go_on_and_leave_as_ever(spark):
    found = planned(spark, "mirror", adds_nobody=True).collect()
    assert {(row["key"], row["action"], row["reason"]) for row in found} == {
        (key, "held", "consents_unread") if action == "add" else (key, action, reason)
        for key, action, reason in MIRROR - {("k_old", "remove", "key_changed")}
    } | {("k_old", "remove", "consents_unread")}


#: People who are there under a key that they no longer have.
WITHOUT_THEIR_KEY = {
    "keyless": (
        True,
        ("keyless", None, "granted", "{}", "h", None, None, None, NOW),
        known("k_keyless", "keyless"),
    ),
    "second": (True, person("second", key="k_first"), known("k_second", "second")),
    "first": (True, person("first", since=date(2020, 1, 1)), known("k_first", "first")),
    "refused": (True, person("refused", key="k_bad"), known("k_good", "refused")),
    "refusal": (False, None, known("k_bad", "refused", "absent", outcome="rejected")),
    "elsewhere": (True, person("elsewhere", key="k_shadow"), known("k_here", "elsewhere")),
    "moved": (True, person("moved", key="k_new"), known("k_old", "moved")),
    "settled": (True, person("settled", key="k_now"), known("k_then", "settled")),
    "there": (False, None, known("k_now", "settled")),
}


def test_a_key_counts_as_changed_only_where_its_person_goes_on_under_another(spark):
    def removed(mode):
        rows = planned(spark, mode, cases=WITHOUT_THEIR_KEY).collect()
        return {(row["key"], row["reason"]) for row in rows if row["action"] == "remove"}

    assert removed("mirror") == {
        ("k_keyless", "no_key"),
        ("k_second", "duplicate_key"),
        ("k_good", "rejected_before"),
        ("k_here", "key_opted_out"),
        ("k_old", "key_changed"),
        ("k_then", "key_changed"),
    }
    assert removed("upsert") == {("k_here", "key_opted_out")}


def test_where_a_removal_takes_all_that_was_sent_who_goes_on_is_sent_anew(spark):
    merged = {
        "heir": (True, person("heir"), known("k_heir", "heir", acknowledged="h_heir")),
        "merged": (False, None, known("k_merged", "merged", now="heir")),
        "same": CASES["same"],
    }

    def planned_of(mode, **others):
        rows = planned(spark, mode, cases=merged, **others).collect()
        return {row["key"]: row["action"] for row in rows}

    assert planned_of("mirror", removes_all_sent=True) == {
        "k_heir": "update", "k_merged": "remove", "k_same": "unchanged",
    }  # fmt: skip
    assert planned_of("mirror")["k_heir"] == "unchanged"
    assert planned_of("upsert", removes_all_sent=True)["k_heir"] == "unchanged"


def test_where_nobody_is_to_be_added_who_may_be_there_by_a_lost_reply_is_sent_nothing(spark):
    unsure = list(known("k_unsure", "unsure", state="unknown", outcome="withheld"))
    unsure[6] = None
    cases = {"unsure": (True, person("unsure"), tuple(unsure))}
    (row,) = planned(spark, "mirror", cases=cases, adds_nobody=True).collect()
    assert (row["action"], row["reason"], row["was_there"]) == ("held", "consents_unread", True)


def test_where_nobody_is_to_be_added_suppressions_are_told_as_ever(spark):
    frames = [planned(spark, "suppress", adds_nobody=of).collect() for of in (False, True)]
    assert sorted(map(str, frames[0])) == sorted(map(str, frames[1]))


@pytest.fixture(scope="module")
def plans(spark):
    """The cases under each mode."""
    frames = [planned(spark, mode).withColumn("mode", F.lit(mode)) for mode in MODES]
    rows = reduce(DataFrame.union, frames).collect()
    return {mode: [r for r in rows if r["mode"] == mode] for mode in MODES}


def test_a_mirror_follows_the_audience_and_removes_only_what_we_added(plans):
    rows = plans["mirror"]
    found = {(row["key"], row["action"], row["reason"]) for row in rows}
    assert found == MIRROR
    assert len(rows) == sum(1 for is_member, _, _ in CASES.values() if is_member) + sum(
        1 for row in rows if row["action"] == "remove"
    )


def test_of_two_customers_with_one_key_the_longest_standing_is_sent(plans):
    rows = [row for row in plans["mirror"] if row["key"] == "k_same"]
    assert {(row["customer_id"], row["action"]) for row in rows} == {
        ("same", "unchanged"),
        ("namesake", "held"),
    }


def test_only_records_that_are_there_count_as_acknowledged(plans):
    there = [row["key"] for row in plans["mirror"] if row["was_there"]]
    states = [known_ for _, _, known_ in CASES.values() if known_]
    assert sorted(there) == sorted(row[1] for row in states if row[4] != "absent")


def test_the_fields_that_updates_change_are_counted_also_those_that_were_never_sent(spark, plans):
    updates = sum(row["action"] == "update" for row in plans["mirror"])
    assert updates > 1
    found = changed_fields(planned(spark, "mirror")).collect()
    assert {tuple(row) for row in found} == {("s", "orders", updates), ("s", "phone", updates)}


def test_in_every_mode_those_who_may_not_be_there_any_more_are_removed(plans):
    for mode in ("upsert", "append"):
        removed = {r["key"] for r in plans[mode] if r["action"] == "remove"}
        assert removed == {"k_no", "k_leftno", "k_erased", "k_shadow"}


def test_a_suppression_is_told_of_those_alone_who_said_no_and_never_taken_back(plans):
    rows = plans["suppress"]
    assert {r["customer_id"] for r in rows if r["is_wanted"]} == {"no", "never", "shadow"}
    assert not [r for r in rows if r["action"] == "remove"]
    why = {r["customer_id"]: r["reason"] for r in rows if r["action"] == "held"}
    assert why["new"] == why["silent"] == "may_be_sent_to"


def test_appending_never_changes_what_is_there(plans):
    by_key = {r["key"]: r["action"] for r in plans["append"] if r["is_wanted"]}
    assert by_key["k_changed"] == "unchanged"
    assert by_key["k_readded"] == "add"


def test_what_was_acknowledged_for_a_later_day_is_counted_but_a_no_is_always_heard(spark):
    rows = planned(spark, "mirror")
    found = summary(rows, TUESDAY).union(summary(rows, MONDAY)).collect()
    turned_back = [(row["action"], row["reason"]) for row in found if row["turned_back"]]
    assert {action: turned_back.count((action, None)) for action in ("add", "update")} == {
        "add": 1,
        "update": 1,
    }, "on Monday alone"
    assert {reason for action, reason in turned_back if action == "remove"} == {
        "key_changed",
        "left",
        "capped",
    }
    assert sum(row["turned_back"] for row in found) == 8


def test_batches_are_full_hold_one_operation_and_begin_with_removals(spark):
    rows = [("s", f"k{n:03}", "add" if n % 3 else "remove") for n in range(50)]
    rows += [("t", "k", "update"), ("t", "u", "unchanged")]
    frame = spark.createDataFrame(rows, "segment STRING, key STRING, action STRING")
    found = numbered(frame, {"s": 4, "t": 4}, {"s": 17, "t": 0}).collect()
    assert len(found) == 51
    batches = {}
    for row in found:
        batches.setdefault((row["segment"], row["batch"]), []).append(row["operation"])
    assert all(len(set(operations)) == 1 for operations in batches.values())
    assert [len(batches["s", n]) for n in range(1, 15)] == [
        4,
        4,
        4,
        4,
        1,
        4,
        4,
        4,
        4,
        4,
        4,
        4,
        4,
        1,
    ]
    assert all(batches["s", n][0] == "remove" for n in range(1, 6))
    assert batches["t", 1] == ["upsert"]
