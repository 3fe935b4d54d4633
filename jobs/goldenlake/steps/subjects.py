"""Who is meant when a person is asked for: all records, all ids, and what nobody else has."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.columns.emails import address
from goldenlake.columns.phones import e164
from goldenlake.columns.traces import Traces
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.errors import CustomerUnknown, PersonAmbiguous, SetupError
from goldenlake.identity.evidence import customer_named
from goldenlake.identity.ids import redirects, were_of
from goldenlake.ports import Tables
from goldenlake.steps.generations import read
from goldenlake.steps.reading import generation_of
from goldenlake.steps.tombstones import RECORD
from goldenlake.steps.versions import Bearer, Named, Tie, Versions


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One person or several, by all that the lake holds of them. Personal."""

    people: int
    customer_ids: tuple[str, ...]
    """Today's, those that were merged into them, and those of their records that vanished."""
    record_ids: tuple[str, ...]
    """Those that vanished, too."""
    identifiers: tuple[tuple[str, str], ...]
    """(name, value) that their records have and no record of anybody else, or that theirs once had
    and no record of anybody else ever did.
    """
    contacts: tuple[str, ...]
    """Those of their values that reach them, which are looked for in every text."""
    passed_on: tuple[str, ...] = ()
    """Other customers, who have today what their records once had."""

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """(name, value) of what is theirs alone: their records, and their identifiers."""
        return (*((RECORD, each) for each in self.record_ids), *self.identifiers)

    def is_theirs(self, name: str, value: str) -> bool:
        """Whether a record, by its id, or an identifier is theirs alone."""
        return (name, value) in self._alone

    @cached_property
    def _alone(self) -> frozenset[Named]:
        return frozenset(self.named)

    @cached_property
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
            passed_on=tuple(found.get("passed_on", ())),
        )


@dataclass(frozen=True, kw_only=True)
class FindSubject:
    """People by what they are asked for by: a customer id, a record id, or an identifier such as
    ``email=ann@example.com``.

    Whoever has an identifier today is meant by it; where nobody has, those who once had it. A
    record that vanished is that of whom it would be today if it stood; its customer id, too, says
    who is meant.

    Args:
        sources: in whose bronze records are looked for that vanished, or were otherwise.
        regions: in which phone numbers may have been written.
    """

    rules: IdentityRules
    sources: Sequence[Source]
    regions: Sequence[str]

    def run(self, tables: Tables, whom: Sequence[str]) -> Subject:
        """Raises CustomerUnknown; PersonAmbiguous where an identifier is that of several;
        SetupError for one that is not declared; TableMissing before the first publication.

        An identifier that nobody ever had stands for itself: files may tell of it all the same.
        """
        generation = generation_of(tables)
        customers = read(tables, generation, "identity.customers")
        history = read(tables, generation, "identity.history")
        records = read(tables, generation, "identity.records")
        asked = [(who, self._spelled(who)) for who in whom]
        with Versions.of(
            tables, self.sources, self.rules, records=records, customers=customers
        ) as versions:
            search = _Search(versions=versions, customers=customers, history=history)
            people = search.people(asked)
            found = {each for person in people for each in person.customers}
            ids = tables.frame([[each] for each in sorted(found)], "customer_id STRING")
            own = customers.join(F.broadcast(ids), "customer_id", "left_semi").select("record_id")
            known = {row["record_id"] for row in own.collect()}
            lost = {each for person in people for each in person.vanished}
            theirs = _Theirs.of(versions, known | lost)
        past = _once_theirs(tables, customers, history, found, theirs.records)
        strange = {each for person in people for each in person.strange}
        identifiers = sorted(theirs.alone | strange)
        rules = self.rules.identifiers
        reach = (v for name, v in identifiers if rules[name].personal == "contact")
        return Subject(
            people=len(set(people)),
            customer_ids=tuple(sorted(found | past)),
            record_ids=tuple(sorted(theirs.records)),
            identifiers=tuple(identifiers),
            contacts=tuple(sorted(set(reach))),
            passed_on=tuple(sorted(theirs.passed_on)),
        )

    def _spelled(self, who: str) -> list[Named]:
        """An identifier as it came and as it may stand in the lake; nothing of an id."""
        name, is_pair, value = who.partition("=")
        if not is_pair or name not in self.rules.identifiers:
            if is_pair and ":" not in name:
                raise SetupError(
                    f"{name!r} is no identifier.",
                    mend=f"Declared are {', '.join(sorted(self.rules.identifiers))}.",
                )
            return []
        bare = value.strip()
        numbers = (e164(bare, region=region) for region in self.regions)
        known = {bare, bare.casefold(), address(bare), *numbers}
        return sorted((name, each) for each in known if each)


@dataclass(frozen=True)
class _Person:
    """Who is meant by one of the words: a customer, records that vanished, or a value alone."""

    customers: frozenset[str] = frozenset()
    vanished: frozenset[str] = frozenset()
    strange: frozenset[Named] = frozenset()


@dataclass(frozen=True, kw_only=True)
class _Search:
    versions: Versions
    customers: DataFrame
    history: DataFrame

    def people(self, asked: Sequence[tuple[str, Sequence[Named]]]) -> list[_Person]:
        """Raises CustomerUnknown, PersonAmbiguous."""
        bearers = self.versions.bearers({pair for _, spelled in asked for pair in spelled})
        return [
            self._bearing(spelled, [each for pair in spelled for each in bearers.get(pair, ())])
            if spelled
            else self._named(who)
            for who, spelled in asked
        ]

    def _named(self, who: str) -> _Person:
        try:
            known = customer_named(who, self.customers, self.history)
        except CustomerUnknown:
            known = ""
        if known and not self.customers.where(F.col("customer_id") == known).isEmpty():
            return _Person(frozenset({known}))
        vanished = self.versions.vanished({who, *self._once_of(known or who)})
        if vanished:
            return self._today(vanished)
        if not known:
            raise CustomerUnknown(who)
        return _Person(frozenset({known}))

    def _once_of(self, customer_id: str) -> list[str]:
        once = were_of(self.history).where(F.col("customer_id") == customer_id)
        return [row["record_id"] for row in once.collect()]

    def _bearing(self, spelled: Sequence[Named], bearers: Sequence[Bearer]) -> _Person:
        name = spelled[0][0]
        today = {each.customer_id for each in bearers if each.stands and each.customer_id}
        if not bearers:
            return _Person(strange=frozenset(spelled))
        if not today:
            today = {each.customer_id for each in bearers if each.customer_id}
            vanished = {each.record_id for each in bearers if not each.customer_id}
            if len(today) + len(vanished) > 1 and not self._are_one(spelled, bearers):
                raise PersonAmbiguous(identifier=name, customers=today, vanished=len(vanished))
            if not today:
                return self._today(vanished)
        if len(today) > 1:
            raise PersonAmbiguous(identifier=name, customers=today)
        return _Person(frozenset(today))

    def _are_one(self, spelled: Sequence[Named], bearers: Sequence[Bearer]) -> bool:
        """Whether all who once bore a value are one person by it."""
        of_customers: dict[str, str] = {}
        joined = [
            Tie(each.record_id, of_customers.setdefault(each.customer_id, each.record_id), "")
            for each in bearers
            if each.customer_id
        ]
        ties = [*joined, *self.versions.ties(spelled, ever=True)]
        return {each.record_id for each in bearers} <= _reached({bearers[0].record_id}, ties)

    def _today(self, vanished: set[str]) -> _Person:
        """The customer of whom these records would be if they stood; they alone where there is
        none. What people often share is too little for that.
        """
        bears, _ = self.versions.identifiers(vanished)
        owners = _owners(self.versions.bearers(bears))
        reached = _reached(vanished, _firm(self.versions.ties(bears)))
        today = {customer for record, customer in owners.items() if record in reached}
        if len(today) > 1:
            raise PersonAmbiguous(identifier=RECORD, customers=today)
        return _Person(frozenset(today), frozenset() if today else frozenset(vanished))


def _owners(bearers: Mapping[Named, Iterable[Bearer]]) -> dict[str, str]:
    """The customers of records that bear some value today."""
    return {
        each.record_id: each.customer_id
        for of in bearers.values()
        for each in of
        if each.stands and each.customer_id
    }


def _firm(ties: Iterable[Tie]) -> list[Tie]:
    """Without those by what people often share."""
    return [each for each in ties if each.strength != "weak"]


def _reached(start: Collection[str], ties: Sequence[Tie]) -> set[str]:
    """The records, and all to whom ties lead from them."""
    reached = set(start)
    while (
        new := {
            each
            for tie in ties
            if {tie.left, tie.right} & reached
            for each in (tie.left, tie.right)
        }
        - reached
    ):
        reached |= new
    return reached


@dataclass(frozen=True, kw_only=True)
class _Theirs:
    """Their records, with what those have and had, and who else ever did."""

    records: set[str]
    bears: set[Named]
    bore: set[Named]
    others: Mapping[Named, Sequence[Bearer]]

    @classmethod
    def of(cls, versions: Versions, records: set[str]) -> _Theirs:
        """These records, with those that vanished and would be one person with them today, and with
        nobody else. Who would be with both is no other bearer of what is theirs, either.
        """
        both: set[str] = set()
        while True:
            bears, bore = versions.identifiers(records)
            others = {
                pair: [each for each in of if each.record_id not in records | both]
                for pair, of in versions.bearers(bears | bore).items()
            }
            found = cls(records=records, bears=bears, bore=bore, others=others)
            joined = found._joined(versions) - both
            if not joined:
                return found
            of_others = found._of_others(versions, joined)
            records, both = records | (joined - of_others), both | of_others

    def _joined(self, versions: Versions) -> set[str]:
        """Records that vanished and would be one person with them today. What people often share is
        too little for that, unless it is all that is known of a record, and nobody of today has it.
        """
        standing = {pair: [b for b in self.others[pair] if b.stands] for pair in self.bears}
        lost = [pair for pair, of in standing.items() if any(not b.customer_id for b in of)]
        strangers = {b.record_id for of in standing.values() for b in of if b.customer_id}
        ties = [each for each in versions.ties(lost) if not {each.left, each.right} & strangers]
        tied = _reached(self.records, ties) - self.records
        firmly = _reached(self.records, _firm(ties)) - self.records
        if firmly == tied:
            return tied
        bears, _ = versions.identifiers(tied - firmly)
        shared = {pair for pair, of in standing.items() if any(b.customer_id for b in of)}
        named = versions.bearers((bears - self.bears) | (bears & shared))
        return tied - {b.record_id for of in named.values() for b in of} | firmly

    def _of_others(self, versions: Versions, joined: set[str]) -> set[str]:
        """Those of them that what else they bear makes one person with somebody of today."""
        bears, _ = versions.identifiers(joined)
        beside = bears - self.bears
        owners = _owners(versions.bearers(beside)).keys() - self.records
        return joined & _reached(owners, _firm(versions.ties(beside))) if owners else set()

    @property
    def alone(self) -> set[Named]:
        """What nobody else has, and of what they had what nobody else ever did."""
        has = {pair for pair in self.bears if not any(b.stands for b in self.others[pair])}
        return has | {pair for pair in self.bore if not self.others[pair]}

    @property
    def passed_on(self) -> set[str]:
        """Customers who have today what they had."""
        bearers = (each for pair in self.bore for each in self.others[pair])
        return {each.customer_id for each in bearers if each.stands and each.customer_id}


def _once_theirs(
    tables: Tables, customers: DataFrame, history: DataFrame, found: set[str], own: set[str]
) -> set[str]:
    """Ids of customers that are no more: of these records, or merged into one that is theirs."""
    records = F.broadcast(tables.frame([[each] for each in sorted(own)], "record_id STRING"))
    once = were_of(history).join(records, "record_id", how="left_semi").select("customer_id")
    retired = once.distinct().join(customers, "customer_id", how="left_anti")
    ended = {row["customer_id"] for row in retired.collect()}
    ids = tables.frame([[each] for each in sorted(found | ended)], "current_customer_id STRING")
    past = redirects(history).join(F.broadcast(ids), "current_customer_id", how="left_semi")
    return ended | {row["customer_id"] for row in past.select("customer_id").collect()}
