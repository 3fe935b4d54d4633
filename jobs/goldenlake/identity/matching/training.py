"""Training a model without labels: random pairs, blocked pairs, EM, and passes that learn more."""

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
from goldenlake.identity.matching.findings import Finding
from goldenlake.identity.matching.frequencies import Frequencies
from goldenlake.identity.matching.keys import keys_of
from goldenlake.identity.matching.model import Model, Provenance, Table, TermFrequencies
from goldenlake.identity.matching.records import Records, Vocabulary, encoded, vocabulary_of
from goldenlake.identity.matching.resolution import Resolution, refined
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.tables import Layout, cells_of, layouts_of
from goldenlake.identity.matching.term_bits import Terms, counted


@dataclass(frozen=True)
class Trained:
    """A model, the doubts about it, and what it makes of the records that it was trained on."""

    model: Model
    findings: tuple[Finding, ...]
    resolution: Resolution


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
) -> Trained:
    """Train on a table of records that has the declared columns.

    ``exclusive`` (records,) numbers sources in which every person stands once, as in ``Decisions``.
    Deterministic for the same rows in the same order and the same seed.
    """
    vocabulary = vocabulary_of(table, matching)
    records = encoded(table, matching, vocabulary)
    keys = keys_of(records, frozenset(matching.playing("gender")))
    blocks = blocks_of(records.count, keys, matching.blocking.most_records)
    plan = plan_of(matching)
    sample = _Sample(
        table,
        matching,
        plan,
        layouts_of(plan),
        candidates(blocks, exclusive),
        random_pairs(records.count, matching.training.random_pairs, matching.training.seed, exclusive),
        _all_pairs(records.count, exclusive),
        Decisions(exclusive=exclusive),
        data_version,
    )
    trained = _pass(sample, vocabulary, records, None, 1)
    for number in range(2, matching.training.passes + 1):
        trained = _next_pass(sample, trained, number)
    return trained


def random_pairs(
    count: int, wanted: int, seed: int, exclusive: Codes | None = None
) -> tuple[Codes, Codes]:
    """Pairs of different records drawn at random; all pairs where there are no more."""
    if count * (count - 1) // 2 <= wanted:
        left, right = (each.astype(np.int32) for each in np.triu_indices(count, 1))
    else:
        draws = np.random.default_rng(seed).integers(0, count, size=(2, wanted), dtype=np.int32)
        different = draws[0] != draws[1]
        left, right = draws[0][different], draws[1][different]
    if exclusive is not None:
        kept = (exclusive[left] < 0) | (exclusive[left] != exclusive[right])
        left, right = left[kept], right[kept]
    return left, right


def _all_pairs(count: int, exclusive: Codes | None) -> float:
    pairs = count * (count - 1) / 2
    if exclusive is not None:
        alike = np.bincount(exclusive[exclusive >= 0])
        pairs -= float((alike * (alike - 1) / 2).sum())
    return max(pairs, 1.0)


def _next_pass(sample: _Sample, before: Trained, number: int) -> Trained:
    """Learn from the clusters of the pass before; keep that one where this one raises doubts."""
    training = sample.matching.training
    cluster = before.resolution.clusters.cluster
    scorer_records = encoded(sample.table, sample.matching, before.model.vocabulary)
    aliases = learnt(scorer_records, cluster, training.alias_clusters, training.alias_lift)
    vocabulary = Vocabulary(before.model.vocabulary.given_names, aliases)
    records = encoded(sample.table, sample.matching, vocabulary)
    after = _pass(sample, vocabulary, records, before, number)
    return after


def _pass(
    sample: _Sample,
    vocabulary: Vocabulary,
    records: Records,
    before: Trained | None,
    number: int,
) -> Trained:
    cluster = before.resolution.clusters.cluster if before else None
    frequencies = counted(records, sample.plan, cluster)
    terms = Terms.of(records, sample.plan, frequencies)
    left, right = sample.blocked.left, sample.blocked.right
    if before:
        left, right = before.resolution.left, before.resolution.right
    matches = before.model.provenance.expected_matches if before else 0.5 * records.count
    training = sample.matching.training
    settings = Settings(
        all_pairs=sample.all_pairs,
        start=tuple(
            tuple(sample.plan.comparisons[at].kind.start_m for at in layout.comparisons)
            for layout in sample.layouts
        ),
        is_personal=tuple(
            tuple(sample.plan.comparisons[at].kind.is_personal for at in layout.comparisons)
            for layout in sample.layouts
        ),
        household_share=_household_share(sample.plan),
        prior_share=training.prior_share,
        most_rounds=training.most_rounds,
        tolerance=training.tolerance,
    )
    estimate = fit(
        _pairs(sample, records, terms, left, right),
        _pairs(sample, records, terms, *sample.random),
        sample.layouts,
        settings,
        min(matches, 0.1 * sample.all_pairs),
    )
    doubts = findings.of_estimate(estimate, sample.plan, sample.layouts)
    model = _model(sample, vocabulary, frequencies, estimate, number, len(left))
    scorer = Scorer(model, records, terms)
    weights = scorer.score(sample.blocked.left, sample.blocked.right).weights
    resolution = refined(
        scorer, sample.blocked, weights, sample.matching.clustering, sample.decisions
    )
    components = sizes(resolution.clusters.component).tolist()
    doubts += findings.of_components(components, sample.matching.clustering.most_dense)
    return Trained(model, tuple(doubts), resolution)


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


def _model(
    sample: _Sample,
    vocabulary: Vocabulary,
    frequencies: dict[str, Frequencies],
    estimate: Estimate,
    number: int,
    pairs: int,
) -> Model:
    comparisons, odds = sample.plan.comparisons, estimate.odds
    tables = tuple(
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
    )
    return Model(
        matching=sample.matching,
        tables=tables,
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


