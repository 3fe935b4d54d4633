"""Back to an earlier generation: seen at once, and never sent from before another one is built."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from unittest.mock import Mock

import pytest

from goldenlake.errors import (
    ExitCode,
    GenerationClosed,
    GenerationIsOld,
    GenerationMoved,
    TableMissing,
    TableUnreadable,
)
from goldenlake.io.tables import DeltaTables
from goldenlake.schemas import PUBLICATIONS
from goldenlake.steps.generations import (
    Generation,
    generations,
    latest_generation,
    publications,
    read,
    refuse_a_return,
    roll_back,
)
from goldenlake.steps.reading import generation_of
from goldenlake.steps.verify import Verify
from support import gold
from support.lake import forget_logs
from support.newsletter import NEXT, write
from support.resolving import CRM, RULES, customer_of, publish, resolve, silver
from support.scenario import Scenario

DAY = date(2026, 3, 1)
AT = datetime(2026, 3, 2, tzinfo=UTC)
LATER = date(2026, 3, 3)


@pytest.fixture
def two(tables: DeltaTables) -> list[Generation]:
    """A generation of Ann, and one of Ann and Bob, who came with a later file."""
    for people in (["ann"], ["ann", "bob"]):
        gold.publish(tables, DAY, {"gold.customers": [gold.customer(name) for name in people]})
    return generations(tables)


def back(tables: DeltaTables, to: Generation) -> Generation:
    return roll_back(tables, to, run_id="r", published_at=AT)


def test_readers_see_the_earlier_tables_under_a_new_number(
    tables: DeltaTables, two: list[Generation]
) -> None:
    given = back(tables, two[0])

    assert given == latest_generation(tables)
    assert (given.generation, given.returns_to) == (3, 1)
    [row] = read(tables, given, "gold.customers").collect()
    assert row["customer_id"] == "ann"


def test_nothing_is_sent_from_a_return_before_a_night_has_built_on_it(
    tables: DeltaTables,
) -> None:
    """Also where no file has come since: declarations may have heard more consents than before."""
    strict = RULES.model_copy(update={"largest_cluster": 20})
    silver(tables, CRM, [{"contact": "ann", "account": "a"}], DAY)
    for rules in (RULES, strict):
        resolve(tables, DAY, rules, {"crm": CRM})
        publish(tables, DAY)
    refuse_a_return(tables)

    back(tables, generations(tables)[0])
    with pytest.raises(GenerationIsOld, match="generation 3 is a return to 1"):
        refuse_a_return(tables)

    assert resolve(tables, LATER, RULES, {"crm": CRM}).status == "done"
    publish(tables, LATER)
    refuse_a_return(tables)
    assert resolve(tables, LATER, RULES, {"crm": CRM}).status == "skipped"


def test_the_newest_and_what_upkeep_has_removed_cannot_be_returned_to(
    tables: DeltaTables, two: list[Generation]
) -> None:
    with pytest.raises(GenerationMoved):
        back(tables, two[1])
    tables.purge(["gold.customers"])
    with pytest.raises(TableUnreadable, match=r"gold\.customers"):
        back(tables, two[0])
    assert latest_generation(tables) == two[1]


def test_a_generation_that_an_erasure_closed_is_neither_returned_to_nor_read(
    tables: DeltaTables, two: list[Generation]
) -> None:
    first, second = (row.asDict() for row in publications(tables))
    closed = first | {"tables": {}, "inputs": {}}
    tables.overwrite("ops.publications", tables.frame([closed, second], PUBLICATIONS.ddl))

    with pytest.raises(GenerationClosed, match="generation 1 was closed by an erasure"):
        back(tables, generations(tables)[0])
    with pytest.raises(GenerationClosed):
        generation_of(tables, 1)
    assert latest_generation(tables) == two[1]


def test_a_lake_that_has_lost_its_publications_is_not_taken_for_a_new_one(
    tables: DeltaTables,
) -> None:
    """Everybody would get another id, and no gate would see it."""
    for number in (1, 2):
        silver(tables, CRM, [{"contact": f"ann{number}", "account": "a"}], DAY)
        resolve(tables, DAY, RULES, {"crm": CRM})
        publish(tables, DAY)
    before = customer_of(tables)
    shutil.rmtree(tables.location("ops.publications"))
    forget_logs(tables.spark)

    with pytest.raises(TableMissing, match=r"ops\.publications .* generation 1 was built on"):
        resolve(tables, LATER, RULES, {"crm": CRM})

    assert customer_of(tables) == before
    [gap] = Verify(sources=[], destinations=[]).run(tables, Mock(), print)
    assert (gap.check, gap.where) == ("generations", "ops.publications")


@pytest.mark.slow
def test_the_night_after_a_return_builds_what_came_since(newsletter: Scenario) -> None:
    at = newsletter
    write(at, LATER, "flo@example.com")
    assert at.night(LATER) == ExitCode.OK
    everybody = {row["email"] for row in at.read("gold.customers").collect()}
    back(at.tables, generations(at.tables)[0])

    assert at.night(LATER) == ExitCode.OK

    assert {row["email"] for row in at.read("gold.customers").collect()} == everybody
    assert [each.generation for each in generations(at.tables)] == [1, 2, 3, 4]
    assert NEXT < LATER
