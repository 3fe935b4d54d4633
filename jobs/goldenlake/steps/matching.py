"""The part of a resolve build that a trained model and stewards have: keys, matches, decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.decisions import Decision
from goldenlake.identity import matches, one_worker, refinement, renewal
from goldenlake.identity.trained import TrainedModel
from goldenlake.ports import Progress, Tables

_EDGES = (
    "left_record string, right_record string, identifier string, link_key string, "
    "strength string, rule string, weight double, model string"
)
_MOST_TOLD = 5
"""Rules in one line."""


@dataclass(frozen=True)
class Matched:
    """What a model and stewards say of a night's records."""

    edges: DataFrame
    """As they should be."""
    replaced: DataFrame
    """Edges of the build before that they take the place of."""
    clusters: DataFrame | None = None
    """See ``refinement.clusters``; None where they are still to be found from the edges."""


@dataclass(frozen=True, kw_only=True)
class MatchEdges:
    """Edges by a model and by decisions; without a model there are only decisions."""

    trained: TrainedModel | None
    decisions: Sequence[Decision]
    tables: Tables
    progress: Progress
    keep: Callable[[DataFrame], DataFrame]
    counts: dict[str, int] = field(default_factory=dict)
    """What was found on the way: ``keys_left_out``, of those that the night looked at."""

    @property
    def version(self) -> str | None:
        """Of the model."""
        return self.trained.version if self.trained else None

    @property
    def keyed_by(self) -> str | None:
        """See ``TrainedModel.keyed_by``."""
        return self.trained.keyed_by if self.trained else None

    @property
    def columns(self) -> list[str]:
        """That the model compares."""
        return list(self.trained.matching.columns) if self.trained else []

    @cached_property
    def model(self) -> Broadcast[str] | None:
        """The model, for the workers."""
        if self.trained is None:
            return None
        return self.tables.spark.sparkContext.broadcast(self.trained.text)

    def keyed(self, changed: DataFrame) -> DataFrame:
        """Changed records with their blocking keys as ``keys``."""
        if self.model is None:
            return self.keep(changed.withColumn("keys", matches.no_keys()))
        return self.keep(matches.keyed(changed, self.columns, self.model))

    def changes(
        self,
        changed: DataFrame,
        records: DataFrame,
        linked: DataFrame,
        existing: DataFrame,
        *,
        is_incremental: bool,
        at_once: bool,
        largest: int,
    ) -> Matched:
        """Edges as they should be, and those that they take the place of.

        ``changed`` and ``records`` have keys; ``linked`` are the edges of identifiers where all
        are looked at, and ``largest`` is their largest group; ``existing`` are all edges of the
        build before. ``at_once`` says whether one worker takes all records.
        """
        decided = self._decided(records)
        standing = existing.where(F.col("identifier") == refinement.STEWARD)
        matched = existing.where(F.col("identifier") == matches.MATCH)
        if self.trained is None or self.model is None:
            return Matched(decided, standing.unionByName(matched))
        clusters = None
        if is_incremental:
            concerned = _concerned(changed)
            if concerned.isEmpty():
                self.counts["keys_left_out"] = 0
                return Matched(decided, standing)
            if at_once:
                found = self._renewed(concerned, records)
                matched = _touching(matched, concerned, found.seen)
                pairs = found.pairs
            else:
                wanted, dirty = self._wanted(concerned, records)
                matched = _touching(matched, dirty)
                pairs = self._scored(records, wanted, dirty)
        elif at_once:
            resolved = self._at_once(records, linked.unionByName(decided), largest)
            pairs, clusters = resolved.pairs, resolved.clusters
        else:
            pairs = self._scored(records, None, None)
        edges = decided.unionByName(self._edges(pairs))
        return Matched(edges, standing.unionByName(matched), clusters)

    def _at_once(self, records: DataFrame, edges: DataFrame, largest: int) -> one_worker.Resolved:
        assert self.model is not None
        found = one_worker.resolved(
            records.where("is_active"),
            edges,
            cap=self._cap,
            largest=largest,
            columns=self.columns,
            model=self.model,
            keep=self.keep,
        )
        self._tell_refused(found.refused())
        return found

    def _renewed(self, concerned: DataFrame, records: DataFrame) -> renewal.Renewed:
        assert self.model is not None
        found = renewal.renewed(
            records.where(F.col("is_active") & (F.size("keys") > 0)),
            concerned,
            cap=self._cap,
            columns=self.columns,
            model=self.model,
            keep=self.keep,
        )
        self._tell_refused(found.refused())
        return found

    def _wanted(self, concerned: DataFrame, records: DataFrame) -> tuple[DataFrame, DataFrame]:
        """The keys to look at, and the records of which one must be in a pair.

        Where a key comes to be on too many records, or on so many no more, pairs of records that
        did not change come and go: those records count as changed, too.
        """
        wanted = self.keep(matches.keys_of(concerned))
        dirty = concerned.select("record_id")
        holders = matches.holders(records, wanted)
        crossed = self.keep(matches.crossing(holders, concerned, self._cap))
        if crossed.isEmpty():
            return wanted, dirty
        drawn_in = holders.join(F.broadcast(crossed), on="key", how="left_semi")
        dirty = self.keep(dirty.unionByName(drawn_in.select("record_id")).distinct())
        theirs = records.join(F.broadcast(dirty), on="record_id", how="left_semi")
        also = theirs.select(F.explode("keys").alias("key"))
        return self.keep(wanted.unionByName(also).distinct()), dirty

    def _scored(
        self, records: DataFrame, wanted: DataFrame | None, dirty: DataFrame | None
    ) -> DataFrame:
        assert self.model is not None
        comparable = matches.comparable(records, wanted)
        if wanted is not None:
            comparable = self.keep(comparable)
        refused = matches.refused(comparable, self._cap)
        self._tell_refused(refused)
        return matches.scored(
            comparable,
            self.tables.spark.sparkContext.broadcast(refused["key"].to_numpy()),
            dirty,
            self.columns,
            self.model,
            parts=matches.parts(comparable),
        )

    def _edges(self, pairs: DataFrame) -> DataFrame:
        return pairs.select(
            "left_record",
            "right_record",
            F.lit(matches.MATCH).alias("identifier"),
            F.lit("").alias("link_key"),
            "strength",
            "rule",
            "weight",
            F.lit(self.version).alias("model"),
        )

    def _tell_refused(self, refused: pa.Table) -> None:
        """Say by which rules keys are on too many records."""
        self.counts["keys_left_out"] = refused.num_rows
        if not refused.num_rows:
            return
        from goldenlake.identity.matching.keys import rule_names

        assert self.trained is not None
        names = rule_names(self.trained.matching)
        rules = matches.refused_by_rule(refused)
        told = [f"{keys:,} by {names[rule]} (up to {most:,} records)" for rule, keys, most in rules]
        more = f", and by {len(told) - _MOST_TOLD} rules more" if len(told) > _MOST_TOLD else ""
        self.progress(
            f"matching: {refused.num_rows:,} keys are on more than {self._cap:,} records each and "
            f"make no pairs: {', '.join(told[:_MOST_TOLD])}{more}"
        )

    @property
    def _cap(self) -> int:
        assert self.trained is not None
        return self.trained.matching.blocking.most_records

    def _decided(self, records: DataFrame) -> DataFrame:
        """Decisions about records that there are; the others are told and kept for their day."""
        rows = [
            (*each.records, refinement.STEWARD, "", strength, each.rule, None, None)
            for each in self.decisions
            for strength in [refinement.MUST if each.is_must else refinement.CANNOT]
        ]
        decided = self.tables.frame(rows, _EDGES)
        if not rows:
            return decided
        named = sorted({record for each in self.decisions for record in each.records})
        known = records.where(F.col("record_id").isin(named) & F.col("is_active"))
        present = {row["record_id"] for row in known.select("record_id").collect()}
        kept = [row for row in rows if {row[0], row[1]} <= present]
        if len(kept) < len(rows):
            self.progress(
                f"decisions: {len(rows) - len(kept)} of {len(rows)} are about records that are not "
                "there, and wait"
            )
        return self.tables.frame(kept, _EDGES)


def _concerned(changed: DataFrame) -> DataFrame:
    """Those that could be matched before, or can be now."""
    return changed.where((F.size("keys") > 0) | (F.size("_old_keys") > 0))


def _touching(edges: DataFrame, records: DataFrame, pairs: DataFrame | None = None) -> DataFrame:
    """The edges with an end among the records (record_id), or among the pairs."""
    left = records.select(F.col("record_id").alias("left_record"), F.lit(True).alias("_left"))
    right = records.select(F.col("record_id").alias("right_record"), F.lit(True).alias("_right"))
    found = edges.join(F.broadcast(left), on="left_record", how="left").join(
        F.broadcast(right), on="right_record", how="left"
    )
    is_touched = F.col("_left").isNotNull() | F.col("_right").isNotNull()
    if pairs is not None:
        marked = F.broadcast(pairs.withColumn("_both", F.lit(True)))
        found = found.join(marked, on=["left_record", "right_record"], how="left")
        is_touched |= F.col("_both").isNotNull()
    return found.where(is_touched).drop("_left", "_right", "_both")
