"""Archives: bombs, ways out, lies and damage. What is within is always CSV."""

from __future__ import annotations

import gzip
import io
import struct
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from functools import cache

from support.hostile import ADDRESS, Entry

HEADER = b"id,email\n"
ROWS = HEADER + f"C1,{ADDRESS}\nC2,{ADDRESS}\n".encode()
MORE = f"C3,{ADDRESS}\n".encode()
BOMB = 48 * 2**20
DAMAGED = "the archive is damaged or cut off"
METHOD = "packed by another method"
TOO_MUCH = "unpacks to far more"
NESTED = "stands within the archive"
WAY_OUT = "leads out of the archive"


def zipped(
    members: Mapping[str, bytes] | Iterable[tuple[str | zipfile.ZipInfo, bytes]],
    method: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """A zip, whatever its members are called and however often."""
    out = io.BytesIO()
    listed = members.items() if isinstance(members, Mapping) else members
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in listed:
            archive.writestr(name, content, method)
    return out.getvalue()


def lying(archive: bytes, size: int) -> bytes:
    """The same zip of one member, which says of it that it unpacks to ``size`` bytes."""
    central = archive.rindex(b"PK\x01\x02")
    told = bytearray(archive)
    told[22:26] = told[central + 24 : central + 28] = struct.pack("<I", size)
    return bytes(told)


def overlapping(members: int) -> bytes:
    """A zip of which every member is the same piece of the file."""
    archive = zipped({"m000.csv": HEADER + b"C1,x\n" * 200_000})
    start, end = archive.rindex(b"PK\x01\x02"), archive.rindex(b"PK\x05\x06")
    central = archive[start:end]
    listed = central * members
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, members, members, len(listed), start, 0)
    renamed = b"".join(central.replace(b"m000", b"m%03d" % at) for at in range(members))
    return archive[:start] + renamed + tail


def _link() -> bytes:
    link = zipfile.ZipInfo("a.csv")
    link.external_attr = 0o120777 << 16
    return zipped([(link, b"/etc/passwd")])


def _encrypted() -> bytes:
    archive = bytearray(zipped({"a.csv": ROWS}))
    central = archive.rindex(b"PK\x01\x02")
    archive[6] |= 1
    archive[central + 8] |= 1
    return bytes(archive)


def _misnamed() -> bytes:
    """A name that is no UTF-8 where the archive says it is."""
    archive = zipped({"é.csv": ROWS})
    return archive.replace("é".encode(), b"\xff\xfe")


def _nameless() -> bytes:
    """A zip whose member has a name of no letters."""
    archive = zipped({"a.csv": ROWS})
    start, end = archive.rindex(b"PK\x01\x02"), archive.rindex(b"PK\x05\x06")
    local = archive[:26] + b"\0\0" + archive[28:30] + archive[35:start]
    central = archive[start : start + 28] + b"\0\0" + archive[start + 30 : start + 46]
    central += archive[start + 51 : end]
    places = struct.pack("<2I", len(central), len(local))
    return local + central + archive[end : end + 12] + places + archive[end + 20 :]


@cache
def bomb() -> bytes:
    """A good file, then nothing but zeros."""
    return ROWS + b"0" * BOMB


def _bad(name: str, content: bytes, broken: str) -> Entry:
    return Entry(name=name, content=content, broken=broken)


def _good(name: str, content: bytes, accepted: int) -> Entry:
    return Entry(name=name, content=content, accepted=accepted)


ENTRIES = [
    _bad("gzip bomb", gzip.compress(bomb()), TOO_MUCH),
    _bad("zip bomb", zipped({"a.csv": bomb()}), TOO_MUCH),
    _bad("zip bomb of overlapping members", overlapping(900), TOO_MUCH),
    _bad("zip that lies about its size", lying(zipped({"a.csv": bomb()}), len(ROWS)), DAMAGED),
    _bad("nested bomb", zipped({"a.zip": zipped({"b.csv": bomb()})}), NESTED),
    _bad("gzip within gzip", gzip.compress(gzip.compress(ROWS)), NESTED),
    _bad("`../`", zipped({"../../a.csv": ROWS}), WAY_OUT),
    _bad("absolute path", zipped({"/etc/cron.d/a.csv": ROWS}), WAY_OUT),
    _bad("path of Windows", zipped({"..\\..\\a.csv": ROWS}), WAY_OUT),
    _bad("symlink", _link(), "a member is a symbolic link"),
    _bad("100,000 members", zipped(((f"{at}.csv", b"") for at in range(100_000)),
                                   zipfile.ZIP_STORED), "more than 1000 members"),
    _bad("duplicate member", zipped([("a.csv", ROWS), ("a.csv", ROWS)]), "two members of one name"),
    _bad("bad CRC", zipped({"a.csv": ROWS}, zipfile.ZIP_STORED).replace(b"C2", b"C9"), DAMAGED),
    _bad("encrypted zip", _encrypted(), "the archive is encrypted"),
    _bad("truncated gzip", gzip.compress(ROWS)[:-9], DAMAGED),
    _bad("truncated zip", zipped({"a.csv": ROWS})[:-30], DAMAGED),
    _bad("zip bomb of bzip2 that lies about its size",
         lying(zipped({"a.csv": bomb()}, zipfile.ZIP_BZIP2), len(ROWS)), METHOD),
    _bad("zip of LZMA", zipped({"a.csv": ROWS}, zipfile.ZIP_LZMA), METHOD),
    _bad("a name that is no text", _misnamed(), DAMAGED),
    _bad("gzip with something behind it", gzip.compress(ROWS) + b"<html>", DAMAGED),
    _good("concatenated gzip", gzip.compress(ROWS) + gzip.compress(MORE), 3),
    _good("gzip padded with zeros", gzip.compress(ROWS + MORE) + b"\0" * 512, 3),
    _good("a member without a name", _nameless(), 2),
    _good("zip of nothing", zipped({}), 0),
    _good("zip with folders and a Mac's clutter",
          zipped({"in/": b"", "in/a.csv": ROWS, "__MACOSX/in/._a.csv": b"\0\5\x16\7"}), 2),
    _good("zip of an empty file and two others",
          zipped({"a.csv": b"", "b.csv": ROWS, "c.csv": b"email,id\nc,C3\n"}), 3),
]  # fmt: skip
