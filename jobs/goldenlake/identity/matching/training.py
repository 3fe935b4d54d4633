"""Training a model without labels: blocked and random pairs, EM, and passes that learn more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from goldenlake.declarations.matching import Matching
from goldenlake.identity.matching import findings
from goldenlake.identity.matching.aliases import learnt
from goldenlake.identity.matching.arrays import Codes, Floats
from goldenlake.identity.matching.blocking import Candidates, blocks_of, candidates
from goldenlake.identity.matching.clustering import Decisions, sizes
from goldenlake.identity.matching.comparisons import Plan, compare, plan_of
from goldenlake.identity.matching.em import Estimate, Pairs, Settings, fit
from goldenlake.identity.matching.frequencies import Frequencies
from goldenlake.identity.matching.keys import keys_of
from goldenlake.identity.matching.model import Model, Table, TermFrequencies
from goldenlake.identity.matching.provenance import Finding, Provenance
from goldenlake.identity.matching.records import Records, Vocabulary, encoded, vocabulary_of
from goldenlake.identity.matching.resolution import Resolution, refined
from goldenlake.identity.matching.sampling import number_of_pairs, random_pairs
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.tables import Layout, cells_of, layouts_of
from goldenlake.identity.matching.term_bits import Terms, counted
from goldenlake.ports import Progress

MATCHES_A_RECORD = 0.5
"""Matches that are expected for each record before anything is known."""


@dataclass(frozen=True)
class Trained:
    """A model and what it makes of the records that it was trained on."""

    model: Model
    resolution: Resolution
    records: Records

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The trainer's doubts about the model."""
        return self.model.provenance.findings


@dataclass(frozen=True)
class _Sample:
    """What all passes share."""

    table: pa.Table
    matching: Matching
    plan: Plan
    layouts: tuple[Layout, ...]
    blocked: Candidates
    random: tuple[Codes, Codes]
    all_pairs: float
    decisions: Decisions
    data_version: str


def train(
    table: pa.Table,
    matching: Matching,
    *,
    data_version: str = "",
    exclusive: Codes | None = None,
    progress: Progress = lambda _: None,
) -> Trained:
    """Train on a table of records that has the declared columns.

    ``exclusive`` (records,) numbers sources in which every person stands once, as in ``Decisions``.
    The same rows in the same order and the same seed give the same model.

    The first pass knows the records alone. Each further one also knows the clusters of the pass
    before: pairs that blocking missed, aliases, and how many persons (not records) have a value.
    One that raises a doubt which the pass before did not is thrown away, and training ends.
    """
    vocabulary = vocabulary_of(table, matching)
    records = encoded(table, matching, vocabulary)
    blocks = blocks_of(records.count, keys_of(records, matching), matching.blocking.most_records)
    plan, training = plan_of(matching), matching.training
    sample = _Sample(
        table=table,
        matching=matching,
        plan=plan,
        layouts=layouts_of(plan),
        blocked=candidates(blocks, exclusive),
        random=random_pairs(records.count, training.random_pairs, training.seed, exclusive),
        all_pairs=number_of_pairs(records.count, exclusive),
        decisions=Decisions(exclusive=exclusive),
        data_version=data_version,
    )
    progress(f"pass 1: {len(sample.blocked.left):,} pairs of {records.count:,} records")
    trained = _pass(sample, vocabulary, records, None)
    for number in range(2, training.passes + 1):
        expected = trained.model.provenance.expected_matches
        progress(f"pass {number}: learns from {expected:,.0f} expected matches")
        after = _pass(sample, *_learnt(sample, trained), trained)
        doubts = findings.between(trained.model.provenance, after.model.provenance)
        if doubts:
            progress(f"pass {number} raises a doubt and is thrown away")
            return _with_findings(trained, doubts)
        trained = after
    return trained


def _learnt(sample: _Sample, before: Trained) -> tuple[Vocabulary, Records]:
    training = sample.matching.training
    cluster = before.resolution.clusters.cluster
    aliases = learnt(before.records, cluster, training.alias_clusters, training.alias_lift)
    vocabulary = Vocabulary(before.model.vocabulary.given_names, aliases)
    return vocabulary, encoded(sample.table, sample.matching, vocabulary)


def _pass(
    sample: _Sample, vocabulary: Vocabulary, records: Records, before: Trained | None
) -> Trained:
    if before is None:
        left, right, cluster = sample.blocked.left, sample.blocked.right, None
        matches, number = MATCHES_A_RECORD * records.count, 1
    else:
        left, right = _with_completed(sample.blocked, before.resolution)
        cluster = before.resolution.clusters.cluster
        provenance = before.model.provenance
        matches, number = provenance.expected_matches, provenance.passes + 1
    frequencies = counted(records, sample.plan, cluster)
    terms = Terms.of(records, sample.plan, frequencies)
    estimate = fit(
        _pairs(sample, records, terms, left, right),
        _pairs(sample, records, terms, *sample.random),
        sample.layouts,
        settings_of(sample.matching, sample.plan, sample.all_pairs),
        min(matches, 0.1 * sample.all_pairs),
    )
    model = _model(sample, vocabulary, frequencies, estimate, number, len(left))
    scorer = Scorer(model, records, terms)
    blocked, clustering = sample.blocked, sample.matching.clustering
    likely = scorer.score(blocked.left, blocked.right).probabilities
    resolution = refined(scorer, blocked.left, blocked.right, likely, clustering, sample.decisions)
    doubts = findings.of_estimate(estimate, sample.plan, sample.layouts)
    components = sizes(resolution.clusters.component).tolist()
    doubts += findings.of_components(components, clustering.most_dense)
    return _with_findings(Trained(model, resolution, records), doubts)


def _with_completed(blocked: Candidates, resolution: Resolution) -> tuple[Codes, Codes]:
    """The pairs of blocking, and those inside components that it missed; each once."""
    one = np.concatenate([blocked.left, resolution.left]).astype(np.int64)
    other = np.concatenate([blocked.right, resolution.right]).astype(np.int64)
    count = np.int64(max(one.max(initial=0), other.max(initial=0)) + 1)
    pairs = np.unique(np.minimum(one, other) * count + np.maximum(one, other))
    return (pairs // count).astype(np.int32), (pairs % count).astype(np.int32)


def settings_of(matching: Matching, plan: Plan, all_pairs: float) -> Settings:
    """How EM runs over the tables of a plan."""
    kinds = [[plan.comparisons[at].kind for at in table] for table in plan.tables]
    return Settings(
        all_pairs=all_pairs,
        start=tuple(tuple(kind.start_m for kind in table) for table in kinds),
        is_personal=tuple(tuple(kind.is_personal for kind in table) for table in kinds),
        household_share=_household_share(plan),
        prior_share=matching.training.prior_share,
        most_rounds=matching.training.most_rounds,
        tolerance=matching.training.tolerance,
    )


def _household_share(plan: Plan) -> float:
    """How large a class of households must be.

    Two personal traits that differ at once tell a household from a mistyped name; one alone does
    not, and only a large class is believed.
    """
    personal = {"given", "date"} & {comparison.kind_name for comparison in plan.comparisons}
    return {0: np.inf, 1: 0.1}.get(len(personal), 0.02)


def _pairs(sample: _Sample, records: Records, terms: Terms, left: Codes, right: Codes) -> Pairs:
    levels = compare(records, sample.plan, left, right)
    return Pairs(cells_of(levels, sample.layouts), *terms.added(left, right, levels))


def _with_findings(trained: Trained, doubts: list[Finding]) -> Trained:
    known = trained.model.provenance
    provenance = known.model_copy(update={"findings": (*known.findings, *doubts)})
    model = trained.model.model_copy(update={"provenance": provenance})
    return Trained(model, trained.resolution, trained.records)


def _model(
    sample: _Sample,
    vocabulary: Vocabulary,
    frequencies: dict[str, Frequencies],
    estimate: Estimate,
    number: int,
    pairs: int,
) -> Model:
    comparisons, odds = sample.plan.comparisons, estimate.odds
    return Model(
        matching=sample.matching,
        tables=tuple(
            Table(
                comparisons=tuple(comparisons[at].name for at in layout.comparisons),
                levels=tuple(comparisons[at].kind.levels for at in layout.comparisons),
                m=_numbers(m),
                u=_numbers(u),
                households=_numbers(household),
            )
            for layout, m, u, household in zip(
                sample.layouts, odds.m, odds.u, odds.households, strict=True
            )
        ),
        prior=odds.expected_matches / sample.all_pairs,
        household_prior=odds.expected_households / sample.all_pairs,
        frequencies={
            name: TermFrequencies(total=each.total, counts=dict(each.counts), means=each.means)
            for name, each in frequencies.items()
        },
        given_names=tuple(sorted(vocabulary.given_names)),
        aliases=dict(vocabulary.aliases),
        provenance=Provenance(
            data_version=sample.data_version,
            records=sample.table.num_rows,
            blocked_pairs=pairs,
            random_pairs=len(sample.random[0]),
            seed=sample.matching.training.seed,
            passes=number,
            rounds=estimate.rounds,
            expected_matches=odds.expected_matches,
            expected_households=odds.expected_households,
        ),
    )


def _numbers(table: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in table)
