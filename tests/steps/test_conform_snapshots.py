"""Conform, of sources that send all their records every time: who left, who came back."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from pyspark.sql import functions as F

from goldenlake.columns.traces import pseudonym
from goldenlake.declarations.source import Source
from goldenlake.io.landing import LocalLanding
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import Tables
from goldenlake.schemas import BROKEN, CONFORMED
from goldenlake.steps.collect import replay
from goldenlake.steps.files import FileRow, read_files, record_files
from goldenlake.steps.forget import forget_again
from goldenlake.steps.silver import SilverWriter
from goldenlake.steps.tombstones import RECORD, RULE, Erased
from support.bronze import ingested, source_of
from support.conforming import DAY, Rows, conform, silver

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


@pytest.mark.parametrize("runs", [[(0, 1)], [(0,), (1,)], [(1,), (0,)]], ids=str)
def test_of_two_snapshots_of_one_day_the_one_written_later_is_the_truth(
    tables: DeltaTables, runs: list[tuple[int, ...]]
) -> None:
    undated = source_of(
        load="snapshot", key=["id"], columns=[{"name": "id"}, {"name": "name"}],
        snapshot={"least_share": 0},
    )  # fmt: skip
    morning, evening = (
        replace(
            ingested(tables, undated, name, [{"id": r[0], "name": r[1]} for r in rows.split()]),
            modified_at=datetime(2026, 3, 1, hour, tzinfo=UTC),
        )
        for name, rows, hour in (("a.csv", "a1 b1", 9), ("b.csv", "a2 c2", 18))
    )
    assert morning.file_id > evening.file_id, "or ids would happen to tell the right order"
    for run in runs:
        conform(tables, undated, *((morning, evening)[n] for n in run))
    assert alive(tables, undated) == "a2 b1- c2"


@pytest.mark.fault("late and reordered files")
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


def test_a_record_whose_row_is_set_aside_stays_what_it_was(tables: DeltaTables) -> None:
    conform(tables, PEOPLE, snapshot(tables, 0, "a1 b1 c1"))
    before = tables.version("silver.crm")
    # No such day; a key that nobody knows yet; and one that cannot be read.
    broken = [{"id": key, "name": "2", "updated": "2026-03-99"} for key in ("a", "d", None)]
    good = [{"id": "b", "name": "1", "updated": "2026-03-01"}]
    file = ingested(tables, PEOPLE, "1.csv", [*broken, *good], file_on=DAY[1])
    least = PEOPLE.model_copy(
        update={"snapshot": PEOPLE.snapshot.model_copy(update={"least_share": 0.3})}
    )
    [done] = conform(tables, least, file)
    assert (done.records_accepted, done.records_quarantined) == (1, 3)
    assert alive(tables) == "a1 b1 c1-"
    changes = tables.changes("silver.crm", after=before, to=tables.version("silver.crm") or 0)
    assert {row["id"] for row in changes.collect()} == {"c"}
    conform(tables, least, snapshot(tables, 2, "a3 b1"))
    assert alive(tables) == "a3 b1 c1-"


def test_who_was_forgotten_is_not_held_by_what_is_set_aside_of_them(tables: DeltaTables) -> None:
    conform(tables, PEOPLE, snapshot(tables, 0, "a1 b1"))
    key = b"a key of pseudonyms"
    erased = Erased(key, frozenset({pseudonym(key, RECORD, "crm:b")}))
    [done] = conform(tables, PEOPLE, snapshot(tables, 1, "a1 b1"), erased=erased)
    assert done.reasons == {RULE: 1}
    assert alive(tables) == "a1 b1-"


def test_who_was_forgotten_is_taken_out_of_a_snapshot_that_is_refused(
    tables: DeltaTables, tmp_path: Path
) -> None:
    key = b"a key of pseudonyms"
    erased = Erased(key, frozenset({pseudonym(key, RECORD, "crm:b")}))
    landing = LocalLanding(tmp_path / "landing")
    conform(tables, PEOPLE, snapshot(tables, 0, "a1 c1 d1 e1"))
    sha256, path, size = landing.put("crm", "1.csv", io.BytesIO(b"id,name,updated\n"))
    short = replace(snapshot(tables, 1, "a1 b1"), landed_path=path, sha256=sha256, size_bytes=size)
    [refused] = conform(tables, PEOPLE, short, erased=erased)
    assert (refused.status, refused.reasons) == (BROKEN, {RULE: 1})

    given = {"sources": [PEOPLE], "erased": erased, "run_id": "r1"}
    for _ in range(2):
        forget_again(tables, tables, landing, **given)
    [left] = [row for row in read_files(tables) if row.file_id == short.file_id]
    held = tables.read("bronze.crm").where(F.col("_file_id") == short.file_id)
    assert [row["id"] for row in held.collect()] == ["a"]
    assert left.landed_path == ""
    assert [each for each in landing.root.rglob("*") if each.is_file()] == []
    # What is left of it can be read again.
    assert [row.file_id for row in replay(tables, "crm", run_id="r2")] == [short.file_id]


def test_missing_records_stay_where_the_source_says_keep(tables: DeltaTables) -> None:
    keeping = PEOPLE.model_copy(
        update={"snapshot": PEOPLE.snapshot.model_copy(update={"missing": "keep"})}
    )
    conform(tables, keeping, snapshot(tables, 0, "a1 b1", keeping))
    conform(tables, keeping, snapshot(tables, 1, "a1", keeping))
    assert alive(tables) == "a1 b1"


def test_where_missing_records_stay_rows_are_held_against_rows(tables: DeltaTables) -> None:
    keeping = PEOPLE.model_copy(
        update={"snapshot": PEOPLE.snapshot.model_copy(update={"missing": "keep"})}
    )
    several = "a1 a2 a1 b1 b2 b1"
    for day in (0, 1):
        [done] = conform(tables, keeping, snapshot(tables, day, several, keeping))
        assert done.status == CONFORMED
    [done] = conform(tables, keeping, snapshot(tables, 2, "a1 b1", keeping))
    assert done.status == BROKEN


@pytest.mark.parametrize("states_consent", [False, True])
def test_what_a_rule_refuses_now_leaves_silver_when_all_snapshots_are_read_again(
    tables: DeltaTables, states_consent: bool
) -> None:
    people = PEOPLE
    if states_consent:
        said = {"at": "updated", "status": "name", "constant_purpose": "p",
                "constant_channel": "email", "statuses": {"3": "withdrawn"}}  # fmt: skip
        people = Source.model_validate(
            PEOPLE.model_dump(by_alias=True) | {"consents": [said], "identifiers": {"name": "name"}}
        )
    for day, rows in enumerate(("a1 b1 c3 d1", "a2 b3 c3 d1", "a2 b3 c3")):
        conform(tables, people, snapshot(tables, day, rows, people))
    assert alive(tables, people) == "a2 b3 c3 d1-"
    no_three = {"rule": "in_set", "column": "name", "values": ["1", "2"], "reason": "three is none"}
    stricter = Source.model_validate(people.model_dump(by_alias=True) | {"rules": [no_three]})

    conform(tables, stricter, *replay(tables, "crm", run_id="r2", everything=True))

    assert alive(tables, stricter) == "a2 b1 d1-"


def test_a_source_that_has_grown_can_be_read_again_from_its_first_snapshot_on(
    tables: DeltaTables,
) -> None:
    grown = ("a1 b1", "a1 b1 c1", "a1 b1 c1 d1 e1")
    for day, rows in enumerate(grown):
        conform(tables, PEOPLE, snapshot(tables, day, rows))
    files = replay(tables, "crm", run_id="r2", everything=True)
    done = conform(tables, PEOPLE, *files)
    assert [file.status for file in done] == ["conformed"] * 3
    assert alive(tables, PEOPLE) == grown[-1]


def test_while_the_newest_snapshot_cannot_be_read_again_the_older_ones_take_nobody_out(
    tables: DeltaTables,
) -> None:
    grown = ("a1 b1", "a1 b1 c1", "a1 b1 c1 d1 e1")
    for day, rows in enumerate(grown):
        conform(tables, PEOPLE, snapshot(tables, day, rows))
    *older, newest = replay(tables, "crm", run_id="r2", everything=True)
    record_files(tables, [replace(newest, status=BROKEN, records_read=0, records_accepted=0)])
    conform(tables, PEOPLE, *older)
    assert alive(tables, PEOPLE) == grown[-1]


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


def test_of_days_with_several_snapshots_those_are_told_apart_that_are_compared() -> None:
    def file(name: str, day: int) -> FileRow:
        return FileRow(
            source="people", path=name, size_bytes=1, sha256=name, file_id=name, file_on=DAY[day],
            modified_at=datetime(2026, 3, 9, tzinfo=UTC), landed_path=name, landed_on=DAY[day],
            run_id="r",
        )  # fmt: skip

    earlier = [file(f"{letter}{day}", day) for day in (1, 2, 3) for letter in "ab"]
    writer = SilverWriter(source=PEOPLE, tables=cast(Tables, None), earlier=earlier)

    assert writer._places([file("c2", 2)], writer.latest()) == {
        "a2": 0, "b2": 1, "c2": 2, "a3": 0, "b3": 1,
    }  # fmt: skip
