"""Admission of SQL expressions that stand in declarations.

An expression is parsed by sqlglot and must consist of columns, literals, operators and known
functions alone. Everything else (sub-queries, statements, windows, comments that hide a second
statement, functions that reach outside such as ``java_method`` or ``read_files``) is refused:
the list below says what is allowed, not what is forbidden.
"""

from __future__ import annotations

import re
from functools import lru_cache

import sqlglot
from sqlglot import expressions as sql
from sqlglot.errors import SqlglotError
from sqlglot.expressions import Expr

from goldenlake.errors import ExpressionRefused

_DIALECT = "spark"
_SQLGLOTS = re.compile(r"<class '[^']*'>")
LONGEST = 4_000
"""Characters; what needs more belongs into code, with a test."""

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
    sql.ArrayContains, sql.Tuple, sql.IntDiv, sql.Initcap, sql.StrPosition, sql.Pad,
)  # fmt: skip


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
        statements = sqlglot.parse(expression, read=_DIALECT)
    except (SqlglotError, ValueError) as error:
        reason = _SQLGLOTS.sub("an operator", str(error).splitlines()[0]).rstrip(".")
        raise ExpressionRefused(expression=expression, reason=reason) from error
    if len(statements) != 1 or statements[0] is None:
        raise ExpressionRefused(expression=expression, reason="write exactly one expression")
    tree = statements[0]
    for node in tree.walk():
        if not isinstance(node, _ADMITTED):
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


def columns_of(expression: str) -> frozenset[str]:
    """Names of the columns that an expression reads. Raises ExpressionRefused."""
    return _columns(parse(expression))


def _columns(tree: Expr) -> frozenset[str]:
    return frozenset(column.name for column in tree.find_all(sql.Column))


def canonical(expression: str) -> str:
    """The expression written anew from its syntax tree, in Spark's dialect.

    What Spark evaluates is this text, never the one that somebody typed. Raises
    ExpressionRefused.
    """
    return _written(parse(expression), expression)


def _written(tree: Expr, expression: str) -> str:
    """A tree as text that is admitted itself, and speaks of the same columns: whatever sqlglot
    prints as it stood would be read by Spark as something else.
    """
    text = tree.sql(dialect=_DIALECT, comments=False)
    if columns_of(text) != _columns(tree):
        raise ExpressionRefused(expression=expression, reason="it cannot be written plainly")
    return text


def lenient(expression: str) -> str:
    """``canonical``, with casts, text-to-date and divisions that give null where they fail.

    For expressions over data that nobody has judged yet: one odd row must not stop a file.
    """

    def soften(node: sql.Expression) -> sql.Expression:
        if isinstance(node, sql.Cast):
            return sql.TryCast(this=node.this, to=node.to, safe=True)
        if isinstance(node, sql.TsOrDsToDate) and not node.args.get("format"):
            return sql.TryCast(this=node.this, to=sql.DataType.build("date"), safe=True)
        if isinstance(node, sql.Div | sql.Mod | sql.IntDiv):
            divisor = sql.Nullif(this=node.expression.copy(), expression=sql.Literal.number(0))
            node.set("expression", divisor)
        return node

    return _written(parse(expression).copy().transform(soften), expression)
