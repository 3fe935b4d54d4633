"""What must change at a destination: the desired state against the last acknowledged one.

The key is what a destination knows a person by, so both states are compared by (segment, key): a
customer that was merged into another then keeps its record there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from goldenlake.columns.content import content_of
from goldenlake.declarations.destination import Destination
from goldenlake.declarations.targets import SendgridTarget
from goldenlake.errors import DeclarationError, Problem
from goldenlake.transforms.consent import GRANTED

#: Somebody said no under the key, or under another address to which the channel would send.
KEY_OPTED_OUT = "key_opted_out"
#: What a person must have said for a suppression to be told.
_SAID_NO = ("suppressed", "withdrawn", KEY_OPTED_OUT)
#: Somebody new may have said no in a file that could not be read.
CONSENTS_UNREAD = "consents_unread"
#: A person who is held back for one of these is removed in every mode, if it was us who added.
LOST = ("suppressed", "withdrawn", "expired", "no_consent", KEY_OPTED_OUT, "gone")
#: to_json would cut microseconds off.
JSON_OPTIONS = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}

#: The mode that tells of those who said no, instead of adding anybody.
SUPPRESS = "suppress"
#: States of a record that may be at its destination.
THERE = ("present", "unknown")
_REMOVED = "removed"
#: Another record of the person stays: what else was sent of them is still theirs there.
_KEY_CHANGED = "key_changed"
_BUCKETS = 64
_CHANGES = ("add", "update", "remove")


def field_types(destination: Destination, customers: DataFrame, metrics: DataFrame) -> T.StructType:
    """The mapped fields with their types; attributes are found in gold.customers, then in metrics.

    Raises DeclarationError where one is in neither, or is not a single value.
    """
    types = {c.name: c.dataType for frame in (metrics, customers) for c in frame.schema}
    where = f"conf/destinations/{destination.destination}.yml"
    problems = []
    fields = []
    for field, source in {"key": None, **destination.mapping}.items():
        name = source.attribute if source else destination.key
        of = types.get(name)
        if of is None:
            message = f"{name!r} is a column neither of gold.customers nor of gold.metrics."
        elif isinstance(of, T.ArrayType | T.MapType | T.StructType):
            message = f"{name!r} is {of.simpleString()}; only single values can be sent."
        else:
            fields += [T.StructField(field, of)] if source else []
            continue
        problems.append(Problem(file=where, line=0, key=field, message=message))
    if problems:
        raise DeclarationError(problems)
    return T.StructType(fields)


def clears(destination: Destination) -> list[str]:
    """Fields of which a missing value clears what the destination has."""
    return [name for name, source in destination.mapping.items() if source.overwrite_with_null]


def people(destination: Destination, customers: DataFrame, metrics: DataFrame) -> DataFrame:
    """One row a customer: ``customer_id, key, country, customer_since, fields, marks,
    desired_hash``.

    ``fields`` is JSON without the missing values: these are left alone at the destination.
    ``marks`` is JSON with a short hash of each field, those that are missing too.
    """
    key = F.nullif(F.trim(F.col(destination.key).cast("string")), F.lit(""))
    ours = set(customers.columns)
    wanted = sorted({each.attribute for each in destination.mapping.values()} - ours)
    if wanted or destination.key not in ours:
        extra = metrics.select("customer_id", *sorted({*wanted, destination.key} - ours))
        customers = customers.join(extra, "customer_id", how="left")
    values = [F.col(source.attribute).alias(n) for n, source in destination.mapping.items()]
    marks = [F.hex(F.hash(source.attribute)).alias(n) for n, source in destination.mapping.items()]
    fields = F.to_json(F.struct(*values), JSON_OPTIONS) if values else F.lit("{}")
    since = F.col("customer_since") if "customer_since" in ours else F.lit(None).cast("date")
    country = F.col("country") if "country" in ours else F.lit(None).cast("string")
    shaped = customers.select(
        "customer_id",
        key.alias("key"),
        country.alias("country"),
        since.alias("customer_since"),
        fields.alias("fields"),
        (F.to_json(F.struct(*marks)) if marks else F.lit("{}")).alias("marks"),
    )
    told = [F.col("key"), F.col("fields"), F.lit(",".join(sorted(clears(destination))))]
    if destination.mode == SUPPRESS:
        # Who is in an audience was not told of as somebody who said no, nor the other way round;
        # and who was told to one group was told to no other.
        target = destination.target
        group = target.unsubscribe_group if isinstance(target, SendgridTarget) else None
        told += [F.lit(SUPPRESS), F.lit(group).cast("string")]
    return shaped.withColumn(
        "desired_hash", F.substring(F.sha2(F.concat_ws("\u001f", *told), 256), 1, 32)
    )


def plan_rows(
    *,
    members: DataFrame,
    people: DataFrame,
    ledger: DataFrame,
    opted_out: DataFrame,
    mode: str,
    adds_nobody: bool = False,
    removes_all_sent: bool = False,
) -> DataFrame:
    """One row a member, and one a record of the ledger that no member accounts for.

    Args:
        members: ``segment, customer_id``, by today's ids, and ``withheld``: why somebody who may
            be sent to is left out, or null.
        people: as ``people`` gives them, with ``consent`` and ``until``; whoever is not in it is
            gone.
        ledger: activation.ledger of the destination, ``customer_id`` by today's ids,
            ``owner_then`` as it stands in it.
        opted_out: ``key`` of people who said no, whichever customer they are.
        mode: mirror, upsert, append, or suppress, which sends those alone who said no, and takes
            nobody back. Whom it told of is not there for the others, unless they added them.
        adds_nobody: hold whoever was never acknowledged to be there, unless they are told to be
            suppressed.
        removes_all_sent: as in ``ports.Capabilities``.

    ``action`` is add, update, remove, unchanged or held, with a ``reason`` for remove and held.
    Of members with the same key the longest-standing customer is sent, then the smallest id.
    """
    record = F.struct("key", *_RECORD).alias("record")
    is_member = F.lit(True).alias("is_member")
    both = members.select("segment", "customer_id", "withheld", is_member).unionByName(
        ledger.select("segment", "customer_id", F.lit(False).alias("is_member"), record),
        allowMissingColumns=True,
    )
    held = _not_suppressed() if mode == SUPPRESS else _held()
    of_customer = Window.partitionBy("segment", "customer_id")
    said_no = opted_out.select(F.col("key").alias("_no_key"), F.lit(True).alias("_said_no"))
    told = (
        both.withColumn("_belongs", F.max("is_member").over(of_customer))
        .withColumn("withheld", F.max("withheld").over(of_customer))
        .join(people, "customer_id", how="left")
        .withColumn("key", F.when(F.col("is_member"), F.col("key")).otherwise(F.col("record.key")))
        .join(said_no, F.col("key") == F.col("_no_key"), how="left")
        .withColumn("_blame", F.when(F.col("is_member"), held).otherwise(_lost()))
    )
    return _compared(
        told,
        mode,
        adds_nobody=adds_nobody and mode != SUPPRESS,
        removes_all_sent=removes_all_sent,
    )


#: What is needed of a record in the ledger, besides its key.
_RECORD = (
    "state", "desired_hash", "acknowledged_hash", "remote_id", "attempt", "outcome", "delivery",
    "acknowledged_on", "acknowledged_marks", "owner_then",
)  # fmt: skip


def _held() -> Column:
    """Why a member is not sent; null for one who may be."""
    return (
        F.when(F.col("consent").isNull(), "gone")
        .when(F.col("consent") != GRANTED, F.col("consent"))
        .when(F.col("key").isNull(), "no_key")
        .when(F.col("_said_no"), KEY_OPTED_OUT)
        .when(F.col("withheld").isNotNull(), F.col("withheld"))
    )


def _not_suppressed() -> Column:
    """Why a suppression is not told; null for one who said no."""
    said_no = F.col("consent").isin(*_SAID_NO) | F.coalesce(F.col("_said_no"), F.lit(False))
    return (
        F.when(F.col("consent").isNull(), "gone")
        .when(~said_no, "may_be_sent_to")
        .when(F.col("key").isNull(), "no_key")
    )


def _lost() -> Column:
    """Why a record is removed if nobody wants it under its key."""
    return (
        F.when(F.col("consent").isNull(), "gone")
        .when(F.col("consent") != GRANTED, F.col("consent"))
        .when(F.col("_said_no"), KEY_OPTED_OUT)
        .when(F.col("withheld").isNotNull(), F.col("withheld"))
        .when(F.col("_belongs"), _KEY_CHANGED)
        .otherwise("left")
    )


def _own_blame() -> Column:
    """The blame of each row, where a key changed and the member is held under the new one, or has
    none, that of the member: nothing of theirs stays then.
    """
    of_customer = Window.partitionBy("segment", "customer_id")
    goes_on = F.max(F.col("_verdict") != "held").over(of_customer)
    return F.when(
        (F.col("_blame") == _KEY_CHANGED) & ~goes_on, F.max("_held_for").over(of_customer)
    ).otherwise(F.col("_blame"))


def _leaves_a_key(is_there: Column) -> Column:
    """Whether the person of each row is taken out under a key that they had."""
    is_left = is_there & ~F.col("_is_claimed") & (F.col("_blame") == _KEY_CHANGED)
    of_customer = Window.partitionBy("segment", "customer_id")
    return F.coalesce(F.max(is_left).over(of_customer), F.lit(False))


def _compared(
    told: DataFrame, mode: str, *, adds_nobody: bool, removes_all_sent: bool
) -> DataFrame:
    """The verdict on each row, from all rows that share its segment and key."""
    is_eligible = F.col("is_member") & F.col("_blame").isNull()
    same_key = Window.partitionBy("segment", F.coalesce("key", "customer_id"))
    best_first = same_key.orderBy(
        F.desc("_eligible"), F.asc_nulls_last("customer_since"), F.asc("customer_id")
    )
    ranked = (
        told.withColumn("_eligible", is_eligible)
        .withColumn("_rank", F.row_number().over(best_first))
        .withColumn("_is_claimed", F.max("_eligible").over(same_key))
        .withColumn("_record", F.max("record").over(same_key))
    )
    is_wanted = F.col("_eligible") & (F.col("_rank") == 1)
    there = F.col("_record.state")
    is_telling = F.lit(mode == SUPPRESS)
    is_there = there.isin(*THERE) | (is_telling & (there == "suppressed"))
    is_there = F.coalesce(is_there, F.lit(False))
    is_sure = F.coalesce(there == "present", F.lit(False))
    # Whom a try without an answer may have added was never said to be there.
    is_new = ~is_sure & (~is_there | F.col("_record.acknowledged_hash").isNull())
    # What was sent since without an answer may have added whom the destination was told of.
    is_told = is_telling & (F.col("_record.outcome") == "acknowledged")
    is_same = F.coalesce(
        (is_sure | is_told) & (F.col("_record.acknowledged_hash") == F.col("desired_hash")),
        F.lit(False),
    )
    was_refused = F.coalesce(
        (F.col("_record.outcome") == "rejected")
        & (F.col("_record.desired_hash") == F.col("desired_hash")),
        F.lit(False),
    )
    if removes_all_sent and mode == "mirror":
        is_same &= ~_leaves_a_key(is_there)
    may_go = F.lit(mode == "mirror") | (~is_telling & F.col("_blame").isin(*LOST))
    wanted = (
        F.when(is_same, "unchanged")
        .when(was_refused, "held")
        .when(is_sure & F.lit(mode == "append"), "unchanged")
        .when(is_new & F.lit(adds_nobody), "held")
        .when(is_there, "update")
        .otherwise("add")
    )
    unclaimed = F.when(is_there & may_go, "remove").when(is_there, "unchanged")
    verdict = F.when(F.col("_is_wanted"), wanted).when(F.col("is_member"), "held")
    action = F.coalesce("_verdict", F.when(~F.col("_is_claimed"), unclaimed))
    held_for = (
        F.when(F.col("_is_wanted") & was_refused, "rejected_before")
        .when(F.col("_is_wanted"), CONSENTS_UNREAD)
        .otherwise(F.coalesce("_blame", F.lit("duplicate_key")))
    )
    reason = F.when(F.col("action") == "held", F.col("_held_for")).when(
        F.col("action") == "remove", F.col("_blame")
    )
    is_account = F.col("_is_wanted") | ~F.col("is_member")
    return (
        ranked.withColumn("_is_wanted", is_wanted)
        .withColumn("_verdict", verdict)
        .withColumn("_held_for", F.when(F.col("_verdict") == "held", held_for))
        .withColumn("_blame", _own_blame())
        .withColumn("action", action)
        .where("action IS NOT NULL")
        .select(
            "segment",
            "key",
            "customer_id",
            "action",
            reason.alias("reason"),
            F.when(F.col("action") != "remove", F.col("fields")).alias("fields"),
            F.when(F.col("is_member"), F.col("desired_hash"))
            .otherwise(F.lit(_REMOVED))
            .alias("desired_hash"),
            F.col("_is_wanted").alias("is_wanted"),
            (is_account & is_there).alias("was_there"),
            (is_account & is_there & is_new).alias("was_perhaps_there"),
            F.col("_record.owner_then").alias("owner_then"),
            F.col("_record.state").alias("state"),
            F.col("_record.acknowledged_hash").alias("acknowledged_hash"),
            F.col("_record.remote_id").alias("remote_id"),
            F.coalesce("_record.attempt", F.lit(0)).alias("attempt"),
            F.col("_record.delivery").alias("delivery_before"),
            F.col("_record.acknowledged_on").alias("acknowledged_on"),
            "marks",
            F.col("_record.acknowledged_marks").alias("acknowledged_marks"),
            "until",
        )
    )


def summary(rows: DataFrame, as_of: date) -> DataFrame:
    """``segment, action, reason`` with counts, and the ``content`` that tells any two plans apart
    whatever the order of their rows.

    ``turned_back`` counts changes to what was acknowledged for a later day than ``as_of``; that
    somebody may not be sent to any more is no such change.
    """
    told = [F.coalesce(F.col(c), F.lit("")) for c in ("action", "key", "desired_hash")]
    told += [F.coalesce("reason", F.lit("")), F.coalesce("delivery_before", F.lit(""))]
    is_turned_back = (
        F.col("action").isin(*_CHANGES)
        & (F.col("acknowledged_on") > F.lit(as_of))
        & ~F.coalesce(F.col("reason").isin(*LOST), F.lit(False))
    )
    is_reowned = (F.col("action") == "unchanged") & (F.col("owner_then") != F.col("customer_id"))
    return rows.groupBy("segment", "action", "reason").agg(
        F.count(F.lit(1)).alias("records"),
        F.count_if("is_wanted").alias("wanted"),
        F.count_if("was_there").alias("there"),
        F.count_if("was_perhaps_there").alias("perhaps"),
        F.count_if(is_reowned).alias("reowned"),
        F.count_if(is_turned_back).alias("turned_back"),
        F.max(F.length("fields") + F.length("key")).alias("longest"),
        content_of(*told).alias("content"),
        F.min(F.unix_micros("until")).alias("until_micros"),
    )


def changed_fields(rows: DataFrame) -> DataFrame:
    """How many updates change a field: (segment, field, records), of records whose fields are
    known as they were acknowledged.
    """
    now, then = (
        F.from_json(name, "map<string,string>") for name in ("marks", "acknowledged_marks")
    )
    updates = rows.where("action = 'update' AND acknowledged_marks IS NOT NULL")
    told = updates.select("segment", now.alias("_now"), then.alias("_then"))
    changed = F.map_filter("_now", lambda name, mark: ~mark.eqNullSafe(F.col("_then")[name]))
    fields = told.select("segment", F.explode(F.map_keys(changed)).alias("field"))
    return fields.groupBy("segment", "field").agg(F.count(F.lit(1)).alias("records"))


def numbered(
    rows: DataFrame, capacity: Mapping[str, int], removals: Mapping[str, int]
) -> DataFrame:
    """The changes with ``operation`` and ``batch``: from 1 in each segment, removals first.

    A batch holds one operation and at most ``capacity`` records of its segment; ``removals`` says
    how many removals each segment has. The order is total (hash of the key, then the key), and
    is found without bringing a segment's changes into one task.
    """
    rows = rows.where(F.col("action").isin(*_CHANGES)).withColumn(
        "operation", F.when(F.col("action") == "remove", "remove").otherwise("upsert")
    )
    rows = rows.withColumn("_bucket", F.pmod(F.xxhash64("key"), F.lit(_BUCKETS)))
    group = ["segment", "operation"]
    before = (
        Window.partitionBy(*group).orderBy("_bucket").rowsBetween(Window.unboundedPreceding, -1)
    )
    offsets = (
        rows.groupBy(*group, "_bucket")
        .agg(F.count(F.lit(1)).alias("_records"))
        .withColumn("_offset", F.coalesce(F.sum("_records").over(before), F.lit(0)))
        .drop("_records")
    )
    within = Window.partitionBy(*group, "_bucket").orderBy("key")
    position = F.col("_offset") + F.row_number().over(within) - 1
    batch = F.floor(position / per_segment(capacity)) + 1
    first = F.when(
        F.col("operation") == "upsert",
        F.ceil(per_segment(removals) / per_segment(capacity)),
    ).otherwise(F.lit(0))
    return (
        rows.join(F.broadcast(offsets), [*group, "_bucket"], how="inner")
        .withColumn("batch", (batch + first).cast("int"))
        .drop("_bucket", "_offset")
    )


def per_segment(values: Mapping[str, Any]) -> Column:
    """The value of a row's segment."""
    pairs = [F.lit(each) for pair in sorted(values.items()) for each in pair]
    return F.create_map(*pairs)[F.col("segment")]
