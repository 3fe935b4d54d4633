"""What a system with an API has that is new comes in once, however it pages and whatever fails."""

import base64
import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import stamina
from pydantic import ValidationError
from werkzeug import Request

from goldenlake import patience
from goldenlake.declarations.formats import JsonLinesFormat
from goldenlake.declarations.pulls import ApiOrigin
from goldenlake.errors import (
    CallRefused,
    ContractBroken,
    HostRefused,
    ListMoved,
    NotAuthorised,
    ReplyLost,
    Throttled,
)
from goldenlake.io.landing import LocalLanding
from goldenlake.io.readers.contract import Contract, Reading
from goldenlake.io.readers.json_lines import read_json_lines
from goldenlake.steps.pull import Pull
from support.bronze import source_of
from support.vendors import Answer, Fault, Outside, Vendor, route, serving

DAY = date(2026, 3, 1)
DECLARED = source_of(columns=[{"name": "id"}], load="increment", key=["id"])


class Crm(Vendor):
    """A made-up CRM whose contacts can be asked for in every way of paging."""

    def __init__(self):
        super().__init__()
        self.contacts = [
            {"id": at, "changed": f"2026-02-{1 + at:02}T08:00:00Z", "name": {"given": f"p{at}"}}
            for at in range(7)
        ]
        self.asked = []
        self.largest_page = 1000
        self.hides_total = False
        self.meanwhile = lambda: None

    def found(self, request: Request):
        since = request.args.get("since", "")
        self.asked.append(since)
        found = [{**each} for each in self.contacts if each["changed"] >= since]
        self.meanwhile()
        return found

    @route("GET", "/all")
    def everything(self, request):
        return Answer(self.found(request))

    @route("GET", "/token")
    def token(self, request):
        found, first = self.found(request), int(request.args.get("after", 0))
        following = {"next": {"after": first + 3}} if first + 3 < len(found) else {}
        return Answer({"results": found[first : first + 3], "paging": following})

    @route("GET", "/url")
    def url(self, request):
        found, first = self.found(request), int(request.args.get("page", 0))
        more = first + 3 < len(found)
        following = f"/url?since={request.args['since']}&page={first + 3}" if more else None
        return Answer({"data": found[first : first + 3], "links": {"next": following}})

    @route("GET", "/offset")
    def offset(self, request):
        first, size = int(request.args["offset"]), int(request.args["limit"])
        size = min(size, self.largest_page)
        return Answer({"items": self.found(request)[first : first + size]})

    @route("GET", "/page")
    def page(self, request):
        size = min(int(request.args["count"]), self.largest_page)
        first = (int(request.args["page"]) - 1) * size
        return Answer({"entries": self.found(request)[first : first + size]})

    @route("GET", "/range")
    def ranged(self, request):
        """The last one belongs to the range, as RFC 9110 has it of bytes."""
        return self.between(request, 1)

    @route("GET", "/open_range")
    def open_ranged(self, request):
        """The last one does not, as Tryton has it."""
        return self.between(request, 0)

    def between(self, request, more):
        first, last = map(int, request.headers["Range"].removeprefix("records=").split("-"))
        found = self.found(request)
        some = found[first : last + more]
        if not some:
            return Answer({"message": "nothing there"}, 416)
        total = "*" if self.hides_total else len(found)
        return Answer(some, headers={"Content-Range": f"records {first}-{last}/{total}"})

    @route("POST", "/search")
    def search(self, request):
        told = request.get_json()
        since, first = told["filter"]["from"], int(told.get("after", 0))
        self.asked.append(since)
        found = [each for each in self.contacts if each["changed"] >= since]
        following = str(first + 3) if first + 3 < len(found) else None
        return Answer({"results": found[first : first + 3], "next": following})


WAYS = {
    "all": {"path": "/all", "params": {"since": "{since}"}},
    "token": {
        "path": "/token", "records": "results", "params": {"since": "{since}"},
        "paging": {"kind": "next_token", "path": "paging.next.after", "param": "after"},
    },
    "url": {
        "path": "/url", "records": "data", "params": {"since": "{since}"},
        "paging": {"kind": "next_url", "path": "links.next"},
    },
    "offset": {
        "path": "/offset", "records": "items", "params": {"since": "{since}"},
        "paging": {"kind": "offset", "size": 3},
    },
    "page": {
        "path": "/page", "records": "entries", "params": {"since": "{since}"},
        "paging": {"kind": "page", "size": 3},
    },
    "range": {
        "path": "/range", "params": {"since": "{since}"}, "paging": {"kind": "range", "size": 3},
    },
    "open range": {
        "path": "/open_range", "params": {"since": "{since}"},
        "paging": {"kind": "range", "size": 3},
    },
    "search": {
        "path": "/search", "method": "POST", "records": "results",
        "body": {"filter": {"from": "{since}"}},
        "paging": {"kind": "next_token", "path": "next", "param": "after"},
    },
}  # fmt: skip


KEYSET = {"field": "changed", "start": "2026-01-01T00:00:00Z", "keyset": True}


def origin_of(way, **others):
    return ApiOrigin.model_validate(
        {
            "connection": "crm",
            "high_water": {"field": "changed", "start": "2026-01-01T00:00:00Z"},
            "fields": {"given_name": "name.given"},
            **WAYS[way],
            **others,
        }
    )


class Clock:
    at = datetime(2026, 3, 1, 2, tzinfo=UTC)

    def now(self):
        return self.at


class Night:
    """Pulls, one after the other, into one landing area."""

    def __init__(self, folder, base_url):
        self.landing = LocalLanding(folder)
        self.outside = Outside(base_url)
        self.files = []
        self.slept = []
        self.clock = Clock()

    def pull(self, origin, as_of=DAY, source=DECLARED):
        return [
            json.loads(line)
            for row in self.land(origin, as_of, source)
            for line in self.landing.open(row.landed_path).read().splitlines()
        ]

    def land(self, origin, as_of=DAY, source=DECLARED):
        step = Pull(
            source=source, origin=origin, as_of=as_of, run_id="r", sleep=self.slept.append
        )  # fmt: skip
        api = self.outside.api("crm")
        with stamina.set_testing(True, attempts=3):
            landed = step.run(api, self.landing, self.files, self.clock)
        self.files += landed.files
        return landed.files


@pytest.fixture
def crm():
    return Crm()


@pytest.fixture
def night(crm, tmp_path):
    with serving(crm) as base_url:
        yield Night(tmp_path, base_url)


@pytest.mark.parametrize("way", WAYS)
def test_every_record_comes_however_the_system_pages(crm, night, way):
    found = night.pull(origin_of(way))
    assert [each["id"] for each in found] == list(range(7))
    assert {each["given_name"] for each in found} == {f"p{at}" for at in range(7)}
    assert set(crm.asked) == {"2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("way", WAYS)
def test_the_next_night_asks_from_the_newest_record_on_and_lands_what_is_new(crm, night, way):
    night.pull(origin_of(way))
    crm.asked.clear()
    crm.contacts.append({"id": 9, "changed": "2026-03-01T01:00:00Z", "name": {}})
    assert [each["id"] for each in night.pull(origin_of(way))] == [6, 9]
    assert set(crm.asked) == {"2026-02-07T07:00:00Z"}, "the overlap of an hour before the newest"
    assert night.files[-1].path == "pulled/2026-03-01/2026-03-01T01:00:00Z.jsonl"


def of_one_instant(crm):
    for each in crm.contacts:
        each["changed"] = "2026-02-01T08:00:00Z"


def test_a_pull_that_may_read_as_many_pages_as_there_are_comes_to_its_end(crm, night):
    of_one_instant(crm)
    whole = origin_of("search", most_pages=3)
    assert [each["id"] for each in night.pull(whole)] == list(range(7))
    assert night.pull(whole) == []


@pytest.mark.parametrize("pages", [1, 2])
def test_a_pull_that_cannot_come_past_where_it_was_says_so(crm, night, pages):
    of_one_instant(crm)
    short = origin_of("search", most_pages=pages)
    assert [each["id"] for each in night.pull(short)] == list(range(3 * pages))
    with pytest.raises(ContractBroken, match=f"more than {pages} pages, and these tell nothing"):
        night.pull(short)


@pytest.mark.parametrize("ahead", ["2026-03-01T04:00:00+00:00", "2099-01-01T00:00:00Z"])
def test_a_record_from_a_clock_that_is_ahead_hides_nothing_that_comes_before_it(crm, night, ahead):
    crm.contacts.append({"id": 8, "changed": ahead, "name": {}})
    night.pull(origin_of("all"))
    crm.asked.clear()
    crm.contacts.insert(7, {"id": 9, "changed": "2026-03-01T02:30:00Z", "name": {}})
    assert [each["id"] for each in night.pull(origin_of("all"))] == [9, 8]
    assert set(crm.asked) == {"2026-03-01T01:00:00Z"}, "an hour before the file was landed"
    assert night.pull(origin_of("all")) == [], "what is ahead comes again, and is known"


@pytest.mark.fault("clock set back, summer time")
@pytest.mark.parametrize("seed", range(5))
def test_our_own_clock_may_leap_by_months_and_every_record_still_comes(crm, night, seed):
    chance, true = random.Random(seed), datetime(2026, 3, 1, tzinfo=UTC)
    found = {each["id"] for each in night.pull(origin_of("search"))}
    for number in range(7, 40):
        true += timedelta(hours=chance.uniform(0, 12))
        record = {"id": number, "changed": f"{true:%Y-%m-%dT%H:%M:%SZ}", "name": {}}
        crm.contacts.append(record)
        if chance.random() < 0.5:
            night.clock.at = true + timedelta(days=chance.uniform(-200, 200))
            found |= {each["id"] for each in night.pull(origin_of("search"))}
    night.clock.at = true
    found |= {each["id"] for each in night.pull(origin_of("search"))}
    assert found == set(range(40))


def test_what_a_late_pull_brings_is_not_from_the_future(crm, night):
    crm.contacts[-1]["changed"] = "2026-02-28T23:00:00Z"
    (row,) = night.land(origin_of("all"), as_of=DAY - timedelta(days=5))
    assert (row.file_on, row.landed_on) == (DAY - timedelta(days=5), DAY)
    crm.contacts.append({"id": 9, "changed": "2026-03-01T01:00:00Z", "name": {}})
    (row,) = night.land(origin_of("all"), as_of=DAY + timedelta(days=1))
    assert row.landed_on == DAY + timedelta(days=1), "nor does a clock that is behind count"


def test_what_changes_while_a_pull_lasts_is_asked_for_the_next_night(crm, night):
    changed = crm.contacts[0]

    def hours_later():
        night.clock.at += timedelta(hours=1.5)
        if len(crm.asked) == 1:
            changed.update(changed="2026-03-01T02:10:00Z", name={"given": "new"})
            crm.contacts[-1]["changed"] = "2026-03-01T04:00:00Z"

    crm.meanwhile = hours_later
    assert len(night.pull(origin_of("token"))) == 7
    crm.asked.clear()
    assert "new" in {each["given_name"] for each in night.pull(origin_of("token"))}
    assert set(crm.asked) == {"2026-03-01T01:00:00Z"}, "an hour before the first call"


COUNTED = ["offset", "range", "open range"]


@pytest.mark.parametrize("way", COUNTED)
@pytest.mark.parametrize("leaves", [True, False])
def test_no_record_is_left_out_when_the_list_moves_up_between_two_calls(crm, night, way, leaves):
    def moved():
        if len(crm.asked) == 1:
            first = crm.contacts.pop(0)
            crm.contacts += [] if leaves else [{**first, "changed": "2026-02-08T08:00:00Z"}]

    crm.meanwhile = moved
    found = [each["id"] for each in night.pull(origin_of(way))]
    assert found == ([1, 2, 3, 4, 5, 6] if leaves else [1, 2, 3, 4, 5, 6, 0])


@pytest.mark.parametrize("way", COUNTED)
def test_a_list_that_never_holds_still_is_left_for_a_later_run(crm, night, way):
    crm.meanwhile = lambda: crm.contacts.append(crm.contacts.pop(0))
    with pytest.raises(ListMoved, match=r"crm: /\w+ changed its order between two calls"):
        night.pull(origin_of(way, high_water=None, params={}))
    assert night.files == []
    assert crm.asked == [""] * 10, "two calls, five times"


@pytest.mark.parametrize("way", ["offset", "page"])
def test_pages_that_are_smaller_than_asked_for_are_not_the_last(crm, night, way):
    crm.largest_page = 2
    assert len(night.pull(origin_of(way))) == 7


@pytest.mark.parametrize("way", ["range", "open range"])
@pytest.mark.parametrize("contacts", [0, 1, 3, 4, 6, 7])
@pytest.mark.parametrize(("size", "hides_total"), [(1, True), (3, True), (3, False)])
def test_a_range_ends_where_nothing_is_behind_it(crm, night, way, contacts, size, hides_total):
    crm.contacts, crm.hides_total = crm.contacts[:contacts], hides_total
    found = night.pull(origin_of(way, paging={"kind": "range", "size": size}))
    assert [each["id"] for each in found] == list(range(contacts))


def test_a_system_that_knows_no_ranges_is_asked_once(crm, night):
    paging = {"kind": "range", "size": 3}
    assert len(night.pull(origin_of("all", paging=paging))) == 7
    assert len(crm.calls) == 1


def test_a_parameter_is_encoded_after_it_was_filled_in(crm, night):
    asked = []
    crm._handlers["GET /all"] = lambda request: asked.append(request.args["d"]) or Answer([])
    night.pull(origin_of("all", params={}, encoded={"d": '[["changed", ">=", "{since}"]]'}))
    assert base64.urlsafe_b64decode(asked[0]) == b'[["changed", ">=", "2026-01-01T00:00:00Z"]]'


def test_a_list_is_sent_as_a_parameter_for_each_of_its_texts(crm, night):
    asked = []
    crm._handlers["GET /all"] = lambda request: (
        asked.extend(request.args.items(multi=True)) or (Answer([]))
    )
    night.pull(origin_of("all", params={"f": ["id", "{as_of}"], "since": "{since}"}))
    since = ("since", "2026-01-01T00:00:00Z")
    assert asked == [("f", "id"), ("f", "2026-03-01"), since]


def test_values_that_say_their_class_are_read_as_what_they_are(crm, night):
    day = {"__class__": "date", "year": 2026, "month": 1, "day": 2}
    clock = {"hour": 3, "minute": 4, "second": 5, "microsecond": 60}
    crm.contacts = [
        {
            "id": 1, "changed": "2026-02-01T00:00:00Z", "on": day,
            "at": {**day, **clock, "__class__": "datetime"},
            "lines": [{"price": {"__class__": "Decimal", "decimal": "30.10"}}],
            "opens": {**clock, "__class__": "time"},
            "takes": {"__class__": "timedelta", "seconds": 90.0},
        }
    ]  # fmt: skip
    (found,) = night.pull(origin_of("all", values="tryton"))
    assert found["on"] == "2026-01-02"
    assert found["at"] == "2026-01-02T03:04:05.000060+00:00"
    assert found["lines"] == [{"price": "30.10"}]
    assert (found["opens"], found["takes"]) == ("03:04:05.000060", 90.0)


def test_what_a_record_names_by_type_and_id_is_read_where_it_is_included(crm, night):
    ann = {"type": "person", "id": "1", "attributes": {"name": "Ann"}}
    to_ann, to_somebody = ({"data": {"type": "person", "id": each}} for each in "12")
    reply = {
        "data": [
            {"id": 1, "relationships": {"owner": to_ann, "team": {"links": {}}}},
            {"id": 2, "relationships": {"owner": to_somebody}},
            {"id": 3},
        ],
        "included": [{"type": "list", "id": "1"}, ann],
    }
    crm._handlers["GET /all"] = lambda _: Answer(reply)
    owner = {"owner": "relationships.owner.data.attributes.name"}
    others = {"records": "data", "values": "json_api", "high_water": None, "params": {}}
    found = night.pull(origin_of("all", **others, fields=owner))
    assert [(each["id"], each["owner"]) for each in found] == [(1, "Ann"), (2, None), (3, None)]
    assert found[1]["relationships"]["owner"] == to_somebody


def test_each_element_of_a_list_becomes_a_record_beside_the_whole(crm, night):
    reply = [
        {"id": 1, "refused": [{"why": "a", "at": "2026-02-01"}, {"why": "b", "at": "2026-02-03"}]},
        {"id": 2, "refused": []},
        {"id": 3, "refused": None},
        {"id": 4, "refused": [{"why": "c", "at": "2026-02-02"}]},
    ]
    crm._handlers["GET /all"] = lambda _: Answer(reply)
    newest = {"field": "each.at", "start": "2026-01-01"}
    declared = {"fields": {"why": "each.why"}, "params": {}, "high_water": newest}
    found = night.pull(origin_of("all", **declared, each="refused"))
    assert [(each["id"], each["why"]) for each in found] == [(1, "a"), (1, "b"), (4, "c")]
    assert night.files[-1].path == "pulled/2026-03-01/2026-02-03.jsonl"
    with pytest.raises(ContractBroken, match=r"no list of records at id"):
        night.pull(origin_of("all", **declared, each="id"))


def test_a_night_that_brings_the_overlap_alone_lands_it_once(night):
    night.pull(origin_of("token"))
    night.pull(origin_of("token"))
    assert night.pull(origin_of("token")) == []
    assert len(night.files) == 2


def test_what_was_withdrawn_is_kept_nowhere_when_it_is_told_again(night):
    declared = origin_of("all", high_water=None, params={})
    night.pull(declared)
    [row] = night.files
    night.landing.remove(row.landed_path)
    night.files = [replace(row, landed_path="")]
    assert night.pull(declared) == []
    assert [path for path in night.landing.root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("load", ["snapshot", "increment"])
def test_what_returns_to_what_an_older_pull_brought_is_news(crm, night, load):
    everything = source_of(columns=[{"name": "id"}], load=load, key=["id"])
    declared, whole = origin_of("all", high_water=None, params={}), crm.contacts
    landed = []
    for at, contacts in enumerate([whole, whole, whole[:5], whole]):
        crm.contacts = contacts
        landed.append(len(night.pull(declared, DAY + timedelta(days=at), everything)))
    assert landed == [7, 0, 5, 7]
    assert len({row.file_id for row in night.files}) == 3


def test_of_two_pulls_of_one_day_the_later_orders_its_rows_last(crm, night):
    origin = origin_of("all")
    declared = DECLARED.model_copy(update={"origin": origin})
    ids = []
    for hours, given in enumerate(["old", "new", "older", "newer", "new"]):
        night.clock.at = Clock.at + timedelta(hours=hours)
        crm.contacts[-1]["name"] = {"given": given}
        ids += [row.file_id for row in night.land(origin, source=declared)]
    assert len(ids) == 5
    assert ids == sorted(ids)
    night.files, night.clock.at = night.files[:-1], night.clock.at + timedelta(hours=1)
    again = night.land(origin, source=declared)
    assert [row.file_id for row in again] == ids[-1:], "by another try"


def test_nothing_new_lands_no_file_and_forgets_nothing(crm, night):
    night.pull(origin_of("token"))
    crm.contacts = []
    assert night.pull(origin_of("token")) == []
    crm.asked.clear()
    night.pull(origin_of("token"))
    assert set(crm.asked) == {"2026-02-07T07:00:00Z"}


def test_a_list_that_has_become_empty_is_news_where_it_is_the_whole(crm, night):
    whole = source_of(columns=[{"name": "id"}], load="snapshot", key=["id"])
    everybody, crm.contacts = crm.contacts, []
    assert night.land(origin_of("all"), source=whole) == [], "nobody was there yet"
    crm.contacts = everybody
    night.files = [replace(row, records_accepted=7) for row in night.land(origin_of("all"))]
    crm.contacts = []
    assert night.land(origin_of("all"), source=DECLARED) == []
    (row,) = night.land(origin_of("all"), source=whole)
    assert row.size_bytes == 0
    assert night.land(origin_of("all"), source=whole) == [], "it is known by now"


def test_a_run_that_dies_before_its_file_is_noted_asks_for_the_same_again(crm, night):
    night.pull(origin_of("token"))
    night.files.clear()
    assert len(night.pull(origin_of("token"))) == 7


@pytest.mark.parametrize(
    "fault",
    [{"status": 429, "headers": {"Retry-After": "5"}}, {"status": 500}, {"status": 0}],
    ids=["throttled", "failed", "cut"],
)
def test_a_passing_fault_in_the_middle_loses_and_doubles_nothing(crm, night, fault):
    crm.faults = [Fault(skip=1, **fault)]
    assert [each["id"] for each in night.pull(origin_of("token"))] == list(range(7))
    assert night.slept == ([5.0] if fault["status"] == 429 else [])


def test_a_fault_that_stays_lands_nothing(crm, night):
    crm.faults = [Fault(skip=1, times=100)]
    with pytest.raises(ReplyLost):
        night.pull(origin_of("token"))
    assert night.files == []
    crm.faults = []
    assert len(night.pull(origin_of("token"))) == 7


@pytest.mark.fault("redirect to a link-local address")
def test_a_next_page_on_another_host_is_not_asked(crm, night):
    crm.contacts = crm.contacts[:2]
    away = {"kind": "next_url", "path": "away"}
    reply = {"rows": crm.contacts, "away": "https://elsewhere.example.com/all"}
    crm._handlers["GET /all"] = lambda _: Answer(reply)
    with pytest.raises(HostRefused, match=r"elsewhere\.example\.com"):
        night.pull(origin_of("all", records="rows", paging=away))


@pytest.mark.fault("redirect to a link-local address")
@pytest.mark.parametrize("way", ["@{}/all", ".{}/all", "//{}/all", "/\\{}/all", ":80@{}/all"])
def test_a_next_page_that_is_no_address_of_its_own_leads_to_no_other_host(crm, night, way):
    other = Crm()
    away = {"kind": "next_url", "path": "away"}
    with serving(other) as elsewhere:
        reply = {"rows": crm.contacts, "away": way.format(elsewhere.removeprefix("http://"))}
        crm._handlers["GET /all"] = lambda _: Answer(reply)
        with pytest.raises((HostRefused, CallRefused)):
            night.pull(origin_of("all", records="rows", paging=away))
    assert other.calls == []


def test_a_next_page_may_leave_out_the_first_slash(crm, night):
    replies = iter([{"rows": crm.contacts[:2], "more": "all?page={2}"}, {"rows": crm.contacts[2:]}])
    crm._handlers["GET /all"] = lambda _: Answer(next(replies))
    paging = {"kind": "next_url", "path": "more"}
    assert len(night.pull(origin_of("all", records="rows", paging=paging))) == 7


@pytest.mark.parametrize("way", ["token", "search"])
def test_a_way_on_that_is_no_text_is_named(crm, night, way):
    reply = {"results": crm.contacts, "next": "\ud83d", "paging": {"next": {"after": "\ud83d"}}}
    crm._handlers["GET /token"] = crm._handlers["POST /search"] = lambda _: Answer(reply)
    with pytest.raises(ContractBroken, match="is no text"):
        night.pull(origin_of(way))


@pytest.mark.parametrize("values", ["tryton", "json_api"])
def test_values_that_are_not_of_the_form_declared_are_named(crm, night, values):
    day = {"__class__": "date", "year": "soon", "month": 0, "day": 0}
    crm._handlers["GET /all"] = lambda _: Answer([{"id": day, "relationships": {"owner": 1}}])
    with pytest.raises(ContractBroken, match=f"as {values} has them"):
        night.pull(origin_of("all", values=values, high_water=None, params={}))


@pytest.mark.fault("429 with Retry-After")
def test_a_system_that_throttles_for_ever_is_left_for_a_later_run(crm, night, monkeypatch):
    monkeypatch.setattr(patience, "MOST_WAITS", 20)
    crm.faults = [Fault(status=429, headers={"Retry-After": "0"}, times=1000)]
    with pytest.raises(Throttled):
        night.pull(origin_of("token"))
    assert night.files == []
    assert len(night.slept) == 20


def test_a_record_that_is_no_text_is_quarantined_alone(crm, night):
    crm.contacts[2]["name"] = "\ud83d"
    night.land(origin_of("token"))
    declared = DECLARED.model_copy(update={"format": JsonLinesFormat(kind="jsonl")})
    with night.landing.open(night.files[0].landed_path) as content:
        read = list(read_json_lines(content, Contract.of(declared), Reading()))
    assert [bad.rule for records in read for bad in records.bad] == ["encoding"]
    assert sum(records.count for records in read) == 7


def test_a_caller_who_is_not_known_is_told_so(night):
    night.outside.settings = {"auth": {"kind": "none"}}
    with pytest.raises(NotAuthorised):
        night.pull(origin_of("all"))


def test_a_reply_that_is_not_as_declared_is_named(night):
    with pytest.raises(ContractBroken, match=r"no list of records at its top"):
        night.pull(origin_of("all", path="/token"))
    with pytest.raises(ContractBroken, match=r"high_water\.field"):
        night.pull(origin_of("all", high_water={"field": "name.given", "start": "2026-01-01"}))


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ({"params": {"q": "{nobody}"}}, "nothing fills in"),
        ({"high_water": None, "params": {"q": "{since}"}}, "high_water, which is missing"),
        ({"body": {"a": "b"}}, "method POST alone"),
        ({"path": "/all?limit=7"}, "write it under params"),
        ({"high_water": KEYSET, "params": {"q": "{since}"}}, "next_token or next_url"),
        ({"high_water": KEYSET, "paging": WAYS["token"]["paging"]}, "stands nowhere"),
    ],
)
def test_a_faulty_origin_says_what_is_wrong(others, says):
    with pytest.raises(ValidationError, match=says):
        ApiOrigin.model_validate({"connection": "crm", "path": "/all"} | others)
