"""Mailchimp: members of one audience, and a static segment for each of our segments.

https://mailchimp.com/developer/marketing/api/lists and list-segments. Every member is read before
it is written: what somebody subscribed to or left is never changed, but in mode ``suppress``, which
unsubscribes. Only people whom the audience does not have get a status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import md5
from threading import Lock
from typing import Any

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.targets import MailchimpTarget, audience_name, modes_of
from goldenlake.destinations.accounts import Account, Known, open_account, there
from goldenlake.destinations.jobs import name
from goldenlake.destinations.sending import never_lifted, refused, rejected
from goldenlake.destinations.values import counted, text
from goldenlake.errors import CallRefused
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
)

_AUDIENCE = "/lists/{audience}"
_MEMBER = _AUDIENCE + "/members/{member}"
_SEGMENTS = _AUDIENCE + "/segments"
_MEMBERS = _SEGMENTS + "/{segment}/members"
_FIELDS = _AUDIENCE + "/merge-fields"
_PAGE = 1000
_SILENCED = ("unsubscribed", "cleaned")
_KEPT = (*_SILENCED, "archived")
"""Statuses that a member keeps; who put somebody into the archive takes them out again."""
_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_TYPES = {**dict.fromkeys(_NUMBERS, "number"), "date": "date"}

Member = Mapping[str, Any]


def _throttles(status: int, content: bytes) -> bool:
    """A 403 without the problem that Mailchimp tells of every refusal comes from its gateway."""
    return status == 403 and not content.lstrip().startswith(b"{")


#: https://mailchimp.com/developer/marketing/docs/fundamentals/#throttling
PUBLISHED = Published(concurrency=10, throttles=_throttles)


def capabilities(target: MailchimpTarget) -> Capabilities:
    """Members in hundreds, each of whom is read first."""
    return Capabilities(
        modes=modes_of(target),
        batch_records=500,
        batch_bytes=5 * 2**20,
        concurrency=8,
        can_look_up=True,
        calls_per_batch=503.0,
    )


def opened(destination: Destination, target: MailchimpTarget, outside: Outside) -> Mailchimp:
    """The account of the target's connection."""
    return open_account(Mailchimp, destination, outside, can=capabilities(target))


@dataclass(frozen=True, kw_only=True)
class Mailchimp(Account[MailchimpTarget]):
    """``ports.DestinationKind`` and ``ListsMembers`` over the Marketing API's version 3.0."""

    _segments: Known[int] = field(default_factory=Known)
    """Ids of static segments by their names."""
    _fields: set[str] = field(default_factory=set)
    _preparing: Lock = field(default_factory=Lock)

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> Sequence[Acknowledgement]:
        """Members of the audience first, then of the segment; a removal is of the segment."""
        if not batch.records:
            return []
        is_removal = batch.records[0].operation == "remove"
        if delivery.mode == "suppress":
            return never_lifted(batch.records) if is_removal else self._suppress(batch.records)
        if is_removal:
            return self._remove(delivery, batch.records)
        return self._upsert(delivery, batch.records)

    def look_up(self, delivery: Delivery, batch: Batch) -> Sequence[Acknowledgement] | None:
        """Members with these very fields who are in the segment; for a removal, not in it."""
        members = self._read(batch.records)
        if delivery.mode == "suppress":
            return [
                _answer(record, is_done=_status(members.get(record.key)) in _SILENCED)
                for record in batch.records
            ]
        segment = self._segment(delivery)
        return [_looked_up(record, members.get(record.key), segment) for record in batch.records]

    def members(self, segment: str) -> Iterator[str]:
        """Addresses in the static segment, of whatever status, in the order of its pages."""
        found = self._find_segment(self._name(segment))
        if found is None:
            return
        everybody = ("include_cleaned", "include_transactional", "include_unsubscribed")
        params = dict.fromkeys(everybody, "true")
        for each in self._pages(_MEMBERS, "members", params, segment=found):
            yield each["email_address"]

    def _upsert(
        self, delivery: Delivery, records: Sequence[OutboundRecord]
    ) -> list[Acknowledgement]:
        self._prepare(delivery)
        segment, members = self._segment(delivery), self._read(records)
        answers = {
            record.key: _kept(record, status)
            for record in records
            if (status := _status(members.get(record.key))) in _KEPT
        }
        left = [record for record in records if record.key not in answers]
        known = [record for record in left if record.key in members]
        new = [record for record in left if record.key not in members]
        answers |= self._written(known, status=None)
        answers |= self._written(new, status=self.target.status_if_new)
        lacking = [
            record
            for record in left
            if answers[record.key].outcome == "acknowledged"
            and segment not in _tags(members.get(record.key))
        ]
        for key in self._not_enlisted(segment, lacking):
            answers[key] = Acknowledgement(key=key, outcome="retry", error="not in the segment")
        return list(answers.values())

    def _written(
        self, records: Sequence[OutboundRecord], *, status: str | None
    ) -> dict[str, Acknowledgement]:
        """With a status, people are added and nobody who is there is changed; without one, people
        who are there are changed, and keep theirs.
        """
        stated = {} if status is None else {"status": status}
        members = [
            {"email_address": record.key, "merge_fields": _merge_fields(record), **stated}
            for record in records
        ]
        reply = self._batch(members, update_existing=status is None)
        return _told(reply, records)

    def _batch(
        self,
        members: list[dict[str, Any]],
        *,
        update_existing: bool,
        params: Mapping[str, str | int] | None = None,
    ) -> Mapping[str, Any]:
        if not members:
            return {}
        body = {"members": members, "update_existing": update_existing}
        reply: Mapping[str, Any] = self._call("POST", _AUDIENCE, params=params, json=body)
        return reply

    def _not_enlisted(self, segment: int, records: Sequence[OutboundRecord]) -> list[str]:
        """Keys of those who are not among the added: Mailchimp is silent about strangers."""
        if not records:
            return []
        body = {"members_to_add": [record.key for record in records]}
        reply = self._call("POST", _SEGMENTS + "/{segment}", segment=segment, json=body)
        added = {each["email_address"].casefold() for each in reply.get("members_added", ())}
        return [record.key for record in records if name(record) not in added]

    def _remove(
        self, delivery: Delivery, records: Sequence[OutboundRecord]
    ) -> list[Acknowledgement]:
        """Whoever is not among the removed is read: not to be there is as good."""
        segment = self._segment(delivery)
        body = {"members_to_remove": [record.key for record in records]}
        reply = self._call("POST", _SEGMENTS + "/{segment}", segment=segment, json=body)
        removed = {each["email_address"].casefold() for each in reply.get("members_removed", ())}
        others = self._read([record for record in records if name(record) not in removed])
        return [
            _answer(record, is_done=segment not in _tags(others.get(record.key)))
            for record in records
        ]

    def _suppress(self, records: Sequence[OutboundRecord]) -> list[Acknowledgement]:
        """Unsubscribe members, and add people who are none as unsubscribed, whatever fields the
        audience requires.
        """
        members = self._read(records)
        left = [r for r in records if _status(members.get(r.key)) not in _SILENCED]
        told = [{"email_address": record.key, "status": "unsubscribed"} for record in left]
        answers = {record.key: _answer(record, is_done=True) for record in records}
        reply = self._batch(told, update_existing=True, params={"skip_merge_validation": "true"})
        answers |= _told(reply, left, is_suppressing=True)
        return list(answers.values())

    def _read(self, records: Sequence[OutboundRecord]) -> dict[str, Member]:
        """Members by key, of those whom the audience has or had, with all of their tags: with a
        member Mailchimp tells of fifty.
        """
        members: dict[str, Member] = {}
        for record in records:
            reply = there(
                self.api,
                "GET",
                _MEMBER,
                ids={"audience": self.target.audience, "member": _hash(record)},
                params={"fields": "id,email_address,status,merge_fields,tags,tags_count"},
            )
            if reply is None:
                continue
            member = reply.object()
            if member.get("tags_count", 0) > len(member.get("tags", ())):
                tags = self._pages(_MEMBER + "/tags", "tags", {}, member=_hash(record))
                member["tags"] = list(tags)
            members[record.key] = member
        return members

    def _segment(self, delivery: Delivery) -> int:
        """The id of the static segment, which is made where there is none."""
        return self._segments.of(self._name(delivery.segment), self._found_or_made)

    def _name(self, segment: str) -> str:
        return audience_name(self.target.segment, destination=self.destination, segment=segment)

    def _found_or_made(self, called: str) -> int:
        found = self._find_segment(called)
        return self._make_segment(called) if found is None else found

    def _find_segment(self, called: str) -> int | None:
        """The oldest of that name that Mailchimp does not fill itself."""
        known = self._pages(_SEGMENTS, "segments", {"type": "static"})
        return min((each["id"] for each in known if each["name"] == called), default=None)

    def _make_segment(self, called: str) -> int:
        made: int = self._call("POST", _SEGMENTS, json={"name": called, "static_segment": []})["id"]
        return made

    def _pages(
        self, path: str, what: str, params: Mapping[str, str], **ids: str | int
    ) -> Iterator[Any]:
        at, total = 0, 1
        while at < total:
            asked: dict[str, str | int] = {**params, "count": _PAGE, "offset": at}
            page = self._call("GET", path, params=asked, **ids)
            yield from page[what]
            at, total = at + _PAGE, page["total_items"]

    def _prepare(self, delivery: Delivery) -> None:
        """Know the merge fields that the mapping names, and make those that are not there."""
        with self._preparing:
            if set(delivery.schema) <= self._fields:
                return
            self._fields.update(each["tag"] for each in self._pages(_FIELDS, "merge_fields", {}))
            absent = set(delivery.schema) - self._fields
            if absent and not self.target.create_fields:
                raise CallRefused(
                    system=self.api.name,
                    call=f"GET {_FIELDS}",
                    status=200,
                    mend=f"The audience has no merge field {min(absent)!r}; make it there, or set "
                    "target.create_fields.",
                )
            for tag in sorted(absent):
                kind = _TYPES.get(delivery.schema[tag].partition("(")[0], "text")
                body = {"tag": tag, "name": tag.replace("_", " "), "type": kind}
                self._call("POST", _FIELDS, json=body)
                self._fields.add(tag)

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        **ids: str | int,
    ) -> Any:
        """``ids`` are what the path names, besides the audience."""
        named = {"audience": self.target.audience, **{part: str(of) for part, of in ids.items()}}
        return self.api.call(method, path, ids=named, params=params, json=json).object()


def _hash(record: OutboundRecord) -> str:
    """What Mailchimp calls a member."""
    return md5(record.key.lower().encode(), usedforsecurity=False).hexdigest()


def _merge_fields(record: OutboundRecord) -> dict[str, Any]:
    return {tag: _value(value) for tag, value in record.fields.items()}


def _value(value: FieldValue) -> Any:
    """Numbers as such, all else as text, of which none clears."""
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return counted(value) if is_number else text(value)


def _status(member: Member | None) -> str:
    return str(member["status"]) if member else ""


def _tags(member: Member | None) -> set[int]:
    """Static segments that a member is in, which are what Mailchimp calls tags."""
    return {each["id"] for each in (member or {}).get("tags", ())}


def _told(
    reply: Mapping[str, Any], records: Sequence[OutboundRecord], *, is_suppressing: bool = False
) -> dict[str, Acknowledgement]:
    """Answers by key to members who were written."""
    errors = {each.get("email_address", "").casefold(): each for each in reply.get("errors", ())}
    changed = [*reply.get("new_members", ()), *reply.get("updated_members", ())]
    statuses = {each["email_address"].casefold(): each["status"] for each in changed}
    answers = {}
    for record in records:
        status = statuses.get(name(record), "")
        if error := errors.get(name(record)):
            answers[record.key] = _refusal(record, error)
        elif status in _KEPT and not is_suppressing:
            answers[record.key] = _kept(record, status)
        else:
            is_done = status in _SILENCED if is_suppressing else bool(status)
            answers[record.key] = _answer(record, is_done=is_done)
    return answers


def _answer(record: OutboundRecord, *, is_done: bool) -> Acknowledgement:
    return Acknowledgement(
        key=record.key,
        outcome="acknowledged" if is_done else "retry",
        remote_id=_hash(record),
    )


def _kept(record: OutboundRecord, status: str) -> Acknowledgement:
    return rejected(record, f"is {status} there")


def _refusal(record: OutboundRecord, error: Mapping[str, Any]) -> Acknowledgement:
    """Somebody who was added by others meanwhile is read again."""
    if error.get("error_code") == "ERROR_CONTACT_EXISTS":
        return Acknowledgement(key=record.key, outcome="retry", error="is there already")
    words = (error.get(part, "") for part in ("error_code", "error", "field", "field_message"))
    told = " ".join(word for word in words if word)
    return refused(record, told)


def _looked_up(record: OutboundRecord, member: Member | None, segment: int) -> Acknowledgement:
    is_in = segment in _tags(member)
    if record.operation == "remove":
        return _answer(record, is_done=not is_in)
    if (status := _status(member)) in _KEPT:
        return _kept(record, status)
    held = (member or {}).get("merge_fields") or {}
    is_same = all(
        str(held.get(tag, "")) == str(value) for tag, value in _merge_fields(record).items()
    )
    return _answer(record, is_done=is_in and is_same)
