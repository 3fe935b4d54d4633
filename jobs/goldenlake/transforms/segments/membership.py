"""From declared segments to members: each customer is judged once, for all segments together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from graphlib import CycleError, TopologicalSorter

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from goldenlake.declarations.expressions import columns_of, lenient
from goldenlake.declarations.segment import (
    AllOf,
    AnyOf,
    AttributeCondition,
    Condition,
    DidCondition,
    DidNotCondition,
    MetricCondition,
    Not,
    Segment,
    SegmentCondition,
    SequenceCondition,
    SqlCondition,
)
from goldenlake.transforms.segments.behaviour import Behaviour
from goldenlake.transforms.segments.values import Day, compare, unfit

_KEPT = "_kept"


def memberships(
    segments: Sequence[Segment],
    *,
    as_of: date,
    customers: DataFrame,
    metrics: DataFrame,
    events: Mapping[str, DataFrame],
    kept: DataFrame | None = None,
    settled: Collection[str] = (),
) -> DataFrame:
    """Rows ``segment, customer_id``: one a member.

    A condition is true, false or unknown, and only true makes a member: ``not`` of unknown is
    unknown. What somebody did is always known, and so is membership of another segment.
    ``settled`` names the static segments that were judged before: their members are those of
    ``kept`` (``segment, customer_id``) who are still customers. Raises DeclarationError where a
    segment asks for columns or types that the tables do not have.
    """
    behaviour = Behaviour(day=Day(as_of), events=events)
    ours = set(customers.columns)
    renamed = {
        name: f"_metric_{name}" if name in ours else name
        for name in metrics.columns
        if name != "customer_id"
    }
    measured = metrics.select("customer_id", *(F.col(n).alias(to) for n, to in renamed.items()))
    frame = customers if _anybody(segments) else customers.where("is_known")
    frame = frame.join(measured, "customer_id", how="left")
    compiler = _Compiler(
        behaviour=behaviour,
        attributes={column.name: column.dataType for column in customers.schema},
        metrics={column.name: column.dataType for column in metrics.schema},
        metric_columns=renamed,
        frame=frame,
        settled=frozenset(settled),
    )
    levels = _levels(segments)
    judged = [[(each, compiler.segment(each)) for each in level] for level in levels]
    if kept is not None and settled:
        found = kept.groupBy("customer_id").agg(F.collect_set("segment").alias(_KEPT))
        frame = frame.join(found, "customer_id", how="left")
    else:
        frame = frame.withColumn(_KEPT, F.lit(None).cast("array<string>"))
    frame = behaviour.attach(frame)
    for level in judged:
        frame = frame.select("*", *(verdict.alias(_flag(each.segment)) for each, verdict in level))
    names = sorted(each.segment for each in segments)
    members = F.array_compact(F.array(*(F.when(F.col(_flag(n)), F.lit(n)) for n in names)))
    return frame.select(F.explode(members).alias("segment"), "customer_id")


@dataclass(frozen=True, kw_only=True)
class _Compiler:
    behaviour: Behaviour
    attributes: Mapping[str, T.DataType]
    metrics: Mapping[str, T.DataType]
    metric_columns: Mapping[str, str]
    frame: DataFrame
    settled: frozenset[str]

    def segment(self, segment: Segment) -> Column:
        """Whether a customer is a member: true or false."""
        if segment.segment in self.settled:
            verdict = F.array_contains(F.col(_KEPT), F.lit(segment.segment))
        else:
            verdict = self._column(segment.who, segment.segment)
        verdict = F.coalesce(verdict, F.lit(False))
        return verdict if segment.include_anonymous else verdict & F.col("is_known")

    def _column(self, condition: Condition, segment: str) -> Column:
        match condition:
            case AllOf():
                return reduce(Column.__and__, [self._column(c, segment) for c in condition.all])
            case AnyOf():
                return reduce(Column.__or__, [self._column(c, segment) for c in condition.any])
            case Not():
                return ~self._column(condition.not_, segment)
            case AttributeCondition():
                return self._compared(condition, condition.attribute, segment)
            case MetricCondition():
                return self._compared(condition, condition.metric, segment)
            case DidCondition():
                count = self.behaviour.count(condition, condition.within, segment=segment)
                enough = count >= condition.at_least
                return enough & (count <= condition.at_most) if condition.at_most else enough
            case DidNotCondition():
                return self.behaviour.count(condition, condition.within, segment=segment) == 0
            case SequenceCondition():
                return self.behaviour.completed(condition, segment=segment)
            case SegmentCondition():
                return F.col(_flag(condition.segment))
            case SqlCondition():
                return self._sql(condition.sql, segment)

    def _compared(
        self, condition: AttributeCondition | MetricCondition, name: str, segment: str
    ) -> Column:
        is_attribute = isinstance(condition, AttributeCondition)
        types = self.attributes if is_attribute else self.metrics
        table = "gold.customers" if is_attribute else "gold.metrics"
        if name not in types:
            known = ", ".join(sorted(types))
            raise unfit(segment, name, f"is not a column of {table}. Known: {known}.")
        column = F.col(name if is_attribute else self.metric_columns[name])
        tests = condition.tests()
        return compare(
            column, types[name], tests, self.behaviour.day, segment=segment, key=f"{table}: {name}"
        )

    def _sql(self, text: str, segment: str) -> Column:
        unknown = sorted(columns_of(text) - set(self.attributes) - set(self.metrics))
        if unknown:
            named = ", ".join(unknown)
            raise unfit(segment, "sql", f"names {named}: no column of gold.customers or metrics.")
        column = F.expr(lenient(text))
        try:
            found = self.frame.select(column).schema[0].dataType
        except AnalysisException as error:
            raise unfit(segment, "sql", f"does not fit its columns: {error.getCondition()}.") from (
                error
            )
        if not isinstance(found, T.BooleanType):
            raise unfit(segment, "sql", f"gives {found.simpleString()}; it must be a condition.")
        return column


def _levels(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Segments so that each comes after those that it names. Raises DeclarationError."""
    by_name = {each.segment: each for each in segments}
    order: TopologicalSorter[str] = TopologicalSorter()
    for each in segments:
        named = sorted(_named(each.who))
        missing = [name for name in named if name not in by_name]
        if missing:
            raise unfit(each.segment, "segment", f"{', '.join(missing)} is not declared.")
        order.add(each.segment, *named)
    try:
        order.prepare()
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise unfit(error.args[1][0], "segment", f"depends on itself: {circle}.") from error
    levels = []
    while order.is_active():
        ready = sorted(order.get_ready())
        levels.append([by_name[name] for name in ready])
        order.done(*ready)
    return levels


def _named(condition: Condition) -> set[str]:
    match condition:
        case SegmentCondition():
            return {condition.segment}
        case AllOf():
            return set().union(*(_named(each) for each in condition.all))
        case AnyOf():
            return set().union(*(_named(each) for each in condition.any))
        case Not():
            return _named(condition.not_)
        case _:
            return set()


def _anybody(segments: Sequence[Segment]) -> bool:
    return any(each.include_anonymous for each in segments)


def _flag(segment: str) -> str:
    return f"_in_{segment}"
