"""Files that tell of somebody, found by other means than the product's."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

#: What tells of a night's work, below a company's folder: nobody is to be named there.
OF_THE_WORK = ("lake/ops/**/*", "lake/_locks/*", "lake/*.json", "reports/**/*", "*.log")
_DIGESTS = ("md5", "sha1", "sha256")


def needles(value: str) -> list[bytes]:
    """The ways in which a value may stand somewhere: itself, encoded, escaped as machines do in
    JSON, and in JSON in JSON, and hashed; a phone number's also without its plus.
    """
    found: set[bytes] = set()
    for text in {value, value.removeprefix("+")}:
        raw = text.encode()
        coded = {base64.b64encode(raw).rstrip(b"="), quote(text, safe="").encode()}
        hashes = {hashlib.new(name, raw).hexdigest().encode() for name in _DIGESTS}
        wide = {text.encode(f"utf-16-{order}") for order in ("le", "be")}
        found |= {raw, *coded, *hashes, *wide, *(_escaped(text, many) for many in (1, 2, 4))}
    return sorted(found)


def _escaped(text: str, backslashes: int) -> bytes:
    """What is no letter or digit as ``\\u0040``; each layer, ``repr`` too, doubles backslashes."""
    before = "\\" * backslashes
    return "".join(
        each if each.isalnum() or each == "." else f"{before}u{ord(each):04x}" for each in text
    ).encode()


def tells_of(data: bytes, *values: str) -> bool:
    """Whether one of the values stands in the bytes, however it is written."""
    return any(needle in data for value in values for needle in needles(value))


def unpacked(name: str, data: bytes) -> bytes:
    """What the bytes of a file say; a data file's footer has values in its statistics, too. One
    that a full disk cut off says what it has.
    """
    if name.endswith(".parquet"):
        with suppress(pa.ArrowInvalid):
            file = pq.ParquetFile(io.BytesIO(data))
            return repr([file.metadata.to_dict(), file.read().to_pylist()]).encode()
        return data
    return gzip.decompress(data) if name.endswith(".gz") else data


def said(folder: Path, patterns: Iterable[str] = ("**/*",)) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder, unpacked; of a database of SQLite all that its tables say."""
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
        if path.suffix == ".db":
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                yield str(path), "\n".join(database.iterdump()).encode()
        elif path.is_file():
            yield str(path), unpacked(path.name, path.read_bytes())


def told_of_the_work(
    home: Path, personal: re.Pattern[str], patterns: Iterable[str] = OF_THE_WORK
) -> list[str]:
    """Files in which a night tells of its work, and of people as well."""
    wanted = re.compile(personal.pattern.encode())
    return [name for name, data in said(home, patterns) if wanted.search(data)]
