"""The sample world is honest about itself: who is who, and what was planted in its files."""

from __future__ import annotations

import csv
import io
from collections import Counter

import phonenumbers
import pytest

from goldenlake.sample import SampleSummary
from goldenlake.sample.mess import with_typo
from support.sample_files import (
    Row,
    csv_rows,
    json_rows,
    log_rows,
    parquet_rows,
    persons,
    planted,
    text_of,
    till_rows,
    truth_of,
    workbook_rows,
)


def keys(world: SampleSummary, source: str) -> set[object]:
    rows = truth_of(world, source)
    told = [row["record_key"] for row in rows]
    assert len(set(told)) == len(told), f"{source}: truth tells a record twice"
    return set(told)


def blank(value: str | None) -> str | None:
    return None if value in ("-", "", None) else value


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


def test_the_truth_tells_which_customers_of_the_erp_are_spelled_in_latin_letters(
    world: SampleSummary,
) -> None:
    in_cyrillic = {row["person_id"] for row in persons(world) if row["cyrillic"]}
    names = {
        row["customer_number"]: str(row["name"])
        for row in parquet_rows(world, "customers_*.parquet")
    }
    told = [row for row in truth_of(world, "erp_customers") if row["person_id"] in in_cyrillic]
    latin = {row["record_key"] for row in told if row["traits"] == ["latin_spelling"]}
    assert latin == {row["record_key"] for row in told if names[row["record_key"]].isascii()}
    assert 0 < len(latin) < len(told)


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
