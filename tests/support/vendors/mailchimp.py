"""Mailchimp's audience, its static segments and merge fields, as far as goldenlake uses them."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import md5
from typing import Any, ClassVar

from werkzeug import Request

from support.vendors import TOKEN, Answer, Vendor, route

AUDIENCE = "a1b2c3d4e5"
_AT = "2026-01-01T00:00:00+00:00"
_MOST_TAGS = 50
"""That are told of a member; the others are told where tags are asked for."""


@dataclass
class Member:
    """Of the audience; an archived one is there, and counts as none."""

    email: str
    status: str
    fields: dict[str, Any] = field(default_factory=dict)


class Mailchimp(Vendor):
    """An account with one audience."""

    specs: ClassVar = ("mailchimp/lists_3.0.json",)
    base: ClassVar = "/3.0"

    def __init__(self) -> None:
        super().__init__()
        self.members: dict[str, Member] = {}
        self.segments: dict[int, tuple[str, str]] = {1: ("readers", "saved")}
        self.tagged: dict[int, set[str]] = {1: set()}
        self.fields = {"given_name": "text", "orders": "number"}
        self.required: set[str] = set()
        """Merge fields without which nobody is added, unless it is asked to be so."""
        self.refused: set[str] = set()
        """Addresses that the audience does not take."""
        self.slips_in: set[str] = set()
        """Addresses of people who unsubscribe between being read and being written."""
        self.forgets: set[str] = set()
        """Addresses of members who are gone before they are put into a segment."""
        self.status_changes: list[tuple[str, str, str]] = []

    def is_known(self, request: Request) -> bool:
        """By a key, whatever the name."""
        known = b64encode(f"goldenlake:{TOKEN}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {known}"

    def refusal(self, status: int, message: str) -> Answer:
        """Mailchimp's own words."""
        body = {
            "type": "https://mailchimp.com/developer/marketing/docs/errors/", "title": "Problem",
            "status": status, "detail": message, "instance": "00000000",
        }  # fmt: skip
        return Answer(body, status, content_type="application/problem+json")

    @route("POST", "/lists/<audience>")
    def batch(self, request: Request, audience: str) -> Answer:
        """Each member by itself; five hundred at most."""
        told = request.get_json()
        if len(told["members"]) > 500:
            return self.refusal(400, "too many members")
        for email in self.slips_in & {each["email_address"] for each in told["members"]}:
            self.members[member_id(email)] = Member(email, "unsubscribed")
        self.slips_in = set()
        made, changed, errors = [], [], []
        for each in told["members"]:
            name = member_id(each["email_address"])
            known = self.members.get(name)
            is_there = known is not None and known.status != "archived"
            problem = self._problem(each, is_there, told.get("update_existing", False))
            lacking = self.required - set(each.get("merge_fields", {}))
            if lacking and known is None and "skip_merge_validation" not in request.args:
                problem = f"lacks {min(lacking)}"
            if problem:
                code = "ERROR_CONTACT_EXISTS" if problem == "exists" else "ERROR_GENERIC"
                said = f"{each['email_address']} {problem}"
                errors.append(
                    {"email_address": each["email_address"], "error": said, "error_code": code}
                )
                continue
            if known is None:
                known = Member(each["email_address"], each["status"])
                self.members[name] = known
            elif "status" in each and each["status"] != known.status:
                self.status_changes.append((known.email, known.status, each["status"]))
                known.status = each["status"]
            known.fields |= {
                tag: value
                for tag, value in each.get("merge_fields", {}).items()
                if tag in self.fields
            }
            (changed if is_there else made).append(self._shown(name))
        return Answer(
            {
                "new_members": made, "updated_members": changed, "errors": errors,
                "total_created": len(made), "total_updated": len(changed),
                "error_count": len(errors),
            }
        )  # fmt: skip

    def _problem(self, told: dict[str, Any], is_there: bool, update_existing: bool) -> str:
        if "@" not in told["email_address"] or told["email_address"].lower() in self.refused:
            return "looks fake or invalid"
        if is_there and not update_existing:
            return "exists"
        return "" if is_there or "status" in told else "has no status"

    def _shown(self, name: str) -> dict[str, Any]:
        member, tags = self.members[name], self._tags(name)
        return {
            "id": name, "email_address": member.email, "status": member.status,
            "merge_fields": member.fields, "list_id": AUDIENCE, "last_changed": _AT,
            "tags": tags[:_MOST_TAGS], "tags_count": len(tags),
        }  # fmt: skip

    def _tags(self, name: str) -> list[dict[str, Any]]:
        return [
            {"id": segment, "name": self.segments[segment][0]}
            for segment, names in self.tagged.items()
            if name in names
        ]

    @route("GET", "/lists/<audience>/members/<name>")
    def member(self, request: Request, audience: str, name: str) -> Answer:
        """Whoever is or was one."""
        if name not in self.members:
            return self.refusal(404, "not found")
        return Answer(self._shown(name))

    @route("GET", "/lists/<audience>/members/<name>/tags")
    def tags_of(self, request: Request, audience: str, name: str) -> Answer:
        """All of them, in pages."""
        at, count = int(request.args.get("offset", 0)), int(request.args.get("count", 10))
        found = self._tags(name)
        return Answer({"tags": found[at : at + count], "total_items": len(found)})

    @route("GET", "/lists/<audience>/segments")
    def all_segments(self, request: Request, audience: str) -> Answer:
        """Of a type, in pages."""
        wanted = request.args.get("type")
        found = [
            {"id": segment, "name": name, "type": kind}
            for segment, (name, kind) in self.segments.items()
            if wanted in (None, kind)
        ]
        at, count = int(request.args.get("offset", 0)), int(request.args.get("count", 10))
        return Answer({"segments": found[at : at + count], "total_items": len(found)})

    @route("POST", "/lists/<audience>/segments")
    def make_segment(self, request: Request, audience: str) -> Answer:
        """A static one."""
        told = request.get_json()
        segment = max(self.segments) + 1
        self.segments[segment] = (told["name"], "static")
        self.tagged[segment] = set()
        return Answer({"id": segment, "name": told["name"], "type": "static"})

    @route("POST", "/lists/<audience>/segments/<int:segment>")
    def change_segment(self, request: Request, audience: str, segment: int) -> Answer:
        """Silent about everybody who is not in the audience, or already as is asked for."""
        told = request.get_json()
        adding = [member_id(each) for each in told.get("members_to_add", ())]
        removing = [member_id(each) for each in told.get("members_to_remove", ())]
        if len(adding) > 500 or len(removing) > 500:
            return self.refusal(400, "too many members")
        for email in self.forgets:
            self.members.pop(member_id(email), None)
        names = self.tagged[segment]
        there = {name for name, each in self.members.items() if each.status != "archived"}
        added = [name for name in adding if name in there - names]
        removed = [name for name in removing if name in names]
        names |= set(added)
        names -= set(removed)
        return Answer(
            {
                "members_added": [self._shown(name) for name in added],
                "members_removed": [self._shown(name) for name in removed],
                "errors": [], "total_added": len(added), "total_removed": len(removed),
                "error_count": 0,
            }
        )  # fmt: skip

    @route("GET", "/lists/<audience>/segments/<int:segment>/members")
    def members_of(self, request: Request, audience: str, segment: int) -> Answer:
        """In pages; of those who are not subscribed, whom it is asked for."""
        shown = [self._shown(name) for name in sorted(self.tagged[segment])]
        found = [
            each for each in shown
            if each["status"] in ("subscribed", "pending")
            or request.args.get(f"include_{each['status']}") == "true"
        ]  # fmt: skip
        at = int(request.args.get("offset", 0))
        end = at + int(request.args.get("count", 10))
        return Answer({"members": found[at:end], "total_items": len(found)})

    @route("GET", "/lists/<audience>/merge-fields")
    def all_fields(self, request: Request, audience: str) -> Answer:
        """In pages."""
        at, count = int(request.args.get("offset", 0)), int(request.args.get("count", 10))
        found = [{"tag": tag, "name": tag, "type": kind} for tag, kind in self.fields.items()]
        return Answer({"merge_fields": found[at : at + count], "total_items": len(found)})

    @route("POST", "/lists/<audience>/merge-fields")
    def make_field(self, request: Request, audience: str) -> Answer:
        """A new one."""
        told = request.get_json()
        self.fields[told["tag"]] = told["type"]
        return Answer({"merge_id": len(self.fields), **told})


def member_id(email: str) -> str:
    return md5(email.lower().encode(), usedforsecurity=False).hexdigest()
