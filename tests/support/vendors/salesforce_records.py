"""What Salesforce answers to queries for records that changed since, page by page.

By hand, from the guides of the REST API
(https://developer.salesforce.com/docs/platform/api-rest/guide/resources-query.html), of SOQL
(https://developer.salesforce.com/docs/platform/salesforce-soql-sosl/guide/, pages on dates, on
relationship queries and on their results) and from the Object Reference
(https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/).
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from werkzeug import Request

from support.vendors import Answer, Vendor, route
from support.vendors.written import closed, reading, several

DATA = "/services/data/v65.0"
_TEXT = {"type": "string", "nullable": True}
_ID = {"type": "string", "pattern": "^[0-9A-Za-z]{18}$"}
_INSTANT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$"}
_DAY = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$", "nullable": True}
_TRUTH = {"type": "boolean"}
_COUNT = {"type": "integer"}

FIELDS: dict[str, dict[str, Any]] = {
    "Contact": {
        "Id": _ID, "AccountId": {**_ID, "nullable": True}, "FirstName": _TEXT, "LastName": _TEXT,
        "Email": _TEXT, "Phone": _TEXT, "Birthdate": _DAY, "MailingStreet": _TEXT,
        "MailingCity": _TEXT, "MailingPostalCode": _TEXT, "MailingCountry": _TEXT,
        "HasOptedOutOfEmail": _TRUTH, "DoNotCall": _TRUTH, "SystemModstamp": _INSTANT,
    },
    "Account": {
        "Id": _ID, "ParentId": {**_ID, "nullable": True}, "Name": _TEXT, "Type": _TEXT,
        "Industry": _TEXT, "NumberOfEmployees": {**_COUNT, "nullable": True},
        "BillingCountry": _TEXT, "SystemModstamp": _INSTANT,
    },
    "Opportunity": {
        "Id": _ID, "AccountId": {**_ID, "nullable": True}, "Name": _TEXT, "StageName": _TEXT,
        "Amount": {"type": "number", "nullable": True}, "CloseDate": _DAY, "IsClosed": _TRUTH,
        "IsWon": _TRUTH, "SystemModstamp": _INSTANT,
    },
    "Case": {
        "Id": _ID, "ContactId": {**_ID, "nullable": True}, "SuppliedEmail": _TEXT,
        "Origin": _TEXT, "Priority": _TEXT, "Status": _TEXT, "IsClosed": _TRUTH,
        "CreatedDate": _INSTANT, "SystemModstamp": _INSTANT,
    },
}  # fmt: skip
"""What can be asked of each object, and what it is."""

_ATTRIBUTES = closed({"type": _TEXT, "url": _TEXT})
_ROLES = closed({"attributes": _ATTRIBUTES, "ContactId": _ID})
_FOUND = {"totalSize": _COUNT, "done": _TRUTH}
_PAGE = closed(
    {
        **_FOUND,
        "records": several(
            {
                "anyOf": [
                    {
                        **closed({"attributes": _ATTRIBUTES}),
                        "properties": {
                            "attributes": _ATTRIBUTES,
                            **fields,
                            "OpportunityContactRoles": {
                                **closed({**_FOUND, "records": several(_ROLES)}),
                                "nullable": True,
                            },
                        },
                    }
                    for fields in FIELDS.values()
                ]
            },
            least=0,
        ),
    },
    nextRecordsUrl={"type": "string"},
)
_ROLE_QUERY = r"\(SELECT ContactId FROM OpportunityContactRoles WHERE IsPrimary = true\)"
_QUERY = re.compile(
    rf"SELECT (?P<fields>\w+(?:, \w+)*)(?P<roles>, {_ROLE_QUERY})? FROM (?P<object>\w+)"
    r" WHERE SystemModstamp >= (?P<since>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z"
    r" ORDER BY SystemModstamp, Id"
)


class SalesforceRecords(Vendor):
    """An org with records by object; it gives a few of them at once."""

    written: ClassVar = (
        reading(
            {
                f"{DATA}/query": ({"q": {"type": "string"}}, _PAGE),
                f"{DATA}/query/{{locator}}": ({"locator": {"type": "string"}}, _PAGE),
            }
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, list[dict[str, Any]]] = {name: [] for name in FIELDS}
        self.contacts_of: dict[str, list[tuple[str, bool]]] = {}
        """Contacts of an opportunity by its id, each with whether it is the primary one."""
        self.page_size = 2
        self._found: dict[str, list[dict[str, Any]]] = {}

    def refusal(self, status: int, message: str, code: str = "MALFORMED_QUERY") -> Answer:
        """Salesforce's own words."""
        return Answer([{"message": message, "errorCode": code}], status)

    def add(self, kind: str, number: int, changed: str, **fields: Any) -> str:
        """A record, or another state of one; gives its id."""
        made = f"{number:015d}AAA"
        others = [each for each in self.records[kind] if each["Id"] != made]
        record = {"Id": made, **fields, "SystemModstamp": changed}
        self.records[kind] = [*others, record]
        return made

    @route("GET", DATA + "/query")
    def query(self, request: Request) -> Answer:
        """Of one object what changed since, the oldest change first."""
        asked = _QUERY.fullmatch(request.args["q"])
        if asked is None or set(request.args) != {"q"}:
            return self.refusal(400, f"unexpected token: {request.args['q']}")
        names, kind = asked["fields"].split(", "), asked["object"]
        if unknown := set(names) - set(FIELDS.get(kind, ())):
            return self.refusal(400, f"No such column '{min(unknown)}'", "INVALID_FIELD")
        if asked["roles"] and kind != "Opportunity":
            return self.refusal(400, "Didn't understand relationship 'OpportunityContactRoles'")
        rows = sorted(self.records[kind], key=lambda row: (row["SystemModstamp"], row["Id"]))
        shown = [
            self._shown(kind, row, names, with_roles=bool(asked["roles"]))
            for row in rows
            if row["SystemModstamp"] >= asked["since"]
        ]
        locator = f"01gRO{len(self._found):010d}YAA"
        self._found[locator] = shown
        return self._page(locator, 0)

    @route("GET", DATA + "/query/<locator>")
    def more(self, request: Request, locator: str) -> Answer:
        """Behind what came before."""
        name, _, first = locator.rpartition("-")
        if request.args or name not in self._found:
            return self.refusal(400, "invalid query locator", "INVALID_QUERY_LOCATOR")
        return self._page(name, int(first))

    def _page(self, locator: str, first: int) -> Answer:
        found, end = self._found[locator], first + self.page_size
        done = end >= len(found)
        more = {} if done else {"nextRecordsUrl": f"{DATA}/query/{locator}-{end}"}
        records = found[first:end]
        return Answer({"totalSize": len(found), "done": done, **more, "records": records})

    def _shown(
        self, kind: str, row: dict[str, Any], names: list[str], *, with_roles: bool
    ) -> dict[str, Any]:
        shown = {"attributes": _named(kind, row["Id"])} | {name: row.get(name) for name in names}
        if with_roles:
            roles = [
                {"attributes": _named("OpportunityContactRole", contact), "ContactId": contact}
                for contact, is_primary in self.contacts_of.get(row["Id"], ())
                if is_primary
            ]
            found = {"totalSize": len(roles), "done": True, "records": roles}
            shown["OpportunityContactRoles"] = found if roles else None
        return shown


def _named(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "url": f"{DATA}/sobjects/{kind}/{name}"}
