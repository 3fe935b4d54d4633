"""Everybody as the newest published generation knows them, and whether they may be sent to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from goldenlake.columns.emails import google_mailbox
from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.destination import Destination
from goldenlake.declarations.source import Source
from goldenlake.declarations.targets import GoogleTarget, finds_people_by
from goldenlake.identity.links import keyed
from goldenlake.ports import Tables
from goldenlake.steps.doubts import Doubts
from goldenlake.steps.generations import Generation, read
from goldenlake.steps.refusals import contested, refusals
from goldenlake.steps.segments import history_of
from goldenlake.transforms.consent import (
    GRANTED,
    opted_out_values,
    statements,
    told_values,
    with_consent,
)
from goldenlake.transforms.planning import KEY_OPTED_OUT, field_types, people
from goldenlake.transforms.segments import follow_merges

_CONSENTS = (
    "customer_id STRING, purpose STRING, channel STRING, status STRING, jurisdiction STRING, "
    "stated_at TIMESTAMP, expires_at TIMESTAMP"
)
#: What all addresses of a channel are called together; no identifier is.
_ADDRESS = "@"


@dataclass(frozen=True)
class Newest:
    """One generation, seen by one destination at one instant."""

    tables: Tables
    generation: Generation
    destination: Destination
    consent: ConsentPolicy
    at: datetime
    sources: Sequence[Source] = ()
    """Those that state consent: what was set aside of them may be a no."""

    @cached_property
    def history(self) -> DataFrame:
        """identity.history, for the ids that became others."""
        return history_of(self.tables, self.generation)

    @cached_property
    def types(self) -> StructType:
        """The mapped fields. Raises DeclarationError where the tables do not have them."""
        return field_types(self.destination, *self._tables)

    @cached_property
    def _tables(self) -> tuple[DataFrame, DataFrame]:
        names = ("gold.customers", "gold.metrics")
        customers, metrics = (read(self.tables, self.generation, name) for name in names)
        return customers, metrics

    @cached_property
    def _said(self) -> DataFrame:
        if "gold.consents" in self.generation.tables:
            consents = read(self.tables, self.generation, "gold.consents")
        else:
            consents = self.tables.frame([], _CONSENTS)
        unclear = Doubts(
            tables=self.tables,
            generation=self.generation,
            sources=self.sources,
            policy=self.consent,
        ).statements()
        if unclear is not None:
            consents = consents.unionByName(unclear, allowMissingColumns=True)
        return self._stated(consents)

    def _stated(self, consents: DataFrame) -> DataFrame:
        return statements(
            consents,
            self.consent,
            purpose=self.destination.purpose,
            channel=self.destination.channel,
            at=self.at,
        )

    @cached_property
    def _named(self) -> list[str]:
        """Identifiers that say where the channel reaches somebody."""
        channel = self.consent.channels.get(self.destination.channel)
        return channel.addresses if channel else []

    @cached_property
    def _addresses(self) -> list[str]:
        """Columns of gold.customers, the key apart, that say where the channel reaches somebody."""
        customers, _ = self._tables
        key = self.destination.key
        return [name for name in self._named if name in customers.columns and name != key]

    @cached_property
    def _found_by(self) -> list[str]:
        """Columns of gold.customers by which the destination's system finds people, besides those
        for which who bears a refused value is held back altogether.
        """
        mapping, (customers, _) = self.destination.mapping, self._tables
        names = {mapping[field].attribute for field in finds_people_by(self.destination.target)}
        held = {self.destination.key, *self._addresses}
        return sorted(names.intersection(customers.columns) - held)

    @property
    def _compared(self) -> list[str]:
        """Names of identifiers whose values people share a no by."""
        return [self.destination.key, *self._named, *self._found_by]

    def _as_addresses(self, values: DataFrame) -> DataFrame:
        """``values`` where all addresses of the channel are one attribute: an address is the same
        by whatever name somebody is known to have it.
        """
        is_address = F.col("attribute").isin(self._named)
        one = F.when(is_address, _ADDRESS).otherwise(F.col("attribute"))
        return values.withColumn("attribute", one)

    @cached_property
    def _values(self) -> DataFrame:
        """``customer_id, attribute, value``: keys and addresses of everybody, those that they are
        known by and those that would be sent.
        """
        key, customers = self.destination.key, self._tables[0]
        values = self.keys.select(
            "customer_id", F.lit(key).alias("attribute"), F.col("key").alias("value")
        )
        if told := [*self._addresses, *self._found_by]:
            values = values.unionByName(told_values(customers, told))
        if "gold.identifiers" in self.generation.tables:
            known = read(self.tables, self.generation, "gold.identifiers")
            values = values.unionByName(
                known.where(F.col("identifier").isin(self._compared)).select(
                    "customer_id", F.col("identifier").alias("attribute"), "value"
                )
            )
        return self._as_addresses(values)

    @cached_property
    def _opted_out(self) -> DataFrame:
        """``attribute, value`` that were refused, with all values that the system takes for one of
        them.
        """
        if not isinstance(self.destination.target, GoogleTarget):
            return self._refused
        mailbox = google_mailbox(F.col("value")).alias("_mailbox")
        refused = self._refused.select("attribute", mailbox)
        alike = self._values.select("attribute", "value", mailbox).join(
            refused, ["attribute", "_mailbox"], how="left_semi"
        )
        return self._refused.union(alike.drop("_mailbox")).distinct()

    @cached_property
    def _refused(self) -> DataFrame:
        """``attribute, value`` of everybody who said no, and of what was refused under an address
        by whose name nobody is known, or too many: none can be asked whether it still holds.
        """
        refused = opted_out_values(self._values, self._said)
        lost = refusals(self.tables, self.generation, self.sources)
        if lost is None:
            return refused
        ours = lost.where(F.col("identifier").isin(self._compared))
        said = ours.join(self._naming, "link_key", how="left_anti").withColumnRenamed(
            "link_key", "customer_id"
        )
        values = said.select("customer_id", F.col("identifier").alias("attribute"), "value")
        theirs = opted_out_values(self._as_addresses(values), self._stated(said))
        return refused.union(theirs).distinct()

    @property
    def _naming(self) -> DataFrame:
        """Values by which somebody is known, but for placeholders and those that too many bear:
        (link_key).
        """
        if "gold.identifiers" not in self.generation.tables:
            return self.tables.frame([], "link_key STRING")
        known = read(self.tables, self.generation, "gold.identifiers")
        named = keyed(known.where(F.col("identifier").isin(self._compared)))
        shared = contested(self.tables, self.generation).withColumn("_is_contested", F.lit(True))
        told = named.join(F.broadcast(shared), "link_key", how="left")
        return told.where("is_linking OR _is_contested").select("link_key")

    def people(self, who: DataFrame) -> DataFrame:
        """The customers in ``who`` (``customer_id``, as often as may be) with ``key``, ``fields``,
        ``desired_hash``, ``consent`` and ``until``.
        """
        customers, metrics = self._tables
        ours = self._not_found_by_others(customers.join(who, "customer_id", how="left_semi"))
        shaped = people(self.destination, ours, metrics)
        judged = with_consent(shaped, self._said, self.consent)
        return self._without_refused_addresses(judged, ours) if self._addresses else judged

    def _not_found_by_others(self, customers: DataFrame) -> DataFrame:
        """The customers without values by which the system would find somebody who said no."""
        for name in self._found_by:
            refused = self._opted_out.where(F.col("attribute") == name).select(
                F.col("value").alias("_refused")
            )
            same = F.col(name).cast("string") == F.col("_refused")
            customers = (
                customers.join(refused, same, how="left")
                .withColumn(name, F.when(F.col("_refused").isNull(), F.col(name)))
                .drop("_refused")
            )
        return customers

    def _without_refused_addresses(self, judged: DataFrame, customers: DataFrame) -> DataFrame:
        """The same, where somebody who may be sent to but for the address counts as opted out."""
        refused = (
            self._as_addresses(told_values(customers, self._addresses))
            .join(self._opted_out, ["attribute", "value"], how="left_semi")
            .select("customer_id", F.lit(True).alias("_is_refused"))
            .distinct()
        )
        held = (F.col("consent") == GRANTED) & F.col("_is_refused")
        return (
            judged.join(refused, "customer_id", how="left")
            .withColumn("consent", F.when(held, KEY_OPTED_OUT).otherwise(F.col("consent")))
            .drop("_is_refused")
        )

    @cached_property
    def opted_out(self) -> DataFrame:
        """``key`` under which somebody said no, whoever bears it."""
        return self._keys(self._opted_out).select("key")

    @cached_property
    def keys(self) -> DataFrame:
        """``customer_id, key``: by which key everybody who has one would be sent."""
        everybody = people(self.destination, *self._tables)
        return everybody.where("key IS NOT NULL").select("customer_id", "key")

    @property
    def bearers(self) -> DataFrame:
        """``customer_id, key``: who has, or had, which keys."""
        return self._keys(self._values).select("customer_id", "key").distinct()

    def _keys(self, values: DataFrame) -> DataFrame:
        key = self.destination.key
        ours = values.where(F.col("attribute") == (_ADDRESS if key in self._named else key))
        return ours.withColumnRenamed("value", "key")

    def with_todays_owner(self, ledger: DataFrame) -> DataFrame:
        """Ledger rows with ``customer_id`` of this generation; ``owner_then`` as it stands.

        Every export brings its ledger up to date, so a link or two are enough; an owner who is
        not found any more counts as gone, which removes rather than sends.
        """
        owners = ledger.withColumn("owner_then", F.col("customer_id"))
        to = self.generation.generation
        return follow_merges(owners, self.history, after=0, to=to, most_hops=2)

    def no_longer(self, sent: DataFrame, *, after: int) -> DataFrame:
        """``key`` of the rows in ``sent`` (``key, customer_id, fields``, of generation ``after``)
        whose people this generation does not allow to be sent to, or not with these fields.
        """
        whom = sent.select("key", "customer_id")
        todays = follow_merges(whom, self.history, after=after, to=self.generation.generation)
        known = self.people(todays.select("customer_id")).select("customer_id", "consent")
        said_no = self.opted_out.withColumn("_said_no", F.lit(True))
        refused = (
            todays.join(known, "customer_id", how="left")
            .join(said_no, "key", how="left")
            .where((F.coalesce("consent", F.lit("gone")) != GRANTED) | F.col("_said_no"))
            .select("key")
        )
        return refused.union(self._found_by_others(sent)).distinct()

    def _found_by_others(self, sent: DataFrame) -> DataFrame:
        """``key`` of the rows in ``sent`` by a field of which the system would find somebody who
        said no.
        """
        mapping = self.destination.mapping
        by = {field: mapping[field].attribute for field in finds_people_by(self.destination.target)}
        fields = F.from_json("fields", "map<string, string>")
        pairs = [
            F.struct(F.lit(name).alias("attribute"), fields[field].alias("value"))
            for field, name in by.items()
        ]
        if not pairs:
            return sent.where(F.lit(False)).select("key")
        told = sent.select("key", F.explode(F.array(*pairs)).alias("_told")).select(
            "key", "_told.*"
        )
        refused = self._opted_out
        told = self._as_addresses(told)
        return told.join(refused, ["attribute", "value"], how="left_semi").select("key")


def newest_publication(tables: Tables) -> int | None:
    """Changes whenever a generation is published; read without a job."""
    return tables.version("ops.publications")
