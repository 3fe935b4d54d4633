"""Bronze text to typed, normalised columns, each row with the names of what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.columns import addresses, emails, hashes, names, phones, text
from goldenlake.columns.casts import SPARK_TYPES, cast_text
from goldenlake.declarations.derivations import layers
from goldenlake.declarations.expressions import columns_of, lenient
from goldenlake.declarations.formats import CsvFormat
from goldenlake.declarations.source import Source, SourceColumn
from goldenlake.transforms.golden_consents import stated
from goldenlake.transforms.newest import is_ahead, time_of

#: What bronze says of where a row came from, handed on as it is.
ORIGIN = ("_file_id", "_record", "_landed_on", "_file_on")
#: Stands before the name of a column while its text is needed beside its value.
_AS_TEXT = "_text:"


def typed(bronze: DataFrame, source: Source) -> DataFrame:
    """Silver's own columns from bronze's texts.

    Gives ORIGIN, the declared columns, ``_raw`` (struct: the texts as they came), ``_flaws``
    (array<string>: ``castable_<column>`` where a text is not of the column's type,
    ``required_<column>`` where a required value is missing, ``future_<column>`` where a row says
    that it was true, or that something happened, long after it came) and ``_doubts``
    (array<string>: ``recognised_<column>`` where a text is there, but is no e-mail address, number
    or country).
    A no of which no name is recognised is flawed by that: it would be nobody's in silver, and is
    heard by the addresses in its text where it is set aside.
    """
    own = [column.name for column in source.columns if column.derive is None]
    texts = [
        (F.col(name) if name in bronze.columns else F.lit(None))
        .cast("string")
        .alias(_AS_TEXT + name)
        for name in own
    ]
    extra = [F.col("_extra")] if "_extra" in bronze.columns else []
    frame = bronze.select(*ORIGIN, *texts, *extra)
    for layer in layers(source)[0]:
        frame = frame.withColumns(
            {column.name: _value(column, source, _types_of(source)) for column in layer}
        )
    raw = F.struct(*(F.col(_AS_TEXT + name).alias(name) for name in own), *extra)
    return frame.withColumns(
        {"_raw": raw, "_flaws": _flaws(source), "_doubts": _doubts(source)}
    ).drop(*(_AS_TEXT + name for name in own), "_extra")


def as_declared(silver: DataFrame, source: Source) -> DataFrame:
    """Rows of silver with every column that the contract has by now: null where no row has come
    since it was declared.
    """
    types = _types_of(source)
    types |= {"is_bot": "boolean"} if source.bots else {}
    types |= {"session_id": "string"} if source.sessions else {}
    missing = {name: of for name, of in types.items() if name not in silver.columns}
    return silver.withColumns({name: F.lit(None).cast(of) for name, of in missing.items()})


def _value(column: SourceColumn, source: Source, types: dict[str, str]) -> Column:
    if column.derive is not None:
        derived = F.expr(lenient(column.derive))
        value = derived.try_cast(types[column.name])
    else:
        value = cast_text(
            _text(column),
            column.type,
            formats=column.formats,
            timezone=source.timezone,
            decimal_comma=isinstance(source.format, CsvFormat) and source.format.decimal_comma,
        )
    normalise = _normaliser(column, source)
    found = normalise(value) if normalise else value
    words = source.consent_words.get(column.name) if column.type == "string" else None
    return _spelt(found, words) if words else found


def _spelt(value: Column, words: list[str]) -> Column:
    """The word as the contract spells it: a withdrawal is one in whatever case it is written."""
    found = F.when(value.isin(*words), value)
    for each in words:
        found = found.when(text.word(value) == text.word(F.lit(each)), F.lit(each))
    return found.otherwise(value)


def _types_of(source: Source) -> dict[str, str]:
    return {column.name: SPARK_TYPES[column.type] for column in source.columns}


def _text(column: SourceColumn) -> Column:
    """The text as it came, or null where it is one of the words for no value."""
    raw = F.col(_AS_TEXT + column.name)
    if not column.null_values:
        return raw
    return F.when(~F.btrim(raw, F.lit(" \t\r\n")).isin(*column.null_values), raw)


def _normaliser(column: SourceColumn, source: Source) -> Callable[[Column], Column] | None:
    region = _region(source)
    known: dict[str, Callable[[Column], Column]] = {
        "email": emails.normalise_email,
        "phone": lambda value: phones.normalise_phone(value, region=region),
        "person_name": names.clean_name,
        "full_name": names.clean_full_name,
        "postcode": lambda value: addresses.normalise_postcode(value, region=region),
        "country": addresses.normalise_country,
        "text": text.clean_text,
        "sha256": hashes.sha256_hex,
        "code": text.clean_code,
    }
    return known[column.normalise] if column.normalise and column.type == "string" else None


def _region(source: Source) -> Column:
    if source.region_from is None:
        return F.lit(source.region)
    return F.coalesce(F.upper(F.col(source.region_from)), F.lit(source.region))


def _flaws(source: Source) -> Column:
    found: list[Column] = []
    for column in source.columns:
        absent = F.col(column.name).isNull()
        uncast = F.lit(False)
        if column.derive is None and column.type != "string":
            uncast = absent & _text(column).isNotNull()
            found.append(F.when(uncast, F.lit(f"castable_{column.name}")))
        if column.required or (column.name in source.key and source.load != "append"):
            found.append(F.when(absent & ~uncast, F.lit(f"required_{column.name}")))
    for when, is_meant in _moments(source).items():
        found.append(F.when(is_ahead(F.col(when)) & is_meant, F.lit(f"future_{when}")))
    if source.consents and not source.is_profile:
        unheard = _says_no(source) & _names_nobody(source)
        named = set(source.identifiers.values())
        found += [F.when(unheard, doubt) for doubt in _unrecognised(source, named)]
    return _present(found)


def _moments(source: Source) -> dict[str, Column]:
    """Columns that say when a row was true or something happened, and of which rows they do."""
    found: dict[str, Column] = {}
    for mapping in (source.interactions, source.purchases):
        # What is made of all columns is known only later; such a source tells its time otherwise.
        if mapping and {*columns_of(mapping.only or "true")} <= {*source.column_names}:
            is_meant = F.coalesce(F.expr(lenient(mapping.only or "true")), F.lit(False))
            found[mapping.at] = found.get(mapping.at, F.lit(False)) | is_meant
    when = time_of(source)
    return found | ({when: F.lit(True)} if when else {})


def _doubts(source: Source) -> Column:
    return _present(_unrecognised(source, source.column_names))


def _unrecognised(source: Source, names: Collection[str]) -> list[Column]:
    return [
        F.when(
            F.col(column.name).isNull() & _text(column).isNotNull(),
            F.lit(f"recognised_{column.name}"),
        )
        for column in source.columns
        if column.name in names and column.derive is None and _normaliser(column, source)
    ]


def _says_no(source: Source) -> Column:
    said = (stated(mapping) != "granted" for mapping in source.consents)
    return reduce(Column.__or__, (F.coalesce(each, F.lit(False)) for each in said))


def _names_nobody(source: Source) -> Column:
    names = (F.col(name).isNull() for name in source.identifiers.values())
    return reduce(Column.__and__, names, F.lit(True))


def _present(found: list[Column]) -> Column:
    names = F.array_compact(F.array(*found)) if found else F.array()
    return names.cast("array<string>")


def in_place(condition: Column) -> Column:
    """The condition as a column whose filter Spark leaves above it.

    A filter is moved below the projection that computes what it asks for, and there every mention
    of a column is the whole computation again: a time that three rules look at is parsed three
    times more. What is not deterministic is not moved.
    """
    return condition & (F.spark_partition_id() >= 0)
