"""Who left a destination by themselves is told of, and nobody whom we took out."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from goldenlake.declarations.pulls import DepartureOrigin
from goldenlake.errors import CannotBeAsked, ContractBroken, Throttled
from goldenlake.io.landing import LocalLanding
from goldenlake.steps.departures import Departures
from goldenlake.steps.reconcile import Reconcile
from support.activation import (
    DAY,
    Killed,
    Mortal,
    destination,
    members_are,
    night,
    silent,
    step,
)
from support.bronze import source_of
from support.destinations import Remembering
from support.gold import customer, grant, publish

NAMES = [f"p{at:02}" for at in range(30)]


class Listing(Remembering):
    """It tells who is there, after the waits that it asks for; some are not on any page the first
    time.
    """

    waits = 0
    moved = frozenset()
    meanwhile = staticmethod(lambda: None)

    def members(self, segment):
        if self.waits:
            self.waits -= 1
            raise Throttled(destination="crm", seconds=300)
        self.meanwhile()
        moved, self.moved = self.moved, frozenset()
        return [key for of, key in self.people if of == segment and key not in moved]


class Clock:
    def __init__(self, now):
        self.at = now

    def now(self):
        return self.at


IN_TIME, LATE = Clock(datetime(2024, 6, 1, 2, tzinfo=UTC)), Clock(datetime(2024, 9, 1, tzinfo=UTC))


def departed(tables, kind, folder, clock=IN_TIME, slept=None, **origin):
    declared = DepartureOrigin(destination="crm", **origin)
    source = source_of(
        origin=declared, format={"kind": "jsonl"}, columns=[{"name": "key"}], load="increment",
        key=["key"],
    )  # fmt: skip
    left = Departures(
        source=source, origin=declared, destination=destination(), as_of=DAY, run_id="r",
        sleep=(slept if slept is not None else []).append,
    )  # fmt: skip
    landing = LocalLanding(folder)
    found = []
    for row in left.run(tables, kind, landing, clock).files:
        with landing.open(row.landed_path) as opened:
            found += [json.loads(line) for line in opened.read().splitlines()]
    return found


@pytest.fixture
def kind(tables):
    """All of them were acknowledged, and then one left the segment."""
    found = Listing(batch_records=50)
    night(tables, DAY, [*map(customer, NAMES)], [*map(grant, NAMES)], {"readers": NAMES})
    step().run(tables, found, silent)
    later = DAY + timedelta(days=1)
    members_are(tables, later, {"readers": NAMES[1:]}, publish(tables, later, {}))
    step(later).run(tables, found, silent)
    return found


def test_who_is_there_no_longer_is_told_of_until_an_export_knows(tables, kind, tmp_path):
    assert departed(tables, kind, tmp_path) == [], "p00 was taken out by us"
    del kind.people["readers", "p07@example.com"]
    told = {"key": "p07@example.com", "segment": "readers"}
    assert departed(tables, kind, tmp_path) == [told | {"noticed_at": "2024-06-01T02:00:00+00:00"}]
    (late,) = departed(tables, kind, tmp_path, LATE)
    assert late["noticed_at"] < "2024-06-02", "of the day after, at the latest"

    later = DAY + timedelta(days=2)
    publish(tables, later, {"gold.consents": [grant(n) for n in NAMES if n != "p07"]})
    members_are(tables, later, {"readers": NAMES[1:]}, 4)
    step(later).run(tables, kind, silent)
    assert departed(tables, kind, tmp_path) == []


@pytest.mark.fault("429 with Retry-After")
def test_a_wait_that_is_asked_for_is_waited(tables, kind, tmp_path):
    kind.waits, slept = 2, []
    assert departed(tables, kind, tmp_path, slept=slept) == []
    assert slept == [300, 300]


def test_whom_a_killed_export_took_out_did_not_leave(tables, kind, tmp_path):
    later = DAY + timedelta(days=2)
    members_are(tables, later, {"readers": NAMES[4:]}, publish(tables, later, {}))
    mortal = Mortal(tables)

    def kill(_, __):
        mortal.is_dead = True
        raise Killed

    kind.after = kill
    with pytest.raises(Killed):
        step(later).run(mortal, kind, silent)
    assert ("readers", "p01@example.com") not in kind.people
    assert departed(tables, kind, tmp_path) == []

    kind.after = lambda _, __: None
    step(later).run(tables, kind, silent)
    assert departed(tables, kind, tmp_path) == []


def test_who_moved_to_a_page_that_was_read_has_not_left(tables, kind, tmp_path):
    del kind.people["readers", "p07@example.com"]
    kind.moved = {"p20@example.com"}
    assert [each["key"] for each in departed(tables, kind, tmp_path)] == ["p07@example.com"]
    kind.moved = {"p20@example.com"}
    compared = Reconcile(destination=destination(), as_of=DAY, run_id="r")
    assert compared.run(tables, kind, silent).counts["missing"] == 1


def test_whom_an_export_took_out_while_members_were_listed_did_not_leave(tables, kind, tmp_path):
    later = DAY + timedelta(days=2)
    members_are(tables, later, {"readers": NAMES[2:]}, publish(tables, later, {}))
    kind.meanwhile = lambda: step(later).run(tables, kind, silent)
    assert departed(tables, kind, tmp_path) == []
    assert ("readers", "p01@example.com") not in kind.people


def test_a_list_that_is_gone_is_no_departure_of_its_members(tables, kind, tmp_path):
    for name in NAMES[1:12]:
        del kind.people["readers", f"{name}@example.com"]
    with pytest.raises(ContractBroken, match="11 of 29 members of readers are gone at once"):
        departed(tables, kind, tmp_path)
    assert len(departed(tables, kind, tmp_path, most_share=0.5)) == 11


def test_a_kind_that_cannot_be_asked_says_so(tables, tmp_path):
    with pytest.raises(CannotBeAsked):
        departed(tables, Remembering(), tmp_path)
