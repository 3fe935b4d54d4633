"""The build behind resolve: records, edges, components, ids, each on what was written before.

Every table is written before it is read again for the next part, so each commit cuts the lineage;
a kill in between is harmless, since a build begins at the published versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, reduce

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.decisions import Decision
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.matching import Matching
from goldenlake.declarations.source import Source
from goldenlake.identity import changes, components, ids, links, matches, one_worker, refinement
from goldenlake.identity import records as record_rows
from goldenlake.identity.trained import TrainedModel
from goldenlake.ports import Progress, Tables
from goldenlake.schemas import SYSTEM_TABLES
from goldenlake.steps.generations import Generation
from goldenlake.steps.matching import MatchEdges
from goldenlake.transforms.conforming import as_declared

#: Rows of ids that are sent to every task without a second thought, some 100 bytes each.
_FEW = 200_000


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """One build; the methods run in the order of ``run``, each on what the one before wrote."""

    sources: Mapping[str, Source]
    rules: IdentityRules
    matching: Matching | None
    """What records are kept comparable by, also as long as there is no model."""
    trained: TrainedModel | None
    decisions: Sequence[Decision]
    as_of: date
    tables: Tables
    progress: Progress
    base: Generation | None
    pinned: Mapping[str, int]
    base_inputs: Mapping[str, int]
    is_incremental: bool
    is_decided_anew: bool
    """Whether stewards' decisions are not those of the base."""

    @cached_property
    def _matches(self) -> MatchEdges:
        return MatchEdges(
            trained=self.trained,
            decisions=self.decisions,
            tables=self.tables,
            progress=self.progress,
            keep=self._keep,
        )

    def run(self) -> dict[str, int]:
        """Write all identity tables; gives the counts."""
        as_of = F.lit(self.as_of)
        changed, seen, written = self._records()
        counts = {"records_changed": written}
        self.progress(f"records: {written} new or changed")
        if written or self.is_decided_anew or not self.is_incremental:
            membership, events = self._membership(changed, counts, as_of)
        else:
            membership = self._empty("identity.customers").withColumn(
                "_old_customer_id", F.lit(None).cast("string")
            )
            events = self._empty("identity.history")
        customers = self._stored("identity.customers")
        touched = changes.touched_customers(membership, events, customers, seen)
        self.tables.overwrite("identity.touched", touched)
        counts["customers_touched"] = self._stored("identity.touched").count()
        born = counts.get(ids.ASSIGNED, 0) + counts.get("split_off", 0)
        ended = counts.get(ids.MERGED, 0) + counts.get(ids.RETIRED, 0)
        counts["customers"] = customers.select("customer_id").distinct().count()
        counts["customers_before"] = counts["customers"] - born + ended
        return counts

    def _membership(
        self, changed: DataFrame, counts: dict[str, int], as_of: Column
    ) -> tuple[DataFrame, DataFrame]:
        """Edges, components and ids of what changed, written; gives changed rows and events."""
        touched = self._touched_values(changed)
        groups, contested, edge_changes, clusters = self._links(changed, touched, as_of)
        counts["edges_changed"] = self._write(
            "identity.edges",
            edge_changes,
            key=["left_record", "right_record", "identifier", "link_key"],
            gone="strength",
            is_insert="NOT _is_known",
        )
        counts |= self._matches.counts
        self.progress(f"edges: {counts['edges_changed']} new, changed or retired")
        previous, nodes = self._touched_records(changed, edge_changes)
        cluster = self._clusters(nodes) if clusters is None else clusters
        owners = self._keep(ids.owners(cluster, previous))
        base = self.base.generation if self.base else 0
        assigned = self._keep(ids.assignments(cluster, owners, base=base, as_of=as_of))
        membership = self._keep(changes.customer_changes(assigned, previous, as_of))
        events = self._keep(ids.events(assigned, previous, owners))
        counts |= self._write_history(events, as_of)
        counts["records_resolved"] = self._write(
            "identity.customers",
            membership,
            key=["record_id"],
            gone="customer_id",
            is_insert="_old_customer_id IS NULL",
        )
        self.progress(f"customers: {counts['records_resolved']} records went to one")
        self._write_review(groups, contested, cluster, previous, touched, as_of)
        return membership, events

    def _records(self) -> tuple[DataFrame, DataFrame | None, int]:
        """Changed records, written; and the records that silver has anything new about."""
        stored = self._stored("identity.records")
        seen = None
        if self.is_incremental:
            current, seen, known = self._heard(stored)
        else:
            current, known = self._everything(stored), stored
        changed = record_rows.changed(current, known, self._matches.keyed_by)
        changed = self._matches.keyed(changed)
        written = self._write(
            "identity.records", changed, key=["record_id"], gone=None, is_insert="NOT _was_known"
        )
        return changed, seen, written

    def _everything(self, stored: DataFrame) -> DataFrame:
        """All records of all sources that name people."""
        current = [
            record_rows.everything(
                as_declared(self.tables.read(table, version=self.pinned[table]), source),
                stored,
                source,
                self.matching,
            )
            for table, source in self._naming()
        ]
        alive = [source.source for _, source in self._naming()]
        current.append(record_rows.of_dropped_sources(stored, alive))
        return reduce(DataFrame.unionByName, current, self._nobody())

    def _heard(self, stored: DataFrame) -> tuple[DataFrame, DataFrame, DataFrame]:
        """Records as they are now of whom silver's change feeds speak, all ids that they speak
        of, and what is stored of them.
        """
        feeds = {
            source.source: as_declared(
                self.tables.changes(table, after=after, to=to, preimages=True), source
            )
            for table, source in self._naming()
            if (to := self.pinned[table]) != (after := self.base_inputs.get(table))
        }
        empty = self._nobody()
        nobody = empty.select("source", "record_id", F.lit(False).alias("is_lost"))
        told = (record_rows.heard_of(feed, self.sources[name]) for name, feed in feeds.items())
        heard = self._keep(
            reduce(DataFrame.unionByName, told, nobody)
            .groupBy("source", "record_id")
            .agg(F.bool_or("is_lost").alias("is_lost"))
        )
        totals = heard.groupBy("source").agg(
            F.count(F.lit(1)).alias("all"), F.count_if("is_lost").alias("lost")
        )
        counts = {row["source"]: row for row in totals.collect()}
        current = [empty]
        for name, of in counts.items():
            source, feed = self.sources[name], feeds[name]
            ids = heard.where(F.col("source") == name)
            if source.is_profile:
                rows, asked = record_rows.latest(feed), ids.select("record_id")
                current.append(record_rows.named(rows, asked, source, self.matching))
                continue
            asked = ids.where("is_lost").select("record_id")
            few = _few(asked, of["lost"])
            current.append(record_rows.added(feed, few, source))
            if of["lost"]:
                silver = self.tables.read(f"silver.{name}", version=self.pinned[f"silver.{name}"])
                rows = as_declared(silver, source).join(few, on="record_id", how="left_semi")
                current.append(record_rows.named(rows, asked, source, self.matching))
        seen = _few(heard.select("record_id"), sum(of["all"] for of in counts.values()))
        return reduce(DataFrame.unionByName, current), seen, self._known(stored, seen)

    def _known(self, stored: DataFrame, seen: DataFrame) -> DataFrame:
        """What is stored of some records; read whole only where there is any of them: most of a
        record is maps and lists, which take ten times as long to read as its id.
        """
        known = self._keep(stored.select("record_id").join(seen, on="record_id", how="left_semi"))
        count = known.count()
        if not count:
            return self._empty("identity.records")
        return stored.join(_few(known, count), on="record_id", how="left_semi")

    def _naming(self) -> list[tuple[str, Source]]:
        """Silver tables with rows that name people, each with its source."""
        return [
            (table, source)
            for source in self.sources.values()
            if (table := f"silver.{source.source}") in self.pinned
            and record_rows.names_people(source)
        ]

    def _touched_values(self, changed: DataFrame) -> DataFrame | None:
        """Values whose groups may differ now: (identifier, value); None means all."""
        if not self.is_incremental:
            return None
        now = links.values_of(changed, "identifiers")
        before = links.values_of(changed, "_old_identifiers")
        return self._keep(now.unionByName(before).distinct())

    def _links(
        self, changed: DataFrame, touched: DataFrame | None, as_of: Column
    ) -> tuple[DataFrame, DataFrame, DataFrame, DataFrame | None]:
        """The touched value groups, verdicts on the contested ones, the edges that change, and the
        clusters, where they were found with the edges.
        """
        rules = self.rules
        records = self._stored("identity.records")
        members = links.members(records, rules, touched)
        if touched is not None:
            members = self._keep(members)
        groups = self._keep(links.value_groups(members, rules))
        judged = self._keep(links.judged(members, groups))
        contested = self._keep(links.contested(judged, rules))
        stored = self._stored("identity.edges")
        existing = stored.where(~F.col("identifier").isin(matches.MATCH, refinement.STEWARD))
        if touched is not None:
            existing = existing.join(links.link_keys(touched), on="link_key", how="left_semi")
        linked = self._keep(links.edges(judged, contested, rules))
        found = self._matches.changes(
            changed,
            records,
            linked,
            stored,
            is_incremental=self.is_incremental,
            at_once=self._fits_one_worker,
            largest=rules.largest_cluster,
        )
        existing = existing.unionByName(found.replaced)
        desired = linked.unionByName(found.edges)
        edge_changes = self._keep(changes.edge_changes(desired, existing, as_of))
        return groups, contested, edge_changes, found.clusters

    def _touched_records(
        self, changed: DataFrame, edge_changes: DataFrame
    ) -> tuple[DataFrame, DataFrame]:
        """Members so far, and active records now with their profiles, of the components that may
        differ.

        A component can only change where an edge or a record came or went, and it is closed under
        all edges that did not, so no other component needs a look.
        """
        customers = self._stored("identity.customers")
        people = self._stored("identity.records").where("is_active").select("record_id", "profile")
        if not self.is_incremental:
            return customers, people
        endpoints = edge_changes.select(
            F.explode(F.array("left_record", "right_record")).alias("record_id")
        )
        # What is compared may have changed in a record though no edge did, and though it has no
        # keys: whom others tie is compared all the same, and may have nothing to compare any more.
        is_compared = F.col("keyed_by").isNotNull() | F.col("_was_matchable")
        flipped = changed.where(
            (F.col("is_active") != F.col("_was_active")) | (F.col("is_active") & is_compared)
        ).select("record_id")
        moved = self._keep(endpoints.unionByName(flipped).distinct())
        reached = (
            customers.join(moved, on="record_id", how="left_semi").select("component").distinct()
        )
        previous = self._keep(customers.join(reached, on="component", how="left_semi"))
        nodes = previous.select("record_id").unionByName(moved).distinct()
        return previous, self._keep(people.join(nodes, on="record_id", how="left_semi"))

    def _clusters(self, nodes: DataFrame) -> DataFrame:
        """Who of these whole components is one person, by the edges that stand."""
        edges = self._stored("identity.edges")
        if self.is_incremental:
            inside = nodes.select(F.col("record_id").alias("left_record"))
            edges = self._keep(edges.join(inside, on="left_record", how="left_semi"))
        return self._keep(
            one_worker.clusters(
                nodes,
                edges,
                largest=self.rules.largest_cluster,
                columns=self._matches.columns,
                model=self._matches.model,
                at_once=self._fits_one_worker,
            )
        )

    @cached_property
    def _fits_one_worker(self) -> bool:
        return one_worker.fits(self._stored("identity.records").count())

    def _write_history(self, events: DataFrame, as_of: Column) -> dict[str, int]:
        found = events.groupBy("event").agg(
            F.count(F.lit(1)).alias("rows"), F.count_distinct("customer_id").alias("customers")
        )
        totals = {row["event"]: row for row in found.collect()}
        if totals:
            number = F.lit((self.base.generation if self.base else 0) + 1).cast("bigint")
            rows = events.withColumns({"as_of": as_of, "generation": number})
            self.tables.append("identity.history", rows)
        every = (ids.ASSIGNED, ids.MERGED, ids.SPLIT, ids.MOVED, ids.RETIRED)
        counts = {event: totals[event]["rows"] if event in totals else 0 for event in every}
        # Ids that were split off; one may come of several, each a row.
        counts["split_off"] = totals[ids.SPLIT]["customers"] if ids.SPLIT in totals else 0
        return counts

    def _write_review(
        self,
        groups: DataFrame,
        contested: DataFrame,
        cluster: DataFrame,
        previous: DataFrame,
        touched: DataFrame | None,
        as_of: Column,
    ) -> None:
        found = links.refusals(groups, contested).unionByName(components.too_large(cluster))
        existing = self._stored("identity.review")
        if touched is not None:
            parts = previous.select("component").unionByName(cluster.select("component"))
            keys = parts.select(components.component_key(F.col("component")).alias("link_key"))
            keys = keys.unionByName(links.link_keys(touched))
            existing = existing.join(keys, on="link_key", how="left_semi")
        rows = self._keep(changes.review_changes(found, existing, as_of))
        self._write(
            "identity.review", rows, key=["identifier", "link_key"], gone="reason", is_insert=None
        )

    def _write(
        self,
        table: str,
        rows: DataFrame,
        *,
        key: list[str],
        gone: str | None,
        is_insert: str | None,
    ) -> int:
        """Write changed rows; gives how many there are.

        ``gone`` is the column that is null in rows that go, ``is_insert`` the condition of rows
        that the table does not have. Those are appended: a merge that may also insert reads the
        table once more and takes twice as long.
        """
        inserts = F.expr(is_insert) if is_insert else F.lit(False)
        totals = rows.agg(F.count(F.lit(1)), F.count_if(inserts)).first()
        count, new = (totals[0], totals[1]) if totals else (0, 0)
        columns = self._empty(table).columns
        if count > new:
            known = rows.where(~inserts).select(*columns)
            self.tables.merge(
                table,
                _few(known, count - new) if is_insert else known,
                on=key,
                delete_when=f"new.{gone} IS NULL" if gone else None,
                insert=is_insert is None,
            )
        if new:
            self.tables.append(table, rows.where(inserts).select(*columns))
        return int(count)

    def _stored(self, table: str) -> DataFrame:
        """The table as it is now, pinned: Delta would read a newer version when run again."""
        version = self.tables.version(table)
        empty = self._empty(table)
        if version is None:
            return empty
        rows = self.tables.read(table, version=version)
        # A lake that an older version built lacks some columns until it is built anew.
        missing = set(empty.columns) - set(rows.columns)
        return empty.unionByName(rows, allowMissingColumns=True) if missing else rows

    def _nobody(self) -> DataFrame:
        return self._empty("identity.records").select(*record_rows.RECORD_COLUMNS)

    def _empty(self, table: str) -> DataFrame:
        return self.tables.frame([], SYSTEM_TABLES[table].ddl)

    def _keep(self, rows: DataFrame) -> DataFrame:
        """Computed once, with its lineage cut: planning deep plans costs more than small nights.

        An executor that is lost takes its part along; then the step fails and is run again.
        """
        return rows.localCheckpoint(eager=False, storageLevel=StorageLevel.MEMORY_AND_DISK)


def _few(ids: DataFrame, count: int) -> DataFrame:
    """Ids, to be sent to every task where they are few: Spark cannot know how many there are."""
    return F.broadcast(ids) if count <= _FEW else ids
