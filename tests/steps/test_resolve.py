"""Nights of resolve on a small lake: what changes, what stays, and what a crash may not do."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from goldenlake.declarations.identity import IdentityRules
from goldenlake.errors import GenerationMoved
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import StepResult
from goldenlake.steps.generations import refuse_overtaken
from support import resolving
from support.bronze import source_of
from support.identity_reference import Known, partition, survivors
from support.lake import forget_logs
from support.resolving import customer_of, overtake, publish, silver

RULES = IdentityRules.model_validate(
    {
        "identifiers": {
            "account": {"description": "Customer number.", "strength": "unique"},
            "email": {
                "description": "E-mail address.",
                "strength": "strong",
                "most_records": 4,
                "block": ["none@example.com"],
            },
            "phone": {
                "description": "Phone.",
                "strength": "weak",
                "most_records": 4,
                "unless_differ": ["given_name"],
            },
            "cookie": {
                "description": "Browser.",
                "strength": "weak",
                "unless_differ": ["account"],
                "block_patterns": ["^0+$"],
            },
        },
        "largest_cluster": 6,
    }
)
CRM = source_of(
    load="increment",
    key=["contact"],
    columns=[
        {"name": name}
        for name in ("contact", "account", "email", "phone", "given_name", "family_name")
    ],
    identifiers={"account": "account", "email": "email", "phone": "phone"},
    attributes={"given_name": "given_name", "family_name": "family_name"},
)
WEB = source_of(
    source="web",
    load="append",
    columns=[{"name": name} for name in ("cookie", "account", "path")],
    identifiers={"cookie": "cookie", "account": "account"},
)
ORDERS = source_of(
    source="orders",
    load="increment",
    key=["order"],
    columns=[{"name": name} for name in ("order", "account")],
    identifiers={"account": "account"},
)
SOURCES = {"crm": CRM, "web": WEB}
pytestmark = pytest.mark.usefixtures("interpreted")
FIRST, SECOND, THIRD, FOURTH, FIFTH = (date(2026, 3, day) for day in range(1, 6))


def resolve(
    tables: DeltaTables, day: date, rules: IdentityRules = RULES, sources: Any = SOURCES
) -> StepResult:
    return resolving.resolve(tables, day, rules, sources)


def test_what_was_overtaken_stops_nobody_once_it_is_wanted_no_more(tables: DeltaTables) -> None:
    silver(tables, CRM, [{"contact": "a", "account": "a"}], FIRST)
    resolve(tables, FIRST)
    publish(tables, FIRST)
    refuse_overtaken(tables, "resolve")

    resolve(tables, SECOND, RULES.model_copy(update={"largest_cluster": 20}))
    overtake(tables)
    with pytest.raises(GenerationMoved, match="built on generation 1, but 2"):
        refuse_overtaken(tables, "resolve")

    assert resolve(tables, THIRD).status == "skipped"
    refuse_overtaken(tables, "resolve")


def history(tables: DeltaTables, generation: int) -> set[tuple[str, str, str | None]]:
    rows = tables.read("identity.history").where(f"generation = {generation}").collect()
    return {(row["event"], row["customer_id"], row["other_customer_id"]) for row in rows}


def touched(tables: DeltaTables) -> dict[str, str]:
    return {row["customer_id"]: row["change"] for row in tables.read("identity.touched").collect()}


def test_a_night_merges_splits_and_retires_without_losing_an_id(
    spark: SparkSession, tmp_path: Path
) -> None:
    tables = DeltaTables(spark, str(tmp_path / "lake"))
    fay = {"account": "F", "given_name": "Fay"}
    silver(
        tables,
        CRM,
        [
            {"contact": "1", "account": "A", "email": "ann@example.com", "given_name": "Ann"},
            {"contact": "2", "email": "bob@example.com", "phone": "+441", "given_name": "Bob"},
            {"contact": "3", "phone": "+441", "given_name": "Cleo"},
            {"contact": "4", "email": "none@example.com", "given_name": "Dan"},
            {"contact": "5", "email": "none@example.com", "given_name": "Eve"},
            *({"contact": at, **fay} for at in ("6", "7", "8")),
        ],
        FIRST,
    )
    silver(
        tables,
        WEB,
        [
            {"cookie": "k1"},
            {"cookie": "k1", "account": "A"},
            {"cookie": "k2"},
            {"cookie": "k2", "account": "A"},
            {"cookie": "k2", "account": "F"},
            {"path": "/"},
        ],
        FIRST,
    )
    result = resolve(tables, FIRST)
    first = customer_of(tables)

    assert result.counts["records_changed"] == 13
    assert result.counts["customers"] == len(set(first.values()))
    assert result.counts["customers_before"] == 0
    assert first["crm:1"] == first["web:account=A|cookie=k1"] == first["web:cookie=k1"]
    assert first["crm:2"] != first["crm:3"], "a family phone with two given names"
    assert first["crm:4"] != first["crm:5"], "a placeholder e-mail"
    assert first["crm:6"] == first["crm:7"] == first["crm:8"]
    assert list(first.values()).count(first["web:cookie=k2"]) == 1, "a cookie with two accounts"
    assert first["web:account=A|cookie=k2"] == first["crm:1"]
    assert first["web:account=F|cookie=k2"] == first["crm:6"]
    assert {event for event, *_ in history(tables, 1)} == {"assigned"}
    assert touched(tables) == dict.fromkeys(first.values(), "membership")

    assert resolve(tables, FIRST).details["reason"] == "was staged"
    publish(tables, FIRST)
    assert resolve(tables, SECOND).status == "skipped"

    silver(
        tables,
        CRM,
        [
            {"contact": "2", "account": "A", "given_name": "Bob"},
            {"contact": "3", "phone": "+441", "given_name": "Cleo", "deleted": True},
            {"contact": "4", "email": "none@example.com", "given_name": "Dan", "family_name": "D"},
            {"contact": "6", "account": "G", "given_name": "Fay"},
        ],
        SECOND,
    )
    silver(tables, WEB, [{"cookie": "k1"}], SECOND)
    result = resolve(tables, SECOND)
    second = customer_of(tables)
    ann, bob, cleo, dan, fay_id = (first[f"crm:{at}"] for at in "12346")

    survivor, lost = sorted((ann, bob))
    assert second["crm:1"] == second["crm:2"] == second["web:cookie=k1"] == survivor
    assert "crm:3" not in second
    assert second["crm:7"] == second["crm:8"] == fay_id, "the id stays with the largest part"
    assert second["crm:6"] not in first.values()
    assert history(tables, 2) == {
        ("merged", lost, survivor),
        ("retired", cleo, None),
        ("split", second["crm:6"], fay_id),
    }
    assert touched(tables) == {
        survivor: "membership",
        lost: "gone",
        cleo: "gone",
        dan: "data",
        fay_id: "membership",
        second["crm:6"]: "membership",
    }
    assert result.counts["customers_before"] == len(set(first.values()))
    assert result.counts["customers"] == len(set(second.values()))
    erased = tables.read("identity.records").where("record_id = 'crm:3'").collect()[0]
    assert (erased["is_active"], erased["identifiers"], erased["traits"]) == (False, [], {})
    reasons = {row["reason"] for row in tables.read("identity.review").collect()}
    assert reasons == {"blocked", "conflicting_traits"}
    review = tables.read("identity.review").where("identifier = 'phone'")
    assert not review.collect(), "the family phone is on one record now"


def test_an_event_that_is_corrected_leaves_the_record_that_had_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    tables = DeltaTables(spark, str(tmp_path / "lake"))
    orders = {"1": "A", "2": "B", "3": "B"}
    rows = [{"order": order, "account": account} for order, account in orders.items()]
    silver(tables, ORDERS, rows, FIRST)
    resolve(tables, FIRST, sources={"orders": ORDERS})
    publish(tables, FIRST)
    first = customer_of(tables)
    corrected = [{"order": "1", "account": "C"}, {"order": "2", "account": "C"}]
    silver(tables, ORDERS, corrected, SECOND)
    result = resolve(tables, SECOND, sources={"orders": ORDERS})
    second = customer_of(tables)
    assert result.details["mode"] == "incremental"
    assert set(second) == {"orders:account=B", "orders:account=C"}
    assert touched(tables) == {
        first["orders:account=A"]: "gone",
        first["orders:account=B"]: "data",
        second["orders:account=C"]: "membership",
    }


def test_a_source_that_is_declared_no_more_is_gone_after_one_build_of_everything(
    spark: SparkSession, tmp_path: Path
) -> None:
    tables = DeltaTables(spark, str(tmp_path / "lake"))
    silver(tables, ORDERS, [{"order": "1", "account": "A"}], FIRST)
    modes = []
    for day, sources in (
        (FIRST, {"crm": CRM, "orders": ORDERS}),
        (SECOND, SOURCES),
        (THIRD, SOURCES),
    ):
        silver(tables, CRM, [{"contact": str(day), "account": "A"}], day)
        modes.append(resolve(tables, day, sources=sources).details["mode"])
        publish(tables, day)
    assert modes == ["everything", "everything", "incremental"]
    assert set(customer_of(tables)) == {f"crm:{day}" for day in (FIRST, SECOND, THIRD)}


def test_an_event_of_an_earlier_day_that_comes_late_makes_its_record_older(
    spark: SparkSession, tmp_path: Path
) -> None:
    tables = DeltaTables(spark, str(tmp_path / "lake"))
    for night, day, order in ((FIRST, SECOND, "1"), (SECOND, FIRST, "2")):
        silver(tables, ORDERS, [{"order": order, "account": "A"}], day)
        resolve(tables, night, sources={"orders": ORDERS})
        publish(tables, night)
    [record] = tables.read("identity.records").collect()
    assert record["first_seen_on"] == FIRST


def test_whatever_befell_a_contact_between_two_nights_its_record_is_as_silver_ends(
    spark: SparkSession, tmp_path: Path
) -> None:
    tables = DeltaTables(spark, str(tmp_path / "lake"))

    def contact(name: str, email: str) -> dict[str, Any]:
        return {"contact": name, "email": f"{email}@example.com", "given_name": "Ann"}

    def lose(*names: str) -> None:
        tables.delete_slice("silver.crm", where={"contact": names})

    first = ("kept", "lost", "back", "again", "firm", "no_firm")
    silver(tables, CRM, [contact(name, "first") for name in first], FIRST)
    resolve(tables, FIRST, sources={"crm": CRM})
    publish(tables, FIRST)
    second = ("again", "new", "short", "firm", "new_firm")
    silver(tables, CRM, [contact(name, "second") for name in second], SECOND)
    silver(tables, CRM, [contact("no_firm", "second") | {"nobody": True}], SECOND)
    lose("lost", "back", "short")
    third = ("again", "back", "undone", "no_firm")
    silver(tables, CRM, [contact(name, "third") for name in third], THIRD)
    firms = [contact(name, "third") | {"nobody": True} for name in ("firm", "new_firm")]
    silver(tables, CRM, firms, THIRD)
    until = tables.version("silver.crm")
    silver(tables, CRM, [contact(name, "fourth") for name in ("kept", "new")], THIRD)
    tables.restore("silver.crm", until)
    lose("undone")
    result = resolve(tables, THIRD, sources={"crm": CRM})
    assert result.details["mode"] == "incremental"
    batch = DeltaTables(spark, str(tmp_path / "batch"))
    batch.append("silver.crm", tables.read("silver.crm"))
    resolve(batch, THIRD, sources={"crm": CRM})

    def alive(of: DeltaTables) -> dict[str, str]:
        rows = of.read("identity.records").where("is_active").collect()
        assert len({row["record_id"] for row in rows}) == len(rows)
        return {row["record_id"]: row["identifiers"][0]["value"] for row in rows}

    assert alive(tables) == alive(batch)
    assert alive(tables) == {
        "crm:kept": "first@example.com",
        "crm:back": "third@example.com",
        "crm:again": "third@example.com",
        "crm:new": "second@example.com",
        "crm:no_firm": "third@example.com",
    }
    assert parts(customer_of(tables)) == parts(customer_of(batch))


class Killed(Exception):
    """The process is gone."""


class KilledAt(DeltaTables):
    """Tables of which one is never written whole: the process dies before it commits."""

    table = ""
    commits = 0
    """To that table, before it dies."""

    def _die(self, table: str) -> None:
        if table != self.table:
            return
        if not self.commits:
            raise Killed
        self.commits -= 1

    def append(self, table: str, rows: Any) -> int:
        self._die(table)
        return super().append(table, rows)

    def merge(self, table: str, rows: Any, **options: Any) -> int:
        self._die(table)
        return super().merge(table, rows, **options)


class Worlds:
    """Small random populations side by side, each night a little different."""

    def __init__(self, count: int) -> None:
        self.random = Random(41)
        self.count = count
        self.contacts: dict[str, dict[str, Any]] = {}
        self.hits: set[tuple[str | None, str | None]] = set()

    def night(self, share: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The rows that arrive: new, changed and deleted contacts, and hits."""
        draw = self.random
        contacts, hits = {}, []
        for world in range(self.count):
            for at in range(6):
                if draw.random() < share:
                    contact = f"{world}-{at}"
                    contacts[contact] = {
                        "contact": contact,
                        "account": draw.choice([None, f"{world}A", f"{world}B", f"{world}C"]),
                        "email": draw.choice([None, f"{world}a@example.com", "none@example.com"]),
                        "phone": draw.choice([None, f"{world}1", f"{world}2"]),
                        "given_name": draw.choice([None, "Bob", "Cleo"]),
                        "deleted": draw.random() < 0.15,
                    }
            for _ in range(3):
                if draw.random() < share:
                    cookie = draw.choice([f"{world}k", f"{world}l", "000"])
                    account = draw.choice([None, None, f"{world}A", f"{world}B"])
                    hits.append({"cookie": cookie, "account": account})
        self.contacts |= contacts
        self.hits |= {(hit["cookie"], hit["account"]) for hit in hits}
        return list(contacts.values()), hits

    def known(self) -> list[Known]:
        """All records as they are now."""
        names = ("account", "email", "phone")
        found = [
            Known(
                record_id=f"crm:{contact}",
                identifiers={name: row[name] for name in names if row[name]},
                traits={"given_name": row["given_name"]} if row["given_name"] else {},
                is_active=not row["deleted"],
            )
            for contact, row in self.contacts.items()
        ]
        for cookie, account in self.hits:
            pairs = {"account": account, "cookie": cookie}
            named = {name: value for name, value in pairs.items() if value}
            key = "|".join(f"{name}={value}" for name, value in named.items())
            found.append(Known(record_id=f"web:{key}", identifiers=named))
        return found


def parts(customers: Mapping[str, str]) -> set[frozenset[str]]:
    held: dict[str, set[str]] = defaultdict(set)
    for record, customer in customers.items():
        held[customer].add(record)
    return {frozenset(records) for records in held.values()}


def test_a_table_of_silver_that_was_made_anew_is_read_whole_and_everybody_keeps_their_id(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Its versions begin again, so that the number alone says that nothing has changed."""
    tables = DeltaTables(spark, str(tmp_path / "lake"))
    ann, bob, cid = ({"contact": each, "account": each} for each in "abc")
    for day, person in ((FIRST, ann), (SECOND, bob)):
        silver(tables, CRM, [person], day)
        resolve(tables, day)
        publish(tables, day)
    before, version = customer_of(tables), tables.version("silver.crm")

    shutil.rmtree(tables.location("silver.crm"))
    forget_logs(spark)
    silver(tables, CRM, [ann, bob], THIRD)
    silver(tables, CRM, [cid], THIRD)
    assert tables.version("silver.crm") == version

    assert resolve(tables, THIRD).details["mode"] == "everything"
    after = customer_of(tables)
    assert set(after) == {"crm:a", "crm:b", "crm:c"}
    assert {record: after[record] for record in before} == before
    publish(tables, THIRD)
    assert resolve(tables, FOURTH).status == "skipped"


@pytest.mark.parametrize("since", [0, 1, 2])
def test_a_table_of_silver_from_a_backup_is_read_whole(
    spark: SparkSession, tmp_path: Path, since: int
) -> None:
    """It is the same table, at an earlier version than that which the generation was built from, or
    has come to that version once more, or beyond it.
    """
    tables = DeltaTables(spark, str(tmp_path / "lake"))
    ann, bob = ({"contact": each, "account": each} for each in "ab")
    silver(tables, CRM, [ann], FIRST)
    place, backup = tables.location("silver.crm"), tmp_path / "backup"
    shutil.copytree(place, backup)
    silver(tables, CRM, [bob], SECOND)
    resolve(tables, SECOND)
    publish(tables, SECOND)
    before = customer_of(tables)

    shutil.rmtree(place)
    shutil.copytree(backup, place)
    forget_logs(spark)
    for name in "cd"[:since]:
        silver(tables, CRM, [{"contact": name, "account": name}], THIRD)
    assert resolve(tables, THIRD).details["mode"] == "everything"
    after = customer_of(tables)
    assert set(after) == {"crm:a", *(f"crm:{name}" for name in "cd"[:since])}
    assert after["crm:a"] == before["crm:a"]


@pytest.mark.slow
def test_nights_give_what_a_batch_gives_and_a_crash_changes_no_id(
    spark: SparkSession, tmp_path: Path
) -> None:
    tables = DeltaTables(spark, str(tmp_path / "nights"))
    worlds = Worlds(40)
    before: dict[str, str] = {}
    since: dict[str, str] = {}
    for day, share in ((FIRST, 0.7), (SECOND, 0.25), (THIRD, 0.15)):
        contacts, hits = worlds.night(share)
        silver(tables, CRM, contacts, day)
        silver(tables, WEB, hits, day)
        result = resolve(tables, day)
        assert result.details["mode"] == ("everything" if day == FIRST else "incremental")
        now = customer_of(tables)
        assert parts(now) == partition(worlds.known(), RULES)
        kept = survivors(before, since, parts(now))
        for part in parts(now):
            customer = now[min(part)]
            assert customer == kept[part] if part in kept else customer not in since
            since.setdefault(customer, day.isoformat())
        before = now
        if day != THIRD:
            publish(tables, day)
    events = history(tables, 3)
    assert {event for event, *_ in events} >= {"assigned", "merged", "split", "retired"}

    # The audit refused the third generation; the next try is killed between two commits.
    killed = KilledAt(spark, str(tmp_path / "nights"))
    for killed.table, killed.commits in (("identity.customers", 0), ("identity.edges", 1)):
        with pytest.raises(Killed):
            resolve(killed, FOURTH)
    resolve(tables, FOURTH)
    assert customer_of(tables) == before
    assert history(tables, 3) == events
    publish(tables, FOURTH)

    # Rules that change rebuild everything, and no id changes that need not.
    looser = RULES.model_copy(update={"largest_cluster": 7})
    result = resolve(tables, FIFTH, rules=looser)
    assert result.details["mode"] == "everything"
    rebuilt = customer_of(tables)
    assert parts(rebuilt) == partition(worlds.known(), looser)
    same = parts(rebuilt) & parts(before)
    assert all(rebuilt[min(part)] == before[min(part)] for part in same)

    batch = DeltaTables(spark, str(tmp_path / "batch"))
    for source in SOURCES.values():
        table = f"silver.{source.source}"
        batch.append(table, tables.read(table))
    resolve(batch, FIFTH)
    assert parts(customer_of(batch)) == parts(before)
