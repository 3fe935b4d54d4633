"""Archives, workbooks and Parquet files, read as a worker reads them."""

import gzip
import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from goldenlake.io.landing import LocalLanding
from goldenlake.io.readers import archives, distributed
from goldenlake.io.readers.contract import Contract
from goldenlake.io.readers.distributed import Part, in_parts
from support.landed import land, source

CSV = b"id,name\n1,a\n2,b\n"
MORNING = datetime.fromisoformat("2024-01-05T10:30:00")


class Shelf:
    """Reads files the way one Spark task does."""

    def __init__(self, folder):
        self.landing = LocalLanding(folder)

    def read(self, name, content, declared=None, of=("id", "name")):
        contract = Contract.of(source(*of, format=declared or {"kind": "csv"}))
        file = land(self.landing, name, content)
        whole = Part(
            file_id=file.file_id,
            landed_path=file.landed_path,
            landed_on=file.landed_on,
            file_on=file.file_on,
            size_bytes=file.size_bytes,
        )
        rows, marks = [], []
        for part in in_parts(whole, self.landing, contract):
            *batches, last = distributed._read_good(part, self.landing, contract)
            marks += last.column("_raw").to_pylist()
            rows += [row for batch in batches for row in batch.to_pylist()]
        found = distributed._summed_up(marks)[file.file_id]
        rows = [(row["_record"], *[row[name] for name in contract.names]) for row in rows]
        assert found.broken or found.read == len(rows) + sum(found.bad.values())
        return rows, found


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


def zipped(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return out.getvalue()


def test_gzip_zip_and_plain_files_read_alike(shelf):
    plain, _ = shelf.read("a.csv", CSV)
    assert plain == [(1, "1", "a"), (2, "2", "b")]
    assert shelf.read("a.csv.gz", gzip.compress(CSV))[0] == plain
    assert shelf.read("a.csv.zip", zipped(a_csv=CSV))[0] == plain


def test_members_and_joined_gzips_follow_each_other(shelf):
    rows, _ = shelf.read("a.zip", zipped(b_csv=b"name,id\nc,3\n", a_csv=CSV))
    assert rows == [(1, "1", "a"), (2, "2", "b"), (3, "3", "c")]
    rows, _ = shelf.read("a.gz", gzip.compress(CSV) + gzip.compress(b"3,c\n"))
    assert rows[-1] == (3, "3", "c")
    lines = zipped(a_log=b'{"id":1}\n{"id":2}\n', b_log=b'{"id":3}\n')
    rows, _ = shelf.read("a.zip", lines, {"kind": "jsonl"}, of=("id",))
    assert len({row[0] for row in rows}) == 3


LINK = zipfile.ZipInfo("a.csv")
LINK.external_attr = 0o120777 << 16


def with_link():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(LINK, "/etc/passwd")
    return out.getvalue()


def with_bad_crc():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", CSV)
    return out.getvalue().replace(b"2,b", b"2,c")


def doubled():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", CSV)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.csv", CSV)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda: gzip.compress(CSV)[:-9], "cut off"),
        (lambda: gzip.compress(CSV * 2000)[:60], "cut off"),
        (lambda: zipped(a_csv=CSV)[:-30], "damaged"),
        (with_bad_crc, "damaged"),
        (lambda: zipped(a_zip=zipped(a_csv=CSV)), "within the archive"),
        (lambda: gzip.compress(gzip.compress(CSV)), "within the archive"),
        (lambda: zipped(___________etc__a_csv=CSV).replace(b"/////etc", b"../..etc"), "leads out"),
        (with_link, "symbolic link"),
        (doubled, "two members"),
        (lambda: zipped(**{f"m{n}": b"" for n in range(1_001)}), "more than"),
    ],
)
def test_a_bad_archive_is_refused_as_a_whole(shelf, content, says):
    rows, found = shelf.read("a.bin", content())
    assert rows == []
    assert says in found.broken


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zipped(a_csv=content)])
def test_a_bomb_is_stopped(shelf, pack, monkeypatch):
    monkeypatch.setattr(archives, "SMALL", 2**20)
    assert "far more" in shelf.read("a.bin", pack(CSV + b"0" * 2**23))[1].broken


def workbook(rows, **sheets):
    book = openpyxl.Workbook()
    hidden = book.active
    hidden.title, hidden.sheet_state = "notes", "hidden"
    sheet = book.create_sheet("people")
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_cells_become_the_text_a_person_would_write(shelf):
    content = workbook(
        [
            ["id", "name", "paid"],
            [17850.0, "'+441632960961", MORNING],
            [1.5, None, date(2024, 2, 29)],
            [None, None, None],
            [True, "é", 1e15],
        ]
    )
    rows, _ = shelf.read("a.xlsx", content, {"kind": "xlsx"}, of=("id", "name", "paid"))
    assert rows == [
        (1, "17850", "'+441632960961", "2024-01-05T10:30:00"),
        (2, "1.5", "", "2024-02-29"),
        (3, "true", "é", "1000000000000000"),
    ]
    zipped_book = zipped(a_xlsx=content)
    # An XLSX is a zip by nature, so one is not looked for within it.
    assert shelf.read("a.zip", zipped_book, {"kind": "xlsx"}, of=("id",))[1].broken


def test_a_header_below_the_first_row_and_a_sheet_by_name(shelf):
    content = workbook([["A report"], [], ["id", "name"], [1, "a"]])
    declared = {"kind": "xlsx", "sheet": "people", "header_row": 3}
    assert shelf.read("a.xlsx", content, declared)[0] == [(1, "1", "a")]
    assert "no sheet" in shelf.read("a.xlsx", content, {**declared, "sheet": "x"})[1].broken


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (CSV, "no .xlsx workbook"),
        (b"", "no .xlsx workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "encrypted"),
        (b"PK\x03\x04 and then nothing", "damaged"),
    ],
)
def test_what_is_no_workbook_says_so(shelf, content, says):
    assert says in shelf.read("a.xlsx", content, {"kind": "xlsx"})[1].broken


NUMBER = pa.decimal128(38, 10)
"""Oracle's NUMBER without a precision, as Spark's JDBC reader writes it."""


def test_parquet_values_become_text(shelf):
    utc = datetime(2024, 1, 5, 10, 30, tzinfo=UTC)
    table = pa.table(
        {
            "id": pa.array([17850.0, 1.5, None]),
            "name": pa.array([{"a": [1]}, None, {"a": []}]),
            "at": pa.array([utc, None, utc], pa.timestamp("us", "UTC")),
            "price": pa.array([Decimal("1.10"), None, Decimal("2.00")]),
            "count": pa.array([Decimal(0), Decimal(17850), Decimal("0.0000005")], NUMBER),
            "more": pa.array([1, None, 3]),
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=2)
    of = ("id", "name", "at", "price", "count")
    rows, found = shelf.read("a.parquet", out.getvalue(), {"kind": "parquet"}, of=of)
    assert rows == [
        (1, "17850", '{"a":[1]}', "2024-01-05T10:30:00Z", "1.10", "0"),
        (2, "1.5", None, None, None, "17850"),
        (3, None, '{"a":[]}', "2024-01-05T10:30:00Z", "2", "0.0000005000"),
    ]
    assert found.drift == [["new", "more", ""]]


def test_old_parquet_instants_are_read(shelf):
    table = pa.table({"id": pa.array([datetime(1970, 1, 2, tzinfo=UTC)], pa.timestamp("ns"))})
    out = io.BytesIO()
    pq.write_table(table, out, use_deprecated_int96_timestamps=True)
    rows, _ = shelf.read("a.parquet", out.getvalue(), {"kind": "parquet"}, of=("id",))
    assert rows == [(1, "1970-01-02T00:00:00")]


@pytest.mark.parametrize("content", [CSV, b"PAR1" + b"\0" * 50])
def test_what_is_no_parquet_says_so(shelf, content):
    assert "no Parquet" in shelf.read("a.parquet", content, {"kind": "parquet"})[1].broken


@pytest.mark.parametrize("part", [7, 64, 1000])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_lines_read_in_parts_are_those_read_at_once(shelf, monkeypatch, part, end):
    content = b"\n".join(b'{"id": "%s"}' % (b"x" * (at % 40)) for at in range(60)) + end
    whole, _ = shelf.read("a.jsonl", content, {"kind": "jsonl"}, of=("id",))
    monkeypatch.setattr(distributed, "PART", part)
    split, found = shelf.read("a.jsonl", content, {"kind": "jsonl"}, of=("id",))
    assert split == whole
    assert (found.read, [row[0] for row in split]) == (60, list(range(1, 61)))
