"""Models made with Splink as models of ours, or a refusal that names what is not supported.

Read is what Splink 5 writes with ``save_model_to_json`` (DuckDB's dialect): levels on one column by
missing values, equality, Levenshtein, Damerau-Levenshtein, Jaro and Jaro-Winkler, with term
frequencies. https://moj-analytical-services.github.io/splink/ (settings, term-frequency
adjustments).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from goldenlake.declarations.matching import Matching
from goldenlake.errors import SplinkModelRefused
from goldenlake.identity.matching import findings
from goldenlake.identity.matching.clustering import sizes
from goldenlake.identity.matching.comparisons import text_plan
from goldenlake.identity.matching.model import Model, Table, TermFrequencies
from goldenlake.identity.matching.provenance import Provenance
from goldenlake.identity.matching.records import encoded, vocabulary_of
from goldenlake.identity.matching.resolution import blocked, refined
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.term_bits import counted
from goldenlake.identity.matching.text_levels import Measure, TextComparison, TextLevel
from goldenlake.identity.matching.training import Trained

_NULL = re.compile(r'"(\w+)_l" IS NULL OR "\1_r" IS NULL')
_EQUAL = re.compile(r'"(\w+)_l" = "\1_r"')
_AT_MOST = re.compile(r'(levenshtein|damerau_levenshtein)\("(\w+)_l", "\2_r"\) <= (\d+)')
_AT_LEAST = re.compile(r'(jaro|jaro_winkler)_similarity\("(\w+)_l", "\2_r"\) >= (\d+(?:\.\d+)?)')


@dataclass(frozen=True)
class _Asked:
    """What a condition asks of two values."""

    measure: Measure | Literal["missing"]
    column: str | None = None
    limit: float = 0.0


class _Level(BaseModel):
    """A level as Splink writes it; a key that is not known here may change a score."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    sql_condition: str
    label_for_charts: str = ""
    is_null_level: bool = False
    m_probability: float | None = Field(default=None, ge=0)
    u_probability: float | None = Field(default=None, ge=0)
    fix_m_probability: bool = False
    fix_u_probability: bool = False
    tf_adjustment_column: str | None = None
    tf_adjustment_weight: float = 1.0
    tf_minimum_u_value: float = Field(default=0.0, ge=0)
    disable_tf_exact_match_detection: bool = False

    @property
    def label(self) -> str:
        return self.label_for_charts or self.sql_condition

    @property
    def asked(self) -> _Asked | None:
        """None where the condition is not supported."""
        if self.is_null_level:
            found = _NULL.fullmatch(self.sql_condition)
            return _Asked("missing", found[1]) if found else None
        if self.sql_condition == "ELSE":
            return _Asked("else")
        if found := _EQUAL.fullmatch(self.sql_condition):
            return _Asked("exact", found[1])
        found = _AT_MOST.fullmatch(self.sql_condition) or _AT_LEAST.fullmatch(self.sql_condition)
        return _Asked(cast(Measure, found[1]), found[2], float(found[3])) if found else None

    @property
    def is_exact(self) -> bool:
        return self.asked is not None and self.asked.measure == "exact"

    @property
    def counts_frequencies(self) -> bool:
        """Splink does not adjust a level of missing values, nor ELSE."""
        return bool(self.tf_adjustment_column and self.tf_adjustment_weight) and not (
            self.is_null_level or self.sql_condition == "ELSE"
        )


class _Comparison(BaseModel):
    model_config = ConfigDict(frozen=True)

    output_column_name: str
    comparison_levels: tuple[_Level, ...] = Field(min_length=1)

    @property
    def columns(self) -> list[str]:
        """That the conditions name, those that are understood."""
        asked = (level.asked for level in self.comparison_levels)
        return sorted({each.column for each in asked if each and each.column})

    @property
    def exact_u(self) -> float | None:
        """What frequencies are measured by."""
        exact = (level.u_probability for level in self.comparison_levels if level.is_exact)
        return next(exact, None)

    def refused(self, known: Collection[str]) -> Iterator[str]:
        """What cannot be scored as Splink scores it, over these columns."""
        for level in self.comparison_levels:
            yield from self._refused(level)
        if len(self.columns) > 1:
            yield f"more than one column ({', '.join(self.columns)})"
        for column in self.columns:
            if column not in known:
                yield f"{column}, which is no column of conf/identity/matching.yml"
        conditions = [level.sql_condition for level in self.comparison_levels]
        if conditions.count("ELSE") != 1 or conditions[-1] != "ELSE":
            yield "levels that do not end with ELSE"
        if not any(level.is_null_level for level in self.comparison_levels):
            yield "missing values that say something: there is no null level"

    def _refused(self, level: _Level) -> Iterator[str]:
        if level.asked is None:
            yield f"the condition {level.sql_condition}"
        if not level.is_null_level and not (level.m_probability and level.u_probability):
            yield f"no m or u of the level “{level.label}”"
        if not level.counts_frequencies:
            return
        if (level.tf_adjustment_column or "").strip('"') not in self.columns:
            yield f"term frequencies of another column, {level.tf_adjustment_column}"
        if self.exact_u is None:
            yield "term frequencies without an exact level"
        if level.disable_tf_exact_match_detection:
            yield "disable_tf_exact_match_detection"

    def translated(self) -> TextComparison:
        """With nothing that is refused."""
        levels = [level for level in self.comparison_levels if not level.is_null_level]
        names: list[str] = []
        for level in levels:
            is_taken = level.label in ("missing", *names)
            names.append(f"{level.label} ({level.sql_condition})" if is_taken else level.label)
        return TextComparison(
            name=self.output_column_name,
            column=self.columns[0],
            levels=tuple(
                self._translated(name, level) for name, level in zip(names, levels, strict=True)
            ),
        )

    def _translated(self, name: str, level: _Level) -> TextLevel:
        assert level.asked is not None
        assert level.asked.measure != "missing"
        most = None
        if level.counts_frequencies and level.tf_minimum_u_value and self.exact_u:
            most = math.log2(self.exact_u / level.tf_minimum_u_value)
        return TextLevel(
            name=name,
            measure=level.asked.measure,
            limit=level.asked.limit,
            frequency=level.tf_adjustment_weight if level.counts_frequencies else 0.0,
            most_bits=most,
        )

    def table(self, translated: TextComparison) -> Table:
        """Its m and u, by the levels of ``translated``; what is missing says nothing."""
        told = [level for level in self.comparison_levels if not level.is_null_level]
        u = (1.0, *(level.u_probability or 1.0 for level in told))
        return Table(
            comparisons=(translated.name,),
            levels=(translated.kind.levels,),
            m=(1.0, *(level.m_probability or 1.0 for level in told)),
            u=u,
            households=u,
        )


class _Saved(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    sql_dialect: Literal["duckdb"] = "duckdb"
    probability_two_random_records_match: float = Field(gt=0, lt=1)
    comparisons: tuple[_Comparison, ...] = Field(min_length=1)


@dataclass(frozen=True)
class SplinkModel:
    """What a model of Splink says, in our terms; the file says no frequencies of values."""

    comparisons: tuple[TextComparison, ...]
    tables: tuple[Table, ...]
    exact_u: Mapping[str, float]
    """What frequencies are measured by, of each comparison in which they count."""
    prior: float

    @classmethod
    def from_json(cls, text: str | bytes, columns: Collection[str]) -> SplinkModel:
        """Read a saved model whose comparisons are of some of these columns.

        Raises SplinkModelRefused, which names all that would not be scored as Splink scores it.
        """
        try:
            saved = _Saved.model_validate_json(text)
        except ValidationError as error:
            raise SplinkModelRefused(_unread(error)) from None
        if refused := list(_refused(saved.comparisons, columns)):
            raise SplinkModelRefused(refused)
        translated = [each.translated() for each in saved.comparisons]
        return cls(
            tuple(translated),
            tuple(
                one.table(other) for one, other in zip(saved.comparisons, translated, strict=True)
            ),
            {
                other.name: one.exact_u
                for one, other in zip(saved.comparisons, translated, strict=True)
                if one.exact_u and other.kind.frequency
            },
            saved.probability_two_random_records_match,
        )

    def over(self, table: pa.Table, matching: Matching, *, data_version: str = "") -> Trained:
        """A model with the frequencies of this table's values, and what it makes of the records.

        Splink takes frequencies from its input. Here a value of fewer than ``LEAST_HOLDERS`` counts
        once, as in all models of ours.
        """
        plan, vocabulary = text_plan(self.comparisons), vocabulary_of(table, matching)
        found = counted(encoded(table, matching, vocabulary, plan.written), plan)
        model = Model(
            matching=matching,
            comparisons=self.comparisons,
            tables=self.tables,
            prior=self.prior,
            household_prior=0.0,
            frequencies={
                name: TermFrequencies(
                    total=found[name].total, counts=dict(found[name].counts), means=(u,)
                )
                for name, u in self.exact_u.items()
            },
            given_names=tuple(sorted(vocabulary.given_names)),
            provenance=Provenance(
                data_version=data_version,
                records=table.num_rows,
                blocked_pairs=0,
                random_pairs=0,
                seed=matching.training.seed,
                passes=0,
                rounds=0,
                expected_matches=0.0,
                expected_households=0.0,
            ),
        )
        return _tried(model, table)


def _tried(model: Model, table: pa.Table) -> Trained:
    scorer = Scorer.of(model, table)
    pairs, clustering = blocked(scorer), model.matching.clustering
    likely = scorer.score(pairs.left, pairs.right).probabilities
    resolution = refined(scorer, pairs.left, pairs.right, likely, clustering)
    components = sizes(resolution.clusters.component).tolist()
    provenance = model.provenance.model_copy(
        update={
            "blocked_pairs": len(pairs.left),
            "expected_matches": float(likely.sum()),
            "findings": tuple(findings.of_components(components, clustering.most_dense)),
        }
    )
    model = model.model_copy(update={"provenance": provenance})
    return Trained(model, resolution, scorer.records)


def _refused(comparisons: Sequence[_Comparison], columns: Collection[str]) -> Iterator[str]:
    names = [each.output_column_name for each in comparisons]
    for each in comparisons:
        for what in dict.fromkeys(each.refused(columns)):
            yield f"comparison {each.output_column_name}: {what}"
        if names.count(each.output_column_name) > 1:
            yield f"comparison {each.output_column_name}: another of the same name"


def _unread(error: ValidationError) -> list[str]:
    """Where the file is not what Splink writes, without its values."""
    return [
        f"{'.'.join(str(part) for part in each['loc']) or 'the file'}: {each['msg']}"
        for each in error.errors(include_input=False, include_context=False, include_url=False)
    ]
