"""Audiences of Google's Data Manager API, as far as goldenlake uses it.

The contract follows https://developers.google.com/data-manager/api/reference/rest/v1/audienceMembers
and https://developers.google.com/data-manager/api/devguides/diagnostics.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from werkzeug import Request

from support.vendors import Answer, Vendor, route
from support.vendors.written import closed, judged, several

_DIGITS = {"type": "string", "pattern": r"^\d+$"}
_HEX = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_ACCOUNT = closed(
    {
        "accountType": {
            "enum": [
                "GOOGLE_ADS", "DISPLAY_VIDEO_PARTNER", "DISPLAY_VIDEO_ADVERTISER", "DATA_PARTNER",
            ]
        },
        "accountId": _DIGITS,
    }
)  # fmt: skip
_DESTINATION = closed(
    {"operatingAccount": _ACCOUNT, "productDestinationId": _DIGITS}, loginAccount=_ACCOUNT
)
_IDENTIFIER = {
    "oneOf": [
        closed({"emailAddress": _HEX}),
        closed({"phoneNumber": _HEX}),
        closed(
            {
                "address": closed(
                    {
                        "givenName": _HEX, "familyName": _HEX,
                        "regionCode": {"type": "string", "pattern": "^[A-Z]{2}$"},
                        "postalCode": {"type": "string", "minLength": 1},
                    }
                )
            }
        ),
    ]
}  # fmt: skip
_MEMBER = closed({"userData": closed({"userIdentifiers": several(_IDENTIFIER, most=10)})})
_REQUEST: dict[str, Any] = {
    "destinations": several(_DESTINATION, most=10),
    "audienceMembers": several(_MEMBER, most=10_000),
    "encoding": {"const": "HEX"},
}
_CONSENT = {"enum": ["CONSENT_GRANTED", "CONSENT_DENIED"]}
_INGEST = closed(
    _REQUEST,
    consent=closed({}, adUserData=_CONSENT, adPersonalization=_CONSENT),
    termsOfService=closed({"customerMatchTermsOfServiceStatus": {"const": "ACCEPTED"}}),
)
_TAKEN = closed({"requestId": {"type": "string"}})
_STATUS = closed(
    {
        "requestStatusPerDestination": several(
            closed(
                {
                    "destination": _DESTINATION,
                    "requestStatus": {
                        "enum": ["SUCCESS", "PROCESSING", "FAILED", "PARTIAL_SUCCESS"]
                    },
                },
                errorInfo=closed(
                    {
                        "errorCounts": several(
                            closed({"recordCount": _DIGITS, "reason": {"type": "string"}})
                        )
                    }
                ),
            )
        )
    }
)


@dataclass
class Taken:
    """What was asked, and how far it is."""

    told: dict[str, Any]
    status: str = "SUCCESS"
    asked: int = 0


class Google(Vendor):
    """An account with audiences; members who share an e-mail address or a phone are one."""

    def __init__(self) -> None:
        super().__init__()
        self.audiences: dict[str, list[set[str]]] = {"777": []}
        self.requests: dict[str, Taken] = {}
        self.malformed: set[str] = set()
        """Hashes that are refused."""
        self.outcomes: list[str] = []
        """Of the next requests, where they are not SUCCESS."""
        self.slow = 0
        """How often each request is said to be PROCESSING."""

    def refusal(self, status: int, message: str, field: str = "", reason: str = "") -> Answer:
        """Google's own words: https://google.aip.dev/193."""
        violations = [{"field": field, "description": message, "reason": reason}]
        details = [{"@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": violations}] if field else []  # fmt: skip
        error = {"code": status, "message": message, "status": "INVALID_ARGUMENT",
                 "details": details}  # fmt: skip
        return Answer({"error": error}, status)

    @route("POST", "/v1/audienceMembers:ingest")
    @judged(asks=_INGEST, answers=_TAKEN)
    def ingest(self, request: Request) -> Answer:
        """All of them, or none where one is malformed."""
        return self._taken(request.get_json(), self._join)

    @route("POST", "/v1/audienceMembers:remove")
    @judged(asks=closed(_REQUEST), answers=_TAKEN)
    def remove(self, request: Request) -> Answer:
        """Whoever shares an identifier with a member that is named."""
        return self._taken(request.get_json(), self._leave)

    @route("GET", "/v1/requestStatus:retrieve")
    @judged(answers=_STATUS)
    def retrieve(self, request: Request) -> Answer:
        """How far a request is."""
        found = self.requests.get(request.args.get("requestId", ""))
        if found is None or set(request.args) != {"requestId"}:
            return self.refusal(404, "no such request")
        found.asked += 1
        status = "PROCESSING" if found.asked <= self.slow else found.status
        failed = {"errorInfo": {"errorCounts": [
            {"recordCount": "1", "reason": "PROCESSING_ERROR_REASON_INTERNAL_ERROR"}
        ]}} if status in ("FAILED", "PARTIAL_SUCCESS") else {}  # fmt: skip
        each = {"destination": found.told["destinations"][0], "requestStatus": status, **failed}
        return Answer({"requestStatusPerDestination": [each]})

    def _taken(self, told: dict[str, Any], apply: Any) -> Answer:
        for at, member in enumerate(told["audienceMembers"]):
            if any(each in json.dumps(member) for each in self.malformed):
                field = f"audience_members.audience_members[{at}].user_data.user_identifiers[0]"
                return self.refusal(400, "malformed", field, "INVALID_HASH")
        audience = self.audiences.get(told["destinations"][0]["productDestinationId"])
        if audience is None:
            return self.refusal(
                400, "no such audience", "destinations[0].product_destination_id",
                "INVALID_DESTINATION",
            )  # fmt: skip
        name = f"r{len(self.requests) + 1}"
        taken = Taken(told, self.outcomes.pop(0) if self.outcomes else "SUCCESS")
        self.requests[name] = taken
        if taken.status == "SUCCESS":
            for member in told["audienceMembers"]:
                identifiers = member["userData"]["userIdentifiers"]
                apply(audience, {json.dumps(each, sort_keys=True) for each in identifiers})
        return Answer({"requestId": name})

    def _join(self, audience: list[set[str]], identifiers: set[str]) -> None:
        for known in audience:
            if known & identifiers:
                known |= identifiers
                return
        audience.append(identifiers)

    def _leave(self, audience: list[set[str]], identifiers: set[str]) -> None:
        audience[:] = [known for known in audience if not known & identifiers]
