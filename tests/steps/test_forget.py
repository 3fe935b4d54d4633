"""Forgetting, alone: what tells of somebody beside their records."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from goldenlake.columns.traces import pseudonym
from goldenlake.declarations.base import SecretReference
from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.identity import IdentityRules
from goldenlake.declarations.source import Source
from goldenlake.io.landing import LocalLanding
from goldenlake.io.places.folder import Folder
from goldenlake.io.tables import DeltaTables
from goldenlake.schemas import BROKEN, CONFORMED, DUPLICATE, LANDED, QUARANTINE, conformed
from goldenlake.steps.doubts import Doubts
from goldenlake.steps.erase import Erase, Request, begin, open_requests
from goldenlake.steps.files import FileRow, read_files, record_files, token_in, token_of
from goldenlake.steps.forget import Forget, forget_again, records_of
from goldenlake.steps.generations import Generation
from goldenlake.steps.ingest import READ
from goldenlake.steps.known_files import KnownFiles
from goldenlake.steps.proof import search
from goldenlake.steps.refusals import refusals
from goldenlake.steps.subjects import Subject
from goldenlake.steps.telling import rows_of_others
from goldenlake.steps.ties import keep_ties
from goldenlake.steps.tombstones import CUT, RECORD, RULE, Erased
from support import gold
from support.bronze import LANDED_ON, ingested, source_of
from support.conforming import DAY, conform, silver
from support.gold import customer
from support.golden_world import built, contents
from support.landed import source

KEY = b"0123456789abcdef"
ANN = "ann@example.com"
SUBJECT = Subject(
    people=1,
    customer_ids=("c_ann",),
    record_ids=("crm:1",),
    identifiers=(("email", ANN),),
    contacts=(ANN,),
)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def landed(landing: LocalLanding, path: str, content: bytes) -> FileRow:
    sha256, landed_path, size = landing.put("crm", path.rsplit("/", 1)[-1], io.BytesIO(content))
    return FileRow(
        source="crm",
        path=path,
        size_bytes=size,
        sha256=sha256,
        modified_at=NOW,
        file_id=sha256,
        file_on=date(2026, 3, 1),
        landed_path=landed_path,
        landed_on=date(2026, 3, 1),
        status=CONFORMED,
        run_id="before",
    )


def zipped(name: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, "a\n1\n")
    return packed.getvalue()


def test_nothing_tells_of_somebody_by_a_files_name(tables: DeltaTables, tmp_path: Path) -> None:
    landing = LocalLanding(tmp_path / "landing")
    hers = landed(landing, f"in/orders_{ANN}_2026-03-01_v2.csv", b"a\n1\n")
    same = replace(hers, path=f"in/{ANN}.csv", status=DUPLICATE)
    broken = replace(
        landed(landing, f"{ANN}/x.csv", b"bad"), status=BROKEN, error=f"crm: {ANN}/x.csv: bad"
    )
    packed = landed(landing, "in/all.zip", zipped(f"{ANN}.csv"))
    others = landed(landing, f"in/orders_jo{ANN}.csv", b"a\n2\n")
    record_files(tables, [hers, same, broken, packed, others])

    step = Forget(sources=[], subject=SUBJECT, run_id="r", key=KEY)
    gone = step.run(tables, landing, lambda _: None)
    again = step.run(tables, landing, lambda _: None)
    tables.purge(["ops.files"])

    assert (gone.rows["landing"], gone.rows["ops.files"], again.rows) == (3, 3, {})
    rows = {row.path: row for row in read_files(tables)}
    assert len(rows) == 5
    assert rows[others.path] == others
    assert rows["in/all.zip"].landed_path == ""
    token = token_of(KEY, hers.path)
    assert f"in/orders_(told of somebody {token})_2026-03-01_v2.csv" in rows
    assert not SUBJECT.traces.found_in(str(rows))
    for folder in tmp_path.iterdir():
        assert search(Folder("all", folder), SUBJECT.traces).told == ()


def test_nothing_is_kept_of_somebody_in_rows_whose_place_others_took(
    tables: DeltaTables, tmp_path: Path
) -> None:
    ddl = "id STRING, email STRING, _landed_on DATE, _file_id STRING, _record BIGINT"
    on = date(2026, 3, 1)
    rows = [("1", ANN, on, "f", 1, "crm:1"), ("2", "bob@example.com", on, "f", 2, "crm:2")]
    tables.overwrite(
        "superseded.crm", tables.spark.createDataFrame(rows, f"{ddl}, record_id STRING")
    )
    columns = [{"name": "id"}, {"name": "email"}]
    own = source_of(load="append", columns=columns, identifiers={"email": "email"})
    step = Forget(sources=[own], subject=SUBJECT, run_id="r", key=KEY)
    gone = step.run(tables, LocalLanding(tmp_path / "landing"), lambda _: None)
    assert gone.rows == {"superseded.crm": 1}
    assert [row["id"] for row in tables.read("superseded.crm").collect()] == ["2"]


def test_no_names_of_somebody_are_kept_of_events_that_are_over(
    tables: DeltaTables, tmp_path: Path
) -> None:
    """Be it as a record of theirs, or by a name that is theirs alone."""
    columns = [{"name": "email"}, {"name": "phone"}]
    identifiers = {"email": "email", "phone": "phone"}
    own = source_of(source="calls", load="append", columns=columns, identifiers=identifiers)
    said = [(ANN, "1"), ("bob@example.com", "2"), ("ann@work.example", "3"), (ANN, "4")]
    rows = [{"email": email, "phone": phone} for email, phone in said]
    conform(tables, own, ingested(tables, own, "calls.csv", rows))
    keep_ties(tables, own, [LANDED_ON])
    ids = dict(silver(tables, own, "phone", "record_id", layer="superseded"))
    hers = replace(SUBJECT, record_ids=(ids["3"], ids["4"]))
    step = Forget(sources=[own], subject=hers, run_id="r", key=KEY)
    tables.overwrite("bronze.calls", tables.read("bronze.calls").limit(0))
    gone = step.run(tables, LocalLanding(tmp_path / "landing"), lambda _: None)
    assert gone.rows["superseded.calls"] == 3
    assert silver(tables, own, "phone", layer="superseded") == [("2",)]


def test_what_still_waits_to_be_read_keeps_its_name(tables: DeltaTables, tmp_path: Path) -> None:
    landing = LocalLanding(tmp_path / "landing")
    waits = replace(landed(landing, f"{ANN}.csv", b"a\n1\n"), status=LANDED)
    record_files(tables, [waits])

    Forget(sources=[], subject=SUBJECT, run_id="r", key=KEY).run(tables, landing, lambda _: None)

    assert read_files(tables) == [waits]


def test_a_file_that_is_still_in_its_place_is_known_without_its_name() -> None:
    before = f"orders_{ANN}.csv"
    path = SUBJECT.traces.without(before, f"(told of somebody {token_of(KEY, before)})")
    row = FileRow(
        source="crm",
        path=path,
        size_bytes=4,
        sha256="ab",
        modified_at=NOW,
        file_id="ab",
        file_on=date(2026, 3, 1),
        landed_path="",
        landed_on=date(2026, 3, 1),
        run_id="r",
    )

    crm = source("id")
    known = KnownFiles(crm, [row], KEY)

    assert token_in(path) == token_of(KEY, before)
    assert known.name_of(before) == path
    assert known.name_of("orders_bob@example.com.csv") == "orders_bob@example.com.csv"
    assert KnownFiles(crm, [row], b"another").name_of(before) == before


def test_a_path_that_tells_is_found_though_the_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / f"export_{ANN}.csv").write_text("a\n")

    found = search(Folder("all", tmp_path), SUBJECT.traces)

    assert found.told == (f"export_{ANN}.csv",)


NUMBER, ANOTHER = "+493011111111", "+493022222222"
FORGOTTEN = Erased(
    KEY, frozenset(pseudonym(KEY, *named) for named in [(RECORD, "crm:1"), ("phone", NUMBER)])
)
CONTACTS = source_of(
    load="increment",
    key=["id"],
    order_by=["edited"],
    region="DE",
    columns=[
        {"name": "id"},
        {"name": "name", "normalise": "person_name", "personal": "contact"},
        {"name": "email", "normalise": "email", "personal": "contact"},
        {"name": "phone", "normalise": "phone", "personal": "contact"},
        {"name": "said"},
        {"name": "edited", "type": "timestamp"},
    ],
    identifiers={"email": "email", "phone": "phone"},
    attributes={"given_name": "name", "email": "email"},
    consents=[
        {
            "at": "edited",
            "constant_purpose": "marketing",
            "constant_channel": "email",
            "status": "said",
            "statuses": {"yes": "granted", "no": "withdrawn"},
        }
    ],
)
RULES = IdentityRules.model_validate(
    {
        "identifiers": {
            name: {"description": name, "strength": "strong", "personal": "contact"}
            for name in ("email", "phone")
        }
    }
)
HAS_HIS_NUMBER = replace(
    SUBJECT, identifiers=(("email", ANN), ("phone", NUMBER)), contacts=(ANN, NUMBER)
)
HER = {"id": "1", "name": "Ann", "email": ANN, "said": "yes"}
HIM = {"id": "2", "name": "Bob", "email": "bob@example.com"}


def numbers_changed_hands(tables: DeltaTables) -> list[FileRow]:
    """Bob, who said no, had the number that is Ann's now; files of two days."""
    days = (
        [HER, HIM | {"phone": NUMBER, "said": "no"}],
        [HER | {"phone": "030 11111111"}, HIM | {"phone": ANOTHER}, HER | {"id": None}],
    )
    return [
        ingested(
            tables,
            CONTACTS,
            f"{on}.csv",
            [row | {"edited": f"{on}T08:00:00Z"} for row in rows],
            file_on=on,
        )
        for on, rows in zip(DAY, days, strict=False)
    ]


def test_a_person_is_told_of_their_records_and_of_nobodys_who_had_their_number(
    tables: DeltaTables,
) -> None:
    numbers_changed_hands(tables)
    rows = records_of(tables, CONTACTS, HAS_HIS_NUMBER)
    assert rows is not None
    assert sorted((row["id"] or "", row["name"]) for row in rows.collect()) == [
        ("", "Ann"), ("1", "Ann"), ("1", "Ann"),
    ]  # fmt: skip


def test_a_no_of_somebody_else_counts_though_they_have_the_number_of_who_was_forgotten(
    tables: DeltaTables, tmp_path: Path
) -> None:
    landing = LocalLanding(tmp_path / "landing")
    whole = CONTACTS.snapshot.model_copy(update={"least_share": 0.3})
    people = CONTACTS.model_copy(update={"load": "snapshot", "snapshot": whole})
    conform(tables, people, ingested(tables, people, "0.csv", [HER, HIM | {"said": "yes"}]))
    has_it_now = HIM | {"phone": NUMBER, "said": "no", "edited": f"{DAY[1]}T08:00:00Z", "x": "y"}
    came = ingested(tables, people, "1.csv", [HER, has_it_now], file_on=DAY[1])
    sha256, path, size = landing.put("crm", "1.csv", io.BytesIO(b"as it came"))
    came = replace(came, landed_path=path, sha256=sha256, size_bytes=size)

    [done] = conform(tables, people, came, erased=FORGOTTEN)

    assert (done.records_accepted, done.reasons) == (1, {RULE: 1, CUT: 1})
    kept = ("2", None, "bob@example.com", None, "no", False)
    names = ("id", "name", "email", "phone", "said", "_is_deleted")
    assert silver(tables, people, *names)[1] == kept, "the name may be hers, as the number was"
    given = {"sources": [people], "erased": FORGOTTEN, "run_id": "r1"}
    for _ in range(2):
        forget_again(tables, tables, landing, **given)
    rows = tables.read("bronze.crm").where(F.col("_file_id") == came.file_id)
    left = rows.select("id", "name", "email", "phone", "said", "_extra").collect()
    assert [tuple(row) for row in left] == [("2", None, "bob@example.com", None, "no", {})]
    assert [each for each in landing.root.rglob("*") if each.is_file()] == []
    # What is left of the file is as good as the file was.
    [again] = [row for row in read_files(tables) if row.file_id == came.file_id]
    conform(tables, people, replace(again, records_read=1), erased=FORGOTTEN)
    assert silver(tables, people, *names)[1] == kept


def test_an_event_of_somebody_else_is_without_what_was_a_forgotten_persons_alone(
    tables: DeltaTables,
) -> None:
    visits = source_of(
        load="append",
        columns=[
            {"name": "at", "type": "timestamp"},
            {"name": "cookie", "personal": "pseudonym"},
            {"name": "account", "personal": "pseudonym"},
            {"name": "page"},
            {"name": "query", "personal": "pseudonym"},
        ],
        order_by=["at"],
        identifiers={"visitor": "cookie", "account": "account"},
        rules=[{"rule": "not_null", "column": "page", "reason": "A page was seen."}],
    )
    erased = Erased(KEY, frozenset({pseudonym(KEY, "visitor", "v1")}))
    at = {"at": "2026-03-01T08:00:00Z", "page": "/", "query": "q"}
    rows = [
        at | {"cookie": "v1"},
        at | {"cookie": "v1", "account": "bob"},
        at | {"cookie": "v1", "account": "bob", "page": None},
        # Whoever sends it decides what is in it.
        at | {"cookie": "a\x1eb"},
    ]
    [done] = conform(tables, visits, ingested(tables, visits, "v.csv", rows), erased=erased)

    assert done.reasons == {RULE: 1, CUT: 2, "not_null_page": 1}
    kept = tables.read("silver.crm").select("account", "cookie", "query").collect()
    assert {tuple(row) for row in kept} == {("bob", None, None), (None, "a\x1eb", "q")}
    aside = {row["_record"]: row["row"] for row in tables.read("quarantine.crm").collect()}
    assert aside[1] is None
    assert json.loads(aside[3]) == {"at": at["at"], "account": "bob"}


def noes(tables: DeltaTables, source: Source) -> set[tuple[str, str]]:
    """Under which names a no is kept that silver has no more."""
    versions = {name: tables.version(name) for name in conformed(source.source)}
    inputs = {name: of for name, of in versions.items() if of is not None}
    found = refusals(tables, Generation(generation=1, as_of=DAY[1], inputs=inputs), [source])
    return {(row["record_id"], row["value"]) for row in found.collect()} if found else set()


def test_a_no_of_somebody_else_outlives_who_has_their_number_today(
    tables: DeltaTables, tmp_path: Path
) -> None:
    landing = LocalLanding(tmp_path / "landing")
    files = numbers_changed_hands(tables)
    conform(tables, CONTACTS, *files)
    his = ("crm:2", "bob@example.com")
    assert noes(tables, CONTACTS) == {his, ("crm:2", NUMBER)}
    assert rows_of_others(tables, [CONTACTS], HAS_HIS_NUMBER) == 1
    step = Forget(sources=[CONTACTS], subject=HAS_HIS_NUMBER, run_id="r", key=KEY)

    gone = step.run(tables, landing, lambda _: None)

    assert noes(tables, CONTACTS) == {his}
    [kept] = tables.read("superseded.crm").collect()
    assert (kept["said"], kept["email"], kept["phone"]) == ("no", HIM["email"], None)
    assert kept["name"] is None, "it may be hers, as the number was"
    assert [row["id"] for row in tables.read("bronze.crm").collect()] == ["2", "2"]
    named = ("bronze.crm", "quarantine.crm", *conformed("crm"))
    tables.purge(named)
    assert search(Folder("lake", tmp_path / "lake"), HAS_HIS_NUMBER.traces).told == ()
    assert gone.of_others == {"bronze.crm": 1, "superseded.crm": 1}
    again = step.run(tables, landing, lambda _: None)
    assert (again.rows, again.of_others) == ({}, {})
    counts = [
        (row.records_read, row.records_accepted, row.records_quarantined)
        for row in sorted(read_files(tables, "crm"), key=lambda row: row.path)
    ]
    assert counts == [(1, 1, 0), (1, 1, 0)]

    # What is left of the files is read once more.
    before = {name: contents(tables, name) for name in conformed("crm")}
    for name in before:
        tables.restore(name, None)
    conform(tables, CONTACTS, *sorted(read_files(tables, "crm"), key=lambda row: row.path))
    assert {name: contents(tables, name) for name in before} == before


def test_who_came_back_and_was_not_removed_before_a_kill_is_removed(
    tables: DeltaTables, tmp_path: Path
) -> None:
    carl = {"id": "3", "name": "Carl", "said": "no", "entered_by": ANN}
    forgotten = Erased(KEY, frozenset({pseudonym(KEY, RECORD, "crm:3")}))
    conform(tables, CONTACTS, ingested(tables, CONTACTS, "crm.csv", [HER, carl]), erased=forgotten)

    step = Forget(sources=[CONTACTS], subject=SUBJECT, run_id="r", key=KEY)
    step.run(tables, LocalLanding(tmp_path / "landing"), lambda _: None)

    assert tables.read("bronze.crm").isEmpty()
    [aside] = tables.read("quarantine.crm").collect()
    assert (aside["rules"], aside["row"]) == ([RULE], None)
    [row] = read_files(tables)
    assert (row.records_read, row.records_quarantined, row.landed_path) == (1, 1, "")


def test_a_file_is_still_there_of_which_a_killed_run_read_but_a_part(
    tables: DeltaTables, tmp_path: Path
) -> None:
    landing = LocalLanding(tmp_path / "landing")
    rows = []
    for name, read in {"half_read.csv": None, "replayed.csv": 1, "removed.csv": None}.items():
        held = ingested(tables, CONTACTS, name, [HER])
        path = landed(landing, name, name.encode()).landed_path
        rows.append(replace(held, status=LANDED, records_read=read, landed_path=path))
    # Nothing was left of it when others were forgotten.
    emptied = replace(rows[0], path="emptied.csv", file_id="e", records_read=0, landed_path="")
    record_files(tables, [*rows, emptied])
    landing.remove(rows[-1].landed_path)

    step = Forget(sources=[CONTACTS], subject=SUBJECT, run_id="r", key=KEY)
    step.run(tables, landing, lambda _: None)

    kept = {row.path: row.landed_path for row in read_files(tables)}
    gone = dict.fromkeys(("replayed.csv", "removed.csv", "emptied.csv"), "")
    assert kept == {"half_read.csv": rows[0].landed_path} | gone
    landing.open(rows[0].landed_path).close()


@pytest.mark.fault("kill during erasure")
def test_what_went_before_a_kill_is_counted(
    tables: DeltaTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDENLAKE_TEST_PRIVACY", KEY.decode())
    landing = LocalLanding(tmp_path / "landing")
    conform(tables, CONTACTS, *numbers_changed_hands(tables))
    begin(tables, HAS_HIS_NUMBER, [CONTACTS], key=KEY, by="dpo", reason="R-1", at=NOW)

    def forget() -> Request:
        [request] = open_requests(tables)
        step = Erase(
            request=request,
            sources=[CONTACTS],
            destinations={},
            key=SecretReference(env="GOLDENLAKE_TEST_PRIVACY"),
            areas={},
            as_of=DAY[1],
            run_id="r",
        )
        return step.forget(tables, landing, lambda _: None)

    merge = DeltaTables.merge

    def dying(self: DeltaTables, table: str, *args: Any, **kw: Any) -> int:
        version = merge(self, table, *args, **kw)
        if table == "bronze.crm" and kw.get("delete_when"):
            raise KeyboardInterrupt
        return version

    with monkeypatch.context() as patch:
        patch.setattr(DeltaTables, "merge", dying)
        with pytest.raises(KeyboardInterrupt):
            forget()
    done = forget()

    assert done.of_others == {"bronze.crm": 1, "superseded.crm": 1}
    assert done.removed == {"bronze.crm": 3, "landing": 2, "quarantine.crm": 1, "silver.crm": 1}
    assert [row.records_read for row in read_files(tables)] == [1, 1]


CALLS = source_of(
    source="calls",
    load="append",
    region="DE",
    columns=[
        {"name": "email", "normalise": "email", "personal": "contact"},
        {"name": "phone", "normalise": "phone", "personal": "contact"},
        {"name": "said"},
        {"name": "noted", "required": True, "personal": "contact"},
        {"name": "short", "derive": "substring(noted, 1, 9)"},
        {"name": "at", "type": "timestamp"},
    ],
    identifiers={"email": "email", "phone": "phone"},
    consents=[CONTACTS.consents[0].model_copy(update={"at": "at"})],
)


def test_of_what_others_said_only_that_goes_which_tells_of_who_took_the_call(
    tables: DeltaTables, tmp_path: Path
) -> None:
    said = {"said": "no", "noted": "by phone", "at": "2026-03-01T08:00:00Z"}
    both = "bob@example.com, ann@example.com"
    rows = [
        said | {"email": "bob@example.com", "noted": f"call with {ANN}"},
        said | {"email": "carl@example.com", "by": ANN, "room": "4"},
        said | {"email": ANN},
        said | {"email": None, "said": None, "noted": f"{ANN} called"},
        said | {"email": both},
    ]
    file = ingested(tables, CALLS, "calls.csv", rows)
    # A column that is not declared, under the name of one that is, but came under another.
    renamed = F.transform_keys(
        "_extra", lambda name, _: F.replace(name, F.lit("by"), F.lit("email"))
    )
    rows_of = tables.read("bronze.calls").withColumn("_extra", renamed)
    tables.replace_slice("bronze.calls", rows_of, where={"_file_id": file.file_id})
    conform(tables, CALLS, file)
    quarantined(tables, file, f"no;{ANN};dora@example.com", f"no;{ANN}")
    step = Forget(sources=[CALLS], subject=SUBJECT, run_id="r", key=KEY)

    gone = step.run(tables, LocalLanding(tmp_path / "landing"), lambda _: None)

    def held() -> list[tuple[Any, ...]]:
        names = ("_record", "email", "said", "noted", "short")
        return sorted(tuple(row) for row in tables.read("silver.calls").select(*names).collect())

    def set_aside() -> list[str]:
        return sorted(row["row"] for row in tables.read("quarantine.calls").collect())

    left = [
        (1, "bob@example.com", "no", "(told of somebody)", "(told of "),
        (2, "carl@example.com", "no", "by phone", "by phone"),
    ]
    assert held() == left
    aside = set_aside()
    assert [json.loads(row).get("email") for row in aside] == ["0; bob@example.com", None]
    assert json.loads(aside[1]) == {"raw": "0; dora@example.com"}
    bronze = {row["_record"]: row for row in tables.read("bronze.calls").collect()}
    assert sorted(bronze) == [1, 2, 5]
    assert bronze[2]["_extra"] == {"room": "4"}
    tables.purge(["bronze.calls", "silver.calls", "quarantine.calls", "ops.files"])
    assert search(Folder("lake", tmp_path / "lake"), SUBJECT.traces).told == ()
    assert gone.of_others == {"bronze.calls": 3, "silver.calls": 2, "quarantine.calls": 2}

    [again] = read_files(tables, "calls")
    assert (again.records_read, again.records_accepted, again.records_quarantined) == (4, 2, 2)
    conform(tables, CALLS, again)
    assert (held(), set_aside()) == (left, aside)


def test_who_came_before_people_was_declared_stays_a_person_without_what_their_row_told(
    tables: DeltaTables, tmp_path: Path
) -> None:
    declared = {"load": "increment", "key": ["id"], "attributes": {"given_name": "name"}}
    columns = [{"name": "id"}, {"name": "name"}, {"name": "noted", "personal": "contact"}]
    before = source_of(columns=columns, **declared)
    his = {"id": "2", "name": "Bob", "noted": f"call {ANN}"}
    conform(tables, before, ingested(tables, before, "a.csv", [his]))
    of_people = [*columns, {"name": "kind"}]
    after = source_of(columns=of_people, people="kind = 'person'", **declared)
    step = Forget(sources=[after], subject=SUBJECT, run_id="r", key=KEY)

    step.run(tables, LocalLanding(tmp_path / "landing"), lambda _: None)

    [row] = tables.read("silver.crm").collect()
    assert (row["record_id"], row["noted"]) == ("crm:2", None)


def quarantined(tables: DeltaTables, file: FileRow, *lines: str) -> None:
    """Lines of a file of which no reader could make a row."""
    rows = [
        (file.file_id, at, file.landed_on, READ, ["malformed"], json.dumps({"raw": line}), "r")
        for at, line in enumerate(lines, start=11)
    ]
    tables.append(f"quarantine.{file.source}", tables.frame(rows, QUARANTINE.ddl))


def test_whoever_said_no_beside_them_in_what_was_set_aside_is_held_to_have_said_it(
    tables: DeltaTables, tmp_path: Path
) -> None:
    numbers = {name: f"+49151234567{at}" for at, name in enumerate(("bob", "carl", "dora"), 80)}
    known = [customer(name, phone=number) for name, number in numbers.items()]
    gold.publish(tables, DAY[1], {"gold.customers": known})
    no = {"said": "no", "at": "2026-03-01T08:00:00Z", "noted": "x"}
    rows = [
        no | {"email": "see note", "noted": f"{ANN} says: bob@example.com wants none"},
        no | {"phone": "030 11111111, 0151 23456781"},
    ]
    conform(tables, CALLS, file := ingested(tables, CALLS, "calls.csv", rows))
    quarantined(tables, file, f'c1,"{ANN},,yes\nc2,,00{numbers["dora"][1:]},no')

    def held() -> set[str]:
        version = tables.version("gold.customers") or 0
        shown = Generation(generation=1, as_of=DAY[1], tables={"gold.customers": version})
        policy = ConsentPolicy.model_validate({"purposes": {}, "channels": {}})
        found = Doubts(tables=tables, generation=shown, sources=[CALLS], policy=policy)
        said = found.statements()
        return set() if said is None else {row["customer_id"] for row in said.collect()}

    assert held() == {*numbers}
    step = Forget(sources=[CALLS], subject=HAS_HIS_NUMBER, run_id="r", key=KEY)
    step.run(tables, LocalLanding(tmp_path / "landing"), lambda _: None)
    assert held() == {*numbers}
    tables.purge(["bronze.calls", "quarantine.calls"])
    assert search(Folder("lake", tmp_path / "lake"), HAS_HIS_NUMBER.traces).told == ()


@pytest.mark.usefixtures("interpreted")
def test_an_older_yes_of_somebody_else_does_not_count_again(
    tables: DeltaTables, tmp_path: Path
) -> None:
    shop = CONTACTS.model_copy(update={"source": "shop"})
    sources = [CONTACTS, shop, CALLS]
    yes = {"said": "yes", "edited": "2026-02-01T08:00:00Z"}
    call = {"email": "dora@example.com", "said": "no", "noted": f"call with {ANN}"}
    conform(tables, CONTACTS, *numbers_changed_hands(tables))
    both = enumerate((HIM["email"], call["email"]))
    rows = [yes | {"id": str(at), "email": who} for at, who in both]
    conform(tables, shop, ingested(tables, shop, "shop.csv", rows))
    rows = [call | {"at": "2026-02-02T08:00:00Z"}]
    conform(tables, CALLS, ingested(tables, CALLS, "calls.csv", rows))

    def night(n: int) -> dict[str, str]:
        done = built(tables, sources, RULES, DAY[n])
        assert done.details["is_incremental"] is (n > 2)
        said = tables.read("gold.consents").join(tables.read("gold.customers"), "customer_id")
        return {row["email"]: row["status"] for row in said.collect()}

    theirs = {HIM["email"]: "withdrawn", call["email"]: "withdrawn"}
    assert night(2) == theirs | {ANN: "granted"}
    step = Forget(sources=sources, subject=HAS_HIS_NUMBER, run_id="r", key=KEY)
    step.run(tables, LocalLanding(tmp_path / "landing"), lambda _: None)
    assert night(3) == theirs
