"""Plans and the data dictionary as people read them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from goldenlake.cli.installation import PROJECT
from goldenlake.declarations.loader import load_catalogue
from goldenlake.declarations.table import Table
from goldenlake.reporting.arrivals import arrivals_text
from goldenlake.reporting.dictionary import data_dictionary
from goldenlake.reporting.facts import DriftFacts
from goldenlake.reporting.page import night_page
from goldenlake.reporting.plans import plan_text
from support.nights import good_night


@dataclass(frozen=True)
class Segment:
    segment: str = "newsletter_readers"
    members: int = 4210
    added: int = 112
    updated: int = 28
    removed: int = 22
    unchanged: int = 3837
    held_back: dict[str, int] = field(default_factory=lambda: {"no_consent": 188, "no_key": 1})
    calls: int = 2
    minutes: float | None = 0.25
    entered: int = 120
    exited: int = 31
    overlap: dict[str, int] = field(default_factory=lambda: {"win_back": 17})
    changed_fields: dict[str, int] = field(default_factory=lambda: {"email": 9, "country": 2})
    samples: dict[str, list[str]] = field(default_factory=lambda: {"add": ["c_aaa", "c_bbb"]})


@dataclass(frozen=True)
class Plan:
    destination: str = "letters"
    as_of: date = date(2026, 1, 3)
    plan_hash: str = "abc123"
    segments: tuple[Segment, ...] = (Segment(),)
    in_flight: int = 0
    is_approved: bool = False
    objections: tuple[str, ...] = ()


def shown(what: RenderableType, width: int = 120) -> str:
    out = io.StringIO()
    Console(file=out, width=width, no_color=True).print(what)
    return out.getvalue()


def test_a_plan_shows_every_number_and_why_people_are_held_back() -> None:
    text = shown(plan_text(Plan()))
    numbers = next(line for line in text.splitlines() if "4,210" in line).split()
    assert numbers == ["newsletter_readers", "4,210", "112", "28", "22", "3,837", "189", "2", "0.2"]
    assert "newsletter_readers: held back: no_consent 188, no_key 1" in text
    assert "for example c_aaa, c_bbb" in text
    assert "newsletter_readers: entered 120, exited 31" in text
    assert "newsletter_readers: updates change email 9, country 2" in text
    assert "newsletter_readers: shares members with win_back 17" in text
    assert "letters, 2026-01-03: plan abc123" in text


def test_a_plan_of_unknown_length_and_without_reasons_leaves_them_out() -> None:
    text = shown(plan_text(Plan(segments=(Segment(minutes=None, held_back={}, samples={}),))))
    assert "held back:" not in text
    assert "for example" not in text


def test_a_guard_s_objection_stands_with_what_is_to_be_done() -> None:
    objected = Plan(objections=("letters: 900 would be removed; the limit is 100 [of 4000].",))
    text = " ".join(shown(plan_text(objected, options="--env moon")).split())
    assert "900 would be removed; the limit is 100 [of 4000]." in text
    assert "goldenlake approve --env moon letters --plan abc123" in text
    approved = shown(plan_text(Plan(objections=("x: too many.",), is_approved=True)))
    assert "approved" in approved
    assert "goldenlake approve" not in approved


def test_an_interrupted_delivery_is_told() -> None:
    assert "1,500 records of an interrupted delivery" in shown(plan_text(Plan(in_flight=1500)))


def test_a_plan_can_be_read_on_a_narrow_screen() -> None:
    long = Segment(segment="newsletter_readers_of", members=123456, unchanged=98765)
    text = shown(plan_text(Plan(segments=(long,))), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "newsletter_readers_of" in text
    assert text.split("123,456")[1].split()[0] == "112"
    assert "98,765" in text
    assert "…" not in text


def table(**others: Any) -> Table:
    standard: dict[str, Any] = {
        "table": "gold.things",
        "description": "Things that we know.",
        "grain": "A thing.",
        "key": ["thing_id"],
        "columns": [
            {"name": "thing_id", "type": "STRING", "doc": "Its name."},
            {
                "name": "size", "type": "STRING", "doc": "S | M\n| L.", "personal": "contact",
                "survivorship": {"rule": "most_trusted", "sources": ["crm", "shop"]},
            },
        ],
    }  # fmt: skip
    return Table.model_validate(standard | others)


def test_the_dictionary_has_every_column_with_its_class_and_how_its_value_wins() -> None:
    text = data_dictionary([table()])
    assert "## gold.things\n\nThings that we know.\n\nOne row: A thing. Key: `thing_id`." in text
    assert "| `thing_id` | STRING | none | Its name. |" in text
    assert "| `size` | STRING | contact | S \\| M \\| L. Survivorship: most trusted" in text
    assert "(crm, then shop). |" in text


def test_the_dictionary_is_in_the_order_of_names() -> None:
    text = data_dictionary([table(table="gold.b"), table(table="gold.a")])
    assert text.index("## gold.a") < text.index("## gold.b")


def test_the_dictionary_in_the_docs_is_what_the_declarations_say() -> None:
    declared = load_catalogue(PROJECT / "conf", environment="local").tables.values()
    written = Path(PROJECT / "docs" / "dictionary.md").read_text(encoding="utf-8")
    assert written == data_dictionary(declared), "run `make docs`"


@dataclass(frozen=True)
class File:
    source: str
    status: str
    path: str = "x.csv"
    file_on: date = date(2026, 1, 3)
    records_read: int | None = 10
    records_quarantined: int | None = 0
    error: str | None = None


def test_files_are_counted_by_source_and_status_and_broken_ones_say_why() -> None:
    files = [
        File("crm", "conformed", file_on=date(2026, 1, 2)),
        File("crm", "conformed", records_quarantined=4),
        File("crm", "landed", records_read=None, records_quarantined=None),
        File("erp", "broken", error="erp: [x.csv]: columns are missing."),
    ]
    text = shown(arrivals_text(files))
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines()]
    assert ["crm", "conformed", "2", "20", "4", "2026-01-03"] in rows
    assert ["crm", "landed", "1", "0", "0", "2026-01-03"] in rows
    assert ["erp", "broken", "1", "10", "0", "2026-01-03"] in rows
    assert "erp: [x.csv]: columns are missing." in text
    assert "No file has been landed." in shown(arrivals_text([]))


def test_columns_that_are_not_as_declared_stand_below_the_files_and_on_the_page() -> None:
    drift = DriftFacts(source="crm", column="colour", kind="new", since=date(2026, 1, 2), files=3)
    text = shown(arrivals_text([File("crm", "conformed")], [drift]))
    assert "new crm: colour, in 3 of the newest files, since 2026-01-02" in text
    page = night_page(replace(good_night(), drift=[drift]))
    assert "Columns that differ from the contract" in page
    assert all(told in page for told in ("colour", "2026-01-02"))
    assert "Columns that differ from the contract" not in night_page(good_night())
