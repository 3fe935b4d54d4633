"""A no in a row that was set aside is heard, until it is put right or something later is said."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import functions as F

from goldenlake.cli.installation import PROJECT
from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.loader import load_catalogue
from goldenlake.declarations.source import Source
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import Batch, StepResult
from goldenlake.schemas import BROKEN, CONFORMED, QUARANTINE
from goldenlake.steps.doubts import Doubts, unread_files
from goldenlake.steps.files import record_files
from goldenlake.steps.generations import Generation
from goldenlake.steps.plan import PlanExport
from goldenlake.transforms.golden_consents import statements_of
from support.activation import DAY, Killed, Mortal, destination, members_are, night, silent, step
from support.bronze import LANDED_ON, ingested, source_of
from support.conforming import conform
from support.destinations import Remembering
from support.gold import at, customer, grant, publish

POLICY = ConsentPolicy.model_validate(
    {
        "purposes": {"marketing": {"description": "x"}, "service": {"description": "x"}},
        "channels": {"email": {"addresses": ["email"]}, "sms": {}},
    }
)
YES = {"id": "1", "email": "ann@example.com", "said": "yes", "at": "2026-02-01T08:00:00Z"}
NOPE = YES | {"said": "nope", "at": "2026-02-20T08:00:00Z"}


def people(**declared: Any) -> Source:
    """People with what they said to the newsletter."""
    return source_of(
        **{
            "load": "increment",
            "key": ["id"],
            "order_by": ["at"],
            "region": "DE",
            "columns": [
                {"name": "id", "required": True},
                {"name": "email", "normalise": "email"},
                {"name": "phone", "normalise": "phone"},
                {"name": "said", "required": True},
                {"name": "kind"},
                {"name": "age", "type": "integer"},
                {"name": "at", "type": "timestamp", "required": True},
            ],
            "identifiers": {"email": "email", "phone": "phone"},
            "attributes": {"email": "email"},
            "consents": [
                {
                    "at": "at",
                    "constant_purpose": "marketing",
                    "constant_channel": "email",
                    "status": "said",
                    "statuses": {"yes": "granted", "No": "withdrawn"},
                }
            ],
            "rules": [{"rule": "in_set", "column": "said", "values": ["yes", "No"], "reason": "x"}],
            **declared,
        }
    )


def doubtful(
    tables: DeltaTables, source: Source, *, version: int | None = None
) -> set[tuple[str, str]]:
    """Who is held to have said no by what was set aside, and what; ``version`` is of silver as the
    generation was made of it, the newest unless given.
    """
    version = tables.version(f"silver.{source.source}") if version is None else version
    generation = Generation(
        generation=1,
        as_of=LANDED_ON,
        tables={"gold.customers": tables.version("gold.customers") or 0},
        inputs={} if version is None else {f"silver.{source.source}": version},
    )
    found = Doubts(tables=tables, generation=generation, sources=[source], policy=POLICY)
    said = found.statements()
    return set() if said is None else {(r["customer_id"], r["status"]) for r in said.collect()}


@pytest.fixture
def ann(tables: DeltaTables) -> DeltaTables:
    """A lake that knows Ann, and Bob."""
    publish(tables, DAY, {"gold.customers": [customer("ann"), customer("bob")]})
    return tables


def test_words_of_consent_are_words_in_any_case_and_are_spelt_as_the_contract_spells_them(
    ann: DeltaTables,
) -> None:
    source = people()
    conform(ann, source, ingested(ann, source, "a.csv", [NOPE | {"said": "\u00a0NO "}]))
    assert [row["said"] for row in ann.read("silver.crm").collect()] == ["No"]
    assert doubtful(ann, source) == set()
    # As silver may have it from before.
    older = ann.read("silver.crm").withColumn("said", F.lit(" nO"))
    assert [row["status"] for row in statements_of(older, source).collect()] == ["withdrawn"]


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({}, {("ann", "unclear")}),
        ({"said": None}, {("ann", "unclear")}),
        ({"said": "No", "age": "old"}, {("ann", "withdrawn")}),
        ({"said": "no ", "at": "some day"}, {("ann", "withdrawn")}),
        ({"said": "yes", "age": "old"}, set()),
        ({"email": "ANN@example.com", "age": "old"}, {("ann", "unclear")}),
        ({"email": "not ann@example.com any more"}, {("ann", "unclear")}),
        ({"email": "nobody"}, set()),
    ],
)
def test_a_row_says_no_if_its_word_does_or_may(
    ann: DeltaTables, row: dict[str, str], wanted: set[tuple[str, str]]
) -> None:
    source = people()
    conform(ann, source, ingested(ann, source, "a.csv", [NOPE | row]))
    assert doubtful(ann, source) == wanted


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"said": "No"}, set()),
        ({"said": "No", "kind": "letter"}, {("ann", "withdrawn")}),
        ({"said": "No", "kind": "nothing of ours"}, {("ann", "unclear")}),
        ({"said": "yes", "kind": "nothing of ours"}, set()),
    ],
)
def test_a_row_that_is_none_of_the_statements_says_nothing_unless_that_is_in_doubt(
    ann: DeltaTables, row: dict[str, str], wanted: set[tuple[str, str]]
) -> None:
    [mapping] = people().model_dump(exclude_defaults=True)["consents"]
    rule = {"rule": "in_set", "column": "kind", "values": ["letter", "call"], "reason": "x"}
    source = people(consents=[mapping | {"only": "kind = 'letter'"}], rules=[rule])
    call = NOPE | {"age": "old", "kind": "call"}
    conform(ann, source, ingested(ann, source, "a.csv", [call | row]))
    assert doubtful(ann, source) == wanted


@pytest.mark.parametrize("load", ["increment", "snapshot"])
def test_a_row_is_put_right_by_one_of_its_key_in_a_later_file(ann: DeltaTables, load: str) -> None:
    days = {
        "file_date": r"(?P<month>\d{2})-(?P<day>\d{2})(?P<year>)",
        "place": "drops",
        "files": "*",
    }
    source = people(load=load, origin=days, snapshot={"least_share": 0})
    next_day, last_day = (LANDED_ON + timedelta(days=days) for days in (1, 2))
    conform(ann, source, ingested(ann, source, "03-01", [YES]))
    conform(ann, source, ingested(ann, source, "03-02", [NOPE], file_on=next_day))
    assert doubtful(ann, source) == {("ann", "unclear")}
    # A late file is no correction.
    before = LANDED_ON - timedelta(days=1)
    conform(ann, source, ingested(ann, source, "02-28", [YES], file_on=before))
    assert doubtful(ann, source) == {("ann", "unclear")}
    conform(ann, source, ingested(ann, source, "03-03", [YES], file_on=last_day))
    assert doubtful(ann, source) == set()


@pytest.fixture
def aside(ann: DeltaTables) -> tuple[Source, Sequence[date]]:
    """A source of snapshots in which Ann agreed, and of which the next one has her set aside; and
    days for those.
    """
    source = people(load="snapshot", snapshot={"least_share": 0})
    days = [LANDED_ON + timedelta(days=days) for days in range(4)]
    for n, row in enumerate((YES, NOPE)):
        conform(ann, source, ingested(ann, source, str(n), [row], file_on=days[n]))
    return source, days


def test_a_row_that_is_set_aside_in_the_newest_snapshot_is_not_put_right_by_the_record_it_leaves(
    ann: DeltaTables, aside: tuple[Source, Sequence[date]]
) -> None:
    source, days = aside
    [(is_deleted,)] = ann.read("silver.crm").select("_is_deleted").collect()
    assert not is_deleted
    assert doubtful(ann, source) == {("ann", "unclear")}
    # The newest repeats what was known before: written nowhere, and right nevertheless.
    conform(ann, source, ingested(ann, source, "2", [YES], file_on=days[2]))
    assert doubtful(ann, source) == set()
    conform(ann, source, ingested(ann, source, "3", [NOPE], file_on=days[3]))
    assert doubtful(ann, source) == {("ann", "unclear")}


def test_a_generation_made_of_a_row_that_was_set_aside_is_not_put_right_by_later_files(
    ann: DeltaTables, aside: tuple[Source, Sequence[date]]
) -> None:
    source, days = aside
    then = ann.version("silver.crm")
    no = YES | {"said": "No", "at": "2026-03-01T08:00:00Z"}
    conform(ann, source, ingested(ann, source, "2", [no], file_on=days[2]))
    assert doubtful(ann, source, version=then) == {("ann", "unclear")}
    assert doubtful(ann, source) == set(), "the withdrawal is in the generation itself"


def test_an_event_is_put_right_by_nothing_but_a_replay(ann: DeltaTables) -> None:
    source = people(load="append", attributes={})
    file = ingested(ann, source, "a.csv", [NOPE])
    conform(ann, source, file)
    later = LANDED_ON + timedelta(days=1)
    conform(ann, source, ingested(ann, source, "b.csv", [YES], file_on=later))
    assert doubtful(ann, source) == {("ann", "unclear")}
    mended = source.model_copy(update={"rules": []})
    conform(ann, mended, file)
    assert doubtful(ann, mended) == set()


def test_what_no_reader_could_make_a_row_of_speaks_by_the_addresses_and_numbers_in_it(
    tables: DeltaTables,
) -> None:
    known = [customer("ann"), customer("bob", phone="+493012345678"), customer("cyd")]
    publish(tables, DAY, {"gold.customers": known})
    lines = ['{"raw": "7,Ann <ANN@example.com>,out\\tof,reach"}', '{"raw": "8,030 12345678,x,y,z"}']
    rows = [("f", at, LANDED_ON, "read", ["fields"], line, "r") for at, line in enumerate(lines)]
    tables.append("quarantine.crm", tables.frame(rows, QUARANTINE.ddl))
    assert doubtful(tables, people()) == {("ann", "unclear"), ("bob", "unclear")}


def test_an_export_holds_them_back_at_once_and_sends_again_after_a_later_yes(
    tables: DeltaTables,
) -> None:
    source, sent = people(), Remembering()

    def export() -> StepResult:
        declared = destination(fields={"FNAME": "given_name"})
        return step(destination=declared, consent=POLICY, sources=[source]).run(
            tables, sent, silent
        )

    def held() -> dict[str, str]:
        rows = tables.read("activation.held_back").collect()
        return {row["customer_id"]: row["reason"] for row in rows}

    said = [grant("ann"), grant("bob")]
    night(tables, DAY, [customer("ann"), customer("bob")], said, {"readers": ["ann", "bob"]})
    assert export().counts["sent"] == 2
    assert export().status == "skipped"

    conform(tables, source, ingested(tables, source, "a.csv", [NOPE]))
    assert export().counts["removed"] == 1
    assert held() == {"ann": "no_consent"}

    yes = grant("ann", stated_at=at("2026-03-03 00:00"))
    members_are(
        tables, DAY, {"readers": ["ann", "bob"]},
        publish(tables, DAY, {"gold.consents": [grant("bob"), yes]}),
    )  # fmt: skip
    late = destination(fields={"FNAME": "given_name"})
    when = at("2026-03-04 00:00")
    step(destination=late, consent=POLICY, sources=[source], now=when).run(tables, sent, silent)
    assert held() == {}


def test_while_a_file_that_states_consent_is_broken_nobody_is_added_and_all_others_go_on(
    tables: DeltaTables,
) -> None:
    source, sent = people(), Remembering()

    def export(**others: Any) -> dict[str, int]:
        declared = destination(fields={"FNAME": "given_name"}, **others)
        planned = step(destination=declared, consent=POLICY, sources=[source])
        return dict(planned.run(tables, sent, silent).counts)

    everybody = [customer("ann"), customer("bob"), customer("cyd")]
    said = [grant("ann"), grant("bob"), grant("cyd")]
    night(tables, DAY, everybody, said, {"readers": ["ann", "bob"]})
    assert export()["sent"] == 2

    broken = replace(ingested(tables, source, "b.csv", []), status=BROKEN)
    record_files(tables, [broken])
    members_are(tables, DAY, {"readers": ["bob", "cyd"]}, publish(tables, DAY, {}))
    found = export()
    assert (found["removed"], found.get("sent", 0), found["unchanged"]) == (1, 0, 1)
    held = tables.read("activation.held_back").collect()
    assert {(row["customer_id"], row["reason"]) for row in held} == {("cyd", "consents_unread")}

    other_channel = {"consents": [people().consents[0].model_dump() | {"constant_channel": "sms"}]}
    assert not PlanExport(
        destination=destination(), consent=POLICY, as_of=DAY, sources=[people(**other_channel)]
    ).adds_nobody(tables)

    record_files(tables, [replace(broken, status=CONFORMED)])
    assert export()["sent"] == 1


def test_a_killed_export_goes_on_without_adding_anybody_once_such_a_file_is_broken(
    tables: DeltaTables,
) -> None:
    source, sent = people(), Remembering(batch_records=1)
    given = {"destination": destination(fields={"FNAME": "given_name"}), "sources": [source]}
    names = ["ann", "bob", "cyd"]
    said = [grant(name) for name in names]
    night(tables, DAY, [customer(name) for name in names], said, {"readers": ["ann"]})
    step(consent=POLICY, **given).run(tables, sent, silent)
    changed = [customer("ann", given_name="Anna"), customer("bob"), customer("cyd")]
    night(tables, DAY, changed, said, {"readers": names})
    mortal = Mortal(tables)

    def kill(_: Any, batch: Batch) -> None:
        if batch.number == 2:
            mortal.is_dead = True
            raise Killed

    sent.after = kill
    with pytest.raises(Killed):
        step(consent=POLICY, **given).run(mortal, sent, silent)
    record_files(tables, [replace(ingested(tables, source, "b.csv", []), status=BROKEN)])
    already, sent.after = len(sent.payload), lambda _, __: None

    step(consent=POLICY, **given).run(tables, sent, silent)

    assert sent.payload[already:] == [("readers", "upsert", "ann@example.com")]
    ledger = tables.read("activation.ledger").collect()
    assert {row["customer_id"]: row["state"] for row in ledger} == {
        "ann": "present", "bob": "unknown", "cyd": "unknown",
    }  # fmt: skip
    held = tables.read("activation.held_back").collect()
    assert {(row["customer_id"], row["reason"]) for row in held} == {
        ("bob", "consents_unread"), ("cyd", "consents_unread"),
    }  # fmt: skip


def test_people_are_added_in_spite_of_a_broken_file_where_that_is_declared(
    tables: DeltaTables,
) -> None:
    source = people()
    night(tables, DAY, [customer("ann")], [grant("ann")], {"readers": ["ann"]})
    record_files(tables, [replace(ingested(tables, source, "b.csv", []), status=BROKEN)])
    brave = destination(guards={"add_despite_unread_consents": True})
    planned = step(destination=brave, consent=POLICY, sources=[source])
    assert planned.run(tables, Remembering(), silent).counts["sent"] == 1


@pytest.mark.parametrize(
    ("load", "other", "is_replaced"),
    [
        ("increment", {"path": "b.csv", "sha256": "x"}, True),
        ("increment", {"landed_on": LANDED_ON + timedelta(1)}, True),
        ("increment", {}, False),
        ("increment", {"file_on": LANDED_ON + timedelta(1), "landed_on": DAY}, False),
        ("append", {"file_on": LANDED_ON + timedelta(1), "landed_on": DAY}, False),
        ("snapshot", {"file_on": LANDED_ON + timedelta(1)}, True),
        ("snapshot", {}, True),
        ("snapshot", {"file_on": LANDED_ON - timedelta(1), "landed_on": DAY}, False),
    ],
)
def test_a_broken_file_is_replaced_by_one_that_tells_what_it_should_have_told(
    tables: DeltaTables, load: str, other: dict[str, Any], is_replaced: bool
) -> None:
    source = people(load=load)
    broken = replace(ingested(tables, source, "b.csv", []), status=BROKEN)
    good = replace(ingested(tables, source, "c.csv", []), status=CONFORMED)
    record_files(tables, [broken, replace(good, **other)])
    left = [] if is_replaced else ["b.csv"]
    assert [file.path for file in unread_files(tables, source)] == left


@pytest.mark.parametrize(
    ("email", "type_", "is_heard"),
    [
        ("Ann <ANN@example.com>", "unsubscribe", True),
        ("ann@example.com;", "complaint", True),
        ("ann@example.com;", "open", False),
        ("ann@example.com", "unsubscribe", False),
        (None, "unsubscribe", False),
        ("", "unsubscribe", False),
    ],
)
def test_a_no_whose_only_name_is_not_recognised_is_heard_by_the_addresses_in_it(
    ann: DeltaTables, email: str | None, type_: str, is_heard: bool
) -> None:
    source = load_catalogue(PROJECT / "conf").sources["esp_events"]
    event = {"event_id": "1", "at": "2026-02-20T08:00:00Z", "type": type_, "email": email}
    conform(ann, source, ingested(ann, source, "a.jsonl", [event]))
    rules = [
        row["rules"] for row in ann.read_or_empty("quarantine.esp_events", QUARANTINE.ddl).collect()
    ]
    assert rules == ([["recognised_email"]] if is_heard else [])
    assert {who for who, _ in doubtful(ann, source)} == ({"ann"} if is_heard else set())


WELL = {
    "consent_id": "{who}",
    "email": "{who}@example.org",
    "purpose": "marketing",
    "channel": "email",
    "status": "withdrawn",
    "stated_at": "2026-02-27T08:00:00Z",
}
ODD: dict[str, list[str | None]] = {
    "consent_id": [None],
    "email": ["<{who}@EXAMPLE.org>", "mailto:{who}@example.org", "no more to {who}@example.org!"],
    "phone": ["12", "+1"],
    "purpose": ["MARKETING ", "ads", None, "any"],
    "channel": ["Email", "any", "e-mail", None],
    "status": ["Withdrawn", " WITHDRAWN\t", "no", "opt-out", None],
    "jurisdiction": ["nowhere"],
    "stated_at": ["2026-02-27", "27.02.2026", None, "2031-01-01T00:00:00Z", "1709020800000"],
    "expires_at": ["never", "2026-99-99", "2026-12-31"],
    "source_of_statement": ["desk, ours"],
}


def test_no_withdrawal_however_malformed_is_overheard(tables: DeltaTables) -> None:
    dice = random.Random(7)
    source = load_catalogue(PROJECT / "conf").sources["consents"]
    names = [f"p{number}" for number in range(400)]
    rows = []
    for who in names:
        odd = {name: dice.choice(cells) for name, cells in ODD.items() if dice.random() < 0.3}
        row = {**WELL, **odd}
        rows.append({name: value and value.format(who=who) for name, value in row.items()})
    known = [customer(who, email=f"{who}@example.org") for who in names]
    publish(tables, DAY, {"gold.customers": [*known, customer("bystander")]})
    conform(tables, source, ingested(tables, source, "a.csv", rows))

    silver = tables.read("silver.consents")
    heard = statements_of(silver, source).where(
        "status = 'withdrawn' AND purpose = 'marketing' AND channel IN ('email', 'any')"
    )
    told = silver.join(heard.where("stated_at > '2026-02-26'"), "record_id").collect()
    accepted = {row["consent_id"].lower() for row in told}
    set_aside = {who for who, _ in doubtful(tables, source)}
    assert (len(accepted) > 20) & (len(set_aside) > 20)
    assert accepted | set_aside == set(names)
