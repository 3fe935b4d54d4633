"""The declared examples are sound, and bring in what their systems really answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from ruamel.yaml import YAML
from werkzeug import Request

from goldenlake.declarations.source import Source
from support.pulling import EXAMPLES, Nights, columns_read, example
from support.vendors import Answer, Vendor, route
from support.vendors.hubspot import Hubspot

SOURCES = sorted(EXAMPLES.glob("*/sources/*.yml"))


class Suppressions(Vendor):
    """SendGrid's lists of addresses that it sends nothing to."""

    specs = ("sendgrid/tsg_suppressions_v3.json",)

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def page(self, request: Request, name: str) -> Answer:
        since, first = int(request.args["start_time"]), int(request.args["offset"])
        found = [each for each in self.rows.get(name, []) if each["created"] >= since]
        return Answer(found[first : first + int(request.args["limit"])])

    @route("GET", "/v3/suppression/bounces")
    def bounces(self, request: Request) -> Answer:
        return self.page(request, "bounces")

    @route("GET", "/v3/suppression/spam_reports")
    def spam_reports(self, request: Request) -> Answer:
        return self.page(request, "spam_reports")

    @route("GET", "/v3/suppression/unsubscribes")
    def unsubscribes(self, request: Request) -> Answer:
        return self.page(request, "unsubscribes")


def brought(
    source: Source, vendor: Vendor, tmp_path: Path, nights: int = 1
) -> list[list[dict[str, Any]]]:
    """The records that each night lands."""
    several = Nights(source, vendor, tmp_path)
    return [several.night() for _ in range(nights)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_an_example_is_a_sound_source_of_its_own_name(path: Path) -> None:
    source = Source.model_validate(YAML(typ="safe").load(path.read_text()))
    assert source.source == path.stem
    assert source.columns[0].name in source.key


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((f"5.1.{detail}", "hard_bounce") for detail in (1, 2, 3, 4, 6, 10)),
        ("5.1.1 (user unknown)", "hard_bounce"),
        *((status, "hard_bounce") for status in ("5.2.1", "5.4.4")),
        # Of either address, of a valid one, of the sender's, of a relay on the way.
        *((f"5.1.{detail}", "bounce") for detail in (0, 5, 7, 8, 9, 11, 100)),
        *((status, "bounce") for status in ("5.2.2", "5.7.1", "15.1.1", "")),
    ],
)
def test_only_what_is_said_of_the_recipient_closes_a_mailbox(status: str, kind: str) -> None:
    told = next(each for each in example("mail_bounces").columns if each.name == "kind").derive
    [case] = sqlglot.transpile(str(told), read="spark", write="duckdb")
    report = "SELECT 'failed' AS action, NULL::VARCHAR AS feedback_type, $status AS status"
    found = duckdb.execute(f"SELECT {case} FROM ({report})", {"status": status}).fetchone()
    assert found == (kind,)


@pytest.fixture
def hubspot() -> Iterator[Hubspot]:
    vendor = Hubspot()
    for at in range(5):
        vendor.contacts[str(at)] = {
            "email": f"p{at}@example.com", "firstname": f"P{at}", "lastname": "Q", "phone": "1",
            "country": "DE",
        }  # fmt: skip
        vendor.changed[str(at)] = 1_770_000_000_000 + at * 3_600_000
    return vendor


def test_contacts_of_hubspot_come_from_where_the_last_night_ended(
    hubspot: Hubspot, tmp_path: Path
) -> None:
    source = example("hubspot_contacts")
    first, second = brought(source, hubspot, tmp_path, nights=2)
    assert [each["id"] for each in first] == ["0", "1", "2", "3", "4"]
    assert [each["id"] for each in second] == ["3", "4"], "the overlap of an hour"
    assert columns_read(source) <= set(first[0])
    assert first[0]["given_name"] == "P0"


@pytest.mark.parametrize("name", ["bounces", "spam_reports", "unsubscribes"])
def test_suppressions_of_sendgrid_come_once_and_with_all_that_is_declared(
    name: str, tmp_path: Path
) -> None:
    vendor = Suppressions()
    others = {
        "bounces": {"reason": "550 5.1.1 no such user", "status": "5.1.1"},
        "spam_reports": {"ip": "10.0.0.1"},
        "unsubscribes": {},
    }[name]
    vendor.rows[name] = [
        {"created": 1_770_000_000 + at, "email": f"p{at}@example.com", **others} for at in range(3)
    ]
    source = example(f"sendgrid_{name}")
    first, second, third = brought(source, vendor, tmp_path, nights=3)
    assert [each["email"] for each in first] == [f"p{at}@example.com" for at in range(3)]
    assert second == third == [], "the overlap alone, word for word"
    assert columns_read(source) <= set(first[0])
    assert source.consents[0].statuses


def test_more_contacts_than_a_search_gives_come_though_all_changed_within_the_overlap(
    hubspot: Hubspot, tmp_path: Path
) -> None:
    everybody = {str(at): 1_770_000_000_000 + at * 1000 for at in range(50)}
    hubspot.contacts = {contact: {"email": f"p{contact}@example.com"} for contact in everybody}
    hubspot.changed, hubspot.page_size, hubspot.search_ends = everybody, 4, 12
    first, second, third = brought(example("hubspot_contacts"), hubspot, tmp_path, nights=3)
    assert [each["id"] for each in first] == list(everybody), "each once"
    assert second == third == [], "the overlap alone, word for word"


def test_a_contact_that_is_edited_while_pages_are_read_hides_no_other(
    hubspot: Hubspot, tmp_path: Path
) -> None:
    def edited() -> None:
        hubspot.meanwhile = lambda: None
        hubspot.changed["0"] = max(hubspot.changed.values()) + 1

    hubspot.meanwhile = edited
    (found,) = brought(example("hubspot_contacts"), hubspot, tmp_path)
    assert [each["id"] for each in found] == ["0", "1", "2", "3", "4", "0"]


def test_contacts_of_one_instant_are_more_than_a_page(hubspot: Hubspot, tmp_path: Path) -> None:
    hubspot.changed = dict.fromkeys(hubspot.changed, 1_770_000_000_000)
    (found,) = brought(example("hubspot_contacts"), hubspot, tmp_path)
    assert [each["id"] for each in found] == ["0", "1", "2", "3", "4"]
