"""Contacts, campaigns, members and bulk jobs of Salesforce, as far as goldenlake uses them.

The contract follows the guides of the REST API
(https://developer.salesforce.com/docs/platform/api-rest/guide/) and of Bulk API 2.0
(https://developer.salesforce.com/docs/platform/api-asynch/guide/bulk-api-2-0-ingest.html).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any
from urllib.parse import parse_qs, urlsplit

from werkzeug import Request

from support.vendors import Answer, Vendor, route
from support.vendors.written import closed, judged, several

DATA = "/services/data/v65.0"
US = "005000000000001AAA"
_TEXT = {"type": "string"}
_ID = {"type": "string", "pattern": "^[0-9A-Za-z]{18}$"}
_ERRORS = {
    "type": "array",
    "items": closed({"statusCode": _TEXT, "message": _TEXT, "fields": {"type": "array"}}),
}
_RESULTS = several(
    closed(
        {"success": {"type": "boolean"}, "errors": _ERRORS},
        id=_ID, created={"type": "boolean"},
    ),
    most=200,
)  # fmt: skip


def _collection(kind: str, **properties: Any) -> dict[str, Any]:
    """The body of a call for up to 200 records of one type."""
    attributes = closed({"type": {"const": kind}})
    record = {
        "type": "object", "required": ["attributes", *properties],
        "properties": {"attributes": attributes, **properties},
    }  # fmt: skip
    return dict(closed({"allOrNone": {"const": False}, "records": several(record, most=200)}))


_JOB = closed(
    {
        "object": _TEXT, "operation": {"const": "upsert"}, "externalIdFieldName": _TEXT,
        "contentType": {"const": "CSV"}, "lineEnding": {"const": "LF"},
    }
)  # fmt: skip
_QUERIES = closed(
    {
        "batchRequests": several(
            closed(
                {
                    "method": {"const": "GET"},
                    "url": {"type": "string", "pattern": r"^v65\.0/query(All)?\?"},
                }
            ),
            most=25,
        )
    }
)
_LITERAL = r"'((?:\\.|[^'\\])*)'"


@dataclass
class Job:
    """A bulk job, and what became of its rows."""

    state: str = "Open"
    table: str = ""
    done: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    unprocessed: list[dict[str, str]] = field(default_factory=list)
    asked: int = 0


class Salesforce(Vendor):
    """An org with contacts by id. Results of jobs come back in another order."""

    external_id = "Golden_Key__c"

    def __init__(self) -> None:
        super().__init__()
        self.contacts: dict[str, dict[str, Any]] = {}
        self.campaigns: dict[str, str] = {_id("701", 1): "readers"}
        self.members: dict[str, dict[str, str]] = {}
        self.jobs: dict[str, Job] = {}
        self.refused: dict[str, str] = {}
        """Keys that are refused, and with which code."""
        self.barred: set[str] = set()
        """Keys whose contacts cannot become members."""
        self.slow = 0
        """How often a job is said to be InProgress."""
        self.breaks_after: int | None = None
        """Rows after which a job fails."""
        self.columns = {"Id", "MasterRecordId", self.external_id, "given_name", "orders"}
        self.bin: dict[str, dict[str, Any]] = {}
        """Contacts that were merged into another one."""

    def refusal(self, status: int, message: str, code: str = "INVALID_FIELD") -> Answer:
        """Salesforce's own words."""
        return Answer([{"message": message, "errorCode": code}], status)

    @route("GET", "/services/oauth2/userinfo")
    def userinfo(self, request: Request) -> Answer:
        """Who calls."""
        return Answer({"user_id": US})

    @route("PATCH", DATA + "/composite/sobjects/Contact/<external_id>")
    @judged(asks=_collection("Contact", Golden_Key__c=_TEXT), answers=_RESULTS)
    def upsert(self, request: Request, external_id: str) -> Answer:
        """Each by itself, in the order in which they were asked for."""
        rows = request.get_json()["records"]
        if external_id != self.external_id:
            return self.refusal(400, f"{external_id} is no external id")
        for row in rows:
            if unknown := set(row) - self.columns - {"attributes"}:
                return self.refusal(400, f"No such column {min(unknown)!r}")
            if isinstance(row.get("orders"), str):
                return self.refusal(400, "Cannot deserialize", "JSON_PARSER_ERROR")
        results = []
        for row in rows:
            fields = {name: value for name, value in row.items() if name != "attributes"}
            results.append(self._upserted(fields))
        return Answer(results)

    @route("POST", DATA + "/composite/sobjects")
    @judged(asks=_collection("CampaignMember", CampaignId=_ID, ContactId=_ID), answers=_RESULTS)
    def make_members(self, request: Request) -> Answer:
        """A person is a member of a campaign once."""
        results = []
        for row in request.get_json()["records"]:
            contact = self.contacts.get(row["ContactId"])
            known = {(m["CampaignId"], m["ContactId"]) for m in self.members.values()}
            if contact is None or contact[self.external_id] in self.barred:
                results.append(_failed("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference"))
            elif (row["CampaignId"], row["ContactId"]) in known:
                results.append(_failed("DUPLICATE_VALUE", "Already a campaign member."))
            else:
                results.append(
                    {"id": self.join(row["CampaignId"], row["ContactId"]), "success": True,
                     "errors": []}
                )  # fmt: skip
        return Answer(results)

    @route("DELETE", DATA + "/composite/sobjects")
    @judged(answers=_RESULTS)
    def delete(self, request: Request) -> Answer:
        """Members by their ids."""
        ids = request.args["ids"].split(",")
        if len(ids) > 200 or request.args.get("allOrNone") != "false":
            return self.refusal(400, "not so")
        results = []
        for each in ids:
            gone = self.members.pop(each, None)
            results.append(
                {"id": each, "success": True, "errors": []}
                if gone
                else _failed("ENTITY_IS_DELETED", "entity is deleted")
            )
        return Answer(results)

    @route("POST", DATA + "/sobjects/Campaign")
    @judged(asks=closed({"Name": _TEXT, "IsActive": {"type": "boolean"}}))
    def make_campaign(self, request: Request) -> Answer:
        """Names need not be unique."""
        campaign = _id("701", len(self.campaigns) + 1)
        self.campaigns[campaign] = request.get_json()["Name"]
        return Answer({"id": campaign, "success": True, "errors": []}, 201)

    @route("POST", DATA + "/composite/batch")
    @judged(asks=_QUERIES)
    def batch(self, request: Request) -> Answer:
        """Queries of the few forms that are asked."""
        results = []
        for asked in request.get_json()["batchRequests"]:
            address = urlsplit(asked["url"])
            [query] = parse_qs(address.query)["q"]
            results.append(self._queried(query, self.bin if "All" in address.path else {}))
        return Answer({"hasErrors": False, "results": results})

    @route("POST", DATA + "/jobs/ingest")
    @judged(asks=_JOB)
    def make_job(self, request: Request) -> Answer:
        """Open for data."""
        job = _id("750", len(self.jobs) + 1)
        self.jobs[job] = Job()
        return Answer({"id": job, "state": "Open"})

    @route("PUT", DATA + "/jobs/ingest/<job>/batches")
    def upload(self, request: Request, job: str) -> Answer:
        """Once."""
        found = self.jobs[job]
        if found.state != "Open" or found.table or request.mimetype != "text/csv":
            return self.refusal(400, "not open for this", "INVALIDJOBSTATE")
        found.table = request.get_data().decode("utf-8")
        return Answer(status=201)

    @route("PATCH", DATA + "/jobs/ingest/<job>")
    @judged(asks=closed({"state": {"enum": ["UploadComplete", "Aborted"]}}))
    def turn(self, request: Request, job: str) -> Answer:
        """Closed or given up."""
        found, state = self.jobs[job], request.get_json()["state"]
        if found.state != "Open" or (state == "UploadComplete" and not found.table):
            return self.refusal(400, "not in this state", "INVALIDJOBSTATE")
        found.state = state
        if state == "UploadComplete":
            self._process(found)
        return Answer({"id": job, "state": state})

    @route("GET", DATA + "/jobs/ingest/<job>")
    def job(self, request: Request, job: str) -> Answer:
        """How far it is."""
        found = self.jobs[job]
        state = found.state
        if state in ("JobComplete", "Failed"):
            found.asked += 1
            state = "InProgress" if found.asked <= self.slow else state
        error = {"errorMessage": "InternalServerError"} if state == "Failed" else {}
        return Answer({"id": job, "state": state, **error})

    @route("GET", DATA + "/jobs/ingest/<job>/<which>")
    def results(self, request: Request, job: str, which: str) -> Answer:
        """A table; without its rows where there are none."""
        found = self.jobs[job]
        rows = {
            "successfulResults": found.done, "failedResults": found.failed,
            "unprocessedrecords": found.unprocessed,
        }[which]  # fmt: skip
        out = io.StringIO()
        names = list(rows[0]) if rows else [self.external_id]
        table = csv.DictWriter(out, names, lineterminator="\n")
        table.writeheader()
        table.writerows(rows[::-1])
        return Answer(out.getvalue().encode(), content_type="text/csv")

    def join(self, campaign: str, contact: str, by: str = US) -> str:
        """Make somebody a member."""
        member = _id("00v", len(self.members) + 1000 * len(self.calls) + 1)
        self.members[member] = {
            "Id": member, "CampaignId": campaign, "ContactId": contact, "CreatedById": by,
        }  # fmt: skip
        return member

    def merge(self, master: str, other: str) -> None:
        """As somebody does there: what hangs on the other one hangs on the master."""
        self.bin[other] = {**self.contacts.pop(other), "MasterRecordId": master}
        there = {m["CampaignId"] for m in self.members.values() if m["ContactId"] == master}
        for name, member in list(self.members.items()):
            if member["ContactId"] == other and member["CampaignId"] in there:
                del self.members[name]
            elif member["ContactId"] == other:
                member["ContactId"] = master

    def _process(self, job: Job) -> None:
        job.state = "JobComplete"
        for at, row in enumerate(csv.DictReader(io.StringIO(job.table))):
            if self.breaks_after is not None and at >= self.breaks_after:
                job.state = "Failed"
                job.unprocessed.append(row)
                continue
            cells = {name: value for name, value in row.items() if value != ""}
            fields = {n: None if value == "#N/A" else value for n, value in cells.items()}
            result = self._upserted(fields)
            if result["success"]:
                created = str(result["created"]).lower()
                job.done.append({"sf__Id": result["id"], "sf__Created": created, **row})
            else:
                [error] = result["errors"]
                told = f"{error['statusCode']}:{error['message']}:--"
                job.failed.append({"sf__Id": "", "sf__Error": told, **row})

    def _upserted(self, fields: dict[str, Any]) -> dict[str, Any]:
        key = fields[self.external_id]
        if key in self.refused:
            return _failed(self.refused[key], f"{key} is refused")
        found = [c for c, has in self.contacts.items() if has[self.external_id] == key]
        contact = found[0] if found else _id("003", len(self.contacts) + 1)
        self.contacts.setdefault(contact, {"Id": contact}).update(fields)
        return {"id": contact, "success": True, "errors": [], "created": not found}

    def _queried(self, query: str, bin_: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        told = re.fullmatch(
            r"SELECT ([\w., ]+) FROM (\w+) WHERE (.+?)(?: ORDER BY Id LIMIT (\d+))?", query,
            re.DOTALL,
        )  # fmt: skip
        assert told, query
        columns = told[1].split(", ")
        rows: list[dict[str, Any]] = {
            "Contact": [*self.contacts.values(), *bin_.values()],
            "Campaign": [{"Id": c, "Name": name} for c, name in self.campaigns.items()],
            "CampaignMember": list(self.members.values()),
        }[told[2]]
        if told[2] == "Contact" and set(columns) - self.columns:
            [error] = self.refusal(400, "No such column").body
            return {"statusCode": 400, "result": [error]}
        conditions = re.sub(_LITERAL, "?", told[3])
        values = iter(re.sub(r"\\(.)", r"\1", each) for each in re.findall(_LITERAL, told[3]))
        for condition in conditions.split(" AND "):
            if condition == "MasterRecordId != null":
                rows = [row for row in rows if row.get("MasterRecordId")]
                continue
            if condition == "Id > ?":
                after = next(values)
                rows = [row for row in rows if row["Id"] > after]
                continue
            asked = re.fullmatch(r"(\w+) (?:= \?|IN \((\?(?:, \?)*)\))", condition)
            assert asked, condition
            wanted = {next(values).casefold() for _ in range((asked[2] or "?").count("?"))}
            rows = [row for row in rows if str(row.get(asked[1])).casefold() in wanted]
        if told[4]:
            rows = sorted(rows, key=itemgetter("Id"))[: int(told[4])]
            columns.remove(f"Contact.{self.external_id}")
        shown = [{column: row.get(column) for column in columns} for row in rows]
        for each, row in zip(shown, rows, strict=True) if told[4] else ():
            each["Contact"] = {self.external_id: self.contacts[row["ContactId"]][self.external_id]}
        result = {"totalSize": len(shown), "done": True, "records": shown}
        return {"statusCode": 200, "result": result}


def _failed(code: str, message: str) -> dict[str, Any]:
    error = {"statusCode": code, "message": message, "fields": []}
    return {"success": False, "errors": [error]}


def _id(prefix: str, number: int) -> str:
    return f"{prefix}{number:012d}AAA"
