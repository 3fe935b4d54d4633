"""GNU Mailman 3: a list's members, subscribed and unsubscribed without a letter to anybody.

https://docs.mailman3.org/projects/mailman/en/latest/src/mailman/rest/docs/rest.html. Mailman keeps
no trace of somebody who unsubscribed. What we acknowledged bears the member's id from then on, so a
change for a member who is there no longer is refused, and nobody is subscribed against their will.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.targets import MailmanTarget, audience_name, modes_of
from goldenlake.destinations.accounts import Account, open_account, there
from goldenlake.destinations.sending import refused, rejected
from goldenlake.destinations.values import text
from goldenlake.errors import CallRefused, ReplyLost
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
from goldenlake.transforms.consent import OPTED_OUT
from goldenlake.transforms.planning import KEY_OPTED_OUT

#: None is published; its REST server has two workers unless told otherwise.
PUBLISHED = Published(concurrency=2)
_BATCH = 50
_PAGE = 500
_TAKEN_OUT = "taken out"
"""What a member's id becomes when we took the member out, and not the member; and where a later
yes can bring back who left, since the no was heard.
"""
_HEARD = (*OPTED_OUT, KEY_OPTED_OUT)
_LEFT = "is a member no longer, and it was not us: unsubscribed in Mailman"


def capabilities(target: MailmanTarget) -> Capabilities:
    """One call a member, and another one where a name is mapped."""
    return Capabilities(
        modes=modes_of(target),
        batch_records=_BATCH,
        batch_bytes=2**20,
        can_look_up=True,
        calls_per_batch=2.0 * _BATCH,
        calls_per_second=30.0,
    )


def opened(destination: Destination, target: MailmanTarget, outside: Outside) -> Mailman:
    """The account of the target's connection."""
    return open_account(Mailman, destination, outside, can=capabilities(target))


@dataclass(frozen=True, kw_only=True)
class Mailman(Account[MailmanTarget]):
    """``ports.DestinationKind`` over the REST API's version 3.1."""

    _found: set[str] = field(default_factory=set)
    """Lists that are known to be there."""
    _asked: set[str] = field(default_factory=set)
    """Traces of the members whom this process would take out."""

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> Sequence[Acknowledgement]:
        """Members one by one; removals all at once, since that alone says good-bye to nobody.
        Whom a removal took out is noted: a process that dies before the ledger has the answer
        would leave nobody to tell them from those who left on their own.
        """
        if not batch.records:
            return []
        list_id = self._list(delivery.segment)
        if batch.records[0].operation == "remove":
            return self._take_out(list_id, batch.records, note)
        return [self._bring_in(list_id, record) for record in batch.records]

    def look_up(self, delivery: Delivery, batch: Batch) -> Sequence[Acknowledgement] | None:
        """Who is a member, by the name that was sent; for a removal, who is not."""
        list_id = self._list(delivery.segment)
        by_us = self._asked.union((batch.job or "").split())
        answers = []
        for record in batch.records:
            member = self._member(list_id, record.key)
            answers.append(
                Acknowledgement(
                    key=record.key,
                    outcome="acknowledged" if _is_done(record, member) else "retry",
                    remote_id=member["member_id"] if member else _left(record, by_us),
                )
            )
        return answers

    def members(self, segment: str) -> Iterator[str]:
        """Addresses of the list's roster, in lower case."""
        number, seen = 1, 0
        while True:
            reply = there(
                self.api,
                "GET",
                "/lists/{list}/roster/member",
                ids={"list": self._name(segment)},
                params={"count": _PAGE, "page": number, "fields": "email"},
            )
            if reply is None:
                return
            page = reply.object()
            found = [each["email"] for each in page.get("entries", ())]
            yield from found
            number, seen = number + 1, seen + len(found)
            if not found or seen >= page["total_size"]:
                return

    def _bring_in(self, list_id: str, record: OutboundRecord) -> Acknowledgement:
        member_id = record.remote_id if record.remote_id != _TAKEN_OUT else None
        if member_id is not None:
            member = self._member(list_id, record.key)
            if member is None:
                return rejected(record, _LEFT)
        else:
            try:
                member_id = self._subscribe(list_id, record)
            except CallRefused as refusal:
                if refusal.status != 400:
                    raise
                return refused(record, _words(refusal.told))
        if member_id is None:
            # Somebody asked to join, and waits for a confirmation: theirs to give.
            return Acknowledgement(
                key=record.key, outcome="rejected", error="has asked to join, and is not confirmed"
            )
        if "display_name" in record.fields:
            try:
                self.api.call(
                    "PATCH",
                    "/addresses/{email}",
                    ids={"email": record.key},
                    json={"display_name": text(record.fields["display_name"])},
                )
            except CallRefused as refusal:
                if refusal.status != 400:
                    raise
                return replace(refused(record, _words(refusal.told)), is_doubtful=True)
        return Acknowledgement(key=record.key, outcome="acknowledged", remote_id=member_id)

    def _subscribe(self, list_id: str, record: OutboundRecord) -> str | None:
        """The member's id; None where a request to join is pending."""
        try:
            reply = self.api.call(
                "POST",
                "/members",
                json={
                    "list_id": list_id,
                    "subscriber": record.key,
                    "pre_verified": True,
                    "pre_confirmed": True,
                    "pre_approved": True,
                    "send_welcome_message": False,
                },
            )
        except CallRefused as refusal:
            if refusal.status != 409:
                raise
            member = self._member(list_id, record.key)
            return str(member["member_id"]) if member else None
        if reply.status not in (201, 202):
            raise ReplyLost(system=self.api.name, call="POST /members", what="it made no member")
        location = reply.headers.get("location", "")
        return location.rpartition("/")[2] or None

    def _take_out(
        self, list_id: str, records: Sequence[OutboundRecord], note: NoteJob
    ) -> Sequence[Acknowledgement]:
        known = [r for r in records if r.remote_id not in (None, _TAKEN_OUT)]
        self._asked.update(_trace(r) for r in known if self._member(list_id, r.key))
        reply = self.api.call(
            "DELETE",
            "/lists/{list}/roster/member",
            ids={"list": list_id},
            json={"emails": [record.key.lower() for record in records]},
        ).object()
        if taken := [_trace(r) for r in known if reply.get(r.key.lower())]:
            note(" ".join(taken))
        return [
            Acknowledgement(
                key=record.key,
                outcome="acknowledged",
                remote_id=_TAKEN_OUT if reply[record.key.lower()] else _left(record),
            )
            for record in records
            if record.key.lower() in reply
        ]

    def _member(self, list_id: str, email: str) -> dict[str, Any] | None:
        ids = {"list": list_id, "email": email}
        reply = there(self.api, "GET", "/lists/{list}/member/{email}", ids=ids)
        if reply is None:
            return None
        member = reply.object()
        return member if member["member_id"] else None

    def _name(self, segment: str) -> str:
        return audience_name(self.target.list, destination=self.destination, segment=segment)

    def _list(self, segment: str) -> str:
        """The id of the segment's list. Raises CallRefused where there is none."""
        list_id = self._name(segment)
        if list_id not in self._found:
            if there(self.api, "GET", "/lists/{list}", ids={"list": list_id}) is None:
                raise CallRefused(
                    system=self.api.name,
                    call="GET /lists/{list}",
                    status=404,
                    mend=f"There is no list {list_id!r}: make it in Mailman, or name another one "
                    "in target.list.",
                )
            self._found.add(list_id)
        return list_id


def _words(told: str) -> str:
    try:
        return str(json.loads(told)["description"])
    except (ValueError, KeyError, TypeError):
        return told


def _trace(record: OutboundRecord) -> str:
    """Of a member's id, for a table that holds nobody."""
    return sha256((record.remote_id or "").encode()).hexdigest()[:16]


def _left(record: OutboundRecord, by_us: Collection[str] = ()) -> str | None:
    """What the id becomes of somebody who is no member: it stays, unless the no was heard or it
    was we, by the traces of those whom we took out.
    """
    can_return = record.reason in _HEARD or _trace(record) in by_us
    return _TAKEN_OUT if can_return else record.remote_id


def _is_done(record: OutboundRecord, member: dict[str, Any] | None) -> bool:
    if record.operation == "remove":
        return member is None
    if member is None:
        return False
    wanted = record.fields
    return "display_name" not in wanted or member["display_name"] == text(wanted["display_name"])
