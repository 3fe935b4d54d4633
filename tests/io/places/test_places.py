"""A folder, a real SFTP server and a real object store keep the same promises."""

import errno
import io
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import paramiko
import pytest
from botocore.exceptions import ClientError

from goldenlake.declarations.environment import FolderPlace
from goldenlake.errors import (
    FileRefused,
    PlaceUnreachable,
    SecretMissing,
    SetupError,
    UnsafePath,
)
from goldenlake.io.places import open_place, sftp
from goldenlake.io.places.folder import Folder
from goldenlake.io.places.paths import Glob, unfinished
from goldenlake.io.places.s3 import S3
from goldenlake.ports import EVERYTHING


@pytest.fixture(params=["folder", "sftp", "s3"])
def place(request, tmp_path):
    if request.param == "folder":
        (tmp_path / "drop").mkdir()
        return open_place("drop", FolderPlace(kind="folder", path="drop"), tmp_path)
    if request.param == "sftp":
        server = request.getfixturevalue("sftp_server")
        (server.folder / tmp_path.name).mkdir()
        declared = server.place(path=f"{server.folder}/{tmp_path.name}")
        opened = open_place("drop", declared, tmp_path)
        request.addfinalizer(opened.close)  # noqa: PT021 - the other kinds have nothing to close
        return opened
    server = request.getfixturevalue("s3_server")
    prefix = tmp_path.name.replace("[", "-").replace("]", "")
    return open_place("drop", server.place("drop", prefix=prefix), tmp_path)


def content(place, path):
    with place.open(path) as stream:
        return stream.read()


def test_what_is_written_is_listed_read_replaced_and_removed(place):
    big = b"0123456789abcdef" * 300_000
    written = place.write("a/b/one.csv", [b"id\n", b"1\n"])
    place.write("a/é ü.csv", iter([big]))
    place.write("top.csv", [])
    assert abs((datetime.now(UTC) - written.modified_at).total_seconds()) < 60
    listed = list(place.list("**/*.csv"))
    assert [(f.path, f.size_bytes) for f in listed] == [
        ("a/b/one.csv", 5), ("a/é ü.csv", len(big)), ("top.csv", 0),
    ]  # fmt: skip
    assert listed[0] == written == place.stat("a/b/one.csv")
    assert content(place, "a/b/one.csv") == b"id\n1\n"
    assert content(place, "a/é ü.csv") == big
    place.write("a/b/one.csv", [b"new"])
    assert content(place, "a/b/one.csv") == b"new"
    place.remove("a/b/one.csv")
    place.remove("a/b/one.csv")
    assert place.stat("a/b/one.csv") is None
    with pytest.raises(FileNotFoundError):
        content(place, "a/b/one.csv")
    assert [f.path for f in place.list("a/*.csv")] == ["a/é ü.csv"]
    assert list(place.list("nothing/**/*.csv")) == []


def test_a_writing_that_fails_leaves_the_old_file_and_no_rest(place):
    def failing():
        yield b"half"
        raise ZeroDivisionError

    place.write("a.csv", [b"old"])
    with pytest.raises(ZeroDivisionError):
        place.write("a.csv", failing())
    assert content(place, "a.csv") == b"old"
    assert [f.path for f in place.list(".*")] == []


@pytest.mark.parametrize("place", ["folder", "sftp"], indirect=True)
def test_what_a_writing_that_was_cut_off_left_is_cleared_and_files_stay(place):
    place.write("a/one.csv", [b"whole"])
    rests = [unfinished(path) for path in ("a/one.csv", "a/two.csv", "b/one.csv")]
    for rest in rests:
        place.write(rest, [b"half"])
    place.clear_unfinished("a")
    place.clear_unfinished("absent")
    assert [f.path for f in place.list("**/.*")] == rests[2:]
    assert content(place, "a/one.csv") == b"whole"


def test_a_letter_box_that_shows_nothing_can_be_written_to(sftp_server, tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(sftp, "_list", refused)
    place = open_place("drop", sftp_server.place(), tmp_path)
    place.clear_unfinished("letters")
    assert place.write("letters/one.csv", [b"x"]).size_bytes == 1
    place.close()


@pytest.fixture
def root(place):
    """The folder behind a place."""
    return os.fsencode(place._root if hasattr(place, "_root") else place._place.path)


def test_one_glob_lists_hidden_files_and_those_in_hidden_folders_as_well(place):
    paths = [".a", ".b/.c/.d", ".b/c", "a/.b/c/d", "a/b"]
    for path in paths:
        place.write(path, [b"x"])
    assert [file.path for file in place.list(EVERYTHING)] == paths
    assert [file.path for file in place.list("**")] == ["a/b"]


@pytest.mark.parametrize("place", ["folder", "sftp"], indirect=True)
def test_a_file_whose_name_is_none_to_ask_for_is_listed_as_such_beside_the_others(place, root):
    os.makedirs(os.path.join(root, b"in", b"\xff"))
    for name in (b"good.csv", "café.csv".encode(), b"caf\xe9.csv", b"\xff/e.csv", b"a\\b.csv"):
        with open(os.path.join(root, b"in", name), "wb") as file:
            file.write(b"id\n1\n")
    found = [(file.path, bool(file.unfit), file.size_bytes) for file in place.list("**/*.csv")]
    assert sorted(found) == [
        (r"in/\xff/e.csv", True, 5),
        (r"in/a\\b.csv", True, 5),
        (r"in/caf\xe9.csv", True, 5),
        ("in/café.csv", False, 5),
        ("in/good.csv", False, 5),
    ]
    assert [file.path for file in place.list("in/g*.csv")] == ["in/good.csv"]


def test_a_key_that_is_no_path_is_listed_as_such_beside_the_others():
    class Client:
        """A store that takes any key, as that of AWS does."""

        def get_paginator(self, _):
            return self

        def paginate(self, **_):
            about = {"Size": 5, "LastModified": datetime(2026, 1, 1, tzinfo=UTC)}
            return [
                {"Contents": [{"Key": f"in/{each}", **about} for each in ("a\\b.csv", "good.csv")]}
            ]

    place = S3("drop", bucket="b", prefix="in")
    place._client = Client()
    found = [(file.path, bool(file.unfit)) for file in place.list("*.csv")]
    assert found == [(r"a\\b.csv", True), ("good.csv", False)]


def test_a_file_that_alone_is_not_to_be_read_is_told_by_its_name(tmp_path, monkeypatch):
    class Client:
        def get_object(self, **_):
            raise ClientError({"Error": {"Code": "InvalidObjectState"}}, "GetObject")

    def refused(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    archived = S3("drop", bucket="b")
    archived._client = Client()
    (tmp_path / "a.csv").write_text("id")
    monkeypatch.setattr(Path, "open", refused)
    for place, what in (
        (archived, "the store answered InvalidObjectState"),
        (Folder("drop", tmp_path), "Permission denied"),
    ):
        with pytest.raises(FileRefused, match=f"'drop': a.csv cannot be read: {what}"):
            place.open("a.csv")


def test_a_server_that_does_not_give_a_file_goes_on_giving_others(
    sftp_server, tmp_path, monkeypatch
):
    place = open_place("drop", sftp_server.place(), tmp_path)
    for path in ("given/a.csv", "given/b.csv"):
        place.write(path, [b"id"])
    opened = paramiko.SFTPClient.open

    def withholding(self, path, *others):
        if path.endswith("a.csv"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(self, path, *others)

    monkeypatch.setattr(paramiko.SFTPClient, "open", withholding)
    with pytest.raises(FileRefused, match=r"a\.csv cannot be read: Permission denied"):
        place.open("given/a.csv")
    assert content(place, "given/b.csv") == b"id"
    place.close()


def test_a_link_that_leads_in_a_circle_is_no_file(tmp_path):
    (tmp_path / "circle.csv").symlink_to("circle.csv")
    (tmp_path / "good.csv").write_text("id")
    assert [file.path for file in Folder("drop", tmp_path).list("*.csv")] == ["good.csv"]


def test_an_object_has_the_same_time_where_it_is_listed_and_where_it_is_asked_for():
    class Client:
        """A store that lists thousandths of seconds, as MinIO and that of Google do."""

        def get_paginator(self, _):
            return self

        def paginate(self, **_):
            listed = datetime(2026, 3, 1, 20, 51, 6, 821000, tzinfo=UTC)
            return [{"Contents": [{"Key": "in/a.csv", "Size": 5, "LastModified": listed}]}]

        def head_object(self, **_):
            return {"ContentLength": 5, "LastModified": datetime(2026, 3, 1, 20, 51, 6, tzinfo=UTC)}

    place = S3("drop", bucket="b", prefix="in")
    place._client = Client()
    assert list(place.list("*.csv")) == [place.stat("a.csv")]


@pytest.mark.parametrize("place", ["folder", "sftp"], indirect=True)
def test_folders_that_lead_too_deep_are_told_and_not_entered(place, root):
    place.write("good.csv", [b"x"])
    above = os.open(root, os.O_RDONLY)
    for _ in range(260):
        os.mkdir("deep", dir_fd=above)
        below = os.open("deep", os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    os.close(above)
    deep, good = place.list("**/*.csv")
    assert deep.path == "deep/" * 205
    assert "longer than 1024 bytes" in deep.unfit
    assert (good.path, good.unfit) == ("good.csv", "")


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", "a\\..\\x", "a\0"])
def test_no_path_leads_out_of_a_place(place, path):
    for call in (place.open, place.stat, place.remove, lambda p: place.write(p, [b"x"])):
        with pytest.raises(UnsafePath):
            call(path)


@pytest.mark.parametrize("kind", ["folder", "sftp"])
def test_no_link_leads_out_of_a_place(kind, request, tmp_path):
    if kind == "sftp":
        server = request.getfixturevalue("sftp_server")
        inside = server.folder / "links"
        opened = open_place("drop", server.place(path=str(inside)), tmp_path)
    else:
        inside = tmp_path / "drop"
        opened = open_place("drop", FolderPlace(kind="folder", path=str(inside)), tmp_path)
    inside.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("x")
    (inside / "link.csv").symlink_to(outside / "secret.csv")
    (inside / "folder").symlink_to(outside)
    assert list(opened.list("**/*")) == []
    for path in ("link.csv", "folder/secret.csv"):
        with pytest.raises(UnsafePath):
            opened.open(path)
    with pytest.raises(UnsafePath):
        opened.write("folder/new.csv", [b"x"])
    with pytest.raises(UnsafePath):
        opened.write("folder/2026/01/new.csv", [b"x"])
    assert sorted(path.name for path in outside.iterdir()) == ["secret.csv"]


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.csv", ["a.csv"], ["d/a.csv", ".a.csv", "a.CSV", "a.csv.gz"]),
        ("**/*.csv", ["a.csv", "d/a.csv", "d/e/a.csv"], [".d/a.csv", "d/.a.csv.part"]),
        ("d/**", ["d/a", "d/e/a"], ["d", "e/a", "d/.a"]),
        ("d/**/e/*.csv", ["d/e/a.csv", "d/x/y/e/a.csv"], ["d/x/a.csv"]),
        ("a?[0-9].csv", ["ab1.csv"], ["a/1.csv", "ab.csv", "abx.csv"]),
        ("a[!0-9].csv", ["ax.csv"], ["a1.csv", "a/.csv"]),
        ("a+(b).csv", ["a+(b).csv"], ["aab.csv"]),
        (".hidden/*", [".hidden/a"], ["hidden/a"]),
    ],
)
def test_a_glob_means_the_same_everywhere(pattern, yes, no):
    glob = Glob(pattern)
    assert [path for path in yes + no if glob.matches(path)] == yes
    for path in yes:
        folders = path.split("/")[:-1]
        assert path.startswith(glob.folder)
        assert all(glob.may_enter("/".join(folders[: n + 1])) for n in range(len(folders)))


def test_a_share_that_is_not_mounted_is_not_an_empty_one(tmp_path):
    place = open_place("drop", FolderPlace(kind="folder", path="absent"), tmp_path)
    with pytest.raises(PlaceUnreachable):
        list(place.list("*"))
    with pytest.raises(PlaceUnreachable):
        place.write("a", [b"x"])


def test_a_server_that_does_not_answer_is_worth_another_try(
    sftp_server, s3_server, unused_port, tmp_path
):
    absent = unused_port
    known = tmp_path / "known"
    known.write_text(sftp_server.known_hosts.read_text())
    sftp = open_place("drop", sftp_server.place(port=absent), tmp_path)
    s3 = open_place(
        "drop", s3_server.place("drop", endpoint=f"http://127.0.0.1:{absent}"), tmp_path
    )
    for place in (sftp, s3):
        with pytest.raises(PlaceUnreachable, match="'drop'"):
            list(place.list("*"))


@pytest.mark.fault("reset, hang, trickle")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_lost_connection_is_opened_once_more(sftp_server, tmp_path):
    place = open_place("drop", sftp_server.place(), tmp_path)
    place.write("lost.bin", [b"0123456789" * 400_000])
    place._ssh.get_transport().close()
    assert place.stat("lost.bin").size_bytes == 4_000_000
    with place.open("lost.bin") as stream:
        first = stream.read(1_000_000)
        place._ssh.get_transport().close()
        assert first + stream.read() == b"0123456789" * 400_000
    sftp_server.server.stop()
    try:
        place._ssh.get_transport().close()
        with pytest.raises(PlaceUnreachable):
            place.stat("lost.bin")
    finally:
        sftp_server.server.start()
    assert place.stat("lost.bin").size_bytes == 4_000_000
    place.close()


@pytest.mark.fault("bad certificate, changed host key")
def test_a_host_key_that_is_not_the_known_one_is_refused(sftp_server, tmp_path):
    other = paramiko.ECDSAKey.generate()
    ours = sftp_server.known_hosts.read_text().split()
    same_kind = paramiko.Ed25519Key.from_private_key_file(str(sftp_server.private_key))
    lines = {
        "changed": f"{ours[0]} {same_kind.get_name()} {same_kind.get_base64()}\n",
        "unknown": f"[127.0.0.1]:1 {other.get_name()} {other.get_base64()}\n",
    }
    says = {"changed": "another host key", "unknown": "not among", "absent": "is missing"}
    for case, expected in says.items():
        known = tmp_path / case
        if case in lines:
            known.write_text(lines[case])
        place = open_place("drop", sftp_server.place(known_hosts=str(known)), tmp_path)
        with pytest.raises(SetupError, match=expected):
            list(place.list("*"))


def test_a_key_that_the_server_does_not_know_is_refused(sftp_server, tmp_path):
    stranger = tmp_path / "key"
    paramiko.RSAKey.generate(2048).write_private_key_file(str(stranger))
    place = open_place("drop", sftp_server.place(private_key={"file": str(stranger)}), tmp_path)
    with pytest.raises(SetupError, match="refused the user"):
        list(place.list("*"))
    stranger.write_text("no key")
    with pytest.raises(SetupError, match="cannot be read"):
        list(place.list("*"))


def test_secrets_are_asked_for_only_when_the_place_is_used(s3_server, tmp_path, monkeypatch):
    place = open_place("drop", s3_server.place("drop", secret_key={"env": "GONE"}), tmp_path)
    with pytest.raises(SecretMissing, match="env:GONE"):
        list(place.list("*"))
    monkeypatch.setenv("GONE", "wrong")
    with pytest.raises(SetupError, match="SignatureDoesNotMatch"):
        list(place.list("*"))


def test_a_bucket_that_does_not_exist_is_an_error_of_the_set_up(s3_server, tmp_path):
    declared = s3_server.place("drop").model_copy(update={"bucket": "absent"})
    with pytest.raises(SetupError, match="NoSuchBucket"):
        list(open_place("drop", declared, tmp_path).list("*"))


def test_a_listing_longer_than_a_page_is_whole(s3_server, tmp_path):
    place = open_place("drop", s3_server.place("many"), tmp_path)
    client = s3_server.client()
    for number in range(1_003):
        client.put_object(Bucket="many", Key=f"n/{number:04}.csv", Body=b"")
    assert [f.path for f in place.list("n/*.csv")] == [f"n/{n:04}.csv" for n in range(1_003)]


@pytest.mark.fault("reset, hang, trickle")
def test_a_download_that_breaks_off_goes_on_where_it_stopped(s3_server, tmp_path):
    place = open_place("drop", s3_server.place("drop"), tmp_path)
    place.write("big.bin", [b"0123456789" * 300_000])
    whole, calls = place.get, []

    def breaking(path, **asked):
        calls.append(asked)
        reply = whole(path, **asked)
        if len(calls) == 1:
            reply["Body"] = io.BytesIO(reply["Body"].read(1_234_567))
        return reply

    place.get = breaking
    assert content(place, "big.bin") == b"0123456789" * 300_000
    assert [call.get("at") for call in calls] == [None, 1_234_567]


def test_a_folder_that_vanishes_while_it_is_used_is_unreachable(tmp_path):
    (tmp_path / "drop").mkdir()
    place = open_place("drop", FolderPlace(kind="folder", path="drop"), tmp_path)
    place.write("a.csv", [b"x"])
    shutil.rmtree(tmp_path / "drop")
    with pytest.raises(PlaceUnreachable):
        place.stat("a.csv")
