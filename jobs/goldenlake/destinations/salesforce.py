"""Salesforce: contacts or leads by an external id, and a campaign for each segment.

A record is acknowledged only when it is a member of the campaign as well. Large batches go as jobs
of Bulk API 2.0, small ones at once. What leaves loses the membership that we gave it; the contact
itself stays, and so does a membership that somebody else gave it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.targets import SalesforceTarget, audience_name, modes_of
from goldenlake.destinations.bearers import staying
from goldenlake.destinations.salesforce_jobs import Jobs
from goldenlake.destinations.salesforce_org import Org, refusal
from goldenlake.destinations.values import plain, text
from goldenlake.errors import TransientError
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


def _throttles(status: int, content: bytes) -> bool:
    return status == 403 and b"REQUEST_LIMIT_EXCEEDED" in content


#: https://developer.salesforce.com/docs/platform/api-rest/guide/errorcodes.html; calls are limited
#: by the day and by the org, so the org's own figures belong into its connection.
PUBLISHED = Published(concurrency=5, throttles=_throttles)


def capabilities(target: SalesforceTarget) -> Capabilities:
    """Records in ten thousands, as Salesforce itself divides a job."""
    return Capabilities(
        modes=modes_of(target),
        batch_records=10_000,
        batch_bytes=50 * 2**20,
        concurrency=2,
        can_look_up=True,
        calls_per_batch=110.0,
        poll_seconds=15.0,
        longest_job_seconds=4 * 3600.0,
    )


def opened(destination: Destination, target: SalesforceTarget, outside: Outside) -> Salesforce:
    """The org of the target's connection."""
    org = Org(target=target, api=outside.api(target.connection))
    return Salesforce(
        destination=destination.destination,
        target=target,
        org=org,
        jobs=Jobs(org=org),
        capabilities=capabilities(target),
    )


@dataclass(frozen=True, kw_only=True)
class Salesforce:
    """``ports.DestinationKind`` over an org."""

    destination: str
    target: SalesforceTarget
    org: Org
    jobs: Jobs
    capabilities: Capabilities

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> Sequence[Acknowledgement]:
        """Contacts first, then their membership; a removal is of the membership."""
        if not batch.records:
            return []
        if batch.records[0].operation == "remove":
            return self._remove(delivery, batch)
        campaign = self._campaign(delivery.segment)
        if len(batch.records) < self.target.bulk_from:
            answers = self.org.upsert(batch.records)
            refused = {answer.key for answer in answers}
            return answers + self._enlist(
                campaign, [record for record in batch.records if record.key not in refused]
            )
        job = self.jobs.hand_in(batch.records, note)
        try:
            return self._of_job(delivery, job, batch.records)
        except TransientError:
            return [Acknowledgement(key=r.key, outcome="pending") for r in batch.records]

    def look_up(self, delivery: Delivery, batch: Batch) -> Sequence[Acknowledgement] | None:
        """What its job did, whose records are made members then; without a job, what is there."""
        if batch.job is not None:
            return self._of_job(delivery, batch.job, batch.records)
        found = self.org.found(batch.records, list(delivery.schema))
        is_removal = any(record.operation == "remove" for record in batch.records)
        people = (
            self._leaving(batch, found)
            if is_removal
            else {key: {str(row["Id"])} for key, row in found.items()}
        )
        members = self.org.members(
            self._campaign(delivery.segment), sorted(set().union(*people.values())), ours=is_removal
        )
        return [
            Acknowledgement(
                key=record.key,
                outcome="acknowledged" if _is_done(record, row, is_member) else "retry",
                remote_id=str(row["Id"]) if row else None,
            )
            for record in batch.records
            for row in [found.get(record.key)]
            for is_member in [not people.get(record.key, set()).isdisjoint(members)]
        ]

    def finish(self, delivery: Delivery) -> None:
        """Nothing is left to do."""

    def members(self, segment: str) -> Iterator[str]:
        """External ids of the campaign's members; an empty one for somebody who has none."""
        campaign = self.org.known_campaign(self._name(segment))
        if campaign is not None:
            yield from self.org.keys(campaign)

    def _name(self, segment: str) -> str:
        return audience_name(self.target.campaign, destination=self.destination, segment=segment)

    def _campaign(self, segment: str) -> str:
        return self.org.campaign(self._name(segment))

    def _of_job(
        self, delivery: Delivery, job: str, records: Sequence[OutboundRecord]
    ) -> list[Acknowledgement]:
        answers, applied = self.jobs.outcomes(job, records)
        return answers + (
            self._enlist(self._campaign(delivery.segment), applied) if applied else []
        )

    def _enlist(self, campaign: str, records: Sequence[OutboundRecord]) -> list[Acknowledgement]:
        """Members are read back by the ids of their contacts; only who is one is acknowledged."""
        found = {key: str(row["Id"]) for key, row in self.org.found(records).items()}
        people = list(found.values())
        members = self.org.members(campaign, people) if people else {}
        absent = [person for person in people if person not in members]
        refused = self.org.enlist(campaign, absent) if absent else {}
        members |= self.org.members(campaign, absent) if absent else {}
        answers = []
        for record in records:
            person = found.get(record.key)
            if person in members:
                done = Acknowledgement(key=record.key, outcome="acknowledged", remote_id=person)
                answers.append(done)
            elif person in refused:
                answers.append(refusal(record, refused[person]))
        return answers

    def _remove(self, delivery: Delivery, batch: Batch) -> list[Acknowledgement]:
        found = self.org.found(batch.records)
        people = self._leaving(batch, found)
        left: Mapping[str, str] = {}
        if leaving := sorted(set().union(*people.values())):
            campaign = self._campaign(delivery.segment)
            ours = self.org.members(campaign, leaving, ours=True)
            if ours:
                self.org.delete(list(ours.values()))
                left = self.org.members(campaign, list(ours), ours=True)
        return [
            Acknowledgement(
                key=record.key,
                outcome="acknowledged" if people[record.key].isdisjoint(left) else "retry",
                remote_id=str(found[record.key]["Id"]) if record.key in found else record.remote_id,
            )
            for record in batch.records
        ]

    def _leaving(self, batch: Batch, found: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
        """By key, the people who leave the campaign with a record: who bears its key, and whom we
        put there and whom that one was merged into since, unless they are by now somebody else
        who stays.
        """
        ours = self._put_by_us(batch.records)
        own = {key: str(row["Id"]) for key, row in found.items()}
        keys = self.org.keys_of(
            {person for key, people in ours.items() for person in people if person != own.get(key)}
        )
        bears = {
            key: [keys[person] for person in people if person in keys]
            for key, people in ours.items()
        }
        stay = staying(batch, bears)
        return {
            record.key: {
                person
                for person in (own.get(record.key), *ours[record.key])
                if person and (person == own.get(record.key) or record.key not in stay)
            }
            for record in batch.records
        }

    def _put_by_us(self, records: Sequence[OutboundRecord]) -> dict[str, list[str]]:
        """By key, the ids of whom we made a member, and of whom they were merged into."""
        into = self.org.masters(record.remote_id for record in records if record.remote_id)
        return {
            record.key: [
                person for person in (record.remote_id, into.get(record.remote_id or "")) if person
            ]
            for record in records
        }


def _is_done(record: OutboundRecord, row: Mapping[str, Any] | None, is_member: bool) -> bool:
    if record.operation == "remove":
        return not is_member
    return (
        row is not None
        and is_member
        and all(text(row.get(name)) == text(plain(value)) for name, value in record.fields.items())
    )
