"""An org of Salesforce: its records by external id, its campaigns and their members.

https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-sobjects-collections.html
and resources-composite-batch.html. Queries that hold keys travel in the body of a batch, not in an
address.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from goldenlake.declarations.targets import SalesforceTarget
from goldenlake.destinations.accounts import Known
from goldenlake.destinations.sending import refused
from goldenlake.destinations.values import plain
from goldenlake.errors import CallRefused, CallUnfit, about_the_call
from goldenlake.ports import Acknowledgement, Api, OutboundRecord, Reply

ItemT = TypeVar("ItemT")
_AT_ONCE = 200
_QUERIES_AT_ONCE = 25
_PAGE = 2000
_PASSING = ("UNABLE_TO_LOCK_ROW", "REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE")
_ABOUT_A_VALUE = "JSON_PARSER_ERROR"
"""The one refusal of a whole call that is for a record: a text where a number is due."""


@dataclass(frozen=True, kw_only=True)
class Org:
    """What the kind asks of an org, in as many calls as it takes."""

    target: SalesforceTarget
    api: Api
    _campaigns: Known[str] = field(default_factory=Known)
    """Ids by name."""
    _users: Known[str] = field(default_factory=Known)

    def call(self, method: str, path: str, **others: Any) -> Reply:
        """Below the API's version. Raises NotAuthorised or CallUnfit for what no record is at
        fault for.
        """
        try:
            return self.api.call(method, f"/services/data/{self.target.version}{path}", **others)
        except CallRefused as refusal:
            code = _code(refusal)
            if code == _ABOUT_A_VALUE:
                raise
            mend = "See the destination's target and connections in conf/env."
            raise about_the_call(refusal, code=code, mend=mend) from None

    def upsert(self, records: Sequence[OutboundRecord]) -> list[Acknowledgement]:
        """Refusals of records. Salesforce answers in the order of what it was asked."""
        refusals = []
        for part in _parts(records, _AT_ONCE):
            results = self.call(
                "PATCH",
                f"/composite/sobjects/{self.target.object}/{self.target.external_id}",
                json={"allOrNone": False, "records": [self._row(record) for record in part]},
            ).objects()
            if len(results) == len(part):
                refusals += [
                    refusal(record, _told(result))
                    for record, result in zip(part, results, strict=True)
                    if not result["success"]
                ]
        return refusals

    def _row(self, record: OutboundRecord) -> dict[str, Any]:
        return {
            "attributes": {"type": self.target.object},
            **{name: plain(value) for name, value in record.fields.items()},
            self.target.external_id: record.key,
        }

    def found(
        self, records: Sequence[OutboundRecord], fields: Sequence[str] = ()
    ) -> dict[str, Mapping[str, Any]]:
        """Records of the org by key, of those that exist."""
        external_id = self.target.external_id
        columns = ", ".join(dict.fromkeys(("Id", external_id, *fields)))
        rows = self.query(
            f"SELECT {columns} FROM {self.target.object} WHERE {external_id} IN ({listed})"
            for listed in _lists(record.key for record in records)
        )
        by_value = {str(row[external_id]).casefold(): row for row in rows}
        return {r.key: by_value[r.key.casefold()] for r in records if r.key.casefold() in by_value}

    def keys_of(self, people: Iterable[str]) -> dict[str, str]:
        """External ids by ids, of those records that exist and have one."""
        external_id = self.target.external_id
        rows = self.query(
            f"SELECT Id, {external_id} FROM {self.target.object} WHERE Id IN ({listed})"
            for listed in _lists(sorted(people))
        )
        return {str(row["Id"]): str(row[external_id]) for row in rows if row[external_id]}

    def masters(self, people: Iterable[str]) -> dict[str, str]:
        """What those were merged into who were merged, by the ids that they had; through several
        merges. Salesforce forgets it when it empties its recycle bin, after 15 days.
        """
        into: dict[str, str] = {}
        asked = set(people)
        while asked:
            rows = self.query(
                (
                    f"SELECT Id, MasterRecordId FROM {self.target.object} "
                    f"WHERE Id IN ({listed}) AND MasterRecordId != null"
                    for listed in _lists(sorted(asked))
                ),
                deleted=True,
            )
            found = {str(row["Id"]): str(row["MasterRecordId"]) for row in rows}
            into = {was: found.get(now, now) for was, now in into.items()} | found
            asked = set(found.values()) - set(into)
        return into

    def query(self, queries: Iterable[str], *, deleted: bool = False) -> list[Mapping[str, Any]]:
        """The rows of all of them; each is small enough to be answered whole. With ``deleted``
        those too that lie in the recycle bin.
        """
        resource = "queryAll" if deleted else "query"
        rows: list[Mapping[str, Any]] = []
        for part in _parts(list(queries), _QUERIES_AT_ONCE):
            asked = [
                {"method": "GET", "url": f"{self.target.version}/{resource}?q={quote(query)}"}
                for query in part
            ]
            reply = self.call("POST", "/composite/batch", json={"batchRequests": asked}).object()
            for result in reply["results"]:
                if result["statusCode"] != 200 or not result["result"]["done"]:
                    raise CallUnfit(
                        system=self.api.name,
                        call="POST /composite/batch",
                        status=result["statusCode"],
                        code=_code_of(result["result"]),
                        mend="See target.object, target.external_id and the fields' names.",
                    )
                rows += result["result"]["records"]
        return rows

    def campaign(self, name: str) -> str:
        """The id of a campaign. Raises CallUnfit where there is none, or two."""
        return self._campaigns.of(
            name, lambda name: self.known_campaign(name) or self._made_campaign(name)
        )

    def known_campaign(self, name: str) -> str | None:
        """The id of a campaign that there is. Raises CallUnfit where there are two."""
        rows = self.query([f"SELECT Id FROM Campaign WHERE Name = {_text(name)}"])
        if len(rows) > 1:
            raise self._no_campaign(f"{len(rows)} campaigns are", name)
        return str(rows[0]["Id"]) if rows else None

    def _made_campaign(self, name: str) -> str:
        if not self.target.create_campaign:
            raise self._no_campaign("No campaign is", name)
        made = self.call("POST", "/sobjects/Campaign", json={"Name": name, "IsActive": True})
        return str(made.object()["id"])

    def _no_campaign(self, many: str, name: str) -> CallUnfit:
        return CallUnfit(
            system=self.api.name,
            call="SELECT Id FROM Campaign",
            status=404,
            mend=f"{many} called {name!r}: make one, or see target.campaign.",
        )

    def keys(self, campaign: str) -> Iterator[str]:
        """External ids of all members of a campaign."""
        person, last = self.target.object, ""
        while True:
            rows = self.query(
                [
                    f"SELECT Id, {person}.{self.target.external_id} FROM CampaignMember "
                    f"WHERE CampaignId = {_text(campaign)}"
                    + (f" AND Id > {_text(last)}" if last else "")
                    + f" ORDER BY Id LIMIT {_PAGE}"
                ]
            )
            for row in rows:
                key = (row[person] or {}).get(self.target.external_id)
                yield str(key or "")
            if len(rows) < _PAGE:
                return
            last = str(rows[-1]["Id"])

    def members(
        self, campaign: str, people: Sequence[str], *, ours: bool = False
    ) -> dict[str, str]:
        """Ids of members by ids of people; with ``ours`` of those alone whom we made members."""
        person = f"{self.target.object}Id"
        by_us = f" AND CreatedById = {_text(self._our_id())}" if ours else ""
        rows = self.query(
            f"SELECT Id, {person} FROM CampaignMember WHERE CampaignId = {_text(campaign)} "
            f"AND {person} IN ({listed}){by_us}"
            for listed in _lists(people)
        )
        return {str(row[person]): str(row["Id"]) for row in rows}

    def enlist(self, campaign: str, people: Sequence[str]) -> dict[str, str]:
        """Make them members; gives what Salesforce said of those whom it refused, by their ids."""
        status = {"Status": self.target.member_status} if self.target.member_status else {}
        refused: dict[str, str] = {}
        for part in _parts(people, _AT_ONCE):
            rows = [
                {
                    "attributes": {"type": "CampaignMember"},
                    "CampaignId": campaign,
                    f"{self.target.object}Id": person,
                    **status,
                }
                for person in part
            ]
            body = {"allOrNone": False, "records": rows}
            reply = self.call("POST", "/composite/sobjects", json=body)
            results = reply.objects(len(part))
            for person, result in zip(part, results, strict=True):
                if not result["success"]:
                    refused[person] = _told(result)
        return refused

    def delete(self, members: Sequence[str]) -> None:
        """Take members out of their campaigns; what is gone already is no matter."""
        for part in _parts(members, _AT_ONCE):
            self.call(
                "DELETE",
                "/composite/sobjects",
                params={"ids": ",".join(part), "allOrNone": "false"},
            )

    def _our_id(self) -> str:
        def asked(_: str) -> str:
            return str(self.api.call("GET", "/services/oauth2/userinfo").object()["user_id"])

        return self._users.of("us", asked)


def refusal(record: OutboundRecord, told: str) -> Acknowledgement:
    """An answer in Salesforce's words, which begin with its code."""
    is_passing = told.startswith(_PASSING)
    return refused(record, told, is_passing=is_passing)


def _told(result: Mapping[str, Any]) -> str:
    return "; ".join(f"{each['statusCode']}: {each['message']}" for each in result["errors"])


def _code(refusal: CallRefused) -> str:
    try:
        return _code_of(json.loads(refusal.told))
    except ValueError:
        return ""


def _code_of(told: Any) -> str:
    is_errors = isinstance(told, list) and told and isinstance(told[0], dict)
    return str(told[0].get("errorCode", "")) if is_errors else ""


def _parts(items: Sequence[ItemT], size: int) -> Iterator[Sequence[ItemT]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]


def _text(value: str) -> str:
    """A literal of SOQL."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _lists(values: Iterable[str]) -> Iterator[str]:
    for part in _parts(list(values), _AT_ONCE):
        yield ", ".join(map(_text, part))
