"""A no reaches whom it was said of, also where no record of theirs says it any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.environment import Retention
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.io.landing import LocalLanding
from goldenlake.io.tables import DeltaTables
from goldenlake.quality.audit import audit
from goldenlake.steps.expire import Expire
from goldenlake.steps.files import FileRow
from goldenlake.steps.generations import latest_generation
from goldenlake.steps.people import Newest
from support.activation import destination
from support.bronze import ingested, source_of
from support.conforming import DAY, conform, silver
from support.golden_world import built, declared_tables, silent

pytestmark = pytest.mark.usefixtures("interpreted")
RULES = IdentityRules.model_validate(
    {
        "identifiers": {
            "contact": {"description": "Number in the CRM.", "strength": "unique"},
            "email": {
                "description": "E-mail address.",
                "strength": "strong",
                "block_patterns": ["info@"],
            },
            "login": {"description": "Name of an account.", "strength": "strong"},
            "phone": {
                "description": "Telephone number.",
                "strength": "strong",
                "unless_differ": ["birth_on"],
            },
        }
    }
)
WORDS = {
    "constant_purpose": "marketing", "status": "said",
    "statuses": {"yes": "granted", "no": "withdrawn"},
}  # fmt: skip
MAILED = WORDS | {"at": "at", "constant_channel": "email"}


def source(name: str, load: str, *columns: str, **declared: Any) -> Source:
    """A source whose identifiers are the columns that are named like one."""
    typed = {"at": {"type": "timestamp"}, "birth_on": {"type": "date"}}
    attributes = {each: each for each in columns if each in ("email", "phone", "birth_on")}
    return source_of(
        **{
            "source": name,
            "load": load,
            "snapshot": {"least_share": 0},
            "columns": [{"name": each, **typed.get(each, {})} for each in columns],
            "identifiers": {each: each for each in columns if each in RULES.identifiers},
            **({} if load == "append" else {"key": [columns[0]], "attributes": attributes}),
            **declared,
        }
    )


CRM = source("crm", "snapshot", "contact", "email", "phone", "birth_on")
SHOP = source("shop", "increment", "id", "email", "said", "at", consents=[MAILED])
NOTICES = source("notices", "append", "contact", "phone", "said", "at", consents=[MAILED])
VISITS = source("visits", "append", "email", "login", "phone", "page")


def came(tables: DeltaTables, of: Source, n: int, *rows: str) -> None:
    """Bring a file of day ``n``: ``1 a@x _ 1970-01-01``, the columns in turn, ``_`` for no value.
    The time is that of the day.
    """
    names = [name for name in of.column_names if name != "at"]
    listed = [
        dict(zip(names, (None if part == "_" else part for part in row.split()), strict=True))
        | ({"at": f"{DAY[n]}T08:00:00Z"} if "at" in of.column_names else {})
        for row in rows
    ]
    file: FileRow = ingested(tables, of, f"{of.source}-{n}.csv", listed, file_on=DAY[n])
    conform(tables, of, file)


def expire(tables: DeltaTables, folder: Path, of: Source) -> None:
    """All that an append source has brought is over."""
    step = Expire(
        sources=[of.model_copy(update={"keep": "30d"})],
        retention=Retention(),
        as_of=DAY[0] + timedelta(days=90),
        run_id="upkeep",
    )
    assert step.run(tables, LocalLanding(folder), silent).counts[of.source] > 0


def night(tables: DeltaTables, n: int, *sources: Source) -> dict[str, str]:
    """What counts of everybody who has an address, by the address's first letter."""
    built(tables, sources, RULES, DAY[n])
    said = tables.read("gold.consents").join(tables.read("gold.customers"), "customer_id")
    return {row["email"][0]: row["status"] for row in said.where("email IS NOT NULL").collect()}


def test_a_no_by_the_number_of_a_contact_outlives_the_contact(tables: DeltaTables) -> None:
    three = CRM, SHOP, NOTICES
    came(tables, SHOP, 0, "7 a@x.com yes", "8 b@x.com yes")
    came(tables, CRM, 1, "1 a@x.com _ _", "2 b@x.com _ _")
    came(tables, NOTICES, 1, "1 _ no")
    assert night(tables, 1, *three) == {"a": "withdrawn", "b": "granted"}
    came(tables, CRM, 2, "2 b@x.com _ _")
    assert night(tables, 2, *three) == {"a": "withdrawn", "b": "granted"}


def test_a_no_by_a_shared_number_is_heard_for_each_of_those_who_share_it(
    tables: DeltaTables,
) -> None:
    """A couple on one line: who of them has called is not known, unless something else says so."""
    three = CRM, SHOP, NOTICES
    came(tables, SHOP, 0, "7 a@x.com yes", "8 b@x.com yes")
    came(tables, CRM, 0, "1 a@x.com +4930123456 1970-01-01", "2 b@x.com +4930123456 1971-01-01")
    came(tables, NOTICES, 1, "1 +4930123456 no")
    assert night(tables, 1, *three) == {"a": "withdrawn", "b": "granted"}, "it was contact 1"
    came(tables, NOTICES, 2, "_ +4930123456 no")
    assert night(tables, 2, *three) == {"a": "withdrawn", "b": "withdrawn"}
    came(tables, SHOP, 3, "8 b@x.com yes")
    assert night(tables, 3, *three) == {"a": "withdrawn", "b": "granted"}


def test_a_no_under_a_placeholder_is_of_nobody_though_one_record_alone_bears_it(
    tables: DeltaTables,
) -> None:
    leads = source("leads", "snapshot", "contact", "email", "said", "at", consents=[MAILED])
    came(tables, SHOP, 0, "7 a@x.com yes")
    came(tables, CRM, 0, "1 a@x.com _ _")
    came(tables, leads, 1, "1 info@x.com _", "9 info@x.com no")
    came(tables, leads, 2, "1 info@x.com _")
    assert held(tables, 2, CRM, SHOP, leads) == {"info@x.com"}, "it is held back as an address"
    assert [row["status"] for row in tables.read("gold.consents").collect()] == ["granted"]
    values = tables.read("gold.identifiers").where("identifier = 'email'").collect()
    assert {row["value"]: row["is_linking"] for row in values} == {
        "a@x.com": True,
        "info@x.com": False,
    }


def test_who_is_gone_tells_nothing_of_who_said_no_under_their_placeholder(
    tables: DeltaTables,
) -> None:
    leads = source("leads", "snapshot", "contact", "email", "phone")
    notes = source("notes", "append", "email", "said", "at", consents=[MAILED])
    came(tables, SHOP, 0, "7 a@x.com yes")
    came(tables, leads, 1, "9 info@x.com +4930123456", "8 b@x.com _")
    came(tables, leads, 2, "8 b@x.com _")
    came(tables, CRM, 2, "1 a@x.com +4930123456 _")
    came(tables, notes, 2, "info@x.com no")
    assert night(tables, 2, CRM, SHOP, leads, notes) == {"a": "granted"}


def test_a_placeholder_does_not_say_whose_no_by_a_shared_number_it_is(tables: DeltaTables) -> None:
    calls = source("calls", "append", "email", "phone", "said", "at", consents=[MAILED])
    came(tables, SHOP, 0, "7 a@x.com yes", "8 b@x.com yes")
    came(tables, CRM, 0, "1 a@x.com +4930123456 1970-01-01", "2 b@x.com +4930123456 1971-01-01")
    came(tables, calls, 1, "info@x.com +4930123456 no")
    assert night(tables, 1, CRM, SHOP, calls) == {"a": "withdrawn", "b": "withdrawn"}


def test_a_no_reaches_whom_an_event_alone_tied_to_it_when_the_event_is_over(
    tables: DeltaTables, tmp_path: Path
) -> None:
    """Once by one event, once by two that share a name and go one after the other."""
    brought = SHOP, NOTICES, VISITS
    came(tables, SHOP, 0, "7 a@x.com yes", "8 b@x.com yes", "9 c@x.com yes")
    came(tables, NOTICES, 0, "_ +4930123456 no", "_ +4930765432 no")
    came(
        tables, VISITS, 0, "a@x.com _ +4930123456 /a", "b@x.com _ +4930999999 /b", "c@x.com cy _ /c"
    )
    came(tables, VISITS, 1, "a@x.com _ +4930123456 /again", "_ cy +4930765432 /c")
    refused = {"a": "withdrawn", "b": "granted", "c": "withdrawn"}
    assert night(tables, 1, *brought) == refused

    expire(tables, tmp_path, VISITS)
    assert silver(tables, VISITS, "email", "login", "phone", layer="superseded") == [
        (None, "cy", "+4930765432"),
        ("a@x.com", None, "+4930123456"),
        ("c@x.com", "cy", None),
    ], "of who said no, each set of names once"
    assert "page" not in tables.read("superseded.visits").columns, "and nothing else"
    assert tables.read("silver.visits").isEmpty()
    assert night(tables, 2, *brought) == refused

    came(tables, VISITS, 3, "a@x.com _ +4930123456 /more", "a@x.com ann _ /new")
    assert night(tables, 3, *brought) == refused
    expire(tables, tmp_path, VISITS)
    assert len(silver(tables, VISITS, "email", layer="superseded")) == 4
    assert night(tables, 4, *brought) == refused


def test_of_an_event_that_is_over_no_name_stays_that_links_nobody(
    tables: DeltaTables, tmp_path: Path
) -> None:
    came(tables, SHOP, 0, "7 a@x.com no", "8 b@x.com yes")
    came(
        tables, VISITS, 0,
        "info@x.com ann _ /1", "info@x.com bob _ /2", "a@x.com ann +4930123456 /3",
        "info@x.com ann +4930123456 /4", "info@x.com _ +4930777777 /5", "b@x.com bob _ /6",
    )  # fmt: skip
    assert night(tables, 0, SHOP, VISITS) == {"a": "withdrawn", "b": "granted"}
    expire(tables, tmp_path, VISITS)
    assert silver(tables, VISITS, "email", "login", "phone", layer="superseded") == [
        (None, "ann", "+4930123456"),
        ("a@x.com", "ann", "+4930123456"),
    ]


def test_names_of_events_that_no_generation_knows_stay_whole(
    tables: DeltaTables, tmp_path: Path
) -> None:
    """Whether their people said no is not known yet."""
    came(tables, SHOP, 0, "7 a@x.com yes")
    night(tables, 0, SHOP)
    came(tables, NOTICES, 1, "_ +4930123456 no")
    came(tables, VISITS, 1, "a@x.com _ +4930123456 /a")
    expire(tables, tmp_path, VISITS)
    assert night(tables, 2, SHOP, NOTICES, VISITS) == {"a": "withdrawn"}


def test_a_no_of_what_is_nobodys_record_holds_for_who_bears_its_address(
    tables: DeltaTables,
) -> None:
    companies = source(
        "companies", "increment", "id", "email", "kind", "said", "at",
        consents=[MAILED], people="kind = 'person'",
    )  # fmt: skip
    came(tables, SHOP, 0, "7 a@x.com yes", "8 b@x.com yes")
    came(tables, companies, 1, "1 a@x.com company no", "2 b@x.com person no")
    assert night(tables, 1, companies, SHOP) == {"a": "withdrawn", "b": "withdrawn"}


def test_a_no_without_a_purpose_or_a_channel_is_about_each(tables: DeltaTables) -> None:
    named = {each: WORDS[each] for each in ("status", "statuses")}
    asked = source(
        "asked", "append", "email", "why", "way", "said", "at",
        consents=[named | {"at": "at", "purpose": "why", "channel": "way"}],
    )  # fmt: skip
    came(
        tables, asked, 0,
        "a@x.com _ _ no", "b@x.com marketing email yes",
        "c@x.com marketing _ yes", "d@x.com _ email yes",
    )  # fmt: skip
    built(tables, [asked], RULES, DAY[0])
    said = tables.read("gold.consents")
    rows = said.select("purpose", "channel", "status").collect()
    assert sorted(map(tuple, rows)) == [
        ("any", "any", "withdrawn"),
        ("marketing", "email", "granted"),
    ]
    verdicts = audit([(declared_tables()["gold.consents"], said)], docs=None, progress=silent)
    assert [str(each) for each in verdicts if not each.passed] == []


@pytest.mark.parametrize("load", ["increment", "append"])
def test_a_yes_without_a_time_is_older_than_any_no_where_rows_are_written_anew(
    tables: DeltaTables, load: str
) -> None:
    agreed = WORDS | {"at": "agreed_at", "constant_channel": "email"}
    letters = source("letters", load, "email", "said", "agreed_at", consents=[agreed])
    came(tables, SHOP, 0, "7 a@x.com no")
    came(tables, letters, 1, "a@x.com yes _")
    is_event = load == "append"
    assert night(tables, 1, letters, SHOP) == {"a": "granted" if is_event else "withdrawn"}


def test_a_no_of_who_is_gone_holds_for_the_address_by_whatever_name(tables: DeltaTables) -> None:
    accounts = source("accounts", "snapshot", "login", "said", "at", consents=[MAILED])
    came(tables, SHOP, 0, "7 a@x.com yes", "8 b@x.com yes")
    came(tables, accounts, 1, "a@x.com no", "b@x.com yes")
    assert held(tables, 1, accounts, SHOP) == {"a@x.com"}
    came(tables, accounts, 2, "b@x.com yes")
    assert held(tables, 2, accounts, SHOP) == {"a@x.com"}


def held(tables: DeltaTables, n: int, *sources: Source) -> set[str]:
    """Addresses of e-mail that nobody may be sent to at, be they known as logins."""
    built(tables, sources, RULES, DAY[n])
    generation = latest_generation(tables)
    assert generation is not None
    policy = {
        "purposes": {"marketing": {"description": "x"}},
        "channels": {"email": {"addresses": ["email", "login"]}},
    }
    newest = Newest(
        tables=tables,
        generation=generation,
        destination=destination(fields={}),
        consent=ConsentPolicy.model_validate(policy),
        at=datetime(2026, 4, 1, tzinfo=UTC),
        sources=list(sources),
    )
    return {row["key"] for row in newest.opted_out.collect()}
