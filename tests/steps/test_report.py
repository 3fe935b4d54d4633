"""What the nightly page is told, from the tables that the night left behind."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from pyspark.sql import SparkSession

from goldenlake.declarations.catalogue import Catalogue
from goldenlake.errors import TableMissing
from goldenlake.identity.trained import TrainedModel
from goldenlake.reporting.facts import AccuracyFacts
from goldenlake.steps.reading import newest_day
from goldenlake.steps.report import WriteReport
from support.conf import Conf
from support.frames import Frames
from support.match_model import MODEL
from support.matching import matching

DAY, BEFORE = date(2026, 1, 3), date(2026, 1, 2)
NIGHT = datetime(2026, 1, 4, 1, tzinfo=UTC)
GOLD = {
    "gold.customers": (
        "customer_id STRING, email STRING, birth_on DATE, is_known BOOLEAN, records INT"
    )
}
PINNED = ["gold.customers", "identity.history", "identity.review", "identity.edges",
          "identity.customers"]  # fmt: skip


class Clock:
    def now(self) -> datetime:
        return NIGHT


def file(status: str = "conformed", **others: Any) -> dict[str, Any]:
    return {
        "source": "shop", "path": "a.csv", "size_bytes": 1, "sha256": str(others),
        "modified_at": NIGHT, "file_id": "f", "file_on": DAY, "landed_path": "l",
        "landed_on": DAY, "status": status, "records_read": 10, "records_accepted": 8,
        "records_quarantined": 2, "reasons": {"id_required": 2}, "run_id": "r1", **others,
    }  # fmt: skip


def ran(step: str, minute: float, status: str = "done", **others: Any) -> dict[str, Any]:
    return {
        "run_id": "r1", "as_of": DAY, "step": step, "subject": "", "status": status,
        "started_at": NIGHT + timedelta(minutes=minute), "seconds": 2.0, "counts": {},
        "details": "{}", "error": "", **others,
    }  # fmt: skip


def drift(file_id: str, column: str, kind: str, seen_on: date = DAY) -> dict[str, Any]:
    return {
        "source": "shop", "file_id": file_id, "seen_on": seen_on, "kind": kind, "column": column
    }  # fmt: skip


def member(segment: str, who: str) -> dict[str, Any]:
    return {"as_of": DAY, "segment": segment, "customer_id": who, "generation": 7}


ROWS: dict[str, list[dict[str, Any]]] = {
    "ops.publications": [
        {"generation": 7, "as_of": DAY, "tables": dict.fromkeys(PINNED, 1), "inputs": {}}
    ],
    "ops.files": [file(), file(path="b.csv", reasons={"id_required": 1, "email_matches": 3}),
                  file(path="old.csv", file_id="old", landed_on=BEFORE, file_on=BEFORE)],
    "ops.runs": [
        ran("collect", 1, subject="shop"),
        ran("collect", 9, "skipped", subject="shop"),
        ran("resolve", 1, "skipped"), ran("golden", 1.5), ran("segments", 3.5),
        ran("publish", 2, "failed", error="No disk."),
        ran("publish", 3, details='{"verdicts": [{"table": "t", "rule": "r", "severity": '
            '"warning", "passed": false, "broken": 1, "reason": "x"}], "warnings": ["t: r"]}'),
        ran("activate", 4, subject="letters", counts={"sent": 3}, details='{"segments": {'
            '"readers": {"held_back": {"no_consent": 1}}, "buyers": {"held_back": {}}}}'),
        ran("activate", 5, "failed", subject="ads", error="Down."),
        ran("activate", 6, "skipped", subject="ads"),
        ran("resolve", 0, as_of=BEFORE, status="failed"),
    ],
    "ops.drift": [
        drift("f", "colour", "new"), drift("old", "colour", "new", BEFORE),
        drift("old", "size", "missing", BEFORE), drift("f", "ann@example.com", "doubled"),
    ],
    "gold.customers": [
        {"customer_id": "c_a", "email": "a@example.com", "is_known": True, "records": 5},
        {"customer_id": "c_b", "is_known": True, "records": 1},
        {"customer_id": "c_x", "is_known": False, "records": 1},
    ],
    "identity.history": [
        {"customer_id": "c_a", "event": "assigned", "generation": 7},
        {"customer_id": "c_b", "event": "assigned", "generation": 6},
    ],
    "identity.review": [{"identifier": "email", "reason": "too_many_records"}],
    "identity.edges": [
        {"identifier": "email", "strength": "strong"}, {"identifier": "email", "strength": "weak"},
        {"identifier": "match", "strength": "doubtful", "weight": -1.0,
         "left_record": "shop:1", "right_record": "shop:2"},
        {"identifier": "steward", "strength": "cannot",
         "left_record": "shop:1", "right_record": "shop:3"},
    ],
    "identity.customers": [
        {"record_id": f"shop:{at}", "customer_id": f"c_{at}"} for at in (1, 2, 3)
    ],
    "segments.sizes": [
        {"as_of": DAY, "segment": "readers", "members": 3, "entered": 1, "exited": 0, "stayed": 2},
        {"as_of": DAY, "segment": "undeclared", "members": 9},
        {"as_of": BEFORE, "segment": "readers", "members": 2},
    ],
    "segments.members": [
        member("readers", "c_a"), member("buyers", "c_a"), member("late", "c_a"),
        member("readers", "c_b"), member("buyers", "c_b"), member("readers", "c_c"),
        {**member("buyers", "c_c"), "as_of": BEFORE},
    ],
    "activation.ledger": [
        {"destination": "letters", "state": "present"},
        {"destination": "letters", "state": "absent"},
        {"destination": "fax", "state": "present"},
    ],
}  # fmt: skip


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Conf(tmp_path).load()


def test_the_page_tells_of_the_day_and_of_nothing_else(
    spark: SparkSession, catalogue: Catalogue, tmp_path: Path
) -> None:
    folder = tmp_path / "reports"
    tables: Any = Frames(spark, ROWS, GOLD)
    docs = folder / "data_docs" / "2026-01-03" / "index.html"
    docs.parent.mkdir(parents=True)
    docs.write_text("docs")
    step = WriteReport(catalogue=catalogue, as_of=DAY, run_id="r1", folder=folder)
    facts = step.gather(tables, Clock())

    (shop,) = facts.sources
    assert (shop.files, shop.read, shop.quarantined, shop.status) == (2, 20, 4, "done")
    assert list(shop.reasons.items()) == [("id_required", 3), ("email_matches", 3)]
    assert (shop.last_file_on, shop.is_overdue) == (DAY, False)
    assert facts.published.identity == {
        "records": 7, "links": 2, "customers": 3, "known customers": 2, "anonymous visitors": 1,
        "links by email": 2,
    }  # fmt: skip
    assert dict(facts.published.cluster_sizes) == {
        "1": 2, "2": 0, "3": 0, "4–5": 1, "6–10": 0, "11–25": 0, "26+": 0
    }  # fmt: skip
    assert facts.published.events == {"assigned": 1}
    assert facts.published.review == {"too_many_records": 1}
    assert dict(facts.published.completeness) == {"email": 0.5, "birth_on": 0.0}
    assert [(each.name, each.members, each.entered) for each in facts.segments] == [
        ("readers", 3, 1)
    ]
    assert facts.overlaps == {
        ("buyers", "readers"): 2, ("buyers", "late"): 1, ("late", "readers"): 1
    }  # fmt: skip
    # What no file of the last landing shows any longer has passed.
    assert [(each.column, each.kind, each.since, each.files) for each in facts.drift] == [
        ("(not a name)", "doubled", DAY, 1), ("colour", "new", BEFORE, 1)
    ]  # fmt: skip
    letters, ads = facts.exports
    assert (letters.there, letters.counts, letters.held_back) == (1, {"sent": 3}, {"no_consent": 1})
    # The rerun that mended the publication counts, and the idle rerun of collect does not; an idle
    # rerun of an export shows that its fault has passed.
    assert [(each.step, each.status) for each in facts.steps] == [
        ("collect", "done"), ("resolve", "skipped"), ("golden", "done"), ("publish", "done"),
        ("segments", "done"), ("activate", "done"), ("activate", "skipped"),
    ]  # fmt: skip
    assert (ads.status, ads.error) == ("skipped", "")
    assert facts.verdict == "good"
    assert facts.warnings == ["t: r"]
    # No file of conf/destinations is about it any more.
    assert facts.abandoned == {"fax": 1}
    assert [each.subject for each in facts.attention] == ["fax", "expectation"]
    assert len(facts.expectations) == 1
    assert facts.data_docs == "data_docs/2026-01-03/index.html"


def edge(left: str, right: str, identifier: str, strength: str) -> dict[str, Any]:
    return {
        "left_record": left, "right_record": right, "identifier": identifier, "strength": strength
    }  # fmt: skip


def test_with_a_model_the_page_tells_how_many_customers_it_merged(
    spark: SparkSession, catalogue: Catalogue, tmp_path: Path
) -> None:
    owners = {"a": "c_a", "b": "c_a", "c": "c_a", "d": "c_d", "e": "c_d", "f": "c_f", "g": "c_f"}
    groups = dict(zip(owners, "abcddff", strict=True))
    rows = {
        **ROWS,
        "identity.customers": [
            {"record_id": record, "customer_id": owner, "link_group": groups[record]}
            for record, owner in owners.items()
        ],
        "identity.edges": [
            edge("a", "b", "match", "likely"),
            edge("b", "c", "match", "likely"),
            edge("d", "e", "match", "likely"),
            edge("d", "e", "email", "strong"),
            edge("f", "g", "email", "strong"),
            # Between two customers: the rest of their records spoke against it.
            edge("c", "f", "match", "likely"),
            edge("a", "d", "match", "doubtful"),
        ],
        "ops.runs": [ran("resolve", 0, counts={"keys_left_out": 5})],
    }
    pinned = dict.fromkeys([*PINNED, "identity.customers"], 1)
    rows["ops.publications"] = [{**ROWS["ops.publications"][0], "tables": pinned}]
    tables: Any = Frames(spark, rows, GOLD)
    model = TrainedModel(json.dumps(MODEL))
    step = WriteReport(
        catalogue=catalogue, as_of=DAY, run_id="r1", folder=tmp_path / "reports", trained=model
    )
    facts = step.gather(tables, Clock())
    found = facts.matching
    assert found is not None
    assert (found.likely, found.doubtful, found.joined, found.keys_left_out) == (4, 1, 2, 5)
    assert found.version == model.version
    assert facts.published.identity["links"] == 6


def test_a_generation_is_counted_once_for_all_its_pages_and_anew_where_anything_else_counts(
    spark: SparkSession, catalogue: Catalogue, tmp_path: Path
) -> None:
    step = WriteReport(catalogue=catalogue, as_of=BEFORE, run_id="r1", folder=tmp_path / "reports")
    people = {name: rows for name, rows in ROWS.items() if not name.startswith("segments.")}
    of_tables: Any = Frames(spark, people, GOLD)
    counted = step.gather(of_tables, Clock()).published
    details = json.dumps(dict(step.run(of_tables, Clock()).details))

    def told(generation: int = 7, details: str = details, on: date = BEFORE, **others: Any) -> Any:
        """The page of the day after from these details alone: without the tables of people."""
        published = {**ROWS["ops.publications"][0], "generation": generation}
        page = ran("report", -900, as_of=on, details=details)
        rows = {"ops.publications": [published], "ops.runs": [page]}
        return replace(step, as_of=DAY, **others).gather(
            cast(Any, Frames(spark, rows, GOLD)), Clock()
        )

    assert told().published == counted
    assert counted.identity["customers"] == 3
    assert told().steps == []
    model = TrainedModel(json.dumps(MODEL))
    for other in (
        {"generation": 8},
        {"trained": model},
        {"details": "{}"},
        {"details": details.replace('"customers": 3', '"customers": "three"')},
        {"on": BEFORE - timedelta(days=7)},
    ):
        with pytest.raises(TableMissing):
            told(**other)


def test_accuracy_that_the_demonstration_measured_stands_on_the_page_and_is_no_step_of_the_night(
    spark: SparkSession, catalogue: Catalogue, tmp_path: Path
) -> None:
    shares = {"precision": 1.0, "recall": 0.5, "f1": 0.667, "pairs": 8}
    parts = [{"part": "all", "links": {**shares, "b3_f1": 0.9}, "model": shares}]
    runs = [ran("resolve", 0), ran("accuracy", 1, details=json.dumps({"parts": parts}))]
    tables: Any = Frames(spark, {"ops.runs": runs}, {})
    step = WriteReport(catalogue=catalogue, as_of=DAY, run_id="r1", folder=tmp_path / "reports")
    facts = step.gather(tables, Clock())
    assert facts.accuracy == [
        AccuracyFacts(part="all", by="links alone", **shares),
        AccuracyFacts(part="all", by="with the model", **shares),
    ]
    assert [each.step for each in facts.steps] == ["resolve"]


def test_a_generation_without_a_link_or_a_refusal_has_a_page_too(
    spark: SparkSession, catalogue: Catalogue, tmp_path: Path
) -> None:
    pinned = dict.fromkeys(["gold.customers", "identity.history"], 1)
    rows = {
        "ops.publications": [{"generation": 7, "as_of": DAY, "tables": pinned, "inputs": {}}],
        **{name: ROWS[name] for name in pinned},
    }
    tables: Any = Frames(spark, rows, GOLD)
    step = WriteReport(catalogue=catalogue, as_of=DAY, run_id="r1", folder=tmp_path / "reports")
    facts = step.gather(tables, Clock())
    assert (facts.published.identity["links"], facts.published.review) == (0, {})


def test_a_day_on_which_nothing_ran_has_a_page_and_every_source_is_overdue(
    spark: SparkSession, catalogue: Catalogue, tmp_path: Path
) -> None:
    folder = tmp_path / "reports"
    tables: Any = Frames(spark, {}, {})
    step = WriteReport(catalogue=catalogue, as_of=DAY, run_id="r1", folder=folder)
    for _ in range(2):
        result = step.run(tables, Clock())
    assert result.details == {"path": str(folder / "2026-01-03.html"), "verdict": "empty"}
    assert [path.name for path in folder.iterdir()] == ["2026-01-03.html"]
    page = (folder / "2026-01-03.html").read_text(encoding="utf-8")
    assert "Nothing has run for this day" in page
    assert "no sound file of it has ever come" in page
    assert str(tmp_path) not in page


@pytest.mark.parametrize(
    ("statuses", "counts"),
    [
        (["degraded", "skipped"], "skipped"),
        (["degraded lasts", "skipped"], "degraded"),
        (["degraded lasts", "done", "skipped"], "done"),
        (["done", "failed", "skipped"], "done"),
        (["done", "skipped", "failed"], "failed"),
        (["skipped", "skipped"], "skipped"),
    ],
)
def test_an_idle_rerun_hides_a_fault_that_has_passed_and_nothing_else(
    spark: SparkSession, catalogue: Catalogue, tmp_path: Path, statuses: list[str], counts: str
) -> None:
    rows = [
        ran(
            "collect",
            minute,
            status.split()[0],
            subject="shop",
            details='{"lasts": true}' if "lasts" in status else "{}",
        )
        for minute, status in enumerate(statuses)
    ]
    tables: Any = Frames(spark, {"ops.runs": rows}, {})
    step = WriteReport(catalogue=catalogue, as_of=DAY, run_id="r1", folder=tmp_path / "reports")
    facts = step.gather(tables, Clock())
    assert [each.status for each in facts.steps] == [counts]


def test_a_source_is_overdue_whatever_broken_files_it_sent_and_one_that_repeats_itself_is_not(
    spark: SparkSession, catalogue: Catalogue, tmp_path: Path
) -> None:
    old = date(2025, 12, 1)
    broken = file("broken", path="b.csv", file_on=DAY)
    sound = file(path="a.csv", file_on=old, landed_on=old, sha256="a")
    again = file("duplicate", path="c.csv", file_on=DAY, sha256="a")
    step = WriteReport(catalogue=catalogue, as_of=DAY, run_id="r1", folder=tmp_path / "reports")
    for files, last in (([broken], None), ([broken, sound], old), ([broken, sound, again], DAY)):
        tables: Any = Frames(spark, {"ops.files": files}, {})
        (shop,) = step.gather(tables, Clock()).sources
        assert (shop.last_file_on, shop.is_overdue) == (last, last != DAY)


def test_decisions_and_pairs_that_wait_for_one_are_counted(
    spark: SparkSession, tmp_path: Path
) -> None:
    conf = Conf(tmp_path)
    tables: Any = Frames(spark, ROWS, GOLD)

    def counted(**parts: Any) -> Any:
        catalogue = replace(conf.load(), **parts)
        step = WriteReport(catalogue=catalogue, as_of=DAY, run_id="r1", folder=tmp_path / "r")
        return step.gather(tables, Clock()).published.stewards

    assert counted() == {}
    why = "reason: they said so, by: ann, on: 2026-01-01"
    conf.write(
        "identity/decisions.yml",
        f"decisions:\n  - {{cannot: [shop:1, shop:3], {why}}}\n"
        f"  - {{must: [shop:1, shop:9], {why}}}\n",
    )
    assert counted(matching=matching()) == {
        "pairs that must be one person": 0,
        "pairs that cannot be one person": 1,
        "decisions that wait for their records": 1,
        "uncertain pairs that wait for a decision": 1,
    }


def test_files_that_are_dated_after_today_and_a_stage_without_a_row_are_something_to_look_at(
    spark: SparkSession, catalogue: Catalogue, tmp_path: Path
) -> None:
    rows = [ran("collect", 1, "skipped", subject="shop", counts={"files_ahead": 2})]
    tables: Any = Frames(spark, {"ops.files": [file()], "ops.runs": rows}, {})
    step = WriteReport(catalogue=catalogue, as_of=DAY, run_id="r1", folder=tmp_path / "reports")
    killed, found = step.gather(tables, Clock()).attention
    assert (found.kind, found.subject) == ("warning", "shop")
    assert "2 files are dated after today" in found.message
    assert (killed.kind, killed.subject) == ("failed", "resolve")


def test_the_newest_day_is_that_of_the_last_night_and_upkeep_is_none(spark: SparkSession) -> None:
    runs = [ran("collect", 1, as_of=BEFORE), ran("maintain", 2), ran("report", 3)]
    published = {"ops.publications": ROWS["ops.publications"]}
    both: Any = Frames(spark, {"ops.runs": runs, **published}, {})
    assert newest_day(both) == BEFORE
    assert newest_day(cast(Any, Frames(spark, published, {}))) == DAY
    with pytest.raises(TableMissing, match="run the night first"):
        newest_day(cast(Any, Frames(spark, {}, {})))
