"""gold.households over nights: who lives together, under ids that outlive what changes."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest

from goldenlake.declarations.households import HouseholdRules
from goldenlake.io.tables import DeltaTables
from goldenlake.steps.generations import GOLD_TABLES, Generation, publish, staged
from support.golden_world import DAY, HOUSEHOLDS, World, build

TABLE = "gold.households"
NIGHT = datetime(2024, 3, 5, 2, tzinfo=UTC)
BY_EMAIL = HouseholdRules.model_validate({"rules": {"email": {"agree": ["email"]}}})


def night(
    tables: DeltaTables,
    world: World,
    number: int,
    *,
    households: HouseholdRules | None = HOUSEHOLDS,
) -> Generation:
    """Save the world, build and publish."""
    as_of = DAY + timedelta(days=number)
    world.save(tables, as_of=as_of)
    build(tables, as_of=as_of, households=households)
    stages = [found for step in ("resolve", "golden") if (found := staged(tables, step))]
    generation = publish(tables, stages, run_id="test", as_of=as_of, published_at=NIGHT)
    world.published()
    return generation


def homes(tables: DeltaTables) -> dict[tuple[str, date], list[str]]:
    """The members of each household by its id and birthday."""
    found = defaultdict(list)
    for row in tables.read(TABLE).collect():
        found[row["household_id"], row["household_since"]].append(row["customer_id"])
    return {home: sorted(members) for home, members in found.items()}


@pytest.mark.slow
def test_a_household_keeps_its_id_over_moves_merges_and_other_rules(tables: DeltaTables) -> None:
    world, home = World(), {"family_name": "Hill", "email": "a@example.com"}
    world.contact("a", "c_1", **home)
    world.contact("b", "c_2", **home)
    world.contact("e", "c_5", family_name="Hall", email="b@example.com")
    world.contact("f", "c_6", family_name="Hall", email="b@example.com")
    night(tables, world, 0)
    (first, one), (second, other) = sorted(homes(tables).items(), key=lambda pair: pair[1])
    assert (one, other) == (["c_1", "c_2"], ["c_5", "c_6"])
    assert first[1] == second[1] == DAY

    # All of both households become other customers in one night, and one household is joined.
    world.contact("a", "c_8")
    world.contact("b", "c_9")
    world.contact("c", "c_3", **home)
    world.history = [("c_1", "merged", "c_8", 2), ("c_2", "merged", "c_9", 2)]
    night(tables, world, 1)
    assert homes(tables) == {first: ["c_3", "c_8", "c_9"], second: ["c_5", "c_6"]}

    world.contact("c", "c_3", family_name="Hall")
    generation = night(tables, world, 2, households=BY_EMAIL)
    assert homes(tables) == {first: ["c_3", "c_8", "c_9"], second: ["c_5", "c_6"]}
    assert {row["rules"][0] for row in tables.read(TABLE).collect()} == {"email"}

    world.visit("f", "k1")
    version = generation.tables[TABLE]
    assert night(tables, world, 3, households=BY_EMAIL).tables[TABLE] == version

    gone = night(tables, world, 4, households=None)
    assert tables.read(TABLE, version=gone.tables[TABLE]).isEmpty()


def test_without_the_declaration_there_is_no_table(tables: DeltaTables) -> None:
    world = World()
    world.contact("a", "c_1", family_name="Hill", email="a@example.com")
    world.contact("b", "c_2", family_name="Hill", email="a@example.com")
    generation = night(tables, world, 0, households=None)
    assert not tables.exists(TABLE)
    assert set(GOLD_TABLES) - set(generation.tables) == {TABLE}
    assert build(tables, households=None).status == "skipped"
