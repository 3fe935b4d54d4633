"""A list of a real GNU Mailman holds exactly the members that were acknowledged."""

from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
import stamina
from pydantic import ValidationError

from goldenlake.destinations import deliver, open_destination
from goldenlake.errors import CallRefused, ReplyLost
from goldenlake.ports import Batch
from support.activation import destination
from support.destinations import delivery, removal, unnoted, upsert
from support.live import Mailman
from support.relay import Relay, Renamed, relaying
from support.vendors import Fault, Outside
from support.vendors.contract import RETRIES, VendorContract, brought

pytestmark = pytest.mark.live


def declared(**target):
    return destination(
        fields={"display_name": "given_name"},
        target={"kind": "mailman", "connection": "mailman", **target},
    )


@dataclass
class Lists:
    mailman: Mailman
    vendor: Relay
    base_url: str
    readers: str

    def open(self, **target):
        user = {"kind": "basic", "user": "restadmin", "password": {"env": "GOLDENLAKE_TEST_TOKEN"}}
        outside = Outside(f"{self.base_url}/3.1", "mailman", {"auth": user})
        target = {"list": "{segment}.lists.example.com", **target}
        names = {"given_name": "display_name"}
        return Renamed(open_destination(declared(**target), outside), names)

    def state(self, delivery):
        roster = self.mailman.roster(self.readers)
        return {email: {"given_name": name} for email, name in roster.items()}

    def people(self):
        return len(self.mailman.roster(self.readers))

    def refuse(self, key):
        self.mailman.call("POST", f"/lists/{self.readers}/bans", email=key)


@pytest.fixture
def world(mailman: Mailman):
    list_id = mailman.make_list("readers")
    with relaying(mailman.base_url.removesuffix("/3.1")) as (relay, base_url):
        yield Lists(mailman, relay, base_url, list_id)
    assert mailman.outbox == [], "nobody is written to"


class TestMailman(VendorContract):
    calls_in_the_longest_way = 5

    @pytest.fixture
    def world(self, world):
        return world


def sent(world, record):
    answers = world.open().send(delivery(), Batch(number=1, records=[record]), unnoted)
    return next(iter(answers))


def test_who_unsubscribed_is_not_subscribed_again_by_a_change(world):
    added = sent(world, upsert("ann"))
    world.mailman.call(
        "DELETE", f"/lists/{world.readers}/roster/member", emails=["ann@example.com"]
    )
    change = replace(upsert("ann", given_name="Anna"), remote_id=added.remote_id)
    answer = sent(world, change)
    assert (answer.outcome, answer.is_permanent) == ("rejected", True)
    assert "unsubscribed in Mailman" in answer.error
    assert world.state(delivery()) == {}


def test_whom_we_took_out_can_come_back(world):
    added = sent(world, upsert("ann"))
    taken = sent(world, replace(removal("ann"), remote_id=added.remote_id))
    answer = sent(world, replace(upsert("ann"), remote_id=taken.remote_id))
    assert answer.outcome == "acknowledged"
    assert set(world.state(delivery())) == {"ann@example.com"}


@pytest.mark.parametrize(
    ("reason", "comes_back"), [("left", False), ("no_consent", False), ("withdrawn", True)]
)
def test_who_unsubscribed_and_was_taken_out_later_comes_back_only_by_a_later_yes(
    world, reason, comes_back
):
    added = sent(world, upsert("ann"))
    world.mailman.call(
        "DELETE", f"/lists/{world.readers}/roster/member", emails=["ann@example.com"]
    )
    removed = replace(removal("ann"), remote_id=added.remote_id, reason=reason)
    taken = sent(world, removed)
    answer = sent(world, replace(upsert("ann"), remote_id=taken.remote_id))
    assert taken.outcome == "acknowledged"
    assert (answer.outcome == "acknowledged") is comes_back
    assert (world.state(delivery()) != {}) is comes_back


LOST = Fault(at="/roster/member", status=0, is_applied=True)


def settled(world, record, job=None):
    """The record's id by the ledger, once a batch of it has come to its end."""
    batch = Batch(number=1, records=[record], job=job)
    with stamina.set_testing(True, attempts=RETRIES.attempts):
        answers = deliver(
            world.open(), delivery(), batch, retries=RETRIES, sleep=lambda _: None
        )  # fmt: skip
    answer = answers[record.key]
    assert answer.outcome == "acknowledged"
    return answer.remote_id or record.remote_id


@pytest.mark.fault("500 after applying")
def test_whom_we_took_out_can_come_back_though_the_reply_was_lost(world):
    leaving = replace(removal("ann"), remote_id=settled(world, upsert("ann")))
    world.vendor.faults = [replace(LOST)]
    taken = settled(world, leaving)
    assert sent(world, replace(upsert("ann"), remote_id=taken)).outcome == "acknowledged"


@pytest.mark.parametrize("faults", [[], [LOST]])
def test_whom_a_killed_process_took_out_can_come_back_if_mailman_had_said_so(world, faults):
    leaving = replace(removal("ann"), remote_id=settled(world, upsert("ann")))
    world.vendor.faults, noted = [replace(fault) for fault in faults], []
    with suppress(ReplyLost):
        world.open().send(delivery(), Batch(number=1, records=[leaving]), noted.append)
    assert leaving.remote_id not in str(noted)
    taken = settled(world, leaving, noted[-1] if noted else None)
    came_back = sent(world, replace(upsert("ann"), remote_id=taken)).outcome == "acknowledged"
    # Who left on their own meanwhile would look the same.
    assert came_back is not bool(faults)


@pytest.mark.fault("500 after applying")
@pytest.mark.parametrize(("reason", "comes_back"), [("left", False), ("withdrawn", True)])
def test_who_unsubscribed_before_a_removal_whose_reply_was_lost(world, reason, comes_back):
    leaving = replace(removal("ann"), remote_id=settled(world, upsert("ann")), reason=reason)
    world.mailman.call(
        "DELETE", f"/lists/{world.readers}/roster/member", emails=["ann@example.com"]
    )
    world.vendor.faults = [replace(LOST)]
    taken = settled(world, leaving)
    answer = sent(world, replace(upsert("ann"), remote_id=taken))
    assert (answer.outcome == "acknowledged") is comes_back


def test_who_is_banned_is_refused_in_mailmans_words(world):
    world.refuse("zoe@example.com")
    answer = sent(world, upsert("zoe"))
    assert (answer.outcome, answer.is_permanent) == ("rejected", True)
    assert answer.error == "Membership is banned"


def test_who_joined_by_themselves_is_known_in_whatever_case(world):
    world.mailman.join(world.readers, "Ann@Example.com")
    assert sent(world, upsert("ann")).outcome == "acknowledged"
    assert world.people() == 1


def test_members_come_page_by_page(world, monkeypatch):
    monkeypatch.setattr("goldenlake.destinations.mailman._PAGE", 2)
    for name in ("ann", "bob", "cyd", "dan"):
        world.mailman.join(world.readers, f"{name}@example.com")
    assert list(world.open().members("readers")) == [
        f"{name}@example.com" for name in ("ann", "bob", "cyd", "dan")
    ]
    pages = [path for _, path, _ in world.vendor.calls if path.endswith("/roster/member")]
    assert len(pages) == 2


def test_a_list_that_is_not_there_is_named(world):
    kind = world.open(list="nowhere.lists.example.com")
    with pytest.raises(CallRefused, match=r"no list 'nowhere\.lists\.example\.com'"):
        brought(world, Batch(number=1, records=[upsert("ann")]), kind)
    assert list(kind.members("readers")) == []


def test_a_field_that_mailman_does_not_keep_is_refused_when_it_is_declared():
    with pytest.raises(ValidationError, match="keeps of a member display_name alone"):
        destination(
            fields={"country": "country"},
            target={"kind": "mailman", "connection": "mailman", "list": "x"},
        )
