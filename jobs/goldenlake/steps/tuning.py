"""Look at what matching could do: keys and columns before a model, thresholds with one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.matching import Matching
from goldenlake.identity import components, matches, refinement
from goldenlake.identity.matching.arrays import Codes
from goldenlake.identity.matching.blocking import RuleReport, blocks_of, candidates
from goldenlake.identity.matching.columns import column_fill
from goldenlake.identity.matching.keys import keys_of
from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.records import encoded, vocabulary_of
from goldenlake.identity.matching.resolution import blocked
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.tuning import Outcome, Threshold, outcomes
from goldenlake.identity.samples import identifier_fill
from goldenlake.ports import Progress, Tables
from goldenlake.reporting.matching import IdentifierFill, MatchingProfile
from goldenlake.steps.profiles import IdentityState, ProfileSample, read_profiles


@dataclass(frozen=True, kw_only=True)
class ProfileMatching:
    """How telling columns and identifiers are, and what each blocking rule costs and finds.

    All rules are looked at, whichever are declared; no model is needed.
    """

    matching: Matching
    rules: IdentityRules

    def run(self, tables: Tables, progress: Progress) -> MatchingProfile:
        """Raises ProfilesMissing."""
        state = IdentityState.of(tables)
        active = state.read("identity.records").where("is_active")
        total = active.count()
        held = {row["identifier"]: row for row in identifier_fill(active).collect()}
        sample = read_profiles(state, self.matching, progress)
        progress("blocks are made")
        return MatchingProfile(
            version=sample.version,
            records=sample.records,
            matchable=sample.matchable,
            columns=column_fill(sample.table, self.matching),
            identifiers=[
                IdentifierFill(
                    identifier=name,
                    records=total,
                    filled=held[name]["records"] if name in held else 0,
                    distinct=held[name]["values"] if name in held else 0,
                    most_frequent=held[name]["most_records"] if name in held else 0,
                    most_records=declared.most_records,
                )
                for name, declared in self.rules.identifiers.items()
            ],
            keys=self._keys(sample),
            chosen=tuple(self.matching.blocking.rules),
            cap=self.matching.blocking.most_records,
        )

    def _keys(self, sample: ProfileSample) -> tuple[RuleReport, ...]:
        blocking = self.matching.blocking.model_copy(update={"rules": []})
        everything = self.matching.model_copy(update={"blocking": blocking})
        vocabulary = vocabulary_of(sample.table, everything)
        records = encoded(sample.table, everything, vocabulary)
        blocks = blocks_of(records.count, keys_of(records, everything), blocking.most_records)
        return candidates(blocks).report


@dataclass(frozen=True, kw_only=True)
class TuneThresholds:
    """What thresholds make of a sample of the profiles, by a model and the ties of identifiers.

    Ties to records outside the sample, of events say, count; which groups are too large and would
    be cut is not looked at.
    """

    model: Model
    thresholds: Sequence[Threshold]

    def run(self, tables: Tables, progress: Progress) -> tuple[ProfileSample, list[Outcome]]:
        """Outcomes in the order of the thresholds. Raises ProfilesMissing."""
        state = IdentityState.of(tables)
        sample = read_profiles(state, self.model.matching, progress)
        group = labels(sample, identifier_groups(state))
        scorer = Scorer.of(self.model, sample.table)
        pairs = blocked(scorer)
        progress(f"{len(pairs.left):,} pairs are scored")
        found = []
        for outcome in outcomes(scorer, pairs, group, self.thresholds):
            at = outcome.threshold
            progress(f"edge {at.edge:g}, cut {at.cut:g}: {outcome.clusters:,} clusters")
            found.append(outcome)
        return sample, found


def identifier_groups(state: IdentityState) -> DataFrame:
    """What identifiers and stewards alone tie: (record_id, component)."""
    edges = refinement.connecting(state.read("identity.edges"))
    ties = edges.where(F.col("identifier") != matches.MATCH)
    records = state.read("identity.records").where("is_active").select("record_id")
    return components.connected(records, ties)


def labels(sample: ProfileSample, of: DataFrame) -> Codes:
    """The sample's records by the second column of ``of``, as numbers; one of its own without."""
    name = next(column for column in of.columns if column != "record_id")
    ids = of.sparkSession.createDataFrame(sample.table.select(["record_id"]))
    found = ids.join(of.select("record_id", name), on="record_id", how="left").toArrow()
    named = pc.fill_null(found[name], found["record_id"])
    at = pc.index_in(sample.table["record_id"], found["record_id"].combine_chunks())
    codes = named.combine_chunks().dictionary_encode().indices.take(at.combine_chunks())
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int32)
