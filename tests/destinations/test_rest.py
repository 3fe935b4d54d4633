"""A CRM that goldenlake does not know holds exactly the members that were acknowledged."""

import ast
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pytest
from openapi_core import OpenAPI
from pydantic import ValidationError

from goldenlake.declarations.rest import RestTarget
from goldenlake.declarations.targets import is_another_place, whereabouts
from goldenlake.destinations import deliver, open_destination
from goldenlake.errors import CallRefused, CallUnfit
from goldenlake.ports import Batch
from support.activation import destination
from support.destinations import delivery, removal, unnoted, upsert
from support.vendors import Answer, Fault, Outside, Vendor, route, serving
from support.vendors.contract import RETRIES, VendorContract, brought

TEXT = {"type": "string"}


def parameter(name):
    return {"name": name, "in": "path", "required": True, "schema": TEXT}


def closed(**properties):
    return {
        "type": "object", "properties": properties, "required": list(properties),
        "additionalProperties": False,
    }  # fmt: skip


def asked(schema):
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def answers(schema=None, *others):
    good = {"200": {"description": "x", "content": {"application/json": {"schema": schema}}}}
    return (good if schema else {"204": {"description": "x"}}) | {
        str(status): {"description": "x"} for status in (400, 401, 404, 422, *others)
    }


ATTRIBUTES = {
    "type": "object", "additionalProperties": False,
    "properties": {
        "given_name": {"type": "string", "nullable": True},
        "orders": {"type": "integer", "nullable": True},
    },
}  # fmt: skip
CONTACT = closed(email=TEXT, attributes=ATTRIBUTES)
RESULT = {
    "type": "object", "required": ["email", "state"], "additionalProperties": False,
    "properties": {"email": TEXT, "state": TEXT, "problem": closed(message=TEXT), "id": TEXT},
}  # fmt: skip
MEMBER = "/lists/{list}/members/{email}"
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "A small CRM", "version": "1"},
    "paths": {
        "/import": {
            "post": {
                "requestBody": asked(
                    closed(list=TEXT, data=closed(contacts={"type": "array", "items": CONTACT}))
                ),
                "responses": answers(closed(results={"type": "array", "items": RESULT})),
            }
        },
        "/removal": {
            "post": {
                "requestBody": asked({"type": "array", "items": closed(email=TEXT, list=TEXT)}),
                "responses": answers(closed(failed={"type": "array", "items": RESULT})),
            }
        },
        "/contacts/{email}": {
            "parameters": [parameter("email")],
            "put": {"requestBody": asked(ATTRIBUTES), "responses": answers()},
        },
        MEMBER: {
            "parameters": [parameter("list"), parameter("email")],
            "put": {"responses": answers()},
            "delete": {"responses": answers()},
            "get": {"responses": answers(CONTACT)},
        },
    },
}


class Crm(Vendor):
    """Contacts by address, and members of lists."""

    def __init__(self):
        super().__init__()
        self.contracts = [OpenAPI.from_dict({**DOCUMENT, "servers": [{"url": "/"}]})]
        self.contacts, self.lists, self.refused = {}, {"readers": set()}, set()
        self.words = "is refused"
        self.silent_about, self.stranger = set(), False

    @route("POST", "/import")
    def bring(self, request):
        told = request.get_json()
        results = []
        for each in told["data"]["contacts"]:
            email = each["email"]
            if email in self.refused:
                problem = {"message": f"{email} {self.words}"}
                results.append({"email": email, "state": "failed", "problem": problem})
                continue
            self.contacts.setdefault(email, {}).update(each["attributes"])
            self.lists[told["list"]].add(email)
            if email not in self.silent_about:
                results.append({"email": email.upper(), "state": "stored", "id": f"id {email}"})
        return Answer({"results": results[::-1]})

    @route("POST", "/removal")
    def expel(self, request):
        failed = []
        for each in request.get_json():
            if each["email"] in self.refused:
                failed.append({"email": each["email"], "state": "failed"})
            else:
                self.lists[each["list"]].discard(each["email"])
        if self.stranger:
            failed.append({"email": "?", "state": "failed"})
        return Answer({"failed": failed})

    @route("PUT", "/contacts/<email>")
    def store(self, request, email):
        if email in self.refused:
            return self.refusal(422, f"{email} {self.words}")
        self.contacts.setdefault(email, {}).update(request.get_json())
        return Answer(status=204)

    @route("PUT", "/lists/<name>/members/<email>")
    def join(self, request, name, email):
        if email not in self.contacts:
            return self.refusal(404, "no such contact")
        self.lists[name].add(email)
        return Answer(status=204)

    @route("DELETE", "/lists/<name>/members/<email>")
    def leave(self, request, name, email):
        if email not in self.lists[name]:
            return self.refusal(404, "no such member")
        self.lists[name].discard(email)
        return Answer(status=204)

    @route("GET", "/lists/<name>/members/<email>")
    def member(self, request, name, email):
        if email not in self.lists[name]:
            return self.refusal(404, "no such member")
        return Answer({"email": email, "attributes": self.contacts[email]})


TOGETHER = {
    "upsert": [
        {
            "method": "POST", "path": "/import", "records_at": "data.contacts",
            "around": {"list": "{segment}"},
            "body": {"email": "{key}", "attributes": "{fields}"},
            "reply": {
                "results_at": "results", "lists": "all", "key_at": "email", "state_at": "state",
                "done_states": ["stored"], "error_at": "problem.message", "remote_id_at": "id",
            },
        }
    ],
    "remove": [
        {
            "method": "POST", "path": "/removal", "records_at": "$",
            "body": {"email": "{key}", "list": "{segment}"},
            "reply": {"results_at": "failed", "lists": "errors", "key_at": "email"},
        }
    ],
}  # fmt: skip
ONE_BY_ONE = {
    "upsert": [
        {
            "method": "PUT", "path": "/contacts/{key}",
            "body": {"given_name": "{fields.given_name}", "orders": "{fields.orders}"},
        },
        {"method": "PUT", "path": "/lists/{segment}/members/{key}"},
    ],
    "remove": [
        {"method": "DELETE", "path": "/lists/{segment}/members/{key}", "done_statuses": [404]}
    ],
    "look_up": {
        "path": "/lists/{segment}/members/{key}",
        "fields": {"given_name": "attributes.given_name", "orders": "attributes.orders"},
    },
}  # fmt: skip


@dataclass
class Account:
    vendor: Crm
    base_url: str
    calls: dict

    def open(self, settings=None, **target):
        declared = destination(
            fields={"given_name": "given_name", "orders": "orders"},
            target={"kind": "rest", "connection": "crm", **self.calls, **target},
        )
        return open_destination(declared, Outside(self.base_url, settings=settings or {}))

    def state(self, delivery):
        members = self.vendor.lists[delivery.segment]
        return {email: self.vendor.contacts[email] for email in members}

    def people(self):
        return len(self.vendor.contacts)

    def refuse(self, key):
        self.vendor.refused.add(key)


def account(calls):
    vendor = Crm()
    with serving(vendor) as base_url:
        yield Account(vendor, base_url, calls)


@pytest.fixture
def together():
    yield from account(TOGETHER)


@pytest.fixture
def one_by_one():
    yield from account(ONE_BY_ONE)


class TestTogether(VendorContract):
    calls_in_the_longest_way = 2

    @pytest.fixture
    def world(self, together):
        return together


class TestOneByOne(VendorContract):
    calls_in_the_longest_way = 4

    @pytest.fixture
    def world(self, one_by_one):
        return one_by_one


def people(*names):
    return Batch(number=1, records=[upsert(name) for name in names])


def test_what_the_reply_is_silent_about_is_not_acknowledged(together):
    together.vendor.silent_about = {"ann@example.com"}
    found = {a.key: a for a in together.open().send(delivery(), people("ann", "bob"), unnoted)}
    assert set(found) == {"bob@example.com"}
    assert found["bob@example.com"].remote_id == "id bob@example.com"


def test_an_error_that_is_nobodys_acknowledges_nobody(together):
    together.vendor.stranger = True
    leaving = Batch(number=1, records=[removal("ann")])
    assert together.open().send(delivery(), leaving, unnoted) == []


@pytest.mark.parametrize("world", ["together", "one_by_one"])
def test_an_error_that_passes_is_tried_again(world, request):
    world = request.getfixturevalue(world)
    world.vendor.words = "is Locked now"
    world.refuse("ann@example.com")
    kind = world.open(passing_errors=["locked"])
    found = {a.key: a for a in kind.send(delivery(), people("ann", "bob"), unnoted)}
    assert found["ann@example.com"].outcome == "retry"
    assert not found["ann@example.com"].is_permanent


def test_a_member_with_other_fields_is_not_what_was_sent(one_by_one):
    kind = one_by_one.open()
    kind.send(delivery(), people("ann"), unnoted)

    def found(**fields):
        batch = Batch(number=1, records=[upsert("ann", **fields)])
        return [answer.outcome for answer in kind.look_up(delivery(), batch)]

    assert found() == ["acknowledged"]
    assert found(orders=2) == ["retry"]
    assert found(nowhere="1") == ["retry"]


def test_a_throttle_in_the_middle_does_not_begin_the_batch_anew(one_by_one):
    one_by_one.vendor.faults = [Fault(status=429, headers={"Retry-After": "1"}, skip=3)]
    found, slept, _ = brought(one_by_one, people("ann", "bob", "cyd"))
    assert set(found.values()) == {"acknowledged"}
    assert slept == [1.0]
    assert len(one_by_one.vendor.calls) == 7


def test_a_record_is_acknowledged_only_after_the_last_call(one_by_one):
    one_by_one.vendor.faults = [Fault(at="/lists/", status=422, body={"message": "full"})]
    found, _, _ = brought(one_by_one, people("ann", "bob"))
    assert found == {"ann@example.com": "rejected", "bob@example.com": "acknowledged"}


@pytest.mark.parametrize(("passing", "outcome"), [([], "rejected"), (["full"], "retry")])
@pytest.mark.parametrize(("at", "is_doubtful"), [("/lists/", True), ("/contacts/", False)])
def test_what_an_earlier_call_did_is_not_told_to_be_undone_by_a_later_one(
    one_by_one, passing, outcome, at, is_doubtful
):
    one_by_one.vendor.faults = [Fault(at=at, status=422, body={"message": "full"})]
    kind = one_by_one.open(passing_errors=passing)
    [answer] = kind.send(delivery(), people("ann"), unnoted)
    assert (answer.outcome, answer.is_doubtful) == (outcome, is_doubtful)


def test_what_an_earlier_call_did_is_not_told_to_be_undone_by_a_later_one_that_is_refused(together):
    kind = together.open(upsert=TOGETHER["upsert"] * 2)
    together.refuse("eve@example.com")
    together.vendor.faults = [Fault(at="/import", status=400, skip=skip) for skip in (1, 3)]
    answers = deliver(
        kind, delivery(), people("eve", "bob"), retries=RETRIES, sleep=lambda _: None
    )  # fmt: skip
    assert {key: (answer.outcome, answer.is_doubtful) for key, answer in answers.items()} == {
        "eve@example.com": ("rejected", False), "bob@example.com": ("rejected", True),
    }  # fmt: skip
    assert together.vendor.lists["readers"] == {"bob@example.com"}


def test_a_call_that_is_refused_for_everybody_stops_the_export(one_by_one):
    names = [f"p{at}" for at in range(40)]
    for name in names:
        one_by_one.refuse(f"{name}@example.com")
    with pytest.raises(CallUnfit, match="One record after the other"):
        brought(one_by_one, people(*names))
    assert len(one_by_one.vendor.calls) == 5


def test_a_status_that_is_not_about_a_record_stops_the_export(one_by_one):
    one_by_one.vendor.faults = [Fault(status=405, times=9)]
    with pytest.raises(CallRefused, match="405"):
        brought(one_by_one, people("ann"))


def test_a_status_that_is_declared_to_ask_for_patience_is_waited_for(together):
    together.vendor.faults = [Fault(status=403)]
    found, slept, _ = brought(together, people("ann"), together.open({"throttle_statuses": [403]}))
    assert set(found.values()) == {"acknowledged"}
    assert slept == [10.0]


@pytest.mark.parametrize("key", ["", ".", ".."])
def test_a_key_that_would_lead_elsewhere_is_not_sent(one_by_one, key):
    batch = Batch(number=1, records=[replace(upsert("ann"), key=key)])
    [answer] = one_by_one.open().send(delivery(), batch, unnoted)
    assert (answer.outcome, one_by_one.vendor.calls) == ("rejected", [])


@pytest.mark.parametrize("key", ["{segment}", "a?b#c", "%2e", "{0.__class__}"])
def test_a_key_is_a_value_and_never_a_template(one_by_one, key):
    batch = Batch(number=1, records=[replace(upsert("ann"), key=key)])
    one_by_one.vendor.contracts = []
    one_by_one.open().send(delivery(), batch, unnoted)
    assert set(one_by_one.vendor.contacts) == {key}


def test_values_keep_their_types_and_constants_stand_as_they_are(together):
    calls = {
        "method": "POST", "path": "/import", "records_at": "$",
        "body": {
            "who.key": "{key}", "who.from": "{destination}/{segment}", "n": "{fields.orders}",
            "born": "{fields.born}", "sum": "{fields.sum}", "gone": "{fields.gone}",
            "active": True, "none": "{fields.none}",
        },
    }  # fmt: skip
    kind = together.open(upsert=[calls])
    together.vendor.contracts = []
    fields = {"born": date(2000, 1, 2), "sum": Decimal("1.50"), "none": None}
    sent = []
    object.__setattr__(kind, "api", _Recorder(sent))
    kind.send(delivery(), Batch(number=1, records=[upsert("ann", **fields)]), unnoted)
    assert sent == [
        [
            {
                "who": {"key": "ann@example.com", "from": "crm/readers"}, "n": 1,
                "born": "2000-01-02", "sum": "1.50", "active": True, "none": None,
            }
        ]
    ]  # fmt: skip


class _Recorder:
    name = "crm"

    def __init__(self, sent):
        self.sent = sent

    def call(self, method, path, *, json=None, **_):
        self.sent.append(json)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"path": "https://evil.example.com/"}, "begins with /"),
        ({"path": "//evil.example.com"}, "begins with /"),
        ({"path": "/a/../../b"}, "begins with /"),
        ({"path": "/a?x={key}"}, "declare it under query"),
        ({"path": "/a/{key.__class__}"}, "not filled in here"),
        ({"path": "/a/{key!r}"}, "brace"),
        ({"path": "/a/{fields.x}"}, "not filled in here"),
        ({"path": "/a/{token}"}, "not filled in here"),
        ({"query": {"who": "{key}"}}, "not filled in here"),
        ({"body": {"a": "{env.HOME}"}}, "not filled in here"),
        ({"body": {"a": "x {fields.b}"}}, "stands alone"),
        ({"body": {"a": "{key}", "a.b": "{key}"}}, "one is in the other"),
        ({"body": {"a..b": "{key}"}}, "is no path"),
        ({"records_at": "list"}, "has {key} in its path"),
        ({"around": {"a": 1}}, "add records_at"),
        ({"path": "/a", "records_at": "$", "around": {"a": 1}, "body": {"k": "{key}"}}, "whole"),
        ({"path": "/a", "records_at": "l"}, "no body"),
    ],
)
def test_a_declaration_that_could_do_harm_is_refused(change, says):
    call = {"method": "POST", "path": "/contacts/{key}", **change}
    target = {"kind": "rest", "connection": "crm", "upsert": [call], "remove": [call]}
    with pytest.raises(ValidationError, match=says.replace("{", r"\{").replace("}", r"\}")):
        RestTarget.model_validate(target)


TAGGED = {
    "upsert": [
        {
            "method": "POST", "path": "/v1/contacts", "query": {"list": "all"},
            "body": {"email": "{key}", "name": "{fields.name}", "tag": "{segment}", "kind": 1},
        },
        {
            "method": "POST", "path": "/v1/{segment}", "records_at": "people",
            "around": {"group": "{destination}"}, "body": {"email": "{key}"},
        },
    ],
    "remove": [{"method": "DELETE", "path": "/v1/{segment}/{key}"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "instead", "is_another"),
    [
        ("/v1/contacts", "/v2/contacts", True),
        ("/v1/{segment}/{key}", "/v1/all/{key}", True),
        ("'all'", "'some'", True),
        ("'{destination}'", "'others'", True),
        ("'tag': '{segment}'", "'tag': 'ours'", True),
        ("'kind': 1", "'kind': 2", True),
        ("'name': '{fields.name}'", "'first_name': '{fields.name}'", False),
        ("DELETE", "POST", False),
        ("'/v1/{segment}'", "'/v1/readers'", False),
    ],
)
def test_calls_that_go_elsewhere_are_another_place(declared, instead, is_another):
    def place(calls):
        target = RestTarget.model_validate({"kind": "rest", "connection": "crm", **calls})
        return whereabouts(target, destination="crm", segment="readers")

    assert repr(TAGGED).count(declared) == 1
    changed = ast.literal_eval(repr(TAGGED).replace(declared, instead))
    assert is_another_place(place(TAGGED), place(changed)) is is_another


def test_what_an_earlier_release_did_not_tell_of_a_place_tells_it_from_no_other():
    target = RestTarget.model_validate({"kind": "rest", "connection": "crm", **TOGETHER})
    now = whereabouts(target, destination="crm", segment="readers")
    assert not is_another_place('{"connection": "crm", "kind": "rest"}', now)
    assert is_another_place('{"connection": "crm_2", "kind": "rest"}', now)
    assert is_another_place("", now)
    assert is_another_place(now, "")


def test_a_removal_has_no_fields_and_a_reply_must_tell_failure():
    call = {"method": "POST", "path": "/contacts/{key}", "body": {"a": "{fields}"}}
    target = {"kind": "rest", "connection": "crm", "upsert": [call], "remove": [call]}
    with pytest.raises(ValidationError, match="a removal knows nothing but the key"):
        RestTarget.model_validate(target)
    reply = {"results_at": "$", "lists": "all", "key_at": "id"}
    several = {"method": "POST", "path": "/a", "records_at": "$", "body": {"a": "{key}"}}
    target = {**target, "upsert": [{**several, "reply": reply}], "remove": [several]}
    with pytest.raises(ValidationError, match="says of nothing that it failed"):
        RestTarget.model_validate(target)
