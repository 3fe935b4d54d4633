"""What may have been refused in rows that were set aside: a no that nobody can read is still one.

A withdrawal that breaks its source's contract reaches neither silver nor gold. Until it is put
right, or something valid is stated later, whoever it names must not be sent to on an older yes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.columns.emails import normalise_email
from goldenlake.columns.phones import normalise_phone
from goldenlake.columns.text import word
from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.expressions import columns_of, lenient
from goldenlake.declarations.rules import rule_name
from goldenlake.declarations.source import ConsentMapping, Source
from goldenlake.transforms.consent import ANY, OPTED_OUT, UNCLEAR
from goldenlake.transforms.golden_consents import last_instant, stated

STATEMENT = "purpose string, channel string, status string, stated_at timestamp"
_NAMES = "array<struct<name: string, value: string>>"
#: What may hold an address, in any text.
_MAY_BE_AN_ADDRESS = r"""[^\s,;:|<>()\[\]{}"'\\]+@[\p{L}\p{N}.-]*[\p{L}\p{N}]"""
#: What parts the values of a line.
BETWEEN_VALUES = r"""[,;|<>\t\r\n"']+"""
READ_IN_TEXT = ("email", "phone")
"""Forms of names that are heard in the text of a row that has none of them."""


def doubts(rows: DataFrame, source: Source, policy: ConsentPolicy, *, names: Column) -> DataFrame:
    """What typed rows of a source may say no to: ``name, value`` of whom they name, and STATEMENT.

    ``rows`` have ``rules``, those that they broke, and ``row``, how they came. ``names`` is their
    array of (name, value); of a row without an address or a number those in its text count.
    A word that says no counts as what it says, without the rules that a no does not need; a word
    in doubt is ``unclear``; a yes is none. What cannot be read is about any purpose, any channel;
    a time that is in doubt, or after the day on which the row landed, is the end of that day.
    """
    named = rows.withColumn("_names", names)
    said = [_said(named, source, mapping, policy) for mapping in source.consents]
    return _named(reduce(DataFrame.unionByName, said), source)


def unread_doubts(rows: DataFrame, source: Source) -> DataFrame:
    """The same of records that no reader could make a row of."""
    said = [
        rows.select(
            F.array().cast(_NAMES).alias("_names"),
            "row",
            F.lit(mapping.constant_purpose or ANY).alias("purpose"),
            F.lit(mapping.constant_channel or ANY).alias("channel"),
            F.lit(UNCLEAR).alias("status"),
            last_instant(rows, source, "_landed_on").alias("stated_at"),
        )
        for mapping in source.consents
    ]
    return _named(reduce(DataFrame.unionByName, said), source)


def _said(
    rows: DataFrame, source: Source, mapping: ConsentMapping, policy: ConsentPolicy
) -> DataFrame:
    meaning, only = stated(mapping), _only(rows, mapping)
    is_no = meaning.isin(*OPTED_OUT)
    may_say_no = is_no | _in_doubt(source, mapping.status)
    status = F.when(is_no & only, meaning).when(may_say_no, UNCLEAR)
    about = [
        _about(source, mapping.purpose, mapping.constant_purpose, policy.purposes),
        _about(source, mapping.channel, mapping.constant_channel, policy.channels),
    ]
    chosen = F.coalesce(only, F.lit(True)) | _in_doubt(source, *_columns(mapping.only))
    return (
        rows.where(chosen)
        .select(
            "_names",
            "row",
            about[0].alias("purpose"),
            about[1].alias("channel"),
            status.alias("status"),
            _at(rows, source, mapping.at).alias("stated_at"),
        )
        .where("status IS NOT NULL")
    )


def _only(rows: DataFrame, mapping: ConsentMapping) -> Column:
    """Whether a row is one that states something; null where that cannot be known."""
    if mapping.only is None:
        return F.lit(True)
    if not _columns(mapping.only) <= set(rows.columns):
        return F.lit(None).cast("boolean")
    return F.expr(lenient(mapping.only)).cast("boolean")


def _about(
    source: Source, column: str | None, constant: str | None, known: Collection[str]
) -> Column:
    if column is None:
        return F.lit(constant or ANY)
    said = word(F.coalesce(F.col(column).cast("string"), F.lit(constant).cast("string")))
    spelt = {each.lower() for each in source.consent_words[column]}
    is_known = said.isin(*spelt.union(known)) & ~_in_doubt(source, column)
    return F.when(is_known, said).otherwise(F.lit(ANY))


def _at(rows: DataFrame, source: Source, column: str) -> Column:
    given = F.when(~_in_doubt(source, column), last_instant(rows, source, column))
    return F.least(given, last_instant(rows, source, "_landed_on"))


def _in_doubt(source: Source, *columns: str | None) -> Column:
    """Whether a row broke a rule about one of these columns, or about what it is computed from."""
    reach = {name for name in columns if name}
    while more := {
        needed
        for each in source.columns
        if each.name in reach
        for needed in _columns(each.derive)
        if needed not in reach
    }:
        reach |= more
    broken = [f"{what}_{name}" for name in reach for what in ("castable", "required", "future")]
    broken += [
        rule_name(rule)
        for rule in source.rules
        if reach & (_columns(rule.expression) if rule.rule == "holds" else {rule.column})
    ]
    return F.arrays_overlap("rules", F.array(*map(F.lit, sorted(broken))).cast("array<string>"))


def _columns(expression: str | None) -> frozenset[str]:
    return columns_of(expression) if expression else frozenset()


def _named(said: DataFrame, source: Source) -> DataFrame:
    """One row for each name of whoever said it."""
    statement = ("purpose", "channel", "status", "stated_at")
    named = said.select(F.explode("_names").alias("_of"), *statement)
    forms = {
        name: form
        for name, column in source.identifiers.items()
        if (form := source.column(column).normalise) in READ_IN_TEXT
    }
    if forms:
        reaches = F.exists("_names", lambda name: name["name"].isin(*forms))
        named = named.unionByName(_named_in_text(said.where(~reaches), forms, source.region))
    every = named.select("_of.name", "_of.value", *statement)
    return every.where("value IS NOT NULL").distinct()


def _named_in_text(said: DataFrame, forms: Mapping[str, str], region: str) -> DataFrame:
    """By what looks like an address or a number in how the row came."""
    values = F.map_values(F.from_json("row", "map<string, string>"))
    text = F.concat_ws("\n", values)
    tokens = F.concat(
        F.regexp_extract_all(text, F.lit(_MAY_BE_AN_ADDRESS), F.lit(0)),
        F.split(text, BETWEEN_VALUES),
    )
    told = said.withColumn("_token", F.explode(F.array_distinct(tokens)))
    token = F.col("_token")
    read = {"email": normalise_email(token), "phone": normalise_phone(token, region=region)}
    told = told.withColumns({f"_{form}": value for form, value in read.items()})
    pairs = (
        F.struct(F.lit(name).alias("name"), F.col(f"_{form}").alias("value"))
        for name, form in forms.items()
    )
    of = F.explode(F.array(*pairs).cast(_NAMES)).alias("_of")
    return told.select(of, "purpose", "channel", "status", "stated_at")
