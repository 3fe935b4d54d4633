"""SendGrid: contacts by one of their identifiers, and a list for each segment.

https://www.twilio.com/docs/sendgrid/api-reference/contacts and lists. What is sent is worked on in
jobs, which tell of errors but not of people: a contact is acknowledged when it is found in the list
after its job. In mode ``suppress`` addresses are added to an unsubscribe group, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from threading import Lock
from typing import Any

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.targets import SendgridTarget, audience_name, modes_of
from goldenlake.destinations.accounts import Account, Known, open_account, there, token_of
from goldenlake.destinations.jobs import Work, all_are, found, keys_of, name
from goldenlake.destinations.sending import never_lifted
from goldenlake.destinations.values import text
from goldenlake.errors import CallRefused
from goldenlake.ports import (
    Acknowledgement,
    Batch,
    Capabilities,
    Delivery,
    FieldValue,
    Found,
    NoteJob,
    OutboundRecord,
    Outside,
    Published,
)

PUBLISHED = Published(concurrency=4)
_CONTACTS = "/v3/marketing/contacts"
_LISTS = "/v3/marketing/lists"
_FIELDS = "/v3/marketing/field_definitions"
_GROUP = "/v3/asm/groups/{group}"
_MOST_ASKED = 100
"""Contacts in a search, and in a removal."""
_MOST_SUPPRESSED = 1000
_TYPES = {
    **dict.fromkeys(
        ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal"), "Number"
    ),
    **dict.fromkeys(("date", "timestamp"), "Date"),
}


def capabilities(target: SendgridTarget) -> Capabilities:
    """Contacts in tens of thousands, which are searched for in hundreds afterwards."""
    return Capabilities(
        modes=modes_of(target),
        batch_records=10_000,
        batch_bytes=4 * 2**20,
        concurrency=2,
        clears=False,
        can_look_up=True,
        calls_per_batch=102.0,
    )


def opened(destination: Destination, target: SendgridTarget, outside: Outside) -> Sendgrid:
    """The account of the target's connection."""
    return open_account(Sendgrid, destination, outside, can=capabilities(target))


@dataclass(frozen=True, kw_only=True)
class _Field:
    """A field of contacts."""

    id: str | None
    """By which it is written; None for a reserved one, which is written by its name."""
    type: str


@dataclass(frozen=True, kw_only=True)
class Sendgrid(Account[SendgridTarget]):
    """``ports.DestinationKind`` over the Marketing Campaigns API."""

    _lists: Known[str] = field(default_factory=Known)
    """Ids of lists by their names."""
    _fields: dict[str, _Field] = field(default_factory=dict)
    _jobs: set[str] = field(default_factory=set)
    _preparing: Lock = field(default_factory=Lock)

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> Sequence[Acknowledgement]:
        """Contacts and their membership in one job; a removal is of the membership."""
        if not batch.records:
            return []
        is_removal = batch.records[0].operation == "remove"
        if delivery.mode == "suppress":
            return never_lifted(batch.records) if is_removal else self._suppress(batch)
        if is_removal:
            return self._remove(delivery, batch, note)
        self._upsert(delivery, batch.records, note)
        return all_are(batch.records, "pending")

    def look_up(self, delivery: Delivery, batch: Batch) -> Sequence[Acknowledgement] | None:
        """What a job that has ended says was refused, and otherwise who is in the list."""
        if delivery.mode == "suppress":
            return self._suppressed(batch)
        work = self._work(batch.job)
        if work.is_running:
            return all_are(batch.records, "pending")
        refused = work.refused(batch.records)
        is_told = work.vouches(refused)
        if not is_told:
            self._prepare(delivery)
        left = [record for record in batch.records if name(record) not in work.errors]
        list_id = self._list(delivery)
        contacts = self._contacts(keys_of(left), batch.found)
        return refused + [
            self._judged(record, contacts.get(name(record)), list_id, is_told=is_told)
            for record in left
        ]

    def among(self, segment: str, keys: Sequence[str]) -> set[str]:
        """Those in the segment's list; contacts are searched for, a hundred a call."""
        called = audience_name(self.target.list, destination=self.destination, segment=segment)
        list_id = {each["name"]: each["id"] for each in self._all_lists()}.get(called)
        if list_id is None:
            return set()
        there = self._members(keys, list_id, {})
        return {key for key in keys if key.casefold() in there}

    def _upsert(self, delivery: Delivery, records: Sequence[OutboundRecord], note: NoteJob) -> None:
        self._prepare(delivery)
        body = {
            "list_ids": [self._list(delivery)],
            "contacts": [self._contact(record) for record in records],
        }
        self._begun(self.api.call("PUT", _CONTACTS, json=body).object(), note)

    def _contact(self, record: OutboundRecord) -> dict[str, Any]:
        contact: dict[str, Any] = {self.target.identifier: record.key}
        custom: dict[str, Any] = {}
        for each, value in record.fields.items():
            if value is not None:
                known = self._fields[each]
                place, called = (contact, each) if known.id is None else (custom, known.id)
                place[called] = _written(value, known)
        return contact | ({"custom_fields": custom} if custom else {})

    def _begun(self, reply: Mapping[str, Any] | None, note: NoteJob) -> None:
        if job := (reply or {}).get("job_id"):
            self._jobs.add(job)
            note(job)

    def _remove(self, delivery: Delivery, batch: Batch, note: NoteJob) -> list[Acknowledgement]:
        list_id = self._list(delivery)
        members = self._members(keys_of(batch.records), list_id, batch.found)
        ids = sorted({contact["id"] for contact in members.values()})
        for at in range(0, len(ids), _MOST_ASKED):
            reply = self.api.call(
                "DELETE",
                _LISTS + "/{list}/contacts",
                ids={"list": list_id},
                params={"contact_ids": ",".join(ids[at : at + _MOST_ASKED])},
            )
            self._begun(reply.object(), note)
        return [
            Acknowledgement(
                key=record.key, outcome="pending" if name(record) in members else "acknowledged"
            )
            for record in batch.records
        ]

    def _work(self, job: str | None) -> Work:
        """How far a job is. One that SendGrid knows no more has told nothing."""
        if job is None:
            return Work()
        reply = there(self.api, "GET", _CONTACTS + "/imports/{job}", ids={"job": job})
        if reply is None:
            return Work()
        told = reply.object()
        if told["status"] == "pending":
            return Work(is_running=True)
        results = told.get("results") or {}
        url = results.get("errors_url")
        return Work(
            is_ours=job in self._jobs and told["status"] != "failed",
            errors=self._errors(url) if url else {},
            errored=int(results.get("errored_count") or 0),
        )

    def _errors(self, url: str) -> dict[str, str]:
        """Lines of a file of errors, of whatever form, by the words in them; where several people
        share a line it is told of none. A file that is there no longer tells nothing.
        """
        try:
            content = self.api.call("GET", url).content.decode(errors="replace")
        except CallRefused:
            return {}
        lines: dict[str, str] = {}
        for line in content.splitlines():
            words = [word.casefold() for word in re.findall(r"[^\s,;\"'<>\[\]{}]+", line)]
            is_shared = sum("@" in word for word in words) > 1
            lines |= dict.fromkeys(words, "" if is_shared else line)
        return lines

    def _judged(
        self,
        record: OutboundRecord,
        contact: Mapping[str, Any] | None,
        list_id: str,
        *,
        is_told: bool,
    ) -> Acknowledgement:
        """Whether a record was applied. Its values are compared unless a job of ours, of which all
        errors are known, vouches for them.
        """
        is_member = contact is not None and list_id in contact["list_ids"]
        if record.operation == "remove":
            is_done = not is_member
        else:
            is_done = contact is not None and is_member and (is_told or self._has(contact, record))
        return Acknowledgement(
            key=record.key,
            outcome="acknowledged" if is_done else "retry",
            remote_id=contact["id"] if contact else None,
        )

    def _has(self, contact: Mapping[str, Any], record: OutboundRecord) -> bool:
        held = {**contact, **(contact.get("custom_fields") or {})}
        return all(
            _is_same(_written(value, self._fields[each]), held.get(each))
            for each, value in record.fields.items()
            if value is not None
        )

    def _members(
        self, keys: Sequence[str], list_id: str, known: Found
    ) -> dict[str, dict[str, Any]]:
        """Those of the contacts that are in a list."""
        contacts = self._contacts(keys, known).items()
        return {called: told for called, told in contacts if list_id in told["list_ids"]}

    def _contacts(self, keys: Sequence[str], known: Found) -> dict[str, dict[str, Any]]:
        """Contacts by what they are known by, in small letters, of those that exist."""
        return {
            called.casefold(): told["contact"]
            for called, told in found(keys, _MOST_ASKED, self._searched, known)
            if told.get("contact")
        }

    def _searched(self, keys: list[str]) -> list[tuple[str, dict[str, Any]]]:
        reply = there(
            self.api,
            "POST",
            _CONTACTS + "/search/identifiers/{identifier}",
            ids={"identifier": self.target.identifier},
            json={"identifiers": keys},
        )
        return list(reply.object()["result"].items()) if reply else []

    def _suppress(self, batch: Batch) -> list[Acknowledgement]:
        """Add addresses to the group. Were the group not there, SendGrid would suppress them for
        all mail, so it is asked for first.
        """
        group = {"group": str(self.target.unsubscribe_group)}
        if there(self.api, "GET", _GROUP, ids=group) is None:
            raise CallRefused(
                system=self.api.name,
                call=f"GET {_GROUP}",
                status=404,
                mend="Addresses would be suppressed for all mail, so nothing was sent; name a "
                "group that exists in target.unsubscribe_group.",
            )
        keys = keys_of(batch.records)
        for at in range(0, len(keys), _MOST_SUPPRESSED):
            body = {"recipient_emails": keys[at : at + _MOST_SUPPRESSED]}
            self.api.call("POST", _GROUP + "/suppressions", ids=group, json=body)
        return self._suppressed(batch)

    def _suppressed(self, batch: Batch) -> list[Acknowledgement]:
        def searched(keys: list[str]) -> list[str]:
            group = {"group": str(self.target.unsubscribe_group)}
            body = {"recipient_emails": keys}
            called = _GROUP + "/suppressions/search"
            return self.api.call("POST", called, ids=group, json=body).objects()

        there = {
            address.casefold()
            for address in found(keys_of(batch.records), _MOST_SUPPRESSED, searched, batch.found)
        }
        return [
            Acknowledgement(
                key=record.key, outcome="acknowledged" if name(record) in there else "retry"
            )
            for record in batch.records
        ]

    def _list(self, delivery: Delivery) -> str:
        """The id of the segment's list, which is made where there is none."""
        called = audience_name(
            self.target.list, destination=self.destination, segment=delivery.segment
        )
        return self._lists.of(called, self._found_or_made)

    def _found_or_made(self, called: str) -> str:
        known = {each["name"]: each["id"] for each in self._all_lists()}
        return known.get(called) or self._make_list(called)

    def _all_lists(self) -> Iterator[Mapping[str, Any]]:
        asked: dict[str, str | int] = {"page_size": 1000}
        while True:
            page = self.api.call("GET", _LISTS, params=asked).object()
            yield from page["result"]
            token = token_of((page.get("_metadata") or {}).get("next"), "page_token")
            if token is None:
                return
            asked["page_token"] = token

    def _make_list(self, called: str) -> str:
        return str(self.api.call("POST", _LISTS, json={"name": called}).object()["id"])

    def _prepare(self, delivery: Delivery) -> None:
        """Know the fields that the mapping names, and make those that the account does not have."""
        with self._preparing:
            absent = set(delivery.schema) - set(self._fields)
            if not absent:
                return
            told = self.api.call("GET", _FIELDS).object()
            for each in told["custom_fields"]:
                self._keep(each)
            for each in told["reserved_fields"]:
                if not each.get("read_only"):
                    self._keep({**each, "id": None})
                elif each["name"] in absent:
                    raise self._without_field(
                        f"Field {each['name']!r} is written by SendGrid alone; take it out of the "
                        "mapping."
                    )
            absent -= set(self._fields)
            if absent and not self.target.create_fields:
                raise self._without_field(
                    f"There is no field {min(absent)!r}; make it there, or set "
                    "target.create_fields."
                )
            for called in sorted(absent):
                kind = _TYPES.get(delivery.schema[called].partition("(")[0], "Text")
                made = {"name": called, "field_type": kind}
                self._keep(self.api.call("POST", _FIELDS, json=made).object())

    def _without_field(self, mend: str) -> CallRefused:
        return CallRefused(system=self.api.name, call=f"GET {_FIELDS}", status=200, mend=mend)

    def _keep(self, told: Mapping[str, Any]) -> None:
        self._fields[told["name"]] = _Field(id=told["id"], type=told["field_type"])


def _written(value: FieldValue, known: _Field) -> str | int | float:
    """A value as a field takes it: numbers as such, days as instants, all else as text."""
    if known.type == "Number" and isinstance(value, int | float | Decimal):
        return float(value) if isinstance(value, Decimal) else value
    if known.type == "Date" and isinstance(value, date) and not isinstance(value, datetime):
        return f"{value.isoformat()}T00:00:00Z"
    return text(value)


def _is_same(sent: str | int | float, held: Any) -> bool:
    if isinstance(sent, int | float):
        return isinstance(held, int | float) and float(held) == float(sent)
    return sent == (held or "")
