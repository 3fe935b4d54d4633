"""HubSpot's contacts, properties and lists, as far as goldenlake uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar

from werkzeug import Request

from support.vendors import Answer, Vendor, route

_AT = "2026-01-01T00:00:00Z"
_CONTACTS = "0-1"
_CORRELATION = "00000000-0000-4000-8000-000000000000"


class Hubspot(Vendor):
    """An account with contacts by id, of which results come back in another order."""

    specs: ClassVar = (
        "hubspot/contacts_v3.json", "hubspot/lists_v3.json", "hubspot/properties_v3.json",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.contacts: dict[str, dict[str, str]] = {}
        self.lists: dict[str, dict[str, Any]] = {}
        self.members: dict[str, set[str]] = {}
        self.properties = {"email", "firstname", "given_name", "orders", "country"}
        self.archived: list[str] = []
        self.merged: dict[str, str] = {}
        """What a contact has become, by the id that it had."""
        self.refused: set[str] = set()
        """Keys that batches refuse one by one."""
        self.created = 0
        self.page_size = 2
        self.search_ends = 10_000
        """Records of one search, however many there are."""
        self.meanwhile: Callable[[], None] = lambda: None
        """What happens after each page of a search."""
        self.changed: dict[str, int] = {}
        """Milliseconds since 1970 at which somebody changed a contact there, by its id."""

    def refusal(self, status: int, message: str) -> Answer:
        """HubSpot's own words."""
        body = {
            "status": "error", "message": message, "category": "VALIDATION_ERROR",
            "correlationId": _CORRELATION, "context": {}, "errors": [], "links": {},
        }  # fmt: skip
        return Answer(body, status)

    def contact(self, email: str) -> str:
        """The id of the contact that has this address."""
        return self._by("email")[email]

    def merge(self, kept: str, other: str) -> str:
        """As somebody does there: a new contact that has the memberships of both; gives its id."""
        merged = str(5000 + len(self.merged))
        self.contacts[merged] = {
            **self.contacts.pop(other), **self.contacts.pop(kept),
            "hs_merged_object_ids": f"{kept};{other}",
        }  # fmt: skip
        self.merged |= {kept: merged, other: merged}
        for members in self.members.values():
            if not members.isdisjoint((kept, other)):
                members -= {kept, other}
                members.add(merged)
        return merged

    @route("POST", "/crm/v3/objects/contacts/batch/upsert")
    def upsert(self, request: Request) -> Answer:
        """By a unique property. An unknown property, or an address that is none, fails the call."""
        inputs = request.get_json()["inputs"]
        if len(inputs) > 100:
            return self.refusal(400, "more than 100 inputs")
        for each in inputs:
            unknown = set(each["properties"]) - self.properties
            if unknown:
                return self.refusal(400, f"Property {min(unknown)!r} does not exist")
            if each["idProperty"] == "email" and "@" not in each["id"]:
                return self.refusal(400, f"Email address {each['id']} is invalid")
        results, errors = [], []
        for each in inputs:
            if each["id"] in self.refused:
                errors.append(
                    {
                        "status": "error", "category": "VALIDATION_ERROR", "links": {},
                        "errors": [], "message": f"{each['id']} was refused",
                        "context": {"objectWriteTraceId": [each["objectWriteTraceId"]]},
                    }
                )  # fmt: skip
                continue
            results.append(self._upserted(each))
        if errors:
            told = {"errors": errors, "numErrors": len(errors)}
            return _completed(results[::-1], 207, **told)
        return _completed(results[::-1])

    def _upserted(self, told: dict[str, Any]) -> dict[str, Any]:
        name = told["idProperty"]
        known = self._by(name).get(told["id"].casefold())
        contact = known or str(1000 + len(self.contacts))
        if known is None:
            self.created += 1
        self.contacts.setdefault(contact, {})
        self.contacts[contact] |= {name: told["id"].lower(), **told["properties"]}
        return {
            **self._shown(contact),
            "new": known is None,
            "objectWriteTraceId": told["objectWriteTraceId"],
        }

    def _shown(self, contact: str) -> dict[str, Any]:
        return {
            "id": contact, "properties": self.contacts[contact], "archived": False,
            "createdAt": _AT, "updatedAt": _AT,
        }  # fmt: skip

    def _by(self, name: str) -> dict[str, str]:
        return {
            has[name].casefold(): contact for contact, has in self.contacts.items() if name in has
        }

    @route("POST", "/crm/v3/objects/contacts/batch/read")
    def read(self, request: Request) -> Answer:
        """Those that exist."""
        asked = request.get_json()
        ids = {**_itself(self.contacts), **self.merged}
        known = self._by(asked["idProperty"]) if "idProperty" in asked else ids
        found = [known[e["id"].casefold()] for e in asked["inputs"] if e["id"].casefold() in known]
        results = [self._shown(contact) for contact in dict.fromkeys(found)]
        return _completed(results)

    @route("POST", "/crm/v3/objects/contacts/search")
    def search(self, request: Request) -> Answer:
        """Those that were changed since, in that order, in small pages."""
        asked = request.get_json()
        since = int(asked["filterGroups"][0]["filters"][0]["value"])
        found = sorted(
            (changed, contact) for contact, changed in self.changed.items() if changed >= since
        )
        first = int(asked["after"])
        if first >= self.search_ends:
            return self.refusal(400, f"a search ends after {self.search_ends} records")
        page = found[first : first + self.page_size]
        results = [
            {**self._shown(contact), "updatedAt": _instant(changed)} for changed, contact in page
        ]
        self.meanwhile()
        more = first + len(page) < len(found)
        paging = {"paging": {"next": {"after": str(first + len(page))}}} if more else {}
        return Answer({"total": len(found), "results": results, **paging})

    @route("POST", "/crm/v3/objects/contacts/batch/archive")
    def archive(self, request: Request) -> Answer:
        """Into the bin, and out of every list."""
        for each in request.get_json()["inputs"]:
            self.contacts.pop(each["id"], None)
            self.archived.append(each["id"])
            for members in self.members.values():
                members.discard(each["id"])
        return Answer(status=204)

    @route("GET", "/crm/v3/properties/<object_type>")
    def known_properties(self, request: Request, object_type: str) -> Answer:
        """All of them."""
        return Answer({"results": [_property(name) for name in sorted(self.properties)]})

    @route("POST", "/crm/v3/properties/<object_type>/batch/create")
    def make_properties(self, request: Request, object_type: str) -> Answer:
        """New ones."""
        names = [each["name"] for each in request.get_json()["inputs"]]
        self.properties |= set(names)
        results = [_property(name) for name in names]
        return _completed(results, 201)

    @route("GET", "/crm/v3/lists/object-type-id/<object_type>/name/<name>")
    def list_by_name(self, request: Request, object_type: str, name: str) -> Answer:
        """Or 404."""
        for found in self.lists.values():
            if found["name"] == name:
                return Answer({"list": found})
        return self.refusal(404, f"List {name} does not exist")

    @route("POST", "/crm/v3/lists")
    def make_list(self, request: Request) -> Answer:
        """Names are unique."""
        told = request.get_json()
        if any(each["name"] == told["name"] for each in self.lists.values()):
            return self.refusal(409, "A list with this name exists")
        list_id = str(len(self.lists) + 1)
        self.lists[list_id] = {
            **told, "listId": list_id, "listVersion": 1, "processingStatus": "COMPLETE",
        }  # fmt: skip
        self.members[list_id] = set()
        return Answer({"list": self.lists[list_id]})

    @route("PUT", "/crm/v3/lists/<list_id>/memberships/add")
    def add(self, request: Request, list_id: str) -> Answer:
        """By record id; those who do not exist are named."""
        asked = request.get_json()
        there = [each for each in asked if each in self.contacts]
        added = [each for each in there if each not in self.members[list_id]]
        self.members[list_id] |= set(there)
        missing = [each for each in asked if each not in self.contacts]
        return Answer(
            {"recordIdsMissing": missing, "recordsIdsAdded": added, "recordIdsRemoved": []}
        )

    @route("GET", "/crm/v3/lists/<list_id>/memberships")
    def page(self, request: Request, list_id: str) -> Answer:
        """Small pages, in order."""
        after = request.args.get("after", "")
        found = sorted(each for each in self.members[list_id] if each > after)
        page = found[: self.page_size]
        results = [{"recordId": each, "membershipTimestamp": _AT} for each in page]
        more = len(found) > len(page)
        paging = {"paging": {"next": {"after": page[-1], "link": "x"}}} if more else {}
        return Answer({"results": results, **paging})

    @route("PUT", "/crm/v3/lists/<list_id>/memberships/remove")
    def remove(self, request: Request, list_id: str) -> Answer:
        """By record id; those who do not exist are named."""
        asked = set(request.get_json())
        missing = sorted(asked - set(self.contacts))
        removed = sorted(asked & self.members[list_id])
        self.members[list_id] -= asked
        return Answer(
            {"recordIdsMissing": missing, "recordsIdsAdded": [], "recordIdsRemoved": removed}
        )

    @route("POST", "/crm/v3/lists/records/memberships/batch/read")
    def memberships(self, request: Request) -> Answer:
        """Of each record."""
        results = [
            {
                "objectTypeId": _CONTACTS,
                "recordId": each["recordId"],
                "recordListMemberships": [
                    {"listId": list_id, "listVersion": 1}
                    for list_id, members in self.members.items()
                    if each["recordId"] in members
                ],
            }
            for each in request.get_json()["inputs"]
        ]
        return _completed(results)


def _instant(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat().replace("+00:00", "Z")


def _itself(contacts: Iterable[str]) -> dict[str, str]:
    return {contact: contact for contact in contacts}


def _property(name: str) -> dict[str, Any]:
    return {
        "name": name, "label": name, "type": "string", "fieldType": "text", "description": "",
        "groupName": "contactinformation", "options": [],
    }  # fmt: skip


def _completed(results: list[dict[str, Any]], status: int = 200, **others: Any) -> Answer:
    told = {"completedAt": _AT, "startedAt": _AT, "status": "COMPLETE", "results": results}
    return Answer({**told, **others}, status)
