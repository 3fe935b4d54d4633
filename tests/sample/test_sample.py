"""The sample world: reproducible, readable, and honest about itself."""

import csv
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import numpy as np
import openpyxl
import phonenumbers
import pyarrow.parquet as pq
import pytest

from goldenlake.errors import SetupError
from goldenlake.sample import SampleOptions, SampleSummary, arrived, generate
from goldenlake.sample import visits as visiting
from goldenlake.sample.mess import with_typo, written_phone
from goldenlake.sample.places import COUNTRIES
from goldenlake.sample.planting import population

LOG_LINE = re.compile(
    r'(?P<host>\S+) (\S+) (\S+) \[(?P<at>[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d{3}) '
    r'(?P<size>\d+|-) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)" "(?P<cookie>[^"]*)" '
    r'"(?P<account>[^"]*)"'
)
ENCODINGS = {"berlin": "latin-1", "london": "cp1252", "lyon": "cp1252"}
Row = dict[str, str | None]


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def make(out: Path, seed: int = 7, customers: int = 120, days: int = 2) -> SampleSummary:
    return generate(SampleOptions(customers=customers, days=days, seed=seed, out=out))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    """600 people from a Thursday to a Sunday."""
    return make(tmp_path_factory.mktemp("world") / "out", customers=600, days=4)


def text_of(path: Path, encoding: str = "utf-8") -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode(encoding)


def csv_rows(world: SampleSummary, pattern: str, encoding: str = "utf-8") -> Iterator[Row]:
    for path in sorted((world.out / "drops").glob(pattern)):
        reader = csv.DictReader(io.StringIO(text_of(path, encoding), newline=""))
        for row in reader:
            assert None not in row, f"{path.name}: a row has more fields than the header"
            assert None not in row.values(), f"{path.name}: a row has too few fields"
            yield row


def json_rows(world: SampleSummary, pattern: str) -> Iterator[Row]:
    for path in sorted((world.out / "drops").glob(pattern)):
        text = text_of(path)
        lines = text.split("\n")
        for line in lines[:-1]:
            yield json.loads(line)
        if lines[-1]:
            with pytest.raises(json.JSONDecodeError):
                json.loads(lines[-1])


def log_rows(world: SampleSummary) -> tuple[list[dict[str, str]], int]:
    rows, malformed = [], 0
    for path in sorted((world.out / "drops/web").glob("access_*.log.gz")):
        for line in gzip.decompress(path.read_bytes()).split(b"\n")[:-1]:
            match = LOG_LINE.fullmatch(line.decode("utf-8", "replace"))
            if match:
                rows.append(match.groupdict())
            else:
                malformed += 1
    return rows, malformed


def till_rows(world: SampleSummary) -> Iterator[Row]:
    for path in sorted((world.out / "drops/shops").glob("*/*.csv")):
        text = text_of(path, ENCODINGS[path.parent.name])
        yield from csv.DictReader(io.StringIO(text, newline=""), delimiter=";")


def workbook_rows(world: SampleSummary) -> Iterator[dict[str, object]]:
    for path in sorted((world.out / "drops/shops").glob("*/*.xlsx")):
        workbook = openpyxl.load_workbook(path)
        header, *rows = workbook.active.iter_rows(values_only=True)
        for row in rows:
            yield dict(zip(header, row, strict=True))


def parquet_rows(world: SampleSummary, pattern: str) -> list[dict[str, object]]:
    return [
        row
        for path in sorted((world.out / "drops/erp").glob(pattern))
        for row in pq.read_table(path).to_pylist()
    ]


def truth_of(world: SampleSummary, source: str) -> list[dict[str, object]]:
    table = pq.read_table(world.out / "truth/records.parquet")
    return [row for row in table.to_pylist() if row["source"] == source]


def keys(world: SampleSummary, source: str) -> set[object]:
    rows = truth_of(world, source)
    told = [row["record_key"] for row in rows]
    assert len(set(told)) == len(told), f"{source}: truth tells a record twice"
    return set(told)


def planted(world: SampleSummary) -> dict[str, dict[str, object]]:
    return json.loads((world.out / "truth/planted.json").read_text(encoding="utf-8"))


def persons(world: SampleSummary) -> list[dict[str, object]]:
    return pq.read_table(world.out / "truth/persons.parquet").to_pylist()


def blank(value: str | None) -> str | None:
    return None if value in ("-", "", None) else value


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


# --- truth ----------------------------------------------------------------------------------


def test_truth_knows_every_keyed_record(world: SampleSummary) -> None:
    assert keys(world, "crm_contacts") == {
        row["contact_id"] for row in csv_rows(world, "crm/contacts_*.csv", "utf-8-sig")
    }
    assert keys(world, "crm_deals") == {
        row["deal_id"] for row in csv_rows(world, "crm/deals_*.csv")
    }
    assert keys(world, "crm_tickets") == {
        row["ticket_id"] for row in csv_rows(world, "crm/tickets_*.csv.gz")
    }
    assert keys(world, "crm_calls") == {
        row["call_id"] for row in json_rows(world, "crm/calls_*.jsonl")
    }
    assert keys(world, "consents") == {
        row["consent_id"] for row in csv_rows(world, "consents/consents_*.csv")
    }
    assert keys(world, "erp_customers") == {
        row["customer_number"] for row in parquet_rows(world, "customers_*.parquet")
    }


def subjects(world: SampleSummary, source: str, *columns: str) -> set[tuple[object, ...]]:
    return {tuple(row[column] for column in columns) for row in truth_of(world, source)}


def test_truth_knows_every_subject_of_the_web(world: SampleSummary) -> None:
    seen = {(blank(row["cookie"]), blank(row["account"])) for row in log_rows(world)[0]}
    assert subjects(world, "web_access", "cookie", "account_id") == seen - {(None, None)}
    seen_events = {
        (row["visitor_id"], row["account_id"], row["email"])
        for row in json_rows(world, "web/events_*.jsonl")
    }
    assert subjects(world, "web_events", "cookie", "account_id", "email") == seen_events


def test_truth_knows_every_subject_of_mail_orders_and_audiences(world: SampleSummary) -> None:
    mailed = {(row["email"].lower(),) for row in json_rows(world, "esp/events_*.jsonl.gz")}
    assert subjects(world, "esp_events", "email") == mailed
    ordered = {(row["customer_number"],) for row in parquet_rows(world, "orders_*.parquet")}
    assert subjects(world, "erp_orders", "customer_number") == ordered
    bought = {
        (blank(row["email_sha256"]), blank(row["phone_sha256"]))
        for row in csv_rows(world, "audience/partner_*.csv")
    }
    assert subjects(world, "audience_partner", "email_sha256", "phone_sha256") == bought


def canonical_phone(written: object, regions: tuple[str, ...]) -> set[str]:
    """E.164 readings of what a till holds, one for each region it may come from."""
    text = f"+{int(written)}" if isinstance(written, float) else str(written).lstrip("'")
    found = set()
    for region in regions:
        number = phonenumbers.parse(text, region)
        if phonenumbers.is_valid_number(number):
            found.add(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return found


REGIONS = {"london": ("GB",), "edinburgh": ("GB",), "berlin": ("DE",), "lyon": ("FR",)}


@pytest.mark.parametrize("source", ["shop_purchases", "shop_workbooks"])
def test_truth_knows_every_subject_of_the_shops(world: SampleSummary, source: str) -> None:
    rows = till_rows(world) if source == "shop_purchases" else workbook_rows(world)
    told = subjects(world, source, "loyalty_card", "phone", "email")
    seen = set()
    for row in rows:
        card = row["loyalty_card"]
        card = str(int(card)) if isinstance(card, float) else card or None
        email = str(row["email"]).lower() if row["email"] else None
        phones: set[str | None] = {None}
        if row["phone"]:
            phones = {*canonical_phone(row["phone"], REGIONS.get(row["shop"], ("BG", "RU")))}
        candidates = {(card, phone, email) for phone in phones} & (told | {(None, None, None)})
        assert candidates, row
        seen |= candidates
    assert seen - {(None, None, None)} == told


def test_nobody_shares_an_identifier_unless_it_was_planted(world: SampleSummary) -> None:
    for identifier, shared in (("email", "shares_email"), ("phone", "shares_phone")):
        holders = Counter(person[identifier] for person in persons(world))
        assert sum(count - 1 for count in holders.values()) == sum(
            person[shared] for person in persons(world)
        )
    for source, identifier in (
        ("shop_purchases", "loyalty_card"),
        ("web_events", "account_id"),
        ("erp_orders", "customer_number"),
    ):
        owners: dict[object, set[object]] = {}
        for row in truth_of(world, source):
            if row[identifier]:
                owners.setdefault(row[identifier], set()).add(row["person_id"])
        assert owners
        assert all(len(people) == 1 for people in owners.values())


def test_strangers_and_bots_belong_to_nobody(world: SampleSummary) -> None:
    nobodys = {row["cookie"] for row in truth_of(world, "web_access") if not row["person_id"]}
    somebodys = {row["cookie"] for row in truth_of(world, "web_access") if row["person_id"]}
    assert nobodys
    assert not nobodys & somebodys


def test_a_cookie_of_two_accounts_is_a_family_computer(world: SampleSummary) -> None:
    families = {p["person_id"]: p["family_id"] for p in persons(world) if p["family_computer"]}
    users: dict[object, set[object]] = {}
    for row in truth_of(world, "web_events"):
        if row["person_id"]:
            users.setdefault(row["cookie"], set()).add(row["person_id"])
    shared = [people for people in users.values() if len(people) > 1]
    assert shared
    for people in shared:
        assert len({families[person] for person in people}) == 1


# --- mess -----------------------------------------------------------------------------------


def test_planted_traits_of_persons_are_those_of_the_truth(world: SampleSummary) -> None:
    rows = persons(world)
    told = planted(world)["persons"]
    for trait, count in told.items():
        if trait.endswith("_on"):
            assert sum(bool(row[trait]) for row in rows) == count, trait
        else:
            assert sum(row[trait] for row in rows) == count, trait
    assert all(told[t] for t in ("nickname", "cyrillic", "shares_phone", "family_computer"))
    assert all(told[t] for t in ("joined_on", "email_changes_on", "moves_on", "leaves_crm_on"))


def test_planted_traits_of_contacts_are_those_of_the_truth(world: SampleSummary) -> None:
    traits = Counter(t for row in truth_of(world, "crm_contacts") for t in row["traits"])
    assert dict(traits) == planted(world)["contacts"]


def test_planted_placeholders_stand_in_the_snapshots(world: SampleSummary) -> None:
    first_seen: dict[str | None, Row] = {}
    for row in csv_rows(world, "crm/contacts_*.csv", "utf-8-sig"):
        first_seen.setdefault(row["contact_id"], row)
    found = Counter()
    for row in first_seen.values():
        found["placeholder_email"] += row["email"] == "noemail@example.com"
        found["placeholder_phone"] += row["phone"] == "000000000"
        found["default_birth_date"] += row["birth_date"] == "1900-01-01"
        found["day_first_birth_date"] += row["birth_date"][2:3] == "/"
        found["apostrophe_phone"] += row["phone"].startswith("'+")
        found["newline_in_street"] += "\n" in row["street"]
        found["lost_leading_zeros"] += 0 < len(row["customer_number"]) < 10
        found["zero_width"] += "\u200b" in row["last_name"]
    told = planted(world)["contacts"]
    for mess in ("placeholder_email", "placeholder_phone", "default_birth_date"):
        assert found[mess] == told[mess], mess
    for mess in ("day_first_birth_date", "apostrophe_phone", "newline_in_street"):
        assert found[mess] == told.get(mess, 0), mess
    assert found["zero_width"] == told.get("zero_width", 0)
    assert 0 < found["lost_leading_zeros"] <= told["lost_leading_zeros"]


def test_planted_mess_of_rows_is_found_in_the_files(world: SampleSummary) -> None:
    told = planted(world)["rows"]
    rows, malformed = log_rows(world)
    assert malformed == told["malformed_log_lines"] > 0
    assert sum("confirm?email=" in row["request"] for row in rows) == told["email_in_url"]
    assert 0.08 < told["bot_hits"] / len(rows) < 0.16
    events = Counter(
        line
        for path in (world.out / "drops/web").glob("events_*.jsonl")
        for line in text_of(path).split("\n")[:-1]
    )
    assert sum(count - 1 for count in events.values()) == told["duplicate_events"] > 0
    till_returns = sum(row["quantity"].startswith("-") for row in till_rows(world))
    typed = list(workbook_rows(world))
    assert till_returns + sum(row["quantity"] < 0 for row in typed) == told["returned_lines"]
    assert sum(isinstance(row["phone"], float) for row in typed) == told["phone_as_number"]
    assert sum(isinstance(row["loyalty_card"], float) for row in typed) == told["card_as_number"]
    repeated = 0
    for path in (world.out / "drops/crm").glob("contacts_*.csv"):
        ids = Counter(row["contact_id"] for row in csv_rows(world, f"crm/{path.name}", "utf-8-sig"))
        repeated += sum(count - 1 for count in ids.values())
    assert repeated == told["same_day_corrections"] > 0


def test_a_correction_of_the_same_day_is_told_later_than_what_it_corrects(
    world: SampleSummary,
) -> None:
    rows: dict[str | None, list[Row]] = {}
    for row in csv_rows(world, "crm/contacts_2026-01-01.csv", "utf-8-sig"):
        rows.setdefault(row["contact_id"], []).append(row)
    (wrong, right), *_ = [pair for pair in rows.values() if len(pair) == 2]
    assert wrong["last_name"] != right["last_name"]
    assert wrong["updated_at"] < right["updated_at"]


def test_changes_of_the_day_show_in_the_next_snapshot(world: SampleSummary) -> None:
    def snapshot(day: str) -> dict[str | None, Row]:
        rows = csv_rows(world, f"crm/contacts_{day}.csv", "utf-8-sig")
        return {row["contact_id"]: row for row in rows}

    first, last = snapshot("2026-01-01"), snapshot("2026-01-04")
    assert first.keys() - last.keys(), "nobody was deleted at the source"
    assert last.keys() - first.keys(), "nobody joined"
    stays = first.keys() & last.keys()
    for column in ("email", "street"):
        changed = [key for key in stays if first[key][column] != last[key][column]]
        assert changed
        assert all(first[key]["updated_at"] < last[key]["updated_at"] for key in changed)


def test_a_deal_that_closes_is_told_again_with_a_later_change(world: SampleSummary) -> None:
    told: dict[str | None, list[Row]] = {}
    for row in csv_rows(world, "crm/deals_*.csv"):
        told.setdefault(row["deal_id"], []).append(row)
    again = [rows for rows in told.values() if len(rows) > 1]
    assert again
    for opened, closed in again:
        assert opened["stage"] == "open"
        assert closed["stage"] in {"won", "lost"}
        assert opened["updated_at"] < closed["updated_at"]
        assert opened["created_at"] == closed["created_at"]


def test_web_orders_are_booked_in_the_erp(world: SampleSummary) -> None:
    shop = {
        (row["order_id"], row["product_id"].replace("p", "SKU-"), row["quantity"])
        for row in json_rows(world, "web/events_*.jsonl")
        if row["type"] == "purchase"
    }
    erp = {
        (row["order_number"], row["sku"], row["quantity"])
        for row in parquet_rows(world, "orders_*.parquet")
        if row["channel"] == "web"
    }
    assert shop
    assert shop == erp


def test_the_corrected_purchases_hold_a_known_line_with_other_content(
    world: SampleSummary,
) -> None:
    folder = world.out / "drops/shops/london"

    def lines(name: str) -> dict[tuple[str, str], Row]:
        text = text_of(folder / name, "cp1252")
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=";")
        return {(row["receipt_no"], row["line_no"]): row for row in rows}

    before, after = lines("purchases_20260101.csv"), lines("purchases_20260101_v2.csv")
    assert after
    assert all(before[key] != row for key, row in after.items())


def test_a_resent_file_has_the_same_content_under_another_name(world: SampleSummary) -> None:
    (resent,) = planted(world)["files"]["resent"]
    first = world.out / resent.replace("calls_resent_", "calls_")
    assert first.read_bytes() == (world.out / resent).read_bytes() != b""


def test_berlin_is_closed_on_sundays_and_lyon_is_not(world: SampleSummary) -> None:
    shops = world.out / "drops/shops"
    assert not (shops / "berlin/purchases_20260104.csv").exists()
    assert (shops / "lyon/purchases_20260104.csv").exists()
    assert planted(world)["files"]["closed_on_sunday"] == [
        "drops/shops/berlin/purchases_20260104.csv"
    ]


def test_one_days_events_end_in_the_middle_of_a_line(world: SampleSummary) -> None:
    (cut,) = planted(world)["files"]["truncated_last_line"]
    assert not (world.out / cut).read_bytes().endswith(b"\n")
    whole = [p for p in (world.out / "drops/web").glob("events_*") if p != world.out / cut]
    assert all(path.read_bytes().endswith(b"\n") for path in whole)


@pytest.mark.parametrize("draw", range(40))
def test_a_typo_keeps_the_first_letter_and_changes_the_rest(draw: int) -> None:
    assert with_typo("Hollow", draw) != "Hollow"
    assert with_typo("Hollow", draw)[0] == "H"


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


def test_memory_does_not_grow_with_the_days(tmp_path: Path) -> None:
    def peak_kilobytes(days: int) -> int:
        command = [sys.executable, "-c", MEASURE, "20000", str(days), str(tmp_path / str(days))]
        jobs = Path(__file__).parents[2] / "jobs"
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(jobs)}
        )
        return int(done.stdout)

    assert peak_kilobytes(16) < 1.25 * peak_kilobytes(2)
