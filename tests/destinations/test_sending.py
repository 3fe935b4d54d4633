"""A batch is brought to its end whatever the destination answers."""

import json
import re
from dataclasses import dataclass, field, replace
from unicodedata import normalize
from urllib.parse import quote, quote_plus

import pytest
import stamina

from goldenlake.declarations.destination import Retries
from goldenlake.destinations import deliver, finish
from goldenlake.destinations.sending import without_values
from goldenlake.errors import CallRefused, PlaceUnreachable, TerminalError, Throttled
from goldenlake.ports import Acknowledgement, Batch, Capabilities
from support.destinations import delivery, upsert

ANN, BOB, CYD = upsert("ann"), upsert("bob"), upsert("cyd")


@pytest.fixture(autouse=True)
def _no_waiting():
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


def says(outcome, *records, **others):
    return [Acknowledgement(key=r.key, outcome=outcome, **others) for r in records]


@dataclass
class Scripted:
    """Answers each call with the next of its replies; an exception is raised."""

    replies: list
    look_ups: list | None = None
    sent: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    jobs: list = field(default_factory=list)
    asked_jobs: list = field(default_factory=list)

    @property
    def capabilities(self):
        return Capabilities(
            modes=frozenset(),
            batch_records=10,
            batch_bytes=10**6,
            can_look_up=self.look_ups is not None,
            poll_seconds=2.0,
            longest_job_seconds=6.0,
        )

    def send(self, delivery, batch, note):
        self.sent.append([r.key[:3] for r in batch.records])
        if self.jobs:
            note(self.jobs.pop(0))
        return self._next(self.replies)

    def look_up(self, delivery, batch):
        self.asked.append([r.key[:3] for r in batch.records])
        self.asked_jobs.append(batch.job)
        return self._next(self.look_ups)

    def finish(self, delivery):
        self._next(self.replies)

    def _next(self, replies):
        reply = replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


LOST = PlaceUnreachable(place="x", what="reset")


def outcome(kind, attempts=3, records=(ANN, BOB)):
    slept = []
    answers = deliver(
        kind,
        delivery(),
        Batch(number=1, records=records),
        retries=Retries(attempts=attempts),
        sleep=slept.append,
    )
    return {key[:3]: answer.outcome for key, answer in answers.items()}, slept


def test_answers_are_matched_by_key_and_strangers_ignored():
    replies = [[*says("acknowledged", BOB, CYD), *says("rejected", ANN, is_permanent=True)]]
    assert outcome(Scripted(replies))[0] == {"ann": "rejected", "bob": "acknowledged"}


def test_a_record_without_an_answer_is_not_taken_for_acknowledged():
    kind = Scripted([says("acknowledged", BOB), says("acknowledged", ANN)])
    assert outcome(kind)[0] == {"ann": "acknowledged", "bob": "acknowledged"}
    assert kind.sent == [["ann", "bob"], ["ann"]]


def test_of_two_answers_for_one_record_the_worse_counts():
    answers = [*says("acknowledged", ANN, BOB), *says("rejected", ANN)]
    assert outcome(Scripted([answers]))[0]["ann"] == "rejected"
    assert outcome(Scripted([answers[::-1]]))[0]["ann"] == "rejected"


@pytest.mark.fault("half a batch refused")
def test_only_what_is_to_be_tried_again_is_sent_again():
    kind = Scripted([[*says("acknowledged", ANN), *says("retry", BOB)], says("acknowledged", BOB)])
    outcome(kind)
    assert kind.sent == [["ann", "bob"], ["bob"]]


def test_what_never_settles_keeps_its_last_outcome():
    kind = Scripted([says("retry", ANN)] * 3)
    assert outcome(kind, records=[ANN])[0] == {"ann": "retry"}


@pytest.mark.fault("500 after applying")
def test_what_may_have_been_applied_once_is_not_told_to_be_not_applied():
    busy = says("retry", ANN)
    assert outcome(Scripted([LOST, busy, busy]), records=[ANN])[0] == {"ann": "unknown"}
    # Half a reply.
    half = Scripted([says("acknowledged", BOB), busy, busy])
    assert outcome(half)[0] == {"ann": "unknown", "bob": "acknowledged"}
    # A job that has ended, and whose contacts the system does not show yet.
    job = Scripted([says("pending", ANN)] * 3, look_ups=[busy] * 5)
    assert outcome(job, records=[ANN])[0] == {"ann": "unknown"}


@pytest.mark.fault("500 after applying")
@pytest.mark.parametrize(
    ("replies", "is_resumed", "doubtful"),
    [
        ([LOST, says("rejected", ANN, BOB)], False, {"ann", "bob"}),
        ([says("acknowledged", BOB), says("rejected", ANN)], False, {"ann"}),
        ([says("rejected", ANN, BOB)], False, set()),
        ([says("rejected", ANN, BOB)], True, {"ann", "bob"}),
    ],
)
def test_what_is_refused_after_a_try_that_was_not_answered_may_be_there(
    replies, is_resumed, doubtful
):
    batch = Batch(number=1, records=(ANN, BOB), is_resumed=is_resumed)
    kind = Scripted(list(replies))
    answers = deliver(kind, delivery(), batch, retries=Retries(attempts=3), sleep=lambda _: None)
    assert {key[:3] for key, answer in answers.items() if answer.is_doubtful} == doubtful
    assert "rejected" in {answer.outcome for answer in answers.values()}


@pytest.mark.fault("500 after applying")
def test_after_a_lost_reply_the_destination_is_asked_before_anything_is_sent_again():
    kind = Scripted([LOST, says("acknowledged", BOB)], look_ups=[says("acknowledged", ANN)])
    assert outcome(kind)[0] == {"ann": "acknowledged", "bob": "acknowledged"}
    assert kind.asked == [["ann", "bob"]]
    assert kind.sent == [["ann", "bob"], ["bob"]]


def test_a_destination_that_cannot_be_asked_is_sent_the_same_again():
    kind = Scripted([LOST, says("acknowledged", ANN, BOB)])
    outcome(kind)
    assert kind.sent == [["ann", "bob"]] * 2


def test_a_fault_that_stays_is_raised():
    with pytest.raises(PlaceUnreachable):
        outcome(Scripted([LOST] * 3))


def test_what_another_try_will_not_mend_is_raised_at_once():
    kind = Scripted([TerminalError("key revoked")])
    with pytest.raises(TerminalError):
        outcome(kind)
    assert len(kind.sent) == 1


@pytest.mark.fault("429 with Retry-After")
def test_waiting_for_a_throttle_is_no_attempt():
    waits = [Throttled(destination="x", seconds=s) for s in (1, 5, 300)]
    found, slept = outcome(Scripted([*waits, says("acknowledged", ANN, BOB)]), attempts=1)
    assert found == {"ann": "acknowledged", "bob": "acknowledged"}
    assert slept == [1, 5, 300]


@pytest.mark.fault("429 with Retry-After")
def test_waiting_for_a_throttle_of_a_look_up_is_no_attempt():
    wait = Throttled(destination="x", seconds=300)
    job = Scripted([says("pending", ANN)], look_ups=[wait, says("acknowledged", ANN)])
    assert outcome(job, attempts=1, records=[ANN]) == ({"ann": "acknowledged"}, [1.0, 300])
    lost = Scripted([LOST], look_ups=[wait, wait, says("acknowledged", ANN)])
    assert outcome(lost, attempts=2, records=[ANN]) == ({"ann": "acknowledged"}, [300, 300])


@pytest.mark.fault("429 with Retry-After")
def test_whoever_asks_to_wait_for_hours_is_tried_by_a_later_run():
    kind = Scripted([Throttled(destination="x", seconds=7200)])
    with pytest.raises(Throttled):
        outcome(kind, attempts=1)


@pytest.mark.fault("half a batch refused")
def test_a_batch_that_is_refused_is_halved_until_what_is_refused_stands_alone():
    bad = CallRefused(system="x", call="POST /", status=400, told="cyd@example.com is bad")
    kind = Scripted([bad, says("acknowledged", ANN), bad, says("acknowledged", BOB), bad])
    found, _ = outcome(kind, records=(ANN, BOB, CYD))
    assert found == {"ann": "acknowledged", "bob": "acknowledged", "cyd": "rejected"}
    assert kind.sent == [["ann", "bob", "cyd"], ["ann"], ["bob", "cyd"], ["bob"], ["cyd"]]


def test_a_call_that_is_refused_for_everybody_is_not_tried_for_each():
    bad = CallRefused(system="x", call="POST /", status=400)
    kind = Scripted([bad] * 100)
    with pytest.raises(CallRefused):
        outcome(kind, records=[upsert(f"p{at}") for at in range(64)])
    assert len(kind.sent) < 20


def test_records_that_a_job_took_speak_for_a_call_of_which_others_are_refused():
    bad = CallRefused(system="x", call="POST /", status=400)
    wrong = [upsert(f"p{at}") for at in range(6)]
    kind = Scripted([bad, bad, says("pending", ANN), *[bad] * 12], [says("acknowledged", ANN)])
    found, _ = outcome(kind, attempts=1, records=[ANN, *wrong])
    assert list(found.values()).count("rejected") == 6
    assert found["ann"] == "acknowledged"


def test_a_job_that_an_earlier_process_noted_is_asked_before_anything_is_sent():
    kind = Scripted([], look_ups=[says("pending", ANN, BOB), says("acknowledged", ANN, BOB)])
    batch = Batch(number=1, records=(ANN, BOB), job="j1")
    answers = deliver(kind, delivery(), batch, retries=Retries(attempts=1), sleep=lambda _: None)
    assert {a.outcome for a in answers.values()} == {"acknowledged"}
    assert kind.sent == []


def test_words_of_a_refusal_tell_nothing_of_the_person():
    told = "Ann at ANN@example.com (or bob@x.org, +49 30 1234567) is no one"
    assert without_values(told, ANN) == "… at … (or …, …) is no one"


@pytest.mark.parametrize(
    "written",
    [
        lambda name: json.dumps({"value": name}),
        lambda name: json.dumps(json.dumps(name)),
        quote,
        quote_plus,
        lambda name: name.encode("ascii", "xmlcharrefreplace").decode(),
        lambda name: name.replace("ü", "&uuml;").replace('"', "&quot;"),
        lambda name: normalize("NFD", name),
        str.upper,
    ],
)
@pytest.mark.parametrize("name", ["Jörg Müller", 'Ann "100%" Müller', "Пётр", "a\\u00fc%20b&amp;c"])
def test_words_of_a_refusal_tell_nothing_of_the_person_however_a_value_is_written_down(
    written, name
):
    person = replace(ANN, fields={"name": name})
    assert without_values(f"value <{written(name)}> is none", person).count("…") == 1
    left = without_values(written(name), person)
    assert re.sub(r'[…"{}: ]|value', "", left) == ""


def test_a_job_is_asked_until_it_is_done():
    kind = Scripted(
        [says("pending", ANN, BOB)],
        look_ups=[[*says("acknowledged", ANN), *says("pending", BOB)], says("rejected", BOB)],
    )
    found, slept = outcome(kind, attempts=1)
    assert found == {"ann": "acknowledged", "bob": "rejected"}
    assert (kind.asked, slept) == ([["ann", "bob"], ["bob"]], [1.0, 2.0])


def test_each_half_of_a_refused_batch_is_asked_for_under_the_job_that_it_was_sent_in():
    bad = CallRefused(system="x", call="POST /", status=400)
    pending = [says("pending", ANN), says("pending", BOB)]
    kind = Scripted([bad, *pending], [says("acknowledged", ANN), says("acknowledged", BOB)])
    kind.jobs = ["j0", "j1", "j2"]
    assert outcome(kind, attempts=1)[0] == {"ann": "acknowledged", "bob": "acknowledged"}
    assert kind.asked_jobs == ["j1", "j2"]


def test_a_job_that_never_ends_leaves_its_records_unknown():
    kind = Scripted([says("pending", ANN)], look_ups=[says("pending", ANN)] * 4)
    assert outcome(kind, attempts=1, records=[ANN])[0] == {"ann": "unknown"}


def test_a_batch_that_was_emptied_is_handed_over_once():
    kind = Scripted([[]])
    assert outcome(kind, records=[]) == ({}, [])
    assert kind.sent == [[]]


def test_finishing_is_tried_again():
    kind = Scripted([LOST, None])
    finish(kind, delivery(), retries=Retries())
    assert kind.replies == []
