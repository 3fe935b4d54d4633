"""The golden step: incremental is the same as everything anew, and a kill changes nothing."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.errors import GoldenlakeError
from goldenlake.io.tables import DeltaTables
from goldenlake.steps.generations import Generation, publish, staged
from goldenlake.steps.people import Newest
from support.activation import destination
from support.golden_world import CRM, DAY, GOLDEN, NOON, World, build, contents, golden, silent
from support.lake import forget_logs

NIGHT = datetime(2024, 3, 5, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def lake(spark: SparkSession, folder: Path) -> DeltaTables:
    return DeltaTables(spark, str(folder))


def published(tables: DeltaTables, world: World, *, as_of: date = DAY) -> Generation:
    stages = [found for step in ("resolve", "golden") if (found := staged(tables, step))]
    generation = publish(tables, stages, run_id="test", as_of=as_of, published_at=NIGHT)
    world.published()
    return generation


def test_incremental_builds_equal_one_build_of_everything(
    spark: SparkSession, tmp_path: Path
) -> None:
    world, nightly = World(), lake(spark, tmp_path / "nightly")
    for night in range(2):
        world.change(seed=night)
        world.change(seed=night + 10)
        world.save(nightly, as_of=DAY + timedelta(days=night))
        result = build(nightly, as_of=DAY + timedelta(days=night))
        assert result.details["is_incremental"] is (night > 0)
        published(nightly, world)
    afresh, same = lake(spark, tmp_path / "afresh"), world.as_new()
    same.save(afresh)
    build(afresh)
    for table in GOLDEN:
        if table not in ("gold.customers_history", "gold.households"):
            assert contents(nightly, table) == contents(afresh, table), table
    assert homes(nightly) == homes(afresh) != set()
    today = "valid_to IS NULL"
    columns = ["customer_id", "family_name", "email"]
    assert sorted(
        nightly.read("gold.customers_history").where(today).select(columns).collect()
    ) == sorted(afresh.read("gold.customers_history").where(today).select(columns).collect())


def homes(tables: DeltaTables) -> set[tuple[str, ...]]:
    """Who lives together; how a household is called depends on the night in which it was found."""
    members = F.array_sort(F.collect_list("customer_id")).alias("members")
    rows = tables.read("gold.households").groupBy("household_id").agg(members)
    return {tuple(row["members"]) for row in rows.collect()}


@pytest.fixture(scope="module")
def first(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DeltaTables:
    """The first build of a lake, looked at by the tests below."""
    world, tables = World(), lake(spark, tmp_path_factory.mktemp("golden") / "lake")
    world.contact("a", "c_1", family_name="Hill", email="a@example.com", opt_in="yes")
    world.contact("b", "c_1", family_name="Hall", opt_in="no", at=NIGHT)
    world.contact("gone", "c_2", family_name="Gone", gone=True)
    world.contact("left", "c_2", email="l@example.com", opt_in="no", gone=True)
    world.contact("agreed", "c_3", email="l@example.com", opt_in="yes", at=NOON - HOUR)
    world.contact("gone_too", "c_2", email="m@example.com", opt_in="no", gone=True)
    world.contact("came_back", "c_4", email="m@example.com", opt_in="yes", at=NOON + HOUR)
    world.contact("yes_and_gone", "c_2", email="n@example.com", opt_in="yes", gone=True)
    world.contact("silent", "c_5", email="n@example.com")
    world.contact("no_and_gone", "c_2", email="a@example.com", opt_in="no", gone=True)
    world.contact("namesake", "c_6", email="a@example.com", opt_in="yes", at=NOON - HOUR)
    world.visit("f", "k1", visit="v1")
    world.visit("f", "k1", "buy", visit="v2", price=4)
    world.visit("f", None, "cart")
    world.visit("f", "k9")
    world.owners["web_events:k1"] = "c_1"
    world.too_common = {("email", "a@example.com")}
    world.save(tables)
    build(tables)
    return tables


def test_a_customer_is_known_by_more_than_a_cookie(first: DeltaTables) -> None:
    rows = {row["customer_id"]: row for row in first.read("gold.customers").collect()}
    assert set(rows) == {"c_1", "c_3", "c_4", "c_5", "c_6", "c_k9"}, (
        "a deleted record makes no customer"
    )
    assert rows["c_1"]["is_known"] is True
    assert rows["c_k9"]["is_known"] is False
    assert rows["c_1"]["records"] == 3
    assert rows["c_1"]["sources"] == ["crm_contacts", "web_events"]
    assert set(rows["c_1"]["provenance"]) == {"family_name", "email"}
    assert rows["c_1"]["updated_on"] == NIGHT.date()


def test_the_latest_statement_wins(first: DeltaTables) -> None:
    assert said(first)["c_1"] == ("withdrawn", "crm_contacts:b")


def test_a_no_outlives_its_record_and_a_yes_does_not(first: DeltaTables) -> None:
    assert said(first)["c_3"] == ("withdrawn", "crm_contacts:left"), "an older yes counts no more"
    assert said(first)["c_4"] == ("granted", "crm_contacts:came_back"), "a later yes does"
    assert said(first)["c_6"] == ("granted", "crm_contacts:namesake"), "that value names nobody"
    assert set(said(first)) == {"c_1", "c_3", "c_4", "c_6"}


def test_a_no_of_a_record_that_is_gone_holds_for_the_address_that_many_bear(
    spark: SparkSession, tmp_path: Path
) -> None:
    """It cannot be everybody's, yet who said it is not written to at it."""
    world, tables = World(), lake(spark, tmp_path / "lake")
    for key, email in (("a", "office@example.com"), ("b", "b@example.com")):
        world.contact(f"{key}_gone", "c_1", email=email, opt_in="no", gone=True)
        world.contact(f"{key}_stays", f"c_{key}", email=email, opt_in="yes", at=NOON + HOUR)
    world.contact("agreed", "c_2", email="info@example.com", opt_in="yes", gone=True)
    world.too_common = {("email", "office@example.com"), ("email", "info@example.com")}
    world.save(tables)
    build(tables)
    assert held_back(tables, published(tables, world)) == {"office@example.com"}
    world.contact("a_gone", "c_1", opt_in="yes", gone=False)
    world.save(tables)
    build(tables)
    assert held_back(tables, published(tables, world)) == set(), "it came back, and agrees"


def held_back(tables: DeltaTables, generation: Generation) -> set[str]:
    """Addresses that nobody may be sent to at."""
    newest = Newest(
        tables=tables,
        generation=generation,
        destination=destination(fields={}),
        consent=ConsentPolicy.model_validate(
            {
                "purposes": {"marketing": {"description": "x"}},
                "channels": {"email": {"addresses": ["email"]}},
            }
        ),
        at=NOON + timedelta(days=1),
        sources=[CRM],
    )
    return {row["key"] for row in newest.opted_out.collect()}


def said(tables: DeltaTables) -> dict[str, tuple[str, str]]:
    """Status and record of the one statement that counts of each customer."""
    rows = tables.read("gold.consents").collect()
    found = {row["customer_id"]: (row["status"], row["record_id"]) for row in rows}
    assert len(found) == len(rows)
    return found


def test_a_no_counts_though_its_source_first_came_after_the_base(
    spark: SparkSession, tmp_path: Path
) -> None:
    world, tables = World(), lake(spark, tmp_path / "lake")
    world.visit("f", "k1")
    world.save(tables)
    build(tables)
    published(tables, world)
    world.contact("left", "c_2", email="l@example.com", opt_in="no", gone=True)
    world.contact("agreed", "c_3", email="l@example.com", opt_in="yes", at=NOON - HOUR)
    world.save(tables)
    assert build(tables).details["is_incremental"] is True
    assert said(tables) == {"c_3": ("withdrawn", "crm_contacts:left")}


@pytest.mark.parametrize("has_grown", [False, True])
def test_a_table_of_silver_from_a_backup_builds_everything_anew(
    spark: SparkSession, tmp_path: Path, has_grown: bool
) -> None:
    world, tables = World(), lake(spark, tmp_path / "lake")
    world.visit("f", "k1")
    world.save(tables)
    place, backup = tables.location("silver.web_events"), tmp_path / "backup"
    shutil.copytree(place, backup)
    world.visit("g", "k1")
    world.save(tables)
    build(tables)
    published(tables, world)

    shutil.rmtree(place)
    shutil.copytree(backup, place)
    forget_logs(spark)
    world.forget("g")
    world.save(tables)
    if has_grown:
        world.visit("h", "k1")
        world.save(tables)
    assert build(tables).details["is_incremental"] is False
    assert tables.read("gold.interactions").count() == 1 + has_grown


def test_events_of_nobody_are_kept_without_a_customer(first: DeltaTables) -> None:
    rows = first.read("gold.interactions").collect()
    assert sorted((row["kind"], row["customer_id"] or "") for row in rows) == [
        ("cart", ""),
        ("view", "c_1"),
        ("view", "c_k9"),
    ]
    assert all(row["properties"] == {"visit": "v1"} for row in rows)


def test_a_value_that_is_too_common_is_marked_as_not_linking(first: DeltaTables) -> None:
    rows = first.read("gold.identifiers").collect()
    linking = {(row["identifier"], row["value"]): row["is_linking"] for row in rows}
    assert linking == {
        ("email", "a@example.com"): False,
        **{("email", f"{name}@example.com"): True for name in "lmn"},
        ("cookie", "k1"): True,
        ("cookie", "k9"): True,
    }


def test_metrics_count_what_the_golden_events_say(first: DeltaTables) -> None:
    rows = {row["customer_id"]: row for row in first.read("gold.metrics").collect()}
    assert (rows["c_1"]["interactions"], rows["c_1"]["orders"]) == (1, 1)
    assert rows["c_1"]["revenue"] == 16
    assert rows["c_k9"]["revenue"] == 0
    assert rows["c_k9"]["average_order"] is None


def test_every_table_has_the_columns_that_are_declared(first: DeltaTables) -> None:
    for name, table in golden().declared.items():
        found = [(f.name, f.dataType.simpleString()) for f in first.read(name).schema.fields]
        empty = first.spark.createDataFrame([], table.ddl).schema.fields
        assert found == [(f.name, f.dataType.simpleString()) for f in empty], name


class Killed(BaseException):
    """Stands for the end of the process."""


class Failing(DeltaTables):
    """A lake whose process dies at the n-th commit to a golden table."""

    left = 10**6

    def _committed(self, table: str) -> int:
        if table.startswith("gold."):
            self.left -= 1
            if self.left <= 0:
                raise Killed
        return super()._committed(table)


@pytest.mark.slow
def test_a_build_that_was_killed_is_built_again_to_the_same(
    spark: SparkSession, tmp_path: Path
) -> None:
    world, tables = World(), lake(spark, tmp_path / "lake")
    world.change(seed=1)
    world.save(tables)
    build(tables)
    base = published(tables, world)
    world.change(seed=2)
    world.save(tables, as_of=DAY + timedelta(days=1))
    failing = Failing(spark, str(tmp_path / "lake"))
    failing.left = 3
    with pytest.raises(Killed):
        build(failing, as_of=DAY + timedelta(days=1))
    moved = [n for n in GOLDEN if tables.version(n) != base.tables[n]]
    assert moved, "the kill left something behind"
    build(tables, as_of=DAY + timedelta(days=1))
    first_try = {name: contents(tables, name) for name in GOLDEN}
    again = build(tables, as_of=DAY + timedelta(days=1))
    assert again.details["why"] == "it was staged before"

    other, same = lake(spark, tmp_path / "other"), World()
    for night in (0, 1):
        same.change(seed=night + 1)
        same.save(other, as_of=DAY + timedelta(days=night))
        build(other, as_of=DAY + timedelta(days=night))
        published(other, same)
    for name in GOLDEN:
        assert first_try[name] == contents(other, name), name


def test_nothing_new_commits_nothing(spark: SparkSession, tmp_path: Path) -> None:
    world, tables = World(), lake(spark, tmp_path / "lake")
    world.contact("a", "c_1", family_name="Hill")
    world.visit("f", "k1")
    world.save(tables)
    build(tables)
    before = published(tables, world).tables
    result = build(tables)
    assert (result.status, result.details["why"]) == ("skipped", "nothing changed")
    world.contact("a", "c_1", opt_in="unclear")
    world.save(tables)
    result = build(tables)
    assert {name: tables.version(name) for name in GOLDEN} == {
        name: before[name] for name in GOLDEN
    }
    assert result.details["unchanged"] == sorted(GOLDEN)


def test_a_declared_column_that_nothing_fills_is_named(spark: SparkSession, tmp_path: Path) -> None:
    world, tables = World(), lake(spark, tmp_path / "lake")
    world.contact("a", "c_1", family_name="Hill")
    world.save(tables)
    step = golden()
    sources = step.declared["gold.sources"]
    extra = sources.columns[0].model_copy(update={"name": "extra"})
    step.declared["gold.sources"] = sources.model_copy(
        update={"columns": [*sources.columns, extra]}
    )
    with pytest.raises(GoldenlakeError, match=r"conf/tables/gold.sources.yml: columns.extra"):
        step.run(tables, silent)
