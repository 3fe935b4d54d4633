"""The consent gate: whether a person may be sent something for a purpose over a channel.

It fails closed: whoever said nothing, or nothing that still counts, is held back unless the policy
reads silence as a yes where that person lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.base import parse_duration
from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.errors import DeclarationError, Problem

GRANTED = "granted"
OPTED_OUT = ("withdrawn", "suppressed")
ANY = "any"
#: Of a statement that may be a no, as long as nobody knows; such a person has not agreed.
UNCLEAR = "unclear"
_EARLIEST, _LATEST = -(2**63), 2**63 - 1


def statements(
    consents: DataFrame, policy: ConsentPolicy, *, purpose: str, channel: str, at: datetime
) -> DataFrame:
    """``customer_id, stated, places, until``: what each person who ever said anything said about
    this.

    ``stated``: suppressed, withdrawn, unclear (it may be a no), expired, granted, no_consent
    (something unintelligible), or null for silence. A suppression beats everything. Otherwise the
    latest statement wins, whether about this channel or any; at the same instant a no beats a yes.
    A no without an instant counts as the latest, a yes without one as the earliest. A yes from the
    future is unintelligible.
    ``places``: where the person was when anything was said, for the defaults of silence.
    ``until``: the first instant after ``at`` at which time alone may change what is stated.
    Raises DeclarationError for a purpose that the policy does not know.
    """
    if purpose not in policy.purposes:
        known = ", ".join(sorted(policy.purposes)) or "none"
        problem = Problem(
            file="conf/consent.yml",
            line=0,
            key="purposes",
            message=f"does not declare {purpose!r}: nobody can have agreed to it. Known: {known}.",
        )
        raise DeclarationError([problem])
    is_about = F.col("purpose").isin(purpose, ANY) & F.col("channel").isin(channel, ANY)
    is_yes = F.coalesce(F.col("status") == GRANTED, F.lit(False))
    moment = F.coalesce(
        F.unix_micros("stated_at"), F.when(is_yes, F.lit(_EARLIEST)).otherwise(F.lit(_LATEST))
    )
    statement = F.struct(
        moment.alias("moment"),
        (~is_yes).alias("is_no"),
        F.coalesce(-F.unix_micros("expires_at"), F.lit(_EARLIEST)).alias("soonest"),
        F.coalesce("status", F.lit("")).alias("status"),
        F.col("stated_at"),
        F.col("expires_at"),
    )
    said = consents.groupBy("customer_id").agg(
        F.max(is_about & (F.col("status") == "suppressed")).alias("_is_suppressed"),
        F.max(F.when(is_about, statement)).alias("_latest"),
        F.collect_set(F.upper(F.trim("jurisdiction"))).alias("places"),
    )
    return said.select(
        "customer_id",
        _stated(policy, purpose, at).alias("stated"),
        "places",
        _until(policy, purpose, at).alias("until"),
    )


def _until(policy: ConsentPolicy, purpose: str, at: datetime) -> Column:
    """A grant begins to count, or ends; nothing else depends on the time."""
    latest = F.col("_latest")
    turns = [latest["stated_at"], latest["expires_at"]]
    lasts = policy.purposes[purpose].expires_after
    if lasts is not None:
        turns.append(latest["stated_at"] + F.lit(parse_duration(lasts)))
    to_come = F.array_min(F.array(*(F.when(turn > F.lit(at), turn) for turn in turns)))
    return F.when(latest["status"] == GRANTED, to_come)


def _stated(policy: ConsentPolicy, purpose: str, at: datetime) -> Column:
    latest = F.col("_latest")
    expired = F.coalesce(latest["expires_at"] <= F.lit(at), F.lit(False))
    lasts = policy.purposes[purpose].expires_after
    if lasts is not None:
        oldest = F.lit(at.astimezone(UTC) - parse_duration(lasts))
        expired = expired | F.coalesce(latest["stated_at"] <= oldest, F.lit(True))
    is_early = F.coalesce(latest["stated_at"] > F.lit(at), F.lit(False))
    return (
        F.when(F.col("_is_suppressed"), "suppressed")
        .when(latest.isNull(), F.lit(None).cast("string"))
        .when(latest["status"].isin("withdrawn", UNCLEAR), latest["status"])
        .when((latest["status"] == GRANTED) & is_early, "no_consent")
        .when((latest["status"] == GRANTED) & expired, "expired")
        .when(latest["status"] == GRANTED, GRANTED)
        .otherwise("no_consent")
    )


def with_consent(people: DataFrame, said: DataFrame, policy: ConsentPolicy) -> DataFrame:
    """The people with ``consent``: granted, or the reason why they are held back.

    For silence the defaults of all places that are known of a person must agree to a yes: where
    they live (``country``) and where they once stated something.
    """
    joined = people.join(said, "customer_id", how="left")
    places = F.array_union(
        F.coalesce("places", F.array().cast("array<string>")),
        F.array_compact(F.array(F.upper(F.trim("country")))),
    )
    granting = [place for place, silence in policy.jurisdictions.items() if silence == GRANTED]
    denying = [place for place, silence in policy.jurisdictions.items() if silence != GRANTED]
    if policy.default == GRANTED:
        is_granted = F.forall(places, lambda place: ~_among(place, denying))
    else:
        is_granted = (F.size(places) > 0) & F.forall(places, lambda place: _among(place, granting))
    silence = F.when(is_granted, GRANTED).otherwise("no_consent")
    told = F.when(F.col("stated") == UNCLEAR, "no_consent").otherwise(F.col("stated"))
    return joined.withColumn("consent", F.coalesce(told, silence)).drop("stated", "places")


def _among(place: Column, places: list[str]) -> Column:
    return place.isin(places) if places else F.lit(False)


def told_values(customers: DataFrame, names: Sequence[str]) -> DataFrame:
    """``customer_id, attribute, value``: one row for each of these columns that has a value."""
    pairs = [
        F.struct(F.lit(name).alias("attribute"), F.col(name).cast("string").alias("value"))
        for name in names
    ]
    told = customers.select("customer_id", F.explode(F.array(*pairs)).alias("of"))
    return told.select("customer_id", "of.*").where("value IS NOT NULL")


def opted_out_values(values: DataFrame, said: DataFrame) -> DataFrame:
    """``attribute, value`` by which people are known who withdrew, are suppressed, or may have
    said no.

    ``values`` is (customer_id, attribute, value). A value that many bear names whoever said no
    among them, even where it is too common, or too contested, to tie that statement to anybody.
    """
    no = said.where(F.col("stated").isin(*OPTED_OUT, UNCLEAR)).select("customer_id")
    return values.join(no, "customer_id", how="left_semi").select("attribute", "value").distinct()
