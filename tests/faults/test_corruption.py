"""Bits that flip on a disk or in a store are told of; they never come out as other values."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from py4j.protocol import Py4JJavaError

from goldenlake.errors import LakeDamaged, machine_fault
from goldenlake.io.tables import DeltaTables

ROWS = [(number, f"p{number * 7919 % 1000}.{number}@example.com") for number in range(2000)]
FLIPS = 6


@pytest.fixture
def table(tables: DeltaTables, tmp_path: Path) -> Path:
    """The folder of ``ops.things``, which holds ``ROWS`` in one file."""
    tables.append("ops.things", tables.frame(ROWS, "k INT, v STRING"))
    return tmp_path / "lake" / "ops" / "things"


def read(tables: DeltaTables) -> list[tuple[int, str]]:
    return [tuple(row) for row in tables.read("ops.things").orderBy("k").collect()]


def every_flip_is_told(tables: DeltaTables, path: Path) -> None:
    """Flip one bit of the file after the other, and read the table each time; leave it whole."""
    whole, chance = path.read_bytes(), random.Random(1)
    for _ in range(FLIPS):
        changed = bytearray(whole)
        at, bit = chance.randrange(len(whole)), chance.randrange(8)
        changed[at] ^= 1 << bit
        path.write_bytes(changed)
        which = f"bit {bit} of byte {at} of {len(whole)}"
        with pytest.raises(Py4JJavaError) as raised:
            pytest.fail(f"{which}: {len(read(tables))} rows were read as if nothing were")
        fault = machine_fault(raised.value)
        assert isinstance(fault, LakeDamaged), which
        assert "@example.com" not in str(fault), which
    path.write_bytes(whole)


@pytest.mark.fault("corrupt data file or log")
@pytest.mark.parametrize("place", ["a disk", "a store, which keeps no sums beside its files"])
def test_a_flipped_bit_of_a_data_file_fails_the_read(
    tables: DeltaTables, table: Path, place: str
) -> None:
    if place != "a disk":
        for beside in table.rglob("*.crc"):
            beside.unlink()
    (data,) = table.glob("*.parquet")
    every_flip_is_told(tables, data)
    assert read(tables) == ROWS


@pytest.mark.fault("corrupt data file or log")
def test_a_flipped_bit_of_the_log_fails_the_read(tables: DeltaTables, table: Path) -> None:
    (log,) = table.glob("_delta_log/*.json")
    every_flip_is_told(tables, log)
