"""Checks of segments against the data dictionary: columns, types of values, kinds of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from goldenlake.declarations.base import Expression
from goldenlake.declarations.destination import Cap
from goldenlake.declarations.documents import Document, KeyPath
from goldenlake.declarations.expressions import columns_of
from goldenlake.declarations.segment import (
    AllOf,
    AnyOf,
    AttributeCondition,
    Comparison,
    Condition,
    DidCondition,
    DidNotCondition,
    EventFilter,
    MetricCondition,
    Not,
    Scalar,
    Segment,
    SegmentCondition,
    SequenceCondition,
)
from goldenlake.declarations.sentences import hint
from goldenlake.declarations.table import Table
from goldenlake.errors import Problem

PURCHASE = "purchase"
"""The event that means lines of gold.purchases; all others are kinds in gold.interactions."""

Family = Literal["text", "number", "date", "time", "boolean", "nested"]

_FAMILIES: Mapping[str, Family] = {
    "STRING": "text", "DATE": "date", "TIMESTAMP": "time", "BOOLEAN": "boolean",
    "TINYINT": "number", "SMALLINT": "number", "INT": "number", "BIGINT": "number",
    "FLOAT": "number", "DOUBLE": "number", "DECIMAL": "number",
}  # fmt: skip
_SHOWN: Mapping[Family, str] = {
    "text": "text", "number": "a number", "date": "a date like 2024-12-31",
    "time": "a time like 2024-12-31T23:59:00", "boolean": "true or false",
    "nested": "a list or mapping",
}  # fmt: skip
_ORDERED: tuple[Family, ...] = ("text", "number", "date", "time")
_INSTANTS: tuple[Family, ...] = ("date", "time")


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """What segments can speak of; a table is None where its own file is faulty or absent."""

    customers: Table | None
    metrics: Table | None
    interactions: Table | None
    purchases: Table | None
    segments: frozenset[str]


def family_of(type_: str) -> Family:
    """What may be compared with a column of that Spark SQL type."""
    return _FAMILIES.get(type_.split("(")[0].strip().upper(), "nested")


def segment_problems(
    segments: Sequence[tuple[Document, Segment]], vocabulary: Vocabulary
) -> Iterator[Problem]:
    """All that is wrong with what segments ask for."""
    for document, segment in segments:
        yield from _Check(document, vocabulary).condition(segment.who, ("who",))
    yield from _cycles(segments)


def cap_problems(document: Document, cap: Cap, vocabulary: Vocabulary) -> Iterator[Problem]:
    """Kinds of events that nobody ever has: they would hold nobody back."""
    table = vocabulary.interactions
    known = _values_of(table, "kind") if table else None
    for at, kind in enumerate(cap.kinds):
        if table and known is not None and kind not in known:
            path: KeyPath = ("cap", "kinds", at) if "kinds" in cap.model_fields_set else ("cap",)
            yield document.problem(
                path,
                f"{kind!r} is not a kind of event ({table.table} lists them). {hint(kind, known)}",
            )


@dataclass(frozen=True)
class _Check:
    document: Document
    vocabulary: Vocabulary

    def condition(self, condition: Condition, path: KeyPath) -> Iterator[Problem]:
        match condition:
            case AllOf():
                for at, each in enumerate(condition.all):
                    yield from self.condition(each, (*path, "all", at))
            case AnyOf():
                for at, each in enumerate(condition.any):
                    yield from self.condition(each, (*path, "any", at))
            case Not():
                yield from self.condition(condition.not_, (*path, "not"))
            case AttributeCondition():
                yield from self._comparison(
                    condition, condition.attribute, (*path, "attribute"), self.vocabulary.customers
                )
            case MetricCondition():
                yield from self._comparison(
                    condition, condition.metric, (*path, "metric"), self.vocabulary.metrics
                )
            case DidCondition():
                yield from self._event(condition, path)
                if condition.at_most is not None and condition.at_most < condition.at_least:
                    yield self.document.problem(
                        (*path, "at_most"),
                        f"is {condition.at_most}, below at_least {condition.at_least}: nobody "
                        "can ever be a member.",
                    )
            case DidNotCondition():
                yield from self._event(condition, path)
            case SequenceCondition():
                for at, event in enumerate(condition.sequence):
                    yield from self._event(event, (*path, "sequence", at))
                if condition.not_followed_by:
                    yield from self._event(condition.not_followed_by, (*path, "not_followed_by"))
            case SegmentCondition():
                if condition.segment not in self.vocabulary.segments:
                    yield self._unknown(
                        (*path, "segment"), condition.segment, self.vocabulary.segments,
                        "a segment in conf/segments",
                    )  # fmt: skip
            case _:
                tables = (self.vocabulary.customers, self.vocabulary.metrics)
                known = [column.name for t in tables if t for column in t.columns]
                if None not in tables:
                    yield from self._expression(
                        condition.sql, (*path, "sql"), known, "gold.customers or gold.metrics"
                    )

    def _unknown(self, path: KeyPath, name: str, known: Iterable[str], what: str) -> Problem:
        return self.document.problem(path, f"{name!r} is not {what}. {hint(name, known)}")

    def _expression(
        self, expression: Expression, path: KeyPath, known: Sequence[str], where: str
    ) -> Iterator[Problem]:
        for name in sorted(columns_of(expression) - set(known)):
            yield self._unknown(path, name, known, f"a column of {where}")

    def _comparison(
        self, tests: Comparison, name: str, path: KeyPath, table: Table | None
    ) -> Iterator[Problem]:
        if table is None:
            return
        types = {column.name: column.type for column in table.columns}
        if name not in types:
            yield self._unknown(path, name, types, f"a column of {table.table}")
            return
        family = family_of(types[name])
        around = path[:-1]
        for test, value in tests.tests().items():
            here: KeyPath = (*around, test)
            if test == "missing":
                continue
            if allowed := _only_for(test, family):
                yield self.document.problem(
                    here, f"cannot be asked of {name}, which is {types[name]}. {allowed}"
                )
            elif test in ("one_of", "none_of"):
                yield from self._none_listed(value, here)
                for at, each in enumerate(value):
                    yield from self._value(each, (*here, at), name, types[name])
            elif test not in ("within", "not_within"):
                yield from self._value(value, here, name, types[name])
        yield from self._listed(tests, name, around, table)

    def _listed(
        self, tests: Comparison, name: str, around: KeyPath, table: Table
    ) -> Iterator[Problem]:
        """Values that the data dictionary's own rule says a column never has."""
        known = _values_of(table, name)
        if known is None:
            return
        asked: list[tuple[KeyPath, Scalar]] = []
        if tests.equals is not None:
            asked.append(((*around, "equals"), tests.equals))
        asked += [((*around, "one_of", at), each) for at, each in enumerate(tests.one_of or ())]
        asked += [((*around, "none_of", at), each) for at, each in enumerate(tests.none_of or ())]
        for path, value in asked:
            if str(value) not in known:
                yield self._unknown(path, str(value), known, f"a value of {name}")

    def _value(self, value: Scalar, path: KeyPath, name: str, type_: str) -> Iterator[Problem]:
        family = family_of(type_)
        if not _fits(value, family):
            yield self.document.problem(
                path, f"must be {_SHOWN[family]}, for {name} is {type_}, but is {value!r}."
            )

    def _none_listed(self, wanted: Scalar | Sequence[Scalar], path: KeyPath) -> Iterator[Problem]:
        if wanted == []:
            yield self.document.problem(path, "lists no value. Name one, or leave it out.")

    def _event(self, event: EventFilter, path: KeyPath) -> Iterator[Problem]:
        is_purchase = event.event == PURCHASE
        table = self.vocabulary.purchases if is_purchase else self.vocabulary.interactions
        if table is None:
            return
        kinds = None if is_purchase else _values_of(table, "kind")
        if kinds is not None and event.event not in kinds:
            yield self._unknown(
                (*path, "event"), event.event, {*kinds, PURCHASE},
                f"a kind of event ({table.table} lists them)",
            )  # fmt: skip
        types = {column.name: column.type for column in table.columns}
        for name, wanted in event.where.items():
            here: KeyPath = (*path, "where", name)
            if name not in types:
                yield self._unknown(here, name, types, f"a column of {table.table}")
                continue
            if family_of(types[name]) == "nested":
                yield self.document.problem(
                    here, f"is {types[name]}, which has no single value. Use matching."
                )
                continue
            yield from self._none_listed(wanted, here)
            values = wanted if isinstance(wanted, list) else [wanted]
            for at, value in enumerate(values):
                at_path = (*here, at) if isinstance(wanted, list) else here
                yield from self._value(value, at_path, name, types[name])
                known = _values_of(table, name)
                if known is not None and str(value) not in known:
                    yield self._unknown(at_path, str(value), known, f"a value of {name}")
        if event.properties and "properties" not in types:
            yield self.document.problem(
                (*path, "properties"), f"{table.table} has none. Test its columns with where."
            )
        for name, allowed in event.properties.items():
            yield from self._none_listed(allowed, (*path, "properties", name))
        if event.matching:
            yield from self._expression(
                event.matching, (*path, "matching"), list(types), table.table
            )


def _only_for(test: str, family: Family) -> str | None:
    """What the test is for, where it is not for such columns."""
    if family == "nested":
        return "Ask whether it is missing, or use sql."
    if test in ("within", "not_within") and family not in _INSTANTS:
        return "It is for dates and times."
    if test in ("starts_with", "contains") and family != "text":
        return "It is for text."
    if test in ("at_least", "at_most", "above", "below") and family not in _ORDERED:
        return "Use equals."
    return None


def _fits(value: Scalar, family: Family) -> bool:
    if isinstance(value, bool) or family == "boolean":
        return isinstance(value, bool) and family == "boolean"
    if family == "number":
        return isinstance(value, int | float)
    if not isinstance(value, str):
        return False
    if family in _INSTANTS:
        parse = date.fromisoformat if family == "date" else datetime.fromisoformat
        try:
            parse(value)
        except ValueError:
            return False
    return True


def _values_of(table: Table, column: str) -> set[str] | None:
    """The values that a rule of the table lists for a column."""
    for rule in table.rules:
        if rule.rule == "in_set" and rule.column == column:
            return {str(value) for value in rule.values}
    return None


def _named(condition: Condition, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Other segments that a condition names."""
    match condition:
        case AllOf():
            for at, each in enumerate(condition.all):
                yield from _named(each, (*path, "all", at))
        case AnyOf():
            for at, each in enumerate(condition.any):
                yield from _named(each, (*path, "any", at))
        case Not():
            yield from _named(condition.not_, (*path, "not"))
        case SegmentCondition():
            yield (*path, "segment"), condition.segment
        case _:
            return


def _cycles(segments: Sequence[tuple[Document, Segment]]) -> Iterator[Problem]:
    """Each circle of segments once, at the segment that comes first by name."""
    needs = {
        segment.segment: [name for _, name in _named(segment.who, ("who",))]
        for _, segment in segments
    }
    for document, segment in sorted(segments, key=lambda pair: pair[1].segment):
        way = _way_back(segment.segment, needs)
        if way and segment.segment == min(way):
            path = next(p for p, name in _named(segment.who, ("who",)) if name == way[1])
            yield document.problem(
                path, f"goes round in a circle: {' needs '.join(way)}. Break it somewhere."
            )


def _way_back(start: str, needs: Mapping[str, Sequence[str]]) -> list[str] | None:
    """The shortest way from a segment to itself."""
    ways, seen = [[start]], set()
    while ways:
        way = ways.pop(0)
        for name in sorted(needs.get(way[-1], ())):
            if name == start:
                return [*way, start]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return None
