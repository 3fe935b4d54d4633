"""A destination changes from an audience to telling who said no, and back, killed or not."""

from datetime import timedelta

import pytest

from goldenlake.steps.reconcile import Reconcile
from support.activation import DAY, Killed, Mortal, destination, night, silent, step
from support.destinations import Remembering
from support.gold import customer, grant

STRANGER = "sam"
"""In the list by themselves."""
NAMES = ["ann", "bob", "cyd", STRANGER]


class Listing(Remembering):
    """One that tells who is there."""

    def members(self, segment):
        return iter([key for of, key in self.people if of == segment])


class Newsletter:
    """Nights of one list, whose members are all of them."""

    def __init__(self, tables):
        self.tables, self.nights = tables, 0
        self.kind = Listing(batch_records=1)
        self.kind.people["readers", address(STRANGER)] = {}

    def night(self, mode, *said_no, dies_after=None):
        """One in which some have said no; the process may die after a call."""
        self.nights += 1
        day = DAY + timedelta(days=self.nights)
        told = [grant(n, "withdrawn" if n in said_no else "granted") for n in NAMES]
        night(self.tables, day, [*map(customer, NAMES)], told, {"readers": NAMES})
        generous = {"largest_change": 100, "allow_empty": True}
        declared = destination(mode=mode, fields={}, guards=generous)
        before, mortal = len(self.kind.sent), Mortal(self.tables)

        def kill(*_):
            if len(self.kind.sent) - before == dies_after:
                mortal.is_dead = True
                raise Killed

        self.kind.after = kill
        if dies_after is None:
            step(day, destination=declared).run(self.tables, self.kind, silent)
        else:
            with pytest.raises(Killed):
                step(day, destination=declared).run(mortal, self.kind, silent)
        return [
            (delivery.mode, record.operation, record.customer_id)
            for delivery, batch in self.kind.sent[before:]
            for record in batch.records
        ]

    @property
    def there(self):
        return {name for name in NAMES if ("readers", address(name)) in self.kind.people}

    @property
    def silenced(self):
        return {name for name in NAMES if address(name) in self.kind.silenced}

    @property
    def states(self):
        rows = self.tables.read("activation.ledger").select("customer_id", "state").collect()
        return dict(map(tuple, rows))


def address(name):
    return f"{name}@example.com"


@pytest.fixture
def letter(tables):
    return Newsletter(tables)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["mirror", "upsert", "append"])
def test_who_is_concerned_is_told_anew_when_the_mode_changes_and_strangers_stay(letter, mode):
    letter.night(mode, "bob", STRANGER)
    assert letter.there == {"ann", "cyd", STRANGER}
    letter.night("suppress", "bob", "cyd", STRANGER)
    assert (letter.there, letter.silenced) == ({"ann", "cyd", STRANGER}, {"bob", "cyd", STRANGER})
    assert letter.states == {
        "ann": "present", "cyd": "unknown", "bob": "suppressed", STRANGER: "suppressed",
    }  # fmt: skip
    assert letter.night("suppress", "bob", "cyd", STRANGER) == []

    told = letter.night(mode, "cyd", STRANGER)
    assert sorted(told) == [(mode, "remove", "cyd"), (mode, "upsert", "bob")]
    assert letter.there == {"ann", "bob", STRANGER}
    assert letter.night(mode, "cyd", STRANGER) == []

    asked = Reconcile(destination=destination(mode=mode), as_of=DAY, run_id="r", repair=True)
    told = asked.run(letter.tables, letter.kind, silent)
    assert told.counts == {"agreeing": 2, "missing": 0, "lingering": 0, "foreign": 1}

    letter.kind.silenced.clear()
    assert {who for *_, who in letter.night("suppress", "ann", "cyd", STRANGER)} == {"ann", "cyd"}


@pytest.mark.slow
@pytest.mark.parametrize("dies_after", [1, 2, 3])
def test_an_audience_that_died_is_finished_without_those_whom_the_new_mode_tells_of(
    letter, dies_after
):
    letter.night("mirror", STRANGER, dies_after=dies_after)
    sent = {record.customer_id for _, batch in letter.kind.sent for record in batch.records}
    told = letter.night("suppress", "cyd", "bob", STRANGER)
    assert not {who for mode, _, who in told if mode == "mirror"} & {"cyd", "bob", STRANGER}
    assert letter.silenced == {"cyd", "bob", STRANGER}
    assert letter.there == {"ann", STRANGER} | sent
    letter.night("mirror", "cyd", "bob", STRANGER)
    assert letter.there == {"ann", STRANGER}


@pytest.mark.parametrize("dies_after", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_telling_that_died_is_finished_though_the_new_mode_adds(letter, dies_after):
    letter.night("suppress", "bob", "cyd", STRANGER, dies_after=dies_after)
    told = letter.night("mirror", "bob", "cyd", STRANGER)
    assert letter.silenced == {"bob", "cyd", STRANGER}
    assert [each for each in told if each[0] == "mirror"] == [("mirror", "upsert", "ann")]
    assert letter.there == {"ann", STRANGER}


@pytest.mark.slow
def test_who_was_told_of_before_is_told_of_once_more_if_a_killed_run_may_have_added_them(letter):
    letter.night("suppress", "bob", STRANGER)
    letter.night("mirror", STRANGER, dies_after=3)
    assert "bob" in letter.there
    letter.kind.silenced.clear()
    letter.night("suppress", "bob", STRANGER)
    assert letter.silenced == {"bob"}


@pytest.mark.slow
def test_whom_a_list_that_only_grows_was_told_of_is_added_again_once_they_say_yes(letter):
    letter.night("append", STRANGER)
    letter.night("suppress", "cyd", STRANGER)
    assert letter.night("append", STRANGER) == [("append", "upsert", "cyd")]


def test_who_said_no_is_told_to_a_group_that_takes_the_place_of_another(tables):
    night(tables, DAY, [customer("ann")], [grant("ann", "withdrawn")], {"readers": ["ann"]})

    def told(group):
        target = {"kind": "sendgrid", "connection": "x", "unsubscribe_group": group}
        declared = destination(mode="suppress", fields={}, target=target)
        return step(destination=declared).run(tables, Remembering(), silent).counts["sent"]

    assert [told(7), told(7), told(8), told(8)] == [1, 0, 1, 0]
