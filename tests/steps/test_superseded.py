"""A no holds for the name under which it was said, also where its record bears another since."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest

from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.io.tables import DeltaTables
from goldenlake.schemas import conformed
from goldenlake.steps.files import FileRow
from goldenlake.steps.generations import Generation
from goldenlake.steps.refusals import refusals
from support.bronze import ingested, source_of
from support.conforming import DAY, conform
from support.golden_world import built

pytestmark = pytest.mark.usefixtures("interpreted")
LOADS = ("increment", "snapshot")
RULES = IdentityRules.model_validate(
    {"identifiers": {"email": {"description": "E-mail address.", "strength": "strong"}}}
)
MAILED = {
    "at": "edited", "constant_purpose": "marketing", "constant_channel": "email",
    "status": "said", "statuses": {"yes": "granted", "no": "withdrawn"},
}  # fmt: skip


def contacts(load: str = "increment", **declared: Any) -> Source:
    """Contacts with what they said to the newsletter, and when the contact was edited."""
    return source_of(
        **{
            "load": load,
            "key": ["id"],
            "order_by": ["edited"],
            "snapshot": {"least_share": 0},
            "columns": [
                {"name": "id"},
                {"name": "email", "normalise": "email"},
                {"name": "said"},
                {"name": "edited", "type": "timestamp"},
            ],
            "identifiers": {"email": "email"},
            "attributes": {"email": "email"},
            "consents": [MAILED],
            **declared,
        }
    )


def day(tables: DeltaTables, source: Source, n: int, rows: str) -> FileRow:
    """``rows`` is like ``1a- 2b+ 3c?``: contact 1 bears a and says no, 2 bears b and agrees,
    3 bears c and says nothing.
    """
    listed = [
        {
            "id": row[0],
            "email": f"{row[1]}@example.com" if row[1] != "_" else None,
            "said": {"-": "no", "+": "yes", "?": None}[row[2]],
            "edited": f"{DAY[n]}T08:00:00Z",
        }
        for row in rows.split()
    ]
    return ingested(tables, source, f"{n}.csv", listed, file_on=DAY[n])


def refused(tables: DeltaTables, source: Source) -> str:
    """Contacts and addresses of which a no is kept that silver has no more, like ``1a 2b``."""
    versions = {name: tables.version(name) for name in conformed(source.source)}
    at = Generation(
        generation=1,
        as_of=date(2026, 3, 9),
        inputs={name: of for name, of in versions.items() if of is not None},
    )
    found = refusals(tables, at, [source])
    rows = found.collect() if found is not None else []
    assert {row["status"] for row in rows} <= {"withdrawn"}
    return " ".join(sorted(row["record_id"].split(":")[1] + row["value"][0] for row in rows))


@pytest.mark.parametrize("load", LOADS)
def test_a_no_is_kept_under_the_address_that_its_record_lost(
    tables: DeltaTables, load: str
) -> None:
    source = contacts(load)
    conform(tables, source, day(tables, source, 0, "1a- 2b- 3c+ 4d-"))
    conform(tables, source, day(tables, source, 1, "1x- 2_+ 3y- 4d+"))
    assert refused(tables, source) == "1a 2b"
    # Under what it bears again it is the record's own word that counts.
    conform(tables, source, day(tables, source, 2, "1a+ 2_+ 3y- 4d+"))
    assert refused(tables, source) == "1x 2b"


@pytest.mark.parametrize("load", LOADS)
def test_a_no_is_kept_that_only_one_of_the_files_of_a_night_had(
    tables: DeltaTables, load: str
) -> None:
    source = contacts(load)
    conform(tables, source, day(tables, source, 0, "1a+"))
    night = (day(tables, source, 1, "1b-"), day(tables, source, 2, "1c+"))
    conform(tables, source, *night)
    assert refused(tables, source) == "1b"


@pytest.mark.parametrize("load", LOADS)
def test_only_a_yes_takes_back_a_no_and_no_answer_does_not(tables: DeltaTables, load: str) -> None:
    source = contacts(load)
    conform(tables, source, day(tables, source, 0, "1a- 2b- 3c- 4d+"))
    conform(tables, source, day(tables, source, 1, "1a? 2b? 3x? 4d?"))
    assert refused(tables, source) == "1a 2b 3c"
    conform(tables, source, day(tables, source, 2, "1a+ 2b? 3x? 4d?"))
    assert refused(tables, source) == "2b 3c"
    conform(tables, source, day(tables, source, 3, "1a? 2b- 3x? 4d?"))
    assert refused(tables, source) == "3c", "what contact 1 said last was yes; 2 says no itself"


def test_a_no_about_one_channel_is_not_taken_back_by_a_yes_about_another(
    tables: DeltaTables,
) -> None:
    mapping = {
        "at": "edited", "constant_purpose": "marketing", "channel": "email", "status": "said",
        "statuses": {"yes": "granted", "no": "withdrawn"},
    }  # fmt: skip
    source = contacts(identifiers={"contact": "id"}, consents=[mapping])
    conform(tables, source, day(tables, source, 0, "1a-"))
    conform(tables, source, day(tables, source, 1, "1b+"))
    assert refused(tables, source) == "11"


def test_whoever_still_bears_that_address_is_held_to_the_no(tables: DeltaTables) -> None:
    crm, shop = contacts(), contacts(source="shop")

    def night(n: int) -> dict[str, str]:
        done = built(tables, [crm, shop], RULES, DAY[n])
        assert done.details["is_incremental"] is (n > 1)
        said = tables.read("gold.consents").join(tables.read("gold.customers"), "customer_id")
        return {row["email"][0]: row["status"] for row in said.collect()}

    conform(tables, shop, day(tables, shop, 0, "7a+"))
    conform(tables, crm, day(tables, crm, 1, "1a-"))
    assert night(1) == {"a": "withdrawn"}
    conform(tables, crm, day(tables, crm, 2, "1x-"))
    assert night(2) == {"a": "withdrawn", "x": "withdrawn"}
    conform(tables, shop, day(tables, shop, 3, "7a+"))
    assert night(3) == {"a": "granted", "x": "withdrawn"}, "a later yes counts"


@pytest.mark.parametrize("load", LOADS)
def test_what_is_kept_is_written_once_and_found_again_in_files_that_are_replayed(
    tables: DeltaTables, load: str
) -> None:
    source = contacts(load)
    first, second = day(tables, source, 0, "1a-"), day(tables, source, 1, "1x+")
    for file in (first, second, second, first):
        conform(tables, source, file)
    assert refused(tables, source) == "1a"
    assert tables.read("superseded.crm").count() == 1
    # A lake from before there was such a table.
    tables.restore("superseded.crm", None)
    conform(tables, source, first, second)
    assert refused(tables, source) == "1a"


@pytest.mark.parametrize("load", LOADS)
def test_a_file_that_is_read_again_beside_a_newer_one_leaves_each_row_once(
    tables: DeltaTables, load: str
) -> None:
    source = contacts(load)
    first, second = day(tables, source, 0, "1a- 2b+"), day(tables, source, 1, "1x- 2y+")
    conform(tables, source, first)
    conform(tables, source, first, second)
    assert refused(tables, source) == "1a"
    assert tables.read("superseded.crm").count() == 2


def test_a_no_is_kept_that_what_stands_in_silver_overtakes_by_a_time_that_was_mended(
    tables: DeltaTables,
) -> None:
    def read_by(wanted: str) -> Source:
        named = [column.model_dump(by_alias=True) for column in contacts().columns[:-1]]
        return contacts(columns=[*named, {"name": "edited", "type": "date", "formats": [wanted]}])

    def came(n: int, email: str, said: str | None, edited: str) -> FileRow:
        row = {"id": "1", "email": f"{email}@example.com", "said": said, "edited": edited}
        return ingested(tables, source, f"{n}.csv", [row], file_on=DAY[n])

    source = read_by("MM/dd/yyyy")
    first = came(0, "b", None, "05/02/2025")
    conform(tables, source, first)
    source = read_by("dd/MM/yyyy")
    conform(tables, source, first, came(1, "a", "no", "02/03/2025"))
    assert refused(tables, source) == "1a"


def test_a_row_of_which_a_mapping_cannot_be_judged_says_nothing_and_stops_nothing(
    tables: DeltaTables,
) -> None:
    source = contacts(consents=[MAILED | {"only": "cast(id AS INT) > 0"}])
    conform(tables, source, day(tables, source, 0, "1a- xa-"))
    conform(tables, source, day(tables, source, 1, "1b- xb-"))
    assert refused(tables, source) == "1a"


def test_nothing_is_kept_of_sources_that_state_no_consent(tables: DeltaTables) -> None:
    for source in (contacts(consents=[]), contacts("append", attributes={})):
        conform(tables, source, day(tables, source, 0, "1a-"))
        conform(tables, source, day(tables, source, 1, "1x-"))
        assert not tables.exists("superseded.crm")
        tables.restore("silver.crm", None)


@pytest.mark.parametrize("load", LOADS)
def test_a_no_is_kept_however_files_arrive(tables: DeltaTables, load: str) -> None:
    dice = random.Random(f"in any order, {load}")
    source = contacts(load)
    said = [
        {key: dice.choice("abc_") + dice.choice("-+?") for key in "1234567" if dice.random() < 0.8}
        for _ in range(5)
    ]
    files = [
        day(tables, source, n, " ".join(f"{key}{of}" for key, of in rows.items()))
        for n, rows in enumerate(said)
    ]
    dice.shuffle(files)
    cut = dice.randrange(1, 4)
    for batch in (files[:cut], files[cut : cut + 1], files[cut + 1 :]):
        if batch:
            conform(tables, source, *batch)

    last = {(key, of[0]): of[1] for rows in said for key, of in rows.items() if of[1] != "?"}
    newest = {key: of for rows in said for key, of in rows.items()}
    alive = newest if load == "increment" else said[-1]
    own = {(key, of[0]) for key, of in alive.items() if of[1] != "?"}
    lost = {
        key + address
        for (key, address), word in last.items()
        if word == "-" and address != "_" and (key, address) not in own
    }
    assert lost, "or there is nothing to keep"
    assert refused(tables, source) == " ".join(sorted(lost))
