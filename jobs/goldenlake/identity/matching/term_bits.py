"""Counting term frequencies over records, and what they add to the weights of pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from goldenlake.identity.matching.arrays import MISSING, Codes, Floats, Levels
from goldenlake.identity.matching.attributes import Dates
from goldenlake.identity.matching.comparisons import NAME_COMPARISONS, Comparison, Plan
from goldenlake.identity.matching.frequencies import (
    Frequencies,
    add_crossed_bits,
    add_shared_bits,
    add_value_bits,
)
from goldenlake.identity.matching.records import Records, values_of
from goldenlake.identity.matching.texts import Texts


def counted(records: Records, plan: Plan, clusters: Codes | None = None) -> dict[str, Frequencies]:
    """Frequencies of every comparison in which they count, by its name.

    With ``clusters`` (records) a value counts once a cluster: a person with twenty records makes
    a name no commoner.
    """
    owners = np.arange(records.count, dtype=np.int32) if clusters is None else clusters
    answers = {}
    for comparison in plan.comparisons:
        if not comparison.kind.frequency:
            continue
        codes, texts, classes = _terms(records, comparison)
        counts = _occurrences(codes, owners, len(texts.values))
        answers[comparison.name] = Frequencies.of(texts, counts, classes)
    return answers


@dataclass(frozen=True)
class Terms:
    """Frequencies looked up for the values of these records, once."""

    records: Records
    plan: Plan
    bits: Mapping[str, Floats]
    """For each comparison in which frequencies count what each distinct value adds."""

    @classmethod
    def of(cls, records: Records, plan: Plan, frequencies: Mapping[str, Frequencies]) -> Terms:
        """Look up frozen frequencies; a value that they do not know counts as one of a kind."""
        bits = {}
        for comparison in plan.comparisons:
            if comparison.name in frequencies:
                _, texts, classes = _terms(records, comparison)
                most = comparison.kind.most_bits
                bits[comparison.name] = frequencies[comparison.name].bits(texts, classes, most)
        return cls(records, plan, bits)

    def added(self, left: Codes, right: Codes, levels: Levels) -> tuple[Floats, Floats]:
        """What the agreeing values of each pair add, in bits: personal traits, and all others."""
        personal, shared = np.zeros(len(left)), np.zeros(len(left))
        for at, comparison in self._counted():
            out = personal if comparison.kind.is_personal else shared
            self._add(comparison, left, right, levels[:, at], out)
        return personal, shared

    def added_by_each(self, left: Codes, right: Codes, levels: Levels) -> Floats:
        """What each comparison has a share of in ``added``: (pairs, comparisons)."""
        shares = np.zeros((len(self.plan.comparisons), len(left)))
        for at, comparison in self._counted():
            self._add(comparison, left, right, levels[:, at], shares[at])
        return shares.T

    def _counted(self) -> Iterator[tuple[int, Comparison]]:
        """Comparisons in which frequencies count, with their numbers."""
        for at, comparison in enumerate(self.plan.comparisons):
            if comparison.name in self.bits:
                yield at, comparison

    def _add(
        self, comparison: Comparison, left: Codes, right: Codes, levels: Levels, out: Floats
    ) -> None:
        levels = np.ascontiguousarray(levels)
        codes, _, _ = _terms(self.records, comparison)
        bits, kind = self.bits[comparison.name], comparison.kind
        if comparison.kind_name == "others":
            add_shared_bits(left, right, codes, bits, levels, kind.levels.index("exact"), out)
            return
        shares = kind.at_levels(kind.frequency, 0.0)
        if comparison.kind_name in NAME_COMPARISONS:
            elsewhere = _elsewhere(self.records, comparison)
            crossed = kind.levels.index("crossed")
            shares[crossed] = 0.0
            add_crossed_bits(left, right, codes, elsewhere, bits, levels, crossed, out)
        most = kind.at_levels(kind.most_bits_at, np.inf)
        add_value_bits(left, right, codes, bits, levels, shares, most, out)


def _terms(records: Records, comparison: Comparison) -> tuple[Codes, Texts, Codes]:
    """Codes of the records' values (one or several each), the values, and the values' classes."""
    if comparison.text:
        written = records.written[comparison.text.column]
        return written.codes, written.texts, np.zeros(len(written.texts.values), dtype=np.int32)
    names = records.names
    if names is not None and comparison.kind_name in NAME_COMPARISONS:
        codes: Codes = getattr(names, comparison.name)
        return codes, names.texts, np.zeros(len(names.texts.values), dtype=np.int32)
    attribute = records.attributes[comparison.name]
    values = values_of(attribute)
    if isinstance(attribute, Dates):
        return values.codes, values.texts, attribute.are_defaults.astype(np.int32)
    return values.codes, values.texts, np.zeros(len(values.texts.values), dtype=np.int32)


def _elsewhere(records: Records, comparison: Comparison) -> Codes:
    names = records.names
    assert names is not None
    other = names.family if comparison.name == "given" else names.given
    return np.concatenate([other[:, None], names.others], axis=1)


def _occurrences(codes: Codes, owners: Codes, distinct: int) -> Floats:
    flat = codes.reshape(len(codes), -1)
    owner = np.broadcast_to(owners[:, None], flat.shape)[flat != MISSING].astype(np.int64)
    value = flat[flat != MISSING]
    once = np.unique(owner * max(distinct, 1) + value)
    return np.bincount(once % max(distinct, 1), minlength=distinct).astype(np.float64)
