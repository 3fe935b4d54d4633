"""What every kind that speaks to a vendor over HTTP must keep, whatever goes wrong on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from random import Random
from typing import Any, Protocol

import pytest
import stamina

from goldenlake.declarations.destination import Retries
from goldenlake.destinations import deliver
from goldenlake.errors import GoldenlakeError, NotAuthorised
from goldenlake.ports import (
    Batch,
    Delivery,
    DestinationKind,
    FindsMembers,
    ListsMembers,
    OutboundRecord,
)
from support.crashes import CrashCount
from support.destinations import DestinationContract, delivery, removal, settled, upsert
from support.vendors import TOKEN, Fault, Vendor

RETRIES = Retries(attempts=4)
SEEDS = range(20)
CRASHES = 5
"""Of each seed."""


class VendorWorld(Protocol):
    """A vendor's account, and how a process opens it."""

    vendor: Vendor

    def open(self) -> DestinationKind:
        """The kind, as a new process would open it."""

    def state(self, delivery: Delivery) -> Mapping[str, Mapping[str, Any]]:
        """Members of the delivery's audience, by key."""

    def people(self) -> int:
        """How many people the account holds: one who is there twice counts twice."""

    def refuse(self, key: str) -> None:
        """From now on, refuse this person for good, and nobody else."""


def _soon() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


FAULTS = {
    "throttled, in seconds": {"status": 429, "headers": {"Retry-After": "7"}},
    "throttled, as a date": {"status": 429, "headers": {"Retry-After": _soon()}},
    "throttled, without a word": {"status": 429},
    "unavailable": {"status": 503, "headers": {"Retry-After": "3"}},
    "failed before": {"status": 500},
    "failed after": {"status": 500, "is_applied": True},
    "gateway gave up after": {"status": 504, "is_applied": True},
    "cut before": {"status": 0},
    "cut after": {"status": 0, "is_applied": True},
}
#: Of which rows of the matrix some of them are.
_ROWS = {
    "throttled, in seconds": pytest.mark.fault("429 with Retry-After"),
    "throttled, as a date": pytest.mark.fault("429 with Retry-After"),
    "failed after": pytest.mark.fault("500 after applying"),
    "gateway gave up after": pytest.mark.fault("500 after applying"),
    "cut before": pytest.mark.fault("reset, hang, trickle"),
    "cut after": pytest.mark.fault("reset, hang, trickle"),
}


def brought(
    world: VendorWorld, batch: Batch, kind: DestinationKind | None = None
) -> tuple[dict[str, str], list[float], list[str]]:
    """Outcomes by key, what was slept, and the jobs noted."""
    slept: list[float] = []
    noted: list[str] = []
    with stamina.set_testing(True, attempts=RETRIES.attempts):
        answers = deliver(
            kind or world.open(), delivery(), batch, retries=RETRIES, note=noted.append,
            sleep=slept.append,
        )  # fmt: skip
    return {key: answer.outcome for key, answer in answers.items()}, slept, noted


def _batch(number: int, *records: OutboundRecord, job: str | None = None) -> Batch:
    return Batch(number=number, records=records, job=job)


class VendorContract(DestinationContract):
    """Inherit from it and provide the fixture ``world``."""

    calls_in_the_longest_way = 6
    """At each of so many calls a fault is tried."""

    @pytest.fixture
    def world(self) -> VendorWorld:
        """The vendor's account."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _every_request_fits_the_specification(self, world: VendorWorld) -> Iterator[None]:
        yield
        assert not world.vendor.violations, "\n".join(world.vendor.violations[:3])

    @pytest.mark.parametrize(
        "fault", [pytest.param(name, marks=_ROWS.get(name, ())) for name in FAULTS]
    )
    def test_whatever_goes_wrong_once_the_end_is_the_same(
        self, world: VendorWorld, fault: str
    ) -> None:
        there = set()
        for at in range(self.calls_in_the_longest_way):
            here = {f"ann{at}", f"bob{at}"}
            world.vendor.faults = [Fault(skip=at, **FAULTS[fault])]
            found, _, _ = brought(world, _batch(1, *map(upsert, sorted(here))))
            assert set(found.values()) == {"acknowledged"}, (at, found)
            there |= {f"{name}@example.com" for name in here}
            assert set(world.state(delivery())) == there
            world.vendor.faults = [Fault(skip=at, **FAULTS[fault])]
            found, _, _ = brought(world, _batch(1, removal(f"ann{at}")))
            assert set(found.values()) == {"acknowledged"}, (at, found)
            there -= {f"ann{at}@example.com"}
            assert set(world.state(delivery())) == there
        assert world.people() <= 2 * self.calls_in_the_longest_way

    @pytest.mark.fault("429 with Retry-After")
    def test_a_wait_that_is_asked_for_is_waited(self, world: VendorWorld) -> None:
        world.vendor.faults = [Fault(status=429, headers={"Retry-After": "7"})]
        _, slept, _ = brought(world, _batch(1, upsert("ann")))
        assert 7.0 in slept

    @pytest.mark.fault("half a batch refused")
    def test_who_is_refused_stands_alone_and_everybody_else_is_there(
        self, world: VendorWorld
    ) -> None:
        names = ["ann", "bob", "cyd", "dan", "eve", "fay", "gus"]
        for refused in ("bob@example.com", "gus@example.com"):
            world.refuse(refused)
        found, _, _ = brought(world, _batch(1, *map(upsert, names)))
        refused = {key for key, outcome in found.items() if outcome == "rejected"}
        assert refused == {"bob@example.com", "gus@example.com"}
        assert set(found.values()) == {"rejected", "acknowledged"}
        assert set(world.state(delivery())) == {f"{n}@example.com" for n in names} - refused

    def test_a_refusal_tells_its_reason_and_nothing_of_the_person(self, world: VendorWorld) -> None:
        world.refuse("bob@example.com")
        with stamina.set_testing(True, attempts=RETRIES.attempts):
            answers = deliver(
                world.open(), delivery(), _batch(1, upsert("ann"), upsert("bob")),
                retries=RETRIES, sleep=lambda _: None,
            )  # fmt: skip
        told = answers["bob@example.com"]
        assert (told.outcome, told.is_permanent) == ("rejected", True)
        assert told.error
        for value in ("bob", "@"):
            assert value not in told.error.lower()

    def test_a_caller_who_is_not_known_is_told_so_and_sends_nothing(
        self, world: VendorWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind = world.open()
        monkeypatch.setenv("GOLDENLAKE_TEST_TOKEN", "another")
        with pytest.raises(NotAuthorised) as raised:
            brought(world, _batch(1, upsert("ann")), kind)
        assert world.state(delivery()) == {}
        for secret in ("ann@", "another"):
            assert secret not in str(raised.value)

    def test_nothing_is_sent_but_the_key_and_the_mapped_fields(self, world: VendorWorld) -> None:
        brought(world, _batch(1, upsert("ann", given_name="Zoë")))
        sent = "\n".join(world.vendor.bodies)
        for unmapped in ("c_ann", "hash of", TOKEN):
            assert unmapped not in sent

    def test_someone_elses_members_stay(self, world: VendorWorld) -> None:
        brought(world, _batch(1, upsert("theirs"), upsert("ours")))
        brought(world, _batch(2, removal("ours")))
        assert set(world.state(delivery())) == {"theirs@example.com"}

    def test_who_left_and_comes_back_is_there_again(self, world: VendorWorld) -> None:
        for _ in range(2):
            brought(world, _batch(1, upsert("ann")))
            brought(world, _batch(2, removal("ann")))
        brought(world, _batch(3, upsert("ann")))
        assert set(world.state(delivery())) == {"ann@example.com"}
        assert world.people() == 1

    def test_a_missing_value_overwrites_nothing_and_a_cleared_one_does(
        self, world: VendorWorld
    ) -> None:
        kind = world.open()
        clearing = kind.capabilities.clears
        brought(world, _batch(1, upsert("ann", given_name="Ann", orders=3)), kind)
        without = upsert("ann", orders=4)
        fields = {name: value for name, value in without.fields.items() if name == "orders"}
        brought(world, _batch(1, _with_fields(without, fields)), kind)
        assert world.state(delivery())["ann@example.com"]["given_name"] == "Ann"
        if clearing:
            brought(world, _batch(1, _with_fields(without, {**fields, "given_name": None})), kind)
            assert not world.state(delivery())["ann@example.com"].get("given_name")

    def test_a_kind_that_tells_its_members_tells_all_of_them(self, world: VendorWorld) -> None:
        kind = world.open()
        if not isinstance(kind, ListsMembers):
            pytest.skip("does not tell them")
        assert list(kind.members("readers")) == []
        names = [f"p{at}" for at in range(7)]
        brought(world, _batch(1, *map(upsert, names)))
        assert sorted(kind.members("readers")) == [f"{name}@example.com" for name in names]

    def test_a_kind_that_finds_its_members_finds_those_and_no_others(
        self, world: VendorWorld
    ) -> None:
        kind = world.open()
        if not isinstance(kind, FindsMembers) or not kind.capabilities.can_look_up:
            pytest.skip("tells all of them, or none")
        asked = [f"p{at}@example.com" for at in range(7)]
        assert kind.among("readers", asked) == set()
        brought(world, _batch(1, *(upsert(f"p{at}") for at in range(4))))
        brought(world, _batch(2, removal("p1")))
        assert kind.among("readers", asked) == {asked[0], asked[2], asked[3]}

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_process_that_dies_at_any_call_is_finished_by_the_next_one(
        self, world: VendorWorld, seed: int, crashes: CrashCount
    ) -> None:
        crashes.connector = type(self).__module__.rpartition("test_")[2]
        random = Random(seed)
        wanted: set[str] = set()
        for number in count(1):
            if crashes.died == CRASHES:
                break
            world.vendor.faults = [
                Fault(
                    status=0, is_applied=random.random() < 0.5, skip=random.randrange(6),
                    times=100,
                )
            ]  # fmt: skip
            names = {f"p{random.randrange(8)}" for _ in range(4)}
            batch = _batch(number, *map(upsert, sorted(names)))
            job = None
            try:
                brought_first = brought(world, batch)
                job = brought_first[2][-1] if brought_first[2] else None
            except GoldenlakeError:
                crashes.died += 1
            world.vendor.faults = []
            found, _, _ = brought(world, _batch(batch.number, *batch.records, job=job))
            assert set(found.values()) == {"acknowledged"}
            wanted |= names
            leaving = sorted(random.sample(sorted(wanted), k=len(wanted) // 2))
            brought(world, _batch(99, *map(removal, leaving)))
            wanted -= set(leaving)
            crashes.compare(
                {f"{name}@example.com" for name in wanted}, set(world.state(delivery()))
            )
        crashes.doubled += max(0, world.people() - 8)
        assert (crashes.lost, crashes.strays, crashes.doubled) == (0, 0, 0)


class OneBadAddress:
    """For vendors of whom one bad address fails the call."""

    def test_one_bad_address_that_fails_the_call_does_not_keep_the_others_out(
        self, world: VendorWorld
    ) -> None:
        batch = [upsert(name) for name in ("ann", "bob", "cyd", "dan")]
        batch.insert(2, replace(batch[0], key="no address"))
        found, _, _ = brought(world, _batch(1, *batch))
        assert found.pop("no address") == "rejected"
        assert list(found.values()) == ["acknowledged"] * 4

    def test_one_bad_address_does_not_keep_members_from_being_found(
        self, world: VendorWorld
    ) -> None:
        kind = world.open()
        if not isinstance(kind, FindsMembers):
            pytest.skip("tells all of them, or none")
        brought(world, _batch(1, upsert("ann")))
        assert kind.among("readers", ["no address", "ann@example.com"]) == {"ann@example.com"}


class WorksInJobs:
    """For vendors that work in jobs, whose server works at a call of ``work``."""

    def begun(self, world: VendorWorld) -> int:
        """How many jobs were begun to add or change people."""
        raise NotImplementedError

    def test_a_job_that_an_earlier_process_began_is_asked_and_not_sent_again(
        self, world: VendorWorld
    ) -> None:
        noted: list[str] = []
        world.open().send(delivery(), _batch(1, upsert("ann")), noted.append)
        found, _, _ = brought(world, _batch(1, upsert("ann"), job=noted[-1]))
        assert found == {"ann@example.com": "acknowledged"}
        assert self.begun(world) == 1

    def test_a_member_with_older_values_is_not_vouched_for_by_the_job_of_another_process(
        self, world: VendorWorld
    ) -> None:
        noted: list[str] = []
        kind = world.open()
        settled(kind, delivery(), _batch(1, upsert("ann", orders=1)))
        kind.send(delivery(), _batch(1, upsert("bob")), noted.append)
        world.vendor.work()  # type: ignore[attr-defined]
        asked = _batch(1, upsert("ann", orders=2), upsert("bob"), job=noted[-1])
        answers = world.open().look_up(delivery(), asked) or []
        assert {a.key: a.outcome for a in answers} == {
            "ann@example.com": "retry", "bob@example.com": "acknowledged",
        }  # fmt: skip

    def test_a_field_that_is_to_be_cleared_is_left_as_it_is(self, world: VendorWorld) -> None:
        brought(world, _batch(1, upsert("ann", given_name="Ann")))
        found, _, _ = brought(world, _batch(1, upsert("ann", given_name=None, orders=5)))
        assert found == {"ann@example.com": "acknowledged"}
        held = world.state(delivery())["ann@example.com"]
        assert (held["given_name"], held["orders"]) == ("Ann", 5)


def _with_fields(record: OutboundRecord, fields: Mapping[str, Any]) -> OutboundRecord:
    return OutboundRecord(
        customer_id=record.customer_id, key=record.key, operation="upsert", fields=fields,
        desired_hash=f"hash of {sorted(fields)}",
    )  # fmt: skip
