"""Who is meant when a person is asked for: all records, all ids, and what nobody else has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.columns.emails import address
from goldenlake.columns.phones import e164
from goldenlake.columns.traces import Traces
from goldenlake.declarations.identity import IdentityRules
from goldenlake.errors import PersonAmbiguous, SetupError
from goldenlake.identity.evidence import customer_named
from goldenlake.identity.ids import redirects
from goldenlake.ports import Tables
from goldenlake.steps.generations import read
from goldenlake.steps.reading import generation_of
from goldenlake.steps.tombstones import RECORD

_PAIR = "name STRING, value STRING"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One person or several, as the newest generation knows them. Personal."""

    people: int
    customer_ids: tuple[str, ...]
    """Today's, and those that were merged into them."""
    record_ids: tuple[str, ...]
    identifiers: tuple[tuple[str, str], ...]
    """(name, value) that no record of anybody else has."""
    contacts: tuple[str, ...]
    """Those of their values that reach them, which are looked for in every text."""

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """(name, value) of what is theirs alone: their records, and their identifiers."""
        return (*((RECORD, each) for each in self.record_ids), *self.identifiers)

    @property
    def traces(self) -> Traces:
        """What gives them away in a text."""
        return Traces.of(self.contacts)

    def to_json(self) -> str:
        """As it waits in ``privacy.requests`` until all is done."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Subject:
        """The same again."""
        found = json.loads(text)
        return cls(
            people=found["people"],
            customer_ids=tuple(found["customer_ids"]),
            record_ids=tuple(found["record_ids"]),
            identifiers=tuple((name, value) for name, value in found["identifiers"]),
            contacts=tuple(found["contacts"]),
        )


@dataclass(frozen=True, kw_only=True)
class FindSubject:
    """People by what they are asked for by: a customer id, a record id, or an identifier such as
    ``email=ann@example.com``.

    Args:
        regions: in which phone numbers may have been written.
    """

    rules: IdentityRules
    regions: Sequence[str]

    def run(self, tables: Tables, whom: Sequence[str]) -> Subject:
        """Raises CustomerUnknown; PersonAmbiguous where an identifier is that of several;
        SetupError for one that is not declared; TableMissing before the first publication.

        An identifier that nobody has stands for itself: files may tell of it all the same.
        """
        generation = generation_of(tables)
        customers = read(tables, generation, "identity.customers")
        history = read(tables, generation, "identity.history")
        records = read(tables, generation, "identity.records").where("is_active")
        found: set[str] = set()
        alone: set[tuple[str, str]] = set()
        strangers = 0
        for who in whom:
            name, is_pair, value = who.partition("=")
            if not is_pair or name not in self.rules.identifiers:
                if is_pair and ":" not in name:
                    raise SetupError(
                        f"{name!r} is no identifier.",
                        mend=f"Declared are {', '.join(sorted(self.rules.identifiers))}.",
                    )
                found.add(customer_named(who, customers, history))
                continue
            spelled = self._spelled(name, value)
            owners = _owners(tables, spelled, records, customers)
            if len(owners) > 1:
                raise PersonAmbiguous(identifier=name, customers=owners)
            found.update(owners)
            if not owners:
                strangers += 1
                alone.update(spelled)
        ids = tables.frame([[each] for each in sorted(found)], "customer_id STRING")
        own = customers.join(F.broadcast(ids), "customer_id", "left_semi").select("record_id")
        identifiers = sorted({*_theirs_alone(records, own), *alone})
        rules = self.rules.identifiers
        reach = (v for name, v in identifiers if rules[name].personal == "contact")
        return Subject(
            people=len(found) + strangers,
            customer_ids=tuple(sorted({*found, *_merged_into(history, ids)})),
            record_ids=tuple(sorted(row["record_id"] for row in own.collect())),
            identifiers=tuple(identifiers),
            contacts=tuple(sorted(set(reach))),
        )

    def _spelled(self, name: str, value: str) -> list[tuple[str, str]]:
        """The value as it came and as it may stand in the lake."""
        bare = value.strip()
        numbers = (e164(bare, region=region) for region in self.regions)
        known = {bare, bare.casefold(), address(bare), *numbers}
        return sorted((name, each) for each in known if each)


def _owners(
    tables: Tables, spelled: Sequence[tuple[str, str]], records: DataFrame, customers: DataFrame
) -> list[str]:
    asked = F.broadcast(tables.frame(spelled, _PAIR))
    having = _named(records).join(asked, ["name", "value"], how="left_semi")
    rows = customers.join(having, "record_id", how="left_semi").select("customer_id").distinct()
    return sorted(row["customer_id"] for row in rows.collect())


def _named(records: DataFrame) -> DataFrame:
    """(record_id, name, value)."""
    return records.select("record_id", F.inline("identifiers"))


def _theirs_alone(records: DataFrame, own: DataFrame) -> list[tuple[str, str]]:
    named = _named(records)
    ours = named.join(F.broadcast(own), "record_id", how="left_semi").select("name", "value")
    others = named.join(F.broadcast(own), "record_id", how="left_anti").select("name", "value")
    alone = ours.distinct().join(others, ["name", "value"], how="left_anti")
    return [(row["name"], row["value"]) for row in alone.collect()]


def _merged_into(history: DataFrame, ids: DataFrame) -> list[str]:
    now = ids.select(F.col("customer_id").alias("current_customer_id"))
    past = redirects(history).join(F.broadcast(now), "current_customer_id", how="left_semi")
    return [row["customer_id"] for row in past.select("customer_id").collect()]
