"""Any bytes for a file: records and named rules come out of them, or the file is named broken."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldenlake.cli.installation import PROJECT
from goldenlake.declarations.source import Source
from support.growth import HANG
from support.hostile import CANARY
from support.hostile.reading import read
from support.hostile.sources import CATALOGUE, GOOD, SOURCE_OF, SOURCES
from support.landed import source

MAIL = source("recipient", "status", "date", format={"kind": "mail_reports"})
REPORT = f"""\
From: MAILER-DAEMON@mx.example.net
Date: Mon, 05 Jan 2026 10:00:00 +0100
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; {CANARY}@example.com
Action: failed
Status: 5.1.1

--b
Content-Type: text/rfc822-headers

Subject: =?utf-8?q?=C3=A9?=
--b--
""".encode()
FORMATS: dict[str, Source] = {
    **{group: SOURCES[name] for group, name in SOURCE_OF.items()},
    "mail": MAIL,
}
SMALL = 20_000
TARGETS = ("csv", "jsonl", "logs", "archives", "mail", "declarations")
"""Of ``faults.guided``."""
ATHERIS = PROJECT / ".venv-fuzz" / "lib" / "python3.11" / "site-packages"
SECONDS = "30"
"""For each target."""
SEEDS: dict[str, list[bytes]] = {
    group: [GOOD[group], *(entry.content for entry in entries if len(entry.content) < SMALL)]
    for group, entries in CATALOGUE.items()
} | {"mail": [REPORT, b"From x\n" + REPORT + b"\nFrom y\n" + REPORT]}
SPICE = st.sampled_from([
    b"\0", b"\n", b"\r", b'"', b",", b";", b"\\", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80",
    b"\x1f\x8b", b"PK\x03\x04", b"PK\x01\x02", b"PAR1", b"{", b"[", b'":', b"\\ud800",
    b"1e999", b"\xff" * 8, b"\x7f\xff\xff\xff", b"--b\n", b"=?x?q??=", b"&a;", b"<",
    b'r="XFD1048576"',
])  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn, group: str) -> bytes:
    """A file of the catalogue with some bytes put in, taken out, changed or doubled."""
    content = draw(st.sampled_from(SEEDS[group]))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 1, 2, 4, 30, 500])))
        piece = draw(SPICE | st.binary(max_size=8) | st.just(content[start:end] * 2))
        content = content[:start] + piece + content[end:]
    return content


def is_read_or_refused(group: str, content: bytes) -> None:
    began = time.process_time()
    found = read(FORMATS[group], content)
    assert time.process_time() - began < HANG
    assert CANARY not in found.summary.broken
    if found.summary.broken:
        return
    for row in found.good:
        texts = [value for name, value in row.items() if name[0] != "_" and value is not None]
        assert all(isinstance(text, str) for text in texts)
        assert "\0" not in "".join(texts)
        "".join(texts).encode("utf-8")


UNHURRIED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@pytest.mark.parametrize("group", FORMATS)
@settings(max_examples=40, suppress_health_check=UNHURRIED)
@given(data=st.data())
def test_a_spoilt_file_is_read_or_refused(group: str, data: st.DataObject) -> None:
    is_read_or_refused(group, data.draw(spoilt(group)))


@pytest.mark.parametrize("group", FORMATS)
@settings(max_examples=40)
@given(content=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(group: str, content: bytes) -> None:
    is_read_or_refused(group, content)


@pytest.mark.slow
@pytest.mark.parametrize("group", FORMATS)
@settings(max_examples=2_000, suppress_health_check=UNHURRIED)
@given(data=st.data())
def test_many_spoilt_files_are_read_or_refused(group: str, data: st.DataObject) -> None:
    is_read_or_refused(group, data.draw(spoilt(group)))


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_what_reaches_new_branches_is_read_or_refused(target: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "faults.guided", target, SECONDS, str(tmp_path)]
    if not ATHERIS.is_dir():
        pytest.skip("no Atheris here; `make setup-fuzz` installs it")
    paths = os.pathsep.join(map(str, [PROJECT / "jobs", PROJECT / "tests", ATHERIS]))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([paths, *sys.path])}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr[-4_000:]
    assert "Done " in run.stderr


ENCODINGS = ["utf-16", "utf-32", "utf-7", "shift_jis", "cp1252", "hz", "iso2022_jp"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=30)
@given(content=st.binary(max_size=200))
def test_any_bytes_in_any_encoding_are_read_or_refused(encoding: str, content: bytes) -> None:
    declared = {"kind": "csv", "encoding": encoding, "header": False}
    read(source("id", "name", format=declared), content)
    read(source("id", "name", format={"kind": "jsonl", "encoding": encoding}), content)
