"""What every kind of destination must keep, and a destination in memory that fails on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Protocol

import pytest

from goldenlake.ports import (
    Acknowledgement,
    Api,
    Batch,
    Capabilities,
    Delivery,
    DestinationKind,
    FilePlace,
    NoteJob,
    OutboundRecord,
    Published,
)

SCHEMA = {"given_name": "string", "orders": "bigint"}


def delivery(**others: Any) -> Delivery:
    """A delivery of two batches."""
    standard: dict[str, Any] = {
        "destination": "crm",
        "segment": "readers",
        "as_of": date(2024, 5, 31),
        "delivery_id": "d_1",
        "mode": "mirror",
        "batches": 2,
        "schema": SCHEMA,
    }
    return Delivery(**(standard | others))


def upsert(name: str, **fields: Any) -> OutboundRecord:
    """Somebody who is to be there."""
    return OutboundRecord(
        customer_id=f"c_{name}",
        key=f"{name}@example.com",
        operation="upsert",
        fields={"given_name": name.title(), "orders": 1} | fields,
        desired_hash=f"hash of {name} {sorted(fields.items())}",
    )


def removal(name: str) -> OutboundRecord:
    """Somebody who is to be there no longer."""
    return OutboundRecord(
        customer_id=f"c_{name}",
        key=f"{name}@example.com",
        operation="remove",
        fields={},
        desired_hash="removed",
        reason="left",
    )


@dataclass(frozen=True)
class Places:
    """``ports.Outside`` of places alone."""

    place: Callable[[str], FilePlace]

    def api(self, name: str, published: Published) -> Api:
        """There is none."""
        raise KeyError(name)


def unnoted(job: str) -> None:
    """Notes no job: for kinds that have none, and for processes that die before they can."""


def settled(
    kind: DestinationKind, delivery: Delivery, batch: Batch, noted: list[str] | None = None
) -> Sequence[Acknowledgement]:
    """Answers to one sending, when its job, if it has one, came to an end."""
    jobs = [] if noted is None else noted
    answers = {each.key: each for each in kind.send(delivery, batch, jobs.append)}
    for _ in range(5):
        waiting = [r for r in batch.records if answers[r.key].outcome == "pending"]
        if waiting:
            asked = Batch(number=batch.number, records=waiting, job=jobs[-1] if jobs else None)
            answers |= {each.key: each for each in kind.look_up(delivery, asked) or ()}
    return list(answers.values())


class World(Protocol):
    """A destination as its contract looks at it from the other side."""

    def open(self) -> DestinationKind:
        """The kind, as a new process would open it."""

    def state(self, delivery: Delivery) -> Mapping[str, Mapping[str, Any]]:
        """Who is there, by key, after all that was sent in a delivery; fields as it has them."""


class DestinationContract:
    """Inherit from it and provide the fixture ``world``."""

    @pytest.fixture
    def world(self) -> World:
        """The other side."""
        raise NotImplementedError

    def test_each_record_is_acknowledged_by_its_key(self, world: World) -> None:
        batch = Batch(number=1, records=[upsert("ann"), upsert("bob")])
        answers = settled(world.open(), delivery(), batch)
        assert {(a.key, a.outcome) for a in answers} == {
            ("ann@example.com", "acknowledged"),
            ("bob@example.com", "acknowledged"),
        }
        assert set(world.state(delivery())) == {"ann@example.com", "bob@example.com"}

    def test_sending_a_batch_again_changes_nothing(self, world: World) -> None:
        batch = Batch(number=1, records=[upsert("ann"), upsert("bob")])
        settled(world.open(), delivery(), batch)
        once = world.state(delivery())
        again = settled(world.open(), delivery(), batch)
        assert {a.outcome for a in again} == {"acknowledged"}
        assert world.state(delivery()) == once

    def test_a_removal_removes_and_is_harmless_where_nobody_is(self, world: World) -> None:
        kind = world.open()
        settled(kind, delivery(), Batch(number=1, records=[upsert("ann"), upsert("bob")]))
        leaving = Batch(number=2, records=[removal("ann"), removal("cyd")])
        answers = settled(kind, delivery(), leaving)
        assert {a.outcome for a in answers} == {"acknowledged"}
        assert set(world.state(delivery())) == {"bob@example.com"}

    def test_a_batch_without_records_leaves_nothing_of_it(self, world: World) -> None:
        kind = world.open()
        assert list(kind.send(delivery(), Batch(number=1, records=[]), unnoted)) == []
        assert world.state(delivery()) == {}

    def test_a_later_process_can_finish_and_finishing_twice_is_harmless(self, world: World) -> None:
        first = world.open()
        settled(first, delivery(), Batch(number=1, records=[upsert("ann")]))
        second = world.open()
        settled(second, delivery(), Batch(number=2, records=[upsert("bob")]))
        second.finish(delivery())
        once = world.state(delivery())
        world.open().finish(delivery())
        assert world.state(delivery()) == once

    def test_a_look_up_tells_what_was_applied_from_what_was_not(self, world: World) -> None:
        kind = world.open()
        if not kind.capabilities.can_look_up:
            pytest.skip("cannot be asked")
        noted: list[str] = []
        sent = Batch(number=1, records=[upsert("ann")])
        settled(kind, delivery(), sent, noted)
        sent = replace(sent, job=noted[-1] if noted else None)
        found = world.open().look_up(delivery(), sent) or []
        assert [(a.key, a.outcome) for a in found] == [("ann@example.com", "acknowledged")]
        missing = world.open().look_up(delivery(), Batch(number=2, records=[upsert("bob")])) or []
        assert all(a.outcome != "acknowledged" for a in missing)


@dataclass
class Remembering:
    """A destination in memory: what it holds, what it was sent, and how it fails.

    ``before`` and ``after`` are called around each batch and may raise; ``refuses`` says which
    keys it refuses for good.
    """

    batch_records: int = 3
    can_look_up: bool = False
    people: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    silenced: set[str] = field(default_factory=set)
    sent: list[tuple[Delivery, Batch]] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    refuses: Callable[[OutboundRecord], bool] = lambda _: False
    before: Callable[[Delivery, Batch], None] = lambda _, __: None
    after: Callable[[Delivery, Batch], None] = lambda _, __: None

    @property
    def capabilities(self) -> Capabilities:
        """Small batches, so that a handful of people make several."""
        return Capabilities(
            modes=frozenset({"mirror", "upsert", "append", "suppress"}),
            batch_records=self.batch_records,
            batch_bytes=10**6,
            can_look_up=self.can_look_up,
            calls_per_second=2.0,
        )

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> Sequence[Acknowledgement]:
        """Apply what is not refused; answers in reverse order, as some systems do."""
        self.before(delivery, batch)
        self.sent.append((delivery, batch))
        answers = []
        for record in batch.records:
            where = (delivery.segment, record.key)
            if self.refuses(record):
                refusal = {"outcome": "rejected", "error": "refused", "is_permanent": True}
                answers.append(Acknowledgement(key=record.key, **refusal))
                continue
            if delivery.mode == "suppress":
                assert record.operation == "upsert"
                self.silenced.add(record.key)
            elif record.operation == "remove":
                self.people.pop(where, None)
            else:
                self.people[where] = self.people.get(where, {}) | dict(record.fields)
            answers.append(Acknowledgement(key=record.key, outcome="acknowledged"))
        self.after(delivery, batch)
        return answers[::-1]

    def look_up(self, delivery: Delivery, batch: Batch) -> Sequence[Acknowledgement] | None:
        """Whether upserts are there with these fields, and removals not."""
        answers = []
        for record in batch.records:
            held = self.people.get((delivery.segment, record.key))
            if record.operation == "remove":
                is_done = held is None
            else:
                is_done = held is not None and held.items() >= dict(record.fields).items()
            outcome = "acknowledged" if is_done else "retry"
            answers.append(Acknowledgement(key=record.key, outcome=outcome))
        return answers

    def finish(self, delivery: Delivery) -> None:
        """Remember it."""
        self.finished.append(delivery.delivery_id)

    @property
    def payload(self) -> list[tuple[str, str, str]]:
        """(segment, operation, key) of everything that was ever sent."""
        return [
            (delivery.segment, record.operation, record.key)
            for delivery, batch in self.sent
            for record in batch.records
        ]
