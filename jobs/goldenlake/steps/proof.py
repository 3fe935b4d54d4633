"""Every byte of an area, read and unpacked, searched for those who were forgotten."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

from goldenlake.columns.traces import Traces
from goldenlake.io.readers.contract import FileBroken
from goldenlake.io.texts import raw_texts, texts
from goldenlake.ports import EVERYTHING, FilePlace

_TOLD = "(told of somebody)"


@dataclass(frozen=True, kw_only=True)
class Found:
    """How much of an area was read, and which of its files tell."""

    place: str
    files: int
    size: int
    told: tuple[str, ...]
    folders: frozenset[str] = frozenset()
    """In which they lie: the first two names of a path."""
    unread: tuple[tuple[str, str], ...] = ()
    """Those that cannot be asked for by their names, so nobody knows what they say; and why."""

    def remains(self, traces: Traces) -> list[str]:
        """Why this is no proof yet, and what to do, in words that tell of nobody."""
        told = [f"{traces.without(path, _TOLD)} still tells of them" for path in self.told]
        return told + [
            f"{self.place}: {traces.without(path, _TOLD)} cannot be searched, since {why} Give it "
            "another name, or remove it"
            for path, why in self.unread
        ]


def search(place: FilePlace, traces: Traces, *, skip: str = "") -> Found:
    """Search every file below a place, and its path, but those below the folder ``skip``."""
    files = size = 0
    told = []
    unread = []
    folders = set()
    for file in place.list(EVERYTHING):
        if skip and file.path.startswith(skip):
            continue
        if file.path.count("/") > 1:
            folders.add("/".join(file.path.split("/")[:2]))
        if file.unfit:
            unread.append((file.path, file.unfit))
            continue
        files, size = files + 1, size + file.size_bytes
        with closing(_said(place, file.path)) as said:
            if traces.found_in(file.path) or any(traces.found_in(text) for text in said):
                told.append(file.path)
    return Found(
        place=place.name,
        files=files,
        size=size,
        told=tuple(told),
        folders=frozenset(folders),
        unread=tuple(unread),
    )


def _said(place: FilePlace, path: str) -> Generator[str, None, None]:
    try:
        with place.open(path) as content:
            yield from texts(content)
    except FileBroken:
        with place.open(path) as content:
            yield from raw_texts(content)
