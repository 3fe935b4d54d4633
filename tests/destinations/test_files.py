"""Files hold exactly what was acknowledged, and a manifest says so."""

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from goldenlake.destinations import open_destination
from goldenlake.destinations.files import cell
from goldenlake.errors import DeliveryIncomplete
from goldenlake.io.places.folder import Folder
from goldenlake.ports import Batch
from support.activation import destination
from support.destinations import (
    SCHEMA,
    DestinationContract,
    Places,
    delivery,
    removal,
    unnoted,
    upsert,
)


def declared(format="csv", fields=None, **target):
    return destination(
        fields=fields or {"given_name": "given_name", "orders": "orders"},
        target={"kind": "files", "place": "out", "format": format, **target},
    )


@dataclass
class Shelf:
    """A folder, and how somebody reads a delivery in it."""

    root: Path
    format: str = "csv"

    def open(self, **target):
        return open_destination(
            declared(self.format, **target), Places(lambda name: Folder(name, self.root))
        )

    def folder(self, delivery):
        return self.root / "crm" / "readers" / "2024-05-31" / delivery.delivery_id

    def rows(self, path):
        if self.format == "csv":
            return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))
        if self.format == "jsonl":
            return [json.loads(line) for line in path.read_text().splitlines()]
        return pq.read_table(path).to_pylist()

    def state(self, delivery):
        people = {}
        for path in sorted(self.folder(delivery).glob("part-*")):
            for row in self.rows(path):
                if row["operation"] == "remove":
                    people.pop(row["key"], None)
                else:
                    people[row["key"]] = row
        return people


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
class TestFiles(DestinationContract):
    @pytest.fixture
    def world(self, tmp_path, format):
        return Shelf(tmp_path, format)


ANN_AND_BOB = Batch(number=1, records=[upsert("ann"), upsert("bob", given_name='B,"ö"\nb')])


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_the_manifest_names_every_part_with_its_hash(tmp_path, format):
    shelf = Shelf(tmp_path, format)
    shelf.open().send(delivery(), ANN_AND_BOB, unnoted)
    later = shelf.open()
    later.send(delivery(), Batch(number=2, records=[removal("cyd")]), unnoted)
    assert not list(tmp_path.rglob("manifest.json"))
    later.finish(delivery())

    manifest = json.loads((shelf.folder(delivery()) / "manifest.json").read_text())
    assert manifest["delivery"] == "d_1"
    assert manifest["columns"] == {"operation": "string", "key": "string", **SCHEMA}
    assert (manifest["records"], [f["records"] for f in manifest["files"]]) == (3, [2, 1])
    for entry in manifest["files"]:
        content = (shelf.folder(delivery()) / entry["name"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_the_same_batch_gives_the_same_bytes(tmp_path, format):
    contents = []
    for attempt in ("a", "b"):
        (tmp_path / attempt).mkdir()
        shelf = Shelf(tmp_path / attempt, format)
        shelf.open().send(delivery(), ANN_AND_BOB, unnoted)
        contents.append(next(shelf.folder(delivery()).glob("part-*")).read_bytes())
    assert contents[0] == contents[1]


def test_a_part_with_other_bytes_does_not_pass_for_this_batch(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.open().send(delivery(), ANN_AND_BOB, unnoted)
    other = Batch(number=1, records=[upsert("ann")])
    assert shelf.open().look_up(delivery(), other) is None


def test_a_delivery_with_a_missing_part_is_not_closed(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.open().send(delivery(), ANN_AND_BOB, unnoted)
    with pytest.raises(DeliveryIncomplete, match=r"part-00002\.csv"):
        shelf.open().finish(delivery())
    assert not list(tmp_path.rglob("manifest.json"))


def test_two_deliveries_of_a_day_do_not_overwrite_each_other(tmp_path):
    shelf = Shelf(tmp_path)
    for name in ("d_1", "d_2"):
        shelf.open().send(delivery(delivery_id=name), ANN_AND_BOB, unnoted)
    assert len(list(tmp_path.rglob("part-00001.csv"))) == 2


def test_a_spreadsheet_never_sees_a_formula_and_a_machine_sees_every_byte(tmp_path):
    evil = Batch(number=1, records=[upsert("ann", given_name='=cmd|"/c calc"!A1', orders=-5)])
    shelf = Shelf(tmp_path)
    shelf.open().send(delivery(), evil, unnoted)
    assert shelf.state(delivery())["ann@example.com"]["given_name"] == '\'=cmd|"/c calc"!A1'
    assert shelf.state(delivery())["ann@example.com"]["orders"] == "-5"
    shelf.open(spreadsheet_guard=False).send(delivery(), evil, unnoted)
    assert shelf.state(delivery())["ann@example.com"]["given_name"] == '=cmd|"/c calc"!A1'


@pytest.mark.parametrize(
    "text", ["=1", "+14155550100", "-5", "@a", "\tx", "\rx", "\n=1", "＝1", "＋1", "－1", "＠a"]
)
def test_text_that_begins_like_a_formula_is_guarded(text):
    assert cell(text, guard=True) == f"'{text}"
    assert cell(text, guard=False) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (-5, "-5"),
        (-0.5, "-0.5"),
        (Decimal("-1E+3"), "-1000"),
        (Decimal("12.3400"), "12.3400"),
        (date(2024, 5, 31), "2024-05-31"),
        (datetime(2024, 5, 31, 12, tzinfo=UTC), "2024-05-31T12:00:00+00:00"),
        ("a'b", "a'b"),
        ("", ""),
    ],
)
def test_values_are_written_the_same_everywhere(value, text):
    assert cell(value, guard=True) == text


def test_json_lines_tell_left_alone_from_cleared(tmp_path):
    shelf = Shelf(tmp_path, "jsonl")
    cleared = upsert("ann", orders=None)
    untouched = upsert("bob")
    untouched.fields.pop("orders")
    shelf.open().send(delivery(), Batch(number=1, records=[cleared, untouched]), unnoted)
    state = shelf.state(delivery())
    assert state["ann@example.com"]["orders"] is None
    assert "orders" not in state["bob@example.com"]
