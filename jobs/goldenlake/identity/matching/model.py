"""A trained model: frozen, versioned, and one JSON file.

It holds all that a score depends on besides the two records: m and u of every table, the prior,
term frequencies, aliases and the roles of single name tokens. It is a superset of what Splink's
settings say of a model (levels, m, u, probability that two random records match).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from goldenlake.declarations.base import Declaration
from goldenlake.declarations.matching import Matching
from goldenlake.identity.matching.comparisons import Plan, plan_of, text_plan
from goldenlake.identity.matching.em import Odds
from goldenlake.identity.matching.frequencies import Frequencies
from goldenlake.identity.matching.provenance import Provenance
from goldenlake.identity.matching.records import Vocabulary
from goldenlake.identity.matching.tables import Layout, layouts_of
from goldenlake.identity.matching.text_levels import TextComparison

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Table(Declaration):
    """m and u over the combinations of levels of one or more comparisons."""

    comparisons: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    """Names of the levels of each comparison; the last comparison's vary fastest."""
    m: tuple[Probability, ...]
    """The chance of each combination among matches, given which comparisons are missing."""
    u: tuple[Probability, ...]
    """The same among strangers."""
    households: tuple[Probability, ...]
    """The same among different people of one household."""


class TermFrequencies(Declaration):
    """How often values occur; one that is not listed occurs once."""

    total: int
    counts: dict[str, int]
    means: tuple[float, ...]


class Model(Declaration):
    """Everything that a match weight depends on besides the two records."""

    format: Literal[1] = 1
    matching: Matching
    comparisons: tuple[TextComparison, ...] = Field(default=(), exclude_if=lambda own: not own)
    """Of a model that was made elsewhere; without any, those that follow from the roles."""
    tables: tuple[Table, ...]
    prior: float = Field(gt=0, lt=1)
    """The chance that two records drawn at random are one person's."""
    household_prior: float = Field(ge=0, lt=1)
    """The chance that they are two people's of one household."""
    frequencies: dict[str, TermFrequencies]
    given_names: tuple[str, ...] = ()
    aliases: dict[str, tuple[tuple[str, str], ...]] = Field(default_factory=dict)
    provenance: Provenance

    @model_validator(mode="after")
    def _fits_the_comparisons(self) -> Model:
        for table, layout in zip(self.tables, self.layouts, strict=True):
            kinds = [self.plan.comparisons[at].kind for at in layout.comparisons]
            if table.levels != tuple(kind.levels for kind in kinds):
                raise ValueError(f"levels of {', '.join(table.comparisons)} are not those in use")
            if {len(table.m), len(table.u), len(table.households)} != {layout.cells}:
                raise ValueError(f"{', '.join(table.comparisons)}: m and u do not fit the levels")
        return self

    @cached_property
    def plan(self) -> Plan:
        """The comparisons of this model."""
        return text_plan(self.comparisons) if self.comparisons else plan_of(self.matching)

    @cached_property
    def layouts(self) -> tuple[Layout, ...]:
        """The tables' cells."""
        return layouts_of(self.plan)

    @cached_property
    def odds(self) -> Odds:
        """The tables and priors as they are computed with, of one pair."""
        return Odds(
            m=tuple(np.array(table.m) for table in self.tables),
            households=tuple(np.array(table.households) for table in self.tables),
            u=tuple(np.array(table.u) for table in self.tables),
            expected_matches=self.prior,
            expected_households=self.household_prior,
            all_pairs=1.0,
        )

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What reading a record takes from the model."""
        return Vocabulary(frozenset(self.given_names), self.aliases)

    @cached_property
    def term_frequencies(self) -> Mapping[str, Frequencies]:
        """Frequencies by comparison, as they are computed with."""
        return {
            name: Frequencies(each.total, each.counts, each.means)
            for name, each in self.frequencies.items()
        }

    @cached_property
    def version(self) -> str:
        """Names this model: twelve hexadecimal digits of what it says."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """The file under ``conf/identity/``; the same model gives the same bytes."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Model:
        """Read the file. Raises pydantic's ValidationError where it does not fit."""
        return cls.model_validate_json(text)
