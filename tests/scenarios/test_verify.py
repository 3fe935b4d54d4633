"""A lake that is looked at from outside: what is wrong in it is found, and nothing else."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.errors import ExitCode
from goldenlake.schemas import HISTORY, LEDGER, PUBLICATIONS
from goldenlake.steps.collect import replay
from goldenlake.steps.generations import latest_generation
from goldenlake.steps.verify import Finding, Verify
from support.lake import forget_logs
from support.newsletter import BOB, NEXT, write
from support.resolving import customer_of
from support.scenario import Scenario


def found(at: Scenario) -> list[Finding]:
    installation = at.installation(datetime.now(UTC).date())
    destinations = list(installation.catalogue.destinations.values())
    step = Verify(sources=["people"], destinations=destinations)
    return step.run(at.tables, installation.landing, print)


def told(at: Scenario) -> set[tuple[str, str, str]]:
    return {(each.check, each.where, each.what) for each in found(at)}


def publish(at: Scenario, **changed: DataFrame) -> None:
    """Another generation in which some tables are what they are not."""
    versions = {
        name.replace("__", "."): at.tables.overwrite(
            name.replace("__", "."), rows.localCheckpoint()
        )
        for name, rows in changed.items()
    }
    latest = latest_generation(at.tables)
    assert latest is not None
    row: dict[str, Any] = {
        "generation": latest.generation + 1,
        "as_of": latest.as_of,
        "tables": dict(latest.tables) | versions,
        "inputs": dict(latest.inputs),
    }
    at.tables.append("ops.publications", at.tables.frame([row], PUBLICATIONS.ddl))


def test_a_lake_after_a_night_is_sound(newsletter: Scenario) -> None:
    assert found(newsletter) == []


@pytest.mark.slow
def test_of_days_before_people_were_forgotten_fewer_members_are_no_damage_but_more_are(
    newsletter: Scenario,
) -> None:
    at = newsletter
    publish(at, gold__customers=at.read("gold.customers"))
    before, last = sorted(
        (row.asDict() for row in at.read("ops.publications").collect()),
        key=lambda row: row["generation"],
    )
    closed = [before | {"tables": {}, "inputs": {}}, last]
    at.tables.overwrite("ops.publications", at.tables.frame(closed, PUBLICATIONS.ddl))
    members = at.read("segments.members").localCheckpoint()
    somebody = members.first()
    assert somebody is not None

    at.tables.overwrite(
        "segments.members", members.where(F.col("customer_id") != somebody["customer_id"])
    )
    assert found(at) == []
    stranger = members.limit(1).withColumn("customer_id", F.lit("c_nobody"))
    at.tables.overwrite("segments.members", members.unionByName(stranger))
    assert {check for check, _, _ in told(at)} == {"segments"}


@pytest.mark.slow
def test_a_source_whose_tables_were_damaged_is_read_again_and_everybody_keeps_their_id(
    newsletter: Scenario,
) -> None:
    """As docs/runbooks/lake_corrupted.md says it."""
    at = newsletter
    before = customer_of(at.tables)
    for layer in ("bronze", "silver", "quarantine"):
        shutil.rmtree(at.home / "lake" / layer / "people", ignore_errors=True)
    forget_logs(at.tables.spark)
    write(at, NEXT, "new@example.com")

    files = replay(at.tables, "people", run_id="again", everything=True)
    assert len(files) == len(at.files("people")) == 2
    # Its mailing lists cannot be reached here.
    assert at.night(NEXT) == ExitCode.DEGRADED

    after = customer_of(at.tables)
    assert {record: after[record] for record in before} == before
    assert len(after) == len(before) + 1
    assert "new@example.com" in {row["email"] for row in at.read("gold.customers").collect()}
    assert found(at) == []


def test_each_of_many_things_that_went_wrong_is_found_and_nobody_is_named(
    newsletter: Scenario,
) -> None:
    at = newsletter
    first, second = at.files("people")
    customers = at.read("identity.customers")
    ids = sorted(row["customer_id"] for row in customers.collect())
    golden, records = at.read("gold.customers"), at.read("identity.records")
    history = [
        {"customer_id": "c_1", "event": "merged", "other_customer_id": "c_2"},
        {"customer_id": "c_2", "event": "merged", "other_customer_id": "c_1"},
        {"customer_id": "c_3", "event": "merged", "other_customer_id": "c_nobody"},
        {"customer_id": ids[2], "event": "merged", "other_customer_id": ids[3]},
    ]
    edge = {"left_record": "people:a", "right_record": "people:b"}
    publish(
        at,
        identity__customers=customers.where(F.col("customer_id") != ids[0]),
        identity__records=records,
        identity__history=at.tables.frame(history, HISTORY.ddl),
        identity__edges=at.tables.frame(
            [edge], "left_record STRING, right_record STRING, identifier STRING"
        ),
        gold__customers=golden.unionByName(golden.where(F.col("customer_id") == ids[1])),
    )
    at.tables.append("ops.publications", at.read("ops.publications").limit(1))
    landing = at.home / "lake" / "landing"
    with (landing / first.landed_path).open("ab") as file:
        file.write(b"\n")
    (landing / second.landed_path).unlink()
    bronze = at.read("bronze.people")
    at.tables.append("bronze.people", bronze.limit(1).withColumn("_file_id", F.lit("stray")))
    at.tables.delete_slice("quarantine.people", where={"_file_id": second.file_id})
    members = at.read("segments.members")
    day = members.first()["as_of"]  # type: ignore[index]
    gone = members.where(F.col("customer_id") != ids[1]).localCheckpoint()
    at.tables.overwrite("segments.members", gone)
    ledger = at.read("activation.ledger")
    stray = ledger.limit(1).withColumns(
        {"segment": F.lit("nobodys"), "acknowledged_hash": F.lit(None).cast("string")}
    )
    at.tables.append("activation.ledger", stray.select(ledger.columns))
    at.tables.append("activation.ledger", ledger.where(F.col("key") == BOB))
    odd = [{"destination": "readers", "segment": "newsletter_readers", "key": "x", "state": "lost"}]
    at.tables.append("activation.ledger", at.tables.frame(odd, LEDGER.ddl))

    assert told(at) == {
        ("landing", f"people: {first.path}", "its landed copy has changed"),
        ("landing", f"people: {second.path}", "its landed copy is gone"),
        ("files", "bronze.people", "1 records of a file that no ledger knows"),
        ("files", f"people: {second.path}", "0 of 1 quarantined are there"),
        ("generations", "ops.publications", "a generation stands twice"),
        ("identity", "identity", "1 live records without a customer"),
        ("identity", "identity", "2 links of records that are not there"),
        ("redirects", "identity.history", "c_1 leads in a circle"),
        ("redirects", "identity.history", "c_2 leads in a circle"),
        ("redirects", "identity.history", "c_3 leads to c_nobody, which nobody bears"),
        ("redirects", "identity.history", f"{ids[2]} was merged, and still has records"),
        ("gold", "gold", "1 rows of gold.customers whose customer is not there"),
        ("gold", "gold", "1 rows of gold.consents whose customer is not there"),
        ("gold", "gold", "2 rows of gold.identifiers whose customer is not there"),
        ("gold", "gold", "1 rows of gold.metrics whose customer is not there"),
        ("gold", "gold", "1 rows of gold.sources whose customer is not there"),
        ("gold", "gold", "1 customers who are golden twice"),
        (
            "segments",
            f"segment newsletter_readers of {day}",
            "3 members are there, and 4 were counted",
        ),
        ("ledger", "activation.ledger", "1 records twice"),
        ("ledger", "activation.ledger", "1 records in a state that there is not"),
        (
            "ledger",
            "activation.ledger",
            "1 records that are there without an acknowledgement",
        ),
        ("ledger", "activation.ledger", "1 records at readers of no segment"),
    }


@pytest.mark.slow
@pytest.mark.fault("corrupt data file or log")
def test_damage_is_found_in_columns_that_nothing_else_looks_at(newsletter: Scenario) -> None:
    at = newsletter
    lake, spoilt = at.home / "lake", {"bronze.people": "given_name", "ops.runs": "details"}
    for name, column in spoilt.items():
        assert _damage(lake / name.replace(".", "/"), column)
    at.tables.spark.catalog.clearCache()

    assert {(each.check, each.where) for each in found(at)} == {("tables", name) for name in spoilt}


@pytest.mark.slow
@pytest.mark.fault("corrupt data file or log")
def test_a_damaged_file_of_a_golden_table_is_found(newsletter: Scenario) -> None:
    at = newsletter
    damaged = _damage(at.home / "lake" / "gold" / "customers")
    at.tables.spark.catalog.clearCache()

    assert {(each.check, each.where) for each in found(at)} >= {("tables", "gold.customers")}, (
        damaged
    )


def _damage(table: Path, column: str = "") -> list[str]:
    """Every data file of the table, its bytes turned round, or those of a column alone."""
    done = []
    for path in table.rglob("*.parquet"):
        if "_delta_log" not in path.parts:
            data = path.read_bytes()
            start, end = _place(path, column) if column else (4, len(data) - 8)
            path.write_bytes(data[:start] + data[start:end][::-1] + data[end:])
            shutil.rmtree(path.with_name(f".{path.name}.crc"), ignore_errors=True)
            path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
            done.append(path.name)
    return done


def _place(path: Path, column: str) -> tuple[int, int]:
    """Where a column stands in a file of one row group."""
    group = parquet.read_metadata(path).row_group(0)
    [chunk] = [
        found
        for number in range(group.num_columns)
        if (found := group.column(number)).path_in_schema == column
    ]
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    return start, start + chunk.total_compressed_size
