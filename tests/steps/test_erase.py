"""Erasing, alone: what would end a request too early."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from goldenlake.columns.traces import Traces
from goldenlake.declarations.base import SecretReference
from goldenlake.errors import ErasureUnfinished
from goldenlake.io.places.folder import Folder
from goldenlake.io.tables import DeltaTables
from goldenlake.schemas import LEDGER
from goldenlake.steps.erase import Erase, begin, certificates, open_requests
from goldenlake.steps.proof import search
from goldenlake.steps.subjects import Subject
from goldenlake.steps.tombstones import Erased
from support import activation
from support.bronze import source_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOB = "bob.canary@example.com"
KEY = SecretReference(env="GOLDENLAKE_TEST_PRIVACY")
SECRET = b"a key of pseudonyms in tests"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder that is searched."""
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


@pytest.fixture
def step(tables: DeltaTables, notes: Path) -> Erase:
    """An erasure of which all is done but the search."""
    subject = Subject(
        people=1,
        customer_ids=("c_bob",),
        record_ids=("crm:1",),
        identifiers=(("email", BOB),),
        contacts=(BOB,),
    )
    begin(tables, subject, [], key=SECRET, by="dpo", reason="R-1", at=NOW)
    [request] = open_requests(tables)
    return Erase(
        request=request,
        sources=[],
        destinations={},
        key=KEY,
        areas={"notes": Folder("notes", notes)},
        as_of=date(2026, 3, 1),
        run_id="test",
    )


def test_a_file_that_still_tells_of_somebody_keeps_the_request_open(
    tables: DeltaTables, step: Erase, notes: Path
) -> None:
    (notes / "calls.txt").write_text(f"{BOB} called.\n")

    with pytest.raises(ErasureUnfinished, match=r"calls\.txt"):
        step.finish(tables, tables, lambda _: None, at=NOW)

    assert open_requests(tables) == [step.request]
    assert certificates(tables) == {}


def test_rows_of_a_source_that_is_declared_no_more_keep_the_request_open(
    tables: DeltaTables, step: Erase, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    for name in ("bronze/crm", "bronze/cards", "silver/cards", "gold/metrics"):
        (lake / name).mkdir(parents=True)
        (lake / name / "part.parquet").write_bytes(b"of nobody who is known")
    crm = source_of(load="append", columns=[{"name": "id"}])
    step = replace(step, sources=[crm], areas={"lake": Folder("lake", lake)})

    with pytest.raises(ErasureUnfinished) as caught:
        step.finish(tables, tables, lambda _: None, at=NOW)

    assert [each.split()[0] for each in caught.value.remains] == ["bronze/cards", "silver/cards"]
    assert open_requests(tables) == [step.request]


def test_who_is_forgotten_does_not_come_back_by_the_digest_of_their_address(
    tables: DeltaTables, step: Erase
) -> None:
    columns = [{"name": "id"}, {"name": "mail", "normalise": "sha256"}]
    partner = source_of(load="append", columns=columns, identifiers={"email_sha256": "mail"})
    number = "+493011111111"
    his = replace(step.subject, contacts=(BOB, number))
    begin(tables, his, [partner], key=SECRET, by="dpo", reason="R-2", at=NOW)

    rows = tables.read("privacy.tombstones").collect()
    known = Erased(SECRET, frozenset(row["token"] for row in rows))
    for text in (BOB, number, number[1:]):
        digest = hashlib.sha256(text.encode()).hexdigest()
        assert known.is_theirs("email_sha256", digest)
        assert not known.is_theirs("email", digest)


def test_a_request_knows_what_else_is_to_be_searched(
    tables: DeltaTables, step: Erase, notes: Path
) -> None:
    begin(tables, step.subject, [], key=SECRET, by="dpo", reason="R-2", at=NOW, scan=[notes])

    assert {tuple(each.scan) for each in open_requests(tables)} == {(), (str(notes),)}


def test_a_file_that_cannot_be_asked_for_is_named_and_the_request_ends_once_it_has_another_name(
    tables: DeltaTables, step: Erase, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDENLAKE_TEST_PRIVACY", SECRET.decode())
    unfit = Path(os.fsdecode(os.fsencode(notes) + f"/{BOB}_caf".encode() + b"\xe9.csv"))
    unfit.write_text("a\n")

    with pytest.raises(ErasureUnfinished) as raised:
        step.finish(tables, tables, lambda _: None, at=NOW)

    told = str(raised.value)
    assert (
        r"notes: (told of somebody)_caf\xe9.csv cannot be searched, since its name is not" in told
    )
    assert "Give it another name, or remove it" in told
    assert BOB not in told
    unfit.rename(notes / "cafe.csv")
    step.finish(tables, tables, lambda _: None, at=NOW)
    assert open_requests(tables) == []


def test_only_an_absence_or_that_they_said_no_ends_a_request_and_the_latter_is_certified(
    tables: DeltaTables, step: Erase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDENLAKE_TEST_PRIVACY", SECRET.decode())
    of = {"segment": "all", "customer_id": "c_bob", "key": BOB}
    states = {"crm": "present", "letters": "suppressed", "desk": "absent"}
    rows = [of | {"destination": name, "state": state} for name, state in states.items()]
    tables.append("activation.ledger", tables.frame(rows, LEDGER.ddl))
    declared = {name: activation.destination(destination=name) for name in states}
    step = replace(step, destinations=declared)

    with pytest.raises(ErasureUnfinished) as raised:
        step.finish(tables, tables, lambda _: None, at=NOW)

    assert raised.value.remains == ("crm has not acknowledged that they are gone (present)",)
    gone = [row | {"state": "absent"} for row in rows if row["destination"] == "crm"]
    at = ["destination", "segment", "key"]
    tables.merge("activation.ledger", tables.frame(gone, LEDGER.ddl), on=at)
    assert step.finish(tables, tables, lambda _: None, at=NOW).not_taken_back == ("letters",)
    assert tables.read("activation.ledger").count() == 0


def test_hidden_files_are_searched_in_whatever_folders(tmp_path: Path) -> None:
    hidden = [".calls", "a/.calls", ".b/calls", "a/.b/.c/.calls", "a/.b/c/calls"]
    for path in hidden:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"{BOB} called.\n")
    place = Folder("notes", tmp_path)

    found = search(place, Traces.of([BOB]))

    assert sorted(found.told) == sorted(hidden)
    assert found.files == len(hidden)
    assert [each.path for each in place.list("**")] == []
