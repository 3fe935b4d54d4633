"""Row rules as one column: the names of those that a row breaks, found in a single pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Literal

from pyspark.sql import Column
from pyspark.sql import functions as F

from goldenlake.declarations.expressions import lenient
from goldenlake.declarations.rules import (
    Between,
    Holds,
    InSet,
    Matches,
    NotNull,
    RowRule,
    rule_name,
)


def tag(rules: Sequence[RowRule], severity: Literal["critical", "warning"] = "critical") -> Column:
    """Names of the rules of one severity that a row breaks: array<string>, empty when none.

    In the order of the rules, each name once: of several rules of one name any can be broken.
    Never null.
    """
    conditions: dict[str, Column] = {}
    for rule in rules:
        if rule.severity == severity:
            others = conditions.get(rule_name(rule), F.lit(False))
            conditions[rule_name(rule)] = others | broken(rule)
    return tagged(conditions)


def tagged(conditions: Mapping[str, Column]) -> Column:
    """Names of the conditions that are true of a row: array<string>."""
    if not conditions:
        return F.array().cast("array<string>")
    names = [F.when(holds, F.lit(name)) for name, holds in conditions.items()]
    return F.array_compact(F.array(*names)).cast("array<string>")


def broken(rule: RowRule) -> Column:
    """Whether a row breaks a rule: true or false, never null.

    A rule about the value "where there is one" lets null pass; ``holds`` and ``not_null`` do not.
    """
    if isinstance(rule, NotNull):
        return F.col(rule.column).isNull()
    if isinstance(rule, Holds):
        return ~F.coalesce(F.expr(lenient(rule.expression)).cast("boolean"), F.lit(False))
    value = F.col(rule.column)
    return value.isNotNull() & ~F.coalesce(_satisfied(rule, value), F.lit(False))


def _satisfied(rule: InSet | Matches | Between, value: Column) -> Column:
    if isinstance(rule, InSet):
        return _among(value, rule.values)
    if isinstance(rule, Matches):
        return value.cast("string").rlike(rf"\A(?:{rule.pattern})\z")
    limits = [_at_least(value, rule.least)] if rule.least is not None else []
    if rule.most is not None:
        limits.append(_at_most(value, rule.most))
    return _all(limits)


def _among(value: Column, values: Iterable[str | int]) -> Column:
    """Numbers are compared as numbers, so that 1.00 is among [1]."""
    texts = [str(each) for each in values]
    numbers = [Decimal(each) for each in values if isinstance(each, int)]
    found = value.cast("string").isin(texts)
    if not numbers:
        return found
    as_number = value.cast("string").try_cast("decimal(38,10)")
    return found | F.coalesce(as_number.isin(numbers), F.lit(False))


def _at_least(value: Column, limit: float | str) -> Column:
    return _comparable(value, limit) >= F.lit(limit)


def _at_most(value: Column, limit: float | str) -> Column:
    """NaN is greater than every number to Spark, so it fails here."""
    return _comparable(value, limit) <= F.lit(limit)


def _comparable(value: Column, limit: float | str) -> Column:
    return value if isinstance(limit, str) else value.cast("string").try_cast("double")


def _all(conditions: Sequence[Column]) -> Column:
    together = F.lit(True)
    for condition in conditions:
        together = together & condition
    return together
