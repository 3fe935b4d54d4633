"""HubSpot: contacts by a unique property, and a manual list for each segment.

https://developers.hubspot.com/docs/api-reference/crm-contacts-v3 and crm-lists-v3. A contact is
acknowledged only when it is in the list as well. What leaves is taken out of the list; the contact
itself stays, unless ``gone`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.targets import HubspotTarget, audience_name, modes_of
from goldenlake.destinations.accounts import Account, Known, open_account, there
from goldenlake.destinations.bearers import is_anothers, staying
from goldenlake.destinations.sending import refused
from goldenlake.destinations.values import text
from goldenlake.errors import CallRefused
from goldenlake.ports import (
    Acknowledgement,
    Batch,
    Capabilities,
    Delivery,
    NoteJob,
    OutboundRecord,
    Outside,
    Published,
)

#: https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
PUBLISHED = Published(rates=[(190, 10.0)], concurrency=8)
_CONTACTS = "0-1"
_BATCH = 100
_PAGE = 250
_MERGED = "hs_merged_object_ids"
"""Ids that a contact had before merges, with a semicolon between them."""
_Contact = Mapping[str, Any]
_GONE = ("gone", "key_changed")
"""Reasons of removals after which the customer goes by the key no more."""
_PASSING = ("RATE_LIMITS", "INTERNAL_ERROR", "TIMEOUT")
_TYPES = {
    "boolean": ("bool", "booleancheckbox"),
    "date": ("date", "date"),
    "timestamp": ("datetime", "date"),
    **dict.fromkeys(
        ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal"), ("number", "number")
    ),
}
_YES_OR_NO = [
    {"label": label, "value": value, "displayOrder": at, "hidden": False}
    for at, (label, value) in enumerate((("Yes", "true"), ("No", "false")))
]


def capabilities(target: HubspotTarget) -> Capabilities:
    """Contacts in hundreds, and a second call for the list."""
    return Capabilities(
        modes=modes_of(target),
        batch_records=_BATCH,
        batch_bytes=3 * 2**20,
        concurrency=4,
        can_look_up=True,
        calls_per_batch=2.0,
        calls_per_second=19.0,
    )


def opened(destination: Destination, target: HubspotTarget, outside: Outside) -> Hubspot:
    """The account of the target's connection."""
    return open_account(Hubspot, destination, outside, can=capabilities(target))


@dataclass(frozen=True, kw_only=True)
class Hubspot(Account[HubspotTarget]):
    """``ports.DestinationKind`` over the API's version 3."""

    _lists: Known[str] = field(default_factory=Known)
    """Ids of lists by their names."""
    _prepared: set[str] = field(default_factory=set)
    _preparing: Lock = field(default_factory=Lock)

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> Sequence[Acknowledgement]:
        """Contacts first, then their membership; a removal is of the membership."""
        if not batch.records:
            return []
        if batch.records[0].operation == "remove":
            return self._remove(delivery, batch)
        self._prepare(delivery)
        answers, ids = self._upsert(batch.records)
        return answers + self._enlist(delivery, ids)

    def look_up(self, delivery: Delivery, batch: Batch) -> Sequence[Acknowledgement] | None:
        """Contacts with these very properties that are in the list; for a removal, not in it, and
        none that is still to be archived.
        """
        found = self._read(batch.records, list(delivery.schema))
        to_archive: Mapping[str, set[str]] = {}
        if any(record.operation == "remove" for record in batch.records):
            ours = self._put_by_us(batch.records)
            ids = self._leaving(batch, found, ours)
            to_archive = self._to_archive(batch, found, ours)
        else:
            ids = {key: {str(each["id"])} for key, each in found.items()}
        members = self._members_of(self._list(delivery.segment), sorted(set().union(*ids.values())))
        return [
            Acknowledgement(
                key=record.key,
                outcome="acknowledged" if is_done else "retry",
                remote_id=found.get(record.key, {}).get("id"),
            )
            for record in batch.records
            for is_member in [not members.isdisjoint(ids.get(record.key, ()))]
            for is_done in [
                _is_done(record, found.get(record.key), is_member)
                and not to_archive.get(record.key)
            ]
        ]

    def members(self, segment: str) -> Iterator[str]:
        """Values of the unique property, in the order of the list's pages."""
        found = self._find_list(self._name(segment))
        key = self.target.id_property
        after: dict[str, str | int] = {}
        while found:
            page = self.api.call(
                "GET",
                "/crm/v3/lists/{list}/memberships",
                ids={"list": found},
                params={"limit": _PAGE, **after},
            ).object()
            inputs = [{"id": each["recordId"]} for each in page["results"]]
            for some in range(0, len(inputs), _BATCH):
                reply = self.api.call(
                    "POST",
                    "/crm/v3/objects/contacts/batch/read",
                    json={
                        "inputs": inputs[some : some + _BATCH],
                        "properties": [key],
                        "propertiesWithHistory": [],
                    },
                ).object()
                yield from (each["properties"].get(key) or "" for each in reply["results"])
            if not (following := page.get("paging", {}).get("next")):
                return
            after = {"after": following["after"]}

    def _upsert(
        self, records: Sequence[OutboundRecord]
    ) -> tuple[list[Acknowledgement], dict[str, str]]:
        """Refusals, and the contact's id of each other record, by key. HubSpot gives results in
        an order of its own, so each input bears a mark that comes back with its result.
        """
        by_mark = {str(at): record for at, record in enumerate(records)}
        inputs = [
            {
                "id": record.key,
                "idProperty": self.target.id_property,
                "objectWriteTraceId": mark,
                "properties": {name: text(value) for name, value in record.fields.items()},
            }
            for mark, record in by_mark.items()
        ]
        reply = self.api.call(
            "POST", "/crm/v3/objects/contacts/batch/upsert", json={"inputs": inputs}
        ).object()
        ids = {
            by_mark[mark].key: str(each["id"])
            for each in reply["results"]
            if (mark := each.get("objectWriteTraceId")) in by_mark
        }
        refusals = [
            _refusal(by_mark[mark], error)
            for error in reply.get("errors", ())
            for mark in error.get("context", {}).get("objectWriteTraceId", ())
            if mark in by_mark
        ]
        return refusals, ids

    def _enlist(self, delivery: Delivery, ids: Mapping[str, str]) -> list[Acknowledgement]:
        if not ids:
            return []
        reply = self.api.call(
            "PUT",
            "/crm/v3/lists/{list}/memberships/add",
            ids={"list": self._list(delivery.segment)},
            json=sorted(set(ids.values())),
        ).object()
        missing = set(reply["recordIdsMissing"])
        return [
            Acknowledgement(
                key=key,
                outcome="retry" if contact in missing else "acknowledged",
                remote_id=contact,
            )
            for key, contact in ids.items()
        ]

    def _remove(self, delivery: Delivery, batch: Batch) -> list[Acknowledgement]:
        found, ours = self._read(batch.records, []), self._put_by_us(batch.records)
        ids = self._leaving(batch, found, ours)
        missing: set[str] = set()
        if leaving := set().union(*ids.values()):
            reply = self.api.call(
                "PUT",
                "/crm/v3/lists/{list}/memberships/remove",
                ids={"list": self._list(delivery.segment)},
                json=sorted(leaving),
            ).object()
            missing = set(reply["recordIdsMissing"])
        if gone := set().union(*self._to_archive(batch, found, ours).values()):
            inputs = [{"id": contact} for contact in sorted(gone)]
            self.api.call("POST", "/crm/v3/objects/contacts/batch/archive", json={"inputs": inputs})
        return [
            Acknowledgement(
                key=record.key,
                outcome="acknowledged" if missing.isdisjoint(ids[record.key]) else "retry",
                remote_id=found[record.key]["id"] if record.key in found else record.remote_id,
            )
            for record in batch.records
        ]

    def _to_archive(
        self, batch: Batch, found: Mapping[str, _Contact], ours: Mapping[str, _Contact]
    ) -> dict[str, set[str]]:
        """By key, contacts of those who are gone. Never what somebody was merged into, nor what
        bears another key by now, nor that of a key which stays in another list of the account: that
        is another person's, or another destination's, contact as well.
        """
        if self.target.gone != "archive":
            return {}
        gone = [record for record in batch.records if record.reason in _GONE]
        stay = batch.who_stays_anywhere({record.key for record in gone}) if gone else frozenset()
        contacts: dict[str, set[str]] = {}
        for record in gone:
            if record.key in stay:
                continue
            known, own = found.get(record.key), ours.get(record.key)
            is_itself = own is not None and str(own["id"]) == record.remote_id
            if own and (not is_itself or is_anothers(record.key, self._bears(own))):
                own = None
            contacts[record.key] = {str(each["id"]) for each in (known, own) if each}
        return contacts

    def _leaving(
        self, batch: Batch, found: Mapping[str, _Contact], ours: Mapping[str, _Contact]
    ) -> dict[str, set[str]]:
        """By key, the contacts that leave the list with a record: that which bears its key, and
        that which we put there, or what it was merged into since, unless it is by now somebody
        else's who stays. None where neither is left.
        """
        stay = staying(batch, {key: self._bears(each) for key, each in ours.items()})
        return {
            record.key: {
                str(each["id"])
                for each in (
                    found.get(record.key),
                    None if record.key in stay else ours.get(record.key),
                )
                if each
            }
            for record in batch.records
        }

    def _bears(self, contact: _Contact) -> list[str]:
        """Its key, if it has one."""
        key = contact["properties"].get(self.target.id_property)
        return [key] if key else []

    def _put_by_us(self, records: Sequence[OutboundRecord]) -> dict[str, _Contact]:
        """By key, the contact that a record's id leads to; a merge makes a new one of two.

        https://developers.hubspot.com/changelog/updated-merge-functionality-for-contacts-and-companies
        """
        ours = sorted({record.remote_id for record in records if record.remote_id})
        if not ours:
            return {}
        reply = self.api.call(
            "POST",
            "/crm/v3/objects/contacts/batch/read",
            json={
                "inputs": [{"id": contact} for contact in ours],
                "properties": [_MERGED, self.target.id_property],
                "propertiesWithHistory": [],
            },
        ).object()
        now = {
            was: each
            for each in reply["results"]
            for was in (str(each["id"]), *(each["properties"].get(_MERGED) or "").split(";"))
        }
        return {r.key: now[r.remote_id] for r in records if r.remote_id in now}

    def _read(
        self, records: Sequence[OutboundRecord], properties: list[str]
    ) -> dict[str, _Contact]:
        """Contacts by key, of those that exist."""
        key = self.target.id_property
        reply = self.api.call(
            "POST",
            "/crm/v3/objects/contacts/batch/read",
            json={
                "idProperty": key,
                "inputs": [{"id": record.key} for record in records],
                "properties": sorted({key, *properties}),
                "propertiesWithHistory": [],
            },
        ).object()
        by_value = {
            (each["properties"].get(key) or "").casefold(): each for each in reply["results"]
        }
        return {r.key: by_value[r.key.casefold()] for r in records if r.key.casefold() in by_value}

    def _members_of(self, list_id: str, contacts: Sequence[str]) -> set[str]:
        if not contacts:
            return set()
        inputs = [{"objectTypeId": _CONTACTS, "recordId": contact} for contact in contacts]
        reply = self.api.call(
            "POST", "/crm/v3/lists/records/memberships/batch/read", json={"inputs": inputs}
        ).object()
        return {
            each["recordId"]
            for each in reply["results"]
            if any(str(of["listId"]) == list_id for of in each["recordListMemberships"])
        }

    def _name(self, segment: str) -> str:
        return audience_name(self.target.list, destination=self.destination, segment=segment)

    def _list(self, segment: str) -> str:
        """The id of the segment's list, which is made where there is none."""
        return self._lists.of(
            self._name(segment), lambda name: self._find_list(name) or self._make_list(name)
        )

    def _find_list(self, name: str) -> str | None:
        reply = there(
            self.api,
            "GET",
            "/crm/v3/lists/object-type-id/{type}/name/{name}",
            ids={"type": _CONTACTS, "name": name},
        )
        if reply is None:
            return None
        found = reply.object()["list"]
        if found["processingType"] not in ("MANUAL", "SNAPSHOT"):
            raise CallRefused(
                system=self.api.name,
                call="GET /crm/v3/lists",
                status=reply.status,
                mend=f"List {name!r} is filled by HubSpot itself; name another one in target.list.",
            )
        return str(found["listId"])

    def _make_list(self, name: str) -> str:
        reply = self.api.call(
            "POST",
            "/crm/v3/lists",
            json={"name": name, "objectTypeId": _CONTACTS, "processingType": "MANUAL"},
        )
        return str(reply.object()["list"]["listId"])

    def _prepare(self, delivery: Delivery) -> None:
        """Make the properties that the mapping names and the account does not have."""
        with self._preparing:
            if not self.target.create_properties or delivery.destination in self._prepared:
                return
            known = self.api.call("GET", "/crm/v3/properties/contacts").object()["results"]
            absent = set(delivery.schema) - {each["name"] for each in known}
            if absent:
                inputs = [self._property(name, delivery.schema[name]) for name in sorted(absent)]
                self.api.call(
                    "POST", "/crm/v3/properties/contacts/batch/create", json={"inputs": inputs}
                )
            self._prepared.add(delivery.destination)

    def _property(self, name: str, of: str) -> dict[str, Any]:
        kind, widget = _TYPES.get(of.partition("(")[0], ("string", "text"))
        return {
            "name": name,
            "label": name.replace("_", " "),
            "groupName": self.target.property_group,
            "type": kind,
            "fieldType": widget,
            **({"options": _YES_OR_NO} if kind == "bool" else {}),
        }


def _refusal(record: OutboundRecord, error: Mapping[str, Any]) -> Acknowledgement:
    is_passing = error.get("category") in _PASSING
    told = f"{error.get('category', '')}: {error.get('message', '')}"
    return refused(record, told, is_passing=is_passing)


def _is_done(record: OutboundRecord, contact: _Contact | None, is_member: bool) -> bool:
    if record.operation == "remove":
        return not is_member
    if contact is None or not is_member:
        return False
    has = contact["properties"]
    return all((has.get(name) or "") == text(value) for name, value in record.fields.items())
