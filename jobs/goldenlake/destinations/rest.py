"""A system that goldenlake does not know, spoken to as its declaration says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.nested import at
from goldenlake.declarations.rest import (
    PLACEHOLDER,
    WHOLE_BODY,
    RestCall,
    RestLookUp,
    RestReply,
    RestTarget,
)
from goldenlake.declarations.targets import modes_of
from goldenlake.destinations.accounts import Account, open_account
from goldenlake.destinations.sending import refused, rejected
from goldenlake.destinations.values import plain, text
from goldenlake.errors import CallRefused, CallUnfit, CannotBeAsked, ReplyLost
from goldenlake.ports import (
    Acknowledgement,
    Batch,
    Capabilities,
    Delivery,
    NoteJob,
    OutboundRecord,
    Outside,
    Reply,
)

_ABSENT = object()
_MOST_REFUSED = 5
_NO_SEGMENT = ("", ".", "..")
"""Keys that would lead a path elsewhere."""


def capabilities(target: RestTarget) -> Capabilities:
    """As it is declared."""
    return Capabilities(
        modes=modes_of(target),
        batch_records=target.batch_records,
        batch_bytes=target.batch_bytes,
        concurrency=target.concurrency,
        clears=target.clears,
        can_look_up=target.look_up is not None,
        calls_per_batch=float(
            sum(target.batch_records if c.records_at is None else 1 for c in target.upsert)
        ),
    )


def opened(destination: Destination, target: RestTarget, outside: Outside) -> Rest:
    """The account of the target's connection."""
    return open_account(Rest, destination, outside, can=capabilities(target))


@dataclass(frozen=True, kw_only=True)
class Rest(Account[RestTarget]):
    """``ports.DestinationKind`` over declared calls."""

    _taken: dict[tuple[str, int], dict[tuple[int, str], Acknowledgement]] = field(
        default_factory=dict
    )
    """Answers for single records of batches that are not at their end, by call and key: a throttle
    in the middle does not begin the batch anew."""

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> Sequence[Acknowledgement]:
        """The declared calls, one after the other, each for those whom the one before took."""
        answers: dict[str, Acknowledgement] = {}
        records = batch.records
        calls = self.target.calls[records[0].operation] if records else []
        where = (delivery.delivery_id, batch.number)
        for nth, call in enumerate(calls):
            try:
                if call.records_at is None:
                    found = self._one_by_one(where, nth, delivery, call, records)
                else:
                    found = self._together(delivery, call, records)
            except CallRefused as refusal:
                # What an earlier call did stands, whatever becomes of this one.
                if nth > 0:
                    refusal.in_doubt = frozenset(record.key for record in records)
                raise
            for record in records:
                before = answers.pop(record.key, None)
                if record.key in found:
                    now = found[record.key]
                    remote_id = now.remote_id or (before.remote_id if before else None)
                    is_doubtful = nth > 0 and now.outcome != "acknowledged"
                    answers[record.key] = replace(now, remote_id=remote_id, is_doubtful=is_doubtful)
            records = [
                record
                for record in records
                if record.key in answers and answers[record.key].outcome == "acknowledged"
            ]
            if not records:
                break
        self._taken.pop(where, None)
        return list(answers.values())

    def look_up(self, delivery: Delivery, batch: Batch) -> Sequence[Acknowledgement] | None:
        """Each record by itself: there with these very fields, or not there."""
        look_up = self.target.look_up
        if look_up is None:
            return None
        return [
            Acknowledgement(
                key=record.key,
                outcome="acknowledged" if self._is_done(delivery, look_up, record) else "retry",
            )
            for record in batch.records
        ]

    def among(self, segment: str, keys: Sequence[str]) -> set[str]:
        """Those that ``look_up`` finds, a call each. Raises CannotBeAsked without one."""
        look_up = self.target.look_up
        if look_up is None:
            raise CannotBeAsked(self.destination)
        return {key for key in keys if self._found(look_up, segment, key) is not None}

    def _one_by_one(
        self,
        where: tuple[str, int],
        nth: int,
        delivery: Delivery,
        call: RestCall,
        records: Sequence[OutboundRecord],
    ) -> Mapping[str, Acknowledgement]:
        """Raises CallUnfit where one record after the other is refused, and none is taken."""
        taken = self._taken.setdefault(where, {})
        refused = 0
        for record in records:
            mark = (nth, record.key)
            if mark not in taken:
                taken[mark] = self._one(delivery, call, record)
            refused += taken[mark].outcome == "rejected"
            if refused >= _MOST_REFUSED and not any(
                answer.outcome == "acknowledged" for answer in taken.values()
            ):
                del self._taken[where]
                raise CallUnfit(
                    system=self.api.name,
                    call=f"{call.method} {call.path}",
                    status=400,
                    mend="One record after the other was refused: see the calls of its target.",
                )
        return {record.key: taken[nth, record.key] for record in records}

    def _one(self, delivery: Delivery, call: RestCall, record: OutboundRecord) -> Acknowledgement:
        if record.key in _NO_SEGMENT and "{key}" in call.path:
            return _refused_or_gone(record)
        try:
            self._call(delivery, call, record.key, _body(call.body, delivery, record) or None)
        except CallRefused as refusal:
            if refusal.status in call.done_statuses:
                return Acknowledgement(key=record.key, outcome="acknowledged")
            if refusal.status not in self.target.refusing_statuses:
                raise
            return self._refusal(record, f"{refusal.status} {refusal.told}")
        return Acknowledgement(key=record.key, outcome="acknowledged")

    def _together(
        self, delivery: Delivery, call: RestCall, records: Sequence[OutboundRecord]
    ) -> Mapping[str, Acknowledgement]:
        """Answers by key; those of whom the reply says nothing have none."""
        listed = [_body(call.body, delivery, record) for record in records]
        body: Any = listed
        if call.records_at is not None and call.records_at != WHOLE_BODY:
            body = _body(call.around, delivery, None)
            _put(body, call.records_at, listed)
        all_of_them = {r.key: Acknowledgement(key=r.key, outcome="acknowledged") for r in records}
        try:
            reply = self._call(delivery, call, "", body)
        except CallRefused as refusal:
            if refusal.status in call.done_statuses:
                return all_of_them
            raise
        return self._read(call.reply, reply, records) if call.reply else all_of_them

    def _read(
        self, declared: RestReply, reply: Any, records: Sequence[OutboundRecord]
    ) -> Mapping[str, Acknowledgement]:
        """A result that is nobody's among errors alone leaves open who was applied."""
        by_key = {record.key.casefold(): record for record in records}
        results = _at(reply, declared.results_at)
        found: dict[str, Acknowledgement] = {}
        strangers = 0
        for result in results if isinstance(results, list) else ():
            record = by_key.get(text(_at(result, declared.key_at)).casefold())
            if record is None:
                strangers += 1
                continue
            answer = self._answer(declared, record, result)
            if record.key not in found or answer.outcome != "acknowledged":
                found[record.key] = answer
        if declared.lists == "errors" and not strangers:
            for record in records:
                done = Acknowledgement(key=record.key, outcome="acknowledged")
                found.setdefault(record.key, done)
        return found

    def _answer(self, declared: RestReply, record: OutboundRecord, result: Any) -> Acknowledgement:
        error = _at(result, declared.error_at) if declared.error_at else None
        state = _at(result, declared.state_at) if declared.state_at else None
        is_done = state in declared.done_states if declared.state_at else declared.lists == "all"
        if error or not is_done:
            return self._refusal(record, f"{_said(state)} {_said(error)}")
        remote_id = _at(result, declared.remote_id_at) if declared.remote_id_at else None
        return Acknowledgement(
            key=record.key, outcome="acknowledged", remote_id=text(remote_id) or None
        )

    def _refusal(self, record: OutboundRecord, told: str) -> Acknowledgement:
        words = told.casefold()
        is_passing = any(each.casefold() in words for each in self.target.passing_errors)
        return refused(record, told, is_passing=is_passing, silent="refused")

    def _call(self, delivery: Delivery, call: RestCall, key: str, body: Any) -> Any:
        """The reply's JSON. No template but the declared one stands in errors."""
        reply = self.api.call(
            call.method,
            call.path,
            ids={"key": key, "segment": delivery.segment, "destination": delivery.destination},
            params={name: _filled(value, delivery, key) for name, value in call.query.items()},
            json=body,
        )
        return _json(reply) if call.reply else None

    def _is_done(self, delivery: Delivery, look_up: RestLookUp, record: OutboundRecord) -> bool:
        reply = self._found(look_up, delivery.segment, record.key)
        if reply is None or record.operation == "remove":
            return (reply is None) == (record.operation == "remove")
        has = _json(reply)
        return all(
            name in look_up.fields and text(_at(has, look_up.fields[name])) == text(plain(value))
            for name, value in record.fields.items()
        )

    def _found(self, look_up: RestLookUp, segment: str, key: str) -> Reply | None:
        """What the system tells of a record; None where it is not there."""
        if key in _NO_SEGMENT:
            return None
        ids = {"key": key, "segment": segment, "destination": self.destination}
        try:
            return self.api.call("GET", look_up.path, ids=ids)
        except CallRefused as refusal:
            if refusal.status in look_up.missing_statuses:
                return None
            raise


def _refused_or_gone(record: OutboundRecord) -> Acknowledgement:
    if record.operation == "remove":
        return Acknowledgement(key=record.key, outcome="acknowledged")
    return rejected(record, "its key cannot stand in a path")


def _body(
    template: Mapping[str, Any], delivery: Delivery, record: OutboundRecord | None
) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for path, declared in template.items():
        value = _value(declared, delivery, record)
        if value is not _ABSENT:
            _put(body, path, value)
    return body


def _value(declared: Any, delivery: Delivery, record: OutboundRecord | None) -> Any:
    """What a template stands for; ``_ABSENT`` for a field that is to be left alone."""
    alone = PLACEHOLDER.fullmatch(declared) if isinstance(declared, str) else None
    if record is None or alone is None or alone[1] in ("key", "segment", "destination"):
        key = record.key if record else ""
        return _filled(declared, delivery, key) if isinstance(declared, str) else declared
    if alone[1] == "fields":
        return {name: plain(value) for name, value in record.fields.items()}
    name = alone[1].partition(".")[2]
    return plain(record.fields[name]) if name in record.fields else _ABSENT


def _filled(template: str, delivery: Delivery, key: str) -> str:
    known = {"key": key, "segment": delivery.segment, "destination": delivery.destination}
    return PLACEHOLDER.sub(lambda found: known[found[1]], template)


def _put(body: dict[str, Any], path: str, value: Any) -> None:
    *way, last = path.split(".")
    for name in way:
        body = body.setdefault(name, {})
    body[last] = value


def _at(told: Any, path: str) -> Any:
    """What stands at a path; None where nothing does."""
    return told if path == WHOLE_BODY else at(told, path)


def _json(reply: Reply) -> Any:
    """None where the reply is no JSON: it then says nothing of anybody."""
    try:
        return reply.json()
    except ReplyLost:
        return None


def _said(told: Any) -> str:
    return json.dumps(told) if isinstance(told, dict | list) else text(told)
