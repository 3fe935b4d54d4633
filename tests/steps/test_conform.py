"""Conform: what reaches silver, what is set aside, and why a rerun changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pyspark.sql import functions as F

from goldenlake.declarations.source import Source
from goldenlake.errors import CountMismatch
from goldenlake.io.tables import DeltaTables
from goldenlake.schemas import CONFORMED, QUARANTINE, SILVER_COLUMNS
from goldenlake.steps.collect import replay
from goldenlake.steps.files import record_files
from support.bronze import LANDED_ON, ingested, source_of
from support.conforming import DAY, Rows, conform, silver

CORRECTED = r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(_v(?P<version>\d+))?\.csv"


def set_aside(tables: DeltaTables, source: Source) -> dict[int, tuple[str, ...]]:
    rows = tables.read(f"quarantine.{source.source}").collect()
    return {row["_record"]: tuple(row["rules"]) for row in rows}


CONTACTS = source_of(
    load="increment",
    key=["id"],
    order_by=["updated"],
    columns=[
        {"name": "id", "normalise": "code", "required": True},
        {"name": "email", "normalise": "email", "personal": "contact"},
        {"name": "phone", "normalise": "phone", "personal": "contact"},
        {"name": "country", "normalise": "country"},
        {"name": "name", "normalise": "person_name", "personal": "contact"},
        {"name": "age", "type": "integer"},
        {"name": "updated", "type": "timestamp"},
        {"name": "is_adult", "type": "boolean", "derive": "age >= 18"},
    ],
    region_from="country",
    attributes={"given_name": "name"},
    identifiers={"email": "email"},
    rules=[
        {"rule": "between", "column": "age", "least": 0, "most": 120, "reason": "people's ages"},
        {
            "rule": "holds",
            "name": "reachable",
            "expression": "email is not null or phone is not null",
            "severity": "warning",
            "reason": "else nobody can be written to",
        },
    ],
)


def test_rows_are_typed_normalised_judged_and_counted_in_one_run(tables: DeltaTables) -> None:
    rows: Rows = [
        {
            "id": " c1", "email": "Anna@Example.com ", "phone": "0151 23456789",
            "country": "Deutschland", "name": "ANNA  O'BRIEN", "age": "41.0",
            "updated": "2026-03-01 10:00:00",
        },
        {"id": "c2", "email": "none", "phone": "1.2E+11", "name": "N/A", "age": "17"},
        {"id": "c3", "age": "old"},
        {"id": None, "age": "150", "email": "bob@example.com"},
    ]  # fmt: skip
    file = ingested(tables, CONTACTS, "a.csv", rows)

    [done] = conform(tables, CONTACTS, file)

    columns = ["record_id", "email", "phone", "country", "name", "age", "is_adult"]
    assert silver(tables, CONTACTS, *columns) == [
        ("crm:C1", "anna@example.com", "+4915123456789", "DE", "Anna O'Brien", 41, True),
        ("crm:C2", None, None, None, None, 17, False),
    ]  # fmt: skip
    assert set_aside(tables, CONTACTS) == {
        3: ("castable_age",),
        4: ("required_id", "between_age"),
    }
    assert (done.status, done.records_read, done.records_accepted, done.records_quarantined) == (
        CONFORMED, 4, 2, 2,
    )  # fmt: skip
    assert done.reasons == {"castable_age": 1, "required_id": 1, "between_age": 1}


def test_a_row_from_the_future_does_not_become_the_newest_for_ever(tables: DeltaTables) -> None:
    two_days = [{"id": "c1", "age": "20", "updated": "2026-03-03 23:59:59"}]
    [first] = conform(tables, CONTACTS, ingested(tables, CONTACTS, "a.csv", two_days))
    wrong = [{"id": "c1", "age": "30", "updated": "9999-12-31 00:00:00"}]
    [second] = conform(tables, CONTACTS, ingested(tables, CONTACTS, "b.csv", wrong))
    later = [{"id": "c1", "age": "40", "updated": "2026-03-04 00:00:00"}]
    conform(tables, CONTACTS, ingested(tables, CONTACTS, "c.csv", later, file_on=DAY[5]))

    assert (first.records_quarantined, second.reasons) == (0, {"future_updated": 1})
    assert silver(tables, CONTACTS, "record_id", "age") == [("crm:C1", 40)]


def test_what_happens_long_after_its_file_came_is_set_aside_where_it_is_meant_at_all(
    tables: DeltaTables,
) -> None:
    sales = source_of(
        load="increment",
        key=["order"],
        columns=[
            {"name": "order"},
            {"name": "stage"},
            {"name": "sold_at", "type": "timestamp"},
            *({"name": name} for name in ("item", "quantity", "price")),
        ],
        purchases={
            "at": "sold_at",
            "order": "order",
            "item": "item",
            "quantity": "quantity",
            "unit_price": "price",
            "channel": "erp",
            "only": "stage = 'won'",
        },
    )
    rows: Rows = [
        {"order": "1", "stage": "won", "sold_at": "2062-03-01 10:00:00"},
        {"order": "2", "stage": "won", "sold_at": "2026-03-01 10:00:00"},
        {"order": "3", "stage": "open", "sold_at": "2062-03-01 10:00:00"},
        {"order": "4", "stage": None, "sold_at": "2062-03-01 10:00:00"},
    ]
    [done] = conform(tables, sales, ingested(tables, sales, "a.csv", rows))

    assert done.reasons == {"future_sold_at": 1}
    assert silver(tables, sales, "order") == [("2",), ("3",), ("4",)]


def test_silver_has_our_columns_in_front_and_says_what_is_doubtful(tables: DeltaTables) -> None:
    file = ingested(tables, CONTACTS, "a.csv", [{"id": "c1", "email": "none", "phone": "12"}])
    conform(tables, CONTACTS, file)

    table = tables.read("silver.crm")
    ours = [part.split()[0] for part in SILVER_COLUMNS.split(", ")]
    assert table.columns == ours + CONTACTS.column_names
    [row] = table.collect()
    assert row["_warnings"] == ["recognised_email", "recognised_phone", "reachable"]
    assert (row["_is_deleted"], row["_file_on"], row["_record"], row["_run"]) == (
        False, LANDED_ON, 1, "r1",
    )  # fmt: skip


def test_the_quarantined_row_is_kept_as_it_came(tables: DeltaTables) -> None:
    came = {"id": "c3", "age": "old", "name": "  Ünal ", "email": None}
    conform(tables, CONTACTS, ingested(tables, CONTACTS, "a.csv", [came]))

    [row] = tables.read("quarantine.crm").collect()
    assert json.loads(row["row"]) == {k: v for k, v in came.items() if v}
    assert (row["stage"], row["_run"], row["_landed_on"]) == ("contract", "r1", LANDED_ON)


def test_replaying_a_file_doubles_nothing_and_takes_a_mended_contract(tables: DeltaTables) -> None:
    rows: Rows = [{"id": "c1", "age": "20"}, {"id": "c2", "age": "200"}]
    file = ingested(tables, CONTACTS, "a.csv", rows)
    first = conform(tables, CONTACTS, file)
    before = silver(tables, CONTACTS, "id", "age"), set_aside(tables, CONTACTS)
    assert conform(tables, CONTACTS, file) == first
    assert (silver(tables, CONTACTS, "id", "age"), set_aside(tables, CONTACTS)) == before

    lenient = CONTACTS.model_copy(update={"rules": []})
    [done] = conform(tables, lenient, file)

    assert silver(tables, CONTACTS, "id", "age") == [("C1", 20), ("C2", 200)]
    assert set_aside(tables, CONTACTS) == {}
    assert (done.records_accepted, done.records_quarantined, done.reasons) == (2, 0, {})


def test_what_a_rule_refuses_now_leaves_silver_when_all_files_are_read_again(
    tables: DeltaTables,
) -> None:
    lenient = CONTACTS.model_copy(update={"rules": []})
    of_day: list[Rows] = [
        [{"id": "c1", "age": "20"}, {"id": "c2", "age": "30"}],
        [{"id": "c2", "age": "200"}, {"id": "c3", "age": "300"}],
    ]
    for day, rows in enumerate(of_day):
        conform(tables, lenient, ingested(tables, lenient, f"{day}", rows, file_on=DAY[day]))
    assert silver(tables, lenient, "id", "age") == [("C1", 20), ("C2", 200), ("C3", 300)]

    files = replay(tables, "crm", run_id="r2", everything=True)
    conform(tables, CONTACTS, *files)

    assert silver(tables, CONTACTS, "id", "age") == [("C1", 20), ("C2", 30)]
    assert set_aside(tables, CONTACTS) == {1: ("between_age",), 2: ("between_age",)}


def test_times_that_a_mended_contract_sets_back_count_when_all_files_are_read_again(
    tables: DeltaTables,
) -> None:
    months_first, days_first = (
        source_of(
            load="increment",
            key=["id"],
            order_by=["updated"],
            columns=[
                {"name": "id"},
                {"name": "age", "type": "integer"},
                {"name": "updated", "type": "date", "formats": [wanted]},
            ],
        )
        for wanted in ("MM/dd/yyyy", "dd/MM/yyyy")
    )
    for day, (age, updated) in enumerate((("20", "05/02/2025"), ("30", "03/03/2025"))):
        rows: Rows = [{"id": "c1", "age": age, "updated": updated}]
        file = ingested(tables, months_first, f"{day}", rows, file_on=DAY[day])
        conform(tables, months_first, file)
    assert silver(tables, months_first, "age") == [(20,)]

    conform(tables, days_first, *replay(tables, "crm", run_id="r2", everything=True))
    assert silver(tables, days_first, "age") == [(30,)]


def test_of_a_part_of_the_files_nothing_leaves_silver_for_which_the_others_may_have_a_row(
    tables: DeltaTables,
) -> None:
    lenient = CONTACTS.model_copy(update={"rules": []})
    for day, age in enumerate(("30", "200")):
        rows: Rows = [{"id": "c2", "age": age}]
        conform(tables, lenient, ingested(tables, lenient, f"{day}", rows, file_on=DAY[day]))
    one, other = replay(tables, "crm", run_id="r2", everything=True)
    record_files(tables, [replace(one, status=CONFORMED)])
    conform(tables, CONTACTS, other)
    assert silver(tables, CONTACTS, "id", "age") == [("C2", 200)]


def test_records_that_went_missing_on_the_way_stop_the_source(tables: DeltaTables) -> None:
    file = ingested(tables, CONTACTS, "a.csv", [{"id": "c1"}], read=2)
    with pytest.raises(CountMismatch) as raised:
        conform(tables, CONTACTS, file)
    assert (raised.value.read, raised.value.accepted, raised.value.quarantined) == (2, 1, 0)
    assert not tables.exists("silver.crm")


def test_records_that_could_not_be_read_count_as_quarantined(tables: DeltaTables) -> None:
    file = ingested(tables, CONTACTS, "a.csv", [{"id": "c1"}], read=2)
    unread = [(file.file_id, 2, LANDED_ON, "read", ["too_few_fields"], "x", "r0")]
    frame = tables.spark.createDataFrame(unread, QUARANTINE.ddl)
    tables.append("quarantine.crm", frame)

    [done] = conform(tables, CONTACTS, file)

    assert (done.records_accepted, done.records_quarantined) == (1, 1)
    assert done.reasons == {"too_few_fields": 1}


@pytest.mark.fault("late and reordered files")
@pytest.mark.parametrize("arrival", [(1, 2, 0), (2, 0, 1)])
def test_of_increments_the_newest_row_wins_in_whatever_order_files_arrive(
    tables: DeltaTables, arrival: tuple[int, ...]
) -> None:
    drops: list[Rows] = [
        [{"id": "c1", "age": "1", "updated": "2026-03-01"}, {"id": "c2", "age": "1"}],
        [{"id": "c1", "age": "3", "updated": "2026-03-03"}, {"id": "c3", "age": "2"}],
        [{"id": "c1", "age": "2", "updated": "2026-03-02"}, {"id": "c2", "age": "9"}],
    ]
    files = [
        ingested(tables, CONTACTS, f"{n}.csv", rows, file_on=DAY[n]) for n, rows in enumerate(drops)
    ]
    conform(tables, CONTACTS, files[arrival[0]])
    conform(tables, CONTACTS, files[arrival[1]], files[arrival[2]])

    assert silver(tables, CONTACTS, "id", "age", "_file_on") == [
        ("C1", 3, DAY[1]), ("C2", 9, DAY[2]), ("C3", 2, DAY[1]),
    ]  # fmt: skip


def test_a_corrected_file_of_the_same_day_wins_whatever_its_content_hashes_to(
    tables: DeltaTables,
) -> None:
    tills = source_of(
        load="increment",
        key=["id"],
        columns=[{"name": "id"}, {"name": "price"}],
        origin={
            "place": "drops",
            "files": "*.csv",
            "file_date": CORRECTED,
        },
    )
    names = ["20260301.csv", "20260301_v2.csv", "20260301_v10.csv"]
    files = [
        ingested(tables, tills, name, [{"id": "1", "price": name}], file_on=LANDED_ON)
        for name in names
    ]
    conform(tables, tills, files[2], files[0])
    conform(tables, tills, files[1])
    assert silver(tables, tills, "price") == [("20260301_v10.csv",)]


def corrected_desk(load: str) -> Source:
    """Phones with the time of their last change, in files that are corrected."""
    return source_of(
        load=load,
        key=["id"],
        order_by=["updated"],
        columns=[
            {"name": "id"},
            {"name": "phone"},
            {"name": "updated", "type": "timestamp", "required": True},
        ],
        origin={"place": "drops", "files": "*.csv", "file_date": CORRECTED},
    )


@pytest.mark.fault("late and reordered files")
@pytest.mark.parametrize("load", ["increment", "snapshot"])
@pytest.mark.parametrize("arrival", ["54321", "3 1 52 4"])
def test_of_rows_that_say_the_same_time_the_newer_day_decides_before_the_version(
    tables: DeltaTables, arrival: str, load: str
) -> None:
    desk = corrected_desk(load)
    said = [
        ("20260301_v2", DAY[0], {"a": "1", "b": "2", "c": "3"}),
        ("20260302", DAY[1], {"a": "4", "b": "5"}),
        ("20260302_v10", DAY[1], {"a": "7", "b": "8"}),
        ("20260302_v9", DAY[1], {"a": "9", "b": "6"}),
        ("20260303", DAY[2], {"a": "0"}),
    ]
    files = [
        ingested(
            tables,
            desk,
            f"{name}.csv",
            [{"id": id, "phone": phone, "updated": "2026-02-01"} for id, phone in rows.items()],
            file_on=on,
        )
        for name, on, rows in said
    ]
    snapshots = desk.model_copy(
        update={"snapshot": desk.snapshot.model_copy(update={"least_share": 0})}
    )
    for run in arrival.split():
        conform(tables, snapshots, *(files[int(at) - 1] for at in run))
    assert silver(tables, desk, "id", "phone") == [("a", "0"), ("b", "8"), ("c", "3")]


@pytest.mark.parametrize("load", ["increment", "snapshot"])
def test_what_an_earlier_version_added_to_a_time_for_a_correction_decides_nothing(
    tables: DeltaTables, load: str
) -> None:
    desk = corrected_desk(load)
    old, new = (
        ingested(
            tables,
            desk,
            name,
            [{"id": "a", "phone": name, "updated": "2026-02-01"}],
            file_on=DAY[at],
        )
        for at, name in enumerate(["20260301_v2.csv", "20260302.csv"])
    )
    conform(tables, desk, old)
    rows = tables.read("silver.crm")
    later = rows.withColumn("_observed_at", F.expr("_observed_at + INTERVAL 2 MICROSECONDS"))
    tables.merge("silver.crm", later.localCheckpoint(), on=["id"])
    conform(tables, desk, new)
    assert silver(tables, desk, "phone") == [("20260302.csv",)]


def test_people_who_are_no_people_have_no_record(tables: DeltaTables) -> None:
    firms = CONTACTS.model_copy(update={"people": "name <> 'Acme'"})
    rows: Rows = [{"id": "c1", "name": "Acme"}, {"id": "c2", "name": "Anna"}, {"id": "c3"}]
    conform(tables, firms, ingested(tables, firms, "a.csv", rows))
    assert [r for _, r in silver(tables, firms, "id", "record_id")] == [None, "crm:C2", None]
