"""Google: members of Customer Match audiences, by hashes, through the Data Manager API.

https://developers.google.com/data-manager/api/reference/rest/v1/audienceMembers/ingest and
/requestStatus/retrieve. A request is a job there; a member is acknowledged when all of its request
was processed, which says nothing about whether Google knows the person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.targets import GoogleTarget, modes_of
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
from goldenlake.destinations.sending import refused
from goldenlake.destinations.values import text
from goldenlake.errors import CallRefused, CallUnfit, TransientError, about_the_call
from goldenlake.ports import (
    Acknowledgement,
    Batch,
    Capabilities,
    Delivery,
    NoteJob,
    OutboundRecord,
    Outcome,
    Outside,
    Published,
)

#: https://developers.google.com/data-manager/api/limits
PUBLISHED = Published(rates=[(300, 60.0), (100_000, 86_400.0)], concurrency=4)
_MOST_IDENTIFIERS = 10
_MOST_REFUSALS = 20
"""Calls of one batch that may be refused for some of its members."""
_AT_FAULT = re.compile(r"audience_?members\[(\d+)\]", re.IGNORECASE)


def capabilities(target: GoogleTarget) -> Capabilities:
    """Members in ten thousands; Google says to ask after half an hour."""
    return Capabilities(
        modes=modes_of(target),
        batch_records=10_000,
        batch_bytes=20 * 2**20,
        concurrency=4,
        clears=False,
        can_look_up=True,
        removes_all_sent=True,
        calls_per_batch=4.0,
        calls_per_second=5.0,
        first_poll_seconds=300.0,
        poll_seconds=300.0,
        longest_job_seconds=6 * 3600.0,
    )


def opened(destination: Destination, target: GoogleTarget, outside: Outside) -> Google:
    """The account of the target's connection."""
    return open_account(Google, destination, outside, can=capabilities(target))


@dataclass(frozen=True, kw_only=True)
class Google(Account[GoogleTarget]):
    """``ports.DestinationKind`` and ``RemembersSent`` over the API's version 1."""

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> Sequence[Acknowledgement]:
        """One request for the batch, without those of its members that Google finds malformed."""
        sent = {record.key: self._to_send(record) for record in batch.records}
        unreadable = [record for record in batch.records if not sent[record.key]]
        answers = without_identifier(unreadable, self.target.key_is)
        records = [record for record in batch.records if sent[record.key]]
        for _ in range(_MOST_REFUSALS):
            if not records:
                return answers
            try:
                job = self._request(delivery, records, sent)
            except CallRefused as refusal:
                found = {int(at) for at in _AT_FAULT.findall(refusal.told)}
                at_fault = {at for at in found if at < len(records)}
                if not at_fault:
                    raise _about_the_call(refusal) from None
                answers += [_malformed(records[at], refusal) for at in sorted(at_fault)]
                records = [each for at, each in enumerate(records) if at not in at_fault]
                continue
            note(job)
            return answers + self._asked(records, job)
        raise CallUnfit(
            system=self.api.name,
            call="POST /v1/audienceMembers",
            status=400,
            mend="Member after member was malformed: see target.key_is and target.identifiers.",
        )

    def look_up(self, delivery: Delivery, batch: Batch) -> Sequence[Acknowledgement] | None:
        """What became of the request, where it was one for these very records."""
        if batch.job is None or batch.job.partition("/")[2] != _these(batch.records):
            return None
        return self._answers(batch.records, self._status(batch.job))

    def perhaps_sent(self, record: OutboundRecord) -> str | None:
        """Its identifiers, and those that were sent before."""
        return remembered(record, self._identifiers(record), most=_MOST_IDENTIFIERS)

    def _to_send(self, record: OutboundRecord) -> Identifiers:
        return to_send(record, self._identifiers(record), most=_MOST_IDENTIFIERS)

    def _identifiers(self, record: OutboundRecord) -> Identifiers:
        """The key first; none where the key is no identifier."""
        read = {"email": _email, "phone": _phone}
        by_key = read[self.target.key_is](record.key)
        if not by_key:
            return []
        values: dict[str, str] = {
            name: text(record.fields.get(field)) for name, field in self.target.identifiers.items()
        }
        further = [
            *(read[name](values[name]) for name in ("email", "phone") if name in values),
            _address(values),
        ]
        return [by_key, *(each for each in further if each and each != by_key)]

    def _request(
        self,
        delivery: Delivery,
        records: Sequence[OutboundRecord],
        sent: Mapping[str, Identifiers],
    ) -> str:
        """The name of the job: Google's id of the request, and whom it was for."""
        is_removal = records[0].operation == "remove"
        reply = self.api.call(
            "POST",
            f"/v1/audienceMembers:{'remove' if is_removal else 'ingest'}",
            json={
                "destinations": [self._audience(delivery)],
                "audienceMembers": [
                    {"userData": {"userIdentifiers": sent[record.key]}} for record in records
                ],
                "encoding": "HEX",
                **({} if is_removal else self._statements()),
            },
        ).object()
        return f"{reply['requestId']}/{_these(records)}"

    def _audience(self, delivery: Delivery) -> dict[str, Any]:
        target = self.target
        login = {"accountType": target.login_account_type, "accountId": target.login_account}
        return {
            "operatingAccount": {"accountType": target.account_type, "accountId": target.account},
            **({"loginAccount": login} if target.login_account else {}),
            "productDestinationId": audience_of(target, delivery),
        }

    def _statements(self) -> dict[str, Any]:
        target = self.target
        said = {"adUserData": target.ad_user_data, "adPersonalization": target.ad_personalization}
        consent = {name: f"CONSENT_{value.upper()}" for name, value in said.items() if value}
        terms = {"customerMatchTermsOfServiceStatus": "ACCEPTED"}
        return {
            **({"consent": consent} if consent else {}),
            **({"termsOfService": terms} if target.accepts_customer_match_terms else {}),
        }

    def _asked(self, records: Sequence[OutboundRecord], job: str) -> list[Acknowledgement]:
        """What is known at once; a request that was taken is never made again for want of it."""
        try:
            status = self._status(job)
        except TransientError:
            status = {}
        return self._answers(records, status)

    def _status(self, job: str) -> Mapping[str, Any]:
        reply = self.api.call(
            "GET", "/v1/requestStatus:retrieve", params={"requestId": job.partition("/")[0]}
        ).object()
        found = reply.get("requestStatusPerDestination") or [{}]
        status: Mapping[str, Any] = found[0]
        return status

    def _answers(
        self, records: Sequence[OutboundRecord], status: Mapping[str, Any]
    ) -> list[Acknowledgement]:
        match status.get("requestStatus"):
            case "SUCCESS":
                return [
                    settled(record, self._to_send(record), most=_MOST_IDENTIFIERS)
                    for record in records
                ]
            case "FAILED" | "PARTIAL_SUCCESS" as said:
                counts = status.get("errorInfo", {}).get("errorCounts", ())
                reasons = ", ".join(sorted(str(each.get("reason")) for each in counts))
                # Google counts the failed members and does not say who they are.
                outcome: Outcome = "retry" if said == "FAILED" else "unknown"
                return [
                    Acknowledgement(key=record.key, outcome=outcome, error=f"{said}: {reasons}")
                    for record in records
                ]
            case _:
                return [Acknowledgement(key=record.key, outcome="pending") for record in records]


def _email(value: str) -> dict[str, Any] | None:
    digest = hashing.sha256(hashing.google_email(value))
    return {"emailAddress": digest} if digest else None


def _phone(value: str) -> dict[str, Any] | None:
    digest = hashing.sha256(hashing.google_phone(value))
    return {"phoneNumber": digest} if digest else None


def _address(values: Mapping[str, str]) -> dict[str, Any] | None:
    """All four parts of it, or nothing."""
    address = {
        "givenName": hashing.sha256(hashing.google_name(values.get("given_name", ""))),
        "familyName": hashing.sha256(hashing.google_name(values.get("family_name", ""))),
        "regionCode": hashing.google_region(values.get("region", "")),
        "postalCode": hashing.google_postcode(values.get("postal_code", "")),
    }
    return {"address": address} if all(address.values()) else None


def _these(records: Sequence[OutboundRecord]) -> str:
    """A digest of who is in a request, so that its outcome is never taken for others'."""
    return sha256("\n".join(sorted(record.key for record in records)).encode()).hexdigest()[:16]


def _malformed(record: OutboundRecord, refusal: CallRefused) -> Acknowledgement:
    reason = re.search(r'"reason":\s*"(\w+)"', refusal.told)
    return refused(record, f"malformed: {reason[1] if reason else refusal.status}")


def _about_the_call(refusal: CallRefused) -> CallRefused:
    """A refusal that no member is named in: sending fewer of them would not help."""
    reason = re.search(r'"reason":\s*"(\w+)"', refusal.told)
    return about_the_call(
        refusal,
        code=reason[1] if reason else "",
        mend="See the destination's target and connections in conf/env.",
    )
