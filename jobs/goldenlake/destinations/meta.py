"""Meta: people of custom audiences, by hashes.

https://developers.facebook.com/docs/marketing-api/reference/custom-audience/users. Meta answers
how many rows it received and how many were invalid, not which: those are found by halves, since
adding the same people again has no further effect. Whether it knows a person is never told.

Every call is a session of its own. A session ends with its last batch and takes nothing after
it, so a batch that is sent again later, or in halves, would be lost in a session of the delivery.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from secrets import randbits

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.targets import MetaTarget, modes_of
from goldenlake.destinations import hashing
from goldenlake.destinations.accounts import Account, open_account
from goldenlake.destinations.audiences import (
    Identifiers,
    audience_of,
    remembered,
    settled,
    to_send,
    without_identifier,
)
from goldenlake.destinations.sending import rejected
from goldenlake.destinations.values import text
from goldenlake.errors import CallRefused, TransientError, about_the_call
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

_MOST_CALLS = 100
"""Of one batch, in search of invalid rows."""
_MOST_KEPT = 2
"""Rows of one person that are remembered: as he was sent last, and as he was sent before."""
_MOST_ROWS = 1 + _MOST_KEPT
"""Of one person in a call: a removal names these and the key alone."""


def _throttles(status: int, content: bytes) -> bool:
    error = _error(content.decode(errors="replace")) if status >= 400 else {}
    return error.get("code") in _THROTTLES or error.get("is_transient") is True


#: https://developers.facebook.com/docs/graph-api/overview/rate-limiting; the figures depend on the
#: account, so the codes of a throttle count.
PUBLISHED = Published(throttles=_throttles)
_THROTTLES = (4, 17, 32, 613, 80003)
#: For the token or what it may do, whatever the status:
#: https://developers.facebook.com/docs/graph-api/guides/error-handling
_FORBIDDING = (10, 102, 190, *range(200, 300))


def _hashed(rule: Callable[[str], str | None]) -> Callable[[str], str | None]:
    return lambda value: hashing.sha256(rule(value))


_COLUMNS: Mapping[str, tuple[str, Callable[[str], str | None]]] = {
    "external_id": ("EXTERN_ID", lambda value: value or None),
    "email": ("EMAIL", _hashed(hashing.meta_email)),
    "phone": ("PHONE", _hashed(hashing.meta_phone)),
    "given_name": ("FN", _hashed(hashing.meta_name)),
    "family_name": ("LN", _hashed(hashing.meta_name)),
    "city": ("CT", _hashed(hashing.meta_name)),
    "region": ("ST", _hashed(hashing.meta_name)),
    "postal_code": ("ZIP", _hashed(hashing.meta_postcode)),
    "country": ("COUNTRY", _hashed(hashing.meta_country)),
}
"""Columns of a row by their identifiers, and how a value is put into them."""


def capabilities(target: MetaTarget) -> Capabilities:
    """Rows in ten thousands, of which a person may need three; one call at a time."""
    return Capabilities(
        modes=modes_of(target),
        batch_records=10_000 // _MOST_ROWS,
        batch_bytes=20 * 2**20,
        clears=False,
        removes_all_sent=True,
    )


def opened(destination: Destination, target: MetaTarget, outside: Outside) -> Meta:
    """The account of the target's connection."""
    return open_account(Meta, destination, outside, can=capabilities(target))


@dataclass(frozen=True, kw_only=True)
class Meta(Account[MetaTarget]):
    """``ports.DestinationKind`` and ``RemembersSent`` over the Marketing API."""

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> Sequence[Acknowledgement]:
        """Add or take out; without a word about a row that is invalid, smaller parts are tried."""
        sent = {record.key: self._to_send(record) for record in batch.records}
        unreadable = [record for record in batch.records if not sent[record.key]]
        answers = without_identifier(unreadable, self.target.key_is)
        records = [record for record in batch.records if sent[record.key]]
        if records:
            search = _Search(kind=self, delivery=delivery, sent=sent)
            answers += search.of(records)
        return answers

    def look_up(self, delivery: Delivery, batch: Batch) -> Sequence[Acknowledgement] | None:
        """Who is in an audience cannot be asked for."""
        return None

    def perhaps_sent(self, record: OutboundRecord) -> str | None:
        """Its row, and that which was sent before."""
        return remembered(record, self._rows(record), most=_MOST_KEPT)

    def _to_send(self, record: OutboundRecord) -> Identifiers:
        return to_send(record, self._rows(record), most=_MOST_ROWS)

    def _rows(self, record: OutboundRecord) -> Identifiers:
        """One; none where the key is no identifier."""
        column, read = _COLUMNS[self.target.key_is]
        by_key = read(record.key)
        if not by_key:
            return []
        row = {
            _COLUMNS[name][0]: value
            for name, field in self.target.identifiers.items()
            if (value := _COLUMNS[name][1](text(record.fields.get(field))))
        }
        return [{**row, column: by_key}]

    def call(self, delivery: Delivery, rows: Identifiers, *, is_removal: bool) -> Mapping[str, int]:
        """Meta's counts of rows, and of invalid ones."""
        names = {column for row in rows for column in row}
        schema = [column for column, _ in _COLUMNS.values() if column in names]
        try:
            reply: Mapping[str, int] = self.api.call(
                "DELETE" if is_removal else "POST",
                "/{audience}/users",
                ids={"audience": audience_of(self.target, delivery)},
                json={
                    "payload": {
                        "schema": schema,
                        "data": [[row.get(column, "") for column in schema] for row in rows],
                    },
                    "session": {
                        "session_id": randbits(60),
                        "batch_seq": 1,
                        "last_batch_flag": True,
                        "estimated_num_total": len(rows),
                    },
                },
            ).object()
        except CallRefused as refusal:
            raise _about_the_call(refusal) from None
        return reply


@dataclass(kw_only=True)
class _Search:
    """One batch, in parts that become smaller where Meta says that some row is invalid."""

    kind: Meta
    delivery: Delivery
    sent: Mapping[str, Identifiers]
    calls: int = 0

    def of(self, records: Sequence[OutboundRecord]) -> list[Acknowledgement]:
        """Raises what the first call raises; what cannot be told after it is unknown."""
        self.calls += 1
        if self.calls > _MOST_CALLS:
            return _all(records, "some of many are invalid; which was not found")
        rows = [row for record in records for row in self.sent[record.key]]
        is_removal = records[0].operation == "remove"
        try:
            reply = self.kind.call(self.delivery, rows, is_removal=is_removal)
        except TransientError:
            if self.calls == 1:
                raise
            return _all(records, "no answer in the search for invalid rows")
        if reply["num_received"] != len(rows):
            return _all(records, f"{reply['num_received']} of {len(rows)} rows were received")
        if not reply["num_invalid_entries"]:
            return [settled(each, self.sent[each.key], most=_MOST_KEPT) for each in records]
        if len(records) == 1:
            return [rejected(records[0], "Meta counts it among num_invalid_entries")]
        half = len(records) // 2
        return self.of(records[:half]) + self.of(records[half:])


def _all(records: Sequence[OutboundRecord], why: str) -> list[Acknowledgement]:
    return [Acknowledgement(key=each.key, outcome="unknown", error=why) for each in records]


def _error(told: str) -> Mapping[str, object]:
    try:
        found = json.loads(told)
    except ValueError:
        return {}
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else {}


def _about_the_call(refusal: CallRefused) -> CallRefused:
    """Meta refuses a call for its token, its audience or its terms; rows it merely counts."""
    code = _error(refusal.told).get("code", "")
    return about_the_call(
        refusal,
        code=str(code),
        is_forbidden=code in _FORBIDDING,
        mend="See connections in conf/env for the token, target.audiences for the audience.",
    )
