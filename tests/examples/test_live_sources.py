"""Declared examples are sound, and say what the real systems answer to."""

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from goldenlake.declarations.loader import load_catalogue
from goldenlake.io.landing import LocalLanding
from goldenlake.steps.pull import Pull
from support.live import Mailman, Tryton
from support.vendors import Outside

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 'base_url: "http://127.0.0.1:8000", auth: {kind: none}'
SYSTEMS = ("hubspot", "klaviyo", "mailchimp", "mailman", "salesforce", "sendgrid", "tryton")


@pytest.fixture
def conf(tmp_path):
    """The project's own declarations, and all examples beside them."""
    found = tmp_path / "conf"
    shutil.copytree(ROOT / "conf", found)
    for example in SYSTEMS:
        shutil.copytree(ROOT / "examples" / example, found, dirs_exist_ok=True)
    with (found / "env" / "local.yml").open("a") as local:
        local.write("\nconnections:\n")
        local.writelines(f"  {system}: {{system: {system}, {NOBODY}}}\n" for system in SYSTEMS)
    return found


@pytest.fixture
def catalogue(conf):
    return load_catalogue(conf, environment="local")


class Clock:
    def now(self):
        return datetime(2026, 12, 1, 2, tzinfo=UTC)


def pulled(source, outside, folder):
    """What a night lands of a source."""
    step = Pull(source=source, origin=source.origin, as_of=date(2026, 12, 1), run_id="r")
    landing = LocalLanding(folder)
    landed = step.run(outside.api("live"), landing, [], Clock())
    lines = []
    for row in landed.files:
        with landing.open(row.landed_path) as opened:
            lines += opened.read().splitlines()
    return [json.loads(line) for line in lines]


def test_all_examples_are_sound_beside_the_declarations_of_the_project(catalogue):
    declared = {path.stem for each in SYSTEMS for path in (ROOT / "examples" / each).glob("so*/*")}
    assert {"tryton_parties", "klaviyo_events"} <= declared <= set(catalogue.sources)
    assert {"tryton_parties", "mailman_news"} <= set(catalogue.destinations)


@pytest.mark.live
def test_a_roster_comes_page_by_page(catalogue, mailman: Mailman, tmp_path):
    source = catalogue.sources["mailman_roster"]
    news = mailman.make_list("newsletter_readers")
    names = [f"p{at}@example.com" for at in range(5)]
    for name in names:
        mailman.join(news, name)
    paging = source.origin.paging.model_copy(update={"size": 2})
    origin = source.origin.model_copy(update={"paging": paging})
    user = {"kind": "basic", "user": "restadmin", "password": {"env": "GOLDENLAKE_TEST_TOKEN"}}
    outside = Outside(mailman.base_url, "mailman", {"auth": user})
    found = pulled(source.model_copy(update={"origin": origin}), outside, tmp_path / "landing")
    assert [each["email"] for each in found] == names


@pytest.mark.live
@pytest.mark.parametrize("parties", [4, 5, 6])
def test_every_party_comes_although_a_range_ends_before_its_last(
    catalogue, tryton: Tryton, tmp_path, parties
):
    """``Range: records=0-100`` gives a hundred of them. Two are the template's own."""
    mechanism = {"type": "email", "value": "ann@example.com"}
    some = [{"name": f"P{at}"} for at in range(parties - 3)]
    ann = {"name": "Ann", "contact_mechanisms": [["create", [mechanism]]]}
    tryton.call("POST", "party.party/create", {"vlist": [*some, ann]})
    source = catalogue.sources["tryton_parties"]
    paging = source.origin.paging.model_copy(update={"size": 2})
    origin = source.origin.model_copy(update={"paging": paging})
    source = source.model_copy(update={"origin": origin})
    found = pulled(source, Outside(tryton.base_url, "tryton"), tmp_path / "landing")
    assert len({each["id"] for each in found}) == len(found) == parties
    assert found[-1]["email"] == "ann@example.com"
    assert set(source.column_names) - {"party"} <= set(found[0])


@pytest.mark.live
def test_opportunities_sales_and_invoices_come_with_plain_values(
    catalogue, tryton: Tryton, tmp_path
):
    def one(name):
        source = catalogue.sources[name]
        (found,) = pulled(source, Outside(tryton.base_url, "tryton"), tmp_path / name)
        wanted = {column.source or column.name for column in source.columns if not column.derive}
        assert wanted <= set(found)
        assert datetime.fromisoformat(str(found.get("changed_at", found.get("last_modified_at"))))
        assert found["party_email"] == "template@example.com"
        return found

    assert one("tryton_opportunities")["amount"] == "1200.50"
    sale = one("tryton_sales")
    assert (sale["sold_on"], sale["unit_price"], sale["state"]) == (
        "2026-01-02", "30.10", "quotation",
    )  # fmt: skip
    assert one("tryton_invoices")["total_amount"] == "120.40"
