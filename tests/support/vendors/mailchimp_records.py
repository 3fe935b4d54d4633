"""What Mailchimp tells of the members of its audience, and of campaigns that were sent.

Members by its specification; reports by hand, from
https://mailchimp.com/developer/marketing/api/reports/list-campaign-reports/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from werkzeug import Request

from support.vendors import Answer, route
from support.vendors.mailchimp import Mailchimp, member_id
from support.vendors.written import closed, reading, several

_TEXT, _COUNT = {"type": "string"}, {"type": "integer"}
_INSTANT = {"type": "string", "format": "date-time"}
_PAGING = {"count": {**_COUNT, "minimum": 1, "maximum": 1000}, "offset": {**_COUNT, "minimum": 0}}
_REPORT = closed(
    {
        "id": _TEXT, "campaign_title": _TEXT, "type": _TEXT, "list_id": _TEXT,
        "send_time": _INSTANT, "emails_sent": _COUNT, "unsubscribed": _COUNT,
        "abuse_reports": _COUNT, "opens": closed({"unique_opens": _COUNT}),
        "clicks": closed({"unique_clicks": _COUNT, "unique_subscriber_clicks": _COUNT}),
        "bounces": closed({"hard_bounces": _COUNT, "soft_bounces": _COUNT}),
    }
)  # fmt: skip
_REPORTS = reading(
    {
        "/reports": (
            {**_PAGING, "since_send_time": _INSTANT, "fields": several(_TEXT)},
            closed({"reports": several(_REPORT, least=0)}),
        )
    }
)


class MailchimpRecords(Mailchimp):
    """An audience that people left, and campaigns; a few records at once, whatever is asked for."""

    written: ClassVar = (_REPORTS,)

    def __init__(self) -> None:
        super().__init__()
        self.people: dict[str, tuple[str, str, str]] = {}
        """Status, when it became so, and when anything changed, by address."""
        self.reports: dict[str, dict[str, Any]] = {}
        self.page_size = 2

    @route("GET", "/lists/<audience>/members")
    def all_members(self, request: Request, audience: str) -> Answer:
        """Of a status and changed since, the oldest change first."""
        asked = dict(request.args)
        left = asked.pop("unsubscribed_since", None)
        changed = asked.pop("since_last_changed", None)
        if left and asked["status"] != "unsubscribed":
            return self.refusal(400, "unsubscribed_since needs the status unsubscribed")
        if set(asked) != {"status", "sort_field", "sort_dir", "fields", "count", "offset"}:
            return self.refusal(400, f"asks for {sorted(asked)}")
        found = sorted(
            (changed_at, email)
            for email, (status, since, changed_at) in self.people.items()
            if status == asked["status"]
            and (not left or _instant(since) > _instant(left))
            and (not changed or _instant(changed_at) > _instant(changed))
        )
        shown = [
            {
                "id": member_id(email), "email_address": email, "status": asked["status"],
                "last_changed": changed_at, "unsubscribe_reason": "Too many.",
            }
            for changed_at, email in found
        ]  # fmt: skip
        return self._page(request, "members", shown)

    @route("GET", "/reports")
    def all_reports(self, request: Request) -> Answer:
        """Of campaigns that were sent since."""
        since = _instant(request.args["since_send_time"])
        found = [each for each in self.reports.values() if _instant(each["send_time"]) > since]
        return self._page(request, "reports", found)

    def _page(self, request: Request, name: str, found: list[dict[str, Any]]) -> Answer:
        at = int(request.args["offset"])
        size = min(int(request.args["count"]), self.page_size)
        paths = [path.split(".") for path in request.args["fields"].split(",")]
        whole = {name: found[at : at + size], "total_items": len(found)}
        return Answer(_only(whole, paths))


def _only(value: Any, paths: Iterable[list[str]]) -> Any:
    """The fields that are asked for by their paths."""
    if isinstance(value, list):
        return [_only(each, paths) for each in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name: _only(each, deeper) if all(deeper) else each
        for name, each in value.items()
        if (deeper := [path[1:] for path in paths if path[0] == name])
    }


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
