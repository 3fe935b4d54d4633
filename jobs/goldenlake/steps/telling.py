"""Which rows of a source are a person's, and what tells of the person in rows of others.

A row of somebody else is not taken whole: the no that it states, or the key under which the next
one comes, is not the person's to take along.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.columns.distinct import over_distinct
from goldenlake.columns.emails import address
from goldenlake.columns.phones import e164
from goldenlake.columns.traces import Traces
from goldenlake.declarations.derivations import read_from
from goldenlake.declarations.expressions import columns_of
from goldenlake.declarations.source import Source
from goldenlake.ports import Tables
from goldenlake.schemas import PLACE
from goldenlake.steps.ingest import READ
from goldenlake.steps.subjects import Subject
from goldenlake.steps.tombstones import RECORD, Erased, names_any, names_of
from goldenlake.transforms.conforming import typed
from goldenlake.transforms.doubts import BETWEEN_VALUES, READ_IN_TEXT
from goldenlake.transforms.row_ids import has_key

INSTEAD = "(told of somebody)"
"""Of a text without which the row would be set aside when it is read again."""
WHOLE = "null"
AMONG_EXTRA = "_extra:"
"""Stands before the name of what is not declared, which may be that of a column that is."""
_ADDRESS = re.compile(r"""[^\s,;:|<>()\[\]{}"'\\]+@[\w.-]*\w""")
#: Which some countries dial.
_DAY = re.compile(r"\s*(?:\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{4})(?!\d)")
#: Before others: a single number would be read whatever stands beside it, unless that is a figure.
_NOBODY = "0"
#: From abroad alone: no day, and no house number, begins with a plus.
_NUMBER = re.compile(r"(?<!\w)\+\d[\d ()./-]{5,}\d")


class Whose(Protocol):
    """People, by what is known of them: a ``Subject``, or those who were ``Erased`` before."""

    def is_theirs(self, name: str, value: str) -> bool:
        """Whether a record, by its id, or an identifier is theirs alone."""
        ...

    @property
    def traces(self) -> Traces:
        """What gives them away in a text."""
        ...


@dataclass(frozen=True)
class Told:
    """Rows of a table that are a person's, or tell of them, by their places."""

    whole: list[tuple[Any, ...]] = field(default_factory=list)
    """Those that go."""
    part: list[tuple[Any, ...]] = field(default_factory=list)
    """Those of others, each with what is left of it."""

    @property
    def file_ids(self) -> set[str]:
        """The files that they came in."""
        return {place[PLACE.index("_file_id")] for place in (*self.whole, *self.part)}


def told_in_bronze(tables: Tables, source: Source, subject: Subject) -> Told:
    """``part`` has by columns what is left of those that tell, null being nothing; those that are
    not declared are AMONG_EXTRA.
    """
    bronze = f"bronze.{source.source}"
    if not tables.exists(bronze):
        return Told()
    rows = typed(_with_strays(tables.read(bronze), source), source)
    return _judged(
        rows, over_distinct(_said(source), Telling.of(source, subject).of_row, once=True)
    )


def told_of_erased(bronze: DataFrame, source: Source, erased: Erased) -> Told:
    """The same of some rows of bronze and of people who were forgotten before."""
    rows = typed(_with_strays(bronze, source), source)
    return _judged(rows, verdict_on_erased(source, erased))


def verdict_on_erased(source: Source, erased: Erased) -> Column:
    """What of a typed row has to go since it tells of people who were forgotten before, as
    ``Telling.of_row`` has it; most rows are asked for their names alone.
    """
    is_told = names_any(source, erased.is_theirs)
    return over_distinct(F.when(is_told, _said(source)), Telling.of(source, erased).of_row)


def rows_of_others(tables: Tables, sources: Iterable[Source], subject: Subject) -> int:
    """How many rows of others tell of a person, and lose what does where they are forgotten."""
    return sum(len(told_in_bronze(tables, source, subject).part) for source in sources)


def told_unread(tables: Tables, source: Source, subject: Subject) -> Told:
    """The same of records in quarantine of which no reader could make any; all that can be done is
    to look for traces. ``part`` has under ``row`` what is left.
    """
    quarantine = f"quarantine.{source.source}"
    if not tables.exists(quarantine):
        return Told()
    rows = tables.read(quarantine).where(F.col("stage") == READ)
    judge = Telling.of(source, subject).of_unread
    return _judged(rows, over_distinct(F.col("row"), judge, once=True))


def _said(source: Source) -> Column:
    """A typed row as it came, and whom it names: two lines of JSON."""
    return F.concat_ws("\n", F.to_json("_raw"), F.to_json(_names(source)))


def _judged(rows: DataFrame, verdict: Column) -> Told:
    told = Told()
    judged = rows.select(*PLACE, verdict.alias("_verdict")).where("_verdict IS NOT NULL")
    for *place, left in judged.collect():
        if left == WHOLE:
            told.whole.append(tuple(place))
        else:
            told.part.append((*place, json.loads(left)))
    return told


def _with_strays(bronze: DataFrame, source: Source) -> DataFrame:
    """Bronze with columns that are declared no more among what is ``_extra``."""
    own = in_files(source)
    strays = [name for name in bronze.columns if not name.startswith("_") and name not in own]
    if not strays:
        return bronze
    known = F.create_map(*(of for name in strays for of in (F.lit(name), F.col(name))))
    extra = F.coalesce("_extra", F.create_map().cast("map<string, string>"))
    both = F.map_zip_with(extra, known, lambda _, one, other: F.concat_ws("\n", one, other))
    return bronze.withColumn("_extra", both)


def in_files(source: Source) -> frozenset[str]:
    """The columns that are declared of a source's files."""
    return frozenset(column.name for column in source.columns if column.derive is None)


def _names(source: Source) -> Column:
    """``names_of``; a row without its key is no record."""
    names = names_of(source)
    if not source.is_profile:
        return names
    return F.filter(names, lambda name: (name["name"] != RECORD) | has_key(source))


@dataclass(frozen=True, kw_only=True)
class Telling:
    """What people have to do with the rows of one source."""

    whose: Whose
    names: Mapping[str, frozenset[str]]
    """The columns of its file that each identifier is made of."""
    read_in_text: frozenset[str]
    """Those of them in which several may stand."""
    key: frozenset[str]
    """Columns without which there is no row."""
    kept: frozenset[str]
    """What an older row of a record is kept for: its key, its names, what it says about consent,
    and when.
    """
    harmless: frozenset[str]
    """Columns of no personal class."""
    needed: frozenset[str]
    """Texts without which a row is set aside, and that tell nothing of who somebody is: INSTEAD as
    a name would be that of several.
    """
    is_profile: bool
    states_consent: bool
    reach: frozenset[str]
    """Names by which people are reached; of a row without one a no is heard by those in its texts.
    """
    region: str

    @classmethod
    def of(cls, source: Source, whose: Whose) -> Self:
        """Of people and a source."""
        names = {name: read_from(source, of) for name, of in source.identifiers.items()}
        plain = [column for column in source.columns if column.derive is None]
        key = _all_from(source, () if source.load == "append" else source.key)
        who = _all_from(source, (*source.identifiers.values(), *source.attributes.values()))
        return cls(
            whose=whose,
            names=names,
            read_in_text=frozenset(
                column.name
                for column in plain
                if column.name in source.identifiers.values() and column.normalise in READ_IN_TEXT
            ),
            key=key,
            kept=key.union(_all_from(source, _kept_for(source)), *names.values()),
            harmless=frozenset(column.name for column in plain if column.personal == "none"),
            needed=frozenset(
                column.name
                for column in plain
                if column.required and column.type == "string" and column.normalise is None
            )
            - who,
            is_profile=source.is_profile,
            states_consent=bool(source.consents),
            reach=frozenset(
                name
                for name, of in source.identifiers.items()
                if source.column(of).normalise in READ_IN_TEXT
            ),
            region=source.region,
        )

    def of_row(self, text: str) -> str | None:
        """What of a row has to go: nothing (None), all of it (WHOLE), or columns, as JSON.

        ``text`` has two lines of JSON: the row as it came, and whom it names.
        """
        said, named = text.split("\n", 1)
        names = {(each["name"], each["value"]) for each in json.loads(named)}
        record = next((value for name, value in names if name == RECORD), None)
        bears = {name for name, value in names if self.whose.is_theirs(name, value)}
        if RECORD in bears:
            return WHOLE
        if not (bears or self._tells(said)):
            return None
        row = json.loads(said)
        extra = {AMONG_EXTRA + name: of for name, of in row.pop("_extra", {}).items()}
        texts = {name: of or "" for name, of in (row | extra).items()}
        tells = {name for name, of in texts.items() if self._tells(f"{name}\n{of}")}
        borne = frozenset[str]().union(*(self.names[name] for name in bears))
        others = {name for name, _ in names if name != RECORD and not self.names[name] & tells}
        is_of_others = bool((self.is_profile and record) or others - bears)
        if bears or not is_of_others:
            # It may be the person's, or the record may have been then.
            tells |= {name for name in texts if self._may_be_theirs(name)}
        read = self._read_in_text(names, texts)
        left = {name: self._left(name, texts[name], read) for name in tells} | dict.fromkeys(borne)
        if self.key & left.keys() and (record or not self.is_profile):
            return WHOLE
        if not (is_of_others or self._names_others(texts, left, read)):
            return WHOLE
        return json.dumps(left) if left else None

    def of_unread(self, text: str) -> str | None:
        """The same of a line that nobody could read; a no in it is heard by whom it names."""
        if not self._tells(text):
            return None
        others = self._others(json.loads(text).get("raw") or "") if self.states_consent else None
        return json.dumps({"row": json.dumps({"raw": others})}) if others else WHOLE

    def _tells(self, text: str) -> bool:
        return self.whose.traces.found_in(text)

    def _read_in_text(
        self, names: Iterable[tuple[str, str]], texts: Mapping[str, str]
    ) -> Collection[str]:
        """The columns in which others may be named."""
        is_heard = self.states_consent and not any(name in self.reach for name, _ in names)
        return texts.keys() if is_heard and self.reach else self.read_in_text

    def _left(self, name: str, text: str, read: Collection[str]) -> str | None:
        others = self._others(text) if name in read and not self._tells(name) else None
        return others or (INSTEAD if name in self.needed else None)

    def _may_be_theirs(self, name: str) -> bool:
        return name not in self.kept and name not in self.harmless

    def _names_others(
        self, texts: Mapping[str, str], left: Mapping[str, str | None], read: Iterable[str]
    ) -> bool:
        """Whether texts do once they are rid of what tells."""
        return any(
            left[column] not in (None, INSTEAD)
            if column in left
            else self._others(texts.get(column, ""))
            for column in read
        )

    def _others(self, text: str) -> str | None:
        """Addresses and numbers of others by which a no is heard in a text, so that they are read
        as no single one.
        """
        parts = [*_ADDRESS.findall(text), *_NUMBER.findall(text), *re.split(BETWEEN_VALUES, text)]
        may_be = (part for part in parts if not _DAY.match(part))
        found = (address(part) or e164(part, region=self.region) for part in may_be)
        others = dict.fromkeys(each for each in found if each and not self._tells(each))
        return "; ".join([_NOBODY, *others]) if others else None


def _kept_for(source: Source) -> set[str]:
    parts = ("at", "purpose", "channel", "status", "jurisdiction", "expires_at")
    named = {getattr(mapping, part) for mapping in source.consents for part in parts}
    conditions = (source.people, *(mapping.only for mapping in source.consents))
    asked = (columns_of(each) for each in conditions if each)
    return {*filter(None, (*named, source.region_from)), *source.order_by}.union(*asked)


def _all_from(source: Source, columns: Iterable[str]) -> frozenset[str]:
    own = (name for name in columns if name in source.column_names)
    return frozenset[str]().union(*(read_from(source, name) for name in own))
