"""Tryton 8: parties with their contact mechanisms, and a category for each segment.

https://docs.tryton.org/latest/server/topics/rest.html. A party is acknowledged when it is in the
category as well. What leaves is taken out of the category; the party itself stays. Contact
mechanisms that we make bear our name, and no others are changed. An unknown field would be answered
with 500, as an accident is, so fields are compared with the model before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Lock
from typing import Any

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.targets import TrytonTarget, audience_name, modes_of
from goldenlake.destinations.accounts import Account, Known, open_account
from goldenlake.destinations.bearers import staying
from goldenlake.destinations.sending import refused
from goldenlake.destinations.values import text
from goldenlake.errors import CallRefused, NotAuthorised
from goldenlake.ports import (
    Acknowledgement,
    Batch,
    Capabilities,
    Delivery,
    FieldValue,
    NoteJob,
    OutboundRecord,
    Outside,
    Published,
    Reply,
)

#: None is published.
PUBLISHED = Published(concurrency=4)
_BATCH = 50
_PAGE = 500
_MARK = "goldenlake"
"""Name of the contact mechanisms that are ours."""
_PHONES = ("phone", "mobile", "fax")
_CONTACTS = (*_PHONES, "email", "website", "skype", "sip", "irc", "jabber", "other")
_WORDS = ("char", "text", "selection")
_PLAIN = (
    *_WORDS, "integer", "biginteger", "float", "numeric", "boolean", "date", "datetime",
    "timestamp",
)  # fmt: skip
_DAY = ("year", "month", "day")
_TIME = ("hour", "minute", "second", "microsecond")
_READ = ("categories", "code", *(f"contact_mechanisms.{of}" for of in ("name", "type", "value")))

Party = Mapping[str, Any]


def capabilities(target: TrytonTarget) -> Capabilities:
    """New parties all at once, known ones one by one."""
    return Capabilities(
        modes=modes_of(target),
        batch_records=_BATCH,
        batch_bytes=2**20,
        concurrency=2,
        can_look_up=True,
        calls_per_batch=3.0 + _BATCH / 2,
        calls_per_second=30.0,
    )


def opened(destination: Destination, target: TrytonTarget, outside: Outside) -> Tryton:
    """The database of the target's connection."""
    return open_account(Tryton, destination, outside, can=capabilities(target))


@dataclass(frozen=True, kw_only=True)
class Tryton(Account[TrytonTarget]):
    """``ports.DestinationKind`` over the REST API."""

    _kinds: dict[str, str] = field(default_factory=dict)
    """Types of the mapped fields of a party, once they were asked for."""
    _categories: Known[int] = field(default_factory=Known)
    _preparing: Lock = field(default_factory=Lock)

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> Sequence[Acknowledgement]:
        """Parties and their category in one call; a removal is of the category."""
        if not batch.records:
            return []
        if batch.records[0].operation == "remove":
            return self._take_out(delivery, batch)
        self._compare_fields(delivery)
        category = self._category(delivery.segment)
        known = self._find(batch.records)
        new = [record for record in batch.records if record.key not in known]
        made: Mapping[str, Party] = {}
        if new:
            self._call(
                "party.party/create",
                vlist=[self._values(record, None, category) for record in new],
            )
            made = self._find(new)
        return [
            *(_acknowledged(record, made[record.key]) for record in new if record.key in made),
            *(
                self._change(record, known[record.key], category)
                for record in batch.records
                if record.key in known
            ),
        ]

    def look_up(self, delivery: Delivery, batch: Batch) -> Sequence[Acknowledgement] | None:
        """Parties of the category with these very values; for a removal, not of the category."""
        self._compare_fields(delivery)
        own = [name for name in delivery.schema if name not in _CONTACTS]
        category = self._category(delivery.segment)
        if any(record.operation == "remove" for record in batch.records):
            return [
                Acknowledgement(key=record.key, outcome="retry")
                if any(category in party["categories"] for party in parties)
                else _acknowledged(record, next(iter(parties), None))
                for record, parties in self._leaving(batch)
            ]
        found = self._find(batch.records, own)
        return [
            _acknowledged(record, party)
            if self._is_done(record, party, category)
            else Acknowledgement(key=record.key, outcome="retry")
            for record in batch.records
            for party in [found.get(record.key)]
        ]

    def members(self, segment: str) -> Iterator[str]:
        """Codes, or e-mail addresses: of a party that has several of them, each."""
        category = self._find_category(self._name(segment))
        last = 0
        while category is not None:
            page = self._parties([["categories", "=", category], ["id", ">", last]], _READ, _PAGE)
            for party in page:
                yield from self._keys(party)
            if len(page) < _PAGE:
                return
            last = page[-1]["id"]

    def _change(self, record: OutboundRecord, party: Party, category: int) -> Acknowledgement:
        try:
            self._put(party, self._values(record, party, category))
        except NotAuthorised:
            raise
        except CallRefused as refusal:
            if refusal.status == 404:
                return Acknowledgement(key=record.key, outcome="retry", error="was deleted there")
            return refused(record, f"{refusal.status} {refusal.told}")
        return _acknowledged(record, party)

    def _take_out(self, delivery: Delivery, batch: Batch) -> list[Acknowledgement]:
        leaving = self._leaving(batch)
        category = self._find_category(self._name(delivery.segment))
        parties = {party["id"]: party for _, some in leaving for party in some}
        for party in parties.values():
            if category in party["categories"]:
                self._put(party, {"categories": [["remove", [category]]]})
        return [_acknowledged(record, next(iter(some), None)) for record, some in leaving]

    def _leaving(self, batch: Batch) -> list[tuple[OutboundRecord, list[Party]]]:
        """Each record with the parties that leave the category with it: that which we put there,
        unless it is by now somebody else's who stays, and that which bears its key.
        """
        named, ours = self._found(batch.records)
        stay = staying(batch, {key: self._keys(party) for key, party in ours.items()})
        return [
            (
                record,
                [
                    party
                    for party in (
                        None if record.key in stay else ours.get(record.key),
                        named.get(record.key),
                    )
                    if party
                ],
            )
            for record in batch.records
        ]

    def _values(self, record: OutboundRecord, party: Party | None, category: int) -> dict[str, Any]:
        known = party["contact_mechanisms."] if party else []
        values: dict[str, Any] = {"categories": [["add", [category]]]}
        contacts = []
        for name, value in record.fields.items():
            if name in _CONTACTS:
                contacts += _contact(known, name, None if value is None else text(value))
            else:
                values[name] = _typed(self._kinds[name], value)
        if party is None and self.target.key == "code":
            values["code"] = record.key
        if party is None and self.target.key == "email":
            contacts += _contact(known, "email", record.key)
        return values | ({"contact_mechanisms": contacts} if contacts else {})

    def _is_done(self, record: OutboundRecord, party: Party | None, category: int) -> bool:
        if party is None or category not in party["categories"]:
            return False
        for name, value in record.fields.items():
            if name in _CONTACTS:
                wanted = None if value is None else text(value)
                is_there = not _contact(party["contact_mechanisms."], name, wanted)
            else:
                is_there = (_typed(self._kinds[name], value) or None) == (party[name] or None)
            if not is_there:
                return False
        return True

    def _find(
        self, records: Sequence[OutboundRecord], fields: Sequence[str] = ()
    ) -> dict[str, Party]:
        """Parties by key: those that we know by their id, then by what the key names."""
        named, ours = self._found(records, fields)
        return named | ours

    def _found(
        self, records: Sequence[OutboundRecord], fields: Sequence[str] = ()
    ) -> tuple[dict[str, Party], dict[str, Party]]:
        """By key, the parties that it names, of several the first that was made; and those that
        we know by their id.
        """
        ids = {int(record.remote_id): record.key for record in records if record.remote_id}
        by_key = {record.key.casefold(): record.key for record in records}
        if self.target.key == "code":
            named: list[Any] = [["code", "in", [record.key for record in records]]]
        else:
            values = [["value", "ilike", _literally(record.key)] for record in records]
            where = [["type", "=", "email"], ["OR", *values]]
            named = [["contact_mechanisms", "where", where]]
        parties = self._parties(["OR", ["id", "in", sorted(ids)], *named], [*_READ, *fields])
        found: dict[str, Party] = {}
        for party in parties:
            for key in self._keys(party):
                if key.casefold() in by_key:
                    found.setdefault(by_key[key.casefold()], party)
        return found, {ids[party["id"]]: party for party in parties if party["id"] in ids}

    def _keys(self, party: Party) -> list[str]:
        if self.target.key == "code":
            return [party["code"]] if party["code"] else []
        return [c["value"] for c in party["contact_mechanisms."] if c["type"] == "email"]

    def _parties(
        self, domain: list[Any], fields: Sequence[str], limit: int | None = None
    ) -> list[dict[str, Any]]:
        """In the body of a call, since addresses of calls stand in logs."""
        found: list[dict[str, Any]] = self._call(
            "party.party/search_read",
            domain=domain,
            fields_names=list(fields),
            order=[["id", "ASC"]],
            limit=limit,
        )
        return found

    def _compare_fields(self, delivery: Delivery) -> None:
        """Raises CallRefused for a mapped field that a party does not have, or not as a value."""
        wanted = [name for name in delivery.schema if name not in _CONTACTS]
        with self._preparing:
            if all(name in self._kinds for name in wanted):
                return
            model = self._asked("party.party/fields_get").object()
            for name in wanted:
                kind = model[name]["type"] if name in model else None
                if kind not in _PLAIN:
                    what = f"is a {kind}, which cannot be sent" if kind else "is not there"
                    raise CallRefused(
                        system=self.api.name,
                        call="POST /rest/model/party.party/fields_get",
                        status=200,
                        mend=f"Field {name!r} of party.party {what}: correct fields of "
                        f"{delivery.destination} in conf/destinations.",
                    )
                self._kinds[name] = kind

    def _name(self, segment: str) -> str:
        return audience_name(self.target.category, destination=self.destination, segment=segment)

    def _category(self, segment: str) -> int:
        """The id of the segment's category, which is made where there is none."""
        return self._categories.of(self._name(segment), self._found_or_made)

    def _found_or_made(self, name: str) -> int:
        found = self._find_category(name)
        if found is None:
            self._call("party.category/create", vlist=[{"name": name}])
            found = self._find_category(name)
        if found is None:
            raise CallRefused(
                system=self.api.name,
                call="POST /rest/model/party.category/create",
                status=200,
                mend=f"Category {name!r} was made and cannot be seen: let the user of the key "
                "read party.category.",
            )
        return found

    def _find_category(self, name: str) -> int | None:
        found = self._call(
            "party.category/search_read",
            domain=[["name", "=", name], ["parent", "=", None]],
            fields_names=["name"],
        )
        return int(found[0]["id"]) if found else None

    def _put(self, party: Party, values: Mapping[str, Any]) -> None:
        ids = {"id": str(party["id"])}
        self.api.call("PUT", "/rest/model/party.party/{id}", ids=ids, json=values)

    def _call(self, action: str, **told: Any) -> list[Any]:
        return self._asked(action, **told).objects()

    def _asked(self, action: str, **told: Any) -> Reply:
        return self.api.call("POST", f"/rest/model/{action}", json=told)


def _acknowledged(record: OutboundRecord, party: Party | None) -> Acknowledgement:
    remote_id = str(party["id"]) if party else None
    return Acknowledgement(key=record.key, outcome="acknowledged", remote_id=remote_id)


def _contact(known: Sequence[Party], kind: str, value: str | None) -> list[list[Any]]:
    """What to do so that a party has this contact mechanism; nothing where it has it already."""
    of_kind = [each for each in known if each["type"] == kind]
    ours = [each["id"] for each in of_kind if each["name"] == _MARK]
    todo: list[list[Any]] = []
    kept = None
    if value is not None:
        same = [
            each["id"] for each in of_kind if _compact(kind, each["value"]) == _compact(kind, value)
        ]
        kept = next(iter(same or ours), None)
        if kept is None:
            todo.append(["create", [{"type": kind, "value": value, "name": _MARK}]])
        elif not same:
            todo.append(["write", [kept], {"value": value}])
    left = [each for each in ours if each != kept]
    return [*todo, ["delete", left]] if left else todo


def _compact(kind: str, value: str) -> str:
    return re.sub(r"[^\d+]", "", value) if kind in _PHONES else value.casefold()


def _literally(value: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", value)


def _typed(kind: str, value: FieldValue) -> Any:
    """A value as Tryton's JSON has it."""
    if value is None:
        return None
    if kind in _WORDS:
        return text(value)
    match value:
        case Decimal():
            return {"__class__": "Decimal", "decimal": text(value)}
        case datetime():
            moment = value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
            parts = {part: getattr(moment, part) for part in (*_DAY, *_TIME)}
            return {"__class__": "datetime", **parts}
        case date():
            return {"__class__": "date", **{part: getattr(value, part) for part in _DAY}}
    return value
