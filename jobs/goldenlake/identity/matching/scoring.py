"""Match weights of pairs of records under a frozen model."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from goldenlake.identity.matching.arrays import Codes, Floats, Levels
from goldenlake.identity.matching.comparisons import compare
from goldenlake.identity.matching.em import Pairs, Priors, match_weights, probability, summed
from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.records import Records, encoded
from goldenlake.identity.matching.tables import cells_of, information
from goldenlake.identity.matching.term_bits import Terms

LEAST_EVIDENCE = 1e-6
"""Of a pair of records that have nothing in common to compare."""


@dataclass(frozen=True)
class Scores:
    """Of pairs, in their order."""

    weights: Floats
    """log2 odds that the two records are one person's, prior and frequencies included."""
    levels: Levels
    """(pairs, comparisons), in the order of the model's plan."""
    frequency_bits: Floats
    """What term frequencies added to the odds against strangers."""
    evidence: Floats
    """How much there was to compare: the bits that a match is expected to give with what both
    records have, as a share of those with nothing missing. Above 0 and up to 1."""

    @property
    def probabilities(self) -> Floats:
        """The weights as probabilities."""
        return probability(self.weights)


@dataclass(frozen=True)
class Scorer:
    """A model made ready for some records.

    A score depends on the model and the two records alone: not on other records, nor on which of
    the two comes first.
    """

    model: Model
    records: Records
    terms: Terms
    threads: int = 1
    """That score side by side; a Spark task has one."""

    @classmethod
    def of(cls, model: Model, table: pa.Table, *, threads: int = 1) -> Scorer:
        """Read a table by the model's roles. Raises KeyError where a column is missing."""
        records = encoded(table, model.matching, model.vocabulary, model.plan.written)
        terms = Terms.of(records, model.plan, model.term_frequencies)
        return cls(model, records, terms, threads)

    def score(self, left: Codes, right: Codes) -> Scores:
        """Score pairs of row numbers."""
        if self.threads == 1:
            return self._score(left, right)
        shares = (np.array_split(side, self.threads) for side in (left, right))
        with ThreadPoolExecutor(self.threads) as pool:
            found = list(pool.map(self._score, *shares))
        return Scores(
            *(
                np.concatenate([getattr(each, of.name) for each in found])
                for of in dataclasses.fields(Scores)
            )
        )

    def _score(self, left: Codes, right: Codes) -> Scores:
        levels = compare(self.records, self.model.plan, left, right)
        personal, shared = self.terms.added(left, right, levels)
        pairs = Pairs(cells_of(levels, self.model.layouts), personal, shared)
        odds = self.model.odds
        weights = match_weights(pairs, odds.match_bits, odds.household_bits, Priors.of(odds))
        return Scores(weights, levels, personal + shared, self._evidence(pairs.cells))

    def _evidence(self, cells: Codes) -> Floats:
        odds, layouts = self.model.odds, self.model.layouts
        tables = [
            information(m, u, layout) for m, u, layout in zip(odds.m, odds.u, layouts, strict=True)
        ]
        most = sum(float(table[-1]) for table in tables)
        expected = summed(cells, np.concatenate(tables), np.zeros(len(cells)))
        return np.clip(expected / most, LEAST_EVIDENCE, 1.0)
