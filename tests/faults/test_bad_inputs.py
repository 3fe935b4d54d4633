"""A night of nothing but bad input: each file has its outcome, and the good one beside it lands."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from goldenlake.columns.spreadsheets import guarded
from goldenlake.declarations.identity import IdentityRules
from goldenlake.identity import links
from goldenlake.io.landing import LocalLanding
from goldenlake.io.places.folder import Folder
from goldenlake.io.readers.contract import MOST_DRIFT
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import StepResult
from goldenlake.schemas import BROKEN, CONFORMED
from goldenlake.steps.collect import Collect
from goldenlake.steps.files import FileRow, read_files
from support.destinations import Places
from support.hostile import ADDRESS, CANARY, Entry
from support.hostile.sources import CASES, CATALOGUE, GOOD, SOURCE_OF, SOURCES

DAY = date(2026, 3, 1)


@dataclass(frozen=True)
class Night:
    """What one run over the whole catalogue left behind."""

    results: dict[str, StepResult]
    files: dict[str, FileRow]
    silver: dict[str, list[Row]]
    """Rows by file, in the file's order."""
    quarantine: dict[str, list[Row]]
    drift: dict[str, set[tuple[str, str]]]
    ledgers: str
    """All that ``ops.*`` says, as text."""
    logged: str


class _Clock:
    def now(self) -> datetime:
        return datetime(2026, 3, 2, 1, tzinfo=UTC)


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("py4j"):
            self.lines.append(logging.Formatter().format(record))


@pytest.fixture(scope="module")
def night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Night:
    root = tmp_path_factory.mktemp("hostile")
    for group, entries in CATALOGUE.items():
        folder = root / "drops" / SOURCE_OF[group]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{group}-good").write_bytes(GOOD[group])
        for at, entry in enumerate(entries):
            (folder / f"{group}-{at:03}").write_bytes(entry.content)
    tables = DeltaTables(spark, str(root / "lake"))
    kept, said = _Kept(), []
    logging.getLogger().addHandler(kept)
    before = logging.getLogger("goldenlake").level
    logging.getLogger("goldenlake").setLevel(logging.DEBUG)
    try:
        results = Collect(
            sources=[*SOURCES.values()], as_of=DAY, run_id="r1", settle=timedelta(0)
        ).run(
            tables=tables,
            maintenance=tables,
            landing=LocalLanding(root / "landing"),
            outside=Places(lambda name: Folder(name, root / name)),
            clock=_Clock(),
            progress=said.append,
        )
    finally:
        logging.getLogger().removeHandler(kept)
        logging.getLogger("goldenlake").setLevel(before)
    files = {file.path.split("/")[-1]: file for file in read_files(tables)}
    drift = tables.read("ops.drift").collect()
    return Night(
        results={result.subject: result for result in results},
        files=files,
        silver=_by_file(tables, "silver"),
        quarantine=_by_file(tables, "quarantine"),
        drift={
            file.file_id: {(d["kind"], d["column"]) for d in drift if d["file_id"] == file.file_id}
            for file in files.values()
        },
        ledgers=f"{files} {drift} {results}",
        logged="\n".join([*kept.lines, *said]),
    )


def _by_file(tables: DeltaTables, layer: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for group in SOURCES:
        if tables.exists(f"{layer}.{group}"):
            rows = tables.read(f"{layer}.{group}")
            # Of a crowd, the first are as good as all.
            for row in rows.where("_record <= 5000").orderBy("_file_id", "_record").collect():
                found.setdefault(row["_file_id"], []).append(row)
    return found


def file_of(night: Night, group: str, entry: Entry) -> FileRow:
    """The ledger's row of an entry."""
    at = next(at for at, each in enumerate(CATALOGUE[group]) if each is entry)
    return night.files[f"{group}-{at:03}"]


@pytest.mark.parametrize(
    ("group", "entry"), CASES, ids=[f"{group}-{entry.name}" for group, entry in CASES]
)
def test_each_file_comes_to_the_end_that_the_catalogue_says(
    night: Night, group: str, entry: Entry, outcome: Callable[[str, str, str], None]
) -> None:
    outcome(group, entry.name, entry.outcome)
    file = file_of(night, group, entry)
    if entry.broken:
        assert (file.status, file.records_read) == (BROKEN, 0), file
        assert entry.broken in str(file.error)
        assert file.file_id not in night.silver
        return
    assert file.status == CONFORMED, file.error or night.results[SOURCE_OF[group]].error
    assert (file.records_accepted, dict(file.reasons)) == (entry.accepted, dict(entry.rules))
    assert file.records_quarantined == entry.records_quarantined
    assert file.records_read == entry.accepted + entry.records_quarantined
    assert entry.drift <= night.drift[file.file_id]
    assert len(night.drift[file.file_id]) <= MOST_DRIFT + 5, "one line more for each kind"
    rows = night.silver.get(file.file_id, [])
    assert len(rows) == min(entry.accepted, 5_000)
    for row, expected in zip(rows, entry.landed, strict=False):
        assert {name: _value(row[name]) for name in expected} == dict(expected)


def _value(value: object) -> object:
    """Spark's instants are local times of this process, which runs in UTC."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


@pytest.mark.parametrize("group", CATALOGUE)
def test_the_good_file_beside_them_lands_whole(night: Night, group: str) -> None:
    file = night.files[f"{group}-good"]
    assert (file.status, file.records_read, file.records_accepted) == (CONFORMED, 2, 2), file
    named = "host" if group == "logs" else "id"
    assert [row[named] for row in night.silver[file.file_id]] == ["C41", "C42"]


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_with_broken_files_says_so_and_tells_which(night: Night, name: str) -> None:
    broken = [entry for group, entry in CASES if SOURCE_OF[group] == name and entry.broken]
    result = night.results[name]
    assert result.counts["files_broken"] == len(broken)
    assert result.status == ("degraded" if broken else "done")
    assert result.error.count(f"{name}: {name}/") == len(broken)


def test_every_bad_record_stands_in_quarantine_as_it_came(night: Night) -> None:
    for group, entry in CASES:
        held = night.quarantine.get(file_of(night, group, entry).file_id, [])
        assert len(held) == entry.records_quarantined
        assert {rule for row in held for rule in row["rules"]} == set(entry.rules)
        assert all(row["row"] for row in held)


def test_nobody_is_named_in_an_error_a_log_or_a_ledger(night: Night) -> None:
    assert CANARY in str(night.quarantine)
    assert CANARY in str(night.silver)
    assert CANARY not in night.ledgers
    assert CANARY not in night.logged


def test_every_file_of_text_has_somebody_to_be_kept_quiet_about() -> None:
    silent = [
        f"{group}: {entry.name}"
        for group, entry in CASES
        if group in ("csv", "declared", "jsonl", "logs")
        and CANARY.encode() not in entry.content.replace(b"\0", b"")
    ]
    assert silent == ["csv: empty", "csv: header only"]


def test_an_address_of_50_000_people_makes_one_person_of_none_of_them(spark: SparkSession) -> None:
    rules = IdentityRules.model_validate(
        {"identifiers": {"email": {"description": "x", "strength": "strong"}}}
    )
    pair = F.struct(F.lit("email").alias("name"), F.lit(ADDRESS).alias("value"))
    records = spark.range(50_000).select(
        F.format_string("crm:C%d", "id").alias("record_id"),
        F.lit(True).alias("is_active"),
        F.array(pair).alias("identifiers"),
        F.create_map().cast("map<string, string>").alias("traits"),
    )
    members = links.members(records, rules)
    groups = links.value_groups(members, rules)
    [group] = groups.collect()
    assert (group["records"], group["reason"]) == (50_000, links.TOO_MANY)
    assert links.judged(members, groups).isEmpty()


def test_a_formula_is_not_run_by_the_spreadsheet_that_opens_an_export() -> None:
    formulas = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]
    assert [guarded(text) for text in formulas] == [f"'{text}" for text in formulas]
    assert guarded("Ann = Bo") == "Ann = Bo"
