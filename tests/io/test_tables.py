"""The promises of ``ports.Tables``, on real Delta tables."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from threading import Barrier

import pytest
from pyspark.sql import DataFrame, SparkSession

from goldenlake.errors import TableMissing
from goldenlake.io.locks import TableLocks
from goldenlake.io.tables import DeltaTables

DDL = "k STRING, v INT, on DATE"
MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)


def rows_of(frame: DataFrame) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in frame.select("k", "v", "on").collect())


def frame(spark: SparkSession, *rows: tuple[str, int, date]) -> DataFrame:
    return spark.createDataFrame(list(rows), DDL)


def test_a_table_that_nobody_wrote_is_missing_by_name(tables: DeltaTables) -> None:
    assert tables.version("ops.things") is None
    with pytest.raises(TableMissing, match=r"ops\.things"):
        tables.read("ops.things")


def test_replacing_a_slice_twice_leaves_one_copy_and_other_slices_alone(
    spark: SparkSession, tables: DeltaTables
) -> None:
    tables.append("gold.things", frame(spark, ("a", 1, MONDAY), ("b", 2, TUESDAY)))
    for _ in range(2):
        tables.replace_slice(
            "gold.things", frame(spark, ("c", 3, MONDAY)), where={"on": [MONDAY], "k": ["a", "c"]}
        )
    assert rows_of(tables.read("gold.things")) == [("b", 2, TUESDAY), ("c", 3, MONDAY)]


def test_a_slice_refuses_rows_that_do_not_belong_to_it(
    spark: SparkSession, tables: DeltaTables
) -> None:
    tables.append("gold.things", frame(spark, ("a", 1, MONDAY)))
    with pytest.raises(Exception, match=r"CHECK constraint|DELTA_"):
        tables.replace_slice("gold.things", frame(spark, ("b", 1, TUESDAY)), where={"on": MONDAY})


def test_merging_the_same_rows_twice_leaves_one_copy(
    spark: SparkSession, tables: DeltaTables
) -> None:
    tables.append("gold.things", frame(spark, ("a", 1, MONDAY), ("gone", 1, MONDAY)))
    news = frame(spark, ("a", 9, TUESDAY), ("b", 2, TUESDAY), ("gone", -1, MONDAY))
    for _ in range(2):
        tables.merge("gold.things", news.where("v > 0"), on=["k"])
    tables.merge("gold.things", news, on=["k"], delete_when="new.v < 0", insert=False)
    assert rows_of(tables.read("gold.things")) == [("a", 9, TUESDAY), ("b", 2, TUESDAY)]


@pytest.mark.fault("two writers")
def test_two_threads_that_merge_the_first_rows_of_a_table_leave_one_copy(
    spark: SparkSession, tables: DeltaTables
) -> None:
    together = Barrier(2)

    def merge(_: int) -> None:
        rows = spark.createDataFrame([(1, "a")], "k INT, v STRING")
        together.wait()
        tables.merge("ops.things", rows, on=["k"])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(merge, range(2)))
    assert tables.read("ops.things").count() == 1


def test_changes_are_what_came_after_a_version(spark: SparkSession, tables: DeltaTables) -> None:
    first = tables.append("silver.things", frame(spark, ("a", 1, MONDAY)))
    last = tables.merge("silver.things", frame(spark, ("a", 2, MONDAY), ("b", 3, MONDAY)), on=["k"])
    assert rows_of(tables.changes("silver.things", after=first, to=last)) == [
        ("a", 2, MONDAY),
        ("b", 3, MONDAY),
    ]
    assert rows_of(tables.changes("silver.things", after=None, to=first)) == [("a", 1, MONDAY)]
    assert rows_of(tables.changes("silver.things", after=last, to=last)) == []


def test_restoring_gives_back_the_rows_of_a_version(
    spark: SparkSession, tables: DeltaTables
) -> None:
    kept = tables.append("gold.things", frame(spark, ("a", 1, MONDAY)))
    tables.append("gold.things", frame(spark, ("b", 2, MONDAY)))
    tables.restore("gold.things", kept)
    assert rows_of(tables.read("gold.things")) == [("a", 1, MONDAY)]
    tables.restore("gold.things", None)
    assert rows_of(tables.read("gold.things")) == []


def test_the_log_of_a_table_keeps_no_statistics_of_columns_outside_the_allow_list(
    spark: SparkSession, tables: DeltaTables, tmp_path_factory: pytest.TempPathFactory
) -> None:
    people = spark.createDataFrame([("f1", "canary@example.com")], "_file_id STRING, email STRING")
    tables.append("silver.people", people)
    log = f"{tables.location('silver.people')}/_delta_log/00000000000000000000.json"
    with open(log, encoding="utf-8") as lines:
        text = lines.read()
    assert "f1" in text
    assert "canary@example.com" not in text


@pytest.mark.fault("two writers")
def test_a_lock_keeps_another_process_out_until_it_is_let_go(tmp_path) -> None:
    probe = (
        "import fcntl, os, sys\n"
        "handle = os.open(sys.argv[1], os.O_RDWR)\n"
        "fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
    )
    lock = tmp_path / "gold.things.lock"
    command = [sys.executable, "-c", probe, str(lock)]
    with TableLocks(tmp_path).held("gold.things"):
        assert b"BlockingIOError" in subprocess.run(command, capture_output=True).stderr
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_a_lake_on_a_disk_is_open_to_its_owner_and_their_group_alone(
    tables: DeltaTables, tmp_path: Path
) -> None:
    for _ in range(2):
        tables.append("silver.crm", tables.frame([["ann@example.com"]], "email STRING"))

    below = (tmp_path / "lake").rglob("*")
    assert [path.name for path in below if stat.S_IMODE(path.stat().st_mode) & 0o007] == []
