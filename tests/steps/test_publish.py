"""Publication: audited, gated, in one commit; and read as one generation by everybody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars
import pytest
from deltalake import DeltaTable, QueryBuilder
from pyspark.sql import SparkSession

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.environment import BlastRadius
from goldenlake.declarations.source import Source
from goldenlake.errors import (
    ExitCode,
    GenerationMoved,
    PublicationRefused,
    SetupError,
    StagedForAnotherDay,
    StageMissing,
)
from goldenlake.io.spark import DELETION_VECTORS, SMALL_DATA_CONF
from goldenlake.io.tables import DeltaTables
from goldenlake.steps import publish as publishing
from goldenlake.steps.blast_radius import lost_refusals
from goldenlake.steps.generations import Stage, latest_generation, stage, staged
from goldenlake.steps.publish import Publish
from goldenlake.steps.reading import generation_views
from support import gold
from support.bronze import source_of
from support.golden_world import DAY, GOLDEN, World, build, contents, declared_tables, silent
from support.readers import duckdb_with_delta, rows_as_read
from support.resolving import overtake

TOMORROW = DAY + timedelta(days=1)
#: Rules that the tests below need: each one judged costs a Spark job or two.
KEPT = {("gold.customers", "unique"), ("gold.customers", "matches"), ("gold.sources", "unique")}


POLICY = ConsentPolicy.model_validate(
    {
        "purposes": {"marketing": {"description": "x"}},
        "channels": {name: {"addresses": ["email"]} for name in ("email", "letter")},
    }
)


def stating(name: str, *mappings: dict[str, str]) -> Source:
    """A source that states consent to marketing, in all that it says by default."""
    said = mappings or ({"channel": "by"},)
    given = [{"at": "at", "status": "word", "constant_purpose": "marketing"} | of for of in said]
    columns = [{"name": each} for each in ("id", "at", "word", "by")]
    return source_of(source=name, load="append", columns=columns, consents=given)


class Fixed:
    """A clock that stands."""

    def now(self) -> datetime:
        return datetime(2024, 3, 5, 2, tzinfo=UTC)


def publish(tables: DeltaTables, **given: Any) -> Publish:
    declared = {
        name: table.model_copy(
            update={"rules": [rule for rule in table.rules if (name, rule.rule) in KEPT]}
        )
        for name, table in declared_tables().items()
    }
    settings = {
        "declared": declared,
        "blast_radius": BlastRadius(least_customers=1),
        "sources": [stating("consents")],
        "consent": POLICY,
        "as_of": DAY,
        "run_id": "test",
        "docs": Path(tables.location("ops.docs")).parent / "data_docs",
    }
    return Publish(**(settings | given))


def run(tables: DeltaTables, **given: Any) -> Any:
    return publish(tables, **given).run(tables, Fixed(), silent)


@pytest.fixture(scope="module")
def story(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """Two nights: the first is published, the second refused, mended, and published.

    With deletion vectors, as large lakes have them: not every reader of Delta knows them.
    """
    spark.conf.set(DELETION_VECTORS, "true")
    yield two_nights(spark, tmp_path_factory.mktemp("publish") / "lake")
    spark.conf.set(DELETION_VECTORS, SMALL_DATA_CONF[DELETION_VECTORS])


def two_nights(spark: SparkSession, folder: Path) -> dict[str, Any]:
    tables = DeltaTables(spark, str(folder))
    world, seen = World(), {}
    for number in range(3):
        world.contact(str(number), f"c_{number}", family_name="Hill", email="a@example.com")
    world.visit("f", "k1", "buy", price=4)
    world.save(tables)
    with pytest.raises(StageMissing) as unbuilt:
        run(tables)
    seen["unbuilt"] = unbuilt.value
    build(tables)
    seen["first"] = run(tables)
    world.published()
    seen["before"] = {name: contents(tables, name) for name in GOLDEN}
    seen["pinned"] = latest_generation(tables)
    seen["skipped"] = run(tables)

    world.contact("3", "c_3", family_name="Hall", email="mrs.canary@@broken")
    world.save(tables, as_of=TOMORROW)
    build(tables, as_of=TOMORROW)
    with pytest.raises(PublicationRefused) as refused:
        run(tables, as_of=TOMORROW)
    seen["refused"] = refused.value
    seen["still"] = latest_generation(tables)
    generation_views(tables)
    seen["visible"] = spark.sql("SELECT customer_id FROM customers").collect()

    world.contact("3", "c_3", family_name="Hall", email="b@example.com")
    world.contact("0", "c_0", family_name="Hull")
    world.history = [
        ("c_2", "merged", "c_1", 2), ("c_1", "assigned", None, 2), ("c_9", "split", "c_0", 2),
    ]  # fmt: skip
    world.save(tables, as_of=TOMORROW)
    with pytest.raises(StageMissing):
        run(tables, as_of=TOMORROW)
    build(tables, as_of=TOMORROW)
    with pytest.raises(PublicationRefused) as too_wide:
        run(tables, as_of=TOMORROW)
    seen["too_wide"] = too_wide.value
    lake = Path(tables.location("gold.customers")).parents[1]
    (lake / "generation.json").unlink()
    seen["second"] = run(tables, as_of=TOMORROW, accept_blast_radius=True)
    world.published()
    return seen | {"tables": tables, "lake": lake}


def test_a_publication_pins_every_table_of_identity_and_gold(story: dict[str, Any]) -> None:
    pinned = story["pinned"]
    assert pinned.generation == 1
    assert set(GOLDEN) < set(pinned.tables)
    assert {"identity.records", "identity.customers"} < set(pinned.tables)
    assert {"silver.crm_contacts", "silver.web_events"} <= set(pinned.inputs)
    kept = [
        rule
        for name, table in declared_tables().items()
        for rule in table.rules
        if (name, rule.rule) in KEPT
    ]
    assert story["first"].counts["rules_judged"] == len(kept)
    assert Path(story["first"].details["data_docs"]).is_file()


def test_nothing_staged_publishes_nothing(story: dict[str, Any]) -> None:
    assert story["skipped"].status == "skipped"
    assert story["unbuilt"].step == "golden"


def test_a_broken_critical_rule_leaves_the_generation_before(story: dict[str, Any]) -> None:
    refused = story["refused"]
    assert refused.exit_code == ExitCode.HELD
    assert refused.reasons == (
        (
            "gold.customers: matches_email: 1 rows break it. "
            "Destinations refuse whole files for one broken address."
        ),
    )
    told = [each for each in refused.details["verdicts"] if each["severity"] == "critical"]
    assert [each["rule"] for each in told if not each["passed"]] == ["matches_email"]
    assert story["still"] == story["pinned"]
    assert sorted(row["customer_id"] for row in story["visible"]) == ["c_0", "c_1", "c_2", "c_k1"]


def test_too_many_merges_and_splits_are_held_until_a_person_accepts_them(
    story: dict[str, Any],
) -> None:
    assert story["too_wide"].reasons == (
        (
            "1 of 4 customers (25.0%) would be merged into others; "
            "the limit is 5.0% (blast_radius.merged in conf/env). "
            "Most of it: c_1 of 1 records."
        ),
        (
            "1 of 4 customers (25.0%) would be split; the limit is 2.0% "
            "(blast_radius.split in conf/env). Most of it: c_0 of 1 records."
        ),
    )
    assert story["second"].counts["customers_merged"] == 1
    assert story["second"].counts["customers_split"] == 1
    assert story["second"].counts["generation"] == 2


NO_RULES = {
    name: table.model_copy(update={"rules": []}) for name, table in declared_tables().items()
}


@pytest.mark.slow
def test_moves_and_customers_that_grow_too_large_are_held_and_named(
    spark: SparkSession, tmp_path: Path
) -> None:
    world, tables = World(), DeltaTables(spark, str(tmp_path / "lake"))
    limits = BlastRadius(least_customers=1, largest_customer=2)
    for number in range(3):
        world.contact(str(number), "c_a", family_name="Canary")
    for number in range(3, 6):
        world.contact(str(number), f"c_{number}", family_name="Canary")
    world.save(tables)
    build(tables)
    with pytest.raises(PublicationRefused) as born:
        run(tables, blast_radius=limits, declared=NO_RULES)
    assert born.value.reasons == (
        (
            "1 customers of more than 2 records would be new or have grown "
            "(blast_radius.largest_customer in conf/env). Largest: c_a of 3 records."
        ),
    )
    run(tables, blast_radius=limits, declared=NO_RULES, accept_blast_radius=True)
    world.published()

    # One that is as large as it was is not held again.
    world.contact("3", "c_3", family_name="Hall")
    world.save(tables, as_of=TOMORROW)
    build(tables, as_of=TOMORROW)
    run(tables, as_of=TOMORROW, blast_radius=limits, declared=NO_RULES)
    world.published()

    for number in range(2):
        world.contact(str(number), "c_4")
    world.history = [("c_a", "moved", "c_4", 3), ("c_3", "retired", None, 3)]
    world.save(tables, as_of=TOMORROW)
    build(tables, as_of=TOMORROW)
    with pytest.raises(PublicationRefused) as moved:
        run(tables, as_of=TOMORROW, blast_radius=limits, declared=NO_RULES)
    assert moved.value.reasons == (
        (
            "1 of 4 customers (25.0%) would be left by records that move to others; the limit is "
            "2.0% (blast_radius.moved in conf/env). Most of it: c_4 of 3 records."
        ),
        (
            "1 of 4 customers (25.0%) would be retired; the limit is 10.0% "
            "(blast_radius.retired in conf/env). Most of it: c_3 of 1 records."
        ),
        (
            "1 customers of more than 2 records would be new or have grown "
            "(blast_radius.largest_customer in conf/env). Largest: c_4 of 3 records."
        ),
    )
    assert "Canary" not in str(moved.value)
    accepted = run(
        tables, as_of=TOMORROW, blast_radius=limits, declared=NO_RULES, accept_blast_radius=True
    )
    assert accepted.counts["customers_moved"] == 1


def golden_of(consents: int) -> Stage:
    """A build on the first generation, with that version of the consents."""
    return Stage(
        step="golden", as_of=DAY, run_id="r", base=1, tables={"gold.consents": consents}, inputs={},
        fingerprint="", counts={},
    )  # fmt: skip


def test_a_no_of_a_source_that_is_declared_no_more_is_not_lost_unseen(tables: DeltaTables) -> None:
    said = [
        gold.grant("ann", "withdrawn", source="letters"),
        gold.grant("bob", source="letters"),
        gold.grant("cyd", "withdrawn", source="consents"),
    ]
    gold.publish(tables, DAY, {"gold.consents": said})
    base = latest_generation(tables)
    assert base is not None

    def reasons(consents: int, *sources: Source, policy: ConsentPolicy = POLICY) -> list[str]:
        return lost_refusals(tables, base, golden_of(consents), sources=sources, policy=policy)

    anew = tables.overwrite("gold.consents", tables.frame([said[2]], gold.CONSENTS))

    consents = stating("consents")
    [reason] = reasons(
        anew, consents, source_of(source="letters", load="append", columns=[{"name": "id"}])
    )
    assert reason.startswith("letters states consent no more by conf/sources, and 1 times")
    assert reasons(anew, consents, stating("letters")) == []
    assert reasons(base.tables["gold.consents"]) == []
    assert len(reasons(anew)) == 2
    assert "gone_sources of conf/consent.yml" in reason
    gone = POLICY.model_copy(update={"gone_sources": ["letters"]})
    assert reasons(anew, consents, policy=gone) == []

    stage(
        tables, "golden", names=["gold.consents"], as_of=DAY, run_id="r", base=base, inputs={},
        fingerprint="x", counts={},
    )  # fmt: skip
    with pytest.raises(PublicationRefused, match="letters states consent no more"):
        run(tables, declared=NO_RULES, accept_blast_radius=True)
    run(tables, declared=NO_RULES, sources=[stating("consents"), stating("letters")])


def test_a_no_of_which_its_source_speaks_no_more_is_not_lost_unseen(tables: DeltaTables) -> None:
    by_letter, by_any = {"constant_channel": "letter"}, {"channel": "by"}
    said = [
        gold.grant("ann", "withdrawn", source="crm"),
        gold.grant("bob", "suppressed", source="crm", channel="any"),
        gold.grant("cyd", source="crm"),
        gold.grant("dan", "withdrawn", source="crm", channel="fax"),
    ]
    gold.publish(tables, DAY, {"gold.consents": said})
    base = latest_generation(tables)
    anew = tables.overwrite("gold.consents", tables.frame([], gold.CONSENTS))
    golden = golden_of(anew)

    def lost(*mappings: dict[str, str]) -> list[str]:
        sources = [stating("crm", *mappings)]
        reasons = lost_refusals(tables, base, golden, sources=sources, policy=POLICY)
        return [each.partition(" no more")[0] for each in reasons]

    every, email = (f"crm states consent to marketing by {channel}" for channel in ("any", "email"))
    assert lost(by_letter) == [every, email]
    assert lost({"constant_channel": "email"}) == [every]
    assert lost({"constant_channel": "any"}) == lost(by_any) == []
    assert lost(by_any | by_letter) == []
    other = {"constant_channel": "any", "constant_purpose": "other"}
    assert lost(by_letter, other) == [every, email]


def test_what_was_built_for_another_day_is_not_published_as_of_this_one(
    tables: DeltaTables,
) -> None:
    stage(
        tables, "golden", names=[], as_of=DAY, run_id="r", base=None, inputs={}, fingerprint="x",
        counts={},
    )  # fmt: skip
    with pytest.raises(StagedForAnotherDay, match=DAY.isoformat()):
        run(tables, declared=NO_RULES, as_of=DAY.replace(year=DAY.year + 1))
    assert latest_generation(tables) is None


def test_only_tables_that_changed_are_judged_again(story: dict[str, Any]) -> None:
    judged = {verdict["table"] for verdict in story["second"].details["verdicts"]}
    assert judged == {"gold.customers", "gold.sources"}
    assert story["second"].counts["tables_judged"] < len(GOLDEN)


def test_views_name_all_tables_of_one_generation(story: dict[str, Any]) -> None:
    tables = story["tables"]
    chosen = generation_views(tables, 1)
    assert chosen.generation == 1
    for name in GOLDEN:
        short = name.removeprefix("gold.")
        rows = tables.spark.table(short).collect()
        shown = sorted(str(sorted(row.asDict(True).items())) for row in rows)
        assert shown == story["before"][name], name
    assert tables.spark.table("gold_customers").count() == 4
    assert tables.spark.table("identity_customers").count() == 4
    with pytest.raises(SetupError, match="generation 9 was never published"):
        generation_views(tables, 9)


def pointer(lake: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((lake / "generation.json").read_text(encoding="utf-8"))
    return found


def test_the_pointer_names_the_versions_of_the_newest_generation(story: dict[str, Any]) -> None:
    found, latest = pointer(story["lake"]), latest_generation(story["tables"])
    assert latest is not None
    assert (found["generation"], found["as_of"]) == (2, TOMORROW.isoformat())
    assert {name: of["version"] for name, of in found["tables"].items()} == latest.tables


def test_a_missing_pointer_is_written_by_the_next_run(story: dict[str, Any]) -> None:
    path = story["lake"] / "generation.json"
    text = path.read_text(encoding="utf-8")
    path.write_text("{", encoding="utf-8")
    assert run(story["tables"], as_of=TOMORROW).status == "skipped"
    assert path.read_text(encoding="utf-8") == text
    assert [each.name for each in story["lake"].glob(".generation*")] == []


def test_duckdb_polars_and_delta_rs_read_the_generation(story: dict[str, Any]) -> None:
    tables = story["tables"]
    logs = story["lake"].glob("gold/*/_delta_log/*.json")
    assert any('"deletionVector":{' in log.read_text() for log in logs)
    for name, of in pointer(story["lake"])["tables"].items():
        expected = tables.read(name, version=of["version"]).count()
        assert set(rows_as_read(of["path"], of["version"]).values()) == {expected}, name


def test_provenance_can_be_read_without_spark(story: dict[str, Any]) -> None:
    of = pointer(story["lake"])["tables"]["gold.customers"]
    duck = duckdb_with_delta()
    query = (
        f"SELECT provenance['email'].record_id FROM delta_scan('{of['path']}', "
        f"version => {of['version']}) WHERE customer_id = 'c_3'"
    )
    assert duck.sql(query).fetchall() == [("crm_contacts:3",)]
    rust = DeltaTable(of["path"], version=of["version"])
    text = "SELECT provenance FROM t WHERE customer_id = 'c_3'"
    ((found,),) = [
        column.to_pylist()
        for column in QueryBuilder().register("t", rust).execute(text).read_all().columns
    ]
    assert dict(found)["email"]["record_id"] == "crm_contacts:3"
    row = (
        polars.scan_delta(of["path"], version=of["version"])
        .filter(polars.col("customer_id") == "c_3")
        .select("provenance")
        .collect()
    )
    assert {name: won["record_id"] for name, won in dict(row.item()).items()} == {
        "family_name": "crm_contacts:3",
        "email": "crm_contacts:3",
    }


@pytest.mark.parametrize("overtaken", ["golden", pytest.param("publish", marks=pytest.mark.slow)])
def test_what_another_generation_overtook_is_not_taken_for_published(
    spark: SparkSession, tmp_path: Path, overtaken: str
) -> None:
    """The night would be green, and send to who has just said no."""
    world, tables = World(), DeltaTables(spark, str(tmp_path / "lake"))
    world.contact("1", "c_1", family_name="Hill", email="a@example.com", opt_in="yes")
    world.save(tables)
    build(tables)
    run(tables, declared=NO_RULES)
    world.published()
    world.contact("1", "c_1", opt_in="no")

    world.save(tables, as_of=TOMORROW)
    if overtaken == "publish":
        build(tables, as_of=TOMORROW)
    overtake(tables)

    told = "resolve was built on generation 1, but 2 is published now"
    with pytest.raises(GenerationMoved, match=told):
        build(tables, as_of=TOMORROW)
    with pytest.raises(GenerationMoved, match=told):
        run(tables, as_of=TOMORROW, declared=NO_RULES)

    world.save(tables, as_of=TOMORROW)
    build(tables, as_of=TOMORROW)
    assert run(tables, as_of=TOMORROW, declared=NO_RULES).counts["generation"] == 3
    assert run(tables, as_of=TOMORROW, declared=NO_RULES).status == "skipped"


@pytest.mark.fault("kill between two publications")
def test_a_kill_between_golden_and_publish_changes_nothing(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, tables = World(), DeltaTables(spark, str(tmp_path / "lake"))
    world.contact("1", "c_1", family_name="Hill", email="a@example.com")
    world.save(tables)
    build(tables)
    before = {name: contents(tables, name) for name in GOLDEN}
    generation_before = latest_generation(tables)

    def killed(*_args: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tables, declared=NO_RULES)
    assert latest_generation(tables) == generation_before
    assert staged(tables, "golden") is not None
    build(tables)
    run(tables, declared=NO_RULES)
    latest = latest_generation(tables)
    assert latest is not None
    for name in GOLDEN:
        assert contents(tables, name) == before[name]
        assert latest.tables[name] == tables.version(name)
