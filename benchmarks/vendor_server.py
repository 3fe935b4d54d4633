"""``python -m benchmarks.vendor_server VENDOR JUDGES_EVERY``: a vendor's account in a process of
its own, until its input ends. Says its address on stdout.

These are the servers that the tests have, with their specifications, but jobs are done when they
are taken, people are found by an index, and only some calls are judged. ``GET /bench/people`` gives
how many people it holds, ``GET /bench`` all that is known of them and of the calls.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Any

from werkzeug import Request, Response

from benchmarks.made_up import digest
from goldenlake.cli.installation import PROJECT

sys.path.append(str(PROJECT / "tests"))

from support.vendors import Answer, Vendor, route, serving
from support.vendors.hubspot import Hubspot
from support.vendors.klaviyo import Klaviyo
from support.vendors.sendgrid import ErrorFiles, Sendgrid
from support.vendors.sendgrid import Job as SendgridJob


class Counted(Vendor):
    """An account that counts."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.bodies = deque(maxlen=0)  # type: ignore[assignment] - nobody looks at them
        self.index: dict[str, Any] = {}
        """People held, by their addresses."""
        self.received = 0
        """Records, however often they came."""
        self.times: list[float] = []
        """Seconds at which calls came."""

    def people(self) -> Iterator[tuple[str, str]]:
        """Address and name of whoever is in a list."""
        raise NotImplementedError

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI."""
        asked = {"/bench/people": lambda: len(self.index), "/bench": self.told}
        if found := asked.get(environ["PATH_INFO"]):
            with self.lock:
                response = Response(json.dumps(found()), content_type="application/json")
            return response(environ, start_response)
        self.times.append(time.monotonic())
        return super().__call__(environ, start_response)

    def told(self) -> dict[str, Any]:
        """All counts."""
        members = list(self.people())
        return {
            "people": len(self.index),
            "members": len(members),
            "digest": digest(members),
            "received": self.received,
            "calls": Counter(f"{method} {_route(path)}" for method, path, _ in self.calls),
            # What is looked for before it is made is not found.
            "refused": sum(s >= 400 and s != 404 for _, _, s in self.calls),
            "times": self.times,
            "violations": self.violations[:10],
        }


class CountedHubspot(Counted, Hubspot):
    """Contacts by e-mail address."""

    def people(self) -> Iterator[tuple[str, str]]:
        """Of the lists."""
        for contact in (each for members in self.members.values() for each in members):
            yield self.contacts[contact]["email"], self.contacts[contact].get("firstname", "")

    @route("POST", "/crm/v3/objects/contacts")
    def make(self, request: Request) -> Answer:
        """One contact, as others than goldenlake make them; 409 where it exists."""
        properties = request.get_json()["properties"]
        if properties["email"].casefold() in self.index:
            return self.refusal(409, "Contact already exists")
        told = {"idProperty": "email", "id": properties["email"], "properties": properties}
        return Answer(self._upserted(told | {"objectWriteTraceId": ""}), 201)

    def _by(self, name: str) -> dict[str, str]:
        assert name == "email"
        return self.index

    def _upserted(self, told: dict[str, Any]) -> dict[str, Any]:
        shown = super()._upserted(told)
        self.received += 1
        self.index[told["id"].casefold()] = shown["id"]
        return shown


class CountedSendgrid(Counted, Sendgrid):
    """Contacts by e-mail address."""

    def __init__(self) -> None:
        super().__init__(ErrorFiles(), "http://127.0.0.1")

    def people(self) -> Iterator[tuple[str, str]]:
        """Once for each list."""
        for each in self.contacts.values():
            yield from [(each["email"], each.get("first_name", ""))] * len(each["list_ids"])

    def _by(self, identifier: str) -> dict[str, dict[str, Any]]:
        assert identifier == "email"
        return self.index

    def _taken(self, job: SendgridJob) -> Answer:
        taken = super()._taken(job)
        self.work()
        return taken

    def _upserted(self, told: dict[str, Any], list_ids: list[str]) -> None:
        super()._upserted(told, list_ids)
        self.received += 1
        address = told["email"].lower()
        if address not in self.index:
            self.index[address] = next(reversed(self.contacts.values()))


class CountedKlaviyo(Counted, Klaviyo):
    """Profiles by e-mail address."""

    def people(self) -> Iterator[tuple[str, str]]:
        """Of the lists."""
        for profile in (each for members in self.members.values() for each in members):
            held = self.profiles[profile]
            yield held["email"], held.get("first_name", "")

    def _by_email(self) -> dict[str, str]:
        return self.index

    def _taken(self, job: Any) -> Answer:
        taken = super()._taken(job)
        self.work()
        return taken

    def _worked(self, job: Any, told: dict[str, Any]) -> None:
        super()._worked(job, told)
        self.received += 1
        address = told["attributes"]["email"].lower()
        if address not in self.index:
            self.index[address] = next(reversed(self.profiles))

    def _page(self, request: Request, among: set[str], **others: Any) -> dict[str, Any]:
        """As always, but who is not asked for is left out before anybody is sorted."""
        names = re.findall(r'"([^"]+)"', request.args.get("filter", ""))
        asked = {self.index.get(name.lower(), name) for name in names}
        return super()._page(request, among & asked if names else among, **others)


VENDORS: dict[str, type[Counted]] = {
    "hubspot": CountedHubspot,
    "sendgrid": CountedSendgrid,
    "klaviyo": CountedKlaviyo,
}


def _route(path: str) -> str:
    """A path without the ids in it."""
    return re.sub(r"/(?:[0-9a-f-]{36}|job\d+|[LP]?\d+)(?=/|$)", "/…", path)


def main() -> None:
    """Serve until nobody holds the other end of the input."""
    name, judges_every = sys.argv[1:]
    vendor = VENDORS[name]()
    vendor.judges_every = int(judges_every)
    with serving(vendor) as url:
        print(url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
