"""What Klaviyo tells of profiles that were suppressed, and of events.

Profiles by its specification; events by hand, from
https://developers.klaviyo.com/en/reference/get_events, revision 2026-07-15. Instants in filters
stand without quotes: https://developers.klaviyo.com/en/docs/filtering_.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from werkzeug import Request

from support.vendors import Answer, route
from support.vendors.klaviyo import Klaviyo
from support.vendors.written import closed, reading, several

REVISION = "2026-07-15"
_HOME = "https://a.klaviyo.com/api"
_JSON_API = "application/vnd.api+json"
_TEXT = {"type": "string"}
_URI = {"type": "string", "format": "uri"}
_SELF = closed({"self": _URI})


def _related(kind: str) -> Any:
    named = closed({"type": {"enum": [kind]}, "id": _TEXT})
    return closed({"data": named, "links": closed({"self": _URI, "related": _URI})})


def _resource(kind: str, **attributes: Any) -> Any:
    named = {"type": {"enum": [kind]}, "id": _TEXT, "links": _SELF}
    return closed({**named, "attributes": closed(attributes)})


_EVENT = closed(
    {
        "type": {"enum": ["event"]}, "id": _TEXT, "links": _SELF,
        "attributes": closed(
            {
                "datetime": {"type": "string", "format": "date-time"},
                "event_properties": {"type": "object"},
            }
        ),
        "relationships": closed({"profile": _related("profile"), "metric": _related("metric")}),
    }
)  # fmt: skip
_EVENTS = reading(
    {
        "/api/events": (
            {
                "filter": _TEXT,
                "sort": {"enum": ["datetime", "-datetime", "timestamp", "-timestamp"]},
                "include": several({"enum": ["attributions", "metric", "profile"]}),
                "fields[event]": several(
                    {"enum": ["datetime", "event_properties", "id", "timestamp", "uuid"]}
                ),
                "fields[metric]": several(
                    {"enum": ["created", "id", "integration", "name", "updated"]}
                ),
                "fields[profile]": several({"enum": ["email", "external_id", "phone_number"]}),
                "page[size]": {"type": "integer", "minimum": 1, "maximum": 1000},
            },
            closed(
                {
                    "data": several(_EVENT, least=0),
                    "links": closed({"self": _URI}, next=_URI, prev=_URI),
                    "included": several(
                        {
                            "oneOf": [
                                _resource("metric", name=_TEXT),
                                _resource("profile", email={**_TEXT, "nullable": True}),
                            ]
                        },
                        least=0,
                    ),
                }
            ),
        )
    },
    media=_JSON_API,
)
_SUPPRESSED = "subscriptions.email.marketing.suppression.timestamp"
_SINCE = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"
_SUBSCRIPTIONS = {
    "additional-fields[profile]": "subscriptions",
    "fields[profile]": "email,subscriptions.email.marketing",
    "sort": _SUPPRESSED,
}
_RELATED = {
    "include": "metric,profile", "fields[event]": "datetime,event_properties",
    "fields[metric]": "name", "fields[profile]": "email", "sort": "datetime",
}  # fmt: skip


class KlaviyoRecords(Klaviyo):
    """An account with suppressions and events; a few records at once, whatever is asked for."""

    written: ClassVar = (_EVENTS,)

    def __init__(self) -> None:
        super().__init__()
        self.emails: dict[str, str | None] = {}
        """Of profiles, by their ids."""
        self.suppressions: dict[str, list[dict[str, str]]] = {}
        """Reasons and times, by the ids of profiles."""
        self.events: dict[str, tuple[str, str, str]] = {}
        """When, which metric and of which profile, by the ids of events."""
        self.page_size = 2

    @route("GET", "/api/profiles")
    def found(self, request: Request) -> Answer:
        """Suppressed since, with all that they were ever suppressed for."""
        since = self._since(request, rf"greater-or-equal\({_SUPPRESSED},{_SINCE}\)", _SUBSCRIPTIONS)
        if isinstance(since, Answer):
            return since
        newest = {
            profile: max(_instant(each["timestamp"]) for each in reasons)
            for profile, reasons in self.suppressions.items()
        }
        found = sorted((at, profile) for profile, at in newest.items() if at >= since)
        return self._some(request, [self._profile(profile) for _, profile in found])

    @route("GET", "/api/events")
    def happened(self, request: Request) -> Answer:
        """Since, of all metrics."""
        since = self._since(request, rf"greater-or-equal\(datetime,{_SINCE}\)", _RELATED)
        if isinstance(since, Answer):
            return since
        rows = sorted((_instant(at), event) for event, (at, _, _) in self.events.items())
        return self._some(request, [self._event(event) for at, event in rows if at >= since])

    def _since(self, request: Request, form: str, others: dict[str, str]) -> datetime | Answer:
        asked = {name: value for name, value in request.args.items() if name != "page[cursor]"}
        if request.headers.get("revision") != REVISION:
            return self.refusal(400, "no such revision")
        chosen = re.fullmatch(form, asked.pop("filter", ""))
        if chosen is None or not asked.pop("page[size]", None) or asked != others:
            return self.refusal(400, f"Invalid filter or parameters: {dict(request.args)}")
        return _instant(chosen[1])

    def _some(self, request: Request, found: list[dict[str, Any]]) -> Answer:
        start = int(request.args.get("page[cursor]", 0))
        end = start + min(int(request.args["page[size]"]), self.page_size)
        links = {"self": request.url}
        if end < len(found):
            following = {**request.args, "page[cursor]": end}
            links["next"] = f"{request.base_url}?{urlencode(following)}"
        body: dict[str, Any] = {"data": found[start:end], "links": links}
        if "include" in request.args:
            body["included"] = self._included(found[start:end])
        return Answer(body, content_type=_JSON_API)

    def _profile(self, profile: str) -> dict[str, Any]:
        marketing = {
            "can_receive_email_marketing": False, "consent": "UNSUBSCRIBED",
            "suppression": self.suppressions[profile], "list_suppressions": [],
        }  # fmt: skip
        attributes = {
            "email": self.emails[profile], "subscriptions": {"email": {"marketing": marketing}},
        }  # fmt: skip
        return _resource_of("profile", profile, attributes)

    def _event(self, event: str) -> dict[str, Any]:
        at, metric, profile = self.events[event]
        named = {"metric": _metric_id(metric), "profile": profile}
        relationships = {
            kind: {
                "data": {"type": kind, "id": name},
                "links": {
                    "self": f"{_HOME}/events/{event}/relationships/{kind}/",
                    "related": f"{_HOME}/events/{event}/{kind}/",
                },
            }
            for kind, name in named.items()
        }
        attributes = {"datetime": at, "event_properties": {"$message": "01SPRING", "URL": "x"}}
        return {**_resource_of("event", event, attributes), "relationships": relationships}

    def _included(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each once, however many events name it."""
        shown = [self.events[each["id"]] for each in events]
        metrics = [
            _resource_of("metric", _metric_id(name), {"name": name})
            for name in dict.fromkeys(metric for _, metric, _ in shown)
        ]
        profiles = [
            _resource_of("profile", profile, {"email": self.emails[profile]})
            for profile in dict.fromkeys(profile for _, _, profile in shown)
        ]
        return metrics + profiles


def _resource_of(kind: str, name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    links = {"self": f"{_HOME}/{kind}s/{name}/"}
    return {"type": kind, "id": name, "attributes": attributes, "links": links}


def _metric_id(name: str) -> str:
    return f"M{sum(map(ord, name))}"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
