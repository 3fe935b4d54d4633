"""Wherever a process dies that delivers files, their receiver gets everything once and whole."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from goldenlake.declarations.destination import Retries
from goldenlake.destinations import deliver, finish, open_destination
from goldenlake.errors import PlaceUnreachable
from goldenlake.io.places.folder import Folder
from goldenlake.ports import Batch, Delivery, FilePlace
from support.activation import destination
from support.crashes import CrashCount
from support.destinations import Places, delivery, removal, upsert
from support.faults import Died
from support.receivers import Relay, S3Receiver, SftpReceiver
from support.vendors.contract import CRASHES, SEEDS

DECLARED = destination(
    fields={"given_name": "given_name", "orders": "orders"},
    target={"kind": "files", "place": "out", "path": "to/{segment}"},
)
ONCE = Retries(attempts=1)


@dataclass
class Receiver:
    """Where files are delivered to, and how a process dies at it."""

    name: str
    place: Callable[[], FilePlace]
    files: Callable[[], Mapping[str, bytes]]
    dying: Callable[[Random], AbstractContextManager[None]]


@contextmanager
def on_disk(chance: Random) -> Iterator[None]:
    """The process ends at one of the calls that make a file of what was written, or at none."""
    real = {name: getattr(os, name) for name in ("fsync", "replace", "unlink")}
    left = chance.randrange(12)

    def dying(name: str) -> Callable[..., Any]:
        def call(at: Any, *others: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == -1 and name == "fsync" and os.path.isfile(f"/proc/self/fd/{at}"):
                os.ftruncate(at, os.fstat(at).st_size // 2)
            if left < 0:
                raise Died
            return real[name](at, *others, **named)

        return call

    with patch.multiple(os, **{name: dying(name) for name in real}):
        yield


def on_line(relay: Relay) -> Callable[[Random], AbstractContextManager[None]]:
    """The line ends with one of the bytes that a delivery takes, or after them."""

    @contextmanager
    def cut(chance: Random) -> Iterator[None]:
        relay.close_after(chance.randrange(8000))
        try:
            yield
        finally:
            relay.close()
            relay.open()

    return cut


@pytest.fixture(params=["folder", "sftp", "s3"])
def receiver(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Receiver]:
    if request.param == "folder":
        root = tmp_path / "out"
        root.mkdir()

        def files() -> dict[str, bytes]:
            found = (path for path in root.rglob("*") if path.is_file())
            return {str(path.relative_to(root)): path.read_bytes() for path in found}

        yield Receiver("folder", lambda: Folder("out", root), files, on_disk)
        return
    # What boto3 waits before it tries again, it waits for nothing here.
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    kind = SftpReceiver if request.param == "sftp" else S3Receiver
    found = kind(request.getfixturevalue(f"{request.param}_server"), tmp_path)
    found.relay.open()
    yield Receiver(request.param, found.place, found.files, on_line(found.relay))
    found.relay.close()


def bring(
    place: FilePlace, told: Delivery, batches: Sequence[Batch], acknowledged: set[int]
) -> None:
    """One process: what the ledger does not know as acknowledged, and the manifest."""
    kind = open_destination(DECLARED, Places(lambda _: place))
    for batch in batches:
        if batch.number not in acknowledged:
            answers = deliver(kind, told, batch, retries=ONCE)
            assert {answer.outcome for answer in answers.values()} <= {"acknowledged"}
            acknowledged.add(batch.number)
    finish(kind, told, retries=ONCE)


def received(files: Mapping[str, bytes]) -> tuple[set[str], int]:
    """Who is there when every delivery that is closed was read in order, and rows too many."""
    there: set[str] = set()
    doubled = 0
    for path in sorted(path for path in files if path.endswith("/manifest.json")):
        folder = path.removesuffix("manifest.json")
        for part in json.loads(files[path])["files"]:
            content = files[folder + part["name"]]
            assert hashlib.sha256(content).hexdigest() == part["sha256"]
            rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
            doubled += len(rows) - len({row["key"] for row in rows})
            there |= {row["key"] for row in rows if row["operation"] == "upsert"}
            there -= {row["key"] for row in rows if row["operation"] == "remove"}
    return there, doubled


def visible(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: of for path, of in files.items() if "/." not in path}


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_delivery_that_died_anywhere_is_finished_by_the_next_process(
    receiver: Receiver, seed: int, crashes: CrashCount
) -> None:
    crashes.connector = f"files, {receiver.name}"
    chance = Random(seed)
    wanted: set[str] = set()
    for number in count(1):
        if crashes.died == CRASHES:
            break
        names = {f"p{chance.randrange(8)}" for _ in range(4)}
        leaving = chance.sample(sorted(wanted | names), k=len(wanted | names) // 2)
        before, wanted = wanted, (wanted | names) - set(leaving)
        told = delivery(delivery_id=f"d_{number:03}")
        batches = [
            Batch(number=1, records=[upsert(name) for name in sorted(names)]),
            Batch(number=2, records=[removal(name) for name in sorted(leaving)]),
        ]
        acknowledged: set[int] = set()
        try:
            with receiver.dying(chance):
                bring(receiver.place(), told, batches, acknowledged)
        except (Died, PlaceUnreachable):
            crashes.died += 1
        half = visible(receiver.files())
        assert received(half)[0] in (addresses(before), addresses(wanted))
        # Of its last answers the ledger may know nothing.
        known = acknowledged if chance.random() < 0.5 else set()
        bring(receiver.place(), told, batches, known)
        files = receiver.files()
        assert visible(files) == files, "nothing is left of what was cut off"
        assert files.items() >= half.items(), "what was seen was whole"
        there, doubled = received(files)
        crashes.compare(addresses(wanted), there)
        crashes.doubled += doubled + (len(files) != 3 * number)
    assert (crashes.lost, crashes.strays, crashes.doubled) == (0, 0, 0)


def addresses(names: set[str]) -> set[str]:
    return {f"{name}@example.com" for name in names}
