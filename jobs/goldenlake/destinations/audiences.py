"""What audiences of advertisers have in common: people are known there by identifiers alone.

What was sent of a person, or perhaps was, is kept as its ``remote_id``, so that a removal names all
of it: who was found by a telephone number would stay if the removal named the e-mail address alone.
Who goes on under another key is sent anew afterwards (``Capabilities.removes_all_sent``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from goldenlake.declarations.targets import GoogleTarget, MetaTarget
from goldenlake.destinations.sending import rejected
from goldenlake.errors import SetupError
from goldenlake.ports import Acknowledgement, Delivery, OutboundRecord

Identifiers = list[dict[str, Any]]
"""Of one person, in the system's own form, the newest first."""


def audience_of(target: GoogleTarget | MetaTarget, delivery: Delivery) -> str:
    """The id of the segment's audience. Raises SetupError where none is declared."""
    if delivery.segment not in target.audiences:
        raise SetupError(
            f"{delivery.destination}: segment {delivery.segment!r} has no audience.",
            mend="Name its id in target.audiences; keep it there while its members leave.",
        )
    return target.audiences[delivery.segment]


def to_send(record: OutboundRecord, now: Identifiers, *, most: int) -> Identifiers:
    """For a removal all that was ever sent of a person and not taken back, else what is now."""
    return _all_known(record, now)[:most] if record.operation == "remove" else now


def settled(record: OutboundRecord, sent: Identifiers, *, most: int) -> Acknowledgement:
    """The answer for a record that was applied."""
    is_removal = record.operation == "remove"
    left = _written([]) if is_removal else remembered(record, sent, most=most)
    return Acknowledgement(key=record.key, outcome="acknowledged", remote_id=left)


def remembered(record: OutboundRecord, now: Identifiers, *, most: int) -> str | None:
    """The ``remote_id`` of a record that was sent, answered or not: what a later removal names."""
    is_removal = record.operation == "remove"
    return record.remote_id if is_removal else _written(_all_known(record, now)[:most])


def _written(identifiers: Identifiers) -> str:
    return json.dumps(identifiers, separators=(",", ":"), sort_keys=True)


def _all_known(record: OutboundRecord, now: Identifiers) -> Identifiers:
    before = json.loads(record.remote_id) if record.remote_id else []
    return [*now, *(each for each in before if each not in now)]


def without_identifier(records: Sequence[OutboundRecord], key_is: str) -> list[Acknowledgement]:
    """Answers for records whose key cannot be compared, and of which nothing is there."""
    return [
        Acknowledgement(key=record.key, outcome="acknowledged")
        if record.operation == "remove"
        else rejected(record, f"its key cannot be read as {key_is}")
        for record in records
    ]
