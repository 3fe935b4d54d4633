"""Admission of SQL expressions that stand in declarations.

An expression is parsed by sqlglot and must consist of columns, literals, operators and known
functions alone. Everything else (sub-queries, statements, windows, comments that hide a second
statement, functions that reach outside such as ``java_method`` or ``read_files``) is refused:
the list below says what is allowed, not what is forbidden.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import ClassVar

import sqlglot
from sqlglot import expressions as sql
from sqlglot.dialects.spark import Spark
from sqlglot.errors import SqlglotError
from sqlglot.expressions import Expr

from goldenlake.errors import ExpressionRefused

_SQLGLOTS = re.compile(r"<class '[^']*'>")
LONGEST = 4_000
"""Characters; what needs more belongs into code, with a test."""


class _Spark(Spark):
    """Spark as it is where sqlglot's is another: in a text a doubled quote is one, and formats of
    dates mean what they say.
    """

    TIME_MAPPING: dict[str, str] = {}  # noqa: RUF012  (as sqlglot has it)

    class Tokenizer(Spark.Tokenizer):
        STRING_ESCAPES: ClassVar[list[str]] = ["\\", "'", '"']


_ADMITTED: tuple[type[Expr], ...] = (
    sql.Column, sql.Identifier, sql.Literal, sql.Boolean, sql.Null, sql.Paren, sql.Neg,
    sql.And, sql.Or, sql.Not, sql.EQ, sql.NEQ, sql.NullSafeEQ, sql.GT, sql.GTE, sql.LT, sql.LTE,
    sql.Is, sql.In, sql.Between, sql.Like, sql.RegexpLike, sql.Add, sql.Sub, sql.Mul, sql.Div,
    sql.Mod, sql.DPipe, sql.Case, sql.If, sql.Coalesce, sql.Nullif, sql.Cast, sql.TryCast,
    sql.DataType, sql.DataTypeParam, sql.Lower, sql.Upper, sql.Trim, sql.Length, sql.Substring,
    sql.Concat, sql.ConcatWs, sql.Abs, sql.Round, sql.Floor, sql.Ceil, sql.Greatest, sql.Least,
    sql.Year, sql.Month, sql.Day, sql.DateDiff, sql.DateAdd, sql.DateSub, sql.TsOrDsToDate,
    sql.TimestampTrunc, sql.DateTrunc, sql.Replace, sql.RegexpReplace, sql.RegexpExtract,
    sql.StartsWith, sql.EndsWith, sql.Contains, sql.Split, sql.Left, sql.Right, sql.Var,
    sql.Interval, sql.TsOrDsAdd, sql.TsOrDsDiff, sql.Date, sql.SplitPart, sql.ArraySize,
    sql.ArrayContains, sql.Tuple, sql.IntDiv, sql.Initcap, sql.StrPosition, sql.Pad, sql.SafeAdd,
    sql.SafeSubtract, sql.SafeMultiply,
)  # fmt: skip
_NUMBER = "decimal(38, 18)"
"""Holds each whole number of 64 bits exactly, and what is hardly more than none."""
_CALCULATED = {sql.Add: sql.SafeAdd, sql.Sub: sql.SafeSubtract, sql.Mul: sql.SafeMultiply}
_TRY_TO_DATE = "TRY_TO_DATE"
"""Admitted as well, of a text and a format: sqlglot knows it by its name alone."""


_UNITS = frozenset(
    f"{unit}{plural}"
    for unit in ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND",
                 "MILLISECOND", "MICROSECOND")
    for plural in ("", "S")
)  # fmt: skip
"""Of time: what else stands there would be written anew as it is, quotes left away."""


@lru_cache(maxsize=4096)
def parse(expression: str) -> Expr:
    """The syntax tree of one admitted expression. Raises ExpressionRefused."""
    if len(expression) > LONGEST:
        raise ExpressionRefused(
            expression=f"{expression[:40]} …", reason=f"it has more than {LONGEST:,} characters"
        )
    try:
        return _admitted(expression)
    except RecursionError as error:
        raise ExpressionRefused(
            expression=f"{expression[:40]} …", reason="it is nested too deeply"
        ) from error


def _admitted(expression: str) -> Expr:
    try:
        statements = sqlglot.parse(expression, read=_Spark)
    except (SqlglotError, ValueError) as error:
        reason = _SQLGLOTS.sub("an operator", str(error).splitlines()[0]).rstrip(".")
        raise ExpressionRefused(expression=expression, reason=reason) from error
    if len(statements) != 1 or statements[0] is None:
        raise ExpressionRefused(expression=expression, reason="write exactly one expression")
    tree = statements[0]
    for node in tree.walk():
        if not isinstance(node, _ADMITTED) and not _tries_to_date(node):
            name = node.name if isinstance(node, sql.Anonymous) else node.key
            raise ExpressionRefused(
                expression=expression, reason=f"{name!r} is not among the admitted functions"
            )
        if isinstance(node, sql.Var) and node.name.upper() not in _UNITS:
            raise ExpressionRefused(
                expression=expression, reason=f"{node.name!r} is no unit of time"
            )
        if isinstance(node, sql.Column) and node.table:
            raise ExpressionRefused(expression=expression, reason="name columns without a table")
    return tree


def _tries_to_date(node: Expr) -> bool:
    is_it = isinstance(node, sql.Anonymous) and node.name.upper() == _TRY_TO_DATE
    return is_it and len(node.expressions) == 2


def columns_of(expression: str) -> frozenset[str]:
    """Names of the columns that an expression reads. Raises ExpressionRefused."""
    return _columns(parse(expression))


def _columns(tree: Expr) -> frozenset[str]:
    return frozenset(column.name for column in tree.find_all(sql.Column))


def _written(tree: Expr, expression: str) -> str:
    """A tree as text that is admitted itself, and speaks of the same columns: whatever sqlglot
    prints as it stood would be read by Spark as something else.
    """
    text = tree.sql(dialect=_Spark, comments=False)
    if columns_of(text) != _columns(tree):
        raise ExpressionRefused(expression=expression, reason="it cannot be written plainly")
    return text


def lenient(expression: str) -> str:
    """The expression written anew from its syntax tree, in Spark's dialect, with casts, texts that
    are taken for dates or compared with a number or a time, sums, products and divisions that give
    null where they fail: one odd row must not stop a file, nor one odd customer a night.

    What Spark evaluates is this text, never the one that somebody typed. Raises ExpressionRefused.
    """
    tree = parse(expression).copy()
    for node in reversed([*tree.walk()]):  # the root comes last
        tree = node.replace(_soft(node))
    return _written(tree, expression)


def _soft(node: Expr) -> Expr:
    match node:
        case sql.Cast():
            return _tried(node.this, node.to)
        case sql.TsOrDsToDate():
            if form := node.args.get("format"):
                return sql.Anonymous(this=_TRY_TO_DATE, expressions=[node.this, form])
            # Where a difference is in some unit, sqlglot takes its two instants for days.
            is_instant = isinstance(node.parent, sql.DateDiff) and node.parent.args.get("unit")
            return _tried(node.this, "timestamp" if is_instant else "date")
        case sql.TsOrDsAdd() | sql.DateTrunc():
            node.set("this", _tried(node.this, "date"))
        case sql.TimestampTrunc():
            node.set("this", _tried(node.this, "timestamp"))
        case sql.Div() | sql.Mod() | sql.IntDiv():
            node.set("expression", _not_zero(node.expression))
        case sql.Add() | sql.Sub() | sql.Mul():
            return _CALCULATED[type(node)](this=node.this, expression=node.expression)
        case sql.EQ() | sql.NEQ() | sql.NullSafeEQ() | sql.GT() | sql.GTE() | sql.LT() | sql.LTE():
            sides = node.this, node.expression
            for name, side, other in zip(("this", "expression"), sides, sides[::-1], strict=True):
                if (to := _kind_of(other)) and not _kind_of(side):
                    node.set(name, _tried(side, to))
        case sql.Between() | sql.In():
            constants = node.expressions or (node.args["low"], node.args["high"])
            if to := next(filter(None, map(_kind_of, constants)), None):
                node.set("this", _tried(node.this, to))
    return node


def _kind_of(node: Expr) -> str | None:
    """What a text that is compared with this constant would be taken for, and fail."""
    if isinstance(node, sql.Neg | sql.Paren):
        return _kind_of(node.this)
    if isinstance(node, sql.Literal):
        return None if node.is_string else _NUMBER
    if isinstance(node, sql.Boolean):
        return "boolean"
    if isinstance(node, sql.TryCast) and isinstance(node.this, sql.Literal):
        return "timestamp" if node.is_type(*sql.DataType.TEMPORAL_TYPES) else None
    return None


def _tried(value: Expr, to: sql.DataType | str) -> Expr:
    return sql.TryCast(this=value, to=sql.DataType.build(to), safe=True)


def _not_zero(divisor: Expr) -> Expr:
    return sql.Nullif(this=divisor, expression=sql.Literal.number(0))
