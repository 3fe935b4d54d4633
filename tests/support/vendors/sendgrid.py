"""SendGrid's contacts, lists, fields and unsubscribe groups, as far as goldenlake uses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from werkzeug import Request

from support.vendors import Answer, Vendor, route

_AT = "2026-01-01T00:00:00Z"
_RESERVED = ("first_name", "last_name", "email", "external_id", "phone_number_id", "last_clicked")
_READ_ONLY = ("last_clicked",)


@dataclass
class Job:
    """Work that is taken, and done when it is asked for a second time."""

    kind: str
    list_ids: list[str]
    contacts: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    is_asked: bool = False
    is_done: bool = False
    refused: list[str] = field(default_factory=list)


class ErrorFiles(Vendor):
    """The host that files of errors are fetched from, where nobody shows who they are."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, str] = {}
        self.is_gone = False

    def is_known(self, request: Request) -> bool:
        """Credentials do not belong here."""
        if "Authorization" in request.headers:
            self.violations.append("credentials were sent to the host of files")
        return True

    @route("GET", "/errors/<job>")
    def fetched(self, request: Request, job: str) -> Answer:
        """As long as it is there."""
        if self.is_gone:
            return Answer({"message": "expired"}, 403)
        return Answer(self.files[job].encode(), content_type="text/csv")


class Sendgrid(Vendor):
    """An account whose contacts are worked on in jobs, in the order in which they came."""

    specs: ClassVar = (
        "sendgrid/tsg_mc_contacts_v3.json", "sendgrid/tsg_mc_lists_v3.json",
        "sendgrid/tsg_mc_custom_fields_v3.json", "sendgrid/tsg_suppressions_v3.json",
    )  # fmt: skip

    def __init__(self, files: ErrorFiles, files_url: str) -> None:
        super().__init__()
        self.files, self.files_url = files, files_url
        self.contacts: dict[str, dict[str, Any]] = {}
        self.lists: dict[str, str] = {"list of somebody else": _uuid(900)}
        self.jobs: dict[str, Job] = {}
        self.fields = {"given_name": ("e1_T", "Text"), "orders": ("e2_N", "Number")}
        self.groups: dict[str, set[str]] = {"7": set()}
        self.suppressed_everywhere: set[str] = set()
        self.refused: set[str] = set()
        """Addresses for which jobs have errors."""
        self.page_size = 2
        self.forgets_jobs = False
        self.made_contacts = 0

    def refusal(self, status: int, message: str) -> Answer:
        """SendGrid's own words."""
        error = {"message": message, "field": "contacts"}
        return Answer({**error, "errors": [error]}, status)

    @route("PUT", "/v3/marketing/contacts")
    def upsert(self, request: Request) -> Answer:
        """Taken as a job, unless something in it is wrong: then nothing of it is."""
        told = request.get_json()
        if len(request.get_data()) > 6_000_000:
            return self.refusal(413, "too large")
        ids = {field_id for field_id, _ in self.fields.values()}
        for each in told["contacts"]:
            if not set(each.get("custom_fields", {})) <= ids:
                return self.refusal(400, "invalid custom field ids supplied")
            if None in each.get("custom_fields", {}).values():
                return self.refusal(400, "custom field cannot be null")
            if "@" not in each.get("email", "@"):
                return self.refusal(400, f"email {each['email']} is not valid")
        return self._taken(Job("upsert", told["list_ids"], contacts=told["contacts"]))

    def _taken(self, job: Job) -> Answer:
        name = _uuid(1000 + len(self.jobs))
        self.jobs[name] = job
        return Answer({"job_id": name}, 202)

    @route("GET", "/v3/marketing/contacts/imports/<name>")
    def status(self, request: Request, name: str) -> Answer:
        """Pending at first."""
        if self.forgets_jobs or name not in self.jobs:
            return self.refusal(404, "no such job")
        job = self.jobs[name]
        told: dict[str, Any] = {"id": name, "job_type": job.kind, "started_at": _AT}
        if not job.is_asked and not job.is_done:
            job.is_asked = True
            return Answer({**told, "status": "pending"})
        self.work()
        results: dict[str, Any] = {"requested_count": len(job.contacts)}
        if job.refused:
            lines = [f"{each},address is invalid" for each in job.refused]
            self.files.files[name] = "email,error\r\n" + "\r\n".join(lines)
            results |= {
                "errored_count": len(job.refused), "errors_url": f"{self.files_url}/errors/{name}",
            }  # fmt: skip
        all_failed = job.refused and len(job.refused) == len(job.contacts)
        state = "failed" if all_failed else "errored" if job.refused else "completed"
        return Answer({**told, "status": state, "results": results, "finished_at": _AT})

    def work(self) -> None:
        """Do what was taken."""
        for job in self.jobs.values():
            if job.is_done:
                continue
            job.is_done = True
            for each in job.contacts:
                if each.get("email", "").lower() in self.refused:
                    job.refused.append(each["email"])
                else:
                    self._upserted(each, job.list_ids)
            for contact in job.ids:
                held = self.contacts.get(contact)
                if held is not None:
                    held["list_ids"] = [of for of in held["list_ids"] if of not in job.list_ids]

    def _upserted(self, told: dict[str, Any], list_ids: list[str]) -> None:
        found = self._by("email").get(told["email"].lower())
        if found is None:
            self.made_contacts += 1
            found = {
                "id": _uuid(self.made_contacts), "list_ids": [], "segment_ids": [],
                "created_at": _AT, "updated_at": _AT, "custom_fields": {},
            }  # fmt: skip
            self.contacts[found["id"]] = found
        names = {field_id: name for name, (field_id, _) in self.fields.items()}
        custom = told.pop("custom_fields", {})
        found |= {**told, "email": told["email"].lower()}
        found["custom_fields"] |= {names[field_id]: value for field_id, value in custom.items()}
        found["list_ids"] = sorted({*found["list_ids"], *list_ids})

    def _by(self, identifier: str) -> dict[str, dict[str, Any]]:
        return {each[identifier]: each for each in self.contacts.values() if identifier in each}

    @route("POST", "/v3/marketing/contacts/search/identifiers/<identifier>")
    def searched(self, request: Request, identifier: str) -> Answer:
        """Up to a hundred, all of them addresses; 404 where nobody is."""
        asked = request.get_json()["identifiers"]
        if len(asked) > 100:
            return self.refusal(400, "more than 100")
        if any("@" not in each for each in asked):
            return self.refusal(400, "not an address")
        known = self._by(identifier)
        there = [each for each in asked if each.lower() in known]
        if not there:
            return self.refusal(404, "not found")
        result: dict[str, Any] = {each: {"error": "contact not found"} for each in asked}
        result |= {each: {"contact": known[each.lower()]} for each in there}
        return Answer({"result": {each.lower(): told for each, told in result.items()}})

    @route("GET", "/v3/marketing/lists")
    def all_lists(self, request: Request) -> Answer:
        """In pages."""
        start = int(request.args.get("page_token", 0))
        names = sorted(self.lists)
        page = names[start : start + self.page_size]
        told: dict[str, Any] = {"result": [{"id": self.lists[name], "name": name} for name in page]}
        end = start + len(page)
        url = "https://api.sendgrid.com/v3/marketing/lists"
        following = {"next": f"{url}?page_token={end}"} if end < len(names) else {}
        return Answer({**told, "_metadata": {"self": url, "count": len(names), **following}})

    @route("POST", "/v3/marketing/lists")
    def make_list(self, request: Request) -> Answer:
        """Under a name that is not taken."""
        name = request.get_json()["name"]
        if name in self.lists:
            return self.refusal(400, "name is taken")
        self.lists[name] = _uuid(2000 + len(self.lists))
        return Answer({"id": self.lists[name], "name": name, "contact_count": 0}, 201)

    @route("DELETE", "/v3/marketing/lists/<list_id>/contacts")
    def unlist(self, request: Request, list_id: str) -> Answer:
        """Taken as a job."""
        ids = request.args["contact_ids"].split(",")
        return self._taken(Job("delete", [list_id], ids=ids))

    @route("GET", "/v3/marketing/field_definitions")
    def all_fields(self, request: Request) -> Answer:
        """Custom ones, and those that every account has."""
        custom = [{"id": i, "name": n, "field_type": t} for n, (i, t) in self.fields.items()]
        reserved = [
            {"id": f"_rf{at}_T", "name": name, "field_type": "Text"}
            | ({"read_only": True} if name in _READ_ONLY else {})
            for at, name in enumerate(_RESERVED)
        ]
        return Answer({"custom_fields": custom, "reserved_fields": reserved})

    @route("POST", "/v3/marketing/field_definitions")
    def make_field(self, request: Request) -> Answer:
        """A custom one."""
        told = request.get_json()
        if told["name"].lower() in {name.lower() for name in (*self.fields, *_RESERVED)}:
            return self.refusal(400, "name is taken")
        made = f"e{len(self.fields) + 1}_{told['field_type'][0]}"
        self.fields[told["name"]] = (made, told["field_type"])
        return Answer({"id": made, **told})

    @route("GET", "/v3/asm/groups/<group>")
    def group(self, request: Request, group: str) -> Answer:
        """Or 404."""
        if group not in self.groups:
            return self.refusal(404, "group not found")
        return Answer({"id": int(group), "name": "News", "description": "x", "is_default": False})

    @route("POST", "/v3/asm/groups/<group>/suppressions")
    def suppress(self, request: Request, group: str) -> Answer:
        """In the group; for all mail where there is none."""
        asked = request.get_json()["recipient_emails"]
        self.groups.get(group, self.suppressed_everywhere).update(each.lower() for each in asked)
        return Answer({"recipient_emails": asked}, 201)

    @route("POST", "/v3/asm/groups/<group>/suppressions/search")
    def suppressed(self, request: Request, group: str) -> Answer:
        """Those of the addresses that are in the group."""
        asked = request.get_json()["recipient_emails"]
        return Answer([each.lower() for each in asked if each.lower() in self.groups[group]])


def _uuid(number: int) -> str:
    return str(UUID(int=number))
