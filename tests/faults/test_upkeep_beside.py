"""Upkeep beside readers and writers: nothing is lost, and a version that is read can be read on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import stamina
from delta.exceptions import ConcurrentDeleteReadException
from deltalake import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.errors import ExitCode, TableContended
from goldenlake.io.locks import TableLocks
from goldenlake.io.tables import DeltaTables

pytestmark = pytest.mark.fault("merge beside optimize")
TABLE = "ops.things"
PEOPLE, ROUNDS = 20, 5


def of_round(tables: DeltaTables, number: int) -> DataFrame:
    return tables.frame([(k, number) for k in range(PEOPLE)], "k INT, v INT")


def rounds_in(folder: Path, version: int | None = None) -> list[int]:
    """The round of each row, as another engine reads it; a half-written version had two."""
    table = DeltaTable(str(folder), version=version)
    return sorted(table.to_pyarrow_table()["v"].to_pylist())


@pytest.mark.slow
def test_readers_and_writers_go_on_while_a_table_is_compacted_and_swept(
    tables: DeltaTables, tmp_path: Path
) -> None:
    folder, ends = tmp_path / "lake" / "ops" / "things", threading.Event()
    tables.append(TABLE, of_round(tables, 0))
    pinned = tables.version(TABLE)
    looked: list[list[int]] = []

    def read() -> None:
        while not ends.is_set():
            assert rounds_in(folder, pinned) == [0] * PEOPLE
            looked.append(rounds_in(folder))
            time.sleep(0.05)

    def keep_up() -> None:
        while not ends.is_set():
            tables.optimize(TABLE)
            tables.vacuum(TABLE, keep_hours=24 * 30)

    with ThreadPoolExecutor(2) as pool:
        beside = [pool.submit(read), pool.submit(keep_up)]
        try:
            for number in range(1, ROUNDS + 1):
                tables.merge(TABLE, of_round(tables, number), on=["k"])
        finally:
            ends.set()
        for each in beside:
            each.result()

    assert {len({*rounds}) for rounds in looked} == {1}, "half of a round was seen"
    assert {len(rounds) for rounds in looked} == {PEOPLE}
    assert rounds_in(folder) == [ROUNDS] * PEOPLE
    done = {each["operation"] for each in DeltaTable(str(folder)).history()}
    assert {"MERGE", "OPTIMIZE"} <= done


@contextmanager
def locks_that_exclude_nobody() -> Iterator[None]:
    """As in another process, where the store has no locks across processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TableLocks, "held", lambda *_: nullcontext())
        yield


def test_a_merge_that_meets_a_compaction_on_its_way_is_made_anew(
    tables: DeltaTables, tmp_path: Path
) -> None:
    for number in range(2):
        tables.append(TABLE, of_round(tables, number).where(F.col("k") % 2 == number))
    begun, goes_on = tmp_path / "begun", tmp_path / "goes on"

    @F.udf("int")
    def standing(value: int) -> int:
        begun.touch()
        while not goes_on.exists():
            time.sleep(0.05)
        return value

    slow = of_round(tables, 7).withColumn("v", standing("v"))
    with locks_that_exclude_nobody(), ThreadPoolExecutor(1) as pool:
        merging = pool.submit(tables.merge, TABLE, slow, on=["k"])
        while not begun.exists():
            assert not merging.done(), merging.result()
            time.sleep(0.05)
        assert tables.optimize(TABLE)["files_removed"] == 2
        goes_on.touch()
        merging.result()

    folder = tmp_path / "lake" / "ops" / "things"
    assert rounds_in(folder) == [7] * PEOPLE
    operations = [each["operation"] for each in DeltaTable(str(folder)).history()]
    assert operations[:2] == ["MERGE", "OPTIMIZE"]


def test_a_table_that_others_never_leave_alone_is_a_passing_fault(
    tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def refused(_self: DeltaTables, table: str, *_args: object) -> int:
        tried.append(table)
        raise ConcurrentDeleteReadException("p1@example.com was read")

    monkeypatch.setattr(DeltaTables, "_commit", refused)
    with stamina.set_testing(True, attempts=3), pytest.raises(TableContended) as raised:
        tables.append(TABLE, of_round(tables, 1))
    assert tried == [TABLE] * 3
    assert raised.value.exit_code is ExitCode.TRANSIENT
    assert "@" not in str(raised.value)
