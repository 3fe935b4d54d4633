"""Sources are collected side by side, and what is wrong with one stays with it."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from goldenlake.declarations.source import Source
from goldenlake.errors import FileRefused
from goldenlake.io.landing import LocalLanding
from goldenlake.io.places.folder import Folder
from goldenlake.io.tables import DeltaTables
from goldenlake.ports import StepResult
from goldenlake.steps.collect import Collect, replay
from goldenlake.steps.files import read_files, records_by_file
from support.destinations import Places
from support.landed import source

DAY = date(2026, 1, 3)
NOW = datetime(2026, 1, 4, 1, tzinfo=UTC)


class Clock:
    def now(self) -> datetime:
        return NOW


def silent(_: str) -> None: ...


def shop(
    name: str,
    *columns: Any,
    place: str = "drops",
    file_date: str | None = None,
    load: str = "increment",
    **others: Any,
) -> Source:
    return source(
        *columns,
        source=name,
        load=load,
        key=["id"],
        origin={"place": place, "files": f"{name}*.csv", "file_date": file_date},
        **others,
    )


ID, EMAIL = {"name": "id", "required": True}, {"name": "email", "required": True}
#: Its place is gone; its file lacks a column; it is sound, with one record that is not.
GONE, BROKEN, SOUND = (
    shop("gone", ID, place="cellar"),
    shop("erp", ID, EMAIL),
    shop("crm", ID, EMAIL, most_quarantined=0.5),
)


def collected(
    tables: DeltaTables,
    folder: Path,
    *sources: Source,
    as_of: date = DAY,
    place: type[Folder] = Folder,
) -> list[StepResult]:
    """One collect of what lies in the folder's places, with its landing area."""
    return Collect(sources=sources, as_of=as_of, run_id="r1", settle=timedelta(0)).run(
        tables=tables,
        maintenance=tables,
        landing=LocalLanding(folder / "landing"),
        outside=Places(lambda name: place(name, folder / name)),
        clock=Clock(),
        progress=silent,
    )


def test_a_file_without_a_day_is_told_once_and_waits_for_its_day(
    tables: DeltaTables, tmp_path: Path
) -> None:
    (tmp_path / "drops").mkdir()
    (tmp_path / "drops" / "crm_04.01.2026.csv").write_text("id\n1\n")

    def collect(file_date: str) -> StepResult:
        [result] = collected(tables, tmp_path, shop("crm", ID, file_date=file_date))
        return result

    dated = r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
    told = collect(dated)
    assert (told.status, told.counts["files_broken"]) == ("degraded", 1)
    assert "finds no day in its name" in told.error
    assert replay(tables, "crm", run_id="r2") == []
    assert collect(dated).status == "skipped"
    assert not tables.exists("silver.crm")
    (tmp_path / "drops" / "crm_2026-01-03.csv").write_text("id\n1\n")
    assert collect(dated).status == "done"
    assert {file.path: file.status for file in read_files(tables)} == {
        "crm_04.01.2026.csv": "broken",
        "crm_2026-01-03.csv": "conformed",
    }


def test_files_that_are_not_given_are_told_and_the_others_come(
    tables: DeltaTables, tmp_path: Path
) -> None:
    class Withholding(Folder):
        def open(self, path: str) -> BinaryIO:
            if path != "crm_5.csv":
                raise FileRefused(place=self.name, path=path, what="not yours")
            return super().open(path)

    (tmp_path / "drops").mkdir()
    for number in range(6):
        (tmp_path / "drops" / f"crm_{number}.csv").write_text(f"id\n{number}\n")
    [result] = collected(tables, tmp_path, shop("crm", ID), place=Withholding)
    assert (result.status, result.counts["files"], result.counts["files_refused"]) == (
        "degraded", 1, 5,
    )  # fmt: skip
    assert "place 'drops': crm_0.csv cannot be read: not yours." in result.error
    assert result.error.endswith("So it is with 2 files more.")
    assert tables.read("silver.crm").count() == 1


class Nights:
    """Of one source, whose only record is said to have an address on each day."""

    def __init__(self, tables: DeltaTables, folder: Path, declared: Source) -> None:
        self.tables, self.folder, self.declared = tables, folder, declared
        self.drops = folder / "drops"
        self.drops.mkdir()

    def drop(self, name: str, email: str, hours: int = 0) -> None:
        path, at = self.drops / name, (NOW + timedelta(hours=hours - 24)).timestamp()
        lines = {"id": "1", "email": f"{email}@example.com", "changed_on": "2026-01-03"}
        told = [column.name for column in self.declared.columns]
        path.write_text(f"{','.join(told)}\n{','.join(lines[name] for name in told)}\n")
        os.utime(path, (at, at))

    def night(self, as_of: date = DAY) -> int:
        [result] = collected(self.tables, self.folder, self.declared, as_of=as_of)
        # A late snapshot that says what the one after it says is not read.
        assert result.status in ("done", "skipped")
        return result.counts.get("records_read", 0)

    @property
    def truth(self) -> tuple[str, date]:
        [row] = self.tables.read("silver.crm").select("email", "_file_on").collect()
        return row["email"].removesuffix("@example.com"), row["_file_on"]

    def every_record_is_of_a_known_file(self) -> bool:
        known = {row.file_id: row.records_read for row in read_files(self.tables)}
        held = records_by_file(self.tables, "bronze.crm")
        return {each: known.get(each) for each in held} == held


DATED = r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"


@pytest.mark.fault("late and reordered files")
@pytest.mark.parametrize("nights", [["1", "2", "3"], ["13", "2"], ["3", "1", "2"], ["2", "31"]])
@pytest.mark.parametrize("load", ["increment", "snapshot"])
def test_a_record_that_returns_to_what_it_was_is_that_whichever_file_comes_first(
    tables: DeltaTables, tmp_path: Path, load: str, nights: list[str]
) -> None:
    every = Nights(tables, tmp_path, shop("crm", ID, EMAIL, load=load, file_date=DATED))
    for days in nights:
        for day in days:
            every.drop(f"crm_2026-01-0{day}.csv", "new" if day == "2" else "old")
        read = every.night()
        assert read == len(days) or load == "snapshot"
    assert every.truth == ("old", DAY)
    assert every.every_record_is_of_a_known_file()


def test_of_rows_that_say_the_same_day_the_one_written_later_that_day_counts(
    tables: DeltaTables, tmp_path: Path
) -> None:
    changed_on = {"name": "changed_on", "type": "date", "required": True}
    declared = shop("crm", ID, EMAIL, changed_on, file_date=DATED, order_by=["changed_on"])
    every = Nights(tables, tmp_path, declared)
    for hours, told in enumerate(["yes", "no", "never"]):
        every.drop(f"crm_2026-01-03_{hours}.csv", told, hours)
        assert every.night() == 1
        assert every.truth == (told, DAY)


@pytest.mark.parametrize("names", [["crm.csv"] * 3, ["crm_c.csv", "crm_b.csv", "crm_a.csv"]])
def test_of_two_files_of_one_day_the_one_written_later_counts(
    tables: DeltaTables, tmp_path: Path, names: list[str]
) -> None:
    every = Nights(tables, tmp_path, shop("crm", ID, EMAIL))
    for hours, (name, email) in enumerate(zip(names, ("old", "new", "old"), strict=True)):
        every.drop(name, email, hours)
        assert every.night() == 1
        assert every.truth == (email, DAY)
    assert every.every_record_is_of_a_known_file()


def test_a_broken_source_stops_nothing_and_a_mended_contract_brings_its_rows_in(
    tables: DeltaTables, tmp_path: Path
) -> None:
    drops = tmp_path / "drops"
    drops.mkdir()
    (drops / "erp.csv").write_text("id\n1\n2\n")
    (drops / "crm.csv").write_text("id,email\n1,ann@example.com\n2,\n")

    def collect(*sources: Source) -> list[StepResult]:
        return collected(tables, tmp_path, *sources)

    def rows(name: str) -> list[str]:
        return sorted(row["id"] for row in tables.read(f"silver.{name}").collect())

    gone, erp, crm = collect(GONE, BROKEN, SOUND)
    assert [each.subject for each in (gone, erp, crm)] == ["gone", "erp", "crm"]
    assert (gone.status, gone.details["exit_code"]) == ("degraded", 75)
    assert "cellar" in gone.error
    assert (erp.status, erp.counts["files_broken"]) == ("degraded", 1)
    assert "email" in erp.error
    assert (crm.status, crm.error) == ("done", "")
    assert (crm.counts["records_accepted"], crm.counts["records_quarantined"]) == (1, 1)
    assert rows("crm") == ["1"]
    assert not tables.exists("silver.erp")

    mended = shop("crm", ID, "email"), shop("erp", ID, "email?")
    for again in range(2):
        files = [file for name in ("crm", "erp") for file in replay(tables, name, run_id="r2")]
        assert [file.path for file in files] == ([] if again else ["crm.csv", "erp.csv"])
        crm, erp = collect(*mended)
        assert {crm.status, erp.status} == {"skipped" if again else "done"}
    assert rows("crm") == ["1", "2"]
    assert rows("erp") == ["1", "2"]
    assert tables.read("quarantine.crm").isEmpty()
    ledger = {file.path: file for file in read_files(tables)}
    assert {(file.status, file.records_quarantined) for file in ledger.values()} == {
        ("conformed", 0)
    }
    assert ledger["erp.csv"].error is None


def test_what_a_rule_refuses_now_leaves_silver_once_all_files_were_collected_again(
    tables: DeltaTables, tmp_path: Path
) -> None:
    drops = tmp_path / "drops"
    drops.mkdir()
    for day, rows in enumerate(("1,ann\n2,bob\n", "2,x\n3,x\n")):
        (drops / f"crm{day}.csv").write_text(f"id,name\n{rows}")

    def collect(*rules: Any) -> list[tuple[str, str]]:
        collected(tables, tmp_path, shop("crm", ID, "name", rules=rules))
        return sorted((row["id"], row["name"]) for row in tables.read("silver.crm").collect())

    assert collect() == [("1", "ann"), ("2", "x"), ("3", "x")]
    replay(tables, "crm", run_id="r2", everything=True)
    known = {"rule": "in_set", "column": "name", "values": ["ann", "bob"], "reason": "Ours."}
    assert collect(known) == [("1", "ann"), ("2", "bob")]


WORDS = {"rule": "in_set", "column": "type", "values": ["click"], "reason": "Our words."}
STATED = {"at": "at", "constant_purpose": "letters", "constant_channel": "email", "status": "type"}


@pytest.mark.parametrize(
    ("bad", "others", "status"),
    [
        (2, {}, "done"),
        (3, {}, "degraded"),
        (3, {"most_quarantined": 0.3}, "done"),
        (1, {"consents": [STATED | {"statuses": {"click": "granted"}}]}, "degraded"),
    ],
)
def test_a_source_of_which_too_much_is_quarantined_is_degraded_and_its_good_rows_go_on(
    tables: DeltaTables, tmp_path: Path, bad: int, others: dict[str, Any], status: str
) -> None:
    esp = shop("esp", ID, "type", "at", rules=[WORDS], **others)
    types = ["optout"] * bad + ["click"] * (10 - bad)
    (tmp_path / "drops").mkdir()
    (tmp_path / "drops" / "esp.csv").write_text(
        "id,type,at\n" + "".join(f"{at},{what},\n" for at, what in enumerate(types))
    )
    (found,) = collected(tables, tmp_path, esp)
    assert (found.status, found.counts["records_accepted"]) == (status, 10 - bad)
    assert tables.read("silver.esp").count() == 10 - bad
    if status == "done":
        assert found.error == ""
    else:
        assert f"{bad} of 10 records were quarantined, most often by in_set_type" in found.error
        assert "`goldenlake replay esp --as-of DAY`" in found.error
