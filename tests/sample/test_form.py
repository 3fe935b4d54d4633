"""The sample world in its form: reproducible, readable, one night after another, of any size."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import zipfile
from datetime import date, datetime
from pathlib import Path

import numpy as np
import phonenumbers
import pytest

from goldenlake.errors import SetupError
from goldenlake.sample import SampleOptions, SampleSummary, arrived
from goldenlake.sample import visits as visiting
from goldenlake.sample.mess import written_phone
from goldenlake.sample.places import COUNTRIES
from goldenlake.sample.planting import population
from support.sample_files import (
    csv_rows,
    hashes,
    json_rows,
    log_rows,
    make,
    parquet_rows,
    persons,
    planted,
    till_rows,
    workbook_rows,
)

# --- reproducible ---------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b")
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


def test_no_file_carries_the_time_of_its_writing(world: SampleSummary) -> None:
    for path in (world.out / "drops").rglob("*.gz"):
        assert path.read_bytes()[3:8] == bytes(5), f"{path.name} has a name or a time in its header"
    for path in (world.out / "drops").rglob("*.xlsx"):
        with zipfile.ZipFile(path) as archive:
            assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_another_seed_gives_other_files(tmp_path: Path) -> None:
    make(tmp_path / "a", seed=7)
    make(tmp_path / "b", seed=8)
    a, b = hashes(tmp_path / "a/drops"), hashes(tmp_path / "b/drops")
    assert a.keys() == b.keys()
    assert all(a[name] != b[name] for name in a)


def test_a_sample_is_not_written_over_another(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(SetupError, match="already holds a sample"):
        make(tmp_path)


@pytest.mark.parametrize("customers", [1, 2, 3])
def test_the_smallest_worlds_can_be_written(tmp_path: Path, customers: int) -> None:
    assert make(tmp_path, customers=customers, days=1).total_rows > 0


# --- readable -------------------------------------------------------------------------------


def test_every_file_parses_and_holds_as_many_records_as_reported(world: SampleSummary) -> None:
    counted = {
        "crm_contacts": len(list(csv_rows(world, "crm/contacts_*.csv", "utf-8-sig"))),
        "crm_deals": len(list(csv_rows(world, "crm/deals_*.csv"))),
        "crm_tickets": len(list(csv_rows(world, "crm/tickets_*.csv.gz"))),
        "crm_calls": len(list(json_rows(world, "crm/calls_*.jsonl"))),
        "web_access": len(log_rows(world)[0]),
        "web_events": len(list(json_rows(world, "web/events_*.jsonl"))),
        "shop_purchases": len(list(till_rows(world))),
        "shop_workbooks": len(list(workbook_rows(world))),
        "esp_events": len(list(json_rows(world, "esp/events_*.jsonl.gz"))),
        "erp_customers": len(parquet_rows(world, "customers_*.parquet")),
        "erp_orders": len(parquet_rows(world, "orders_*.parquet")),
        "audience_partner": len(list(csv_rows(world, "audience/partner_*.csv"))),
        "consents": len(list(csv_rows(world, "consents/consents_*.csv"))),
    }
    assert counted == world.rows


def test_the_ledger_of_arrivals_lists_every_file(world: SampleSummary) -> None:
    with (world.out / "arrivals.csv").open(encoding="utf-8") as file:
        listed = [row["path"] for row in csv.DictReader(file)]
    there = {f"drops/{name}" for name in hashes(world.out / "drops")}
    assert sorted(listed) == sorted(there)
    assert len(listed) == world.files


def test_access_logs_are_ordered_by_time(world: SampleSummary) -> None:
    stamps = [datetime.strptime(row["at"], "%d/%b/%Y:%H:%M:%S %z") for row in log_rows(world)[0]]
    assert stamps == sorted(stamps)


def test_slices_of_a_day_follow_each_other_and_lose_no_hit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(visiting, "_SLICE", 20)
    options = SampleOptions(customers=3_000, days=1, seed=3, out=tmp_path)
    slices = list(visiting.visits(population(options), options, 0))
    assert len(slices) > 5
    hits = np.concatenate(slices)
    assert (np.diff(hits["second"]) >= 0).all()
    for session in np.unique(hits["session"]):
        positions = hits["position"][hits["session"] == session]
        assert positions.tolist() == list(range(len(positions)))
    before_midnight = hits[(hits["order"] >= 0) & (hits["second"] < 82_800)]
    finished = hits["order"][hits["kind"] == visiting.PURCHASE]
    assert set(before_midnight["order"].tolist()) <= set(finished.tolist()) != set()


def test_workbook_cells_are_typed(world: SampleSummary) -> None:
    rows = list(workbook_rows(world))
    assert {type(row["sold_at"]) for row in rows} == {datetime}
    assert {type(row["receipt_no"]) for row in rows} == {float}
    assert {type(row["quantity"]) for row in rows} == {int}


def test_phones_are_valid_in_their_country(world: SampleSummary) -> None:
    for person in persons(world):
        number = phonenumbers.parse(person["phone"])
        assert phonenumbers.is_valid_number(number)
        assert phonenumbers.region_code_for_number(number) == person["country"]


@pytest.mark.parametrize("style", range(8))
def test_every_way_of_writing_a_phone_leads_back_to_the_number(
    world: SampleSummary, style: int
) -> None:
    for person in persons(world)[:60]:
        country = COUNTRIES.index(person["country"])
        written = written_phone(person["phone"], country, style).lstrip("'")
        number = phonenumbers.parse(written, person["country"])
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        assert e164 == person["phone"], written


# --- nights ---------------------------------------------------------------------------------


def test_nights_can_be_played_one_after_another(world: SampleSummary, tmp_path: Path) -> None:
    late = {Path(name) for name in planted(world)["files"]["late"]}
    assert late
    seen: set[Path] = set()
    for day in (1, 2, 3, 4):
        new = arrived(world.out, date(2026, 1, day), tmp_path)
        assert new
        assert not seen & set(new)
        seen |= set(new)
        for name in late:
            due = re.sub(r"\D", "", name.name)[:8] < f"202601{day:02d}"
            assert (tmp_path / name.relative_to("drops")).exists() == due
    assert hashes(tmp_path) == hashes(world.out / "drops")
    assert arrived(world.out, date(2026, 1, 4), tmp_path) == []


# --- size -----------------------------------------------------------------------------------

MEASURE = """
import resource, sys
from pathlib import Path
from goldenlake.sample import SampleOptions, generate
generate(SampleOptions(customers=int(sys.argv[1]), days=int(sys.argv[2]), seed=1,
                       out=Path(sys.argv[3])))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_days(tmp_path: Path) -> None:
    def peak_kilobytes(days: int) -> int:
        command = [sys.executable, "-c", MEASURE, "20000", str(days), str(tmp_path / str(days))]
        jobs = Path(__file__).parents[2] / "jobs"
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(jobs)}
        )
        return int(done.stdout)

    assert peak_kilobytes(16) < 1.25 * peak_kilobytes(2)
