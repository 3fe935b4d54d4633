"""Systems that answer 200 and do not mean it: nothing is landed of it, and nothing acknowledged."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import stamina
from werkzeug import Request

from goldenlake.declarations.destination import Retries
from goldenlake.declarations.pulls import ApiOrigin
from goldenlake.destinations import open_destination
from goldenlake.destinations.sending import deliver
from goldenlake.errors import ContractBroken, GoldenlakeError, ReplyLost, described
from goldenlake.io.landing import LocalLanding
from goldenlake.ports import Batch, OutboundRecord
from goldenlake.steps.pull import Pull
from support.activation import destination
from support.bronze import source_of
from support.destinations import delivery, upsert
from support.hostile import ADDRESS, CANARY
from support.vendors import Answer, Outside, Vendor, serving

DECLARED = source_of(columns=[{"name": "id"}], load="increment", key=["id"])
ANN, BO, CY = upsert("ann", given_name=CANARY), upsert("bo"), upsert("cy")
PAGE = f"<html><title>Sign in</title>{ADDRESS}</html>".encode()
ERROR = {"error": {"code": 500, "message": f"{ADDRESS} could not be read"}}


class Liar(Vendor):
    """Answers one after the other, and the last for ever."""

    def __init__(self, *answers: Any) -> None:
        super().__init__()
        self.answers, self.asked = answers, 0

    def _handled(self, request: Request) -> Answer:
        told = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        is_page = isinstance(told, bytes)
        return Answer(told, content_type="text/html" if is_page else "application/json")


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[Liar, Outside]]]:
    """A server that answers so, and how to get to it."""
    opened: list[Any] = []

    def served(*answers: Any) -> tuple[Liar, Outside]:
        liar = Liar(*answers)
        opened.append(serving(liar))
        return liar, Outside(opened[-1].__enter__())

    yield served
    for each in opened:
        each.__exit__(None, None, None)


class _Clock:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, 2, tzinfo=UTC)


def pull(outside: Outside, folder: Path, **declared: Any) -> list[dict[str, Any]]:
    """What one night lands."""
    origin = ApiOrigin.model_validate({"connection": "crm", "path": "/x", **declared})
    step = Pull(source=DECLARED, origin=origin, as_of=date(2026, 3, 1), run_id="r")
    landing = LocalLanding(folder)
    with stamina.set_testing(True, attempts=2):
        landed = step.run(outside.api("crm"), landing, [], _Clock())
    found = []
    for file in landed.files:
        with landing.open(file.landed_path) as opened:
            found += [json.loads(line) for line in opened]
    return found


def row(at: int) -> dict[str, Any]:
    return {"id": at, "email": ADDRESS}


TOKEN = {"kind": "next_token", "path": "next", "param": "after"}
PULLS: Mapping[str, tuple[Sequence[Any], dict[str, Any], type[GoldenlakeError] | list[int]]] = {
    "200 with HTML": ([PAGE], {"records": "rows"}, ReplyLost),
    "200 with half a document": ([b'{"rows": [{"id": 1}'], {"records": "rows"}, ReplyLost),
    "200 nested 100,000 deep": ([b"[" * 100_000], {"records": "rows"}, ReplyLost),
    "200 with a text": (["try later"], {"records": "rows"}, ContractBroken),
    "200 with an error body": ([ERROR], {"records": "rows"}, ContractBroken),
    "200 with a list of errors": ([{"errors": [ERROR]}], {"records": "rows"}, ContractBroken),
    "200 with records of no kind": ([{"rows": [ADDRESS]}], {"records": "rows"}, ContractBroken),
    "an error on the second page": (
        [{"rows": [row(1)], "next": "a"}, ERROR], {"records": "rows", "paging": TOKEN},
        ContractBroken,
    ),
    "HTML on the second page": (
        [{"rows": [row(1)], "next": "a"}, PAGE], {"records": "rows", "paging": TOKEN}, ReplyLost,
    ),
    "a page cursor that repeats": (
        [{"rows": [row(1)], "next": "a"}], {"records": "rows", "paging": TOKEN}, ContractBroken,
    ),
    "page cursors in a circle": (
        [{"rows": [row(at % 2)], "next": "ab"[at % 2]} for at in range(9)],
        {"records": "rows", "paging": TOKEN}, ContractBroken,
    ),
    "an address of the next page that repeats": (
        [{"rows": [row(1)], "next": "/x"}],
        {"records": "rows", "paging": {"kind": "next_url", "path": "next"}}, ContractBroken,
    ),
    "one page whatever offset is asked for": (
        [{"rows": [row(1)]}], {"records": "rows", "paging": {"kind": "offset"}}, ContractBroken,
    ),
    "one cursor whose pages go on": (
        [{"rows": [row(1)], "next": "a"}, {"rows": [row(2)], "next": "a"}, {"rows": [row(3)]}],
        {"records": "rows", "paging": TOKEN}, [1, 2, 3],
    ),
    "a list that is left out": ([{}], {"records": "rows"}, []),
    "an empty list beside an empty error": ([{"rows": [], "errors": []}], {"records": "rows"}, []),
}  # fmt: skip


@pytest.mark.parametrize("name", PULLS)
def test_what_is_no_page_of_records_lands_nothing(
    name: str,
    serve: Callable[..., tuple[Liar, Outside]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    outcome: Callable[[str, str, str], None],
) -> None:
    answers, declared, expected = PULLS[name]
    liar, outside = serve(*answers)
    if isinstance(expected, list):
        outcome("replies", name, f"{len(expected)} landed")
        assert [each["id"] for each in pull(outside, tmp_path, **declared)] == expected
        return
    outcome("replies", name, expected.__name__)
    with caplog.at_level(logging.DEBUG, "goldenlake"), pytest.raises(expected) as raised:
        pull(outside, tmp_path, **declared)
    assert CANARY not in described(raised.value)
    assert CANARY not in caplog.text
    assert not list(tmp_path.rglob("*.jsonl"))
    assert liar.asked <= 5, "it does not go on for ever"


REST = {
    "kind": "rest", "connection": "crm",
    "upsert": [{
        "method": "POST", "path": "/import", "records_at": "data",
        "body": {"email": "{key}", "name": "{fields.given_name}"},
        "reply": {"lists": "all", "results_at": "results", "key_at": "email", "state_at": "state",
                  "done_states": ["stored"]},
    }],
    "remove": [{"method": "DELETE", "path": "/x/{key}"}],
}  # fmt: skip
KINDS: Mapping[str, dict[str, Any]] = {
    "rest": REST,
    "hubspot": {"kind": "hubspot", "connection": "crm"},
    "klaviyo": {"kind": "klaviyo", "connection": "crm"},
    "mailchimp": {"kind": "mailchimp", "connection": "crm", "audience": "1a"},
    "sendgrid": {"kind": "sendgrid", "connection": "crm"},
    "google": {"kind": "google", "connection": "crm", "account": "123",
               "audiences": {"readers": "777"}},
    "meta": {"kind": "meta", "connection": "crm", "audiences": {"readers": "555"}},
    "mailman": {"kind": "mailman", "connection": "crm", "list": "readers.lists.example.com"},
    "salesforce": {"kind": "salesforce", "connection": "crm", "external_id": "Key__c"},
    "tryton": {"kind": "tryton", "connection": "crm"},
}  # fmt: skip
BODIES = {
    "HTML": PAGE,
    "an error body": ERROR,
    "an empty object": {},
    "an empty list": [],
    "nothing": None,
}
"""What is no answer to anything."""


def sent(outside: Outside, target: dict[str, Any], *records: OutboundRecord) -> list[str]:
    """Outcomes of the records, as the ledger would have them."""
    given = {"display_name": "given_name"} if target["kind"] == "mailman" else {}
    fields = given or {"given_name": "given_name", "orders": "orders"}
    declared = destination(target=target, fields=fields)
    kind = open_destination(declared, outside)
    batch = Batch(number=0, records=records)
    retries = Retries(attempts=2, longest_wait_seconds=0.01)
    with stamina.set_testing(True, attempts=2):
        answers = deliver(kind, delivery(batches=1), batch, retries=retries, sleep=lambda _: None)
    return [answers[each.key].outcome for each in records]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_acknowledged_by_a_200_that_says_nothing_of_them(
    kind: str,
    body: str,
    serve: Callable[..., tuple[Liar, Outside]],
    caplog: pytest.LogCaptureFixture,
    outcome: Callable[[str, str, str], None],
) -> None:
    _, outside = serve(BODIES[body])
    name = f"{kind}: 200 with {body}"
    with caplog.at_level(logging.DEBUG, "goldenlake"):
        came = found_or_raised(lambda: sent(outside, KINDS[kind], ANN, BO))
    outcome("replies", name, came.split(":")[0])
    assert "acknowledged" not in came
    assert "rejected" not in came
    assert CANARY not in came + caplog.text


def found_or_raised(send: Callable[[], list[str]]) -> str:
    """Outcomes, or the named error and what it says."""
    try:
        return ", ".join(sorted(set(send())))
    except GoldenlakeError as error:
        return f"{type(error).__name__}: {error}"


def stored(*keys: str) -> dict[str, Any]:
    return {"results": [{"email": key, "state": "stored"} for key in keys]}


FEWER: Mapping[str, tuple[str, Any, list[str]]] = {
    "fewer results than sent": ("rest", stored(ANN.key), ["acknowledged", "unknown", "unknown"]),
    "results of others than sent": (
        "rest", stored("eve@example.com", BO.key), ["unknown", "acknowledged", "unknown"],
    ),
    "more results than sent": (
        "rest", stored(ANN.key, ANN.key, "eve@example.com", BO.key, CY.key), ["acknowledged"] * 3,
    ),
    "two results that differ": (
        "rest", {"results": [*stored(ANN.key)["results"], {"email": ANN.key, "state": "failed"}]},
        ["rejected", "unknown", "unknown"],
    ),
    "results of other marks than sent": (
        "hubspot", {"results": [{"id": "7", "objectWriteTraceId": "9", "properties": {}}],
                    "recordIdsMissing": [], "list": {"listId": "9", "processingType": "MANUAL"}},
        ["unknown"] * 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FEWER)
def test_who_is_not_among_the_results_is_not_taken_for_acknowledged(
    name: str,
    serve: Callable[..., tuple[Liar, Outside]],
    outcome: Callable[[str, str, str], None],
) -> None:
    kind, reply, expected = FEWER[name]
    outcome("replies", name, ", ".join(expected))
    _, outside = serve(reply)
    assert sent(outside, KINDS[kind], ANN, BO, CY) == expected
