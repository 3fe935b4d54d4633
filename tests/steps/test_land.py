"""New files are taken over once, whole, and for the day they belong to."""

import hashlib
import io
import os
import random
import stat
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.errors import FileRefused, PlaceUnreachable
from goldenlake.io.landing import LocalLanding, S3Landing, open_landing
from goldenlake.io.places.folder import Folder
from goldenlake.steps.files import file_order
from goldenlake.steps.land import Land
from support.landed import land, source

NOW = datetime(2024, 3, 5, 1, 0, tzinfo=UTC)
EARLIER = datetime(2024, 3, 4, 12, 0, tzinfo=UTC)
DATED = r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
VERSIONED = DATED + r"(?:_v(?P<version>\d+))?"


@dataclass
class Clock:
    at: datetime

    def now(self):
        return self.at


class Drop:
    """A source's folder and its landing area, night after night."""

    def __init__(self, folder):
        self.folder = folder / "drop"
        self.folder.mkdir()
        self.place = Folder("drop", self.folder)
        self.landing = LocalLanding(folder / "landing")
        self.ledger = {}

    def put(self, name, content="id\n1\n", at=EARLIER):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, (at.timestamp(), at.timestamp()))

    def land(
        self,
        as_of=date(2024, 3, 4),
        until=None,
        place=None,
        file_date=None,
        now=NOW,
        **fields,
    ):
        origin = {"place": "drop", "files": "**/*.csv", "file_date": file_date}
        declared = source("id", origin=origin, **fields)
        self.declared = declared
        step = Land(
            source=declared,
            origin=declared.origin,
            as_of=as_of,
            run_id="r1",
            settle=timedelta(minutes=1),
            until=until,
        )
        landed = step.run(place or self.place, self.landing, list(self.ledger.values()), Clock(now))
        self.ledger |= {row.key: row for row in landed.files}
        return landed

    def statuses(self, **fields):
        return [(row.path, row.status) for row in self.land(**fields).files]


@pytest.fixture
def drop(tmp_path):
    return Drop(tmp_path)


def test_a_file_whose_name_is_no_text_breaks_alone_and_is_told_once(drop):
    drop.put("a.csv", "id\n1\n")
    drop.put("caf\udce9.csv", "id\n2\n")
    drop.put("copy\udce9.csv", "id\n1\n")
    landed = drop.land()
    assert [(row.path, row.status) for row in landed.files] == [
        ("a.csv", "landed"),
        (r"caf\xe9.csv", "broken"),
        (r"copy\xe9.csv", "broken"),
    ]
    broken = landed.files[1]
    assert broken.error == (
        r"shop: caf\xe9.csv: its name is not in UTF-8. Have it sent under another name."
    )
    assert broken.landed_path == ""
    assert drop.statuses() == []
    drop.put("caf\udce9.csv", "id\n2\n", at=EARLIER + timedelta(hours=1))
    drop.put("b.csv", "id\n2\n")
    assert drop.statuses() == [("b.csv", "landed"), (r"caf\xe9.csv", "broken")]


def test_a_file_is_copied_once_under_its_content(drop):
    drop.put("in/a 2024-03-02.csv", "id\n7\n")
    [row] = drop.land(file_date=DATED).files
    sha256 = hashlib.sha256(b"id\n7\n").hexdigest()
    assert (row.sha256, row.file_id, row.size_bytes, row.status) == (sha256, sha256, 5, "landed")
    assert row.landed_path == f"shop/{sha256[:2]}/{sha256}/a 2024-03-02.csv"
    assert (row.file_on, row.landed_on) == (date(2024, 3, 2), date(2024, 3, 4))
    assert row.modified_at == EARLIER
    with drop.landing.open(row.landed_path) as stream:
        assert stream.read() == b"id\n7\n"
    mode = (drop.landing.root / row.landed_path).stat().st_mode
    assert stat.S_IMODE(mode) & 0o077 == 0
    again = drop.land(file_date=DATED)
    assert (again.files, again.known) == ([], 1)


def test_a_file_that_is_not_given_stops_no_other_and_is_asked_for_again(drop):
    for name in ("a.csv", "b.csv", "c.csv"):
        drop.put(name, f"id\n{name}\n")

    class Withholding(Folder):
        def open(self, path):
            if path == "b.csv":
                raise FileRefused(place=self.name, path=path, what="not yours")
            return super().open(path)

    landed = drop.land(place=Withholding("drop", drop.folder))
    assert [row.path for row in landed.files] == ["a.csv", "c.csv"]
    assert [each.path for each in landed.refused] == ["b.csv"]
    assert drop.statuses() == [("b.csv", "landed")]


def test_known_files_are_not_read_again(drop):
    drop.put("a.csv")
    drop.land()

    class Blind(Folder):
        def open(self, path):
            raise AssertionError

    assert drop.land(place=Blind("drop", drop.folder)).known == 1


@pytest.mark.fault("same file under another name")
def test_the_same_content_under_another_name_is_a_duplicate(drop):
    drop.put("a.csv")
    drop.put("b.csv")
    assert drop.statuses() == [("a.csv", "landed"), ("b.csv", "duplicate")]
    drop.put("c.csv")
    assert drop.statuses() == [("c.csv", "duplicate")]


def test_what_was_withdrawn_is_kept_nowhere_when_it_comes_again(drop):
    drop.put("a.csv")
    [row] = drop.land().files
    drop.landing.remove(row.landed_path)
    drop.ledger[row.key] = replace(row, status="conformed", landed_path="")
    drop.put("b.csv")
    drop.put("a.csv", at=EARLIER + timedelta(seconds=1))
    found = {row.path: (row.status, row.landed_path) for row in drop.land().files}
    assert found == {"a.csv": ("conformed", ""), "b.csv": ("duplicate", "")}
    assert [path for path in drop.landing.root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["a.csv", "b.csv"])
def test_a_broken_file_that_was_removed_unread_is_news_when_it_is_sent_anew(drop, name):
    drop.put("a.csv")
    [row] = drop.land().files
    drop.landing.remove(row.landed_path)
    drop.ledger[row.key] = replace(row, status="broken", landed_path="", records_read=0)
    assert drop.land().files == []
    drop.put(name, at=EARLIER + timedelta(seconds=1))
    [again] = drop.land().files
    assert (again.path, again.status) == (name, "landed")
    assert drop.landing.open(again.landed_path).read() != b""


def test_a_snapshot_that_returns_to_what_was_withdrawn_is_read(drop):
    def say(day, content):
        drop.put(f"a {day}.csv", content)
        [row] = drop.land(as_of=day, file_date=DATED, load="snapshot", key=["id"]).files
        return row

    first = say(date(2024, 3, 1), "id\n1\n")
    drop.ledger[first.key] = replace(first, landed_path="")
    say(date(2024, 3, 2), "id\n2\n")
    again = say(date(2024, 3, 3), "id\n1\n")
    assert again.status == "landed"
    assert drop.landing.open(again.landed_path).read() == b"id\n1\n"


def test_new_content_under_an_old_name_is_new(drop):
    drop.put("a.csv")
    drop.land()
    drop.put("a.csv", "id\n2\n", at=EARLIER + timedelta(seconds=1))
    assert drop.statuses() == [("a.csv", "landed")]
    assert len(drop.ledger) == 2


@pytest.mark.fault("same file under another name")
def test_a_file_that_was_only_touched_keeps_its_row(drop):
    drop.put("a.csv")
    [row] = drop.land().files
    drop.ledger[row.key] = replace(row, status="conformed", records_read=1)
    drop.put("a.csv", at=EARLIER + timedelta(hours=1))
    [touched] = drop.land().files
    assert (touched.status, touched.records_read) == ("conformed", 1)
    assert drop.land().known == 1


@pytest.mark.fault("file that grows while it is read")
def test_a_young_file_is_left_alone_and_one_from_a_clock_ahead_is_not(drop):
    drop.put("young.csv", "id\n1\n", at=NOW - timedelta(seconds=59))
    drop.put("settled.csv", "id\n2\n", at=NOW - timedelta(seconds=60))
    drop.put("ahead.csv", "id\n3\n", at=NOW + timedelta(days=1))
    drop.put("a bit ahead.csv", "id\n4\n", at=NOW + timedelta(seconds=30))
    landed = drop.land()
    assert [row.path for row in landed.files] == ["ahead.csv", "settled.csv"]
    assert landed.growing == ["a bit ahead.csv", "young.csv"]


@pytest.mark.fault("file that grows while it is read")
def test_a_file_is_left_until_its_slow_writer_has_done_and_lands_once(drop):
    for seconds in (0, 40, 80):
        written = NOW + timedelta(seconds=seconds)
        drop.put("slow.csv", "id\n" + "1\n" * seconds, at=written)
        landed = drop.land(now=written + timedelta(seconds=40))
        assert (landed.files, landed.growing) == ([], ["slow.csv"])
    afterwards = NOW + timedelta(seconds=140)
    [row] = drop.land(now=afterwards).files
    assert row.size_bytes == len("id\n" + "1\n" * 80)
    again = drop.land(now=afterwards)
    assert (again.files, again.known) == ([], 1)


@pytest.mark.fault("file that grows while it is read")
def test_a_file_that_grows_while_it_is_read_leaves_nothing_behind(drop):
    drop.put("a.csv")

    class Growing(Folder):
        def open(self, path):
            stream = super().open(path)
            with (drop.folder / path).open("a") as more:
                more.write("2\n")
            return stream

    landed = drop.land(place=Growing("drop", drop.folder))
    assert (landed.files, landed.growing) == ([], ["a.csv"])
    assert [path for path in drop.landing.root.rglob("*") if path.is_file()] == []


def test_a_file_that_vanishes_before_it_is_read_stops_nobody(drop):
    drop.put("a.csv", "id\n1\n")
    drop.put("b.csv", "id\n2\n")

    class Vanishing(Folder):
        def open(self, path):
            if path == "a.csv":
                raise FileNotFoundError(path)
            return super().open(path)

    landed = drop.land(place=Vanishing("drop", drop.folder))
    assert ([row.path for row in landed.files], landed.growing) == (["b.csv"], ["a.csv"])


def test_a_night_sees_only_files_about_its_day_and_before(drop):
    for day in (1, 2, 3):
        drop.put(f"2024-03-0{day}.csv", f"id\n{day}\n")
    first = drop.land(as_of=date(2024, 3, 1), file_date=DATED)
    assert [row.file_on for row in first.files] == [date(2024, 3, 1)]
    assert (first.later, first.ahead) == (2, 0)
    assert drop.statuses(as_of=date(2024, 3, 1), until=date(2024, 3, 2), file_date=DATED) == [
        ("2024-03-02.csv", "landed")
    ]
    assert drop.statuses(as_of=date(2024, 3, 3), file_date=DATED) == [("2024-03-03.csv", "landed")]


@pytest.mark.parametrize("name", ["contacts.csv", "2024-02-30.csv"])
def test_a_file_whose_name_does_not_say_its_day_is_broken_and_the_others_go_on(drop, name):
    drop.put(name, "id\n1\n")
    drop.put("2024-03-04.csv", "id\n2\n")
    rows = {row.path: row for row in drop.land(file_date=DATED).files}
    assert {path: row.status for path, row in rows.items()} == {
        name: "broken",
        "2024-03-04.csv": "landed",
    }
    assert rows[name].error == (
        f"shop: {name}: origin.file_date ({DATED}) finds no day in its name. Have it sent under a "
        "name with its day, or mend origin.file_date: it is then taken by the next run."
    )
    assert drop.land(file_date=DATED).files == []


@pytest.mark.parametrize("load", ["append", "snapshot"])
def test_a_file_that_got_its_day_is_news_under_a_new_name_or_by_a_mended_pattern(drop, load):
    fields = {"load": load, "key": ["id"]}
    drop.put("contacts 04.03.2024.csv")
    [broken] = drop.land(file_date=DATED, **fields).files
    drop.put("2024-03-03.csv")
    [renamed] = drop.land(file_date=DATED, **fields).files
    assert (renamed.status, renamed.file_on) == ("landed", date(2024, 3, 3))
    del drop.ledger[renamed.key]
    (drop.folder / "2024-03-03.csv").unlink()
    mended = r"(?P<day>\d{2})\.(?P<month>\d{2})\.(?P<year>\d{4})"
    [dated] = drop.land(file_date=mended, **fields).files
    assert (dated.status, dated.file_on, dated.error) == ("landed", date(2024, 3, 4), None)
    assert dated.key == broken.key


def test_files_of_days_that_have_not_come_are_told_apart_from_those_of_a_later_run(drop):
    for day in ("2024-03-05", "2024-03-06", "2042-03-05"):
        drop.put(f"{day}.csv", day)
    landed = drop.land(as_of=date(2024, 3, 4), file_date=DATED)
    assert (landed.files, landed.later, landed.ahead) == ([], 3, 2)


def test_a_snapshot_that_returns_to_an_older_state_is_news(drop):
    keyed = {"load": "snapshot", "key": ["id"], "file_date": DATED}
    for day, content in enumerate(["A", "A", "B", "A", "A"], 1):
        drop.put(f"2024-03-0{day}.csv", content)
    rows = drop.land(as_of=date(2024, 3, 5), **keyed).files
    assert [row.status for row in rows] == [
        "landed", "duplicate", "landed", "landed", "duplicate",
    ]  # fmt: skip
    taken = [row for row in rows if row.status == "landed"]
    assert len({row.file_id for row in taken}) == 3
    assert taken[0].landed_path == taken[2].landed_path


KEYED = {"load": "increment", "key": ["id"]}


def test_an_increment_that_returns_to_older_bytes_is_news_and_a_copy_of_one_is_none(drop):
    dated = {**KEYED, "file_date": VERSIONED}
    for name, content in (("01", "A"), ("02", "B"), ("03", "A"), ("03_v1", "B"), ("03_v2", "A")):
        drop.put(f"2024-03-{name}.csv", content)
    rows = drop.land(as_of=date(2024, 3, 5), **dated).files
    assert {row.status for row in rows} == {"landed"}
    assert len({row.file_id for row in rows}) == 5
    for name, content in (("01", "A"), ("02", "B"), ("03_v2", "A")):
        drop.put(f"again 2024-03-{name}.csv", content)
        drop.put(f"2024-03-{name}.csv", content, at=EARLIER + timedelta(hours=1))
    again = drop.land(as_of=date(2024, 3, 5), **dated).files
    assert [row.status for row in again if row.path.startswith("again")] == ["duplicate"] * 3
    assert {row.file_id for row in again if row.status == "landed"} <= {r.file_id for r in rows}


def test_without_days_what_comes_last_counts_and_what_was_only_touched_says_nothing(drop):
    def told(night, *files):
        after = timedelta(days=night)
        for at, (name, content) in enumerate(files):
            drop.put(name, content, at=EARLIER + after + timedelta(minutes=at))
        rows = drop.land(date(2024, 3, 4) + after, now=NOW + after, **KEYED).files
        return {row.path: row.status for row in rows}

    assert told(0, ("a.csv", "A"), ("b.csv", "A")) == {"a.csv": "landed", "b.csv": "duplicate"}
    assert told(1, ("a.csv", "B")) == {"a.csv": "landed"}
    assert told(2, ("b.csv", "A")) == {"b.csv": "duplicate"}, "touched"
    assert told(3, ("a.csv", "A")) == {"a.csv": "landed"}
    assert told(4, ("c.csv", "A"), ("d.csv", "A")) == {"c.csv": "duplicate", "d.csv": "duplicate"}
    assert told(5, ("c.csv", "B")) == {"c.csv": "landed"}
    assert len({row.file_id for row in drop.ledger.values() if row.status == "landed"}) == 4


@pytest.mark.parametrize(
    "fields", [{**KEYED, "order_by": ["id"]}, {"load": "append"}], ids=["ordered", "events"]
)
def test_what_tells_its_order_is_read_once_whatever_came_in_between(drop, fields):
    columns = {"columns": [{"name": "id", "required": True}]} if "order_by" in fields else {}
    for day, content in enumerate(["A", "B", "A"], 1):
        drop.put(f"2024-03-0{day}.csv", content)
    rows = drop.land(as_of=date(2024, 3, 5), file_date=DATED, **fields, **columns).files
    assert [row.status for row in rows] == ["landed", "landed", "duplicate"]


def test_ids_of_increments_tell_which_was_written_later_and_outlive_a_touch(drop):
    columns = {"columns": [{"name": "id", "required": True}], "order_by": ["id"]}
    fields = {**KEYED, **columns, "now": NOW + timedelta(days=1)}
    for hours, content in enumerate("ABCD"):
        drop.put(f"{content}.csv", content, at=EARLIER + timedelta(hours=hours))
    earlier(drop, "old.csv", "E", 9, file_id="f00d")
    drop.land(**fields)
    ids = {row.path: row.file_id for row in drop.ledger.values()}
    assert sorted(ids, key=ids.__getitem__) == ["old.csv", "A.csv", "B.csv", "C.csv", "D.csv"]
    for name in ("A", "old"):
        drop.put(f"{name}.csv", {"old": "E"}.get(name, name), at=EARLIER + timedelta(hours=12))
    drop.land(**fields)
    assert {row.path: row.file_id for row in drop.ledger.values()} == ids


def test_a_copy_is_news_as_soon_as_a_late_file_came_in_between(drop):
    snapshot = {"load": "snapshot", "key": ["id"], "file_date": DATED}
    late = EARLIER + timedelta(hours=1)
    drop.put("2024-03-01.csv", "A")
    drop.put("2024-03-03.csv", "A")
    drop.put("2024-03-04.csv", "A")
    assert [row.status for row in drop.land(**snapshot).files] == ["landed", *["duplicate"] * 2]
    drop.put("2024-03-02.csv", "B", at=late)
    found = {row.path: row for row in drop.land(**snapshot).files}
    assert {path: row.status for path, row in found.items()} == {
        "2024-03-02.csv": "landed",
        "2024-03-03.csv": "landed",
    }
    first = next(row for row in drop.ledger.values() if row.path == "2024-03-01.csv")
    assert found["2024-03-03.csv"].landed_path == first.landed_path
    assert found["2024-03-03.csv"].file_id != first.file_id
    assert drop.land(**snapshot).files == []


@pytest.mark.parametrize("load", ["increment", "snapshot"])
def test_a_copy_that_was_touched_keeps_its_row_and_its_landing_as_it_becomes_news(drop, load):
    fields = {"load": load, "key": ["id"], "file_date": DATED, "now": NOW + timedelta(days=1)}
    for hours, name, content in [(1, "a", "A"), (3, "b", "A"), (5, "b", "A"), (2, "c", "B")]:
        drop.put(f"{name}/2024-03-01.csv", content, at=EARLIER + timedelta(hours=hours))
        drop.land(date(2024, 3, hours), **fields)
    rows = sorted(drop.ledger.values(), key=lambda row: file_order(drop.declared, row))
    told = [(row.path[0], row.status, row.landed_on.day) for row in rows]
    assert told == [("a", "landed", 1), ("c", "landed", 2), ("b", "landed", 3)]
    drop.put("d/2024-03-01.csv", "C", at=EARLIER + timedelta(hours=4))
    drop.land(**fields)
    newest = max(drop.ledger.values(), key=lambda row: file_order(drop.declared, row))
    # What was only touched is no newer, but where a file is the whole truth.
    assert newest.path[0] == ("d" if load == "increment" else "b")


def earlier(drop, path, content, hours, *, on=date(2024, 3, 1), **others):
    """A row as earlier versions wrote it, and its file."""
    at = EARLIER + timedelta(hours=hours)
    drop.put(path, content, at=at)
    landed = land(drop.landing, path, content.encode(), on=on)
    row = replace(landed, modified_at=at, landed_on=date(2024, 3, 1), **others)
    drop.ledger[row.key] = row


@pytest.mark.parametrize("ids", ["abc", "bac", "cab"])
def test_a_copy_of_an_earlier_version_whose_ids_tell_no_order_stays_one(drop, ids):
    earlier(drop, "a/2024-03-01.csv", "A", 1, file_id=f"{ids.index('a')}")
    earlier(drop, "c/2024-03-01.csv", "A", 2, status="duplicate")
    earlier(drop, "b/2024-03-01.csv", "B", 3, file_id=f"{ids.index('b')}")
    assert drop.statuses(file_date=DATED, **KEYED) == []


@pytest.mark.parametrize("load", ["increment", "snapshot"])
def test_files_that_an_earlier_version_found_no_day_of_have_ids_of_their_own_once_they_have(
    drop, load
):
    for day, content in enumerate("ABA", 1):
        earlier(drop, f"2024-03-0{day}.csv", content, day, status="broken", error="no day")
    fields = {"load": load, "key": ["id"], "file_date": DATED}
    drop.land(**fields)
    rows = drop.ledger.values()
    landed = [row for row in rows if row.status == "landed"]
    assert len({row.file_id for row in landed}) == 3
    assert {row.status for row in rows} == {"landed", "duplicate"}
    assert max(landed, key=lambda row: file_order(drop.declared, row)).path == "2024-03-03.csv"
    assert drop.land(**fields).files == []


#: What a file says: of one key, or of both.
SAID = st.sampled_from(["id\na1\n", "id\na2\n", "id\na3\nb1\n", "id\nb2\n"])
WRITTEN = st.integers(0, 3)
FILES = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["", "_v1", "_v2"]), WRITTEN, SAID, WRITTEN),
    max_size=9,
    unique_by=lambda file: file[:3],
)
"""Day, version, when it was written, what it says; and when a copy of it was, if later."""


@pytest.mark.fault("late and reordered files")
@pytest.mark.parametrize("load", ["increment", "snapshot"])
@given(FILES, st.randoms(use_true_random=False))
def test_in_whatever_order_files_come_and_come_again_the_last_one_counts(load, files, random):
    """Silver as a dict, by the order that the guide tells."""
    fields = {"load": load, "key": ["id"], "file_date": VERSIONED}
    named = {}
    for day, version, written, content, copied in files:
        name = f"2024-03-0{day}{version}.csv"
        named[f"{written}/{name}"] = (day, version, written), content
        if copied > written and (day, version, copied) not in {file[:3] for file in files}:
            named[f"{copied}/copy of {name}"] = (day, version, copied), content

    def silver(contents):
        found = {}
        for content in contents:
            lines = content.split()[1:]
            found = {**(found if load == "increment" else {}), **{of[0]: of for of in lines}}
        return found

    arriving = sorted(named)
    random.shuffle(arriving)
    cuts = sorted(random.randint(0, len(arriving)) for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        drop, read = Drop(Path(folder)), {}
        for start, end in pairwise([0, *cuts, len(arriving)]):
            for name in arriving[start:end]:
                (_, _, hours), content = named[name]
                drop.put(name, content, at=EARLIER + timedelta(hours=hours))
            for row in drop.land(date(2024, 3, 9), **fields).files:
                if row.status == "landed":
                    content = drop.landing.open(row.landed_path).read().decode()
                    read[file_order(drop.declared, row)] = content
        assert len({row.key for row in drop.ledger.values()}) == len(drop.ledger)
    last = sorted(named.values())
    assert silver(of for _, of in sorted(read.items())) == silver(of for _, of in last)


def test_a_place_that_breaks_off_is_worth_another_try_and_loses_nothing(drop):
    drop.put("a.csv", "id\n1\n")
    drop.put("b.csv", "id\n2\n")

    class Breaking(Folder):
        def open(self, path):
            if path == "b.csv":
                raise PlaceUnreachable(place=self.name, what="reset")
            return super().open(path)

    with pytest.raises(PlaceUnreachable):
        drop.land(place=Breaking("drop", drop.folder))
    assert drop.statuses() == [("a.csv", "landed"), ("b.csv", "landed")]


@pytest.fixture(params=["folder", "s3"])
def landing(request, tmp_path):
    if request.param == "folder":
        return open_landing((tmp_path / "landing").as_uri())
    server = request.getfixturevalue("s3_server")
    return open_landing(f"s3a://{server.bucket('landing')}/{tmp_path.name.replace('[', '-')}")


def put(landing, name, content):
    return landing.put("shop", name, io.BytesIO(content))


def test_what_is_too_large_for_one_put_lands_in_parts(landing, monkeypatch):
    monkeypatch.setattr("goldenlake.io.places.s3._LARGEST_PUT", 2**20)
    content = random.Random(7).randbytes(9 * 2**20)
    first = put(landing, "large.csv", content)
    assert put(landing, "other.csv", content) == first
    with landing.open(first[1]) as stream:
        assert stream.read() == content


@pytest.mark.fault("same file under another name")
def test_content_lands_once_whatever_it_is_called(landing):
    first = put(landing, "../a/b\x07.csv", b"x" * 3_000_000)
    assert first[1].endswith("/b_.csv")
    assert put(landing, "other.csv", b"x" * 3_000_000) == first
    assert put(landing, "b.csv", b"")[2] == 0
    with landing.open(first[1]) as stream:
        assert stream.read() == b"x" * 3_000_000
    with pytest.raises(FileNotFoundError):
        landing.open("shop/00/absent/b.csv")


@pytest.mark.fault("corrupt data file or log")
def test_a_damaged_landed_file_is_replaced(landing):
    sha256, path, size = put(landing, "a.csv", b"id\n1\n")
    if isinstance(landing, S3Landing):
        landing.store.write(path, [b"idX1\n"])
    else:
        (landing.root / path).write_bytes(b"idX1\n")
    assert put(landing, "a.csv", b"id\n1\n") == (sha256, path, size)
    with landing.open(path) as stream:
        assert stream.read() == b"id\n1\n"
