"""What rows are called: by their key, by whom they name, or by their place in a file."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from goldenlake.declarations.expressions import columns_of, lenient
from goldenlake.declarations.source import Source

_SEPARATOR = "\x1f"
SCHEME = 2
"""Raise it when the same mapping makes other ids: those of all rows are looked at then."""


def record_id(source: Source) -> Column:
    """What ties a row to identity, null where it names nobody; see docs/architecture.md."""
    if source.is_profile:
        of_row = _key_id(source)
    else:
        pairs = [
            F.when(F.trim(value) != "", F.concat(F.lit(f"{name}="), _escaped(value, _SEPARATOR)))
            for name, column in sorted(source.identifiers.items())
            for value in [F.col(column).cast("string")]
        ]
        named = F.concat_ws(_SEPARATOR, *pairs) if pairs else F.lit("")
        digest = F.substring(F.sha2(named, 256), 1, 24)
        of_row = F.when(named != "", F.concat(F.lit(f"{source.source}:"), digest))
    if source.bots:
        of_row = F.when(~F.col("is_bot"), of_row)
    if source.people:
        of_row = F.when(F.expr(lenient(source.people)).cast("boolean"), of_row)
    return of_row


def id_today(source: Source, was: Column) -> Column:
    """``record_id`` of a row of silver that ``was`` one already. Nobody stops being a person for
    want of what ``people`` asks for: the row may have come before that was declared. It is known
    once the row is read again.
    """
    if source.people is None:
        return record_id(source)
    whole = source.model_copy(update={"people": None})
    asked = (F.col(name).isNull() for name in columns_of(source.people))
    lacks = reduce(Column.__or__, asked, F.lit(False))
    return F.when(was.isNotNull() & lacks, record_id(whole)).otherwise(record_id(source))


def has_key(source: Source) -> Column:
    """Whether a row of a keyed source has all of its key."""
    return reduce(Column.__and__, (F.col(name).isNotNull() for name in source.key))


def event_id(source: Source) -> Column:
    """An id of a silver row that no rerun changes: its key, or its place in its file."""
    if source.load == "append":
        place = [F.substring("_file_id", 1, 16), F.col("_record").cast("string")]
        return F.concat(F.lit(f"{source.source}:"), F.concat_ws(":", *place))
    return _key_id(source)


def _key_id(source: Source) -> Column:
    """The source and the row's key.

    Parts of a key that hold a bar are escaped by a backslash, so that no two keys are one id.
    """
    parts = [_key_part(name, alone=len(source.key) == 1) for name in source.key]
    return F.concat(F.lit(f"{source.source}:"), F.concat_ws("|", *parts))


def _key_part(name: str, *, alone: bool) -> Column:
    value = F.col(name).cast("string")
    return value if alone else _escaped(value, "|")


def _escaped(value: Column, separator: str) -> Column:
    """So that no two lists of values are one text."""
    return F.regexp_replace(value, rf"([\\{separator}])", r"\\$1")
