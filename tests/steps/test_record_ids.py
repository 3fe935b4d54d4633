"""Records are called by the mapping that is declared, whenever their rows came."""

from __future__ import annotations

from typing import Any

import pytest

from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.io.tables import DeltaTables
from goldenlake.steps.record_ids import renew_ids
from support.bronze import ingested, source_of
from support.conforming import DAY, conform
from support.resolving import publish, resolve

pytestmark = pytest.mark.usefixtures("interpreted")
COLUMNS = ("cookie", "account", "kind", "agent")
ROWS = [("k", "A", "person", "Mozilla/5.0"), ("k", "B", "person", "Googlebot/2.1")]
ROWS += [("k", None, "company", None)]
RULES = IdentityRules.model_validate(
    {
        "identifiers": {
            "account": {"description": "", "strength": "unique"},
            "cookie": {"description": "", "strength": "weak", "unless_differ": ["account"]},
        }
    }
)


def web(load: str = "append", **declared: Any) -> Source:
    return source_of(
        source="web",
        load=load,
        columns=[{"name": name} for name in COLUMNS],
        **{"identifiers": {"cookie": "cookie"}, **declared},
    )


BOTH = {"identifiers": {"cookie": "cookie", "account": "account"}}


def came(tables: DeltaTables, source: Source, n: int, *rows: tuple[str | None, ...]) -> None:
    listed = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    conform(tables, source, ingested(tables, source, f"{n}.csv", listed, file_on=DAY[n]))


def known(tables: DeltaTables) -> list[dict[str, str]]:
    """What each record is known by."""
    rows = tables.read("identity.records").where("is_active").collect()
    return sorted(
        ({pair["name"]: pair["value"] for pair in row["identifiers"]} for row in rows), key=str
    )


def test_rows_of_one_cookie_become_three_records_when_accounts_are_mapped(
    tables: DeltaTables,
) -> None:
    came(tables, web(), 0, *ROWS)
    resolve(tables, DAY[0], RULES, {"web": web()})
    publish(tables, DAY[0])
    assert known(tables) == [{"cookie": "k"}]

    resolve(tables, DAY[1], RULES, {"web": web(**BOTH)})
    whole = [{"account": each, "cookie": "k"} for each in "AB"]
    assert known(tables) == [*whole, {"cookie": "k"}]
    # It was not published, and is taken back.
    came(tables, web(**BOTH), 1, ("k", "C", "person", None))
    resolve(tables, DAY[2], RULES, {"web": web()})
    assert known(tables) == [{"cookie": "k"}]


def test_no_value_is_so_odd_that_two_records_are_one(tables: DeltaTables) -> None:
    source = web(**BOTH)
    came(tables, source, 0, ("k", "A", None, None), (None, "A\x1fcookie=k", None, None))
    resolve(tables, DAY[0], RULES, {"web": source})
    assert known(tables) == [{"account": "A", "cookie": "k"}, {"account": "A\x1fcookie=k"}]


@pytest.mark.parametrize(
    ("before", "after", "ids"),
    [
        (web(), web(**BOTH), 3),
        (web(), web(people="kind = 'person'"), 1),
        (web(people="kind = 'company'"), web(), 1),
        (web(**BOTH), web(bots={"user_agent": "agent"}, **BOTH), 2),
        (web(bots={"user_agent": "agent"}, **BOTH), web(**BOTH), 3),
        (
            web("increment", key=["account"]),
            web("increment", key=["account"], attributes={"email": "kind"}),
            2,
        ),
    ],
)
def test_stored_ids_are_those_that_rows_would_get_today(
    tables: DeltaTables, before: Source, after: Source, ids: int
) -> None:
    came(tables, before, 0, *(row for row in ROWS if row[1] or not before.key))
    old = called(tables)
    renew_ids(tables, [after], lambda _: None)
    renewed = called(tables)
    assert renewed != old
    assert len({name for name in renewed.values() if name}) == ids

    at = tables.version("silver.web")
    renew_ids(tables, [after], lambda _: None)
    assert tables.version("silver.web") == at, "nothing is left to do"
    came(tables, after, 0, *(row for row in ROWS if row[1] or not after.key))
    assert called(tables) == renewed
    renew_ids(tables, [before], lambda _: None)
    assert called(tables) == old


def test_nobody_is_no_person_any_more_for_want_of_a_column_that_was_not_declared_when_they_came(
    tables: DeltaTables,
) -> None:
    keyed: dict[str, Any] = {"load": "increment", "key": ["account"]}
    before = web(**keyed)
    declared = [column for column in before.columns if column.name != "kind"]
    before = before.model_copy(update={"columns": declared})
    came(tables, before, 0, ("k", "A", "person", None), ("k", "B", "company", None))
    after = web(**keyed, people="kind = 'person'", identifiers={"account": "account"})
    came(tables, after, 1, ("k", "C", "company", None), ("k", "D", None, None))

    renew_ids(tables, [after], lambda _: None)

    renewed = called(tables)
    assert (renewed["C"], renewed["D"]) == (None, None)
    assert renewed["A"] != renewed["B"], "by the identifiers of today"
    assert None not in (renewed["A"], renewed["B"])


def called(tables: DeltaTables) -> dict[str | None, str | None]:
    """The record of each row, by its account."""
    rows = tables.read("silver.web").select("account", "record_id").collect()
    found = {row["account"]: row["record_id"] for row in rows}
    assert len(found) == len(rows)
    return found
