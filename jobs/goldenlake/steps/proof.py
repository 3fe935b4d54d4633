"""Every byte of an area, read and unpacked, searched for those who were forgotten."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

from goldenlake.columns.traces import Traces
from goldenlake.errors import UnsafePath
from goldenlake.io.readers.contract import FileBroken
from goldenlake.io.texts import raw_texts, texts
from goldenlake.ports import FilePlace

#: Globs leave out names that begin with a dot.
_EVERYTHING = ("**", "**/.*", ".*/**")


@dataclass(frozen=True, kw_only=True)
class Found:
    """How much of an area was read, and which of its files tell."""

    files: int
    size: int
    told: tuple[str, ...]


def search(place: FilePlace, traces: Traces, *, skip: str = "") -> Found:
    """Search every file below a place, and its path, but those below the folder ``skip``.

    Raises UnsafePath for one that cannot be asked for.
    """
    files = size = 0
    told = []
    for file in (each for pattern in _EVERYTHING for each in place.list(pattern)):
        if skip and file.path.startswith(skip):
            continue
        if file.unfit:
            raise UnsafePath(place=place.name, path=file.path)
        files, size = files + 1, size + file.size_bytes
        with closing(_said(place, file.path)) as said:
            if traces.found_in(file.path) or any(traces.found_in(text) for text in said):
                told.append(file.path)
    return Found(files=files, size=size, told=tuple(told))


def _said(place: FilePlace, path: str) -> Generator[str, None, None]:
    try:
        with place.open(path) as content:
            yield from texts(content)
    except FileBroken:
        with place.open(path) as content:
            yield from raw_texts(content)
