"""The benchmark of exports, against a contract server in a process of its own."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks import exports, members, parts
from benchmarks.exports import TOKEN, VENDORS, Exports, Vendor, account_of, most_within
from benchmarks.homes import ENVIRONMENT, START
from benchmarks.made_up import digest, people
from benchmarks.memory import Peak
from benchmarks.processes import Finished
from goldenlake.cli.installation import Installation
from goldenlake.declarations.destination import Retries
from goldenlake.destinations import deliver, open_destination
from goldenlake.errors import GoldenlakeError
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import Batch
from goldenlake.steps.plan import PlanExport
from support.activation import POLICY, destination
from support.destinations import delivery, upsert
from support.vendors import SPECS, Outside

HUBSPOT = VENDORS[0]
MEMBERS = 200
served = pytest.mark.skipif(
    not (SPECS / "hubspot").is_dir(), reason="the specifications are not on this machine"
)


def send(home: Path, about: range) -> None:
    """Export some of the people, as the home declares the account."""
    installation = Installation.load(home / "conf", ENVIRONMENT, None, as_of=START)
    kind = open_destination(installation.catalogue.destinations["hubspot"], installation)
    found = [
        replace(upsert("x"), key=address, fields={"firstname": name})
        for address, name in list(people(about.stop))[about.start :]
    ]
    for at in range(0, len(found), 100):
        batch = Batch(number=1, records=found[at : at + 100])
        kind.send(delivery(schema={"firstname": "string"}), batch, lambda _: None)


@pytest.fixture
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict]:
    """The figures of exports without Spark, of which each leaves out so many of the last people."""

    def worker(home: Path, work: str, *arguments: object, **_: object) -> Finished:
        if work == "members":
            (home / "var" / "lake").mkdir()
            (home / "var" / "lake" / "members").write_text(str(arguments[0]))
        elif work == "export":
            told = int((home / "var" / "lake" / "members").read_text())
            send(home, range(told - left_out))
        return Finished(
            answer={"seconds": 2.0, "spark_start": 1.0}, seconds=4.0, peak=Peak(total=9)
        )

    def killed(home: Path, *_: object, when: Callable[[], bool], **__: object) -> None:
        assert not when()
        send(home, range(MEMBERS // 2))
        assert when()

    def run(without: int = 0) -> dict:
        nonlocal left_out
        left_out = without
        done = Exports(
            home=tmp_path / "hubspot",
            vendor=replace(HUBSPOT, judges_every=3),
            members=MEMBERS,
            spark={},
            say=lambda _: None,
        )
        return {figure.figure.removeprefix("exports."): figure for figure in done.figures()}

    left_out = 0
    monkeypatch.setenv("GOLDENLAKE_BENCH_TOKEN", TOKEN)
    monkeypatch.setattr(exports, "run_worker", worker)
    monkeypatch.setattr(exports, "kill_worker", killed)
    monkeypatch.setattr(exports, "DRT", replace(exports.DRT, python=tmp_path / "none"))
    return run


@served
def test_what_was_sent_again_after_a_kill_is_told_and_the_limit_is_kept_to(figures):
    found = figures()

    assert list(found) == ["hubspot", "hubspot.memory", "hubspot.resume", "hubspot.limit"]
    assert found["hubspot"].details["members"] == MEMBERS
    assert sum(found["hubspot"].details["calls"].values()) == 6
    assert (found["hubspot.memory"].value, found["hubspot.memory"].ratio) == (9, 1.0)
    assert found["hubspot.resume"].details == {
        "held_after_the_kill": MEMBERS // 2,
        "sent_again": MEMBERS // 2,
    }
    assert found["hubspot.limit"].details["calls"] == 6


@served
@pytest.mark.parametrize("vendor", VENDORS, ids=lambda each: each.name)
def test_every_account_tells_whom_it_holds(vendor: Vendor):
    to = delivery(schema={vendor.field: "string"})
    records = [
        replace(upsert("x"), key=address, fields={vendor.field: name})
        for address, name in people(30)
    ]
    target = {"kind": vendor.name, "connection": vendor.name}
    batch = Batch(number=1, records=records)

    with account_of(vendor) as account:
        token = {"env": "GOLDENLAKE_TEST_TOKEN"}
        auth = {"kind": "header", "value": token, "prefix": vendor.prefix}
        outside = Outside(account.url, vendor.name, {"auth": auth})
        kind = open_destination(destination(target=target), outside)
        for _ in range(2):
            sent = deliver(kind, to, batch, retries=Retries(), sleep=lambda _: None)
            assert {answer.outcome for answer in sent.values()} == {"acknowledged"}
        told = account.ask("/bench")

    assert (told["people"], told["members"], told["digest"]) == (30, 30, digest(people(30)))
    assert (told["received"], told["refused"], told["violations"]) == (60, 0, [])


@served
def test_an_account_that_lacks_somebody_is_no_figure(figures):
    with pytest.raises(GoldenlakeError, match="should hold exactly"):
        figures(without=1)


@served
def test_of_many_calls_some_are_judged_and_all_are_counted(tmp_path: Path):
    wrong = {"inputs": [{"properties": {}}]}
    with account_of(replace(HUBSPOT, judges_every=2)) as account:
        for _ in range(2):
            call = Request(
                account.url + "/crm/v3/objects/contacts/batch/archive",
                json.dumps(wrong).encode(),
                {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
            )
            with pytest.raises(OSError, match="HTTP Error"):
                urlopen(call)
        told = account.ask("/bench")

    assert told["calls"] == {"POST /crm/v3/objects/contacts/batch/archive": 1}
    assert len(told["times"]) == 2
    assert (told["people"], told["digest"]) == (0, digest([]))


def test_a_lake_is_made_of_the_people_whom_the_accounts_should_hold(tables: DeltaTables):
    members.publish(tables, 30, START)

    export = destination(segments=[members.SEGMENT], fields={"firstname": "given_name"})
    now = datetime.now(UTC)
    planner = PlanExport(destination=export, consent=POLICY, as_of=START, now=now)
    rows = tables.read("gold.customers").select("email", "given_name").collect()

    assert digest((row["email"], row["given_name"]) for row in rows) == digest(people(30))
    plan = planner.run(tables)
    assert [(each.members, each.added) for each in plan.segments] == [(30, 30)]


def test_most_calls_within_a_stretch():
    assert most_within(10.0, [0.0, 1.0, 2.0, 9.9, 10.0, 11.0, 30.0]) == 4
    assert most_within(10.0, [5.0]) == 1


def test_the_name_of_several_parts_means_all_of_them():
    assert parts.chosen(["exports"]) == [f"exports.{each.name}" for each in VENDORS]
    assert parts.chosen(["exports.klaviyo", "idle"]) == ["idle", "exports.klaviyo"]
    assert parts.chosen(["export"]) == []
