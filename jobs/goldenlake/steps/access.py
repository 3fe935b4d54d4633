"""All that is known about one person: what, from where, and what it is used for."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.erasure import erasure_of
from goldenlake.declarations.source import Source
from goldenlake.ports import Tables
from goldenlake.reporting.access import Known, Section
from goldenlake.schemas import SYSTEM_TABLES
from goldenlake.steps.forget import records_of
from goldenlake.steps.generations import Generation, golden_of, read
from goldenlake.steps.ledger import TABLE as LEDGER_TABLE
from goldenlake.steps.reading import generation_of
from goldenlake.steps.subjects import Subject
from goldenlake.steps.ties import kept_ties

#: What each of our own tables says of a person, in the words of the page.
_SAYS = {
    "segments.members": "Audiences that they were in, by day",
    "activation.ledger": "What other systems were told of them, and hold",
    "activation.rejects": "What other systems refused",
    "activation.held_back": "What was not sent to other systems, and why",
    "activation.assignments": "Campaigns that they were in, or held out of",
    "identity.history": "What became of their customer ids",
}


@dataclass(frozen=True, kw_only=True)
class Access:
    """Everything about a person. What is given is personal, and of nobody else: records of others
    that merely tell of them are left out, and what stood under their id while it was that of
    somebody else, too, as before a split.
    """

    subject: Subject
    sources: Sequence[Source]
    consent: ConsentPolicy

    def run(self, tables: Tables) -> Known:
        """Raises TableMissing before the first publication."""
        generation = generation_of(tables)
        sections = [*self._golden(tables, generation), *self._ours(tables)]
        records = {
            source.source: records_of(tables, source, self.subject) for source in self.sources
        }
        theirs = {*self.subject.customer_ids}.union(
            *(_texts(rows.collect()) for rows in records.values() if rows is not None),
            *(_texts(each.rows) for each in sections if each.name == "gold.customers"),
        )
        sections = [replace(each, rows=_of_them(each, theirs)) for each in sections]
        sent = (self._sent(tables, source, records[source.source]) for source in self.sources)
        return Known(
            customer_ids=self.subject.customer_ids,
            generation=generation.generation,
            as_of=generation.as_of,
            golden=[each for each in sections if each.rows],
            records=[each for each in sent if each.rows],
        )

    def _golden(self, tables: Tables, generation: Generation) -> list[Section]:
        names = [
            name for name in golden_of(generation.tables) if erasure_of(name).holds != "nobody"
        ]
        return [
            Section(name=name, title=name, rows=self._rows(read(tables, generation, name)))
            for name in names
        ]

    def _ours(self, tables: Tables) -> list[Section]:
        return [
            Section(
                name=name,
                title=title,
                rows=self._rows(tables.read_or_empty(name, SYSTEM_TABLES[name].ddl)),
            )
            for name, title in _SAYS.items()
        ]

    def _sent(self, tables: Tables, source: Source, found: DataFrame | None) -> Section:
        """What a source said of them, word by word, and their names of what is over."""
        rows: list[Mapping[str, Any]] = []
        if found is not None:
            told = found.select(F.to_json("_raw").alias("raw"), "_file_on")
            rows = [
                {"day": str(row["_file_on"]), **json.loads(row["raw"])}
                for row in told.orderBy("_file_on", "raw").collect()
            ]
        if (kept := kept_ties(tables, source)) is not None:
            theirs = kept.where(F.col("record_id").isin(list(self.subject.record_ids)))
            names = sorted({*source.identifiers.values()})
            rows += [
                {"day": str(row["_file_on"]), **{name: row[name] for name in names if row[name]}}
                for row in theirs.orderBy("_file_on", *names).collect()
            ]
        purposes = [
            f"{name}: {self.consent.purposes[name].description}"
            if name in self.consent.purposes
            else name
            for name in source.purpose
        ]
        return Section(
            name=source.source,
            title=f"{source.description} ({source.system}, {source.owner})",
            rows=rows,
            purposes=purposes,
        )

    def _rows(self, frame: DataFrame) -> list[Mapping[str, Any]]:
        found = frame.where(F.col("customer_id").isin(list(self.subject.customer_ids))).collect()
        return sorted((row.asDict(recursive=True) for row in found), key=str)


def _texts(rows: Iterable[Mapping[str, Any] | Row]) -> set[str]:
    """What rows say, a value each."""
    listed = (row.asDict() if isinstance(row, Row) else row for row in rows)
    return {str(value) for row in listed for value in row.values() if value is not None}


def _tells(value: object) -> bool:
    return isinstance(value, str | date)


def _of_them(section: Section, theirs: Collection[str]) -> list[Mapping[str, Any]]:
    """The rows without what was never said of them, where others have stood under their id."""
    erasure = erasure_of(section.name)
    if section.name == LEDGER_TABLE:
        return [row for row in section.rows if row["key"] in theirs]
    if not erasure.span:
        return [*section.rows]
    kept = {*erasure.by, *erasure.span}
    rows = [
        {
            name: None if name not in kept and _tells(value) and str(value) not in theirs else value
            for name, value in row.items()
        }
        for row in section.rows
    ]
    return [row for row in rows if any(row[name] is not None for name in row.keys() - kept)]
