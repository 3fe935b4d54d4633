"""Conform: what reaches silver, what is set aside, and why a rerun changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import pytest
from pyspark.sql import functions as F

from goldenlake.declarations.source import Source
from goldenlake.errors import CountMismatch, SetupError
from goldenlake.io.tables import DeltaTables
from goldenlake.schemas import BROKEN, CONFORMED, QUARANTINE, SILVER_COLUMNS
from goldenlake.steps.conform import Conform
from goldenlake.steps.files import FileRow, record_files
from goldenlake.steps.silver import SilverWriter
from support.bronze import LANDED_ON, ingested, source_of

Rows = Sequence[Mapping[str, str | None]]
DAY = [LANDED_ON + timedelta(days=n) for n in range(10)]


def conform(tables: DeltaTables, source: Source, *files: FileRow) -> list[FileRow]:
    """Conform files in one run, and record them as the caller does."""
    step = Conform(source=source, as_of=date(2026, 3, 9), run_id="r1")
    done = step.run(tables, files, lambda _: None)
    record_files(tables, done)
    return done


def silver(tables: DeltaTables, source: Source, *columns: str) -> list[tuple]:
    return sorted(
        tuple(r) for r in tables.read(f"silver.{source.source}").select(*columns).collect()
    )


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
            "file_date": r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(_v(?P<version>\d+))?\.csv",
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


PEOPLE = source_of(
    load="snapshot",
    key=["id"],
    order_by=["updated"],
    snapshot={"least_share": 0.5},
    columns=[{"name": "id"}, {"name": "name"}, {"name": "updated", "type": "timestamp"}],
    attributes={"given_name": "name"},
)


def snapshot(tables: DeltaTables, day: int, rows: str, source: Source = PEOPLE) -> FileRow:
    """``rows`` is like ``a1 b2``: key a with value 1, and so on, updated on that day of March."""
    listed = [{"id": r[0], "name": r[1], "updated": f"2026-03-0{r[1]}"} for r in rows.split()]
    return ingested(tables, source, f"{day}.csv", listed, file_on=DAY[day])


def alive(tables: DeltaTables, source: Source = PEOPLE) -> str:
    found = silver(tables, source, "id", "name", "_is_deleted")
    return " ".join(f"{key}{name}{'-' if gone else ''}" for key, name, gone in found)


def test_a_record_that_leaves_the_snapshot_is_flagged_and_comes_back_when_it_returns(
    tables: DeltaTables,
) -> None:
    conform(tables, PEOPLE, snapshot(tables, 0, "a1 b1 c1"))
    conform(tables, PEOPLE, snapshot(tables, 1, "a2 c1"))
    assert alive(tables) == "a2 b1- c1"
    conform(tables, PEOPLE, snapshot(tables, 2, "a2 b1 c1"))
    assert alive(tables) == "a2 b1 c1"


def test_rows_that_a_snapshot_repeats_do_not_look_changed(tables: DeltaTables) -> None:
    conform(tables, PEOPLE, snapshot(tables, 0, "a1 b1 c1"))
    before = tables.version("silver.crm")
    conform(tables, PEOPLE, snapshot(tables, 1, "a1 b2 d1"))
    changes = tables.changes("silver.crm", after=before, to=tables.version("silver.crm") or 0)
    assert {row["id"] for row in changes.collect()} == {"b", "c", "d"}


@pytest.mark.parametrize("arrival", [(2, 0, 1), (0, 2, 1)])
def test_late_snapshots_neither_delete_nor_overwrite(
    tables: DeltaTables, arrival: tuple[int, ...]
) -> None:
    drops = ["a1 b1 c1 d1", "a1 b2 d1 e2", "a3 b2 d1"]
    files = [snapshot(tables, n, rows) for n, rows in enumerate(drops)]
    for n in arrival:
        conform(tables, PEOPLE, files[n])
    assert alive(tables) == "a3 b2 c1- d1 e2-"


def test_a_backlog_of_snapshots_in_one_run_is_as_good_as_one_a_night(tables: DeltaTables) -> None:
    drops = ["a1 b1 c1 d1", "a1 b2 d1 e2", "a3 b2 d1"]
    files = [snapshot(tables, n, rows) for n, rows in enumerate(drops)]
    conform(tables, PEOPLE, files[1], files[2], files[0])
    assert alive(tables) == "a3 b2 c1- d1 e2-"


def test_without_order_by_the_newest_snapshot_is_right_about_every_record(
    tables: DeltaTables,
) -> None:
    plain = source_of(
        load="snapshot", key=["id"], columns=[{"name": "id"}, {"name": "name"}],
        snapshot={"least_share": 0},
    )  # fmt: skip
    files = [snapshot(tables, n, rows, plain) for n, rows in enumerate(["a2 b1", "a1 b2 c7", "a2"])]
    for n in (0, 2, 1):
        conform(tables, plain, files[n])
    assert alive(tables, plain) == "a2 b2- c7-"


def test_a_snapshot_that_shrank_is_refused_and_changes_nothing(tables: DeltaTables) -> None:
    conform(tables, PEOPLE, snapshot(tables, 0, "a1 b1 c1 d1"))
    before = tables.version("silver.crm")

    [done] = conform(tables, PEOPLE, snapshot(tables, 1, "a1"))

    assert done.status == BROKEN
    assert "1 records, 4 were there before" in (done.error or "")
    assert tables.version("silver.crm") == before
    [good] = conform(tables, PEOPLE, snapshot(tables, 2, "a1 b1 d1"))
    assert (good.status, alive(tables)) == (CONFORMED, "a1 b1 c1- d1")


def test_missing_records_stay_where_the_source_says_keep(tables: DeltaTables) -> None:
    keeping = PEOPLE.model_copy(
        update={"snapshot": PEOPLE.snapshot.model_copy(update={"missing": "keep"})}
    )
    conform(tables, keeping, snapshot(tables, 0, "a1 b1", keeping))
    conform(tables, keeping, snapshot(tables, 1, "a1", keeping))
    assert alive(tables) == "a1 b1"


VISITS = source_of(
    source="web",
    load="append",
    columns=[
        {"name": "host"},
        {"name": "cookie", "personal": "pseudonym"},
        {"name": "agent"},
        {"name": "at", "type": "timestamp", "formats": ["epoch"], "required": True},
    ],
    identifiers={"cookie": "cookie"},
    sessions={"by": ["host", "cookie"], "at": "at"},
    bots={"user_agent": "agent"},
)


def hits(*minutes: int, host: str = "h", agent: str = "Mozilla/5.0") -> list[dict[str, str]]:
    return [
        {"host": host, "cookie": f"k-{host}", "agent": agent, "at": str(1_700_000_000 + 60 * m)}
        for m in minutes
    ]


def sessions_of(tables: DeltaTables) -> list[tuple[int, ...]]:
    """Minutes of the events of each session."""
    found: dict[str, list[int]] = {}
    rows = tables.read("silver.web").select("session_id", F.unix_seconds("at").alias("s")).collect()
    for row in rows:
        found.setdefault(row["session_id"], []).append((row["s"] - 1_700_000_000) // 60)
    return sorted(tuple(sorted(minutes)) for minutes in found.values())


def test_visits_go_on_across_files_and_a_bridge_that_comes_late_joins_two(
    tables: DeltaTables,
) -> None:
    cut = [hits(0, 10), hits(35, 90), hits(100, 60)]
    files = [ingested(tables, VISITS, f"{n}.log", rows) for n, rows in enumerate(cut)]
    conform(tables, VISITS, files[0])
    conform(tables, VISITS, files[1])
    assert sessions_of(tables) == [(0, 10, 35), (90,)]
    conform(tables, VISITS, files[2])
    assert sessions_of(tables) == [(0, 10, 35, 60, 90, 100)]


@pytest.mark.parametrize("arrival", [(2, 1, 0), (1, 2, 0)])
def test_visits_are_the_same_however_files_are_cut_and_whenever_they_come(
    tables: DeltaTables, arrival: tuple[int, ...]
) -> None:
    cut = [hits(0, 200, 31) + hits(3, host="g"), hits(61, 62, 170), hits(120, 30, 230)]
    files = [ingested(tables, VISITS, f"{n}.log", rows) for n, rows in enumerate(cut)]
    for n in arrival:
        conform(tables, VISITS, files[n])
    assert sessions_of(tables) == [(0, 30, 31, 61, 62), (3,), (120,), (170, 200, 230)]


def test_a_replay_that_takes_events_out_of_a_visit_cuts_it_again(tables: DeltaTables) -> None:
    bridge = ingested(tables, VISITS, "bridge.log", hits(25))
    conform(tables, VISITS, ingested(tables, VISITS, "a.log", hits(0, 50)))
    conform(tables, VISITS, bridge)
    assert sessions_of(tables) == [(0, 25, 50)]
    strict = VISITS.model_copy(
        update={
            "rules": source_of(
                load="append", columns=[{"name": "at"}],
                rules=[{"rule": "holds", "expression": "false", "reason": "test"}],
            ).rules
        }
    )  # fmt: skip
    conform(tables, strict, bridge)
    assert sessions_of(tables) == [(0,), (50,)]


def test_bots_are_flagged_and_name_nobody(tables: DeltaTables) -> None:
    rows = hits(0) + hits(1, agent="Googlebot/2.1 (+http://www.google.com/bot.html)")
    rows += [{**hits(2)[0], "cookie": None, "agent": None}]  # type: ignore[dict-item]
    conform(tables, VISITS, ingested(tables, VISITS, "a.log", rows))

    found = silver(tables, VISITS, "_record", "is_bot", "record_id")
    assert [(flag, name is None) for _, flag, name in found] == [
        (False, False), (True, True), (False, True),
    ]  # fmt: skip
    assert found[0][2].startswith("web:")
    assert len(found[0][2]) == len("web:") + 24


def test_replaying_events_replaces_the_slice_of_their_file(tables: DeltaTables) -> None:
    files = [ingested(tables, VISITS, f"{n}.log", hits(n, n)) for n in (0, 1)]
    conform(tables, VISITS, *files)
    before = silver(tables, VISITS, "_file_id", "_record", "session_id")
    assert len(before) == 4
    conform(tables, VISITS, files[0])
    assert silver(tables, VISITS, "_file_id", "_record", "session_id") == before


def test_equal_events_under_a_key_are_one_even_across_files_and_count_as_accepted(
    tables: DeltaTables,
) -> None:
    clicks = source_of(
        load="append", key=["id"], order_by=["at"],
        columns=[{"name": "id"}, {"name": "at", "type": "timestamp"}, {"name": "what"}],
    )  # fmt: skip
    one = {"id": "1", "at": "2026-03-01 10:00:00", "what": "open"}
    other = {**one, "what": None}
    first = ingested(tables, clicks, "a.csv", [one, one, other])
    second = ingested(tables, clicks, "b.csv", [one, other, {**one, "id": "2"}])
    [a] = conform(tables, clicks, first)
    [b] = conform(tables, clicks, second)
    assert (a.records_accepted, b.records_accepted) == (3, 3)
    assert sorted(key for (key,) in silver(tables, clicks, "id")) == ["1", "1", "2"]


def test_people_who_are_no_people_have_no_record(tables: DeltaTables) -> None:
    firms = CONTACTS.model_copy(update={"people": "name <> 'Acme'"})
    rows: Rows = [{"id": "c1", "name": "Acme"}, {"id": "c2", "name": "Anna"}, {"id": "c3"}]
    conform(tables, firms, ingested(tables, firms, "a.csv", rows))
    assert [r for _, r in silver(tables, firms, "id", "record_id")] == [None, "crm:C2", None]


def test_a_new_column_of_the_contract_is_added_to_silver(tables: DeltaTables) -> None:
    conform(tables, PEOPLE, snapshot(tables, 0, "a1 b1"))
    wider = PEOPLE.model_copy(
        update={
            "columns": [*PEOPLE.columns, PEOPLE.column("name").model_copy(update={"name": "tel"})]
        }
    )
    rows: Rows = [{"id": "a", "name": "1", "updated": "2026-03-01", "tel": "x"}, {"id": "b"}]
    conform(tables, wider, ingested(tables, wider, "wide.csv", rows, file_on=DAY[1]))
    assert [tel for _, tel in silver(tables, wider, "id", "tel")] == ["x", None]


def test_visits_are_refused_for_a_source_that_replaces_its_rows(tables: DeltaTables) -> None:
    keyed = VISITS.model_copy(update={"load": "increment", "key": ["host"]})
    with pytest.raises(SetupError, match="append sources only"):
        SilverWriter(source=keyed, tables=tables)
