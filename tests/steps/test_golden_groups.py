"""Tables of groups over nights: who belongs together, under ids that outlive what changes."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from unittest.mock import Mock

import pytest

from goldenlake.declarations.groups import Group
from goldenlake.errors import GenerationMoved
from goldenlake.io.tables import DeltaTables
from goldenlake.steps.generations import (
    Generation,
    lake_tables,
    publish,
    read,
    refuse_overtaken,
    staged,
)
from goldenlake.steps.reading import generation_views
from support.golden_world import DAY, GOLDEN, HOUSEHOLDS, World, build
from support.resolving import overtake

NIGHT = datetime(2024, 3, 5, 2, tzinfo=UTC)
MAILBOXES = Group.model_validate(
    {
        "group": "mailboxes",
        "description": "Customers of one address.",
        "owner": "data",
        "singular": "mailbox",
        "rules": {"email": {"agree": ["email"]}},
    }
)
BY_EMAIL = HOUSEHOLDS.model_copy(update={"rules": MAILBOXES.rules})
HILL = {"family_name": "Hill", "email": "a@example.com"}
HALL = {"family_name": "Hall", "email": "a@example.com"}


def night(tables: DeltaTables, world: World, number: int, *groups: Group) -> Generation:
    """Save the world, build these groups, and publish."""
    as_of = DAY + timedelta(days=number)
    world.save(tables, as_of=as_of)
    build(tables, as_of=as_of, groups=groups)
    stages = [found for step in ("resolve", "golden") if (found := staged(tables, step))]
    generation = publish(tables, stages, run_id="test", as_of=as_of, published_at=NIGHT)
    world.published()
    return generation


def parts(tables: DeltaTables, group: Group = HOUSEHOLDS) -> dict[tuple[str, date], list[str]]:
    """The members of each by its id and birthday."""
    found = defaultdict(list)
    for row in tables.read(group.table).collect():
        found[row[group.id_column], row[group.since_column]].append(row["customer_id"])
    return {one: sorted(members) for one, members in found.items()}


@pytest.mark.slow
def test_a_household_keeps_its_id_over_moves_merges_and_other_rules(tables: DeltaTables) -> None:
    world = World()
    world.contact("a", "c_1", **HILL)
    world.contact("b", "c_2", **HILL)
    world.contact("e", "c_5", family_name="Hall", email="b@example.com")
    world.contact("f", "c_6", family_name="Hall", email="b@example.com")
    night(tables, world, 0, HOUSEHOLDS)
    (first, one), (second, other) = sorted(parts(tables).items(), key=lambda pair: pair[1])
    assert (one, other) == (["c_1", "c_2"], ["c_5", "c_6"])
    assert first[1] == second[1] == DAY

    # All of both households become other customers in one night, and one household is joined.
    world.contact("a", "c_8")
    world.contact("b", "c_9")
    world.contact("c", "c_3", **HILL)
    world.history = [("c_1", "merged", "c_8", 2), ("c_2", "merged", "c_9", 2)]
    night(tables, world, 1, HOUSEHOLDS)
    assert parts(tables) == {first: ["c_3", "c_8", "c_9"], second: ["c_5", "c_6"]}

    world.contact("c", "c_3", family_name="Hall")
    generation = night(tables, world, 2, BY_EMAIL)
    assert parts(tables) == {first: ["c_3", "c_8", "c_9"], second: ["c_5", "c_6"]}
    assert {row["rules"][0] for row in tables.read(HOUSEHOLDS.table).collect()} == {"email"}

    world.visit("f", "k1")
    version = generation.tables[HOUSEHOLDS.table]
    assert night(tables, world, 3, BY_EMAIL).tables[HOUSEHOLDS.table] == version

    gone = night(tables, world, 4)
    assert read(tables, gone, HOUSEHOLDS.table).isEmpty()


def test_two_groups_of_one_night_keep_their_ids_apart_over_a_merge(tables: DeltaTables) -> None:
    world = World()
    world.contact("a", "c_1", **HILL)
    world.contact("b", "c_2", **HILL)
    world.contact("c", "c_3", **HALL)
    world.contact("d", "c_4", **HALL)
    first = night(tables, world, 0, HOUSEHOLDS, MAILBOXES)
    (hills, _), (halls, _) = sorted(parts(tables).items(), key=lambda pair: pair[1])
    [(mailbox, members)] = parts(tables, MAILBOXES).items()
    assert members == ["c_1", "c_2", "c_3", "c_4"]
    assert (hills[0][:2], mailbox[0][:8]) == ("h_", "mailbox_")
    assert {HOUSEHOLDS.table, MAILBOXES.table} < set(first.tables)

    # In one night, that computes only what is touched, one customer is merged into another.
    world.contact("a", "c_8")
    world.history = [("c_1", "merged", "c_8", 2)]
    second = night(tables, world, 1, HOUSEHOLDS, MAILBOXES)
    assert parts(tables) == {hills: ["c_2", "c_8"], halls: ["c_3", "c_4"]}
    assert parts(tables, MAILBOXES) == {mailbox: ["c_2", "c_3", "c_4", "c_8"]}

    generation_views(tables, first.generation)
    rows = tables.spark.sql("SELECT mailbox_id FROM mailboxes WHERE customer_id = 'c_1'").collect()
    assert [row["mailbox_id"] for row in rows] == [mailbox[0]]

    third = night(tables, world, 2, MAILBOXES)
    assert read(tables, third, HOUSEHOLDS.table).isEmpty()
    assert third.tables[MAILBOXES.table] >= second.tables[MAILBOXES.table]
    assert parts(tables, MAILBOXES) == {mailbox: ["c_2", "c_3", "c_4", "c_8"]}
    assert {HOUSEHOLDS.table, MAILBOXES.table} < set(lake_tables(tables, []))


@pytest.mark.slow
def test_another_singular_gives_all_of_them_another_id(tables: DeltaTables) -> None:
    world = World()
    world.contact("a", "c_1", **HILL)
    world.contact("b", "c_2", **HILL)
    night(tables, world, 0, MAILBOXES)
    [(mailbox, members)] = parts(tables, MAILBOXES).items()

    shared = MAILBOXES.model_copy(update={"singular": "inbox"})
    night(tables, world, 1, shared)

    [(inbox, same)] = parts(tables, shared).items()
    assert (same, inbox[1] - mailbox[1]) == (members, timedelta(days=1))
    assert tables.read(shared.table).columns == [each.name for each in shared.contract.columns]


@pytest.mark.slow
def test_a_group_that_was_tried_and_never_published_leaves_nothing(tables: DeltaTables) -> None:
    world = World()
    world.contact("a", "c_1", **HILL)
    world.contact("b", "c_2", **HILL)
    night(tables, world, 0)
    build(tables, groups=[MAILBOXES])
    assert not tables.read(MAILBOXES.table).isEmpty()

    overtake(tables)
    with pytest.raises(GenerationMoved, match="golden was built on generation 1, but 2"):
        refuse_overtaken(tables, "golden")
    assert build(tables, groups=[]).status == "skipped"
    refuse_overtaken(tables, "golden")
    assert staged(tables, "golden") is None
    assert MAILBOXES.table in lake_tables(tables, []), "upkeep and erasure know of it"

    world.contact("c", "c_3", **HALL)
    night(tables, world, 1)
    assert tables.read(MAILBOXES.table).isEmpty()


def test_a_table_whose_first_build_was_killed_is_known_without_its_group(
    tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    world.contact("a", "c_1", **HILL)
    world.contact("b", "c_2", **HILL)
    night(tables, world, 0)
    with monkeypatch.context() as patch:
        patch.setattr("goldenlake.steps.golden.stage", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build(tables, groups=[MAILBOXES])
    assert not tables.read(MAILBOXES.table).isEmpty()

    assert build(tables, groups=[]).status == "skipped"
    assert MAILBOXES.table in lake_tables(tables, [])


def test_without_a_declaration_there_is_no_table(tables: DeltaTables) -> None:
    world = World()
    world.contact("a", "c_1", **HILL)
    world.contact("b", "c_2", **HILL)
    generation = night(tables, world, 0)
    assert not tables.exists(HOUSEHOLDS.table)
    assert set(GOLDEN) - set(generation.tables) == {HOUSEHOLDS.table}
    assert build(tables, groups=[]).status == "skipped"
