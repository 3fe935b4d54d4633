"""Whole deliveries over SFTP and S3: what arrives, what a cut leaves, and how it goes on."""

import csv
import hashlib
import io
import json

import pytest

from goldenlake.destinations import open_destination
from goldenlake.errors import PlaceUnreachable
from goldenlake.io.places.folder import Folder
from support.activation import DAY, destination, night, silent, step
from support.destinations import Places
from support.gold import at, customer, grant, publish
from support.receivers import S3Receiver, SftpReceiver, Watched

pytestmark = pytest.mark.usefixtures("no_waiting")

NAMES = ["ann", "bob", "cyd", "dan", "eve"]
EVERYBODY = [f"{name}@example.com" for name in NAMES]
#: Letters of a name; an upload can be cut between two people of one part.
LONG = 100_000


@pytest.fixture(params=["sftp", "s3"])
def receiver(request, tmp_path):
    kind = SftpReceiver if request.param == "sftp" else S3Receiver
    found = kind(request.getfixturevalue(f"{request.param}_server"), tmp_path)
    found.relay.open()
    yield found
    found.relay.close()


def export(tables, place, **others):
    """One process that exports the segments in parts of two people."""
    target = {"kind": "files", "place": "out", "path": "to/{segment}", "batch_records": 2}
    declared = destination(fields={"FNAME": "given_name"}, target=target, **others)
    return step(destination=declared).run(
        tables, open_destination(declared, Places(lambda _: place)), silent
    )


def tonight(tables, *, named=str.title, **members):
    people = [customer(name, given_name=named(name)) for name in NAMES]
    night(tables, DAY, people, [grant(name) for name in NAMES], members)


def visible(receiver):
    """What a receiver may take for files: name to content, of each delivery."""
    found = {}
    for path, content in receiver.files().items():
        folder, name = path.rsplit("/", 1)
        if not name.startswith("."):
            found.setdefault(folder, {})[name] = content
    return found


def rows(content):
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def received(files):
    """The rows of a delivery, once its manifest is found to be true."""
    manifest = json.loads(files["manifest.json"])
    assert {"manifest.json", *(part["name"] for part in manifest["files"])} == set(files)
    for part in manifest["files"]:
        content = files[part["name"]]
        assert part["sha256"] == hashlib.sha256(content).hexdigest()
        assert (part["bytes"], part["records"]) == (len(content), len(rows(content)))
    found = [row for part in manifest["files"] for row in rows(files[part["name"]])]
    assert manifest["records"] == len(found)
    return found


def acknowledged(tables):
    found = tables.read_or_empty("activation.ledger", "key STRING, state STRING")
    return sorted(row["key"] for row in found.where("state = 'present'").collect())


def test_an_export_arrives_whole_and_a_second_one_does_not_even_call(tables, receiver):
    tonight(tables, readers=NAMES)
    first = export(tables, receiver.place())

    ((folder, files),) = visible(receiver).items()
    assert folder == f"to/readers/{first.details['deliveries']['readers']}"
    assert sorted(files) == ["manifest.json", *(f"part-0000{n}.csv" for n in (1, 2, 3))]
    assert sorted((row["operation"], row["key"], row["FNAME"]) for row in received(files)) == [
        ("upsert", f"{name}@example.com", name.title()) for name in NAMES
    ]
    assert acknowledged(tables) == EVERYBODY
    assert first.counts["sent"] == 5

    arrived = receiver.files()
    receiver.relay.close()
    again = export(tables, receiver.place())
    assert (again.counts["sent"], again.counts["unchanged"]) == (0, 5)
    assert receiver.files() == arrived


@pytest.mark.fault("reset, hang, trickle")
def test_an_upload_that_is_cut_is_no_file_and_the_next_run_brings_everybody_once(tables, receiver):
    tonight(tables, named=lambda name: name * (LONG // 3), readers=NAMES)
    with pytest.raises(PlaceUnreachable):
        export(tables, Watched(receiver, cut_in="*/part-00002.csv", after=LONG * 3 // 2))
    assert not receiver.relay.is_open
    ((folder, files),) = visible(receiver).items()
    assert list(files) == ["part-00001.csv"]
    assert acknowledged(tables) == [row["key"] for row in rows(files["part-00001.csv"])]

    receiver.relay.open()
    cut, *_ = tables.read("activation.outbox").where("batch = 2").sort("key").collect()
    says_no = grant(cut["customer_id"], "withdrawn", stated_at=at("2024-05-30 09:00"))
    publish(tables, DAY, {"gold.consents": [*(grant(name) for name in NAMES), says_no]})
    place = Watched(receiver)
    result = export(tables, place)

    then = f"to/readers/{result.details['deliveries']['readers']}"
    assert place.written == [
        *(f"{folder}/{name}" for name in ("part-00002.csv", "part-00003.csv", "manifest.json")),
        *(f"{then}/{name}" for name in ("part-00001.csv", "manifest.json")),
    ]
    stay = [key for key in EVERYBODY if key != cut["key"]]
    assert sorted(row["key"] for row in received(visible(receiver)[folder])) == stay
    removed = received(visible(receiver)[then])
    assert [(row["operation"], row["key"]) for row in removed] == [("remove", cut["key"])]
    assert acknowledged(tables) == stay
    fields = cut["customer_id"] * 2
    assert [path for path, of in receiver.files().items() if fields.encode() in of] == []


def test_what_was_closed_is_its_receivers_and_only_the_delivery_that_was_cut_goes_on(
    tables, receiver
):
    segments = {"buyers": NAMES[:3], "readers": NAMES}
    tonight(tables, **segments)
    cutting = Watched(receiver, cut_in="to/readers/*/manifest.json", after=1000)
    with pytest.raises(PlaceUnreachable):
        export(tables, cutting, segments=list(segments))
    assert not receiver.relay.is_open
    (bought, read) = (visible(receiver)[folder] for folder in sorted(visible(receiver)))
    assert sorted(row["key"] for row in received(bought)) == EVERYBODY[:3]
    assert sorted(read) == [f"part-0000{n}.csv" for n in (1, 2, 3)]

    receiver.relay.open()
    for path in [path for path in receiver.files() if path.startswith("to/buyers/")]:
        receiver.remove(path)
    place = Watched(receiver)
    result = export(tables, place, segments=list(segments))

    ((folder, files),) = visible(receiver).items()
    assert place.written == [f"{folder}/manifest.json"]
    assert sorted(row["key"] for row in received(files)) == EVERYBODY
    assert {name: files[name] for name in read} == read
    assert result.counts["unchanged"] == 8


class NeverClosed(Folder):
    """A share that is gone when the manifest is to be written."""

    def write(self, path, content):
        if path.endswith("manifest.json"):
            raise PlaceUnreachable(place=self.name, what="not mounted")
        return super().write(path, content)


def never_closed(tables, tmp_path):
    """A place, and the folder in it of a delivery whose manifest could not be written."""
    tonight(tables, readers=NAMES)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(PlaceUnreachable):
        export(tables, NeverClosed("out", out))
    (folder,) = (out / "to" / "readers").iterdir()
    return out, folder


def test_whoever_says_no_before_a_delivery_is_closed_is_not_in_it(tables, tmp_path):
    out, folder = never_closed(tables, tmp_path)
    says_no = grant("ann", "withdrawn", stated_at=at("2024-05-30 09:00"))
    publish(tables, DAY, {"gold.consents": [*(grant(name) for name in NAMES), says_no]})
    with pytest.raises(PlaceUnreachable):
        export(tables, NeverClosed("out", out))

    export(tables, Folder("out", out))

    stay = EVERYBODY[1:]
    closed, removed = (
        received({path.name: path.read_bytes() for path in each.iterdir()})
        for each in sorted((out / "to" / "readers").iterdir(), key=lambda each: each != folder)
    )
    assert sorted((row["operation"], row["key"]) for row in closed) == [
        ("upsert", key) for key in stay
    ]
    assert [(row["operation"], row["key"]) for row in removed] == [("remove", EVERYBODY[0])]
    assert acknowledged(tables) == stay


def test_a_part_that_vanished_before_its_delivery_was_closed_is_brought_again(tables, tmp_path):
    out, folder = never_closed(tables, tmp_path)
    parts = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "part-00002.csv").unlink()

    export(tables, Folder("out", out))

    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(row["key"] for row in received(files)) == EVERYBODY
    assert {name: files[name] for name in parts} == parts
