"""Klaviyo's profiles, lists and jobs, as far as goldenlake uses them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

from werkzeug import Request

from support.vendors import TOKEN, Answer, Vendor, route

_AT = "2026-01-01T00:00:00+00:00"
_HOME = "https://a.klaviyo.com/api"
_JSON_API = "application/vnd.api+json"
_LARGEST = 5_000_000


@dataclass
class Job:
    """Work that is taken, and done when it is asked for a second time."""

    kind: str
    profiles: list[dict[str, Any]]
    lists: list[str] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    is_asked: bool = False
    is_done: bool = False


class Klaviyo(Vendor):
    """An account whose profiles are worked on in jobs, in the order in which they came."""

    specs: ClassVar = ("klaviyo/profiles.json", "klaviyo/lists.json")

    def __init__(self) -> None:
        super().__init__()
        self.profiles: dict[str, dict[str, Any]] = {}
        self.lists: dict[str, str] = {}
        self.members: dict[str, set[str]] = {}
        self.suppressed: set[str] = set()
        self.jobs: dict[str, Job] = {}
        self.refused: set[str] = set()
        """Addresses that jobs refuse."""
        self.tells_of_errors = True
        self.error_page = 1
        self.member_page = 3

    def is_known(self, request: Request) -> bool:
        """By a private key."""
        return request.headers.get("Authorization") == f"Klaviyo-API-Key {TOKEN}"

    def refusal(self, status: int, message: str) -> Answer:
        """Klaviyo's own words."""
        error = {"id": "1", "status": status, "code": "invalid", "title": "No.", "detail": message}
        return _answer({"errors": [error]}, status)

    @route("POST", "/api/profile-bulk-import-jobs")
    def import_profiles(self, request: Request) -> Answer:
        """Taken as a job, unless it is too large or something in it is no address."""
        told = request.get_json(force=True)["data"]
        profiles = told["attributes"]["profiles"]["data"]
        if len(profiles) > 10_000 or len(request.get_data()) > _LARGEST:
            return self.refusal(413, "too large")
        for each in profiles:
            if "@" not in each["attributes"].get("email", "@"):
                return self.refusal(400, f"{each['attributes']['email']} is no address")
        lists = [each["id"] for each in told["relationships"]["lists"]["data"]]
        return self._taken(Job("profile-bulk-import-job", profiles, lists))

    @route("POST", "/api/profile-suppression-bulk-create-jobs")
    def suppress(self, request: Request) -> Answer:
        """A hundred addresses at most."""
        profiles = request.get_json(force=True)["data"]["attributes"]["profiles"]["data"]
        if len(profiles) > 100:
            return self.refusal(400, "too many")
        return self._taken(Job("profile-suppression-bulk-create-job", profiles))

    def _taken(self, job: Job) -> Answer:
        name = f"job{len(self.jobs)}"
        self.jobs[name] = job
        return _answer({"data": self._job(name)}, 202)

    def _job(self, name: str) -> dict[str, Any]:
        job = self.jobs[name]
        attributes: dict[str, Any] = {
            "status": "complete" if job.is_done else "processing",
            "created_at": _AT,
            "total_count": len(job.profiles),
        }
        if job.kind == "profile-bulk-import-job":
            attributes["failed_count"] = len(job.failed)
        return {
            "type": job.kind, "id": name, "attributes": attributes,
            "links": {"self": f"{_HOME}/{job.kind}s/{name}/"},
        }  # fmt: skip

    @route("GET", "/api/profile-bulk-import-jobs/<name>")
    @route("GET", "/api/profile-suppression-bulk-create-jobs/<name>")
    def status(self, request: Request, name: str) -> Answer:
        """Processing at first."""
        if name not in self.jobs:
            return self.refusal(404, "no such job")
        if self.jobs[name].is_asked:
            self.work()
        self.jobs[name].is_asked = True
        return _answer({"data": self._job(name)})

    def work(self) -> None:
        """Do what was taken."""
        for job in self.jobs.values():
            if not job.is_done:
                job.is_done = True
                for each in job.profiles:
                    self._worked(job, each)

    def _worked(self, job: Job, told: dict[str, Any]) -> None:
        email = told["attributes"]["email"].lower()
        if email in self.refused:
            job.failed.append(told)
            return
        profile = self._by_email().get(email) or f"P{len(self.profiles)}"
        held = self.profiles.setdefault(profile, {"properties": {}})
        sent = dict(told["attributes"])
        if None in (*sent.values(), *sent.get("properties", {}).values()):
            self.violations.append("a value was to be cleared, which is not possible")
        properties = {**held["properties"], **sent.pop("properties", {})}
        held |= {**sent, "email": email, "properties": properties}
        for each in job.lists:
            self.members[each].add(profile)
        if job.kind != "profile-bulk-import-job":
            self.suppressed.add(email)

    def _by_email(self) -> dict[str, str]:
        return {held["email"]: profile for profile, held in self.profiles.items()}

    @route("GET", "/api/profile-bulk-import-jobs/<name>/import-errors")
    def errors(self, request: Request, name: str) -> Answer:
        """In pages, with what was sent."""
        failed = self.jobs[name].failed if self.tells_of_errors else []
        start = int(request.args.get("page[cursor]", 0))
        end = start + self.error_page
        data = [
            {
                "type": "import-error", "id": str(start + at),
                "attributes": {
                    "code": "invalid", "title": "Invalid input.", "source": {"pointer": "/data"},
                    "detail": f"{each['attributes']['email']} was refused",
                    "original_payload": each,
                },
            }
            for at, each in enumerate(failed[start:end])
        ]  # fmt: skip
        links = {"self": f"{_HOME}/errors"}
        if end < len(failed):
            links["next"] = f"{_HOME}/errors?page%5Bcursor%5D={end}"
        return _answer({"data": data, "links": links})

    @route("GET", "/api/profiles")
    def found(self, request: Request) -> Answer:
        """By address or id, with what they subscribed to where it is asked for."""
        wanted = request.args.get("additional-fields[profile]") == "subscriptions"
        page = self._page(
            request, set(self.profiles), by=("email", "id"), with_subscriptions=wanted
        )
        return _answer(page)

    @route("GET", "/api/lists/<list_id>/profiles")
    def members_of(self, request: Request, list_id: str) -> Answer:
        """By address."""
        return _answer(self._page(request, self.members[list_id], by=("email",)))

    def _page(
        self,
        request: Request,
        among: set[str],
        *,
        by: tuple[str, ...],
        with_subscriptions: bool = False,
    ) -> dict[str, Any]:
        """Those whom a filter allows, which may be by one of these fields."""
        found = sorted(among)
        if "filter" in request.args:
            chosen = re.fullmatch(r"any\((\w+),(\[.*\])\)", request.args["filter"])
            assert chosen, request.args["filter"]
            assert chosen.group(1) in by, request.args["filter"]
            wanted = {each.casefold() for each in json.loads(chosen.group(2))}
            told = {each: {"id": each, **self.profiles[each]} for each in found}
            by_what = chosen.group(1)
            found = [each for each in found if (told[each][by_what] or "").casefold() in wanted]
            size = int(request.args.get("page[size]", 20))
        else:
            size = self.member_page
        start = int(request.args.get("page[cursor]", 0))
        end = start + size
        data = [self._shown(each, with_subscriptions) for each in found[start:end]]
        links = {"self": f"{_HOME}/profiles"}
        if end < len(found):
            links["next"] = f"{_HOME}/profiles?page%5Bcursor%5D={end}"
        return {"data": data, "links": links}

    def _shown(self, profile: str, with_subscriptions: bool) -> dict[str, Any]:
        attributes = {**self.profiles[profile], "joined_group_at": _AT}
        if with_subscriptions:
            is_suppressed = attributes["email"] in self.suppressed
            reasons = [{"reason": "USER_SUPPRESSED", "timestamp": _AT}] if is_suppressed else []
            marketing = {
                "can_receive_email_marketing": not is_suppressed, "consent": "NEVER_SUBSCRIBED",
                "suppression": reasons,
                "list_suppressions": [
                    {"list_id": "L9", "reason": "USER_SUPPRESSED", "timestamp": _AT}
                ],
            }  # fmt: skip
            attributes["subscriptions"] = {"email": {"marketing": marketing}}
        return {
            "type": "profile", "id": profile, "attributes": attributes,
            "links": {"self": f"{_HOME}/profiles/{profile}/"},
        }  # fmt: skip

    @route("GET", "/api/lists")
    def lists_by_name(self, request: Request) -> Answer:
        """All of that name."""
        chosen = re.fullmatch(r"equals\(name,(\".*\")\)", request.args["filter"])
        assert chosen, request.args["filter"]
        wanted = json.loads(chosen.group(1))
        data = [self._list(each) for each, name in self.lists.items() if name == wanted]
        return _answer({"data": data, "links": {"self": f"{_HOME}/lists"}})

    @route("POST", "/api/lists")
    def make_list(self, request: Request) -> Answer:
        """Names are not unique."""
        made = f"L{len(self.lists)}"
        self.lists[made] = request.get_json(force=True)["data"]["attributes"]["name"]
        self.members[made] = set()
        return _answer({"data": self._list(made)}, 201)

    def _list(self, list_id: str) -> dict[str, Any]:
        return {
            "type": "list", "id": list_id, "links": {"self": f"{_HOME}/lists/{list_id}/"},
            "attributes": {"name": self.lists[list_id], "created": _AT},
        }  # fmt: skip

    @route("DELETE", "/api/lists/<list_id>/relationships/profiles")
    def unlist(self, request: Request, list_id: str) -> Answer:
        """A thousand at most."""
        told = request.get_json(force=True)["data"]
        if len(told) > 1000:
            return self.refusal(400, "too many")
        self.members[list_id] -= {each["id"] for each in told}
        return Answer(status=204)


def _answer(body: dict[str, Any], status: int = 200) -> Answer:
    return Answer(body, status, content_type=_JSON_API)
