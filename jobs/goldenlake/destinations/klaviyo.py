"""Klaviyo: profiles by e-mail or phone, and a list for each segment.

https://developers.klaviyo.com/en/reference/bulk_import_profiles and remove_profiles_from_list. A
profile is acknowledged when it is found in the list after its job. Nobody is subscribed by it, and
nobody's suppression lifted: the endpoints that do so are never called.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from goldenlake.declarations.destination import Destination
from goldenlake.declarations.targets import KlaviyoTarget, audience_name, modes_of
from goldenlake.destinations.accounts import Account, Known, open_account, there, token_of
from goldenlake.destinations.bearers import staying
from goldenlake.destinations.jobs import Work, all_are, found, keys_of, name
from goldenlake.destinations.sending import never_lifted
from goldenlake.destinations.values import counted
from goldenlake.ports import (
    Acknowledgement,
    Batch,
    Capabilities,
    Delivery,
    Found,
    NoteJob,
    OutboundRecord,
    Outside,
    Published,
)

#: https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling, of the slowest call.
PUBLISHED = Published(rates=[(10, 1.0), (150, 60.0)], concurrency=4)
_JSON_API = "application/vnd.api+json"
_HEADERS = {"revision": "2026-07-15", "accept": _JSON_API}
_IMPORTS = "/api/profile-bulk-import-jobs"
_SUPPRESSIONS = "/api/profile-suppression-bulk-create-jobs"
_MEMBERS = "/api/lists/{list}/relationships/profiles"
_MOST_ASKED = 50
"""Names in a filter: more of them make an address too long."""
_MOST_REMOVED = 1000
_MOST_SUPPRESSED = 100
_PAGE = 100
_ATTRIBUTES = frozenset(
    {
        "email", "phone_number", "external_id", "first_name", "last_name", "organization",
        "locale", "title", "image",
    }
)  # fmt: skip
_LOCATION = "location."


def capabilities(target: KlaviyoTarget) -> Capabilities:
    """Profiles in tens of thousands, which are looked for in fifties afterwards."""
    return Capabilities(
        modes=modes_of(target),
        batch_records=10_000,
        batch_bytes=3 * 2**20,
        concurrency=2,
        clears=False,
        can_look_up=True,
        calls_per_batch=203.0,
        calls_per_second=2.5,
    )


def opened(destination: Destination, target: KlaviyoTarget, outside: Outside) -> Klaviyo:
    """The account of the target's connection."""
    return open_account(Klaviyo, destination, outside, can=capabilities(target))


@dataclass(frozen=True, kw_only=True)
class Klaviyo(Account[KlaviyoTarget]):
    """``ports.DestinationKind`` and ``ListsMembers`` over the JSON:API of one revision."""

    _lists: Known[str] = field(default_factory=Known)
    """Ids of lists by their names."""
    _jobs: set[str] = field(default_factory=set)

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> Sequence[Acknowledgement]:
        """Profiles and their membership in one job; a removal is of the membership."""
        if not batch.records:
            return []
        is_removal = batch.records[0].operation == "remove"
        if delivery.mode == "suppress":
            return (
                never_lifted(batch.records) if is_removal else self._suppress(batch.records, note)
            )
        if is_removal:
            return self._remove(delivery, batch)
        self._import(delivery, batch.records, note)
        return all_are(batch.records, "pending")

    def look_up(self, delivery: Delivery, batch: Batch) -> Sequence[Acknowledgement] | None:
        """What a job that has ended says was refused, and otherwise who is in the list; for a
        removal, of whom nothing is left to take out; in mode ``suppress``, who is suppressed.
        """
        if delivery.mode == "suppress":
            if self._is_running(_SUPPRESSIONS, batch.job):
                return all_are(batch.records, "pending")
            return self._suppressed(batch)
        if any(record.operation == "remove" for record in batch.records):
            return [
                Acknowledgement(key=key, outcome="retry" if ids else "acknowledged")
                for key, ids in self._leaving(delivery, batch).items()
            ]
        work = self._work(batch.job)
        if work.is_running:
            return all_are(batch.records, "pending")
        refused = work.refused(batch.records)
        left = [record for record in batch.records if name(record) not in work.errors]
        members = self._members(delivery, left, batch.found)
        return refused + [
            self._judged(record, members.get(name(record)), is_told=work.vouches(refused))
            for record in left
        ]

    def members(self, segment: str) -> Iterator[str]:
        """What profiles of the segment's list are known by, in the order of its pages."""
        found_list = self._find_list(self._name(segment))
        if found_list is None:
            return
        ids, path = {"list": found_list}, "/api/lists/{list}/profiles"
        for each in self._pages(path, ids, {"page[size]": _PAGE}):
            yield each["attributes"].get(self.target.identifier) or ""

    def _import(self, delivery: Delivery, records: Sequence[OutboundRecord], note: NoteJob) -> None:
        profiles = [
            {"type": "profile", "attributes": self._attributes(record)} for record in records
        ]
        lists = [{"type": "list", "id": self._list(delivery)}]
        told = self._call(
            "POST",
            _IMPORTS,
            data={
                "type": "profile-bulk-import-job",
                "attributes": {"profiles": {"data": profiles}},
                "relationships": {"lists": {"data": lists}},
            },
        )
        self._begun(told, note)

    def _begun(self, told: Mapping[str, Any], note: NoteJob) -> None:
        self._jobs.add(told["data"]["id"])
        note(told["data"]["id"])

    def _attributes(self, record: OutboundRecord) -> dict[str, Any]:
        """Klaviyo's own attributes by their names, parts of the place, and all else as properties.
        What has no value is left as it is: it could not be cleared.
        """
        attributes: dict[str, Any] = {}
        for called, value in record.fields.items():
            if value is None:
                continue
            if called in _ATTRIBUTES:
                attributes[called] = counted(value)
            elif called.startswith(_LOCATION):
                place = attributes.setdefault("location", {})
                place[called.removeprefix(_LOCATION)] = counted(value)
            else:
                attributes.setdefault("properties", {})[called] = counted(value)
        return attributes | {self.target.identifier: record.key}

    def _remove(self, delivery: Delivery, batch: Batch) -> list[Acknowledgement]:
        ids = set().union(*self._leaving(delivery, batch).values())
        leaving = [{"type": "profile", "id": each} for each in sorted(ids)]
        for at in range(0, len(leaving), _MOST_REMOVED):
            part = leaving[at : at + _MOST_REMOVED]
            self._call("DELETE", _MEMBERS, ids={"list": self._list(delivery)}, data=part)
        return all_are(batch.records, "acknowledged")

    def _leaving(self, delivery: Delivery, batch: Batch) -> dict[str, set[str]]:
        """By key, the ids of the profiles that leave the list with a record: the member that bears
        its key, and the profile that we put there, where that one bears another key by now, or
        none; but not where it is somebody else's who stays.
        """
        members = self._members(delivery, batch.records, batch.found)
        ours = self._put_by_us(batch, members)
        stay = staying(batch, {key: self._bears(each) for key, each in ours.items()})
        return {
            record.key: {
                each["id"]
                for each in (
                    members.get(name(record)),
                    None if record.key in stay else ours.get(record.key),
                )
                if each
            }
            for record in batch.records
        }

    def _put_by_us(
        self, batch: Batch, members: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        """By key, the profile that a record's id leads to, if it bears the key no longer."""
        ids = {
            record.key: record.remote_id
            for record in batch.records
            if record.remote_id and record.remote_id != members.get(name(record), {}).get("id")
        }
        asked = sorted(set(ids.values()))

        def searched(some: list[str]) -> list[dict[str, Any]]:
            return self._filtered("/api/profiles", some, by="id")

        known = {each["id"]: each for each in found(asked, _MOST_ASKED, searched, batch.found)}
        return {
            key: known[each]
            for key, each in ids.items()
            if each in known and key.casefold() not in self._by_name([known[each]])
        }

    def _bears(self, profile: Mapping[str, Any]) -> list[str]:
        """Its key, if it has one."""
        key = profile["attributes"].get(self.target.identifier)
        return [key] if key else []

    def _is_running(self, path: str, job: str | None) -> bool:
        return self._status(path, job).get("status") in ("queued", "processing")

    def _status(self, path: str, job: str | None) -> Mapping[str, Any]:
        """What a job says of itself; nothing, if Klaviyo knows it no more."""
        if job is None:
            return {}
        told = there(self.api, "GET", path + "/{job}", ids={"job": job}, headers=_HEADERS)
        attributes: Mapping[str, Any] = told.object()["data"]["attributes"] if told else {}
        return attributes

    def _work(self, job: str | None) -> Work:
        told = self._status(_IMPORTS, job)
        status = told.get("status")
        if job is None or status is None:
            return Work()
        failed = int(told.get("failed_count") or 0)
        return Work(
            is_running=status in ("queued", "processing"),
            is_ours=job in self._jobs and status == "complete",
            errors=dict(self._errors(job)) if failed else {},
            errored=failed,
        )

    def _errors(self, job: str) -> Iterator[tuple[str, str]]:
        """Whom a job refused, by what was sent of them, and why."""
        path = _IMPORTS + "/{job}/import-errors"
        for each in self._pages(path, {"job": job}, {"page[size]": _PAGE}):
            error = each["attributes"]
            if named := _named(error.get("original_payload"), self.target.identifier):
                yield named.casefold(), f"{error['code']} {error['title']} {error['detail']}"

    def _pages(
        self, path: str, ids: Mapping[str, str], params: Mapping[str, str | int]
    ) -> Iterator[Mapping[str, Any]]:
        asked = dict(params)
        while True:
            page = self._call("GET", path, ids=ids, params=asked)
            yield from page["data"]
            cursor = token_of((page.get("links") or {}).get("next"), "page[cursor]")
            if cursor is None:
                return
            asked["page[cursor]"] = cursor

    def _judged(
        self, record: OutboundRecord, member: Mapping[str, Any] | None, *, is_told: bool
    ) -> Acknowledgement:
        """Whether an addition was applied. Its values are compared unless a job of ours, of which
        all errors are known, vouches for them.
        """
        is_done = member is not None and (
            is_told or _holds(member["attributes"], self._attributes(record))
        )
        return Acknowledgement(
            key=record.key,
            outcome="acknowledged" if is_done else "retry",
            remote_id=member["id"] if member else None,
        )

    def _members(
        self, delivery: Delivery, records: Sequence[OutboundRecord], known: Found
    ) -> dict[str, dict[str, Any]]:
        """Profiles of these that are in the segment's list, by what they are known by."""
        list_id = self._list(delivery)

        def searched(keys: list[str]) -> list[dict[str, Any]]:
            return self._filtered("/api/lists/{list}/profiles", keys, ids={"list": list_id})

        return self._by_name(found(keys_of(records), _MOST_ASKED, searched, known))

    def _filtered(
        self,
        path: str,
        keys: list[str],
        *,
        by: str | None = None,
        ids: Mapping[str, str] | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> list[dict[str, Any]]:
        """Profiles by what they are known by, unless something else is said."""
        chosen = f"any({by or self.target.identifier},{json.dumps(keys, ensure_ascii=False)})"
        asked = {"filter": chosen, "page[size]": _PAGE, **(params or {})}
        profiles: list[dict[str, Any]] = self._call("GET", path, ids=ids, params=asked)["data"]
        return profiles

    def _by_name(self, profiles: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        identifier = self.target.identifier
        return {(each["attributes"].get(identifier) or "").casefold(): each for each in profiles}

    def _suppress(self, records: Sequence[OutboundRecord], note: NoteJob) -> list[Acknowledgement]:
        """By address, a hundred a call; each call is a job."""
        for at in range(0, len(records), _MOST_SUPPRESSED):
            profiles = [
                {"type": "profile", "attributes": {"email": record.key}}
                for record in records[at : at + _MOST_SUPPRESSED]
            ]
            told = self._call(
                "POST",
                _SUPPRESSIONS,
                data={
                    "type": "profile-suppression-bulk-create-job",
                    "attributes": {"profiles": {"data": profiles}},
                },
            )
            self._begun(told, note)
        return all_are(records, "pending")

    def _suppressed(self, batch: Batch) -> list[Acknowledgement]:
        def searched(keys: list[str]) -> list[dict[str, Any]]:
            wanted = {"additional-fields[profile]": "subscriptions"}
            return self._filtered("/api/profiles", keys, params=wanted)

        keys = keys_of(batch.records)
        profiles = self._by_name(found(keys, _MOST_ASKED, searched, batch.found))
        return [
            Acknowledgement(
                key=record.key,
                outcome="acknowledged" if _is_suppressed(profile) else "retry",
                remote_id=profile["id"] if profile else None,
            )
            for record in batch.records
            for profile in [profiles.get(name(record))]
        ]

    def _list(self, delivery: Delivery) -> str:
        """The id of the segment's list, which is made where there is none."""
        return self._lists.of(
            self._name(delivery.segment),
            lambda called: self._find_list(called) or self._make_list(called),
        )

    def _name(self, segment: str) -> str:
        return audience_name(self.target.list, destination=self.destination, segment=segment)

    def _find_list(self, called: str) -> str | None:
        """The oldest of that name: names are not unique."""
        chosen = f"equals(name,{json.dumps(called, ensure_ascii=False)})"
        known = self._call("GET", "/api/lists", params={"filter": chosen})["data"]
        known.sort(key=lambda each: (each["attributes"].get("created") or "", each["id"]))
        return str(known[0]["id"]) if known else None

    def _make_list(self, called: str) -> str:
        made = {"type": "list", "attributes": {"name": called}}
        return str(self._call("POST", "/api/lists", data=made)["data"]["id"])

    def _call(
        self,
        method: str,
        path: str,
        *,
        ids: Mapping[str, str] | None = None,
        data: Any = None,
        params: Mapping[str, str | int] | None = None,
    ) -> Any:
        reply = self.api.call(
            method,
            path,
            ids=ids,
            params=params,
            json=None if data is None else {"data": data},
            headers=_HEADERS | ({} if data is None else {"content-type": _JSON_API}),
        )
        return None if reply.status == 204 else reply.object()


def _named(payload: Any, identifier: str) -> str | None:
    """What a profile is known by, wherever in a payload it stands."""
    if not isinstance(payload, Mapping):
        return None
    own = payload.get(identifier)
    if isinstance(own, str):
        return own
    parts = (_named(part, identifier) for part in payload.values())
    return next((each for each in parts if each), None)


def _holds(held: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    for called, value in sent.items():
        has = held.get(called)
        if isinstance(value, Mapping):
            if not _holds(has or {}, value):
                return False
        elif has != value and str(has).casefold() != str(value).casefold():
            return False
    return True


def _is_suppressed(profile: Mapping[str, Any] | None) -> bool:
    """For all marketing by e-mail, not only for a list."""
    told = (profile or {"attributes": {}})["attributes"].get("subscriptions") or {}
    email = (told.get("email") or {}).get("marketing") or {}
    return bool(email.get("suppression"))
