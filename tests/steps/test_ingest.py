"""Landed files become bronze and quarantine, once each."""

import gzip
import json
import tarfile
from dataclasses import replace
from datetime import timedelta

import pytest

from goldenlake.errors import CountMismatch
from goldenlake.io.landing import LocalLanding
from goldenlake.steps import ingest as step
from goldenlake.steps.conform import Conform
from goldenlake.steps.files import read_files, record_drift, record_files
from goldenlake.steps.ingest import Ingest
from support.landed import DATA, DAY, land, source

SHOP = source("id", "name", "city?")
NASTY = {
    "good.csv": b"id,name,city\n1,a,x\n2,b,y\n",
    "empty.csv": b"",
    "header.csv": b"id,name\n",
    "latin.csv": b"id,name\n1,a\n2,Zo\xeb\n",
    "quotes.csv": b'id,name\n1,"a\n2,b\n3,"c\nd"\n4,e,f\nid,name\n5',
    "utf16.csv": "id;name;shoes\r\n1;é;43\r\n".encode("utf-16"),
    "packed.csv.gz": gzip.compress(b"id,name\n1,a\n"),
    "cut.csv.gz": gzip.compress(b"id,name\n" + b"1,a\n" * 500)[:-9],
    "page.csv": b"<html>secret</html>\n",
}


@pytest.fixture
def landing(tmp_path):
    return LocalLanding(tmp_path / "landing")


def ingest(tables, landing, files, of=SHOP):
    return Ingest(source=of, as_of=DAY, run_id="r1").run(tables, landing, files)


def contents(tables, layer):
    """The table as a sorted list of rows, without the run's name."""
    return sorted(map(str, tables.read(f"{layer}.shop").drop("_run").collect()))


@pytest.fixture
def nasty(tables, landing):
    files = [
        replace(land(landing, name, content), file_on=DAY - timedelta(days=1))
        for name, content in NASTY.items()
    ]
    return files, {file.path: file for file in ingest(tables, landing, files)}


def test_of_every_file_all_records_are_accepted_or_quarantined_or_the_file_is_broken(
    tables, landing, nasty
):
    files, done = nasty
    counts = {path: (f.status, f.records_read, dict(f.reasons)) for path, f in done.items()}
    assert counts == {
        "good.csv": ("ingested", 2, {}),
        "empty.csv": ("ingested", 0, {}),
        "header.csv": ("ingested", 0, {}),
        "latin.csv": ("ingested", 2, {"encoding": 1}),
        "quotes.csv": (
            "ingested",
            6,
            {"quote": 1, "field_count": 1, "repeated_header": 1, "truncated": 1},
        ),
        "utf16.csv": ("ingested", 1, {}),
        "packed.csv.gz": ("ingested", 1, {}),
        "cut.csv.gz": ("broken", 0, {}),
        "page.csv": ("broken", 0, {}),
    }
    assert "secret" not in str(done["page.csv"].error)
    assert "missing: id, name" in str(done["page.csv"].error)

    bronze = tables.read("bronze.shop")
    assert bronze.columns == [
        "_file_id", "_record", "_landed_on", "_file_on", "id", "name", "city", "_extra", "_run",
    ]  # fmt: skip
    [wide] = bronze.where(bronze["_file_id"] == done["utf16.csv"].file_id).collect()
    assert (wide["id"], wide["name"], wide["city"]) == ("1", "é", None)
    assert (wide["_extra"], wide["_record"], wide["_landed_on"]) == ({"shoes": "43"}, 1, DAY)
    assert wide["_file_on"] == DAY - timedelta(days=1)
    [latin] = [
        row for row in tables.read("quarantine.shop").collect() if row["rules"] == ["encoding"]
    ]
    assert (latin["_record"], latin["stage"]) == (2, "read")
    assert json.loads(latin["row"]) == {"raw": "2,Zo\\udceb"}

    # Once more, in other company and after a crash that left the ledger as it was.
    before = contents(tables, "bronze"), contents(tables, "quarantine")
    assert len(before[0]) + len(before[1]) == sum(f.records_read for f in done.values())
    ingest(tables, landing, files[3:])
    assert (contents(tables, "bronze"), contents(tables, "quarantine")) == before

    record_files(tables, done.values())
    assert record_drift(tables, done.values()) == 0
    assert record_drift(tables, done.values()) == 1
    assert {(d["kind"], d["column"]) for d in tables.read("ops.drift").collect()} == {
        ("missing", "city"), ("new", "shoes"),
    }  # fmt: skip
    kept = {file.path: replace(file, drift=()) for file in done.values()}
    assert {file.path: file for file in read_files(tables, "shop")} == kept


def test_a_crash_before_the_quarantine_is_written_doubles_and_loses_nothing(
    tables, landing, monkeypatch
):
    files = [land(landing, "a.csv", NASTY["quotes.csv"])]
    with monkeypatch.context() as patch:
        patch.setattr(Ingest, "_quarantine", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ingest(tables, landing, files)
    [done] = ingest(tables, landing, files)
    assert done.records_read == len(contents(tables, "bronze")) + len(
        contents(tables, "quarantine")
    )


def test_a_file_that_ends_in_the_middle_leaves_none_of_the_records_before(tables, landing):
    lines = b"".join(f"{number},{number * 7919 % 99991}\n".encode() for number in range(60_000))
    cut = land(landing, "cut.csv.gz", gzip.compress(b"id,name\n" + lines)[:-9])
    whole = land(landing, "good.csv", NASTY["good.csv"])
    statuses = [file.status for file in ingest(tables, landing, [cut, whole])]
    assert statuses == ["broken", "ingested"]
    assert [row["_file_id"] for row in tables.read("bronze.shop").collect()] == [whole.file_id] * 2
    assert not tables.exists("quarantine.shop")


def test_rows_that_a_file_no_longer_breaks_leave_the_quarantine(tables, landing):
    file = land(landing, "a.csv", b"id,name\n1,a,b\n")
    ingest(tables, landing, [file])
    assert len(contents(tables, "quarantine")) == 1
    mended = source("id", "name", format={"kind": "csv", "delimiter": ";", "header": False})
    [done] = ingest(tables, landing, [file], mended)
    assert (done.records_read, done.records_quarantined) == (2, 2)
    mended = source({"name": "line", "from": "id,name"}, format={"kind": "csv", "delimiter": ";"})
    ingest(tables, landing, [file], mended)
    assert contents(tables, "quarantine") == []


def test_records_that_went_astray_between_reading_and_writing_are_noticed(
    tables, landing, monkeypatch
):
    monkeypatch.setattr(step, "read_records", lossy(step.read_records))
    files = ingest(tables, landing, [land(landing, "a.csv", NASTY["good.csv"])])
    conform = Conform(source=SHOP, as_of=DAY, run_id="r1")
    with pytest.raises(CountMismatch, match=r"read 2, but accepted 1 \+ quarantined 0"):
        conform.run(tables, files, progress=print)
    assert not tables.exists("silver.shop")


def lossy(read_records):
    def read(*args):
        rows, summaries = read_records(*args)
        return rows.where("_record % 2 = 0"), summaries

    return read


def real(folder):
    if not (DATA / folder).is_dir():
        pytest.skip(f"no folder {folder} under GOLDENLAKE_DATA")
    return DATA / folder


def test_305_days_of_purchases_are_caught_up_in_one_go(tables, landing):
    columns = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice",
               "CustomerID", "Country")  # fmt: skip
    shop = source(*[{"name": name.lower(), "from": name} for name in columns])
    with tarfile.open(real("online_retail_by_day") / "by-day.tar.gz") as archive:
        files = [
            land(landing, member.name, archive.extractfile(member).read())
            for member in archive
            if member.name.endswith(".csv")
        ]
    done = ingest(tables, landing, files, shop)
    assert len(done) == 305
    assert sum(file.records_read for file in done) == 541_909
    assert sum(file.records_quarantined for file in done) == 0
    assert len(tables.read("bronze.shop").inputFiles()) <= 8


def test_the_one_malformed_line_of_a_real_access_log_is_set_aside(tables, landing):
    content = (real("apache_logs") / "apache_access.log").read_bytes()
    log = source("host", "time", "request", "user_agent", format={"kind": "access_log"})
    [done] = ingest(tables, landing, [land(landing, "access.log", content)], log)
    assert (done.records_read, dict(done.reasons)) == (10_000, {"log_format": 1})


def test_the_cut_off_last_line_of_real_events_is_set_aside(tables, landing):
    names = ("event_time", "event_type", "product_id", "category_id", "category_code", "brand",
             "price", "user_id", "user_session")  # fmt: skip
    content = (real("rees46_events") / "2019-Oct_first3h.csv").read_bytes()
    [done] = ingest(tables, landing, [land(landing, "oct.csv", content)], source(*names))
    assert (done.records_read, dict(done.reasons)) == (17_435, {"truncated": 1})
